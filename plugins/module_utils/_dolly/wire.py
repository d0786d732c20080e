# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Frames of the chain dialect, version 1 (TCP 9995). This module util is private to the collection.

A frame is a header of 20 bytes and a body::

    magic "xd" | version u8 | kind u8 | length u32 | offset u64 | crc32 u32      (big endian)

``crc32`` covers the first 16 bytes of the header and the body. ``offset`` is the place of a DATA body in the image and
0 elsewhere. A DATA body holds image bytes (at most 1 MiB); every other body is a list of ``key=value`` lines in UTF-8.

Every node listens; the server holds a control connection to each; each node feeds the next one by a data connection::

    caller  HELLO      role control|query|data, session, sha256, size, silence (ms), to (name of the callee), nonce
    callee  CHALLENGE  name, auth none|hmac, nonce
    caller  AUTH       proof
    callee  WELCOME    name, proof, offset (data: the first byte wanted)
    control and query  callee STATUS  state, bytes, ms, digest, reason, plan, next, next_state, next_reason
                       caller PLAN    plan, next_name, next_address, next_port (whom to feed; a later one replaces it)
                       caller END     all is done, or ABORT  reason
    data               caller DATA ... END               callee  END  (all is here), or ABORT  reason
    both directions    BEAT when nothing else was sent for a second
"""

from __future__ import annotations

import struct
import typing as t
import zlib

from .errors import WireError

PORT = 9995
VERSION = 1
MAGIC = b"xd"
HEADER = struct.Struct(">2sBBIQI")
HEAD = struct.Struct(">2sBBIQ")
MAX_BLOCK = 1 << 20
MAX_TEXT = 1 << 16

HELLO, CHALLENGE, AUTH, WELCOME, PLAN, DATA, END, ABORT, BEAT, STATUS = range(1, 11)
NAMES = ("", "HELLO", "CHALLENGE", "AUTH", "WELCOME", "PLAN", "DATA", "END", "ABORT", "BEAT", "STATUS")

Fields = t.Dict[str, str]


class Header(t.NamedTuple):
    """The first 20 bytes of a frame."""

    kind: int
    length: int
    offset: int
    crc: int


class Frame(t.NamedTuple):
    """A whole frame; ``body`` of a received frame is valid until the next one is read."""

    kind: int
    offset: int
    body: memoryview
    crc: int

    @property
    def fields(self) -> Fields:
        """The body as fields (WireError when it is none)."""
        return parse_fields(bytes(self.body))


def checksum(kind: int, offset: int, body: t.Any) -> int:
    """crc32 of a frame."""
    return zlib.crc32(body, zlib.crc32(HEAD.pack(MAGIC, VERSION, kind, len(body), offset)))


def pack_header(kind: int, length: int, offset: int, crc: int) -> bytes:
    """The 20 bytes before a body."""
    return HEADER.pack(MAGIC, VERSION, kind, length, offset, crc)


def pack(kind: int, fields: t.Mapping[str, object] | None = None) -> bytes:
    """A whole text frame."""
    body = render_fields(fields or {})
    return pack_header(kind, len(body), 0, checksum(kind, 0, body)) + body


def pack_data(offset: int, body: bytes) -> bytes:
    """A whole DATA frame."""
    return pack_header(DATA, len(body), offset, checksum(DATA, offset, body)) + body


def unpack_header(raw: bytes) -> Header:
    """Read a header; WireError when it cannot be one of ours."""
    magic, version, kind, length, offset, crc = HEADER.unpack(raw)
    if magic != MAGIC:
        raise WireError("these bytes are not the chain dialect: %r" % raw[:8])
    if version != VERSION:
        raise WireError("the peer speaks version %d of the chain dialect, this is version %d" % (version, VERSION))
    if not HELLO <= kind <= STATUS:
        raise WireError("unknown frame kind %d" % kind)
    if length > (MAX_BLOCK if kind == DATA else MAX_TEXT):
        raise WireError("a %s frame of %d bytes is too long" % (NAMES[kind], length))
    return Header(kind, length, offset, crc)


def verify(head: Header, body: memoryview) -> Frame:
    """The frame of a header and its body; WireError when the crc32 is wrong."""
    if len(body) != head.length or checksum(head.kind, head.offset, body) != head.crc:
        raise WireError("crc32 of a %s frame at offset %d is wrong" % (NAMES[head.kind], head.offset))
    return Frame(head.kind, head.offset, body, head.crc)


def render_fields(fields: t.Mapping[str, object]) -> bytes:
    """``key=value`` lines; line ends inside a value become blanks."""
    lines = ["%s=%s\n" % (key, " ".join(str(value).splitlines())) for key, value in fields.items()]
    return "".join(lines).encode("utf-8", "replace")[:MAX_TEXT]


def parse_fields(body: bytes) -> Fields:
    """The inverse of :func:`render_fields`."""
    fields: Fields = {}
    for line in body.decode("utf-8", "replace").splitlines():
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise WireError("not a key=value line: %r" % line[:80])
        fields[key] = value
    return fields


def number(fields: t.Mapping[str, str], key: str, default: int = 0) -> int:
    """A non-negative integer field."""
    text = fields.get(key, "")
    if not text:
        return default
    # isdigit() alone also takes digits that int() does not.
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise WireError("field %s is not a number: %r" % (key, text[:40]))
    return int(text)
