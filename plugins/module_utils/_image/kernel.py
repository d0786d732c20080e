# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel of a root tree: file, configuration, what it can unpack. This module util is private."""

from __future__ import annotations

from dataclasses import dataclass

from .._host.errors import ClusterError
from . import modules
from .tree import Tree


@dataclass(frozen=True)
class Kernel:
    """``path`` of the kernel file in the tree; ``unpacks`` are the initramfs compressions it knows, best first."""

    version: str
    path: str
    unpacks: tuple[str, ...]


def find(tree: Tree) -> Kernel:
    """The kernel that belongs to the modules of the tree; the version is the name of their folder."""
    version = modules.kernel_version(tree)
    names = ("boot/vmlinuz-%s" % version, "lib/modules/%s/vmlinuz" % version)
    path = next((name for name in names if tree.file(name)), None)
    if path is None:
        raise ClusterError(
            "there is no kernel in the image: neither /%s nor /%s" % names, "add a kernel package to the image"
        )
    config = tree.read("boot/config-" + version) or tree.read("lib/modules/%s/config" % version)
    return Kernel(version, path, unpacks(config))


def unpacks(config: bytes | None) -> tuple[str, ...]:
    """Initramfs compressions by CONFIG_RD_*; without a configuration only gzip is sure."""
    lines = (config or b"").splitlines()
    return ("zstd", "gzip") if b"CONFIG_RD_ZSTD=y" in lines else ("gzip",)
