# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``synthesis.hdlist.cz``: what urpmi knows of the packages of a medium. This module util is private to the collection.

Text without any escaping: per package the lines ``@TAG@item@item...`` with ``@info@`` last. Everything is bytes, as in
the package headers.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._rpm import package as rpm
from .._rpm.header import Header

# Mandriva 2009 reads lines of less than 64 KiB, later clients of less than 128 KiB.
LINE_LIMIT = 65535
LISTS = (b"provides", b"conflicts", b"obsoletes", b"requires", b"suggests", b"recommends")
_OPERATORS = tuple(
    (b"<" if flags & 2 else b"")
    + (b">" if flags & 4 else b"")
    + (b"==" if flags & 14 == 8 else b"=" * (flags >> 3 & 1))
    for flags in range(16)
)


@dataclass
class Record:
    """One package. Dependency items are ``name``, ``name[*]``, ``name[>= 1.0]``; ``filesize`` is in bytes, or None.

    ``lists`` maps the tags of :data:`LISTS` to their items and holds only what is there; ``extra`` are the fields
    behind the group (disttag and distepoch of some distributions), ``others`` lines with tags unknown here.
    """

    nvra: bytes
    lists: dict[bytes, list[bytes]]
    summary: bytes = b""
    filesize: int | None = None
    epoch: bytes = b"0"
    size: bytes = b"0"
    group: bytes = b""
    extra: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()

    def items(self, tag: bytes) -> list[bytes]:
        return self.lists.get(tag, [])


def _item(name: bytes, flags: int, version: bytes) -> bytes:
    if flags & rpm.PRE_FLAGS:
        name += b"[*]"
    return b"%s[%s %s]" % (name, _OPERATORS[flags & 14], version) if version else name


def _items(header: Header, kind: str) -> list[bytes]:
    return [
        name if not version and not flags & rpm.PRE_FLAGS else _item(name, flags, version)
        for name, flags, version in rpm.dependencies(header, kind)
        if not name.startswith(b"rpmlib(")
    ]


def record_of(header: Header, filesize: int, weak_tag: bytes = b"suggests") -> Record:
    """The record of a package; its file provides are added later, when the whole medium is known.

    ``weak_tag`` is ``recommends`` for clients that know that line (Mageia 5 and later). The format gives weak
    dependencies no version.
    """
    lists = {
        b"provides": _items(header, "provides"),
        b"conflicts": _items(header, "conflicts"),
        b"obsoletes": _items(header, "obsoletes"),
        b"requires": _items(header, "requires"),
        weak_tag: header.strings(rpm.DEPENDENCIES["recommends"][0]),
    }
    return Record(
        nvra=rpm.nvra(header),
        lists={tag: items for tag, items in lists.items() if items},
        summary=one_line(header.string(rpm.SUMMARY)),
        filesize=filesize,
        epoch=b"%d" % header.number(rpm.EPOCH),
        size=b"%d" % header.number(rpm.SIZE),
        group=one_line(header.string(rpm.GROUP)),
    )


def one_line(text: bytes) -> bytes:
    """A line end inside a value would break the record."""
    return text.replace(b"\n", b" ") if b"\n" in text else text


def name_of(item: bytes) -> bytes:
    """The name of a dependency item."""
    return item.partition(b"[")[0]


def required_paths(record: Record) -> set[bytes]:
    """Files that the package requires."""
    return {name_of(item) for item in record.items(b"requires") if item.startswith(b"/")}


def add_file_provides(record: Record, paths: t.Iterable[bytes]) -> None:
    """Append ``paths``, sorted; those that are provided already are not repeated."""
    known = {name_of(item) for item in record.items(b"provides") if item.startswith(b"/")}
    new = sorted(set(paths) - known)
    if new:
        record.lists[b"provides"] = [*record.items(b"provides"), *new]


def _line(tag: bytes, items: t.Sequence[bytes]) -> bytes:
    return one_line(b"@%s@%s" % (tag, b"@".join(items)))


def _shortened(record: Record, tag: bytes, limit: int) -> list[bytes]:
    """As many items as the limit allows, in their order; the package's own name and its files come first."""
    items = record.items(tag)
    own = record.nvra.rpartition(b"-")[0].rpartition(b"-")[0]
    first = [at for at, item in enumerate(items) if name_of(item) == own or item.startswith(b"/")]
    left = limit - len(tag) - 1
    kept = set()
    for at in [*first, *range(len(items))]:
        if at not in kept and left >= len(items[at]) + 1:
            left -= len(items[at]) + 1
            kept.add(at)
    return [items[at] for at in sorted(kept)]


def render_record(record: Record, limit: int = LINE_LIMIT, told: list[str] | None = None) -> bytes:
    """The lines of one package. A line above ``limit`` bytes loses items, which ``told`` is told."""
    lines = []
    for tag in LISTS:
        if tag in record.lists:
            line = _line(tag, record.lists[tag])
            if len(line) > limit:
                line = _line(tag, _shortened(record, tag, limit))
                if told is not None:
                    told.append(_report(record, tag, line, limit))
            lines.append(line)
    lines += record.others
    if record.summary:
        lines.append(b"@summary@" + record.summary)
    if record.filesize is not None:
        lines.append(b"@filesize@%d" % record.filesize)
    lines.append(b"@info@" + b"@".join((record.nvra, record.epoch, record.size, record.group, *record.extra)))
    return b"\n".join(lines) + b"\n"


def _report(record: Record, tag: bytes, line: bytes, limit: int) -> str:
    lost = len(record.lists[tag]) - line.count(b"@") + 1
    return "%s: %d of %d %s left out, urpmi clients read lines of at most %d bytes" % (
        record.nvra.decode("utf-8", "replace"),
        lost,
        len(record.lists[tag]),
        tag.decode(),
        limit,
    )


def render_synthesis(records: t.Iterable[Record], limit: int = LINE_LIMIT) -> bytes:
    """The text of a whole medium."""
    return b"".join(render_record(record, limit) for record in records)


_INFO = re.compile(rb"^@info@[^\n]*\n", re.M)


def split_records(text: bytes, name: str = "synthesis") -> list[bytes]:
    """The text of each record, without looking into it."""
    ends = [match.end() for match in _INFO.finditer(text)]
    if len(text) != (ends[-1] if ends else 0):
        raise ClusterError("%s: the last record has no @info@ line" % name, "fetch or build the media_info again")
    return [text[start:end] for start, end in zip([0, *ends], ends)]


def _bad_line(name: str, number: int, line: bytes) -> ClusterError:
    shown = line[:60].decode("utf-8", "replace")
    return ClusterError("%s: bad line %d: %s" % (name, number, shown), "fetch or build the media_info again")


def _fill(record: Record, tag: bytes, rest: bytes, line: bytes) -> None:
    if tag in LISTS:
        record.lists.setdefault(tag, []).extend(rest.split(b"@"))
    elif tag == b"summary":
        record.summary = rest
    elif tag == b"filesize":
        record.filesize = int(rest)
    else:
        record.others += (line,)


def parse_synthesis(text: bytes, name: str = "synthesis") -> list[Record]:
    """Every record in file order; ClusterError names the line. Only the first two ``@`` of a summary are marks."""
    records: list[Record] = []
    record = Record(b"", {})
    lines = text.split(b"\n")
    if lines.pop():
        raise ClusterError("%s: cut off in line %d" % (name, len(lines) + 1), "fetch or build the media_info again")
    for number, line in enumerate(lines, 1):
        start, tag, rest = [*line.split(b"@", 2), b"", b""][:3]
        fields = rest.split(b"@") if tag == b"info" else []
        if start or not tag or (tag == b"info" and len(fields) < 4) or (tag == b"filesize" and not rest.isdigit()):
            raise _bad_line(name, number, line)
        if fields:
            record.nvra, record.epoch, record.size, record.group = fields[:4]
            record.extra = tuple(fields[4:])
            records.append(record)
            record = Record(b"", {})
        else:
            _fill(record, tag, rest, line)
    if record != Record(b"", {}):
        raise ClusterError("%s: the last record has no @info@ line" % name, "fetch or build the media_info again")
    return records
