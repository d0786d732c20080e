# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A treemap: areas as large as what they stand for, close to squares. This module util is private to the collection.

Squarified treemaps as Bruls, Huizing and van Wijk described them: a row grows as long as its worst shape gets better.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from html import escape

# One per medium, readable under white letters.
COLOURS = ("#2f6690", "#7a4f9e", "#2e7d5b", "#b2552f", "#8a6d1f", "#a23b66", "#4d6475")


@dataclass(frozen=True)
class Box:
    """A rectangle with its item."""

    x: float
    y: float
    width: float
    height: float
    number: int


def _worst(row: t.Sequence[float], side: float) -> float:
    total = sum(row)
    return max(max(side * side * one / (total * total), total * total / (side * side * one)) for one in row)


def squarify(sizes: t.Sequence[float], width: float, height: float) -> list[Box]:
    """A box for each size that is above zero, largest first; together they fill the rectangle."""
    order = sorted((number for number, size in enumerate(sizes) if size > 0), key=lambda number: -sizes[number])
    total = sum(sizes[number] for number in order)
    found: list[Box] = []
    x = y = 0.0
    at = 0
    while at < len(order):
        scale = (width * height) / total if total > 0 else 0
        side = min(width, height)
        row = [sizes[order[at]] * scale]
        while at + len(row) < len(order):
            more = [*row, sizes[order[at + len(row)]] * scale]
            if _worst(more, side) > _worst(row, side):
                break
            row = more
        thick = sum(row) / side if side else 0
        place = 0.0
        for number, area in zip(order[at : at + len(row)], row):
            long = area / thick if thick else 0
            found.append(
                Box(x, y + place, thick, long, number) if width >= height else Box(x + place, y, long, thick, number)
            )
            place += long
            total -= sizes[number]
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
        at += len(row)
    return found


def size_text(size: float) -> str:
    """Bytes for people: 3.8 GB, 650 MB, 12 kB (by 1000, as media are sold)."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return "%.*f %s" % (1 if size < 10 * step else 0, size / step, unit)
    return "%d bytes" % size


def _label(text: str, box: Box) -> str:
    room = int(box.width / 7)
    return "" if box.height < 16 or room < 4 else text if len(text) <= room else text[: room - 1] + "…"


def _drawn(name: str, size: float, colour: str, box: Box) -> str:
    told = escape("%s, %s" % (name, size_text(size)))
    shape = '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (
        box.x,
        box.y,
        max(box.width - 1, 0.5),
        max(box.height - 1, 0.5),
        colour,
    )
    label = _label(name, box)
    text = '<text x="%.1f" y="%.1f">%s</text>' % (box.x + 4, box.y + 13, escape(label)) if label else ""
    return "<g><title>%s</title>%s%s</g>" % (told, shape, text)


def render_treemap(rows: t.Sequence[tuple[str, int, str]], width: int = 960, height: int = 420) -> str:
    """SVG of (name, size, group); groups get a colour each, in their order of appearance."""
    groups = list(dict.fromkeys(group for _name, _size, group in rows))
    boxes = squarify([size for _name, size, _group in rows], width, height)
    drawn = [
        _drawn(rows[box.number][0], rows[box.number][1], colour_of(groups, rows[box.number][2]), box) for box in boxes
    ]
    head = '<svg class="map" viewBox="0 0 %d %d" role="img" aria-label="What fills the disc">' % (width, height)
    return head + "".join(drawn) + "</svg>"


def colour_of(groups: t.Sequence[str], group: str) -> str:
    return COLOURS[groups.index(group) % len(COLOURS)]
