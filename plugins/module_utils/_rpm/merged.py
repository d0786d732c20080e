# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The header as rpm's library hands it out: main header plus values of the signature header. Private.

Layout found in the output of rpm 4.18: the main header stays as it is; the mapped signature tags follow it, in index
and store, sorted by their new number, each aligned to its type.
"""

from __future__ import annotations

import struct

from .header import MAGIC, Rpm

# Signature tag -> number in the merged header. A tag that the main header has already wins.
_MAPPED = {
    1000: 257,  # size of header and payload
    1002: 259,  # OpenPGP, RSA, header and payload
    1004: 261,  # MD5
    1005: 262,  # OpenPGP, DSA, header and payload
    1007: 1046,  # uncompressed payload
    267: 267,  # OpenPGP, DSA or EdDSA, header
    268: 268,  # OpenPGP, RSA, header
    269: 269,  # SHA-1
    270: 270,  # size, 64 bit
    271: 271,  # uncompressed payload, 64 bit
    273: 273,  # SHA-256
    274: 5090,  # file signatures
    275: 5091,  # length of a file signature
    276: 276,  # verity signatures
    277: 277,  # verity algorithm
}
_ALIGN = {3: 2, 4: 4, 5: 8}


def merged_body(rpm: Rpm) -> bytes:
    """Counts, index and store of the merged header."""
    header, signature = rpm.header, rpm.signature
    added = sorted((_MAPPED[tag], tag) for tag in signature.index if tag in _MAPPED and _MAPPED[tag] not in header)
    index: list[bytes] = []
    store = bytearray(header.store)
    for new, old in added:
        kind, _offset, count, _end = signature.index[old]
        store += b"\0" * (-len(store) % _ALIGN.get(kind, 1))
        index.append(struct.pack(">4I", new, kind, len(store), count))
        store += signature.data(old)
    counts = struct.pack(">II", header.count + len(index), len(store))
    return b"".join((counts, header.body[8 : 8 + 16 * header.count], *index, store))


def merged_header(rpm: Rpm) -> bytes:
    """The merged header with its magic, as hdlist files hold it."""
    return MAGIC + merged_body(rpm)
