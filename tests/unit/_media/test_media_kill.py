# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the whole job that are killed, or that find the disk full: with rpm-md, of a tree, as the module does it."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media import job, switch
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum
from ansible_collections.xtreemos.cluster.plugins.modules import hdlist
from ansible_collections.xtreemos.cluster.tests.unit._media import samples
from ansible_collections.xtreemos.cluster.tests.unit.killing import die_at

ALSO = {"exchange": switch}
REPO = "{http://linux.duke.edu/metadata/repo}"


def run(path: Path, **options: t.Any) -> dict[str, t.Any]:
    fixed = {name: rule.get("default") for name, rule in hdlist.ARGUMENTS.items()}
    return job.run_job({**fixed, "path": str(path), **options}, False, LocalHost())


def fits(folder: Path) -> set[str]:
    """The packages of a medium, as clients of both kinds see it; every digest has to be right."""
    files = folder / "media_info"
    for name, digest in parse_md5sum((files / "MD5SUM").read_bytes()).items():
        assert md5((files / name).read_bytes()) == digest, name
    names = {nvra.decode() + ".rpm" for nvra in samples.records(files)}
    if (folder / "repodata").is_dir():
        for data in ET.fromstring((folder / "repodata/repomd.xml").read_bytes()).iter(REPO + "data"):
            location, checksum = data.find(REPO + "location"), data.find(REPO + "checksum")
            assert location is not None and checksum is not None
            content = (folder / location.attrib["href"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == checksum.text
    return names


def seen(root: Path) -> dict[str, bytes]:
    """What clients can reach, apart from packages."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".rpm" and "/." not in "/" + str(path.relative_to(root))
    }


def killed_everywhere(
    tmp_path: Path,
    before: Path,
    change: t.Callable[[Path], t.Any],
    check: t.Callable[[Path], t.Any],
    stride: int = 1,
    **options: t.Any,
) -> int:
    """Kill the run that follows ``change`` at its changes of the disk, each ``stride``-th; the number of them."""
    whole = tmp_path / "whole"
    shutil.copytree(before, whole, symlinks=True)
    change(whole)
    run(whole, **options)
    wanted, step, killed = seen(whole), 1 - stride, True
    while killed:
        step += stride
        now = tmp_path / "now"
        shutil.copytree(before, now, symlinks=True)
        change(now)
        killed = die_at(step, functools.partial(run, now, **options), also=ALSO)
        check(now)
        run(now, **options)
        assert seen(now) == wanted, step
        assert not [path for path in now.rglob("*.new.*") if path.is_file()], step
        assert not run(now, **options)["changed"]
        shutil.rmtree(now)
    return step


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


def touch_all(folder: Path) -> None:
    """The times of the packages tell nothing of the moment of the test."""
    for path in folder.rglob("*.rpm"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.mark.usefixtures("quick")
def test_rpm_md_and_media_files_of_killed_runs(tmp_path: Path) -> None:
    if not shutil.which("createrepo_c"):
        pytest.fail("createrepo_c is missing: make packages-test")
    before = samples.medium(tmp_path / "before", names=["a-simple", "a-epoch-"])
    touch_all(before)
    run(before, repodata=True, xml_info=False)
    extra = samples.medium(tmp_path / "extra", names=["a-config"])
    touch_all(extra)
    found: set[int] = set()

    def change(folder: Path) -> None:
        for path in extra.glob("*.rpm"):
            shutil.copy2(path, folder)

    options = {"repodata": True, "xml_info": False}
    steps = killed_everywhere(tmp_path, before, change, lambda folder: found.add(len(fits(folder))), **options)
    assert steps > 20 and found == {2, 3}


@pytest.mark.usefixtures("quick")
def test_killed_runs_over_a_tree(tmp_path: Path) -> None:
    """Each medium fits in itself; what stands above is right again after the next run."""
    before = samples.tree(tmp_path / "before")
    touch_all(before)
    run(before, distrib=True, xml_info=False)
    found: set[tuple[int, ...]] = set()

    def change(root: Path) -> None:
        for folder in (root / "media").rglob("a-*.rpm"):
            if folder.parent.name == "release" and folder.name.startswith("a-simple"):
                folder.unlink()
        extra = samples.medium(root / "media/main/updates", names=["a-arch"])
        touch_all(extra)

    def check(root: Path) -> None:
        found.add(tuple(len(fits(path)) for path in places(root)))

    def places(root: Path) -> list[Path]:
        return sorted(path.parent for path in (root / "media").rglob("media_info") if path.parent.name != "media")

    assert len(places(before)) >= 4
    steps = killed_everywhere(tmp_path, before, change, check, 5, distrib=True, xml_info=False)
    assert steps > 20 and len(found) >= 2


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("may not mount")
    try:
        samples.medium(place, names=["a-simple", "a-epoch-"])
        run(place)
        before = seen(place)
        samples.medium(place, names=["a-config"])
        with (place / "filler").open("wb", buffering=0) as stream, pytest.raises(OSError):
            while True:
                stream.write(b"x" * 4096)
        before["filler"] = (place / "filler").read_bytes()
        with pytest.raises(
            ClusterError, match="cannot write .*No space left on device .free space on that file system"
        ):
            run(place)
        assert seen(place) == before and len(fits(place)) == 2
        (place / "filler").unlink()
        assert run(place)["changed"] and len(fits(place)) == 3
    finally:
        subprocess.run(["umount", str(place)], check=True)
