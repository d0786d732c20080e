# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes' block in /etc/hosts, with the rest of the file left as it is. Private to the collection."""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from .members import Member

BEGIN = "# BEGIN xtreemos.cluster nodes"
END = "# END xtreemos.cluster nodes"
# Debian's installer gives the host's own name this address. Slurm would then listen on it alone, because the resolver
# prefers a loopback address to any other, in whatever order the lines are.
INSTALLER = "127.0.1.1"


def _line(member: Member) -> str:
    names = [member.name] if member.name == member.short else [member.name, member.short]
    return "%s %s\n" % (member.ip, " ".join(names))


def render_block(members: t.Sequence[Member]) -> str:
    """The block with its marks, members in the given order."""
    return "".join([BEGIN + "\n", *map(_line, members), END + "\n"])


def _cut(text: str, path: str) -> tuple[list[str], list[str]]:
    """The lines before and after the block; all of them are before when there is none."""
    lines = text.splitlines(keepends=True)
    marks = [(at, line.strip()) for at, line in enumerate(lines) if line.strip() in (BEGIN, END)]
    if not marks:
        return lines, []
    if [mark for _at, mark in marks] != [BEGIN, END]:
        raise ClusterError(
            "%s line %d: the marks of the block do not match" % (path, marks[0][0] + 1),
            "leave one line %r and, after it, one %r, or neither" % (BEGIN, END),
        )
    return lines[: marks[0][0]], lines[marks[1][0] + 1 :]


def _own(line: str, known: t.Mapping[str, str], place: str) -> str:
    """A line outside of the block, without names that the installer put on loopback."""
    words = line.partition("#")[0].split()
    ours = [name for name in words[1:] if name.lower() in known]
    if not ours or words[0] == known[ours[0].lower()]:
        return line
    if words[0] != INSTALLER:
        raise ClusterError(
            "%s gives %s the address %s, the node list says %s" % (place, ours[0], words[0], known[ours[0].lower()]),
            "correct one of them",
        )
    others = [name for name in words[1:] if name not in ours]
    return "%s %s\n" % (INSTALLER, " ".join(others)) if others else ""


def merge(text: str, members: t.Sequence[Member], path: str = "/etc/hosts") -> str:
    """``text`` with the block of ``members`` in it: where it was, else at the end.

    Names of members lose a 127.0.1.1 line outside of the block; any other address there is a ClusterError.
    """
    known = {name.lower(): member.ip for member in members for name in (member.name, member.short)}
    before, after = _cut(text, path)
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    kept = [
        [_own(line, known, "%s line %d" % (path, at)) for at, line in enumerate(part, start)]
        for part, start in ((before, 1), (after, len(text.splitlines()) - len(after) + 1))
    ]
    return "".join([*kept[0], render_block(members), *kept[1]])
