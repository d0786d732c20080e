# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenPGP packets that we write: signatures, armor, public keys out of secret ones. Private to the collection.

Format: RFC 4880 and RFC 9580. A version 4 signature covers the data, its own hashed part, and a trailer with the length
of that part.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import typing as t
from dataclasses import dataclass

from .._errors import ClusterError

DIGESTS = {"sha256": 8, "sha384": 9, "sha512": 10}
RSA, EDDSA = 1, 22
_SIGNATURE, _SECRET, _PUBLIC, _USER, _SECRET_SUB, _PUBLIC_SUB = 2, 5, 6, 13, 7, 14


@dataclass(frozen=True)
class Draft:
    """A signature that still lacks its numbers: ``value`` is the digest that the key has to sign."""

    hashed: bytes
    unhashed: bytes
    value: bytes


def _subpacket(kind: int, data: bytes) -> bytes:
    return bytes([len(data) + 1, kind]) + data


def draft(data: t.Any, algorithm: int, digest: str, fingerprint: str, created: int, text: bool = False) -> Draft:
    """A signature of a document; ``data`` is a hashlib object that has seen it, of kind ``digest``.

    With ``text`` it is one of a text, which ``data`` has seen with CR LF as line ends.
    """
    key = bytes.fromhex(fingerprint)
    area = _subpacket(33, b"\4" + key) + _subpacket(2, struct.pack(">I", created))
    hashed = bytes([4, int(text), algorithm, DIGESTS[digest]]) + struct.pack(">H", len(area)) + area
    loose = _subpacket(16, key[-8:])
    return Draft(hashed, struct.pack(">H", len(loose)) + loose, covered(data, hashed))


def covered(data: t.Any, hashed: bytes) -> bytes:
    """The digest of the document, the hashed part of the signature and the trailer."""
    state = data.copy()
    state.update(hashed + b"\4\xff" + struct.pack(">I", len(hashed)))
    return bytes(state.digest())


def mpi(value: bytes) -> bytes:
    """A number with the count of its bits in front."""
    value = value.lstrip(b"\0")
    return struct.pack(">H", int.from_bytes(value, "big").bit_length()) + value


def framed(kind: int, body: bytes) -> bytes:
    """A packet with a header of the old format, which every program reads."""
    for width, size in enumerate((1, 2, 4)):
        if len(body) < 1 << (8 * size):
            return bytes([0x80 | kind << 2 | width]) + len(body).to_bytes(size, "big") + body
    raise ClusterError("a packet of %d bytes" % len(body))


def finished(one: Draft, values: t.Iterable[bytes]) -> bytes:
    """The signature packet from a draft and its numbers."""
    body = one.hashed + one.unhashed + one.value[:2] + b"".join(map(mpi, values))
    return framed(_SIGNATURE, body)


def _crc24(data: bytes) -> int:
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _bit in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc & 0xFFFFFF


def armor(data: bytes, title: str) -> bytes:
    """``data`` as text between BEGIN and END lines of PGP ``title``."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    check = "=" + base64.b64encode(_crc24(data).to_bytes(3, "big")).decode()
    return "\n".join(["-----BEGIN PGP %s-----" % title, "", *lines, check, "-----END PGP %s-----" % title, ""]).encode()


def dearmor(data: bytes) -> bytes:
    """The packets of an armored text, or ``data`` itself when it is binary already; ValueError when damaged."""
    start = data.find(b"-----BEGIN PGP ")
    if start < 0:
        return data
    _head, _blank, rest = data[start:].replace(b"\r\n", b"\n").partition(b"\n\n")
    text, end, _more = rest.partition(b"-----END PGP ")
    if not end:
        raise ValueError("truncated")
    lines = [line for line in text.split(b"\n") if not line.startswith(b"=")]
    return base64.b64decode(b"".join(lines), validate=True)


def packets(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """Kind and body of each packet; ValueError when they are cut or have no definite length."""
    at = 0
    while at < len(data):
        head, at = data[at], at + 1
        first = data[at] if at < len(data) else 0
        if not head & 0x80 or (not head & 0x40 and head & 3 == 3) or (head & 0x40 and 224 <= first < 255):
            raise ValueError("no OpenPGP packets")
        if not head & 0x40:
            kind, width = head >> 2 & 15, 1 << (head & 3)
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        elif first < 192:
            kind, size, at = head & 63, first, at + 1
        elif first < 224:
            kind, size, at = head & 63, (first - 192 << 8) + int.from_bytes(data[at + 1 : at + 2], "big") + 192, at + 2
        else:
            kind, size, at = head & 63, int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
        if at + size > len(data):
            raise ValueError("truncated")
        yield kind, data[at : at + size]
        at += size


@dataclass(frozen=True)
class SecretKey:
    """An unprotected secret key: its public ``numbers`` (RSA: n, e; Ed25519: the point) and secret ones."""

    fingerprint: str
    algorithm: int
    numbers: tuple[int, ...]
    secrets: tuple[int, ...]


def _mpis(data: bytes, at: int, count: int) -> tuple[tuple[int, ...], int]:
    found = []
    for _number in range(count):
        if at + 2 > len(data):
            raise ValueError("truncated")
        size = (int.from_bytes(data[at : at + 2], "big") + 7) // 8
        found.append(int.from_bytes(data[at + 2 : at + 2 + size], "big"))
        at += 2 + size
    return tuple(found), at


def _public_end(body: bytes) -> tuple[tuple[int, ...], int]:
    """Public numbers of a key packet and where the secret part begins."""
    if len(body) < 7 or body[0] != 4 or body[5] not in (RSA, EDDSA):
        raise ValueError("no RSA or Ed25519 key of version 4")
    if body[5] == RSA:
        return _mpis(body, 6, 2)
    return _mpis(body, 7 + body[6], 1)


def fingerprint_of(public: bytes) -> str:
    """Fingerprint (40 hex digits, capital) of a version 4 public key packet's body."""
    return hashlib.sha1(b"\x99" + struct.pack(">H", len(public)) + public).hexdigest().upper()


def secret_keys(data: bytes) -> dict[str, SecretKey]:
    """The signing keys of an exported secret key by fingerprint; ValueError when it is none or protected."""
    found = {}
    for kind, body in packets(dearmor(data)):
        if kind not in (_SECRET, _SECRET_SUB) or body[5:6] not in (b"\1", b"\x16"):
            continue
        numbers, end = _public_end(body)
        if body[end : end + 1] != b"\0":
            raise ValueError("protected by a passphrase")
        secrets, stop = _mpis(body, end + 1, 4 if body[5] == RSA else 1)
        if int.from_bytes(body[stop : stop + 2], "big") != sum(body[end + 1 : stop]) & 0xFFFF:
            raise ValueError("damaged")
        name = fingerprint_of(body[:end])
        found[name] = SecretKey(name, body[5], numbers, secrets)
    if not found:
        raise ValueError("no secret key")
    return found


def public_part(data: bytes) -> bytes:
    """The armored public key of an exported secret key; of a public one the same."""
    kept = []
    for kind, body in packets(dearmor(data)):
        if kind in (_SECRET, _SECRET_SUB):
            _numbers, end = _public_end(body)
            kept.append(framed(_PUBLIC if kind == _SECRET else _PUBLIC_SUB, body[:end]))
        elif kind in (_PUBLIC, _PUBLIC_SUB, _USER, _SIGNATURE):
            kept.append(framed(kind, body))
    return armor(b"".join(kept), "PUBLIC KEY BLOCK")
