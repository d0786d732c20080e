# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host lists as ClusterShell, pdsh and Slurm write them: ``node[31-33]``. Private to the collection."""

from __future__ import annotations

import itertools
import re
import typing as t

from .._host.errors import ClusterError

_NUMBERED = re.compile(r"(.*?)([0-9]{1,18})", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_.:-]*")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
_HINT = "as in node[31-33,40] or node31,node32"
# A typing error such as node[1-999999999] must not fill the memory.
MOST = 100000


def _split(name: str) -> tuple[str, str]:
    found = _NUMBERED.fullmatch(name)
    return (found.group(1), found.group(2)) if found else (name, "")


def natural(name: str) -> tuple[str, int, str]:
    """Sort key that puts node2 before node10."""
    stem, digits = _split(name)
    return stem, int(digits or "-1"), digits


def _follows(last: str, digits: str, width: int) -> bool:
    return digits == str(int(last) + 1).zfill(width)


def follows(last: str, name: str) -> bool:
    """Whether ``name`` lengthens the range that ends with ``last``."""
    (stem, digits), (other, more) = _split(last), _split(name)
    return stem == other and bool(digits and more) and _follows(digits, more, len(digits))


def _runs(digits: t.Sequence[str]) -> t.Iterator[tuple[str, str]]:
    """Ranges (first, last) of consecutive numbers, in the given order; a range keeps the width of its first number."""
    first = last = digits[0]
    for each in digits[1:]:
        if _follows(last, each, len(first)):
            last = each
            continue
        yield first, last
        first = last = each
    yield first, last


def fold_in_order(names: t.Iterable[str]) -> list[str]:
    """Names with consecutive final numbers joined, one element per stem in a row; nothing is sorted or dropped."""
    folded: list[str] = []
    for (stem, numbered), group in itertools.groupby(map(_split, names), key=lambda pair: (pair[0], pair[1] != "")):
        digits = [each for _stem, each in group]
        if not numbered or len(digits) == 1:
            folded.extend(stem + each for each in digits)
            continue
        runs = [first if first == last else "%s-%s" % (first, last) for first, last in _runs(digits)]
        folded.append("%s[%s]" % (stem, ",".join(runs)))
    return folded


def fold(names: t.Iterable[str]) -> str:
    """Any names, sorted and once each, as one short list; padding of numbers is kept."""
    once = sorted(set(names), key=natural)
    for name in once:
        if not name or not _NAME.fullmatch(name):
            raise ClusterError("bad host name %r" % name, "letters, digits, dots and hyphens, as in node31")
    return ",".join(fold_in_order(once))


def _elements(text: str) -> t.Iterator[str]:
    """Split at the commas that are outside of brackets."""
    depth, start = 0, 0
    for at, char in enumerate(text):
        if char in "[]":
            depth += 1 if char == "[" else -1
            if depth not in (0, 1):
                raise ClusterError("%r: brackets do not match at character %d" % (text, at + 1), _HINT)
        elif char == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    if depth:
        raise ClusterError("%r: a bracket is not closed" % text, _HINT)
    yield text[start:]


def _numbers(inside: str, element: str) -> list[str]:
    numbers: list[str] = []
    for part in inside.split(","):
        found = _RANGE.fullmatch(part.strip())
        if not found:
            raise ClusterError("%r: %r is no range" % (element, part), _HINT)
        first, last = found.group(1), found.group(2) or found.group(1)
        count = int(last) - int(first) + 1
        if count < 1 or count + len(numbers) > MOST:
            what = "the range %r runs backwards" % part if count < 1 else "%r is more than %d hosts" % (part, MOST)
            raise ClusterError("%r: %s" % (element, what), _HINT)
        numbers.extend(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    return numbers


def _expand_one(element: str) -> list[str]:
    pieces = re.split(r"\[([^][]*)\]", element)
    choices: list[t.Sequence[str]] = []
    total = 1
    for at, piece in enumerate(pieces):
        if at % 2 == 0 and not _NAME.fullmatch(piece):
            raise ClusterError("%r: %r is no part of a host name" % (element, piece), _HINT)
        choices.append(_numbers(piece, element) if at % 2 else (piece,))
        total *= len(choices[-1])
    if total > MOST:
        raise ClusterError("%r is more than %d hosts" % (element, MOST), _HINT)
    return ["".join(parts) for parts in itertools.product(*choices)]


def expand(text: str) -> list[str]:
    """All names of a host list, each once, in its order; ClusterError holds the offending text."""
    if not isinstance(text, str) or not text.strip():
        raise ClusterError("the host list is %r" % (text,), _HINT)
    names: dict[str, None] = {}
    for element in map(str.strip, _elements(text.strip())):
        if not element:
            raise ClusterError("%r: an element is empty" % text, _HINT)
        names.update(dict.fromkeys(_expand_one(element)))
        if len(names) > MOST:
            raise ClusterError("%r is more than %d hosts" % (text[:60], MOST), _HINT)
    return list(names)
