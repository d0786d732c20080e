# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disk of a lab VM, made by mmdebstrap as any user. This module util is private to the collection.

The disk is private to one rack: it may hold the keys of that rack, and it is never published.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import File, Host
from .bootcd import BOOT_CD, BOOT_CD_RECIPE, make_boot_cd
from .tools import BOOT_CD_TOOLS, DISK_TOOLS, USER_TOOLS, require

# Part of the digest: raise it when the way a disk is made changes.
RECIPE = 2
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:@_-]*$")
_LEAVE_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
_TARGETS = "$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)"


@dataclass(frozen=True)
class Disk:
    """``files`` maps absolute paths to content and mode; ``disabled`` names services that wait for their role."""

    folder: str
    suite: str
    packages: tuple[str, ...]
    files: t.Mapping[str, File]
    disabled: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    size_mb: int = 4096
    boot_cd: bool = False

    @property
    def image(self) -> str:
        return os.path.join(self.folder, "disk.ext4")

    @property
    def stamp(self) -> str:
        return os.path.join(self.folder, "disk.json")

    def digest(self) -> str:
        """Hex SHA-256 of everything that decides the content, the mirror excepted."""
        files = {path: [hashlib.sha256(f.content).hexdigest(), f.mode] for path, f in self.files.items()}
        inputs = [
            RECIPE,
            self.suite,
            sorted(self.packages),
            files,
            sorted(self.disabled),
            sorted(self.enabled),
            self.size_mb,
            *([BOOT_CD_RECIPE] if self.boot_cd else []),
        ]
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode("utf-8")).hexdigest()


def check(disk: Disk) -> None:
    """ClusterError for a word that is no package, suite or service, a relative path, a tiny disk."""
    for word in (disk.suite, *disk.packages, *disk.disabled, *disk.enabled):
        if not _WORD.match(word):
            raise ClusterError("%r is no name of a package, suite or service" % word, "remove it from the list")
    for path in disk.files:
        if not os.path.isabs(path) or os.path.normpath(path) != path:
            raise ClusterError("%r is no absolute path" % path, "write the path as it is inside the VM")
    if disk.size_mb < 1024:
        raise ClusterError("a disk of %d MB is too small" % disk.size_mb, "give at least 1024")


def is_current(disk: Disk, host: Host) -> bool:
    """Was the disk that is there made from the same inputs?"""
    try:
        stored = json.loads(host.read(disk.stamp) or b"{}").get("digest")
    except (ValueError, AttributeError, RecursionError):
        return False
    names = host.listdir(disk.folder)
    wanted = {"disk.ext4", "vmlinuz", "initrd.img", *([BOOT_CD] if disk.boot_cd else [])}
    return stored == disk.digest() and wanted <= set(names)


def sources(listing: str, suite: str) -> str:
    """sources.list(5) lines of a Debian suite and its updates, from ``apt-get indextargets`` of this machine."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for line in sorted(set(listing.splitlines())):
        uri, codename, component, origin = (line.split() + [""] * 4)[:4]
        if origin == "Debian" and codename in (suite, suite + "-updates", suite + "-security"):
            wanted.setdefault((uri, codename), []).append(component)
    return "".join("deb %s %s %s\n" % (uri, name, " ".join(parts)) for (uri, name), parts in wanted.items())


def overlay(files: t.Mapping[str, File], when: int = 0) -> bytes:
    """A tar archive of the files, owned by root, with their folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(files[path].content), files[path].mode, when
            archive.addfile(entry, io.BytesIO(files[path].content))
    return out.getvalue()


def bootstrap_argv(disk: Disk) -> list[str]:
    """The mmdebstrap call; run in the work folder, sources on standard input when the suite is this machine's."""
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=%s" % ",".join(disk.packages)]
    argv += ["--dpkgopt=path-exclude=%s" % pattern for pattern in _LEAVE_OUT]
    for verb, units in (("disable", disk.disabled), ("enable", disk.enabled)):
        if units:
            argv.append('--customize-hook=chroot "$1" systemctl --quiet %s %s' % (verb, " ".join(units)))
    return [*argv, "--customize-hook=tar-in overlay.tar /", disk.suite, "root.tar"]


def build(disk: Disk, host: Host, user: int | None = None) -> None:
    """Make the disk beside the old one and switch; the kernel and its initrd are laid beside it."""
    work = os.path.join(disk.folder, "build")
    as_root: list[str] = (
        [] if (os.getuid() if user is None else user) == 0 else ["unshare", "--map-auto", "--map-root-user"]
    )
    require(host, (*DISK_TOOLS, *(USER_TOOLS if as_root else ()), *(BOOT_CD_TOOLS if disk.boot_cd else ())))
    _clean(host, as_root, work)
    host.write_files({os.path.join(work, "overlay.tar"): File(overlay(disk.files), 0o600)})
    try:
        _bootstrap(disk, host, work)
        _fill(disk, host, as_root, work)
        if disk.boot_cd:
            make_boot_cd(disk.folder, work, host)
        _switch(disk, host, work)
    finally:
        _clean(host, as_root, work)


def _clean(host: Host, as_root: list[str], work: str) -> None:
    # The tree holds files of many owners, which only root of the same user namespace may remove.
    host.run([*as_root, "rm", "-rf", work])


def _bootstrap(disk: Disk, host: Host, work: str) -> None:
    listing = host.run(["apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"], check=False).stdout
    lines = sources(listing, disk.suite)
    argv = [*bootstrap_argv(disk), *(["-"] if lines else [])]
    host.run(argv, changes=True, stdin=lines.encode("ascii"), cwd=work, env={"DEBIAN_FRONTEND": "noninteractive"})


def _fill(disk: Disk, host: Host, as_root: list[str], work: str) -> None:
    host.run(["mkdir", os.path.join(work, "root")])
    # Only real root may make devices, and the kernel makes its own at boot.
    unpack = ["tar", "--numeric-owner", "--exclude=./dev/*", "-xf", "root.tar", "-C", "root"]
    host.run([*as_root, *unpack], changes=True, cwd=work)
    host.remove(os.path.join(work, "root.tar"))
    # The lists are empty, but their folder is new: Ansible's apt would take them for fresh.
    host.run([*as_root, "touch", "-d", "@0", "root/var/lib/apt/lists"], cwd=work)
    argv = ["mkfs.ext4", "-q", "-L", "root", "-E", "lazy_itable_init=1,root_owner=0:0", "-d", "root", "disk.ext4"]
    host.run([*as_root, *argv, "%dM" % disk.size_mb], changes=True, cwd=work)


def _newest(host: Host, folder: str, pattern: str) -> str:
    names = host.listdir(folder, pattern)
    if not names:
        raise ClusterError("the new disk has no %s" % pattern, "name a kernel in the package list")
    return os.path.join(folder, names[-1])


def _switch(disk: Disk, host: Host, work: str) -> None:
    boot = os.path.join(work, "root", "boot")
    kernel, initrd = _newest(host, boot, "vmlinuz-*"), _newest(host, boot, "initrd.img-*")
    host.remove(disk.stamp)
    for source, name in ((kernel, "vmlinuz"), (initrd, "initrd.img"), (os.path.join(work, "disk.ext4"), "disk.ext4")):
        host.run(["mv", "-f", source, os.path.join(disk.folder, name)])
    stamp = json.dumps({"digest": disk.digest()}) + "\n"
    host.write_files({disk.stamp: File(stamp.encode("ascii"))})
