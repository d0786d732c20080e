# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading of package files: recorded packages, every type, damage of every kind."""

from __future__ import annotations

import random
import struct
import tracemalloc
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm import package
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import Header, Rpm, read_rpm
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.merged import merged_header
from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples
from hypothesis import given
from hypothesis import strategies as st

PACKAGES = sorted(samples.GOLDEN.glob("*rpms/*.rpm")) + sorted((samples.GOLDEN / "signed").glob("*.rpm"))


def touch_everything(rpm: Rpm) -> None:
    """Whatever the collection reads of a package."""
    for header in (rpm.signature, rpm.header):
        for tag in header.index:
            header.value(tag)
    package.nvra(rpm.header)
    package.file_paths(rpm.header)
    for kind in package.DEPENDENCIES:
        package.dependencies(rpm.header, kind)
    merged_header(rpm)


@pytest.mark.parametrize(
    ("name", "tag", "value"),
    [
        ("a-simple-1.0-1mdv2009.0.noarch", 1000, b"a-simple"),
        ("a-epoch-1.0-1mdv2009.0.noarch", 1003, (3,)),
        ("a-epoch0-1.0-1mdv2009.0.noarch", 1003, (0,)),
        ("a-caret-1.0^git20220101-2.noarch", 1001, b"1.0^git20220101"),
        ("a-kernel-1.0-1.2.3mdv.noarch", 1002, b"1.2.3mdv"),
        ("a-arch-1.0-1mdv2009.0.x86_64", 1022, b"x86_64"),
        ("a-simple-1.0-1mdv2009.0.noarch", 100, [b"C"]),
    ],
)
def test_recorded_tags(name: str, tag: int, value: t.Any) -> None:
    assert read_rpm(str(samples.GOLDEN / "rpms" / (name + ".rpm"))).header.value(tag) == value


def test_translations_give_the_c_locale() -> None:
    header = read_rpm(str(samples.GOLDEN / "rpms" / "a-i18n-1.0-1mdv2009.0.noarch.rpm")).header
    assert len(header.strings(package.SUMMARY)) > 1
    assert header.string(package.SUMMARY) == header.strings(package.SUMMARY)[0]


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
def test_every_recorded_package(path: Path) -> None:
    rpm = read_rpm(str(path))
    touch_everything(rpm)
    assert path.read_bytes()[rpm.header_start :].startswith(samples.MAGIC)
    assert rpm.size == path.stat().st_size > rpm.payload_start > rpm.header_start
    if path.parent.name != "signed":
        assert package.nvra(rpm.header).decode() + ".rpm" == path.name


def test_source_packages_have_the_architecture_src() -> None:
    rpm = read_rpm(str(samples.GOLDEN / "srpms" / "a-arch-1.0-1mdv2009.0.src.rpm"))
    assert package.is_source(rpm.header) and package.arch(rpm.header) == b"src"
    assert rpm.header.string(package.ARCH) == b"x86_64"


def test_merged_headers_are_those_of_the_rpm_library() -> None:
    with samples.system_module("rpm") as rpm:
        files = rpm.TransactionSet("", -1)
        for path in PACKAGES:
            with path.open("rb") as stream:
                wanted = files.hdrFromFdno(stream).unload()
            assert merged_header(read_rpm(str(path))) == samples.MAGIC + wanted, path.name


def test_files_of_old_packages(tmp_path: Path) -> None:
    path = tmp_path / "old.rpm"
    path.write_bytes(samples.rpm_bytes({**samples.tags(), 1027: (samples.STRINGS, [b"/etc/a", b"/usr/b"])}))
    assert package.file_paths(read_rpm(str(path)).header) == [b"/etc/a", b"/usr/b"]


def test_sizes_beyond_four_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "long.rpm"
    tags = samples.tags()
    del tags[1009]
    path.write_bytes(samples.rpm_bytes({**tags, 5009: (samples.INT64, [1 << 40])}))
    header = read_rpm(str(path)).header
    assert header.number(package.SIZE, package.LONG_SIZE) == 1 << 40
    assert header.number(package.SIZE) == 0


TEXT = st.binary(max_size=12).map(lambda data: data.replace(b"\0", b""))
NUMBERS = {1: 8, 2: 8, 3: 16, 4: 32, 5: 64}
VALUES = st.one_of(
    st.tuples(st.just(samples.STRING), TEXT),
    st.tuples(st.just(samples.BINARY), st.binary(min_size=1, max_size=9)),
    st.tuples(st.sampled_from([samples.STRINGS, samples.I18N]), st.lists(TEXT, min_size=1, max_size=5)),
    *(
        st.tuples(st.just(kind), st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=4))
        for kind, bits in NUMBERS.items()
    ),
)


@given(tags=st.dictionaries(st.integers(100, 6000), VALUES, min_size=1, max_size=12), shuffle=st.randoms())
def test_any_header_is_read_back(tags: dict[int, tuple[int, t.Any]], shuffle: random.Random) -> None:
    data = samples.body(tags)
    count = len(tags)
    entries = [data[8 + 16 * at : 24 + 16 * at] for at in range(count)]
    shuffle.shuffle(entries)
    header = Header(data[:8] + b"".join(entries) + data[8 + 16 * count :], "any")
    for tag, (kind, value) in tags.items():
        assert header.value(tag) == (tuple(value) if kind in NUMBERS else value)
        assert tag in header and header.data(tag) == Header(data, "any").data(tag)
    assert header.strings(99) == [] and header.ints(99) == () and header.binary(99) == b""
    assert header.string(99, b"none") == b"none" and header.number(99, 98, default=7) == 7


# One damage each, on a copy of a package: what is done to it and what the error has to tell.
START = samples.SIMPLE.read_bytes()
MAIN = read_rpm(str(samples.SIMPLE)).header_start


def put(at: int, data: bytes) -> bytes:
    return START[:at] + data + START[at + len(data) :]


def entry(number: int, *values: int) -> bytes:
    return put(MAIN + 16 + 16 * number, struct.pack(">IIiI", *values))


BAD = [
    (b"", "empty file"),
    (b"\xed\xab\xee\xdb", "truncated: 4 bytes"),
    (b"PK\x03\x04" + START[4:], "not an RPM package"),
    (b"#!/bin/sh\n", "not an RPM package"),
    (START[:96], "truncated: 96 bytes"),
    (START[:-1], "truncated: 5900 bytes instead of 5901"),
    (START[: MAIN + 40], "its headers alone need"),
    (START + b"x", "too long"),
    (put(96, b"XXXX"), "no header at byte 96"),
    (put(MAIN, b"XXXX"), "no header at byte %d" % MAIN),
    (put(MAIN + 8, b"\xff\xff\xff\xff"), "absurd header: 4294967295 entries"),
    (put(MAIN + 12, b"\x7f\xff\xff\xff"), "absurd header"),
    (put(MAIN + 12, b"\x03\xff\xff\xff"), "its headers alone need"),
    (put(MAIN + 8, b"\0\0\0\0"), "empty header"),
    (entry(2, 1000, 6, -5, 1), "out of bounds"),
    (entry(2, 1000, 6, 1 << 30, 1), "out of bounds"),
    (entry(2, 1000, 77, 2, 1), "out of bounds"),
    (entry(2, 1000, 6, 2, 0), "out of bounds"),
    (entry(2, 1000, 8, 2, 1 << 31), "out of bounds"),
    (entry(2, 1000, 4, 2, 1), "tag 1000 is damaged"),
    (entry(2, 1000, 7, 890, 100), "tag 1000 is damaged"),
    (entry(2, 1000, 8, 2, 900), "tag 1000 is damaged"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=[message for _data, message in BAD])
def test_damaged_packages(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.rpm"
    path.write_bytes(data)
    message = message.replace("5900", str(len(START) - 1)).replace("5901", str(len(START)))
    with pytest.raises(ClusterError, match=message) as error:
        touch_everything(read_rpm(str(path)))
    assert str(path) in error.value.message and error.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.rpm"):
        with pytest.raises(ClusterError, match="cannot read %s" % path):
            read_rpm(str(path))


@pytest.mark.parametrize(
    ("tag", "value", "damaged"),
    [
        (1048, (samples.INT32, [0]), 1049),
        (1050, (samples.STRINGS, [b"1"]), 1049),
        (1116, (samples.INT32, [0, 5]), 1117),
        (1116, (samples.INT32, [0]), 1117),
        (1118, (samples.INT32, [0]), 1118),
        (1047, (samples.INT32, [0]), 1047),
    ],
)
def test_lists_that_do_not_fit(tmp_path: Path, tag: int, value: t.Any, damaged: int) -> None:
    tags = samples.tags(requires=[(b"x", 0, b""), (b"y", 0, b"")], files=[b"/etc/a", b"/etc/b"])
    path = tmp_path / "bad.rpm"
    path.write_bytes(samples.rpm_bytes({**tags, tag: value}))
    with pytest.raises(ClusterError, match="tag %d is damaged" % damaged):
        touch_everything(read_rpm(str(path)))


def _harm(data: bytes, chance: random.Random) -> bytes:
    """A few bytes of the headers replaced, and often the end cut off."""
    harmed = bytearray(data)
    for _time in range(chance.randint(1, 6)):
        at = chance.randrange(96, min(len(harmed), 12000))
        harmed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(harmed[: chance.choice((len(harmed), chance.randrange(len(harmed))))])


def test_random_damage_never_crashes(tmp_path: Path) -> None:
    """Every damaged package is read or refused, within the memory that its size explains."""
    chance = random.Random(20090101)
    path = tmp_path / "harmed.rpm"
    originals = [item.read_bytes() for item in PACKAGES if item.stat().st_size < 20000]
    refused = 0
    tracemalloc.start()
    for _round in range(800):
        path.write_bytes(_harm(chance.choice(originals), chance))
        try:
            touch_everything(read_rpm(str(path)))
        except ClusterError as error:
            refused += 1
            assert "harmed.rpm" in error.message
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > 250 and peak < 8 << 20
