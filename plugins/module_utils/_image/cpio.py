# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The newc archive of an initramfs, written reproducibly. This module util is private to the collection.

Format: cpio(5), "New ASCII Format"; the kernel reads it in init/initramfs.c. Inodes are renumbered in order, owners
are root, times are zero unless given, so equal input gives equal bytes.
"""

from __future__ import annotations

import re
import stat
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
_FIELDS = 13
_DIGITS = re.compile(rb"[0-9A-Fa-f]{%d}" % (8 * _FIELDS))


@dataclass(frozen=True)
class Member:
    """``mode`` holds type and permissions; ``content`` is the target of a symbolic link; ``rdev`` is (major, minor)."""

    path: str
    mode: int
    content: bytes = b""
    mtime: int = 0
    rdev: tuple[int, int] = (0, 0)


def file(path: str, content: bytes, mode: int = 0o644) -> Member:
    return Member(path, stat.S_IFREG | mode, content)


def directory(path: str, mode: int = 0o755) -> Member:
    return Member(path, stat.S_IFDIR | mode)


def symlink(path: str, target: str) -> Member:
    return Member(path, stat.S_IFLNK | 0o777, target.encode("utf-8"))


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _record(member: Member, inode: int) -> bytes:
    name = member.path.encode("utf-8") + b"\0"
    links = 2 if stat.S_ISDIR(member.mode) else 1
    numbers = (inode, member.mode, 0, 0, links, member.mtime, len(member.content), 0, 0, *member.rdev, len(name), 0)
    header = _MAGIC + b"".join(b"%08X" % number for number in numbers)
    return _pad(header + name) + _pad(member.content)


def with_parents(members: t.Iterable[Member]) -> list[Member]:
    """Members sorted by path, each once, with the folders they need before them."""
    known: dict[str, Member] = {}
    for member in members:
        known[member.path] = member
        parts = member.path.split("/")
        for depth in range(1, len(parts)):
            known.setdefault("/".join(parts[:depth]), directory("/".join(parts[:depth])))
    return [known[path] for path in sorted(known)]


def render(members: t.Sequence[Member]) -> bytes:
    """The archive, padded to 512 bytes."""
    out = b"".join(_record(member, inode) for inode, member in enumerate(members, 1))
    out += _record(Member(_TRAILER, 0), 0)
    return out + b"\0" * (-len(out) % 512)


def parse(data: bytes) -> list[Member]:
    """The members of one archive, the trailer left out. ClusterError on anything that is not newc."""
    members: list[Member] = []
    at = 0
    while True:
        head = data[at : at + 6 + 8 * _FIELDS]
        if len(head) < 6 + 8 * _FIELDS or head[:6] not in (_MAGIC, b"070702"):
            raise ClusterError(
                "no newc header at byte %d of the archive" % at, "the initramfs is cut off or compressed"
            )
        # int() alone would also take signs, and a negative length would lead back.
        if not _DIGITS.fullmatch(head, 6):
            raise ClusterError("bad number in the newc header at byte %d" % at)
        field = [int(head[6 + 8 * i : 14 + 8 * i], 16) for i in range(_FIELDS)]
        name_at = at + len(head)
        name = data[name_at : name_at + field[11] - 1].decode("utf-8", "surrogateescape")
        body = name_at + field[11] + (-(len(head) + field[11]) % 4)
        if name == _TRAILER:
            return members
        if body + field[6] > len(data):
            raise ClusterError("%s is cut off in the archive" % name)
        members.append(Member(name, field[1], data[body : body + field[6]], field[5], (field[9], field[10])))
        at = body + field[6] + (-field[6] % 4)
