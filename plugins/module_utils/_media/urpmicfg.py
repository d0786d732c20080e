# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``urpmi.cfg``: the media of a client. This module util is private to the collection.

Blocks ``{ ... }`` (global options) and ``NAME URL { ... }`` (one medium each), an option a line. Comments, blank lines
and options that nobody knows stay where they are. urpmi takes a file with a mistake for an empty one and writes that
back at the next occasion; here a mistake is an error.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from .._host.errors import ClusterError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VALUES = _words(
    "hdlist list with_hdlist with_synthesis with-dir mirrorlist media_info_dir removable md5sum limit-rate"
    " nb-of-new-unrequested-pkgs-between-auto-select-orphans-check xml-info excludepath split-level split-length"
    " priority-upgrade prohibit-remove downloader retry default-media download-all tune-rpm curl-options"
    " rsync-options wget-options prozilla-options aria2-options key-ids"
)
FLAGS = _words(
    "update ignore synthesis noreconfigure no-recommends no-suggests no-media-info static virtual"
    " disable-certificate-check"
)
BOOLEANS = _words(
    "verify-rpm norebuild fuzzy allow-force allow-nodeps pre-clean post-clean excludedocs compress keep ignoresize"
    " auto strict-arch nopubkey resume"
)
# ASCII only: the file is bytes to urpmi, and other blanks are part of names.
BLANKS = " \t\r\f\v"
_HEAD = re.compile(r"(?:(.*?[^\\])\s+(?:(.*?[^\\])\s+)?)?\{", re.ASCII)
_VALUE = re.compile(r"([\w-]+)\s*:\s*(.*)", re.ASCII)

# None for a flag that is set.
Options = t.Dict[str, t.Optional[str]]


class Row(t.NamedTuple):
    """A line of a block and the option it sets; ``key`` is empty for comments, blank and unknown lines."""

    text: str
    key: str = ""
    value: str | None = None


@dataclass(frozen=True)
class Block:
    """A medium, or the global options when ``name`` is empty. ``before`` are the lines above it."""

    name: str
    url: str = ""
    rows: tuple[Row, ...] = ()
    head: str = ""
    tail: str = "}"
    before: tuple[str, ...] = ()

    @property
    def options(self) -> Options:
        return {row.key: row.value for row in self.rows if row.key}

    @property
    def lines(self) -> list[str]:
        return [*self.before, self.head or head_line(self.name, self.url), *(row.text for row in self.rows), self.tail]

    def with_url(self, url: str) -> Block:
        return self if url == self.url else replace(self, url=url, head="")

    def with_options(self, options: Options) -> Block:
        """Exactly these options; lines that set one of them already stay as they are, new ones go in by name."""
        rows = [row for row in self.rows if not row.key or row.key in options]
        for key, value in sorted(options.items()):
            new = Row(option_line(key, value), key, value)
            at = next((n for n, row in enumerate(rows) if row.key == key), -1)
            if at < 0:
                rows.insert(next((n for n, row in enumerate(rows) if row.key > key), len(rows)), new)
            elif rows[at].value != value:
                rows[at] = new
        return replace(self, rows=tuple(rows))


@dataclass(frozen=True)
class UrpmiCfg:
    """The file: blocks in order and the lines below the last one."""

    blocks: tuple[Block, ...] = ()
    after: tuple[str, ...] = ("",)
    name: str = "urpmi.cfg"

    @cached_property
    def media(self) -> dict[str, Block]:
        """Media by name, in file order."""
        return {block.name: block for block in self.blocks if block.name}

    @cached_property
    def options(self) -> Options:
        """The global options; of several blocks the last one counts, as for urpmi."""
        return {key: value for block in self.blocks if not block.name for key, value in block.options.items()}


def escape(text: str) -> str:
    """A name or URL as the file has it."""
    return re.sub(r"(\s)", r"\\\1", text, flags=re.ASCII)


def unescape(text: str) -> str:
    return re.sub(r"\\(\s)", r"\1", text, flags=re.ASCII)


def head_line(name: str, url: str) -> str:
    """The first line of a block; a medium without URL has two blanks."""
    return "%s %s {" % (escape(name), escape(url)) if name else "{"


def option_line(key: str, value: str | None) -> str:
    return "  " + key if value is None else "  %s: %s" % (key, value)


def new_block(name: str, url: str, options: Options) -> Block:
    """A block as urpmi writes it."""
    return Block(name, url).with_options(options)


def _row(text: str) -> Row:
    line = text.strip(BLANKS)
    if line in FLAGS:
        return Row(text, line)
    match = _VALUE.fullmatch(line)
    key, value = match.groups() if match else (line, "1")
    key = "key-ids" if key == "key_ids" else key
    if match and key in VALUES:
        return Row(text, key, re.sub(r"^['\"]?(.*?)['\"]?$", r"\1", value))
    no = key.startswith("no-") and key[3:] in BOOLEANS
    key = key[3:] if no else key
    if key in BOOLEANS:
        return Row(text, key, "01"[(value in ("yes", "on", "1")) != no])
    return Row(text)


def _syntax(where: str, line: str, what: str) -> ClusterError:
    return ClusterError("%s: %s: %s" % (where, what, line[:80]), "mend the line; urpmi would lose every medium")


class _Reader:
    """The state between two lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks: list[Block] = []
        self.loose: list[str] = []
        self.open: Block | None = None
        self.rows: list[Row] = []
        self.since = 0
        self.seen: dict[str, int] = {}

    def feed(self, number: int, text: str) -> None:
        line = text.strip(BLANKS)
        where = "%s:%d" % (self.name, number)
        if not line or line.startswith("#"):
            self.rows.append(Row(text)) if self.open else self.loose.append(text)
        elif line == "}":
            self._close(text, where)
        elif _HEAD.fullmatch(line):
            self._begin(text, line, where, number)
        elif self.open is None:
            raise _syntax(where, line, "syntax error outside of any block")
        else:
            self._option(_row(text), where, line)

    def _option(self, row: Row, where: str, line: str) -> None:
        if row.key and any(row.key == other.key for other in self.rows):
            raise _syntax(where, line, "option set twice in one block")
        self.rows.append(row)

    def _begin(self, text: str, line: str, where: str, number: int) -> None:
        if self.open is not None:
            raise _syntax(where, line, "syntax error: the block of line %d has no }" % self.since)
        match = _HEAD.fullmatch(line)
        name, url = (unescape(part or "") for part in (match.groups() if match else ()))
        if name and name in self.seen:
            raise ClusterError(
                "%s: medium %r is defined twice, first in line %d" % (where, name, self.seen[name]),
                "remove one of them",
            )
        self.seen[name] = self.since = number
        self.open = Block(name, url, head=text, before=tuple(self.loose))
        self.loose, self.rows = [], []

    def _close(self, text: str, where: str) -> None:
        if self.open is None:
            raise _syntax(where, "}", "syntax error: no block is open")
        self.blocks.append(replace(self.open, rows=tuple(self.rows), tail=text))
        self.open = None


def parse_urpmicfg(text: str, name: str = "urpmi.cfg") -> UrpmiCfg:
    """The file; ClusterError ``FILE:LINE: ...`` for a syntax error, a medium defined twice, a block without end."""
    reader = _Reader(name)
    for number, line in enumerate(text.split("\n"), 1):
        reader.feed(number, line)
    if reader.open is not None:
        where = "%s:%d" % (name, reader.since)
        raise _syntax(where, reader.open.head, "the block has no } until the end of the file")
    return UrpmiCfg(tuple(reader.blocks), tuple(reader.loose), name)


def render_urpmicfg(cfg: UrpmiCfg) -> str:
    """The text; of what :func:`parse_urpmicfg` took, the same bytes."""
    return "\n".join([*(line for block in cfg.blocks for line in block.lines), *cfg.after])
