# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot times as pictures: a bar for each node, and a square for each of many. Private to the collection."""

from __future__ import annotations

import typing as t
from html import escape

from .cluster import Boot

# Told apart by people who do not see red and green, too.
PHASES = {"firmware": "#999999", "dhcp": "#e69f00", "stage1": "#0072b2", "image": "#56b4e9", "system": "#009e73"}
STATES = {"up": "#009e73", "booting": "#e69f00", "failed": "#d55e00", "unseen": "#999999"}
_WIDTH, _LABEL, _ROW, _CELL = 900.0, 130.0, 18.0, 14.0
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


def _rect(box: tuple[float, float, float, float], colour: str, told: str) -> str:
    shape = '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s">' % (*box, colour)
    return "%s<title>%s</title></rect>" % (shape, escape(told))


def _svg(height: float, parts: t.Iterable[str], what: str) -> str:
    head = '<svg viewBox="0 0 %g %g" role="img" aria-label="%s">' % (_WIDTH, height, escape(what))
    return head + "".join(parts) + "</svg>"


def ticks(longest: float) -> list[int]:
    """Round seconds for the axis, at most eight; more than a day is drawn with one."""
    step = next((step for step in _STEPS if longest / step <= 8), int(longest) or 1)
    return list(range(0, int(longest) + 1, step))


def _axis(longest: float, scale: float, height: float) -> list[str]:
    line = '<line x1="%.1f" x2="%.1f" y1="0" y2="%.1f" class="tick"/><text x="%.1f" y="%.1f" class="t">%d s</text>'
    places = [(tick, _LABEL + tick * scale) for tick in ticks(longest)]
    return [line % (x, x, height, x, height + 14, tick) for tick, x in places]


def _bar(boot: Boot, y: float, scale: float) -> str:
    parts, x = [], _LABEL
    for phase, seconds in boot.phases.items():
        told = "%s: %s %.1f s" % (boot.name, phase, seconds)
        parts.append(_rect((x, y + 3, seconds * scale, _ROW - 6), PHASES.get(phase, "#000"), told))
        x += seconds * scale
    told = "%.1f s" % boot.total if boot.total is not None else boot.state
    parts.append('<text x="%.1f" y="%.1f">%s</text>' % (x + 5, y + _ROW - 5, escape(told)))
    return '<text x="0" y="%.1f">%s</text>%s' % (y + _ROW - 5, escape(boot.name), "".join(parts))


def bars(boots: t.Sequence[Boot]) -> str:
    """A bar for each node, with its phases, on one axis of seconds."""
    longest = max([sum(boot.phases.values()) for boot in boots] or [0.0]) or 1.0
    scale = (_WIDTH - _LABEL - 60) / longest
    height = len(boots) * _ROW
    rows = [_bar(boot, number * _ROW, scale) for number, boot in enumerate(boots)]
    return _svg(height + 20, [*_axis(longest, scale, height), *rows], "seconds of each phase of the boot")


def _told(boot: Boot) -> str:
    return "%s: %s" % (boot.name, "up in %.1f s" % boot.total if boot.total is not None else boot.trouble)


def squares(boots: t.Sequence[Boot]) -> str:
    """A square for each node in the colour of its state, in rows, with its story as a tooltip."""
    columns = int(_WIDTH / _CELL)
    parts = []
    for number, boot in enumerate(boots):
        x, y = number % columns * _CELL, number // columns * _CELL
        parts.append(_rect((x, y, _CELL - 2, _CELL - 2), STATES.get(boot.state, "#000"), _told(boot)))
    return _svg((len(boots) + columns - 1) // columns * _CELL, parts, "the state of each node")
