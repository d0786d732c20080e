# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""diskless_image_info: what is stored, and what sets two versions apart."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import manifest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.manifest import FileInfo, Manifest
from ansible_collections.xtreemos.cluster.plugins.modules.diskless_image_info import work

PACKAGES = {"a": "1", "b": "1"}


def store(root: Path, name: str, version: str, serial: int, packages: t.Mapping[str, str], size: int = 10) -> None:
    folder = root / name / version
    folder.mkdir(parents=True)
    files = {key: FileInfo(path, size, "0" * 63 + str(size % 10)) for key, path in manifest.FILES.items()}
    row = Manifest(name, version, serial, "2026-11-28T10:00:00Z", "d", "x86_64", "6.1", 320, files, packages)
    (folder / "manifest.json").write_text(manifest.render(row))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store(tmp_path, "node", "v2", 2, {"b": "2", "c": "1"}, 12)
    store(tmp_path, "node", "v1", 1, PACKAGES)
    store(tmp_path, "node", "v3", 3, PACKAGES)
    store(tmp_path, "other", "v1", 1, PACKAGES)
    (tmp_path / "node" / "current").symlink_to("v2")
    (tmp_path / ".lock-node").touch()
    (tmp_path / "node" / ".building-v4").mkdir()
    return tmp_path


def run(root: Path, **more: t.Any) -> dict[str, t.Any]:
    return work({"root": str(root), "names": [], "compare": None, **more})


def test_everything_is_listed_oldest_first(root: Path) -> None:
    found = run(root)
    assert not found["changed"] and "difference" not in found
    assert list(found["images"]) == ["node", "other"]
    assert found["images"]["node"]["current"] == "v2" and found["images"]["other"]["current"] == ""
    versions = found["images"]["node"]["versions"]
    assert [row["version"] for row in versions] == ["v1", "v2", "v3"]
    assert versions[0]["packages"] == 2 and versions[1]["files"]["rootfs"]["size"] == 12
    assert list(run(root, names=["other"])["images"]) == ["other"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["v1", "v2"], {"old": "v1", "new": "v2", "removed": {"a": "1"}, "changed": {"b": ["1", "2"]}}),
        (["previous", "current"], {"old": "v1", "new": "v2", "added": {"c": "1"}}),
        (["current", "v3"], {"old": "v2", "new": "v3", "added": {"a": "1"}, "removed": {"c": "1"}}),
        (["v1", "v3"], {"added": {}, "removed": {}, "changed": {}, "files": {}}),
    ],
)  # fmt: skip
def test_comparisons(root: Path, words: list[str], told: dict[str, t.Any]) -> None:
    found = run(root, names=["node"], compare=words)["difference"]
    assert {key: found[key] for key in told} == told
    if {"v2"} & {found["old"], found["new"]}:
        assert sorted(found["files"]) == sorted(manifest.FILES.values())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"names": ["nod"]}, "there is no image nod in"),
        ({"compare": ["v1", "v2"]}, "about one image, not 2"),
        ({"names": ["node"], "compare": ["v1"]}, "not 1"),
        ({"names": ["node"], "compare": ["v1", "v9"]}, "image node has no version v9"),
        ({"names": ["other"], "compare": ["previous", "current"]}, "image other has no version previous"),
    ],
)
def test_errors(root: Path, more: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        run(root, **more)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot read .*none"):
        run(tmp_path / "none")


def test_no_version_before_the_first(root: Path) -> None:
    (root / "node" / "current").unlink()
    (root / "node" / "current").symlink_to("v1")
    with pytest.raises(ClusterError, match="no version previous") as caught:
        run(root, names=["node"], compare=["previous", "current"])
    assert caught.value.hint == "there are: v1, v2, v3"
