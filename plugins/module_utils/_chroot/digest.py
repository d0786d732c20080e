# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digest of a tarball against a list that came with it. This module util is private to the collection.

Lists as md5sum, sha1sum and sha256sum write them (hex digits, a blank, a blank or ``*``, the name), in the BSD form
``SHA256 (name) = hex``, or a file with the digest alone. The number of digits tells the kind.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re

from .._host.errors import ClusterError

KINDS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_GNU = re.compile(r"\\?([0-9a-fA-F]+)(?: [ *](.+))?")
_BSD = re.compile(r"[A-Z0-9-]+ \((.+)\) = ([0-9a-fA-F]+)")


def kind_of(digest: str, where: str) -> str:
    """Name of the digest by its length; ClusterError for what is none."""
    if len(digest) not in KINDS or not re.fullmatch(r"[0-9a-fA-F]+", digest):
        raise ClusterError("%s: %r is no md5, sha1, sha256 or sha512 in hex" % (where, digest[:80]), "correct it")
    return KINDS[len(digest)]


def parse_list(text: str, where: str) -> dict[str, str]:
    """Base name to digest; a digest without a name stands under the empty name. ClusterError names the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "-----", "Hash:")):
            continue
        gnu, bsd = _GNU.fullmatch(line), _BSD.fullmatch(line)
        if not gnu and not bsd:
            raise ClusterError(
                "%s:%d is no line of a digest list: %r" % (where, number, line[:80]), "as md5sum writes it"
            )
        digest, name = (bsd.group(2), bsd.group(1)) if bsd else (gnu.group(1), gnu.group(2) or "") if gnu else ("", "")
        kind_of(digest, "%s:%d" % (where, number))
        base = os.path.basename(name)
        if len(digest) >= len(found.get(base, "")):
            found[base] = digest.lower()
    return found


def wanted_digest(tarball: str, digest: str, sums: str, read: bytes | None) -> str:
    """The digest that the tarball has to have: given, or from the list ``sums`` with the content ``read``."""
    if digest:
        kind_of(digest, "digest")
        return digest.lower()
    if not sums:
        raise ClusterError(
            "no digest for the tarball %s" % tarball, "set sums, a list of md5sum or sha256sum, or digest"
        )
    if read is None:
        raise ClusterError("there is no digest list %s" % sums, "fetch it beside the tarball")
    rows = parse_list(read.decode("utf-8", "replace"), sums)
    name = os.path.basename(tarball)
    if name in rows:
        return rows[name]
    if set(rows) == {""}:
        return rows[""]
    near = difflib.get_close_matches(name, [row for row in rows if row], 3)
    raise ClusterError(
        "%s does not name %s" % (sums, name), "it has %s" % ", ".join(near or sorted(rows)[:5] or ["no line"])
    )


def file_digest(path: str, kind: str) -> str:
    """Hex digest of a file; ClusterError when it cannot be read."""
    # The weak kinds only tell damage from download; old lists have nothing else.
    digest = hashlib.new(kind)
    try:
        with open(path, "rb", buffering=0) as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise ClusterError("cannot read the tarball %s: %s" % (path, error.strerror), "fetch it first")
    return digest.hexdigest()


def check_tarball(path: str, wanted: str) -> None:
    """ClusterError unless the file has the digest ``wanted``."""
    kind = kind_of(wanted, "digest")
    found = file_digest(path, kind)
    if found != wanted:
        raise ClusterError(
            "%s is damaged or another file: its %s is %s, not %s" % (path, kind, found, wanted), "fetch it again"
        )
