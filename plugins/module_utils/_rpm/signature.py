# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of RPM packages: who signed, and how to put other signatures in. Private to the collection.

Packets are those of OpenPGP (RFC 4880 and 9580, section on signature packets). The signature header has reserved
space (tag 1008), so that a signature is put in or taken out without moving the payload; the layout is rpm's: values in
the order of their tags, the region trailer last.
"""

from __future__ import annotations

import os
import struct
import typing as t
from dataclasses import dataclass

from .._errors import ClusterError
from .header import LEAD_SIZE, MAGIC, Rpm, bad

# Tag of the signature header -> what it covers.
SIGNATURE_TAGS = {267: "header", 268: "header", 1002: "header+payload", 1005: "header+payload"}
ALGORITHMS = {1: "rsa", 3: "rsa", 17: "dsa", 19: "ecdsa", 22: "eddsa", 27: "ed25519", 28: "ed448"}
DIGESTS = {1: "md5", 2: "sha1", 3: "ripemd160", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
# Tag for a header signature made with an algorithm.
_TAG_OF = {"rsa": 268}
_REGION, _RESERVED, _BINARY, _ALIGN = 62, 1008, 7, {3: 2, 4: 4, 5: 8}


@dataclass(frozen=True)
class Signature:
    """One signature: ``key_id`` 16 hex digits, ``fingerprint`` 40 or 64, or empty where the packet tells none."""

    tag: int
    covers: str
    algorithm: str
    digest: str
    key_id: str
    fingerprint: str
    created: int


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length of the new packet format or of a subpacket, and the place after it."""
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 255:
        return ((first - 192) << 8) + data[at + 1] + 192, at + 2
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5


def _packet(data: bytes) -> bytes:
    """Body of the first packet, which has to be a signature."""
    head = data[0]
    if head & 0x40:
        kind = head & 0x3F
        size, at = _length(data, 1)
    else:
        kind, width = (head >> 2) & 0x0F, 1 << (head & 3)
        size, at = (int.from_bytes(data[1 : 1 + width], "big"), 1 + width) if width < 8 else (len(data) - 1, 1)
    if kind != 2 or len(data) < at + size:
        raise IndexError
    return data[at : at + size]


def _subpackets(area: bytes) -> t.Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(area):
        size, at = _length(area, at)
        if size < 1 or at + size > len(area):
            raise IndexError
        yield area[at] & 0x7F, area[at + 1 : at + size]
        at += size


def _areas(body: bytes) -> t.Iterator[tuple[int, bytes]]:
    width = 4 if body[0] == 6 else 2
    at = 4
    for _hashed in (True, False):
        size = int.from_bytes(body[at : at + width], "big")
        area = body[at + width : at + width + size]
        if len(area) < size:
            raise IndexError
        yield from _subpackets(area)
        at += width + size


def parse_packet(data: bytes, tag: int = 268) -> Signature:
    """A signature packet; IndexError when it is damaged."""
    body = _packet(data)
    covers = SIGNATURE_TAGS.get(tag, "")
    if body[0] == 3:
        created, key = struct.unpack_from(">I8s", body.ljust(17, b"\0"), 3)
        kind, digest = body[15], body[16]
        return Signature(tag, covers, _algorithm(kind), _digest(digest), key.hex(), "", created)
    if body[0] not in (4, 5, 6):
        raise IndexError
    found = dict(reversed(list(_areas(body))))
    fingerprint = found.get(33, b"")[1:].hex()
    key_id = found.get(16, b"").hex() or (fingerprint[-16:] if body[0] == 4 else fingerprint[:16])
    created = int.from_bytes(found.get(2, b""), "big")
    return Signature(tag, covers, _algorithm(body[2]), _digest(body[3]), key_id, fingerprint, created)


def _algorithm(number: int) -> str:
    return ALGORITHMS.get(number, "algorithm %d" % number)


def _digest(number: int) -> str:
    return DIGESTS.get(number, "digest %d" % number)


def signatures(rpm: Rpm) -> list[Signature]:
    """Every signature of a package, by tag; ClusterError when one cannot be read."""
    try:
        return [parse_packet(rpm.signature.binary(tag), tag) for tag in sorted(SIGNATURE_TAGS) if tag in rpm.signature]
    except IndexError:
        raise bad(rpm.path, "its signature is damaged")


def is_signed_by(rpm: Rpm, key: str) -> bool:
    """Whether a signature names ``key``, a fingerprint or a key id of 16 (or 8) hex digits in either case."""
    key = key.lower()
    key = key[2:] if key.startswith("0x") else key
    for one in signatures(rpm):
        if one.fingerprint and len(key) >= 40:
            if one.fingerprint == key:
                return True
        elif len(key) >= 8 and key[-16:] == one.key_id[-len(key[-16:]) :]:
            return True
    return False


def header_tag(packet: bytes) -> int:
    """The tag under which a signature of the header is kept."""
    try:
        return _TAG_OF.get(parse_packet(packet).algorithm, 267)
    except IndexError:
        raise ClusterError("not an OpenPGP signature", "the signing program has to give a binary detached signature")


_Item = t.Tuple[int, int, int, bytes]


def _laid_out(items: t.Sequence[_Item]) -> bytes:
    """Counts, index and store of a signature header."""
    store, index = bytearray(), []
    for tag, kind, count, data in items:
        store += b"\0" * (-len(store) % _ALIGN.get(kind, 1))
        index.append(struct.pack(">4I", tag, kind, len(store), count))
        store += data
    size = 16 * (len(index) + 1)
    region = struct.pack(">4I", _REGION, _BINARY, len(store), 16)
    store += struct.pack(">IIiI", _REGION, _BINARY, -size, 16)
    return struct.pack(">II", len(index) + 1, len(store)) + region + b"".join(index) + store


def signature_area(rpm: Rpm, packets: t.Mapping[int, bytes]) -> bytes:
    """The bytes between lead and main header with ``packets`` (tag to packet) as the only signatures.

    As long as before when the reserved space allows it, then the payload need not move; longer otherwise. Without
    reserved space the length is that of the signatures.
    """
    old = rpm.signature
    keep = [tag for tag in old.index if tag not in SIGNATURE_TAGS and tag not in (_REGION, _RESERVED)]
    items: list[_Item] = [(tag, old.index[tag][0], old.index[tag][2], old.data(tag)) for tag in keep]
    items += [(tag, _BINARY, len(packet), packet) for tag, packet in packets.items()]
    items.sort()
    bare = _laid_out(items)
    # A package that has no reserved space gets none: without its signatures it is what it was.
    spare = len(old.body) - len(bare) - 16 if _RESERVED in old else 0
    body = _laid_out([*items, (_RESERVED, _BINARY, spare, b"\0" * spare)]) if spare > 0 else bare
    area = MAGIC + body
    return area + b"\0" * (-len(area) % 8)


def splice(path: str, rpm: Rpm, packets: t.Mapping[int, bytes]) -> None:
    """Write the signatures into the file itself; ClusterError when they do not fit and the payload had to move.

    A file with several links changes under all its names: the caller works on a copy and renames it.
    """
    area = signature_area(rpm, packets)
    if LEAD_SIZE + len(area) != rpm.header_start:
        raise ClusterError("%s has no room for its signature" % path, "copy it with a longer signature header")
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(handle, area, LEAD_SIZE)
        os.fsync(handle)
    finally:
        os.close(handle)
