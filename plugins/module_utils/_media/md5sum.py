# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``MD5SUM``: the digests of the files of a medium. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import re
import typing as t

from .._host.errors import ClusterError

_LINE = re.compile(r"([0-9a-f]{32}) [ *]([^/\n]+)")


def md5(data: bytes) -> str:
    """Hex MD5; the format asks for it, nothing is secured by it."""
    try:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    except TypeError:
        # Python 3.8 has no such keyword.
        return hashlib.md5(data).hexdigest()


def render_md5sum(digests: t.Mapping[str, str]) -> bytes:
    """File name to digest, in the order of the mapping."""
    return "".join("%s  %s\n" % (digest, name) for name, digest in digests.items()).encode()


def parse_md5sum(text: bytes, name: str = "MD5SUM") -> dict[str, str]:
    """File name to digest; ClusterError names the line."""
    found = {}
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ClusterError("%s: bad line %d: %s" % (name, number, line[:80]), "build the media_info again")
        found[match.group(2)] = match.group(1)
    return found
