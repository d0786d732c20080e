# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dolly.cfg in the classic grammar (dolly 0.57, 0.58C, 0.63.3). This module util is private to the collection.

One entry per line in a fixed order, no comments, no blank lines, at most 255 bytes per line::

    [compressed ]infile PATH[ split]
    [compressed ]outfile PATH[ split N(k|M|G|T)]
    [segsize N]
    [add N:SUFFIX{:SUFFIX} | add2 N:INFIX{:INFIX}]
    [fanout N]
    [hyphennormal | hypheninterface]
    server NAME
    firstclient NAME
    lastclient NAME
    clients N
    NAME            (N times, in the order of the chain)
    endconfig
"""

from __future__ import annotations

import re
import typing as t

from .errors import DollyError

MAX_LINE = 255
# dolly refuses a file of this size or more.
MAX_BYTES = 4096
MAX_CLIENTS = 65536
MAX_FANOUT = 8
ORDER = "order: infile, outfile, segsize, add, fanout, hyphennormal, server, firstclient, lastclient, clients, names"
_SPLIT = re.compile(r"split ([1-9][0-9]*[kMGT]?)\Z")
_ADD = re.compile(r"(add2?) ([0-7])((?::[^\s:]+)+)\Z")


class Add(t.NamedTuple):
    """Extra data links: ``keyword`` is add (postfix) or add2 (infix)."""

    keyword: str
    links: int
    parts: tuple[str, ...]


class Config(t.NamedTuple):
    """One dolly.cfg. ``split_out`` is the size of a part with its letter ("8M"), "" for one file."""

    infile: str
    outfile: str
    server: str
    clients: tuple[str, ...]
    first: str = ""
    compressed_in: bool = False
    compressed_out: bool = False
    split_in: bool = False
    split_out: str = ""
    segsize: int = 0
    add: Add | None = None
    fanout: int = 1
    hyphen: str = ""

    def children(self, index: int) -> tuple[str, ...]:
        """Names that client ``index`` (0 is the first one, -1 the server) feeds."""
        start = (index + 1) * self.fanout
        return self.clients[start : start + self.fanout]


class _Lines:
    """The lines of a file with a place in it."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.number = 0
        self._lines = text.split("\n")

    def error(self, message: str, hint: str = ORDER) -> DollyError:
        return DollyError("%s line %d: %s" % (self.name, self.number + 1, message), hint)

    @property
    def now(self) -> str:
        """The line that is next; "" past the end."""
        line = self._lines[self.number] if self.number < len(self._lines) else ""
        if len(line.encode("utf-8")) > MAX_LINE:
            raise self.error("longer than %d bytes" % MAX_LINE, "dolly cuts longer lines: use shorter names")
        return line

    def take(self) -> str:
        line = self.now
        self.number += 1
        return line

    def rest(self, keyword: str) -> str:
        """The text after ``keyword``; an error when the line begins with something else."""
        found = self.now
        if not found.startswith(keyword + " "):
            if not found and self.number >= len(self._lines) - 1:
                raise self.error("expected '%s', found the end of the file" % keyword)
            raise self.error("expected '%s', found %s" % (keyword, repr(found[:60]) if found else "a blank line"))
        return found[len(keyword) + 1 :]


def _name(lines: _Lines, text: str, what: str) -> str:
    if not text or re.search(r"\s", text):
        raise lines.error("%s %r is empty or has a space" % (what, text[:80]), "dolly ends a name at the first space")
    return text


def _number(lines: _Lines, text: str, what: str, low: int, high: int) -> int:
    if not re.match(r"[0-9]{1,9}\Z", text) or not low <= int(text) <= high:
        raise lines.error("%s must be a number from %d to %d, not %r" % (what, low, high, text[:40]), "")
    return int(text)


def _file(lines: _Lines, keyword: str) -> tuple[str, bool, str]:
    """(path, compressed, what follows the path) of an infile or outfile line."""
    compressed = lines.now.startswith("compressed ")
    path, _space, more = lines.rest("compressed " + keyword if compressed else keyword).partition(" ")
    return _name(lines, path, keyword), compressed, more


def _files(lines: _Lines) -> Config:
    infile, compressed_in, more = _file(lines, "infile")
    if more not in ("", "split"):
        raise lines.error("a name with spaces, or no 'split': %r" % more[:80], "dolly ends a name at the first space")
    lines.take()
    outfile, compressed_out, tail = _file(lines, "outfile")
    split = _SPLIT.match(tail)
    if tail and not split:
        raise lines.error("a name with spaces, or no 'split N': %r" % tail[:80], "write 'split 8M'")
    lines.take()
    config = Config(infile, outfile, "", (), "", compressed_in, compressed_out, more == "split")
    return config._replace(split_out=split.group(1) if split else "")


def _options(lines: _Lines, config: Config) -> Config:
    if lines.now.startswith("segsize"):
        config = config._replace(segsize=_number(lines, lines.rest("segsize"), "segsize", 1, 65535))
        lines.take()
    if lines.now.startswith("add"):
        match = _ADD.match(lines.now)
        parts = tuple(match.group(3)[1:].split(":")) if match else ()
        if not match or len(parts) != max(1, int(match.group(2))):
            raise lines.error("bad %r" % lines.now[:80], "write 'add N:SUFFIX' with N suffixes, N from 0 to 7")
        config = config._replace(add=Add(match.group(1), int(match.group(2)), parts))
        lines.take()
    if lines.now.startswith("fanout"):
        config = config._replace(fanout=_number(lines, lines.rest("fanout"), "fanout", 1, MAX_FANOUT))
        if config.add and config.fanout > 1:
            raise lines.error("add and fanout exclude each other", "remove one of them")
        lines.take()
    if lines.now in ("hyphennormal", "hypheninterface"):
        config = config._replace(hyphen=lines.take())
    return config


def _clients(lines: _Lines, last: str, count: int) -> tuple[str, ...]:
    names: list[str] = []
    while len(names) < count:
        if lines.now == "endconfig":
            raise lines.error("clients says %d names, here are %d" % (count, len(names)), "correct the number")
        if not lines.now:
            raise lines.error("expected the name of client %d of %d, found nothing" % (len(names) + 1, count))
        names.append(_name(lines, lines.now, "the client"))
        lines.take()
    if len(set(names)) != len(names):
        twice = sorted(name for name in set(names) if names.count(name) > 1)
        raise lines.error("client %s is listed twice" % twice[0], "list each client once")
    if last != names[-1]:
        raise lines.error("lastclient is %s, the last name is %s" % (last, names[-1]), "the last client ends the chain")
    return tuple(names)


def parse(text: str, name: str = "dolly.cfg") -> Config:
    """Read a dolly.cfg; DollyError with file, line and remedy for everything that dolly refuses or misreads."""
    lines = _Lines(text, name)
    config = _options(lines, _files(lines))
    values = []
    for keyword in ("server", "firstclient", "lastclient"):
        values.append(_name(lines, lines.rest(keyword), keyword))
        lines.take()
    count = _number(lines, lines.rest("clients"), "clients", 1, MAX_CLIENTS)
    lines.take()
    clients = _clients(lines, values[2], count)
    if lines.now != "endconfig":
        what = "endconfig is missing" if not lines.now else "clients says %d names, here are more" % count
        raise lines.error(what, "end the file with the line endconfig after %d names" % count)
    return config._replace(server=values[0], first=values[1], clients=clients)


def _file_line(keyword: str, path: str, compressed: bool, split: str) -> str:
    return "%s%s %s%s" % ("compressed " if compressed else "", keyword, path, " " + split if split else "")


def _lines_of(config: Config) -> list[str]:
    split_out = "split " + config.split_out if config.split_out else ""
    lines = [
        _file_line("infile", config.infile, config.compressed_in, "split" if config.split_in else ""),
        _file_line("outfile", config.outfile, config.compressed_out, split_out),
    ]
    if config.segsize:
        lines.append("segsize %d" % config.segsize)
    if config.add:
        lines.append("%s %d:%s" % (config.add.keyword, config.add.links, ":".join(config.add.parts)))
    if config.fanout != 1:
        lines.append("fanout %d" % config.fanout)
    if config.hyphen:
        lines.append(config.hyphen)
    last = config.clients[-1] if config.clients else ""
    first = config.first or (config.clients[0] if config.clients else "")
    lines += ["server " + config.server, "firstclient " + first, "lastclient " + last]
    return [*lines, "clients %d" % len(config.clients), *config.clients, "endconfig"]


def render(config: Config) -> str:
    """The text of a dolly.cfg; DollyError when dolly could not read it back."""
    if not config.clients:
        raise DollyError("dolly.cfg without clients", "name at least one node")
    text = "".join(line + "\n" for line in _lines_of(config))
    if len(text.encode("utf-8")) >= MAX_BYTES:
        raise DollyError(
            "dolly.cfg has %d bytes, dolly refuses %d or more" % (len(text.encode("utf-8")), MAX_BYTES),
            "use the chain dialect, shorter names or fewer nodes",
        )
    parse(text)
    return text
