# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several nodes boot from: loaders, kernels, stage1, images. This module util is private to the collection.

Formats: a UEFI program is a PE file with its machine type behind the offset at 0x3c (Microsoft PE); the BIOS loaders
of syslinux are plain code. A kernel for PCs has the signature ``HdrS`` at 0x202 (Linux, x86 boot protocol).
"""

from __future__ import annotations

import json
import struct
import typing as t
from dataclasses import dataclass

from .._host.host import Host
from .profile import BootImage
from .rack import Rack

_MACHINES = {0x8664: "uefi_x64", 0xAA64: "uefi_arm64", 0x14C: "uefi_ia32"}
_BUILD = "run the diskless playbook, then pxe_server"
_RUN = "run the pxe_server playbook"


@dataclass(frozen=True)
class Fault:
    """``step`` of the boot that will fail, why, and what to do."""

    step: str
    reason: str
    remedy: str


def unreadable(host: Host, path: str) -> str:
    """Why a service that is nobody special cannot read a file; empty when it can."""
    mode = host.mode(path)
    if mode is None:
        return "%s is missing" % path
    if not mode & 0o004:
        return "%s has the permissions %04o, the servers cannot read it" % (path, mode)
    parts = path.split("/")[1:-1]
    for depth in range(1, len(parts) + 1):
        folder = "/" + "/".join(parts[:depth])
        mode = host.mode(folder)
        if mode is not None and not mode & 0o001:
            return "%s has the permissions %04o, the servers cannot enter it" % (folder, mode)
    return ""


def remedy(why: str, otherwise: str) -> str:
    """What to do about :func:`unreadable`: no playbook changes the permissions of files whose content is right."""
    path, permissions, _rest = why.partition(" has the permissions ")
    return "chmod o+rX %s" % path if permissions else otherwise


def program_kind(head: bytes) -> str:
    """``bios``, or the architecture of a UEFI program, from the first KiB of a loader."""
    if head[:2] != b"MZ" or len(head) < 0x40:
        return "bios"
    at = struct.unpack_from("<I", head, 0x3C)[0]
    if head[at : at + 4] != b"PE\0\0" or len(head) < at + 6:
        return "bios"
    return _MACHINES.get(struct.unpack_from("<H", head, at + 4)[0], "uefi")


@dataclass(frozen=True)
class Parts:
    """The files that all nodes, or all of a profile, need."""

    rack: Rack
    host: Host
    digests: bool = True

    def _loader(self, arch: str, name: str) -> Fault | None:
        if "://" in name or not name:
            return None
        path = "%s/%s" % (self.rack.tftp_root, name.lstrip("/"))
        why = unreadable(self.host, path)
        if why:
            return Fault("loader", why, remedy(why, _RUN))
        kind = program_kind(self.host.read_from(path, 0, 1024) or b"")
        if kind != arch:
            told = "%s is a program for %s, and offered to %s machines" % (path, kind, arch)
            return Fault("loader", told, "correct pxe_server_dhcp.loaders, or install the loader again")
        return self._second(path) if name.endswith("pxelinux.0") else None

    def _second(self, path: str) -> Fault | None:
        """pxelinux is two files: it loads ldlinux.c32 from its own folder."""
        why = unreadable(self.host, path.rpartition("/")[0] + "/ldlinux.c32")
        return Fault("loader", why, remedy(why, _RUN)) if why else None

    def loader(self) -> Fault | None:
        """The first loader that cannot be served, or that its machines could not run."""
        pairs = self.rack.dhcp.loaders if self.rack.dhcp else ()
        return next((fault for fault in (self._loader(*pair) for pair in pairs) if fault), None)

    def _digest(self, path: str) -> str:
        return self.host.run(["sha256sum", "--", path]).stdout.lstrip("\\").partition(" ")[0]

    def _file(self, step: str, path: str, wanted: t.Mapping[str, t.Any]) -> Fault | None:
        why = unreadable(self.host, path)
        if not why and step == "kernel":
            head = self.host.read_from(path, 0, 1024) or b""
            why = "" if head[0x202:0x206] == b"HdrS" or head[:2] == b"MZ" else "%s is no kernel" % path
        if not why and self.digests and wanted.get("sha256") != self._digest(path):
            why = "%s is damaged: its SHA-256 is not that of the manifest" % path
        return Fault(step, why, remedy(why, _BUILD)) if why else None

    def image(self, image: BootImage, transport: str) -> list[Fault]:
        """What is wrong with the files of an image, and with their copies for TFTP."""
        root = self.rack.server.images_root
        folder = "%s/%s" % (root, image.kernel.rpartition("/")[0])
        files = json.loads(self.host.read(folder + "/manifest.json") or b"{}").get("files", {})
        keys = {
            "kernel": (image.kernel, "kernel"),
            "stage1": (image.stage1, "stage1"),
            "fetch": (image.rootfs, "rootfs"),
        }
        found = [self._file(step, "%s/%s" % (root, path), files.get(key, {})) for step, (path, key) in keys.items()]
        if transport == "tftp":
            top = self.rack.tftp_root + "/images/"
            found += [self._file(step, top + keys[step][0], files.get(step, {})) for step in ("kernel", "stage1")]
        return [fault for fault in found if fault is not None]
