# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages of a pool can be installed, and why the others cannot. This module util is private to the collection.

First, packages with a requirement that nothing provides are taken out, then those that need them, and so on: linear,
and exact as long as no two packages exclude each other. Packages that never meet such a pair are done then. The rest is
put together into sets without conflicts, each as large as possible; every member of such a set can be installed. What
fits into none is searched for exactly.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .eliminate import Elimination, Needs
from .pool import Pool
from .search import Search

Chain = t.Tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """A package that cannot be installed. ``chain`` leads to the cause, one sentence per step."""

    nvra: str
    chain: Chain
    medium: str = ""

    def __str__(self) -> str:
        return "; ".join(self.chain)


@dataclass(frozen=True)
class Report:
    """``undecided`` are packages for which the search was given up."""

    broken: tuple[Broken, ...]
    undecided: tuple[str, ...] = ()

    def causes(self) -> dict[str, list[str]]:
        """The last step of the chains, each with the packages that it breaks."""
        found: dict[str, list[str]] = {}
        for one in self.broken:
            found.setdefault(one.chain[-1], []).append(one.nvra)
        return dict(sorted(found.items()))


def _chain(pool: Pool, number: int, gone: t.Mapping[int, str | None], reasons: t.Mapping[int, Chain]) -> Chain:
    """From a package to the requirement that nothing provides, or to the conflict."""
    steps: list[str] = []
    seen: set[int] = set()
    while number >= 0:
        seen.add(number)
        text = gone[number]
        if text is None:
            return (*steps, *reasons[number])
        found = pool.providers(text)
        if not found:
            return (*steps, "nothing provides %s required by %s" % (text, pool.packages[number]))
        number_next = next((other for other in found if other not in seen), -1)
        provider = pool.packages[found[0] if number_next < 0 else number_next]
        steps.append("%s requires %s, provided by %s" % (pool.packages[number], text, provider))
        number = number_next
    return tuple(steps)


def _rounds(search: Search, todo: t.Sequence[int]) -> list[int]:
    """Put packages together into sets without conflicts; what even alone finds no such set is given back."""
    alone: list[int] = []
    while todo:
        members: set[int] = set()
        later: list[int] = []
        for number in todo:
            if number in members:
                continue
            added = search.greedy(number, members)
            if added is not None:
                members |= added
            elif members:
                later.append(number)
            else:
                alone.append(number)
        todo = later
    return alone


class _Check:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.needs = Needs(pool)
        self.out = Elimination(self.needs)
        self.enemies = pool.enemies()
        self.search = Search(self.needs, self.enemies, self.out.gone)
        self.reasons: dict[int, Chain] = {}
        self.undecided: list[int] = []

    def fail(self, number: int) -> None:
        self.reasons[number] = self.search.reason()
        self.out.kill(number)

    def run(self, budget: int) -> None:
        self._obvious()
        fighting = [number for number in self.enemies if self._has_enemy(number)]
        unsafe = Elimination(self.needs, [*self.out.gone, *fighting]).gone
        self.search.safe = {number for number in range(len(self.pool.packages)) if number not in unsafe}
        for number in _rounds(self.search, [number for number in unsafe if number not in self.out.gone]):
            if number not in self.out.gone:
                found = self.search.exact(number, budget)
                if found is None:
                    self.undecided.append(number)
                elif not found:
                    self.fail(number)

    def _has_enemy(self, number: int) -> bool:
        gone = self.out.gone
        return number not in gone and any(enemy not in gone for enemy in self.enemies[number])

    def _obvious(self) -> None:
        """Packages with an enemy among what they cannot do without; each one found may settle others."""
        while True:
            found = [number for number in sorted(self.enemies) if self._has_enemy(number) and self._contradicts(number)]
            if not found:
                return

    def _contradicts(self, number: int) -> bool:
        if self.search.forced(number):
            return False
        self.fail(number)
        return True

    def report(self) -> Report:
        rows = []
        for number in self.out.gone:
            package = self.pool.packages[number]
            rows.append(Broken(package.nvra, _chain(self.pool, number, self.out.gone, self.reasons), package.medium))
        rows.sort(key=lambda row: (row.medium, row.nvra))
        return Report(tuple(rows), tuple(sorted(self.pool.packages[number].nvra for number in self.undecided)))


def check(pool: Pool, budget: int = 5000) -> Report:
    """Every package of the pool; ``budget`` bounds the steps of the search for one package."""
    job = _Check(pool)
    job.run(budget)
    return job.report()
