# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that is read of an image, given damage: a reading or one ClusterError, never a traceback or a hang."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import re
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot import profile
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import (
    aptconf,
    cpio,
    dpkg,
    kernel,
    manifest,
    modules,
    pyclosure,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.manifest import FileInfo, Manifest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.store import Store
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import disk, probe
from hypothesis import given, settings
from hypothesis import strategies as st

SHA = "0123456789abcdef" * 4
FILES = {key: FileInfo(name, 5, SHA) for key, name in manifest.FILES.items()}


def row(**changes: t.Any) -> Manifest:
    base: dict[str, t.Any] = dict(
        name="node", version="v1", serial=1, created="2026-11-28T12:00:00Z", input_digest=SHA, arch="amd64",
        kernel_version="6.1", ram_needed_mb=512, files=FILES,
    )  # fmt: skip
    return Manifest(**{**base, **changes})


# Manifests: written by one room, read by two others


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,12}", fullmatch=True),
    st.integers(1, 1 << 40),
    st.integers(0, 1 << 20),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)
def test_the_boot_server_reads_what_the_builder_wrote(name: str, size: int, ram: int, sha256: str) -> None:
    files = {**FILES, "rootfs": FileInfo("rootfs.sqfs", size, sha256)}
    text = manifest.render(row(name=name, version=name, ram_needed_mb=ram, files=files))
    read = profile.parse_manifest(text.encode(), "m", "%s/%s" % (name, name))
    assert (read.name, read.version, read.sha256, read.size, read.ram_needed_mb) == (name, name, sha256, size, ram)
    assert (read.kernel, read.rootfs) == ("%s/%s/vmlinuz" % (name, name), "%s/%s/rootfs.sqfs" % (name, name))
    assert manifest.parse(text) == row(name=name, version=name, ram_needed_mb=ram, files=files)


DAMAGE: list[t.Callable[[dict[str, t.Any]], object]] = [
    lambda m: m.update(format=2),
    lambda m: m.update(format="1"),
    lambda m: m["files"].pop("rootfs"),
    lambda m: m["files"]["rootfs"].pop("sha256"),
    lambda m: m["files"]["rootfs"].update(sha256=SHA + "\n"),
    lambda m: m["files"]["rootfs"].update(sha256=SHA.upper()),
    lambda m: m["files"]["rootfs"].update(path="../x"),
    lambda m: m["files"]["rootfs"].update(size=-1),
    lambda m: m["files"]["rootfs"].update(size=float("inf")),
    lambda m: m["files"]["rootfs"].update(size=None),
    lambda m: m["files"]["rootfs"].update(size="5x"),
    lambda m: m.update(files=[]),
    lambda m: m.update(ram_needed_mb="much"),
    lambda m: m.pop("name"),
]
ONLY_BUILDER: list[t.Callable[[dict[str, t.Any]], object]] = [
    lambda m: m.update(serial="1"),
    lambda m: m.update(serial=None),
    lambda m: m.update(seconds="fast"),
    lambda m: m.update(version=7),
    lambda m: m.update(init=[]),
    lambda m: m.update(packages=["bash"]),
    lambda m: m.update(firmware_missing={}),
    lambda m: m.pop("serial"),
]


def damaged(change: t.Callable[[dict[str, t.Any]], object]) -> str:
    data = json.loads(manifest.render(row()))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize("change", [*DAMAGE, *ONLY_BUILDER])
def test_a_damaged_manifest_is_one_error_of_the_builder(change: t.Callable[[dict[str, t.Any]], object]) -> None:
    with pytest.raises(ClusterError, match=r"^/m (is no image manifest|has another format)") as caught:
        manifest.parse(damaged(change), "/m")
    assert caught.value.hint


@pytest.mark.parametrize("change", DAMAGE)
def test_a_damaged_manifest_is_one_error_of_the_boot_server(change: t.Callable[[dict[str, t.Any]], object]) -> None:
    with pytest.raises(ClusterError, match=r"^/m") as caught:
        profile.parse_manifest(damaged(change).encode(), "/m", "node/v1")
    assert caught.value.hint


NOISE = [b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe{}", b"[" * 20_000, b'{"format": 1}', b'{"a":' * 20_000]


@pytest.mark.parametrize("raw", NOISE)
def test_noise_is_no_manifest(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(ClusterError, match="^m "):
        profile.parse_manifest(raw, "m", "node/v1")
    store = Store(str(tmp_path), "node")
    (tmp_path / "node" / "v1").mkdir(parents=True)
    (tmp_path / "node" / "v1" / "manifest.json").write_bytes(raw)
    with pytest.raises(ClusterError, match="manifest.json is no image manifest") as caught:
        store.versions()
    assert caught.value.hint == "remove that version and build it again"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["format", "files", "rootfs", "kernel", "stage1", "path", "size", "sha256", "name"]), x
            )
        ),
    )
)
@settings(max_examples=150)
def test_any_json_is_a_manifest_or_one_error(data: t.Any) -> None:
    text = json.dumps(data)
    for read in (lambda: manifest.parse(text), lambda: profile.parse_manifest(text.encode(), "m", "a/b")):
        with pytest.raises(ClusterError):
            t.cast("t.Callable[[], object]", read)()


@pytest.mark.parametrize("raw", NOISE)
def test_noise_in_the_notes_of_the_lab_means_to_make_it_anew(raw: bytes) -> None:
    one = disk.Disk("/s/head", "bookworm", ("a",), {})
    assert disk.is_current(one, MemoryHost({one.stamp: raw})) is False
    assert probe._remembered(MemoryHost({"/s/accel": raw}), "/s/accel", ["k"]) is None


# Archives


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, body in (("./etc/passwd", b"root:x:0:0\n"), ("./usr/lib/" + "x" * 120, b"long"), ("./b", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        link = tarfile.TarInfo("./lib")
        link.type, link.linkname = tarfile.SYMTYPE, "usr/lib"
        archive.addfile(link)
    return out.getvalue()


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(tar()) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, len(tar())),
)
def test_a_damaged_tree_is_a_reading_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], cut: int
) -> None:
    raw = bytearray(tar())
    for place, value in flips:
        raw[place] = value
    path = tmp_path_factory.getbasetemp() / "fuzz.tar"
    path.write_bytes(raw[:cut] if cut % 3 == 0 else raw)
    try:
        tree = Tree(str(path))
    except ClusterError as error:
        assert str(path) in str(error)
        return
    for name in list(tree.entries):
        tree.read(name)
        tree.listdir(name)
        tree.follow(name)
    tree.close()


MEMBERS = [cpio.file("bin/sh", b"#!"), cpio.directory("dev"), cpio.symlink("init", "bin/sh"), cpio.file("e", b"")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.sampled_from(b"-+ _0f9xF\0\xff")), max_size=4), st.integers(0, 900))
def test_a_damaged_initramfs_is_a_reading_or_one_error(flips: list[tuple[int, int]], cut: int) -> None:
    raw = bytearray(cpio.render(MEMBERS))
    for place, value in flips:
        raw[place % len(raw)] = value
    try:
        cpio.parse(bytes(raw[:cut]) if cut % 2 else bytes(raw))
    except ClusterError as error:
        assert str(error)


@pytest.mark.parametrize(
    "number", [b"-0000001", b"+0000001", b"0x000001", b"00_00001", b"       1", b"\0\0\0\0\0\0\0\0"]
)
@pytest.mark.parametrize("place", [6 + 8 * 6, 6 + 8 * 11])
def test_a_number_with_a_sign_is_no_number(number: bytes, place: int) -> None:
    raw = bytearray(cpio.render(MEMBERS))
    raw[place : place + 8] = number
    with pytest.raises(ClusterError, match="bad number in the newc header at byte 0"):
        cpio.parse(bytes(raw))


# Kernel modules


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
@given(st.binary(max_size=60), st.integers(0, 60))
def test_modules_come_back_or_are_named(suffix: str, body: bytes, cut: int) -> None:
    packed = lzma.compress(body) if suffix == ".xz" else gzip.compress(body)
    assert modules.unpack("kernel/a.ko" + suffix, packed, lambda data: data) == body
    for bad in (packed[:cut], b"\x00" + packed, packed[:-1]):
        try:
            assert modules.unpack("kernel/a.ko" + suffix, bad, lambda data: data) in (body, b"")
        except ClusterError as error:
            assert str(error).startswith("module kernel/a.ko%s in the image is damaged" % suffix)
    assert modules.unpack("kernel/a.ko", packed, lambda data: data) == packed
    assert modules.unpack("kernel/a.ko.zst", packed, lambda data: b"z" + data) == b"z" + packed


@given(st.text(max_size=200))
def test_any_list_of_modules(text: str) -> None:
    try:
        deps = modules.parse_dep(text)
        assert len(deps) <= len(text.splitlines())
    except ClusterError as error:
        assert re.match(r"modules\.dep line \d+ has no colon", str(error))
    assert all(len(pair) == 2 and "-" not in pair[1] for pair in modules.parse_alias(text))
    assert kernel.unpacks(text.encode("utf-8", "surrogatepass")) in (("zstd", "gzip"), ("gzip",))


WORD = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)


@given(st.dictionaries(WORD, st.lists(WORD, max_size=3), max_size=6), st.lists(st.tuples(WORD, WORD), max_size=5))
def test_lists_of_modules_round_trip(names: dict[str, list[str]], aliases: list[tuple[str, str]]) -> None:
    deps = {"kernel/%s.ko" % name: tuple("kernel/%s.ko" % need for need in needs) for name, needs in names.items()}
    index = modules.Index("6.1", deps, tuple(aliases))
    assert modules.parse_dep(modules.render_dep(index, deps)) == deps
    kept = modules.parse_alias(modules.render_alias(index, deps))
    assert kept == tuple((pattern, module) for pattern, module in aliases if module in names)


# What dpkg and apt say


@given(st.text(max_size=300))
def test_any_text_is_a_list_of_packages(text: str) -> None:
    assert all(package.name for package in dpkg.parse_status(text))
    assert all(isinstance(target.uri, str) for target in aptconf.parse_targets(text))
    assert re.fullmatch(r"[a-z0-9-]*", aptconf.os_suite(text.encode("utf-8", "replace")))
    aptconf.settings(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("Status: install ok installed\n", []),
        ("Package: \nStatus: install ok installed\n", []),
        ("Package: a\nStatus: deinstall ok config-files\n", []),
        ("Package: a\nStatus: install ok half-installed\n", []),
        ("Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: hold ok installed\n", ["a", "b"]),
        ("Package: a\nStatus: install ok installed\nDescription: x\n Package: z\n", ["a"]),
    ],
)
def test_installed_packages(text: str, names: list[str]) -> None:
    assert [package.name for package in dpkg.parse_status(text)] == names


@given(st.dictionaries(WORD, WORD, max_size=5))
def test_packages_come_back(wanted: dict[str, str]) -> None:
    text = "\n\n".join("Package: %s\nStatus: install ok installed\nVersion: %s" % pair for pair in wanted.items())
    assert dpkg.versions(dpkg.parse_status(text)) == dict(sorted(wanted.items()))


# Python sources of any age


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\n", {"os"}),
        ("import os\0\n", set()),
        ("from a import b\n", {"a", "a.b"}),
        ("match x:\n  case 1: pass\nimport os\n", {"os"}),
        ("print 'old'\nimport os\nfrom a import (\n  b)\n", {"os", "a"}),
        ("(" * 3000 + "\nimport os\n", {"os"}),
        ("def f():\n  import late\nprint 'x'\nimport os\n", {"os"}),
    ],
)
def test_imports_of_sources_that_this_python_cannot_read(tmp_path: Path, source: str, found: set[str]) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("usr/lib/python3.11/m.py")
        info.size = len(source)
        archive.addfile(info, io.BytesIO(source.encode()))
    tree = Tree(str(path))
    names = pyclosure.Closure(tree, "3.11")._imports_of("m", "usr/lib/python3.11/m.py", False)
    tree.close()
    assert names - {"a.x"} == found


@settings(max_examples=150, deadline=None)
@given(st.text("import fromd ef():.,*\n\t x\0\\'\"", max_size=80))
def test_any_source_gives_names(source: str) -> None:
    assert all(isinstance(name, str) for name in pyclosure.plain_imports(source))
