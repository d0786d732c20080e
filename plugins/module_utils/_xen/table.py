# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as a table, as machine records or as JSON. This module util is private to the collection.

Columns are field names, a built-in table (``TAB_CPORT``), or ctys' own form
``tab_gen:<number>_<title>_<width>[_L|_B]``, joined by ``%%``: L cuts on the left, B breaks the line.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .record import ENUMERATE_FIELDS, FIELDS, Record, known, per_interface

FORMS = ("table", "machine", "json")
TABLES = {
    "TAB_TCP": "1_TCP-container_17%%7_TCP-guest_17%%3_label_20%%2_sesstype_8%%14_c_1%%12_user_10%%13_group_10",
    "TAB_CPORT": "3_Label_0%%2_stype_0%%9_cport_0%%1_PM_0%%6_MAC_18%%7_TCP_15",
}
_GENERIC = re.compile(r"([0-9]+)_([^_%]*)_([0-9]+)(?:_([LB]))?\Z", re.IGNORECASE)
_ESCAPES = (("%", "%25"), (";", "%3B"), ("\n", "%0A"), ("\r", "%0D"))


@dataclass(frozen=True)
class Column:
    """One column; ``width`` 0 is as wide as its longest word, ``fit`` is R, L (what is cut) or B (break)."""

    field: str
    title: str
    width: int = 0
    fit: str = "R"


def _generic(text: str, kind: str) -> list[Column]:
    columns = []
    for word in text.split("%%"):
        found = _GENERIC.match(word.strip())
        number = int(found.group(1)) if found else 0
        if not found or not 1 <= number <= len(FIELDS[kind]):
            raise ClusterError(
                "%r is no column" % word, "write <number>_<title>_<width>, numbers 1 to %d" % len(FIELDS[kind])
            )
        columns.append(
            Column(FIELDS[kind][number - 1], found.group(2), int(found.group(3)), (found.group(4) or "R").upper())
        )
    return columns


def _named(name: str) -> Column:
    field = str(name).strip().lower()
    if not known(field):
        raise ClusterError("there is no field %r" % name, "fields are %s" % " ".join(ENUMERATE_FIELDS))
    return Column(field, field)


def columns(wanted: str | t.Sequence[str], kind: str = "list") -> list[Column]:
    """The columns that ``wanted`` names; ``kind`` (list, enumerate) says what numbers of ctys' form mean."""
    if kind not in FIELDS:
        raise ClusterError("%r is no kind of record" % kind, "one of %s" % ", ".join(sorted(FIELDS)))
    if not isinstance(wanted, str):
        found = [_named(name) for name in wanted]
    elif wanted.lower().startswith("tab_gen:"):
        found = _generic(wanted[len("tab_gen:") :], kind)
    elif wanted.upper().startswith("TAB_"):
        if wanted.upper() not in TABLES:
            raise ClusterError("there is no table %s" % wanted, "built in are %s" % ", ".join(sorted(TABLES)))
        # The numbers of the built-in tables are those of LIST.
        found = _generic(TABLES[wanted.upper()], "list")
    else:
        found = [_named(name) for name in wanted.split(",")]
    if not found:
        raise ClusterError("the table has no column", "name at least one field")
    return found


def text_of(value: t.Any) -> str:
    """One cell: nothing for None, a list joined by commas."""
    if value is None:
        return ""
    return ",".join(text_of(one) for one in value) if isinstance(value, (list, tuple)) else str(value)


def _order(value: t.Any) -> tuple[int, t.Any]:
    """Nothing last; numbers and addresses by value, words by letters."""
    text = text_of(value)
    if not text:
        return (3, "")
    # Other digits than ASCII's are letters here.
    if text.isascii() and text.isdigit():
        return (0, int(text))
    try:
        address = ipaddress.ip_address(text)
        return (1, (address.version, int(address)))
    except ValueError:
        return (2, text)


def arrange(records: t.Iterable[Record], sort: t.Sequence[str] = (), reverse: bool = False) -> list[Record]:
    """Records sorted by fields, the first counts most; stable, and as they came without ``sort``."""
    keys = [_named(name).field for name in sort]
    found = list(records)
    if keys:
        found.sort(key=lambda record: [_order(record.get(key)) for key in keys], reverse=reverse)
    return found


def _pieces(text: str, column: Column, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    if column.fit == "B":
        return [text[at : at + width] for at in range(0, len(text), width)]
    return [text[-width:] if column.fit == "L" else text[:width]]


def _lines(cells: t.Sequence[str], shape: t.Sequence[tuple[Column, int]], gap: str) -> t.Iterator[str]:
    parts = [_pieces(text, column, width) for text, (column, width) in zip(cells, shape)]
    for number in range(max(len(part) for part in parts)):
        row = [part[number] if number < len(part) else "" for part in parts]
        yield gap.join(text.ljust(width) for text, (_column, width) in zip(row, shape)).rstrip()


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _table(rows: t.Sequence[t.Sequence[str]], wanted: t.Sequence[Column], title: bool) -> str:
    cells = [[_plain(text) for text in row] for row in rows]
    widths = [
        one.width or max([1, len(one.title) if title else 1, *(len(row[number]) for row in cells)])
        for number, one in enumerate(wanted)
    ]
    shape = list(zip(wanted, widths))
    lines = []
    if title:
        lines += list(_lines([one.title for one in wanted], shape, " | "))
        lines.append("-+-".join("-" * width for width in widths))
    for row in cells:
        lines += list(_lines(row, shape, " | "))
    return "\n".join(lines)


def _escaped(text: str) -> str:
    for letter, code in _ESCAPES:
        text = text.replace(letter, code)
    return text


def _unescaped(text: str) -> str:
    for letter, code in reversed(_ESCAPES):
        text = text.replace(code, letter)
    return text


def _machine(rows: t.Sequence[t.Sequence[str]], wanted: t.Sequence[Column], title: bool) -> str:
    lines = [";".join(one.field for one in wanted)] if title else []
    return "\n".join(lines + [";".join(_escaped(text) for text in row) for row in rows])


def parse_machine(text: str) -> list[dict[str, str]]:
    """Records from the machine form. Its title line names the fields, as versions of ctys order them differently."""
    lines = [line for line in text.split("\n") if line]
    if not lines:
        return []
    names = [word.strip().lower() for word in lines[0].split(";")]
    if not all(known(name) for name in names):
        raise ClusterError("the records have no title line", "write them with their title")
    for number, line in enumerate(lines[1:], 2):
        if line.count(";") != len(names) - 1:
            raise ClusterError(
                "line %d has %d fields, the title %d" % (number, line.count(";") + 1, len(names)), "mend that line"
            )
    return [dict(zip(names, map(_unescaped, line.split(";")))) for line in lines[1:]]


def render(
    records: t.Iterable[Record],
    fields: str | t.Sequence[str] = "TAB_TCP",
    form: str = "table",
    kind: str = "list",
    sort: t.Sequence[str] = (),
    reverse: bool = False,
    unique: bool = False,
    title: bool = True,
    interfaces: bool = False,
) -> str:
    """The records as text without a final newline; ClusterError for an unknown field, table or form."""
    if form not in FORMS:
        raise ClusterError("%r is no form" % form, "one of %s" % ", ".join(FORMS))
    wanted = columns(fields, kind)
    chosen = arrange(per_interface(records) if interfaces else records, sort, reverse)
    rows = [tuple(text_of(record.get(one.field)) for one in wanted) for record in chosen]
    if unique:
        first = {row: number for number, row in reversed(list(enumerate(rows)))}
        kept = sorted(first.values())
        chosen, rows = [chosen[number] for number in kept], [rows[number] for number in kept]
    if form == "json":
        return json.dumps([{one.field: record.get(one.field) for one in wanted} for record in chosen], indent=2)
    return _table(rows, wanted, title) if form == "table" else _machine(rows, wanted, title)
