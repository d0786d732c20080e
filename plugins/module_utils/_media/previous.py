# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the last run wrote, to be used again for packages that did not change. Private to the collection."""

from __future__ import annotations

import typing as t

from .compress import decompress
from .packdrake import Archive, Member, parse_packdrake
from .scan import State
from .synthesis import split_records
from .xmlinfo import split_xml


def nvra_of(text: bytes) -> bytes:
    """The NVRA of a synthesis record."""
    return text[text.rindex(b"@info@") + 6 :].partition(b"@")[0].rstrip(b"\n")


class Previous:
    """Rendered parts of the packages of a medium, by NVRA, and the packed blocks of its hdlist."""

    def __init__(self, state: State, files: t.Mapping[str, bytes], kinds: t.Sequence[str], host: t.Any) -> None:
        """``files`` are the files of the medium, whose digests the caller has compared with the state."""
        synthesis = decompress(files["synthesis.hdlist.cz"], "synthesis.hdlist.cz", host)
        self.texts = {nvra_of(text): text for text in split_records(synthesis)}
        names = {kind: "%s.xml.lzma" % kind for kind in kinds}
        self.elements = {kind: split_xml(decompress(files[names[kind]], names[kind], host)) for kind in kinds}
        self.archive: Archive | None = parse_packdrake(files["hdlist.cz"]) if "hdlist.cz" in files else None
        self._members: dict[bytes, Member] = {}
        self._block: tuple[int, bytes] = (-1, b"")
        if self.archive:
            self._members = {member.name: member for member in self.archive.members}
        self._digests = {known.nvra: known.digest for known in state.packages.values()}

    def packed(self) -> dict[tuple[str, ...], bytes]:
        """Each block by the digests of its headers."""
        if self.archive is None:
            return {}
        groups: dict[tuple[int, int], list[str]] = {}
        for member in sorted(self.archive.members, key=lambda one: (one.block, one.offset)):
            groups.setdefault((member.block, member.block_size), []).append(self._digests.get(member.name, ""))
        data = self.archive.data
        return {tuple(digests): data[at : at + size] for (at, size), digests in groups.items()}

    def header(self, nvra: bytes) -> bytes:
        """The header of a package as hdlist.cz holds it."""
        member = self._members[nvra]
        if self.archive is None:
            raise KeyError(nvra)
        if self._block[0] != member.block:
            self._block = (member.block, self.archive.unpack(member.block, member.block_size))
        return self._block[1][member.offset : member.offset + member.size]
