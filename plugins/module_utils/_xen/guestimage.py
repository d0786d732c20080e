# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of guests, a root tar archive and a disk, out of a version of a diskless image. Private to the collection.

The version is a folder with ``rootfs.sqfs``, ``vmlinuz``, ``stage1.img`` and ``manifest.json`` (module diskless_image).
Works as root, and as a user with a range in /etc/subuid. File capabilities are not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.files import sync_file
from .._host.host import File, Host
from . import guestinit

# Part of the digest: raise it when the way of making changes.
RECIPE = 1
ARCHIVE, DISK, KERNEL, INITRD, STAMP = "root.tar.zst", "disk.img", "vmlinuz", "initrd.img", "guest.json"
KINDS = {"archive": ARCHIVE, "disk": DISK}
_AS_ROOT = ("unshare", "--map-auto", "--map-root-user")
_PARTS = {"rootfs": "rootfs.sqfs", "kernel": "vmlinuz", "stage1": "stage1.img"}
_TOOLS = {
    "unsquashfs": "squashfs-tools", "mkfs.ext4": "e2fsprogs", "tar": "tar", "zstd": "zstd", "unshare": "util-linux",
    "newuidmap": "uidmap",
}  # fmt: skip
SMALLEST_MB = 64


@dataclass(frozen=True)
class Wanted:
    """What to make of ``image`` in ``dest``; sizes in MiB."""

    image: str
    dest: str
    kinds: tuple[str, ...] = ("archive", "disk")
    size_mb: int = 2048
    label: str = "root"

    def files(self) -> list[str]:
        """Names that are there when all is made."""
        return [KERNEL, INITRD, *(KINDS[kind] for kind in sorted(self.kinds))]


@dataclass(frozen=True)
class Plan:
    """``digest`` of everything that goes in; ``stale`` whether it has to be made; ``version`` of the image."""

    digest: str
    version: str
    stale: bool


def check(wanted: Wanted) -> None:
    """ClusterError for what cannot be made, before anything is read."""
    for path in (wanted.image, wanted.dest):
        if not path.startswith("/") or ".." in path.split("/"):
            raise ClusterError("%r is no absolute path" % path, "write the whole path")
    if not wanted.kinds:
        raise ClusterError("no kind of image is asked for", "archive, disk or both")
    if "disk" in wanted.kinds and wanted.size_mb < SMALLEST_MB:
        raise ClusterError("a disk of %d MB is too small" % wanted.size_mb, "give at least %d" % SMALLEST_MB)
    if not 0 < len(wanted.label) <= 16 or not wanted.label.isascii() or not wanted.label.isalnum():
        raise ClusterError("%r is no label of a disk" % wanted.label, "1 to 16 letters and digits")


def _manifest(wanted: Wanted, host: Host) -> dict[str, t.Any]:
    path = os.path.join(wanted.image, "manifest.json")
    text = host.read(path)
    hint = "build the image with diskless_image, and name the folder of a version"
    if text is None:
        raise ClusterError("%s has no manifest.json" % wanted.image, hint)
    try:
        found: dict[str, t.Any] = json.loads(text)
        {key: found["files"][key]["sha256"] for key in _PARTS}
    except (ValueError, KeyError, TypeError):
        raise ClusterError("%s is no manifest of an image" % path, hint)
    return found


def _digest(wanted: Wanted, manifest: t.Mapping[str, t.Any]) -> str:
    parts = [manifest["files"][key]["sha256"] for key in sorted(_PARTS)]
    inputs = [RECIPE, parts, sorted(wanted.kinds), wanted.size_mb, wanted.label, guestinit.INIT]
    return hashlib.sha256(json.dumps(inputs).encode("ascii")).hexdigest()


def plan(wanted: Wanted, host: Host) -> Plan:
    """Compare what is there with what is wanted."""
    check(wanted)
    manifest = _manifest(wanted, host)
    digest = _digest(wanted, manifest)
    try:
        stored = json.loads(host.read(os.path.join(wanted.dest, STAMP)) or b"{}").get("digest")
    except (ValueError, AttributeError):
        stored = None
    there = set(wanted.files()) <= set(host.listdir(wanted.dest))
    return Plan(digest, str(manifest.get("version") or ""), stored != digest or not there)


def prefix(user: int) -> list[str]:
    """What makes an ordinary user root of a namespace of its own, nothing for root."""
    return [] if user == 0 else list(_AS_ROOT)


def steps(wanted: Wanted, work: str, user: int) -> list[list[str]]:
    """The commands that make the images in ``work``."""
    root, source = os.path.join(work, "root"), os.path.join(wanted.image, _PARTS["rootfs"])
    # Devices are the kernel's to make, and only real root may.
    unpack = ["unsquashfs", "-no-progress", "-quiet", "-no-xattrs", "-dest", root, "-excludes", source, "dev/*"]
    made = [[*prefix(user), *unpack]]
    if "archive" in wanted.kinds:
        words = ["tar", "--create", "--sort=name", "--numeric-owner", "--zstd", "--file", os.path.join(work, ARCHIVE)]
        made.append([*prefix(user), *words, "--directory", root, "."])
    if "disk" in wanted.kinds:
        words = ["mkfs.ext4", "-q", "-L", wanted.label, "-E", "lazy_itable_init=1,root_owner=0:0", "-d", root]
        made.append([*prefix(user), *words, os.path.join(work, DISK), "%dM" % wanted.size_mb])
    return made


def _require(host: Host, user: int) -> None:
    for program, package in _TOOLS.items():
        needed = user != 0 or program not in ("unshare", "newuidmap")
        if needed and host.which(program) is None:
            raise ClusterError("%s is not installed" % program, "install the package %s" % package)


def _make(argv: t.Sequence[str], wanted: Wanted, host: Host) -> None:
    done = host.run(argv, changes=True, check=False)
    if done.rc == 0:
        return
    told = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
    full = "mkfs.ext4" in argv and ("Could not allocate" in told or "No space" in told or "no free space" in told)
    hint = "give it a larger size_mb than %d" % wanted.size_mb if full else ""
    raise ClusterError("%s failed: %s" % (next(word for word in argv if word in _TOOLS), told), hint)


def make(wanted: Wanted, plan: Plan, host: Host, user: int) -> None:
    """Make everything beside its place, then switch; the stamp comes last, so a killed run is made anew."""
    _require(host, user)
    work = os.path.join(wanted.dest, ".building")
    clean = [*prefix(user), "rm", "-rf", work]
    host.run(clean)
    stage1 = host.read(os.path.join(wanted.image, _PARTS["stage1"]))
    kernel = host.read(os.path.join(wanted.image, _PARTS["kernel"]))
    if stage1 is None or kernel is None:
        raise ClusterError("%s lacks its kernel or stage1" % wanted.image, "build that version again")
    boot = {KERNEL: kernel, INITRD: guestinit.initramfs(stage1)}
    host.write_files({os.path.join(work, name): File(content) for name, content in boot.items()})
    try:
        for argv in steps(wanted, work, user):
            _make(argv, wanted, host)
        _switch(wanted, plan, host, work)
    finally:
        host.run(clean)


def _switch(wanted: Wanted, plan: Plan, host: Host, work: str) -> None:
    stamp = os.path.join(wanted.dest, STAMP)
    host.remove(stamp)
    for name in wanted.files():
        path = os.path.join(work, name)
        if os.path.exists(path):
            sync_file(path)
        host.run(["mv", "-f", path, os.path.join(wanted.dest, name)])
    text = json.dumps({"digest": plan.digest, "version": plan.version}) + "\n"
    host.write_files({stamp: File(text.encode("ascii"))})
