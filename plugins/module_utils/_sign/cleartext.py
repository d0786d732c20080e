# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that carry their own signature: one file, which changes in one step. This module util is private.

Format: RFC 9580, cleartext signature framework. A line that begins with a dash is escaped by ``- ``. Signed are the
lines without blanks at their ends, joined by CR LF; the line end before the signature is no part of the text.
"""

from __future__ import annotations

import re

from .._errors import ClusterError

HEAD = b"-----BEGIN PGP SIGNED MESSAGE-----"
_MESSAGE = re.compile(
    re.escape(HEAD) + rb"\n(?:Hash: [A-Za-z0-9, -]+\n)*\n((?:(?!-----).*\n)*)"
    rb"(-----BEGIN PGP SIGNATURE-----\n(?:(?!-----).*\n)+-----END PGP SIGNATURE-----)\s*"
)


def lines_of(text: bytes) -> list[bytes]:
    """The lines as they are signed."""
    body = text[:-1] if text.endswith(b"\n") else text
    return [line.rstrip(b" \t\r") for line in body.split(b"\n")]


def canonical(text: bytes) -> bytes:
    """What a signature of ``text`` covers."""
    return b"\r\n".join(lines_of(text))


def render_clear(text: bytes, digest: str, signature: bytes) -> bytes:
    """One file of a text and its armored ``signature``, made with ``digest`` of the canonical text."""
    body = b"".join((b"- " + line if line.startswith(b"-") else line) + b"\n" for line in lines_of(text))
    return b"%s\nHash: %s\n\n%s%s" % (HEAD, digest.upper().encode(), body, signature)


def is_clear(data: bytes) -> bool:
    return data.startswith(HEAD)


def parse_clear(data: bytes, name: str) -> tuple[bytes, bytes]:
    """Text and armored signature; ClusterError for anything that is not exactly one signed text.

    The text ends with a line end. Nothing is verified here: a signature of the text without its last line end, in the
    text mode of OpenPGP, is what has to be good.
    """
    found = _MESSAGE.fullmatch(data.replace(b"\r\n", b"\n"))
    if found is None:
        raise ClusterError("%s is no signed text" % name, "it was damaged, or somebody added to it")
    lines = found.group(1).split(b"\n")[:-1]
    if any(line.startswith(b"-") and not line.startswith(b"- ") for line in lines):
        raise ClusterError("%s is no signed text" % name, "it was damaged, or somebody added to it")
    plain = [(line[2:] if line.startswith(b"- ") else line).rstrip(b" \t") for line in lines]
    return b"".join(line + b"\n" for line in plain), found.group(2) + b"\n"
