# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a medium and the names of its files. This module util is private to the collection."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._host.errors import ClusterError
from .compress import KINDS
from .synthesis import LINE_LIMIT
from .xmlinfo import KINDS as XML_KINDS

HDLIST, SYNTHESIS, MD5SUM, PUBKEY = "hdlist.cz", "synthesis.hdlist.cz", "MD5SUM", "pubkey"
# Of MD5SUM, made by somebody else.
SIGNATURE = "MD5SUM.asc"
XML = {kind: "%s.xml.lzma" % kind for kind in XML_KINDS}
OWNED = (HDLIST, SYNTHESIS, *XML.values(), MD5SUM)
WORK = ".media_info"
_KEY_HEAD = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


@dataclass(frozen=True)
class Options:
    """What the media files of ``path`` are to be. ``file_deps`` are paths that other media require.

    ``synthesis`` and ``xml`` are compressors; hdlist.cz is always gzip, as no client reads anything else.
    ``version`` is the time stamp for the links of a versioned medium, empty for none.
    """

    path: str
    xml_info: bool = True
    hdlist: bool = True
    synthesis: str = "gzip"
    xml: str = "lzma"
    file_deps: frozenset[bytes] = frozenset()
    line_limit: int = LINE_LIMIT
    weak_tag: bytes = b"suggests"
    version: str = ""
    skip_bad: bool = False
    allow_empty: bool = False
    pubkey: bytes | None = None

    @property
    def folder(self) -> str:
        """The real folder of the media files."""
        return os.path.realpath(os.path.join(self.path, "media_info"))

    @property
    def work(self) -> str:
        """Where the lock, the state and the next set are; on the same file system as the media files."""
        return os.path.join(os.path.dirname(self.folder), WORK)

    @property
    def kinds(self) -> tuple[str, ...]:
        return XML_KINDS if self.xml_info else ()

    def text(self) -> str:
        """Everything that the content depends on beside the packages."""
        parts = (self.xml_info, self.hdlist, self.synthesis, self.xml, self.line_limit, self.weak_tag, self.skip_bad)
        return repr((parts, sorted(self.file_deps)))

    def check(self) -> None:
        for name, kind in (("synthesis", self.synthesis), ("xml_info", self.xml)):
            if kind not in KINDS:
                raise ClusterError("compression of %s: unknown %r" % (name, kind), "one of " + ", ".join(KINDS))
        if self.pubkey is not None and _KEY_HEAD not in self.pubkey:
            raise ClusterError("the pubkey for %s is no armored OpenPGP public key" % self.path, "gpg --armor --export")
