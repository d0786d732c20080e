# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of RPM packages: order, ranges. This module util is private to the collection.

The order is that of rpm: digits beat letters, ``~`` sorts before the end of the string, ``^`` right after it.
"""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from .._errors import ClusterError

LESS, GREATER, EQUAL = 2, 4, 8
OPERATORS = {"<": LESS, "<=": LESS | EQUAL, ">": GREATER, ">=": GREATER | EQUAL, "=": EQUAL, "==": EQUAL}

_SEGMENT = re.compile(r"([0-9]+)|([A-Za-z]+)|([~^])")
_TILDE, _END, _CARET, _ALPHA, _DIGIT = range(5)
# The rank decides first, so that the other members are compared within one kind only.
_Key = t.Tuple[t.Tuple[int, int, str], ...]


@lru_cache(maxsize=65536)
def version_key(version: str) -> _Key:
    """Sort key of a version or release: two keys compare as rpm compares the strings."""
    parts: list[tuple[int, int, str]] = []
    for digits, letters, mark in _SEGMENT.findall(version):
        if digits:
            digits = digits.lstrip("0")
            parts.append((_DIGIT, len(digits), digits))
        elif letters:
            parts.append((_ALPHA, 0, letters))
        else:
            parts.append((_TILDE if mark == "~" else _CARET, 0, ""))
    parts.append((_END, 0, ""))
    return tuple(parts)


def _order(a: t.Any, b: t.Any) -> int:
    return int(a > b) - int(a < b)


def rpmvercmp(a: str, b: str) -> int:
    """-1, 0 or 1, as rpm orders two versions or releases."""
    return _order(version_key(a), version_key(b))


class Evr(t.NamedTuple):
    """Epoch (0 when not given), version, release (None when not given)."""

    epoch: int
    version: str
    release: t.Optional[str]

    def __str__(self) -> str:
        front = "%d:" % self.epoch if self.epoch else ""
        return front + self.version + ("" if self.release is None else "-" + self.release)


@lru_cache(maxsize=65536)
def parse_evr(text: str) -> Evr:
    """``[EPOCH:]VERSION[-RELEASE]``; ClusterError when nothing is left for the version."""
    front, colon, rest = text.partition(":")
    epoch = 0
    if colon and (front == "" or (front.isascii() and front.isdigit())):
        epoch = int(front[:10] or 0)
    else:
        rest = text
    version, dash, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    if not version:
        raise ClusterError("bad version %r" % text, "as in 1:2.0-3")
    return Evr(epoch, version, release if dash else None)


def compare_evr(a: Evr, b: Evr) -> int:
    """-1, 0 or 1; releases count only where both have one."""
    found = _order(a.epoch, b.epoch) or rpmvercmp(a.version, b.version)
    if found or a.release is None or b.release is None:
        return found
    return rpmvercmp(a.release, b.release)


def overlaps(flags_a: int, a: Evr | None, flags_b: int, b: Evr | None) -> bool:
    """Whether two ranges (sense flags of LESS, GREATER, EQUAL and a bound) share a version; no flags mean any."""
    if not flags_a or not flags_b or a is None or b is None:
        return True
    order = compare_evr(a, b)
    if order == 0 and (a.release is None) != (b.release is None):
        # A bound without release stands for every release, if it belongs to the range at all.
        return bool((flags_a if a.release is None else flags_b) & EQUAL) or bool(flags_a & flags_b)
    if order < 0:
        return bool(flags_a & GREATER or flags_b & LESS)
    if order > 0:
        return bool(flags_a & LESS or flags_b & GREATER)
    return bool(flags_a & flags_b)


def parse_range(text: str) -> tuple[int, Evr | None]:
    """``>= 1:2.0-3`` as flags and bound; nothing or ``*`` means any version."""
    text = text.strip()
    if text in ("", "*"):
        return 0, None
    operator, _blank, version = text.partition(" ")
    if operator not in OPERATORS or not version.strip():
        raise ClusterError("bad version range %r" % text, "as in >= 1.0")
    return OPERATORS[operator], parse_evr(version.strip())
