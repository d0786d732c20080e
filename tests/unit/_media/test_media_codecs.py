# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The codecs of the media files: tables, round trips of any content, damage of every kind."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media import compress as packing
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.compress import (
    KINDS,
    compress,
    decompress,
    gzip_bytes,
    inflate,
    sniff,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.hdlist import parse_hdlist
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum, render_md5sum
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.packdrake import (
    Block,
    Packer,
    parse_packdrake,
    render_packdrake,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.synthesis import (
    LINE_LIMIT,
    LISTS,
    Record,
    add_file_provides,
    parse_synthesis,
    record_of,
    render_record,
    render_synthesis,
    required_paths,
    split_records,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.xmlinfo import (
    ELEMENTS,
    clean,
    parse_xml,
    render_xml,
    split_xml,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import Header
from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN, I18N, STRING, STRINGS
from hypothesis import given
from hypothesis import strategies as st

HOST = LocalHost()


def header(**more: t.Any) -> Header:
    return Header(samples.body(samples.tags("a", "1", "1", **more)), "a.rpm")


# Compression.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"x", b"text " * 10000])
def test_compressors(kind: str, data: bytes) -> None:
    packed = compress(data, kind, HOST)
    assert decompress(packed, "x", HOST) == data and packed == compress(data, kind, HOST)
    assert sniff(packed) == kind


def test_other_writers() -> None:
    assert decompress(bz2.compress(b"abc"), "x") == b"abc"
    assert decompress(gzip.compress(b"abc") + gzip.compress(b"def"), "x") == b"abcdef"
    assert decompress(lzma.compress(b"abc"), "x") == b"abc"
    assert gzip_bytes(b"abc")[:10] == bytes.fromhex("1f8b0800000000000203")
    assert inflate(gzip_bytes(b"abc") + b"trailing") == b"abc"


@pytest.mark.parametrize("kind", ["gzip", "xz", "lzma", "zstd"])
@pytest.mark.parametrize("harm", ["cut", "flip", "long"])
def test_damaged_compression(kind: str, harm: str) -> None:
    packed = bytearray(compress(random.Random(1).randbytes(5000), kind, HOST))
    if harm == "cut":
        packed = packed[: len(packed) // 2]
    elif harm == "flip":
        packed[200:300] = bytes(100)
    limit = 100 if harm == "long" and kind != "zstd" else 1 << 20
    if (kind, harm) in (("zstd", "long"), ("zstd", "flip"), ("lzma", "flip")):
        return  # nothing to find: no limit of ours, or no checksum in the format
    with pytest.raises(ClusterError, match=r"synthesis\.hdlist\.cz: damaged %s data" % kind):
        decompress(bytes(packed), "synthesis.hdlist.cz", HOST, limit)


def test_zstd_without_a_host() -> None:
    with pytest.raises(ClusterError, match="unpack it with the zstd program"):
        decompress(compress(b"abc", "zstd", HOST), "x")


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip_bytes(bytes(1 << 24))
    with pytest.raises(ClusterError, match="too long"):
        decompress(bomb, "bomb", None, 1 << 20)
    with pytest.raises(ValueError, match="too long"):
        inflate(bomb, 1 << 20)
    assert packing.LIMIT <= 1 << 30


# MD5SUM.


def test_md5sum() -> None:
    digests = {"hdlist.cz": md5(b"a"), "synthesis.hdlist.cz": md5(b"b")}
    text = render_md5sum(digests)
    assert (
        text == b"0cc175b9c0f1b6a831c399e269772661  hdlist.cz\n92eb5ffee6ae2fec3ad71c777531578f  synthesis.hdlist.cz\n"
    )
    assert parse_md5sum(text) == digests


@pytest.mark.parametrize("line", [b"x", b"0cc175b9  hdlist.cz", b"0cc175b9c0f1b6a831c399e269772661  ../etc/passwd"])
def test_bad_md5sum(line: bytes) -> None:
    with pytest.raises(ClusterError, match="MD5SUM: bad line 2"):
        parse_md5sum(render_md5sum({"a": md5(b"")}) + line + b"\n")


# Synthesis.

WORD = st.text("abcxyz/.()+-_é", min_size=1, max_size=8).map(str.encode)
ITEM = st.one_of(WORD, WORD.map(lambda name: name + b"[*]"), WORD.map(lambda name: name + b"[>= 1:2.0-3]"))
RECORD = st.builds(
    Record,
    nvra=WORD.map(lambda name: name + b"-1-1.noarch"),
    lists=st.dictionaries(st.sampled_from(LISTS), st.lists(ITEM, min_size=1, max_size=4)),
    summary=st.text("abc @#[]é", max_size=12).map(str.encode),
    filesize=st.none() | st.integers(0, 1 << 40),
    epoch=st.integers(0, 99).map(lambda number: b"%d" % number),
    size=st.integers(0, 1 << 31).map(lambda number: b"%d" % number),
    group=st.sampled_from([b"System/Base", b"", "Networking/Other é".encode()]),
    extra=st.sampled_from([(), (b"mdk", b"2011.0")]),
    others=st.sampled_from([(), (b"@future@a@b",)]),
)


@given(st.lists(RECORD, max_size=4))
def test_any_synthesis_is_read_back(found: list[Record]) -> None:
    text = render_synthesis(found)
    assert parse_synthesis(text) == found
    assert split_records(text) == [render_record(record) for record in found]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"x\n", "bad line 1: x"),
        (b"@info@a-1-1.noarch@0@1@g\n@provides\nx", "cut off in line 3"),
        (b"@provides@a\n", "the last record has no @info@ line"),
        (b"@info@a-1-1.noarch@0@1\n", "bad line 1"),
        (b"@filesize@many\n@info@a@0@1@g\n", "bad line 1"),
        (b"@@a\n", "bad line 1"),
        (b"\0\1\2\n", "bad line 1"),
        (b"@info@a@0@1@g\n\n", "bad line 2"),
    ],
)
def test_bad_synthesis(text: bytes, message: str) -> None:
    with pytest.raises(ClusterError, match="^media: " + message) as error:
        parse_synthesis(text, "media")
    assert error.value.hint


@given(st.binary(max_size=60) | st.lists(RECORD, max_size=2).map(lambda found: render_synthesis(found)[3:-3]))
def test_damaged_synthesis(data: bytes) -> None:
    for parse in (parse_synthesis, split_records):
        try:
            parse(data)
        except ClusterError as error:
            assert "synthesis" in error.message


FLAGS = [
    (0, b"1", b"x[ 1]"),
    (2, b"1", b"x[< 1]"),
    (4, b"1", b"x[> 1]"),
    (8, b"1:2-3", b"x[== 1:2-3]"),
    (10, b"1", b"x[<= 1]"),
    (12, b"1", b"x[>= 1]"),
    (12, b"", b"x"),
    (1 << 6 | 12, b"1", b"x[*][>= 1]"),
    *((1 << bit, b"", b"x[*]") for bit in (6, 9, 10, 11, 12)),
    *((1 << bit, b"", b"x") for bit in (7, 8, 13, 16, 19, 22, 28)),
]


@pytest.mark.parametrize(("flags", "version", "item"), FLAGS)
def test_dependency_items(flags: int, version: bytes, item: bytes) -> None:
    record = record_of(header(requires=[(b"x", flags, version), (b"rpmlib(X)", 10, b"4")]), 1)
    assert record.items(b"requires") == [item]


def test_weak_dependencies_have_no_version() -> None:
    weak = header(recommends=[(b"x", 12, b"2"), (b"y", 0, b"")])
    assert b"@suggests@x@y\n" in render_record(record_of(weak, 1))
    assert b"@recommends@x@y\n" in render_record(record_of(weak, 1, b"recommends"))


def test_line_ends_do_not_break_the_record() -> None:
    record = record_of(header(summary=b"two\nlines", requires=[(b"a\n@info@b", 0, b"")]), 1)
    assert len(parse_synthesis(render_record(record))) == 1
    assert b"@summary@two lines\n" in render_record(record)


def test_file_provides() -> None:
    record = record_of(header(provides=[(b"/bin/there", 0, b"")], requires=[(b"/bin/sh", 0, b""), (b"x", 0, b"")]), 1)
    add_file_provides(record, [b"/usr/z", b"/bin/there", b"/usr/b", b"/usr/z"])
    assert record.items(b"provides")[-2:] == [b"/usr/b", b"/usr/z"]
    assert record.items(b"provides").count(b"/bin/there") == 1
    assert required_paths(record) == {b"/bin/sh"}


@given(st.integers(40, 400), st.lists(WORD, min_size=1, max_size=60))
def test_long_lines_lose_items_and_are_told(limit: int, items: list[bytes]) -> None:
    record = Record(b"own-1-1.noarch", {b"provides": [*items, b"own[== 1-1]", b"/bin/own"]})
    told: list[str] = []
    text = render_record(record, limit, told)
    line = text.partition(b"\n")[0]
    full = sum(len(item) + 1 for item in record.items(b"provides")) + 9
    assert len(line) <= limit and bool(told) == (full > limit)
    kept = line.split(b"@")[2:]
    if all(not item.startswith((b"/", b"own")) for item in items):
        assert b"own[== 1-1]" in kept and b"/bin/own" in kept
    everything = iter(record.items(b"provides"))
    assert all(item in everything for item in kept)
    if told:
        assert told[0].startswith(
            "own-1-1.noarch: %d of %d provides left out" % (len(items) + 2 - len(kept), len(items) + 2)
        )


def test_the_default_limit_is_that_of_2009() -> None:
    assert LINE_LIMIT == 65535


# packdrake and hdlist.

FILES = st.dictionaries(st.text("abcdef0123456789", min_size=1, max_size=6).map(str.encode), st.binary(max_size=50))


@given(FILES, st.integers(0, 3))
def test_any_archive_is_read_back(files: dict[bytes, bytes], known: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        data = _packed(pool, files, {})
        archive = parse_packdrake(data)
        packed = {
            tuple(md5(content) for member, content in archive if member.block == place): data[place : place + size]
            for place, size in archive.blocks()[:known]
        }
        assert _packed(pool, files, packed) == data
    assert {member.name: content for member, content in archive} == files
    assert [member.name for member in archive.members] == sorted(files)
    assert (archive.folders, archive.links, archive.uncompress) == ((), {}, b"gzip -d")


def _packed(pool: ThreadPoolExecutor, files: dict[bytes, bytes], known: dict[tuple[str, ...], bytes]) -> bytes:
    packer = Packer(pool, known)
    for name in sorted(files):
        packer.add(name, md5(files[name]), len(files[name]), partial(bytes, files[name]))
    return packer.finish()


def test_known_blocks_are_not_packed_again() -> None:
    def never() -> bytes:
        raise AssertionError("the content is asked for")

    with ThreadPoolExecutor(1) as pool:
        packer = Packer(pool, {("d",): gzip_bytes(b"content")})
        packer.add(b"name", "d", 7, never)
        assert dict((one.name, data) for one, data in parse_packdrake(packer.finish())) == {b"name": b"content"}


def test_blocks_are_bounded() -> None:
    files = {b"%04d" % number: bytes(100000) for number in range(100)}
    with ThreadPoolExecutor(2) as pool:
        blocks = parse_packdrake(_packed(pool, files, {})).blocks()
    assert len(blocks) >= 9


def test_folders_links_and_other_compressors() -> None:
    block = lzma.compress(b"onetwo")
    names = b"dir\nlink\ntarget\na\nb\n"
    entries = struct.pack(">8I", 0, len(block), 0, 3, 0, len(block), 3, 3)
    trailer = struct.pack(">4s4I40s4s", b"cz[0", 1, 1, 2, len(names), b"xz -d", b"0]cz")
    archive = parse_packdrake(block + names + entries + trailer)
    assert (archive.folders, archive.links, archive.uncompress) == ((b"dir",), {b"link": b"target"}, b"xz -d")
    assert {member.name: content for member, content in archive} == {b"a": b"one", b"b": b"two"}


ARCHIVE = (GOLDEN / "a-plain" / "media_info" / "hdlist.cz").read_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (ARCHIVE[:1000], "no valid trailer"),
        (ARCHIVE + b"x", "no valid trailer"),
        (ARCHIVE[:-60] + b"\xff" * 56 + b"0]cz", "no valid trailer"),
        (ARCHIVE[:-52] + struct.pack(">I", 43) + ARCHIVE[-48:], "names instead of 43"),
        (ARCHIVE[1000:], "outside of it"),
        (ARCHIVE[:100] + bytes(900) + ARCHIVE[1000:], "block at byte 0"),
        (render_packdrake([Block(gzip_bytes(b"short"), [(b"a", 50)])]), "a reaches out of its block"),
    ],
)
def test_bad_archives(data: bytes, message: str) -> None:
    with pytest.raises(ClusterError, match="^hdlist.cz: damaged packdrake archive: .*" + message):
        list(parse_packdrake(data))


def test_random_damage_of_hdlists() -> None:
    chance = random.Random(7)
    for _round in range(300):
        data = bytearray(ARCHIVE)
        for _time in range(chance.randint(1, 4)):
            at = chance.choice([chance.randrange(len(data)), len(data) - 1 - chance.randrange(800)])
            data[at] = chance.randrange(256)
        try:
            for one in parse_hdlist(bytes(data)):
                assert one.index
            list(parse_packdrake(bytes(data)))
        except ClusterError as error:
            assert error.message.startswith("hdlist.cz: ")


def test_a_member_that_is_no_header() -> None:
    with pytest.raises(ClusterError, match="no header where one should begin"):
        list(parse_hdlist(render_packdrake([Block(gzip_bytes(b"x" * 20), [(b"a", 20)])])))


# XML.

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20).map(str.encode)


@given(TEXTS, TEXTS, TEXTS, st.lists(st.tuples(st.integers(1, 1 << 31), TEXTS, TEXTS), max_size=3))
def test_any_xml_is_read_back(url: bytes, text: bytes, path: bytes, log: list[tuple[int, bytes, bytes]]) -> None:
    tags = samples.tags(
        "a", "1", "1", description=text, files=[b"/" + path.replace(b"/", b"").replace(b"\n", b"") or b"x"]
    )
    tags[1020] = (STRING, url)
    if log:
        tags[1080] = (4, [when for when, _who, _what in log])
        tags[1081] = (STRINGS, [who for _when, who, _what in log])
        tags[1082] = (I18N, [what for _when, _who, what in log])
    made = Header(samples.body(tags), "a")
    documents = {kind: render_xml([make(made, b"a-1-1.noarch")]) for kind, make in ELEMENTS.items()}
    (info,) = parse_xml(documents["info"])
    assert info.nvra == "a-1-1.noarch" and info.text == clean(text).decode()
    if not (b"'" in url and b'"' in url):
        assert info.attributes["url"] == clean(url).decode().replace("\n", " ").replace("\t", " ")
    (files,) = parse_xml(documents["files"])
    assert files.paths == tuple(clean(b"".join(tags[1118][1]) + b"".join(tags[1117][1])).decode().split("\n"))
    found = parse_xml(documents["changelog"])
    shown = [(when, clean(who).decode(), clean(what).decode()) for when, who, what in log]
    assert [change for entry in found for change in entry.changes] == shown
    for kind, document in documents.items():
        assert set(split_xml(document).values()) <= {ELEMENTS[kind](made, b"a-1-1.noarch")}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"plain", b"'plain'"),
        (b"it's", b'"it\'s"'),
        (b'a "b"', b"'a \"b\"'"),
        (b'it\'s "b"', b"\"it's ''b''\""),
        (b"a<b>&c", b"'a&lt;b&gt;&amp;c'"),
        (b"", b"''"),
    ],
)
def test_attributes(value: bytes, written: bytes) -> None:
    tags = {**samples.tags(), 1014: (STRING, value)}
    assert b" license=%s>" % written in ELEMENTS["info"](Header(samples.body(tags), "a"), b"a")


def test_old_encodings_and_control_characters() -> None:
    assert clean(b"caf\xe9 \x01\x1b[1m \xc3\xa9") == "caf\u00e9 ??[1m \u00c3\u00a9".encode()
    assert clean("\ufffe é".encode()) == "? é".encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no element"),
        (b"<media_info>", "no element found"),
        (b"<other/>", "it is a <other>"),
        (b"<media_info><info/></media_info>", "fn"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><media_info>&a;</media_info>', "document type"),
        (b"<media_info><changelogs fn='a'><log time='x'/></changelogs></media_info>", "invalid literal"),
        (b"\0\0", "invalid|not well-formed"),
    ],
)
def test_bad_xml(text: bytes, message: str) -> None:
    with pytest.raises(ClusterError, match="^info.xml: .*(%s)" % message):
        parse_xml(text)
