# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of packages: nothing is read twice, nothing old is believed, nothing lost does harm."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo import memory
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import files, make_unit, package, packages, run, tree

UPDATES = "2.1/x86_64/media/main/updates"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A unit in updates, which was looked at once."""
    run(tree(tmp_path / "mirror"), **{"from": str(make_unit(tmp_path / "old")), "to": "main/updates"})
    publish(tmp_path, "first")
    return tmp_path / "mirror"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the packages of the tree that are opened."""
    found: list[str] = []
    plain = memory.read_package

    def read(path: str) -> t.Any:
        found.append(os.path.basename(path))
        return plain(path)

    monkeypatch.setattr(memory, "read_package", read)
    return found


def publish(top: Path, name: str, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    folder = package(top / ("in-" + name), name).parent
    return run(tree(top / "mirror"), check, **{"from": str(folder), "to": "main/updates", **more})


def store(mirror: Path) -> Path:
    return mirror / "2.1/.publish/packages.json"


def test_only_what_is_new_is_read(tmp_path: Path, mirror: Path, reads: list[str]) -> None:
    publish(tmp_path, "second")
    # The one that came last; links of noarch packages count once for each architecture.
    assert set(reads) == {"first-1-1.noarch.rpm"}
    reads.clear()
    publish(tmp_path, "third")
    assert set(reads) == {"second-1-1.noarch.rpm"}


def test_check_mode_writes_nothing_and_says_the_same(tmp_path: Path, mirror: Path) -> None:
    before = files(mirror, hidden=True)
    predicted = publish(tmp_path, "second", check=True)
    assert files(mirror, hidden=True) == before
    assert publish(tmp_path, "second") == predicted


@pytest.mark.parametrize("same_time", [True, False])
def test_a_package_that_was_changed_is_read_again(
    tmp_path: Path, mirror: Path, reads: list[str], same_time: bool
) -> None:
    """Also when size and time are those from before."""
    path = mirror / UPDATES / "foo-1-1.x86_64.rpm"
    marks = path.stat()
    path.write_bytes(path.read_bytes().replace(b"A package", b"B package"))
    if same_time:
        os.utime(path, ns=(marks.st_atime_ns, marks.st_mtime_ns))
    publish(tmp_path, "second")
    assert "foo-1-1.x86_64.rpm" in reads


def test_a_package_that_was_damaged_is_named(tmp_path: Path, mirror: Path) -> None:
    (mirror / UPDATES / "foo-1-1.x86_64.rpm").write_bytes(b"damaged")
    with pytest.raises(ClusterError, match="1 packages cannot be used: .*foo-1-1.x86_64.rpm: not an RPM package"):
        publish(tmp_path, "second")


ROW = ["foo-1-1.x86_64.rpm", 1, 2, 3, 4, "foo", "x86_64", 0, "1", "1", "foo-1-1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"format": 2, "folders": {}}',
        b'{"format": 1}',
        b'{"format": 1, "folders": []}',
        b'{"format": 1, "folders": {"x86_64/media/main/updates": 5}}',
        json.dumps({"format": 1, "folders": {UPDATES[4:]: [ROW[:-1]]}}).encode(),
        json.dumps({"format": 1, "folders": {UPDATES[4:]: [5, ROW]}}).encode(),
        json.dumps({"format": 1, "folders": {UPDATES[4:]: [[*ROW[:7], "x", *ROW[8:]]]}}).encode(),
        None,
    ],
)
def test_a_lost_memory_costs_time_only(tmp_path: Path, mirror: Path, content: bytes | None) -> None:
    store(mirror).unlink() if content is None else store(mirror).write_bytes(content)
    old = make_unit(tmp_path / "newer", "2")
    result = run(tree(mirror), **{"from": str(old), "to": "main/updates"})
    assert len(result["packages"]["foo-2-1"]["archived"]) == 7
    assert not run(tree(mirror), **{"from": str(old), "to": "main/updates"})["changed"]


def test_what_is_remembered_ends_the_same_way(tmp_path: Path) -> None:
    """A history with memory and one that forgets each time give the same tree."""
    found = []
    for forgets in (False, True):
        top = tmp_path / str(forgets)
        for version in ("1", "2", "3"):
            folder = make_unit(top / version, version)
            for path in folder.iterdir():
                os.utime(path, (1_700_000_000, 1_700_000_000))
            run(tree(top / "mirror"), **{"from": str(folder), "to": "main/testing"})
            run(tree(top / "mirror"), **{"from": "main/testing", "to": "main/updates"})
            if forgets:
                store(top / "mirror").unlink()
        run(tree(top / "mirror"), state="absent", to="main/updates", packages=["foo-3-1"])
        found.append(files(top / "mirror"))
        assert {path.split("/")[0] for path in packages(top / "mirror/2.1")} == {"archive"}
    assert found[0] == found[1]
