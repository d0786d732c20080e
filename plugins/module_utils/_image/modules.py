# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel modules that stage1 needs, with their dependencies. This module util is private to the collection.

Formats: modules.dep and modules.alias as depmod(8) writes them, paths relative to lib/modules/<version>.
"""

from __future__ import annotations

import fnmatch
import gzip
import lzma
import typing as t
import zlib
from dataclasses import dataclass

from .._host.errors import ClusterError
from .tree import Tree

Decompress = t.Callable[[bytes], bytes]

# Shell patterns below lib/modules/<version>/kernel: network cards, disks, and what the root image is made of.
DEFAULT = (
    "drivers/net/ethernet/*",
    "drivers/net/hyperv/*",
    "drivers/net/mdio/*",
    "drivers/net/phy/*",
    "drivers/net/usb/*",
    "drivers/net/virtio_net",
    "drivers/net/vmxnet3/*",
    "drivers/net/xen-netfront",
    "drivers/virtio/*",
    "drivers/hv/*",
    "drivers/block/loop",
    "drivers/block/virtio_blk",
    "drivers/block/xen-blkfront",
    "drivers/nvme/host/nvme",
    "drivers/ata/*",
    "drivers/scsi/sd_mod",
    "drivers/scsi/virtio_scsi",
    "drivers/scsi/hv_storvsc",
    "drivers/scsi/megaraid/*",
    "drivers/scsi/mpt3sas/*",
    "drivers/usb/host/*",
    "drivers/usb/storage/usb-storage",
    "drivers/char/hw_random/virtio-rng",
    "fs/overlayfs/*",
    "fs/squashfs/*",
    "fs/ext4/*",
    "fs/xfs/*",
    "fs/fat/*",
    "fs/isofs/*",
    "fs/nls/nls_cp437",
    "fs/nls/nls_iso8859-1",
    "fs/nfs/nfs",
    "fs/nfs/nfsv3",
    "fs/nfs/nfsv4",
    "crypto/crc32c_generic",
    "arch/x86/crypto/crc32c-intel",
)
_SUFFIXES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")
# Without these no image can be mounted; in a kernel that has them built in they are no modules.
NEEDED = ("squashfs", "overlay", "loop")


def stem(path: str) -> str:
    """Path of a module without its suffix, ``kernel/fs/ext4/ext4.ko.xz`` to ``kernel/fs/ext4/ext4``."""
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            return path[: -len(suffix)]
    return path


def name(path: str) -> str:
    """Name as the kernel writes it: no folder, no suffix, ``_`` for ``-``."""
    return stem(path).rsplit("/", 1)[-1].replace("-", "_")


@dataclass(frozen=True)
class Index:
    """The modules of one kernel. ``deps``: path to the paths it needs; ``aliases``: (pattern, module name)."""

    version: str
    deps: t.Mapping[str, tuple[str, ...]]
    aliases: tuple[tuple[str, str], ...] = ()
    builtin: frozenset[str] = frozenset()


def parse_dep(text: str) -> dict[str, tuple[str, ...]]:
    """modules.dep: ``path: need need``. Lines that do not look like that are an error."""
    deps: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        path, colon, needs = line.partition(":")
        if not colon:
            raise ClusterError("modules.dep line %d has no colon: %r" % (number, line))
        deps[path] = tuple(needs.split())
    return deps


def parse_alias(text: str) -> tuple[tuple[str, str], ...]:
    """modules.alias: ``alias PATTERN NAME``; other lines are comments."""
    rows = (line.split() for line in text.splitlines())
    return tuple((row[1], row[2].replace("-", "_")) for row in rows if len(row) == 3 and row[0] == "alias")


def kernel_version(tree: Tree) -> str:
    """The one kernel of a tree, by the folder that holds its modules.dep; ClusterError for none or several."""
    folders = tree.listdir("lib/modules")
    versions = [version for version in folders if tree.file("lib/modules/%s/modules.dep" % version)]
    if len(versions) == 1:
        return versions[0]
    if versions:
        raise ClusterError(
            "the image has %d kernels: %s" % (len(versions), ", ".join(versions)),
            "leave one kernel package in the list",
        )
    if folders:
        raise ClusterError("lib/modules/%s in the image has no modules.dep" % folders[0], "run depmod in the root tree")
    raise ClusterError("the image has no kernel modules (lib/modules is empty)", "add a kernel package to the image")


def load_index(tree: Tree, version: str) -> Index:
    """Read the module lists of one kernel from a tree."""
    base = "lib/modules/%s/" % version
    parts = ("dep", "alias", "builtin")
    lists = {part: (tree.read(base + "modules." + part) or b"").decode("utf-8", "surrogateescape") for part in parts}
    builtin = frozenset(name(line) for line in lists["builtin"].splitlines())
    return Index(version, parse_dep(lists["dep"]), parse_alias(lists["alias"]), builtin)


def select(index: Index, patterns: t.Iterable[str]) -> list[str]:
    """Paths of the modules that the patterns name and of all that these need, sorted."""
    wanted = tuple(patterns)
    todo = [
        path for path in index.deps if any(fnmatch.fnmatchcase(stem(path), "kernel/" + pattern) for pattern in wanted)
    ]
    chosen: set[str] = set()
    while todo:
        path = todo.pop()
        if path not in chosen:
            chosen.add(path)
            todo.extend(index.deps.get(path, ()))
    present = {name(path) for path in chosen} | index.builtin
    missing = [need for need in NEEDED if need not in present]
    if missing:
        raise ClusterError("kernel %s has no module %s" % (index.version, ", ".join(missing)), "use another kernel")
    return sorted(chosen)


def render_dep(index: Index, chosen: t.Iterable[str]) -> str:
    """modules.dep for stage1, where every module is stored unpacked as ``.ko``."""
    rows = ((path, index.deps.get(path, ())) for path in chosen)
    return "".join(
        "%s.ko:%s\n" % (stem(path), "".join(" %s.ko" % stem(need) for need in needs)) for path, needs in rows
    )


def render_alias(index: Index, chosen: t.Iterable[str]) -> str:
    """modules.alias reduced to the chosen modules: a short list is a fast coldplug."""
    names = {name(path) for path in chosen}
    return "".join("alias %s %s\n" % (pattern, module) for pattern, module in index.aliases if module in names)


def unpack(path: str, data: bytes, unzstd: Decompress) -> bytes:
    """Content of a module, decompressed by its suffix; ``unzstd`` is given because Python cannot do it."""
    try:
        if path.endswith(".xz"):
            return lzma.decompress(data)
        if path.endswith(".zst"):
            return unzstd(data)
        return gzip.decompress(data) if path.endswith(".gz") else data
    except (lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise ClusterError("module %s in the image is damaged: %s" % (path, error), "make the root tree again")
