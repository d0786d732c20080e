# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RPM package files: lead, signature header, main header. This module util is private to the collection.

Format: lead of 96 bytes, then two header structures (the first padded to 8 bytes), then the payload. A header is the
magic 8eade801, four zero bytes, the number of index entries and of store bytes (big-endian 32 bit), the index
(tag, type, offset, count) and the store. Only what a caller asks for is decoded.
"""

from __future__ import annotations

import os
import struct
import typing as t
from dataclasses import dataclass

from .._errors import ClusterError

LEAD = b"\xed\xab\xee\xdb"
MAGIC = b"\x8e\xad\xe8\x01\x00\x00\x00\x00"
LEAD_SIZE = 96
# rpm itself refuses more index entries, and no package comes near this store.
_MOST_ENTRIES = 0xFFFF
_LARGEST_STORE = 64 << 20
_FIRST_READ = 64 << 10

_NULL, _STRING, _BINARY, _STRING_ARRAY, _I18N = 0, 6, 7, 8, 9
_STRINGS = (_STRING, _STRING_ARRAY, _I18N)
_INTS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q"}
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, _BINARY: 1}

Value = t.Union[bytes, t.List[bytes], t.Tuple[int, ...]]


def bad(name: str, what: str) -> ClusterError:
    """The one error of a package that cannot be used."""
    return ClusterError("%s: %s" % (name, what), "fetch or build the package again, or remove it")


class Header:
    """One header structure. Strings stay bytes, as they are in the package."""

    __slots__ = ("body", "count", "index", "name", "store")

    def __init__(self, body: bytes, name: str) -> None:
        """``body`` begins with the two counts (the magic is not part of it) and may be longer than the header."""
        self.name = name
        entries, size = body_counts(body, name)
        start = 8 + 16 * entries
        if len(body) < start + size:
            raise bad(name, "header truncated: %d of %d bytes" % (len(body), start + size))
        self.body = body[: start + size]
        self.store = body[start : start + size]
        self.count = entries
        self.index = self._indexed(body[8:start])

    def _indexed(self, data: bytes) -> dict[int, tuple[int, int, int, int]]:
        """Tag to type, offset, count and where the next entry begins, which is where its data end as a rule."""
        if not data:
            raise bad(self.name, "empty header")
        tags, kinds, offsets, counts = zip(*struct.iter_unpack(">IIiI", data))
        size = len(self.store)
        if max(kinds) > _I18N or min(offsets) < 0 or max(offsets) > size or min(counts) < 1 or max(counts) > size:
            raise bad(self.name, "header entry out of bounds")
        return dict(zip(tags, zip(kinds, offsets, counts, (*offsets[1:], size))))

    def __contains__(self, tag: int) -> bool:
        return tag in self.index

    def damaged(self, tag: int) -> ClusterError:
        """The error of a tag whose data makes no sense."""
        return bad(self.name, "header tag %d is damaged" % tag)

    def strings(self, tag: int) -> list[bytes]:
        """All strings of a tag; empty without it. The first one of an I18N string is the C locale."""
        if tag not in self.index:
            return []
        kind, offset, count, end = self.index[tag]
        if kind not in _STRINGS:
            raise self.damaged(tag)
        found = self.store[offset:end].split(b"\0", count)
        if len(found) <= count:
            # The data need not lie in the order of the index.
            found = self.store[offset:].split(b"\0", count)
        if len(found) <= count:
            raise self.damaged(tag)
        return found[:count]

    def string(self, tag: int, default: bytes = b"") -> bytes:
        """The first string of a tag."""
        if tag not in self.index:
            return default
        kind, offset, _count, _end = self.index[tag]
        end = self.store.find(b"\0", offset)
        if kind not in _STRINGS or end < 0:
            raise self.damaged(tag)
        return self.store[offset:end]

    def ints(self, tag: int) -> tuple[int, ...]:
        """All numbers of a tag; empty without it."""
        if tag not in self.index:
            return ()
        kind, offset, count, _end = self.index[tag]
        if kind not in _INTS or offset + count * _WIDTHS[kind] > len(self.store):
            raise self.damaged(tag)
        return struct.unpack_from(">%d%s" % (count, _INTS[kind]), self.store, offset)

    def number(self, *tags: int, default: int = 0) -> int:
        """The first number of the first of ``tags`` that is there."""
        for tag in tags:
            if tag in self.index:
                return self.ints(tag)[0]
        return default

    def binary(self, tag: int) -> bytes:
        """Raw bytes of a binary tag; empty without it."""
        if tag not in self.index:
            return b""
        kind, offset, count, _end = self.index[tag]
        if kind != _BINARY or offset + count > len(self.store):
            raise self.damaged(tag)
        return self.store[offset : offset + count]

    def data(self, tag: int) -> bytes:
        """The bytes of a tag of any type as they lie in the store."""
        kind, offset, count, _end = self.index[tag]
        if kind in _STRINGS:
            return b"".join(text + b"\0" for text in self.strings(tag))
        if offset + count * _WIDTHS.get(kind, 0) > len(self.store):
            raise self.damaged(tag)
        return self.store[offset : offset + count * _WIDTHS.get(kind, 0)]

    def value(self, tag: int) -> Value:
        """The decoded value of a tag of any type."""
        kind = self.index[tag][0]
        if kind in _INTS:
            return self.ints(tag)
        if kind == _STRING:
            return self.string(tag)
        return self.strings(tag) if kind in _STRINGS else self.data(tag)


def body_counts(body: bytes, name: str) -> tuple[int, int]:
    """Number of index entries and of store bytes, judged before anything of that size is read."""
    if len(body) < 8:
        raise bad(name, "header truncated")
    entries, size = struct.unpack_from(">II", body)
    if entries > _MOST_ENTRIES or size > _LARGEST_STORE:
        raise bad(name, "absurd header: %d entries, %d bytes" % (entries, size))
    return entries, size


@dataclass(frozen=True)
class Rpm:
    """The front of a package file: its headers and where they lie in the file."""

    path: str
    size: int
    signature: Header
    header: Header
    header_start: int
    payload_start: int


class _Front:
    """Reads a file as far as the headers reach, in one read for ordinary packages."""

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self.handle = handle
        self.size = os.fstat(handle).st_size
        self.data = os.read(handle, _FIRST_READ)

    def upto(self, end: int) -> None:
        if end > self.size:
            raise bad(self.path, "truncated: %d bytes, its headers alone need %d" % (self.size, end))
        while len(self.data) < end:
            more = os.read(self.handle, end - len(self.data))
            if not more:
                raise bad(self.path, "truncated while being read")
            self.data += more

    def header(self, start: int) -> Header:
        self.upto(start + 16)
        if self.data[start : start + 8] != MAGIC:
            raise bad(self.path, "no header at byte %d" % start)
        entries, size = body_counts(self.data[start + 8 : start + 16], self.path)
        end = start + 16 + 16 * entries + size
        self.upto(end)
        return Header(self.data[start + 8 : end], self.path)


def _parse(front: _Front) -> Rpm:
    if front.size == 0:
        raise bad(front.path, "empty file")
    if not front.data.startswith(LEAD):
        raise bad(front.path, "not an RPM package")
    signature = front.header(LEAD_SIZE)
    start = (LEAD_SIZE + 8 + len(signature.body) + 7) & ~7
    header = front.header(start)
    rpm = Rpm(front.path, front.size, signature, header, start, start + 8 + len(header.body))
    _check_size(rpm)
    return rpm


def _check_size(rpm: Rpm) -> None:
    """The signature tells the bytes that follow it: 270 (64 bit) or 1000."""
    told = rpm.signature.number(270, 1000)
    if told and rpm.header_start + told != rpm.size:
        state = "truncated" if rpm.header_start + told > rpm.size else "too long"
        raise bad(rpm.path, "%s: %d bytes instead of %d" % (state, rpm.size, rpm.header_start + told))


def read_rpm(path: str) -> Rpm:
    """Headers of a package file; ClusterError names the file when it is no complete package."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (path, error.strerror), "check the file and its permissions")
    try:
        return _parse(_Front(path, handle))
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (path, error.strerror), "check the file and its permissions")
    finally:
        os.close(handle)
