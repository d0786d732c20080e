# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions on disk: manifest, switching, carrying, and what a killed run leaves."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import manifest, plan, store
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.manifest import FileInfo, Manifest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.store import Store
from hypothesis import given
from hypothesis import strategies as st

FILES = {key: FileInfo(name, 5, hashlib.sha256(key[:5].encode()).hexdigest()) for key, name in manifest.FILES.items()}


def row(version: str = "v1", serial: int = 1, **more: t.Any) -> Manifest:
    files = {key: dataclasses.replace(info, size=len(key[:5])) for key, info in FILES.items()}
    return Manifest("node", version, serial, "2026-11-21T09:00:00Z", "d" * 64, "x86_64", "6.1", 320, files, **more)


def fill(folder: str, what: Manifest) -> None:
    for key, info in what.files.items():
        Path(folder, info.path).write_bytes(key[:5].encode())
    Path(folder, "manifest.json").write_text(manifest.render(what))


def add(place: Store, version: str, serial: int = 1) -> None:
    work = place.work(version)
    fill(work, row(version, serial))
    place.install(work, version)


@pytest.fixture
def place(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "images"), "node")


def test_manifest_round_trip() -> None:
    what = row(packages={"bash": "5.2"}, seconds=43.5)
    assert manifest.parse(manifest.render(what)) == what
    assert manifest.render(what).startswith("{\n") and '"format": 1' in manifest.render(what)


@given(st.text(), st.dictionaries(st.text(), st.text()), st.integers(0, 10**9))
def test_any_manifest_comes_back(text: str, packages: dict[str, str], size: int) -> None:
    files = {key: FileInfo(info.path, size, info.sha256) for key, info in FILES.items()}
    what = Manifest(text, text, size, text, text, text, text, size, files, packages)
    assert manifest.parse(manifest.render(what)) == what


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": 1', '"format": 2'),
        ('"format": 1', '"f": 1'),
        ('"rootfs.sqfs"', '"../rootfs.sqfs"'),
        ('"rootfs":', '"other":'),
        ('"serial": 1,', ""),
        ('"sha256": "', '"sha256": "x'),
        (
            "{",
            "[",
        ),
        ('"size": 5', '"size": "big"'),
    ],
)
def test_a_broken_manifest_names_its_file(old: str, new: str) -> None:
    with pytest.raises(ClusterError, match=r"/srv/manifest\.json (is no image manifest|has another format)"):
        manifest.parse(manifest.render(row()).replace(old, new, 1), "/srv/manifest.json")


@given(st.integers(0, 2**32), st.integers(0, 2**25), st.integers(0, 2**27))
def test_memory_needed_is_more_than_what_lies_in_it(root: int, stage1: int, unpacked: int) -> None:
    needed = manifest.ram_needed_mb(root, stage1, unpacked)
    assert needed % 64 == 0 and needed * 1048576 > root + stage1 + unpacked + 128 * 1048576


def test_a_version_appears_whole(place: Store) -> None:
    work = place.work("v1")
    fill(work, row())
    assert place.versions() == [] and place.manifest("v1") is None
    os.chmod(os.path.join(work, "vmlinuz"), 0o600)
    place.install(work, "v1")
    assert [found.version for found in place.versions()] == ["v1"]
    assert os.stat(os.path.join(place.path("v1"), "vmlinuz")).st_mode & 0o777 == 0o644
    place.check_sizes(row())
    place.check_digests(row())


def test_current_is_switched_and_dangling_is_none(place: Store) -> None:
    add(place, "v1")
    assert place.current() is None
    place.activate("v1")
    place.activate("v1")
    assert place.current() == "v1" and os.readlink(os.path.join(place.folder, "current")) == "v1"
    place.remove("v1")
    assert place.current() is None
    assert os.listdir(place.folder) == ["current"]


def test_versions_are_in_order_of_creation(place: Store) -> None:
    for version, serial in (("zz", 1), ("aa", 3), ("mm", 2)):
        add(place, version, serial)
    Path(place.folder, "notes").mkdir()
    Path(place.folder, "readme.txt").write_text("")
    assert [found.version for found in place.versions()] == ["zz", "mm", "aa"]


def test_what_a_killed_run_left_is_swept(place: Store) -> None:
    add(place, "v1")
    for name in (".building-v2", ".incoming-x", ".removed-v0"):
        os.makedirs(os.path.join(place.folder, name, "deep"))
    assert [found.version for found in place.versions()] == ["v1"]
    place.sweep()
    assert os.listdir(place.folder) == ["v1"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: os.unlink(folder + "/vmlinuz"), "vmlinuz is missing"),
        (lambda folder: Path(folder, "rootfs.sqfs").write_bytes(b"12"), "rootfs.sqfs has 2 bytes instead of 5"),
    ],
)
def test_damage_is_named(place: Store, damage: t.Callable[[str], object], message: str) -> None:
    add(place, "v1")
    damage(place.path("v1"))
    with pytest.raises(ClusterError, match=message):
        place.check_sizes(row())
    with pytest.raises(ClusterError, match="does not match the manifest"):
        place.check_digests(row())


def test_the_same_size_is_not_enough_to_switch(place: Store) -> None:
    add(place, "v1")
    Path(place.path("v1"), "rootfs.sqfs").write_bytes(b"ROOTF")
    place.check_sizes(row())
    with pytest.raises(ClusterError, match=r"rootfs\.sqfs does not match the manifest"):
        place.check_digests(row())


def test_one_writer_at_a_time(place: Store) -> None:
    with place.lock(), pytest.raises(ClusterError, match="locked by another run"), place.lock(0.1):
        pass


@pytest.mark.parametrize(("number", "hint"), [(28, "free space on that file system"), (13, "")])
def test_errors_of_the_disk(number: int, hint: str) -> None:
    with pytest.raises(ClusterError, match="cannot write /x: ") as caught, store.disk_errors("/x"):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint == hint


def carried(tmp_path: Path, place: Store) -> str:
    add(place, "v1")
    archive = str(tmp_path / "spool" / "v1.tar")
    store.pack(place, "v1", archive)
    return archive


def test_carry_a_version_over(tmp_path: Path, place: Store) -> None:
    other = Store(str(tmp_path / "served"), "node")
    taken = store.unpack(other, carried(tmp_path, place))
    assert taken == row()
    assert sorted(os.listdir(other.folder)) == ["v1"]
    other.check_digests(taken)


def archive_of(path: str, files: dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def good(version: str = "v1") -> dict[str, bytes]:
    files = {info.path: key[:5].encode() for key, info in FILES.items()}
    return {**files, "manifest.json": manifest.render(row(version)).encode()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({**good(), "vmlinuz": b"wrong"}, "vmlinuz does not match the manifest"),
        (
            {name: data for name, data in good().items() if name != "stage1.img"},
            "stage1.img does not match the manifest",
        ),
        (
            {name: data for name, data in good().items() if name != "manifest.json"},
            "holds no image: .*manifest.json is missing",
        ),
        ({**good(), "../evil": b""}, "holds '../evil', which is no file of an image"),
        ({**good(), "/etc/passwd": b""}, "which is no file of an image"),
        ({**good(), ".hidden": b""}, "which is no file of an image"),
        (
            {**good(), "manifest.json": good()["manifest.json"].replace(b'"node"', b'"other"')},
            "holds image other, not node",
        ),
        ({**good(), "manifest.json": b"{}"}, "is no image manifest"),
        (None, "cannot read .*a.tar"),
    ],
)
def test_a_bad_archive_leaves_nothing(
    tmp_path: Path, place: Store, files: dict[str, bytes] | None, message: str
) -> None:
    path = str(tmp_path / "a.tar")
    if files is None:
        Path(path).write_bytes(b"half a copy" * 200)
    else:
        archive_of(path, files)
    with pytest.raises(ClusterError, match=message):
        store.unpack(place, path)
    assert os.listdir(place.folder) == []


V = [row("v%d" % number, number) for number in range(1, 5)]


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        (lambda: plan.present([], "", "d" * 64, 7), plan.Plan("d" * 12, True, "d" * 12)),
        (lambda: plan.present([], "x", "d" * 64, 7), plan.Plan("x", True, "x")),
        (lambda: plan.present(V, "v4", "d" * 64, 7), plan.Plan("v4", False, "v4")),
        (lambda: plan.present(V, "v1", "d" * 64, 2), plan.Plan("v1", False, "v1", ("v2",))),
        (lambda: plan.present(V, "v9", "d" * 64, 2), plan.Plan("v9", True, "v9", ("v1", "v2", "v3"))),
        (lambda: plan.present(V, "v9", "d" * 64, 1), plan.Plan("v9", True, "v9", ("v1", "v2", "v3", "v4"))),
        (lambda: plan.current(V, "node", ""), plan.Plan("v4", False, "v4")),
        (lambda: plan.current(V, "node", "v2"), plan.Plan("v2", False, "v2")),
        (lambda: plan.rolled_back(V, "node", ""), plan.Plan("v3", False, "v3")),
        (lambda: plan.rolled_back(V, "node", "v1"), plan.Plan("v1", False, "v1")),
        (lambda: plan.absent(V, "v1", "v4"), plan.Plan("v1", False, "v4", ("v1",))),
        (lambda: plan.absent(V, "v9", "v4"), plan.Plan("v9", False, "v4")),
        (lambda: plan.absent(V, "", "v4"), plan.Plan("", False, None, ("v1", "v2", "v3", "v4"))),
    ],
)
def test_plans(what: t.Callable[[], plan.Plan], wanted: plan.Plan) -> None:
    assert what() == wanted


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: plan.present(V, "v1", "e" * 64, 7), "version v1 was built from another input"),
        (lambda: plan.current([], "node", ""), "image node has no version .*build one"),
        (lambda: plan.current(V, "node", "v9"), "image node has no version v9 .*there are: v1, v2, v3, v4"),
        (lambda: plan.rolled_back(V[:1], "node", ""), "no older version to roll back to"),
        (lambda: plan.rolled_back([], "node", ""), "no older version to roll back to"),
        (lambda: plan.absent(V, "v4", "v4"), "version v4 is current: nodes boot it"),
    ],
)
def test_refused_plans(what: t.Callable[[], plan.Plan], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        what()


@given(st.lists(st.text("ab", min_size=1), unique=True), st.integers(1, 9), st.data())
def test_pruning_settles_at_once(names: list[str], keep: int, data: st.DataObject) -> None:
    spare = data.draw(st.sampled_from(names)) if names else ""
    gone = plan.prune(names, keep, spare)
    left = [name for name in names if name not in gone]
    assert plan.prune(left, keep, spare) in ((), gone[:0]) or len(left) > keep
    assert spare in left or not names
    assert len(left) <= max(keep, 1) + 1
    assert next(iter([]), plan.next_serial(V)) == 5 and plan.next_serial([]) == 1
