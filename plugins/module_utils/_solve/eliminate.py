# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking out packages that lack something, and those that then lack them. This module util is private."""

from __future__ import annotations

import typing as t

from .pool import Pool


class Needs:
    """Who requires what and who provides it, by number of package and of requirement.

    ``of``: the requirements of each package; ``found``: the packages that satisfy each requirement.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.texts: list[str] = []
        self.users: list[list[int]] = []
        self.supports: list[list[int]] = [[] for _package in pool.packages]
        self.found: list[tuple[int, ...]] = []
        self.of: list[list[int]] = []
        known: dict[str, int] = {}
        for number in range(len(pool.packages)):
            places = []
            for text in dict.fromkeys(pool.requirements(number)):
                place = known.get(text)
                if place is None:
                    place = known[text] = self._add(text)
                self.users[place].append(number)
                places.append(place)
            self.of.append(places)

    def _add(self, text: str) -> int:
        place = len(self.texts)
        found = self.pool.providers(text)
        self.texts.append(text)
        self.users.append([])
        self.found.append(found)
        for number in found:
            self.supports[number].append(place)
        return place


class Elimination:
    """``gone``: packages that are out, each with the requirement that has no provider left (None: taken out)."""

    def __init__(self, needs: Needs, dead: t.Iterable[int] = ()) -> None:
        self.needs = needs
        self.gone: dict[int, str | None] = {}
        self._left = [len(found) for found in needs.found]
        self._lacking([place for place, found in enumerate(needs.found) if not found])
        for number in dead:
            self.kill(number)

    def kill(self, number: int) -> None:
        """Take a package out, and all that cannot do without it."""
        if number not in self.gone:
            self._lacking(self._drop(number, None))

    def _drop(self, number: int, text: str | None) -> list[int]:
        self.gone[number] = text
        empty = []
        for place in self.needs.supports[number]:
            self._left[place] -= 1
            if not self._left[place]:
                empty.append(place)
        return empty

    def _lacking(self, places: list[int]) -> None:
        for place in places:
            for number in self.needs.users[place]:
                if number not in self.gone:
                    # The list grows while it is read, breadth first: chains come out short.
                    places += self._drop(number, self.needs.texts[place])
