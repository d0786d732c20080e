# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identifiers of OpenPGP public keys, as ``key-ids`` lists them. This module util is private to the collection.

RFC 4880: armor (6.2), packet headers (4.2), fingerprint of version 4 keys (12.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re

from .._host.errors import ClusterError
from .._host.host import Host

_ARMOR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+:[^\r\n]*\r?\n)*\s*\n(.*?)(?:\n=[A-Za-z0-9+/]{4}\s*)?\n?"
    rb"-----END PGP PUBLIC KEY BLOCK-----",
    re.S,
)
_PUBLIC_KEY = 6


def _packet(data: bytes) -> tuple[int, bytes]:
    """Tag and body of the first packet; IndexError or ValueError when it is cut off."""
    head = data[0]
    if not head & 0x80:
        raise ValueError("no packet")
    if head & 0x40:
        first = data[1]
        if first < 192:
            start, size = 2, first
        elif first < 224:
            start, size = 3, ((first - 192) << 8) + data[2] + 192
        else:
            start, size = 6, int.from_bytes(data[2:6], "big")
        tag = head & 0x3F
    else:
        width = (1, 2, 4)[head & 3]
        start, size, tag = 1 + width, int.from_bytes(data[1 : 1 + width], "big"), head >> 2 & 15
    body = data[start : start + size]
    if len(body) != size:
        raise ValueError("cut off")
    return tag, body


def key_ids_of(armored: bytes, name: str) -> list[str]:
    """The last 8 hex digits of each key in the file; ClusterError when one is garbage or none is there."""
    found = []
    try:
        for match in _ARMOR.finditer(armored):
            tag, body = _packet(base64.b64decode(b"".join(match.group(1).split()), validate=True))
            if tag != _PUBLIC_KEY or body[0] != 4:
                raise ValueError("no version 4 public key")
            found.append(hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest()[-8:])
    except (ValueError, IndexError, OverflowError, binascii.Error) as error:
        raise ClusterError("%s is no OpenPGP public key: %s" % (name, error), "export it with gpg --armor --export")
    if not found:
        raise ClusterError("%s is no armored OpenPGP public key" % name, "export it with gpg --armor --export")
    return found


def import_of(path: str, root: str) -> list[str]:
    """The command that makes rpm know a key."""
    return ["rpm", "--root", root, "--import", path]


def is_imported(key: bytes, root: str, host: Host) -> bool:
    """Whether rpm knows the key. Where it has no database yet it is not asked, as asking would make one."""
    names = ["gpg-pubkey-" + one for one in key_ids_of(key, "the key")]
    folder = host.run(["rpm", "--eval", "%{_dbpath}"]).stdout.strip()
    if not host.listdir(os.path.join(root, folder.lstrip("/"))):
        return False
    return host.run(["rpm", "--root", root, "-q", *names], check=False).rc == 0
