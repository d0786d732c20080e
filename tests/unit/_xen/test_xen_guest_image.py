# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of guests: the plan, the commands, what is refused; a disk and an archive for real from a small squashfs."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import cpio
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import guestimage as gi
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import guestinit
from ansible_collections.xtreemos.cluster.plugins.modules import xen_guest_image as module
from hypothesis import given
from hypothesis import strategies as st

SUMS = {key: {"sha256": hashlib.sha256(key.encode()).hexdigest()} for key in ("rootfs", "kernel", "stage1")}
MANIFEST = json.dumps({"version": "v1", "files": SUMS}).encode()
VERSION = {"/i/manifest.json": MANIFEST, "/i/vmlinuz": b"kernel", "/i/stage1.img": b"stage1"}
WANTED = gi.Wanted("/i", "/d")
DIGEST = gi.plan(WANTED, MemoryHost(VERSION)).digest


def test_the_second_archive_is_one_that_the_kernel_reads() -> None:
    members = cpio.parse(guestinit.archive())
    assert [(one.path, stat.S_IMODE(one.mode)) for one in members] == [("init", 0o755)]
    assert members[0].content.decode() == guestinit.INIT and stat.S_ISREG(members[0].mode)


@given(st.binary(max_size=50))
def test_it_begins_where_the_kernel_looks_for_it(stage1: bytes) -> None:
    made = guestinit.initramfs(stage1)
    at = len(made) - len(guestinit.archive())
    assert at % 4 == 0 and made.startswith(stage1) and made[len(stage1) : at].strip(b"\0") == b""


def test_the_last_init_wins() -> None:
    """As the kernel does it: one archive after the other into the same root."""
    stage1 = cpio.render([cpio.file("init", b"stage1"), cpio.file("bin-x", b"x")])
    made = guestinit.initramfs(stage1)
    found = {one.path: one.content for data in (made, made[len(stage1) :]) for one in cpio.parse(data)}
    assert found["init"].startswith(b"#!/bin/sh\n# pid 1 of a guest") and found["bin-x"] == b"x"
    assert guestinit.initramfs(gzip.compress(stage1))[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    ("files", "stale"),
    [
        ({}, True),
        ({gi.STAMP: json.dumps({"digest": DIGEST})}, True),
        ({gi.STAMP: json.dumps({"digest": DIGEST}), **dict.fromkeys(WANTED.files(), "x")}, False),
        ({gi.STAMP: json.dumps({"digest": "0"}), **dict.fromkeys(WANTED.files(), "x")}, True),
        ({gi.STAMP: "{", **dict.fromkeys(WANTED.files(), "x")}, True),
        ({gi.STAMP: "[]", **dict.fromkeys(WANTED.files(), "x")}, True),
    ],
)
def test_made_once(files: dict[str, str], stale: bool) -> None:
    host = MemoryHost({**VERSION, **{"/d/" + name: text.encode() for name, text in files.items()}})
    assert gi.plan(WANTED, host) == gi.Plan(DIGEST, "v1", stale)


@pytest.mark.parametrize(
    "other", [gi.Wanted("/i", "/d", ("disk",)), gi.Wanted("/i", "/d", size_mb=99), gi.Wanted("/i", "/d", label="x")]
)
def test_every_option_counts(other: gi.Wanted) -> None:
    assert gi.plan(other, MemoryHost(VERSION)).digest != DIGEST
    assert gi.plan(gi.Wanted("/i", "/elsewhere", ("disk", "archive")), MemoryHost(VERSION)).digest == DIGEST


@pytest.mark.parametrize("key", sorted(SUMS))
def test_every_part_of_the_version_counts(key: str) -> None:
    other = json.dumps({"version": "v1", "files": {**SUMS, key: {"sha256": "0" * 64}}}).encode()
    assert gi.plan(WANTED, MemoryHost({**VERSION, "/i/manifest.json": other})).digest != DIGEST


@pytest.mark.parametrize(
    ("wanted", "files", "words"),
    [
        (gi.Wanted("i", "/d"), {}, "'i' is no absolute path"),
        (gi.Wanted("/i", "/d/../e"), {}, "no absolute path"),
        (gi.Wanted("/i", "/d", ()), {}, "no kind of image"),
        (gi.Wanted("/i", "/d", size_mb=1), {}, "1 MB is too small"),
        (gi.Wanted("/i", "/d", label="my disk"), {}, "no label"),
        (gi.Wanted("/i", "/d", label=""), {}, "no label"),
        (WANTED, {}, "has no manifest.json"),
        (WANTED, {"/i/manifest.json": b"{}"}, "no manifest of an image"),
        (WANTED, {"/i/manifest.json": b"\xff"}, "no manifest of an image"),
        (WANTED, {"/i/manifest.json": b"[1]"}, "no manifest of an image"),
    ],
)
def test_what_cannot_be_made_is_refused(wanted: gi.Wanted, files: dict[str, bytes], words: str) -> None:
    host = MemoryHost(files)
    with pytest.raises(ClusterError, match=words):
        gi.plan(wanted, host)
    assert not host.ran


def test_commands_of_root_and_of_a_user() -> None:
    mine, users = gi.steps(WANTED, "/w", 0), gi.steps(WANTED, "/w", 1000)
    assert [argv[0] for argv in mine] == ["unsquashfs", "tar", "mkfs.ext4"]
    assert users == [["unshare", "--map-auto", "--map-root-user", *argv] for argv in mine]
    assert [argv[0] for argv in gi.steps(gi.Wanted("/i", "/d", ("disk",)), "/w", 0)] == ["unsquashfs", "mkfs.ext4"]
    assert mine[2][-2:] == ["/w/disk.img", "2048M"]


def test_a_missing_tool_and_a_missing_file_are_named() -> None:
    host = MemoryHost(VERSION)
    host.which = lambda program: None if program == "newuidmap" else "/bin/" + program  # type: ignore[assignment,method-assign,return-value]
    todo = gi.plan(WANTED, host)
    with pytest.raises(ClusterError, match="newuidmap is not installed.*uidmap"):
        gi.make(WANTED, todo, host, 1000)
    gi.make(WANTED, todo, host, 0)
    assert host.actions == gi.steps(WANTED, "/d/.building", 0)
    assert json.loads(host.files["/d/guest.json"]) == {"digest": DIGEST, "version": "v1"}
    del host.files["/i/vmlinuz"]
    with pytest.raises(ClusterError, match="lacks its kernel"):
        gi.make(WANTED, todo, host, 0)


def test_a_disk_that_is_too_small_says_so() -> None:
    told = "mkfs.ext4: Could not allocate block in ext2 filesystem while populating file system\n"
    host = MemoryHost(VERSION, {"mkfs.ext4": (1, "", told)})
    with pytest.raises(ClusterError, match=r"mkfs.ext4 failed: .*larger size_mb than 2048"):
        gi.make(WANTED, gi.plan(WANTED, host), host, 0)
    assert "/d/guest.json" not in host.files and host.ran[-1] == ["rm", "-rf", "/d/.building"]
    host = MemoryHost(VERSION, {"unsquashfs": (1, "", "no superblock")})
    with pytest.raises(ClusterError, match="unsquashfs failed: no superblock$"):
        gi.make(WANTED, gi.plan(WANTED, host), host, 0)


def ask(*argv: t.Any) -> str:
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=True).stdout


NEEDED = ("mksquashfs", "unsquashfs", "mkfs.ext4", "debugfs", "zstd")


@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs squashfs-tools, e2fsprogs and zstd")
def test_the_files_for_real(tmp_path: Path) -> None:
    tree, image, dest = tmp_path / "tree", tmp_path / "image", tmp_path / "dest"
    for name, mode in (("etc", 0o755), ("root", 0o700), ("dev", 0o755)):
        (tree / name).mkdir(parents=True)
        (tree / name).chmod(mode)
    (tree / "etc/secret").write_text("kept\n")
    (tree / "etc/secret").chmod(0o640)
    image.mkdir()
    ask("mksquashfs", tree, image / "rootfs.sqfs", "-quiet", "-no-progress", "-all-root")
    for name, content in VERSION.items():
        (image / Path(name).name).write_bytes(content)
    options = {**{key: spec.get("default") for key, spec in module.ARGUMENTS.items()}, "image": str(image)}
    options.update(dest=str(dest) + "/", size_mb=64)
    wanted = module.work(options, True, LocalHost())
    assert wanted["changed"] and not dest.exists()
    host = LocalHost()
    made = module.work(options, False, host)
    assert made["changed"] and host.actions == wanted["actions"] and made["files"] == wanted["files"]
    assert sorted(os.listdir(dest)) == sorted([".lock", gi.STAMP, *gi.Wanted("/i", "/d").files()])
    disk = made["files"]["disk"]
    assert ask("debugfs", "-R", "cat /etc/secret", disk) == "kept\n"
    assert "Mode:  0640" in ask("debugfs", "-R", "stat /etc/secret", disk)
    assert "-rw-r----- 0/0" in ask(
        "tar", "--list", "-v", "--numeric-owner", "-f", made["files"]["archive"], "./etc/secret"
    )
    assert os.path.getsize(disk) == 64 << 20 and os.stat(disk).st_blocks * 512 < 32 << 20
    assert (dest / "vmlinuz").read_bytes() == b"kernel"
    again = LocalHost()
    assert not module.work(options, False, again)["changed"] and not again.actions
    (dest / "disk.img").unlink()
    assert module.work(options, True, LocalHost())["changed"]
