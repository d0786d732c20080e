# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The indexed tar: names, links, content."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree, normal
from ansible_collections.xtreemos.cluster.tests.unit._image import samples
from hypothesis import given
from hypothesis import strategies as st

NODES = {
    "lib": edit.link("usr/lib"),
    "usr/lib/a.so": edit.text("A"),
    "usr/lib/b.so": edit.link("a.so"),
    "usr/lib/up": edit.link("../../etc"),
    "etc/abs": edit.link("/usr/lib/a.so"),
    "etc/loop1": edit.link("loop2"),
    "etc/loop2": edit.link("loop1"),
    "etc/dangling": edit.link("/nowhere"),
    "etc/x y": edit.text("blank"),
    "opt": edit.folder(0o700),
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "t.tar").write_bytes(edit.tar_bytes(NODES))
    return Tree(str(tmp_path / "t.tar"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("./a/b", "a/b"), ("/a//b/", "a/b"), (".", ""), ("/", ""), ("a/../b", "b"), ("../../x", "x"), ("a/./b", "a/b")],
)
def test_normal(text: str, wanted: str) -> None:
    assert normal(text) == wanted


@given(st.text(alphabet="ab./", max_size=12))
def test_normal_is_stable_and_never_leaves_the_tree(text: str) -> None:
    once = normal(text)
    assert normal(once) == once and not once.startswith("/") and ".." not in once.split("/")


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/lib/a.so", "usr/lib/a.so"),
        ("lib/b.so", "usr/lib/a.so"),
        ("lib/up/abs", "usr/lib/a.so"),
        ("etc/abs", "usr/lib/a.so"),
        ("etc/dangling", None),
        ("nothing", None),
        ("usr/lib/a.so/below", None),
        ("", ""),
    ],
)
def test_follow(tree: Tree, path: str, real: str | None) -> None:
    assert tree.follow(path) == real


def test_a_loop_of_links_is_an_error(tree: Tree) -> None:
    with pytest.raises(ClusterError, match="too many links at /etc/loop1"):
        tree.follow("etc/loop1")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/lib/new", "usr/lib/new"),
        ("/lib/b.so", "usr/lib/b.so"),
        ("/lib/up/new", "etc/new"),
        ("/srv/a/b", "srv/a/b"),
        ("top", "top"),
        ("/lib/modules/x/y", "usr/lib/modules/x/y"),
    ],
)
def test_place_follows_the_folders_only(tree: Tree, path: str, place: str) -> None:
    assert tree.place(path) == place


def test_reading(tree: Tree) -> None:
    assert tree.read("/lib/b.so") == b"A"
    assert tree.read("/etc/x y") == b"blank"
    assert tree.read("/opt") is None
    assert tree.read("/none") is None
    assert tree.entries["opt"].mode == 0o700


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("/lib/*.so", ["usr/lib/a.so", "usr/lib/b.so"]),
        ("/etc/x*", ["etc/x y"]),
        ("/lib", ["lib"]),
        ("/none/*", []),
        ("*.so", ["usr/lib/a.so", "usr/lib/b.so"]),
        ("/etc/[ad]*", ["etc/abs", "etc/dangling"]),
    ],
)
def test_glob(tree: Tree, pattern: str, names: list[str]) -> None:
    assert sorted(tree.glob(pattern)) == names


def test_listdir(tree: Tree) -> None:
    assert tree.listdir("lib") == ["a.so", "b.so", "up"]
    assert tree.listdir("none") == []
    assert tree.listdir("") == ["etc", "lib", "opt", "usr"]


def test_kinds_of_a_foreign_tar(tmp_path: Path) -> None:
    rows = []
    for name, kind in (("./f", tarfile.REGTYPE), ("./h", tarfile.LNKTYPE), ("./c", tarfile.CHRTYPE)):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "./f" if kind == tarfile.LNKTYPE else ""
        rows.append(info)
    (tmp_path / "t.tar").write_bytes(samples.tar_of(rows, {"./f": b"content"}))
    tree = Tree(str(tmp_path / "t.tar"))
    assert {name: entry.kind for name, entry in tree.entries.items()} == {"f": "file", "h": "hard", "c": "char"}
    assert tree.read("h") == b"content"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no tar at all" * 100, "cannot read the root tree"), (None, "cannot read the root tree .*t.tar")],
)
def test_what_is_no_tar(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "t.tar").write_bytes(content)
    with pytest.raises(ClusterError, match=message):
        Tree(str(tmp_path / "t.tar"))
