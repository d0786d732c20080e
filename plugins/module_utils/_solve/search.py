# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search for a set of packages that contains a given one, is closed and has no conflict. Private to the collection."""

from __future__ import annotations

import typing as t

from .pool import Pool


class _Spent(Exception):
    """The search took more steps than allowed."""


class Search:
    """``gone`` are packages that are known to be of no use; it may grow between two questions.

    ``safe`` are packages that can be added to any set, with packages of the same kind only.
    """

    def __init__(self, pool: Pool, enemies: t.Mapping[int, t.Collection[int]], gone: t.Container[int]) -> None:
        self.pool = pool
        self.enemies = enemies
        self.gone = gone
        self.safe: t.AbstractSet[int] = frozenset()
        self._needs: dict[int, tuple[str, ...]] = {}
        self._left = 0
        # Who asked for what when a package was added; and the last failure: package, its enemy, who asked for what.
        self._why: dict[int, tuple[int, str]] = {}
        self._clash: tuple[int, int, int, str] = (-1, -1, -1, "")

    def needs(self, number: int) -> tuple[str, ...]:
        """The requirements that the package does not satisfy itself."""
        found = self._needs.get(number)
        if found is None:
            texts = dict.fromkeys(self.pool.requirements(number))
            found = self._needs[number] = tuple(text for text in texts if number not in self.pool.providers(text))
        return found

    def _enemy(self, number: int, chosen: t.Collection[int]) -> int:
        """One of ``chosen`` that excludes the package, -1 if none does."""
        return next((enemy for enemy in self.enemies.get(number, ()) if enemy in chosen), -1)

    def _options(self, text: str, chosen: t.Collection[int], user: int) -> list[int]:
        found = []
        for number in self.pool.providers(text):
            if number not in self.gone:
                enemy = self._enemy(number, chosen) if number in self.enemies else -1
                if enemy < 0:
                    found.append(number)
                else:
                    self._clash = (number, enemy, user, text)
        return found

    def greedy(self, number: int, chosen: t.AbstractSet[int]) -> set[int] | None:
        """What has to be added to ``chosen`` for a package, taking the first provider that fits; None if none does."""
        if number in self.gone or self._enemy(number, chosen) >= 0:
            return None
        added = {number}
        todo = [number]
        while todo:
            user = todo.pop()
            for text in self.needs(user):
                found = self.pool.providers(text)
                if not (added.isdisjoint(found) and chosen.isdisjoint(found) and self.safe.isdisjoint(found)):
                    continue
                usable = (one for one in found if one not in self.gone)
                pick = next((one for one in usable if self._enemy(one, chosen) < 0 and self._enemy(one, added) < 0), -1)
                if pick < 0:
                    return None
                added.add(pick)
                todo.append(pick)
        return added

    def _propagate(self, chosen: set[int], wants: list[tuple[int, str]]) -> list[tuple[int, str]] | None:
        """Add to ``chosen`` what there is no choice about; what stays open, or None for a contradiction."""
        changed = True
        while changed:
            changed, todo, wants = False, wants, []
            while todo:
                user, text = todo.pop()
                found = self.pool.providers(text)
                if not (chosen.isdisjoint(found) and self.safe.isdisjoint(found)):
                    continue
                options = self._options(text, chosen, user)
                if not options:
                    return None
                if len(options) > 1:
                    wants.append((user, text))
                    continue
                changed = True
                self._add(options[0], user, text, chosen)
                todo += [(options[0], need) for need in self.needs(options[0])]
        return wants

    def _add(self, number: int, user: int, text: str, chosen: set[int]) -> None:
        chosen.add(number)
        self._why[number] = (user, text)

    def forced(self, number: int) -> bool:
        """Whether what the package cannot do without fits together; True does not say that all else does."""
        self._why = {}
        return self._propagate({number}, [(number, text) for text in self.needs(number)]) is not None

    def exact(self, number: int, budget: int) -> bool | None:
        """Whether there is such a set at all; None when ``budget`` steps did not tell."""
        self._left = budget
        self._why = {}
        try:
            return self._solve({number}, [(number, text) for text in self.needs(number)])
        except (_Spent, RecursionError):
            return None

    def _solve(self, chosen: set[int], wants: list[tuple[int, str]]) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _Spent
        left = self._propagate(chosen, wants)
        if not left:
            return left is not None
        rows = [(self._options(text, chosen, user), user, text) for user, text in left]
        options, user, text = min(rows, key=lambda row: len(row[0]))
        for pick in options:
            more = set(chosen)
            self._add(pick, user, text, more)
            if self._solve(more, [*left, *((pick, need) for need in self.needs(pick))]):
                return True
        return False

    def _path(self, number: int) -> list[str]:
        """How a package came in."""
        steps: list[str] = []
        while number in self._why:
            user, text = self._why[number]
            steps.append("%s requires %s, provided by %s" % (self._name(user), text, self._name(number)))
            number = user
        return steps[::-1]

    def _name(self, number: int) -> str:
        return str(self.pool.packages[number])

    def reason(self, _number: int) -> tuple[str, ...]:
        """Why the last question about the package was answered by no: one way to a conflict."""
        package, enemy, user, text = self._clash
        steps = [*self._path(enemy), *self._path(user)]
        steps.append("%s requires %s, provided by %s" % (self._name(user), text, self._name(package)))
        return (*dict.fromkeys(steps), "%s excludes %s" % (self._name(enemy), self._name(package)))
