# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left out before packages are chosen: older builds, older kernels, excluded names. Private."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from functools import cmp_to_key

from .._rpm.evr import Evr, compare_evr, parse_evr
from .._solve.pool import newest_first
from .lists import Patterns
from .sources import Candidate

# kernel-desktop-2.6.27.21-1mnb, kernel-desktop-devel-2.6.27.21-1mnb: the version is part of the name.
_KERNEL = re.compile(r"(kernel(?:-[A-Za-z]\w*)*)-(\d[\w.+~]*-\d[\w.+~]*)")


@dataclass
class Sieve:
    """Candidates by number: those that were left out, each with the reason in words."""

    skipped: dict[int, str] = field(default_factory=dict)
    excluded: dict[int, str] = field(default_factory=dict)

    def out(self, number: int) -> bool:
        return number in self.skipped or number in self.excluded

    def why(self, number: int) -> str:
        return self.excluded.get(number) or self.skipped.get(number, "")


def _place(one: Candidate) -> str:
    folder = one.path.rsplit("/", 1)[0]
    return folder[len(one.source.path) :].strip("/") or one.source.name


def older_builds(candidates: t.Sequence[Candidate]) -> dict[int, str]:
    """Every build that is not the newest of its name and architecture in its destination."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(candidates):
        groups.setdefault((one.source.dest, one.key), []).append(number)
    packages = [one.package for one in candidates]
    found = {}
    for numbers in groups.values():
        newest, *rest = newest_first(numbers, packages)
        best = candidates[newest]
        for number in rest:
            same = packages[number].nvra == best.package.nvra
            what = "is there again" if same else "is older than %s" % best.package.nvra
            found[number] = "%s of %s" % (what, _place(best))
    return dict(sorted(found.items()))


def kernel_of(name: str) -> tuple[str, str] | None:
    """Flavour and version of a kernel package whose name carries its version."""
    found = _KERNEL.fullmatch(name)
    return (found.group(1), found.group(2)) if found else None


def older_kernels(candidates: t.Sequence[Candidate], out: t.Container[int]) -> dict[int, str]:
    """Every kernel whose flavour is there with a newer version in the name."""
    groups: dict[tuple[str, str, str], list[tuple[Evr, int]]] = {}
    for number, one in enumerate(candidates):
        flavour = kernel_of(one.package.name)
        if flavour and number not in out:
            key = (one.source.dest, flavour[0], one.package.arch)
            groups.setdefault(key, []).append((parse_evr(flavour[1]), number))
    found = {}
    for rows in groups.values():
        rows.sort(key=cmp_to_key(_newer_first))
        for evr, number in rows:
            if evr != rows[0][0]:
                found[number] = "is an older kernel than %s" % candidates[rows[0][1]].package.nvra
    return dict(sorted(found.items()))


def _newer_first(one: tuple[Evr, int], other: tuple[Evr, int]) -> int:
    return -compare_evr(one[0], other[0]) or one[1] - other[1]


def excluded(
    candidates: t.Sequence[Candidate], everywhere: Patterns, of_source: t.Mapping[str, Patterns], protect: Patterns
) -> dict[int, str]:
    """What exclude lists take out: those of all sources and those of its own; ``protect`` wins over them."""
    found = {}
    for number, one in enumerate(candidates):
        line = everywhere.find(one.package)
        own = of_source.get(one.source.name)
        line = line or (own.find(one.package) if own else None)
        if line and not protect.find(one.package):
            found[number] = "is excluded by %s" % line
    return found
