# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search for a set of packages that contains a given one, is closed and has no conflict. Private to the collection."""

from __future__ import annotations

import typing as t

from .eliminate import Needs

# Who requires something, and the number of the requirement.
Want = t.Tuple[int, int]


class _Spent(Exception):
    """The search took more steps than allowed."""


class Search:
    """``gone`` are packages that are known to be of no use; it may grow between two questions.

    ``safe`` are packages that can be added to any set, with packages of the same kind only.
    """

    def __init__(self, needs: Needs, enemies: t.Mapping[int, t.Collection[int]], gone: t.Container[int]) -> None:
        self.needs = needs
        self.enemies = enemies
        self.gone = gone
        self.safe: t.AbstractSet[int] = frozenset()
        self._left = 0
        # Who asked for what when a package was added; and the last failure: package, its enemy, who asked for what.
        self._why: dict[int, Want] = {}
        self._clash: tuple[int, int, Want] = (-1, -1, (-1, -1))

    def _enemy(self, number: int, chosen: t.Collection[int]) -> int:
        """One of ``chosen`` that excludes the package, -1 if none does."""
        return next((enemy for enemy in self.enemies.get(number, ()) if enemy in chosen), -1)

    def _options(self, want: Want, chosen: t.Collection[int]) -> list[int]:
        found = []
        for number in self.needs.found[want[1]]:
            if number not in self.gone:
                enemy = self._enemy(number, chosen) if number in self.enemies else -1
                if enemy < 0:
                    found.append(number)
                else:
                    self._clash = (number, enemy, want)
        return found

    def greedy(self, number: int, chosen: t.AbstractSet[int]) -> set[int] | None:
        """What has to be added to ``chosen`` for a package, taking the first provider that fits; None if none does."""
        if number in self.gone or self._enemy(number, chosen) >= 0:
            return None
        added = {number}
        todo = [number]
        while todo:
            for place in self.needs.of[todo.pop()]:
                found = self.needs.found[place]
                if not (added.isdisjoint(found) and chosen.isdisjoint(found) and self.safe.isdisjoint(found)):
                    continue
                usable = (one for one in found if one not in self.gone)
                pick = next((one for one in usable if self._enemy(one, chosen) < 0 and self._enemy(one, added) < 0), -1)
                if pick < 0:
                    return None
                added.add(pick)
                todo.append(pick)
        return added

    def _propagate(self, chosen: set[int], wants: list[Want]) -> list[Want] | None:
        """Add to ``chosen`` what there is no choice about; what stays open, or None for a contradiction."""
        changed = True
        while changed:
            changed, todo, wants = False, wants, []
            while todo:
                want = todo.pop()
                found = self.needs.found[want[1]]
                if not (chosen.isdisjoint(found) and self.safe.isdisjoint(found)):
                    continue
                options = self._options(want, chosen)
                if not options:
                    return None
                if len(options) > 1:
                    wants.append(want)
                    continue
                changed = True
                todo += self._add(options[0], want, chosen)
        return wants

    def _wants(self, number: int) -> list[Want]:
        return [(number, place) for place in self.needs.of[number]]

    def _add(self, number: int, want: Want, chosen: set[int]) -> list[Want]:
        """Choose a package; what it wants in turn."""
        chosen.add(number)
        self._why[number] = want
        return self._wants(number)

    def forced(self, number: int) -> bool:
        """Whether what the package cannot do without fits together; True does not say that all else does."""
        self._why = {}
        return self._propagate({number}, self._wants(number)) is not None

    def exact(self, number: int, budget: int) -> bool | None:
        """Whether there is such a set at all; None when ``budget`` steps did not tell."""
        self._left = budget
        self._why = {}
        try:
            return self._solve({number}, self._wants(number))
        except (_Spent, RecursionError):
            return None

    def _solve(self, chosen: set[int], wants: list[Want]) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _Spent
        left = self._propagate(chosen, wants)
        if not left:
            return left is not None
        options, want = min(((self._options(want, chosen), want) for want in left), key=lambda row: len(row[0]))
        for pick in options:
            more = set(chosen)
            wanted = self._add(pick, want, more)
            if self._solve(more, [*left, *wanted]):
                return True
        return False

    def _step(self, want: Want, provider: int) -> str:
        user, place = want
        return "%s requires %s, provided by %s" % (self._name(user), self.needs.texts[place], self._name(provider))

    def _path(self, number: int) -> list[str]:
        """How a package came in."""
        steps: list[str] = []
        while number in self._why:
            steps.append(self._step(self._why[number], number))
            number = self._why[number][0]
        return steps[::-1]

    def _name(self, number: int) -> str:
        return str(self.needs.pool.packages[number])

    def reason(self) -> tuple[str, ...]:
        """Why the last question was answered by no: one way to a conflict."""
        package, enemy, want = self._clash
        steps = [*self._path(enemy), *self._path(want[0]), self._step(want, package)]
        return (*dict.fromkeys(steps), "%s excludes %s" % (self._name(enemy), self._name(package)))
