# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a disc is made of, and how it is divided. This module util is private to the collection."""

from __future__ import annotations

import os
import re
import stat
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

SECTOR = 2048
# Bytes that fit, by the names that people use.
CAPACITIES = {
    "cd": 737280000,
    "dvd": 4700372992,
    "dvd9": 8543666176,
    "bd": 25025314816,
    "bd50": 50050629632,
}
LABEL_LIMIT, JOLIET_LIMIT = 32, 16
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.I)
# Hidden files are what programs leave at work; these two are read by installers.
_SHOWN = (".treeinfo", ".discinfo")


@dataclass(frozen=True)
class Item:
    """A file of the tree. ``path`` is relative; ``link`` the target of a symbolic link."""

    path: str
    size: int
    mtime: int
    mode: int
    link: str = ""

    @property
    def sectors(self) -> int:
        return -(-self.size // SECTOR)

    @property
    def is_package(self) -> bool:
        return self.path.endswith(".rpm")


def check_label(label: str, volumes: int = 1) -> None:
    """ClusterError for a label that ISO 9660 or its readers do not take."""
    limit = LABEL_LIMIT - (2 if volumes > 1 else 0)
    if len(label) > limit:
        raise ClusterError(
            "the label %s has %d characters, %d are allowed" % (label, len(label), limit),
            "shorten it, for instance without the vendor",
        )
    if not _LABEL.fullmatch(label):
        raise ClusterError("bad label %r" % label, "letters, digits, _ . and -, not with a dot or dash in front")


def parse_capacity(text: str) -> int:
    """Bytes of a name of :data:`CAPACITIES` or of a size such as ``650M`` (1 M is 1048576); 0 for no limit."""
    if text in ("", "none"):
        return 0
    found = _SIZE.fullmatch(text)
    if text not in CAPACITIES and found is None:
        raise ClusterError("bad capacity %r" % text, "one of %s, or a size such as 650M" % ", ".join(CAPACITIES))
    if found is None:
        return CAPACITIES[text]
    return int(float(found.group(1)) * 1024 ** " kmgt".index(found.group(2).lower() or " "))


def _item(top: str, path: str) -> Item:
    found = os.lstat(path)
    rel = os.path.relpath(path, top)
    if stat.S_ISLNK(found.st_mode):
        return Item(rel, 0, found.st_mtime_ns, 0o777, os.readlink(path))
    if not stat.S_ISREG(found.st_mode):
        raise ClusterError("%s is neither a file nor a link" % path, "take it out of the tree")
    return Item(rel, found.st_size, found.st_mtime_ns, stat.S_IMODE(found.st_mode))


def read_tree(top: str) -> list[Item]:
    """Every file of a tree, sorted; hidden ones are left out. ClusterError when there is none."""
    found: list[Item] = []
    try:
        for place, folders, names in os.walk(top, onerror=_refuse):
            links = [name for name in folders if os.path.islink(os.path.join(place, name))]
            folders[:] = [name for name in folders if not name.startswith(".") and name not in links]
            shown = [name for name in [*names, *links] if not name.startswith(".") or name in _SHOWN]
            found += [_item(top, os.path.join(place, name)) for name in shown]
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (error.filename or top, error.strerror), "check the path")
    if not found:
        raise ClusterError("there is nothing in the tree %s" % top, "run iso_tree first")
    return sorted(found, key=lambda item: os.fsencode(item.path))


def _refuse(error: OSError) -> None:
    raise error


def divide(items: t.Sequence[Item], capacity: int, most: int, overhead: int) -> list[list[Item]]:
    """The files of each volume: everything but packages on the first one, packages in their order.

    ``overhead`` are sectors that each volume needs beside its files. ClusterError when ``most`` volumes do not do.
    """
    room = capacity // SECTOR - overhead
    fixed = [item for item in items if not item.is_package]
    volumes, left = [fixed], room - sum(item.sectors for item in fixed)
    if left < 0:
        raise ClusterError(
            "what is no package needs %d MB alone, and a volume has %d MB"
            % (sum(item.sectors for item in fixed) * SECTOR // 10**6, capacity // 10**6),
            "use a larger medium",
        )
    for item in items:
        if not item.is_package:
            continue
        if item.sectors > left:
            volumes.append([])
            left = room
        if item.sectors > left:
            raise ClusterError("%s alone is larger than a volume" % item.path, "use a larger medium")
        volumes[-1].append(item)
        left -= item.sectors
    if len(volumes) > most:
        raise ClusterError(
            "the tree needs %d volumes of %d MB, %d are allowed" % (len(volumes), capacity // 10**6, most),
            "raise volumes, use a larger medium, or take packages out",
        )
    return volumes
