# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edited trees: what is dropped, what is put, what stays byte for byte."""

from __future__ import annotations

import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree
from ansible_collections.xtreemos.cluster.tests.unit._image import samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def edited(tmp_path: Path, nodes: t.Mapping[str, edit.Node], what: edit.Edit) -> Tree:
    (tmp_path / "in.tar").write_bytes(edit.tar_bytes(nodes))
    with Tree(str(tmp_path / "in.tar")) as tree:
        edit.write_tar(tree, what, str(tmp_path / "out.tar"))
    return Tree(str(tmp_path / "out.tar"))


SAMPLE = {"lib": edit.link("usr/lib"), "usr/lib": edit.folder(), "etc/a": edit.text("a"), "etc/b": edit.text("b" * 700)}


def test_nothing_changes_without_an_edit(tmp_path: Path) -> None:
    result = edited(tmp_path, SAMPLE, edit.Edit())
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "in.tar").read_bytes()
    assert list(result.entries) == sorted(SAMPLE)


def test_put_replaces_follows_links_and_makes_parents(tmp_path: Path) -> None:
    put = {
        "/etc/a": edit.text("new", 0o600),
        "/lib/x/y": edit.text("y"),
        "/l": edit.link("/etc/a"),
        "/d": edit.folder(0o700),
    }
    result = edited(tmp_path, SAMPLE, edit.Edit(put=put))
    assert result.read("etc/a") == b"new"
    assert result.entries["etc/a"].mode == 0o600
    assert result.read("usr/lib/x/y") == b"y"
    assert result.entries["usr/lib/x"].kind == "dir"
    assert result.entries["l"].target == "/etc/a"
    assert result.entries["d"].mode == 0o700
    assert result.read("etc/b") == b"b" * 700


def test_put_is_owned_by_root(tmp_path: Path) -> None:
    edited(tmp_path, {}, edit.Edit(put={"a": edit.text("a")})).close()
    with tarfile.open(tmp_path / "out.tar") as archive:
        info = archive.getmember("./a")
    assert (info.uid, info.gid, info.uname) == (0, 0, "root")


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["/etc"], ["lib", "usr/lib"]),
        (["/etc/*"], ["etc", "lib", "usr/lib"]),
        (["/etc/a", "/none"], ["etc", "etc/b", "lib", "usr/lib"]),
        (["/lib/*"], ["etc", "etc/a", "etc/b", "lib", "usr/lib"]),
        ([], ["etc", "etc/a", "etc/b", "lib", "usr/lib"]),
    ],
)
def test_removals(tmp_path: Path, patterns: list[str], left: list[str]) -> None:
    nodes = {**SAMPLE, "etc": edit.folder()}
    (tmp_path / "t.tar").write_bytes(edit.tar_bytes(nodes))
    drop = edit.removals(Tree(str(tmp_path / "t.tar")), patterns)
    assert sorted(edited(tmp_path, nodes, edit.Edit(drop)).entries) == left


def hard_links(tmp_path: Path) -> Tree:
    rows = [tarfile.TarInfo(name) for name in ("./first", "./second", "./third", "./z")]
    for row in rows[1:3]:
        row.type, row.linkname = tarfile.LNKTYPE, "./first"
    rows[0].mode = 0o755
    (tmp_path / "in.tar").write_bytes(samples.tar_of(rows, {"./first": b"shared", "./z": b"z"}))
    return Tree(str(tmp_path / "in.tar"))


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        ({"first"}, {"second": "file", "third": "hard", "z": "file"}),
        ({"first", "second"}, {"third": "file", "z": "file"}),
        ({"second"}, {"first": "file", "third": "hard", "z": "file"}),
        ({"first", "second", "third"}, {"z": "file"}),
    ],
)
def test_hard_links_outlive_their_first_name(tmp_path: Path, drop: set[str], left: dict[str, str]) -> None:
    with hard_links(tmp_path) as tree:
        edit.write_tar(tree, edit.Edit(frozenset(drop)), str(tmp_path / "out.tar"))
    result = Tree(str(tmp_path / "out.tar"))
    assert {name: entry.kind for name, entry in result.entries.items()} == left
    assert {result.read(name) for name in left if name != "z"} <= {b"shared"}
    assert result.read("z") == b"z"


NAMES = st.text(alphabet="abc", min_size=1, max_size=3)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(PATHS, st.binary(max_size=1500), max_size=6)


def consistent(files: t.Mapping[str, bytes]) -> dict[str, bytes]:
    """No file is the folder of another one."""
    return {name: data for name, data in files.items() if not any(other.startswith(name + "/") for other in files)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES.map(consistent), put=st.binary(max_size=600), data=st.data())
def test_edits_do_what_a_dict_does(tmp_path: Path, files: dict[str, bytes], put: bytes, data: st.DataObject) -> None:
    drop = data.draw(st.sets(st.sampled_from(sorted(files)))) if files else set()
    result = edited(
        tmp_path,
        {name: edit.Node(body) for name, body in files.items()},
        edit.Edit(frozenset(drop), {"zz": edit.Node(put)}),
    )
    wanted = {name: body for name, body in files.items() if name not in drop}
    assert {name: result.read(name) for name in result.entries} == {**wanted, "zz": put}
