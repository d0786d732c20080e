# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that the lab needs and the Debian packages that hold them. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "/usr/share/seabios/bios-256k.bin": "seabios",
    "/usr/lib/ipxe/qemu/efi-virtio.rom": "ipxe-qemu",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "newuidmap": "uidmap",
    "unshare": "util-linux",
    "tar": "tar",
    "grub-mkimage": "grub-common",
    "/usr/lib/grub/i386-pc/cdboot.img": "grub-pc-bin",
    "xorriso": "xorriso",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
VM_TOOLS = ("qemu-system-x86_64", "/usr/share/seabios/bios-256k.bin", "/usr/lib/ipxe/qemu/efi-virtio.rom", "ssh")
DISK_TOOLS = ("mmdebstrap", "mkfs.ext4", "tar")
BOOT_CD_TOOLS = ("grub-mkimage", "/usr/lib/grub/i386-pc/cdboot.img", "xorriso")
USER_TOOLS = ("newuidmap", "unshare")


def _present(host: Host, need: str) -> bool:
    if need.startswith("/"):
        return bool(host.listdir(os.path.dirname(need), os.path.basename(need)))
    return host.which(need) is not None


def missing_packages(host: Host, needs: t.Iterable[str]) -> list[str]:
    """Sorted names of the Debian packages of all programs and files that are not there."""
    return sorted({PACKAGES[need] for need in needs if not _present(host, need)})


def require(host: Host, needs: t.Iterable[str]) -> None:
    """ClusterError with one command that installs everything that is missing."""
    missing = missing_packages(host, needs)
    if missing:
        raise ClusterError(
            "missing on this machine: %s" % ", ".join(missing), "as root, run: apt-get install %s" % " ".join(missing)
        )
