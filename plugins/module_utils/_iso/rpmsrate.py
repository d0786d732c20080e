# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``rpmsrate``: which packages an installer may choose, by category and rate. This module util is private.

A line is: rate (1 to 6), flags (``CAT_X``, ``LOCALES"fr"``, ``!LAPTOP``, ``A||B``), names of packages. Lines that are
indented more than one above inherit its rate and flags. ``#`` begins a comment.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .lists import Line

_TOKEN = re.compile(r'([1-6](?![^\s])|(?:!\s*)?[A-Z0-9_]*[A-Z][A-Z0-9_]*(?:"[^"]*")?(?![^\s|]))(\s*\|\|\s*|\s*)')


@dataclass(frozen=True)
class Rated:
    """A line of the file. ``flags`` are groups of alternatives, all inherited ones among them."""

    text: str
    indent: int = 0
    head: str = ""
    rate: int = 0
    flags: tuple[tuple[str, ...], ...] = ()
    names: tuple[str, ...] = ()

    def has(self, flag: str) -> bool:
        return any(flag in group for group in self.flags)


def _tokens(text: str) -> tuple[int, list[tuple[str, ...]], int]:
    """Rate (0 without one) and flags at the start of a line, and where they end."""
    groups: list[tuple[str, ...]] = []
    rate, at, joined = 0, 0, False
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            return rate, groups, at
        word = re.sub(r"^!\s+", "!", found.group(1))
        if word.isdigit():
            rate = int(word)
        elif joined:
            groups[-1] = (*groups[-1], word)
        else:
            groups.append((word,))
        joined = "||" in found.group(2)
        at = found.end()


def parse_rpmsrate(data: bytes, name: str = "rpmsrate") -> list[Rated]:
    """Every line, comments and blank ones too; ClusterError names the line with a tab or a name without a rate."""
    rows: list[Rated] = []
    above: list[Rated] = []
    for number, text in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        body = text.partition("#")[0]
        if "\t" in body:
            raise ClusterError("%s line %d: a tab" % (name, number), "indent with blanks")
        if not body.strip():
            rows.append(Rated(text))
            continue
        indent = len(body) - len(body.lstrip())
        above = [one for one in above if one.indent < indent]
        row = _row(text, body, indent, above[-1] if above else Rated(""))
        if row.names and not row.rate:
            raise ClusterError("%s line %d: %s has no rate" % (name, number, row.names[0]), "put 1 to 5 in front")
        above.append(row)
        rows.append(row)
    return rows


def _row(text: str, body: str, indent: int, parent: Rated) -> Rated:
    rate, groups, end = _tokens(body[indent:])
    names = tuple(body[indent + end :].split())
    return Rated(text, indent, body[: indent + end], rate or parent.rate, (*parent.flags, *groups), names)


def render_rpmsrate(rows: t.Iterable[Rated]) -> bytes:
    return "\n".join(row.text for row in rows).encode()


def clean_rpmsrate(rows: t.Sequence[Rated], known: t.Container[str]) -> list[Rated]:
    """The file without packages that are not there; a line that loses all its packages goes unless others need it."""
    found = []
    for at, row in enumerate(rows):
        names = tuple(name for name in row.names if name in known)
        if names == row.names:
            found.append(row)
        elif names:
            found.append(_with(row, row.head + " ".join(names), names))
        elif _has_children(rows, at):
            found.append(_with(row, row.head.rstrip(), ()))
    return found


def _with(row: Rated, text: str, names: tuple[str, ...]) -> Rated:
    return Rated(text, row.indent, row.head, row.rate, row.flags, names)


def _has_children(rows: t.Sequence[Rated], at: int) -> bool:
    after = next((row for row in rows[at + 1 :] if row.head), None)
    return after is not None and after.indent > rows[at].indent


def in_category(rows: t.Sequence[Rated], line: Line) -> list[str]:
    """Packages with the flag that a list line names and at least its rate; ClusterError for an unknown flag."""
    found = [row for row in rows if row.has(line.text)]
    if not found:
        flags = {flag for row in rows for group in row.flags for flag in group if not flag.startswith("!")}
        near = difflib.get_close_matches(line.text, sorted(flags), 3, 0.6)
        hint = "near it: " + ", ".join(near) if near else "check the category and the option rpmsrate"
        raise ClusterError("rpmsrate has no category %s" % line, hint)
    return list(dict.fromkeys(name for row in found if row.rate >= (line.rate or 1) for name in row.names))
