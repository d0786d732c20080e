# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of packages, as BCD reads them. This module util is private to the collection.

One package a line; ``#`` at the start of a line is a comment. A line of two words is a category of rpmsrate and the
lowest rate. A name may be a pattern (``*``, ``?``, ``[a-z]``), or a regular expression when it begins with ``^`` or
ends with ``$``.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Host
from .._solve.pool import Package

_CATEGORY = re.compile(r"([A-Z][A-Z0-9_]*)\s+([1-6])")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Line:
    """One entry of a list; ``rate`` is set for a category. ``number`` is 0 for what an option gives."""

    text: str
    source: str
    number: int = 0
    rate: int | None = None

    @property
    def where(self) -> str:
        return "%s line %d" % (self.source, self.number) if self.number else self.source

    @property
    def is_regex(self) -> bool:
        return self.text.startswith("^") or self.text.endswith("$")

    @property
    def is_pattern(self) -> bool:
        return self.is_regex or bool(_GLOB.search(self.text))

    def __str__(self) -> str:
        return "%s (%s)" % (self.text if self.rate is None else "%s %d" % (self.text, self.rate), self.where)


def parse_list(data: bytes, name: str) -> list[Line]:
    """The entries in file order; ClusterError names the line that is none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ClusterError("%s line %d: no UTF-8 text" % (name, number), "is it a list of packages?")
    rows = ((number, row.strip()) for number, row in enumerate(text.split("\n"), 1))
    return [_line(row, name, number) for number, row in rows if row and not row.startswith("#")]


def _line(row: str, name: str, number: int) -> Line:
    found = _CATEGORY.fullmatch(row)
    if found:
        return Line(found.group(1), name, number, int(found.group(2)))
    if len(row.split()) > 1 or "\0" in row:
        raise ClusterError(
            "%s line %d: %r is neither a package nor a category with its rate" % (name, number, row[:80]),
            "one package a line, or CAT_NAME and a number from 1 to 6",
        )
    line = Line(row, name, number)
    if line.is_regex:
        try:
            re.compile(row)
        except re.error as error:
            raise ClusterError("%s: bad regular expression: %s" % (line, error), "mend the pattern")
    return line


def render_list(lines: t.Iterable[Line]) -> bytes:
    """The entries as a file, without comments."""
    rows = (line.text if line.rate is None else "%s %d" % (line.text, line.rate) for line in lines)
    return "".join(row + "\n" for row in rows).encode()


def read_lists(paths: t.Iterable[str], words: t.Iterable[str], option: str, host: Host) -> list[Line]:
    """The entries of some files and of an option; ClusterError for a file that does not exist."""
    lines: list[Line] = []
    for path in paths:
        data = host.read(path)
        if data is None:
            raise ClusterError("the list %s does not exist" % path, "check the path, or leave it out")
        lines += parse_list(data, path)
    for word in words:
        lines += [_line(word.strip(), option, 0)] if word.strip() else []
    return lines


def _expression(line: Line) -> str:
    return line.text if line.is_regex else "\\A" + fnmatch.translate(line.text)


def names_of(package: Package) -> tuple[str, ...]:
    """What an entry may call a package: NAME, NAME-VERSION, NAME-VERSION-RELEASE, and with the architecture."""
    version = "%s-%s" % (package.name, package.evr.version)
    return package.name, version, package.nvra.rpartition(".")[0], package.nvra


class Patterns:
    """Many entries that are asked for many packages."""

    def __init__(self, lines: t.Iterable[Line]) -> None:
        self._exact: dict[str, Line] = {}
        self._others: list[tuple[t.Pattern[str], Line]] = []
        for line in lines:
            if line.is_pattern:
                self._others.append((re.compile(_expression(line)), line))
            else:
                self._exact.setdefault(line.text, line)
        every = "|".join("(?:%s)" % pattern.pattern for pattern, _line in self._others)
        self._any = re.compile(every) if every else None

    def find(self, package: Package) -> Line | None:
        """The first entry that means the package. A regular expression is asked for the name alone."""
        names = names_of(package)
        line = next((self._exact[name] for name in names if name in self._exact), None)
        if line or self._any is None or not any(self._any.search(name) for name in names):
            return line
        for pattern, line in self._others:
            if any(pattern.search(name) for name in (names[:1] if line.is_regex else names)):
                return line
        return None
