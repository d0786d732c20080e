# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""packdrake archives, the container of ``hdlist.cz``. This module util is private to the collection.

Layout: compressed blocks, each holding several files; the names; 16 bytes per file (place and size of its block, place
and size in the block), the files sorted; a trailer of 64 bytes. Numbers are big-endian and have 32 bits.
"""

from __future__ import annotations

import struct
import typing as t
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from zlib import crc32

from .._host.errors import ClusterError
from .compress import LIMIT, decompress, gzip_bytes, inflate, sniff

_TRAILER = struct.Struct(">4sIIII40s4s")
_ENTRY = struct.Struct(">IIII")
_HEAD, _TAIL = b"cz[0", b"0]cz"
# A block ends behind a name whose checksum says so: one changed file leaves the other blocks as they are.
_ABOUT_FILES = 32
_BLOCK_LIMIT = 1 << 20
# Level 9 takes half as long again as 7 for two percent.
_LEVEL = 7


class Member(t.NamedTuple):
    """A file in the archive: place and size of its block, place and size in the inflated block."""

    name: bytes
    block: int
    block_size: int
    offset: int
    size: int


@dataclass(frozen=True)
class Archive:
    """A parsed archive; ``members`` in the order of the table, ``end`` is where the blocks end."""

    data: bytes
    name: str
    members: tuple[Member, ...]
    folders: tuple[bytes, ...] = ()
    links: t.Mapping[bytes, bytes] | None = None
    uncompress: bytes = b""

    def blocks(self) -> list[tuple[int, int]]:
        """Place and size of each block, in file order."""
        return sorted({(member.block, member.block_size) for member in self.members})

    def unpack(self, block: int, size: int) -> bytes:
        """Content of one block; ClusterError when it is damaged."""
        packed = self.data[block : block + size]
        try:
            return inflate(packed) if sniff(packed) == "gzip" else decompress(packed, self.name)
        except ValueError as error:
            raise damaged(self.name, "block at byte %d: %s" % (block, error))

    def __iter__(self) -> t.Iterator[tuple[Member, bytes]]:
        """Every file and its content, block by block."""
        place, content = -1, b""
        for member in sorted(self.members, key=lambda one: (one.block, one.offset)):
            if member.block != place:
                place, content = member.block, self.unpack(member.block, member.block_size)
            if member.offset + member.size > len(content):
                raise damaged(self.name, "%s reaches out of its block" % member.name.decode("utf-8", "replace"))
            yield member, content[member.offset : member.offset + member.size]


def damaged(name: str, what: str) -> ClusterError:
    return ClusterError("%s: damaged packdrake archive: %s" % (name, what), "fetch or build it again")


def parse_packdrake(data: bytes, name: str = "hdlist.cz") -> Archive:
    """The table of an archive; ClusterError when it does not fit the file."""
    if len(data) < _TRAILER.size:
        raise damaged(name, "%d bytes" % len(data))
    head, dirs, links, files, names_size, uncompress, tail = _TRAILER.unpack(data[len(data) - _TRAILER.size :])
    table = len(data) - _TRAILER.size - _ENTRY.size * files
    start = table - names_size
    if head != _HEAD or tail != _TAIL or start < 0:
        raise damaged(name, "no valid trailer")
    names = data[start:table].split(b"\n")[:-1]
    if len(names) != dirs + 2 * links + files:
        raise damaged(name, "%d names instead of %d" % (len(names), dirs + 2 * links + files))
    entries = _ENTRY.iter_unpack(data[table : len(data) - _TRAILER.size])
    members = tuple(Member(one, *entry) for one, entry in zip(names[dirs + 2 * links :], entries))
    if any(one.block + one.block_size > start or one.offset + one.size > LIMIT for one in members):
        raise damaged(name, "a file lies outside of it")
    pairs = names[dirs : dirs + 2 * links]
    return Archive(
        data, name, members, tuple(names[:dirs]), dict(zip(pairs[::2], pairs[1::2])), uncompress.rstrip(b"\0")
    )


def ends_block(name: bytes, size: int) -> bool:
    """Whether a block of ``size`` bytes ends behind the file ``name``."""
    return crc32(name) % _ABOUT_FILES == 0 or size >= _BLOCK_LIMIT


class Block(t.NamedTuple):
    """A packed block and what it holds: name and size of each file."""

    packed: bytes
    files: list[tuple[bytes, int]]


def render_packdrake(blocks: t.Iterable[Block]) -> bytes:
    """An archive of the blocks; the table is sorted by name."""
    parts: list[bytes] = []
    table: list[tuple[bytes, bytes]] = []
    place = 0
    for packed, files in blocks:
        offset = 0
        for name, size in files:
            table.append((name, _ENTRY.pack(place, len(packed), offset, size)))
            offset += size
        parts.append(packed)
        place += len(packed)
        if place >= 1 << 32:
            raise ClusterError("hdlist.cz would exceed 4 GiB", "split the medium")
    table.sort()
    text = b"".join(name + b"\n" for name, _entry in table)
    trailer = _TRAILER.pack(_HEAD, 0, 0, len(table), len(text), b"gzip -d", _TAIL)
    return b"".join((*parts, text, *(entry for _name, entry in table), trailer))


# The digests of the files in a block -> the packed block.
Packed = t.Mapping[t.Tuple[str, ...], bytes]


class Packer:
    """Packs files one after the other; full blocks are compressed by ``pool`` while the next ones are filled.

    A block whose files have the digests of one in ``known`` is taken from there.
    """

    def __init__(self, pool: Executor, known: Packed | None = None, level: int = _LEVEL) -> None:
        self.pool = pool
        self.known = known or {}
        self.level = level
        self._blocks: list[tuple[bytes | Future[bytes], list[tuple[bytes, int]]]] = []
        self._start()

    def _start(self) -> None:
        self._data: list[t.Callable[[], bytes]] = []
        self._digests: list[str] = []
        self._files: list[tuple[bytes, int]] = []
        self._size = 0

    def add(self, name: bytes, digest: str, size: int, data: t.Callable[[], bytes]) -> None:
        """Add a file of ``size`` bytes; ``data`` is called only when its block has to be packed."""
        self._data.append(data)
        self._digests.append(digest)
        self._files.append((name, size))
        self._size += size
        if ends_block(name, self._size):
            self._close()

    def _close(self) -> None:
        packed: bytes | Future[bytes] | None = self.known.get(tuple(self._digests))
        if packed is None:
            packed = self.pool.submit(gzip_bytes, b"".join(data() for data in self._data), self.level)
        self._blocks.append((packed, self._files))
        self._start()

    def finish(self) -> bytes:
        """The whole archive."""
        if self._files:
            self._close()
        return render_packdrake(
            Block(packed if isinstance(packed, bytes) else packed.result(), files) for packed, files in self._blocks
        )
