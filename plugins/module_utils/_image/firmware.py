# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firmware that network modules ask for. This module util is private to the collection.

A module says so in its ELF section .modinfo, as ``firmware=NAME`` between zero bytes; NAME is a path below lib/firmware
whose last part may be a shell pattern. The kernel looks in lib/firmware/VERSION first and takes compressed files too.
"""

from __future__ import annotations

import fnmatch
import struct
import typing as t

from . import cpio
from .tree import Tree

NETWORK = "/kernel/drivers/net/"
_TOP = "lib/firmware/"
_SUFFIXES = ("", ".xz", ".zst")
_KEY = b"firmware="


def modinfo(module: bytes) -> bytes:
    """Content of .modinfo of a 64-bit little-endian module; empty for anything else or a file that is cut off."""
    if module[:6] != b"\x7fELF\x02\x01" or len(module) < 64:
        return b""
    table = struct.unpack_from("<Q", module, 40)[0]
    entry, count, names = struct.unpack_from("<HHH", module, 58)
    if entry < 64 or names >= count or table + entry * count > len(module):
        return b""
    rows = [struct.unpack_from("<IIQQQQ", module, table + entry * number) for number in range(count)]
    strings = module[rows[names][4] : rows[names][4] + rows[names][5]]
    for row in rows:
        if strings[row[0] :].startswith(b".modinfo\0"):
            return module[row[4] : row[4] + row[5]]
    return b""


def names(module: bytes) -> list[str]:
    """Firmware files that a module names, sorted; names that lead elsewhere are left out."""
    words = (word[len(_KEY) :] for word in modinfo(module).split(b"\0") if word.startswith(_KEY))
    found = {word.decode("utf-8", "replace") for word in words if word}
    return sorted(name for name in found if not name.startswith("/") and ".." not in name.split("/"))


def wanted(members: t.Iterable[cpio.Member]) -> list[str]:
    """What the network modules among the members name, sorted."""
    return sorted({name for member in members if NETWORK in "/" + member.path for name in names(member.content)})


def _forms(name: str, version: str) -> list[str]:
    return [folder + name + suffix for folder in ("%s%s/" % (_TOP, version), _TOP) for suffix in _SUFFIXES]


def _matches(tree: Tree, pattern: str) -> list[str]:
    folder, _slash, last = pattern.rpartition("/")
    if not any(mark in last for mark in "*?["):
        return [pattern]
    return ["%s/%s" % (folder, name) for name in tree.listdir(folder) if fnmatch.fnmatchcase(name, last)]


def collect(tree: Tree, version: str, members: t.Iterable[cpio.Member]) -> tuple[list[cpio.Member], list[str]]:
    """The wanted files that the image holds, under the names by which the kernel asks; and the names, sorted, for which
    it holds none."""
    found: dict[str, bytes] = {}
    missing = []
    for name in wanted(members):
        paths = [path for form in _forms(name, version) for path in _matches(tree, form)]
        held = {path: data for path, data in ((path, tree.read(path)) for path in paths) if data is not None}
        found.update(held)
        missing += [] if held else [name]
    return [cpio.file(path, data) for path, data in sorted(found.items())], missing
