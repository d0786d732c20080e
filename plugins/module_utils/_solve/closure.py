# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with everything that they need. This module util is private to the collection."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .pool import Pool, parse_item

POLICIES = ("first", "all", "fail")


@dataclass
class Closure:
    """``packages``: NVRA to what asked for it, in the order in which they came in.

    ``choices``: requirement to (the package that was taken, the others); ``missing``: requirement to who requires it.
    """

    packages: dict[str, str] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    choices: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)


def select(pool: Pool, wanted: t.Iterable[str]) -> list[int]:
    """Numbers of the newest packages that names, globs, NVRAs or provides mean; ClusterError lists what means none."""
    full = {package.nvra: number for number, package in reversed(list(enumerate(pool.packages)))}
    found: dict[int, None] = {}
    unknown = []
    for word in wanted:
        numbers = _meant(pool, full, word)
        found.update(dict.fromkeys(numbers))
        if not numbers:
            unknown.append(word)
    if unknown:
        raise ClusterError("no package is called %s" % ", ".join(sorted(unknown)), "check the names and the media")
    return list(found)


def _meant(pool: Pool, full: t.Mapping[str, int], word: str) -> list[int]:
    if word in full:
        return [full[word]]
    if any(mark in word for mark in "*?[") and not parse_item(word).flags:
        return [pool.providers_of_name(name)[0] for name in sorted(fnmatch.filter(pool.by_name, word))]
    if word in pool.by_name:
        return [pool.providers_of_name(word)[0]]
    return list(pool.providers(word)[:1])


class _Walk:
    def __init__(self, pool: Pool, policy: str, prefer: t.Collection[str], suggests: bool) -> None:
        self.pool = pool
        self.policy = policy
        self.prefer = prefer
        self.suggests = suggests
        self.chosen: set[int] = set()
        self.result = Closure()

    def take(self, number: int, why: str) -> None:
        if number not in self.chosen:
            self.chosen.add(number)
            self.result.packages[self.pool.packages[number].nvra] = why
            self.result.numbers.append(number)

    def require(self, text: str, user: str, needed: bool = True) -> None:
        found = self.pool.providers(text)
        if not self.chosen.isdisjoint(found):
            return
        if not found:
            if needed:
                self.result.missing.setdefault(text, []).append(user)
            return
        for number in self.pick(text, found, user):
            self.take(number, "%s required by %s" % (text, user))

    def pick(self, text: str, found: tuple[int, ...], user: str) -> t.Sequence[int]:
        packages = self.pool.packages
        names = {packages[number].name for number in found}
        preferred = [number for number in found if packages[number].name in self.prefer]
        best = (preferred or list(found))[0]
        if len(names) > 1 and not preferred:
            others = tuple(packages[number].nvra for number in found if number != best)
            self.result.choices[text] = (packages[best].nvra, others)
            if self.policy == "fail":
                both = (text, user, ", ".join(sorted(names)))
                raise ClusterError("%s required by %s: there is a choice of %s" % both, "name one in prefer")
            if self.policy == "all":
                return found
        return [best]


def closure(
    pool: Pool,
    wanted: t.Sequence[int],
    policy: str = "first",
    prefer: t.Collection[str] = (),
    suggests: bool = False,
) -> Closure:
    """``wanted`` packages and what they require, breadth first.

    Where several packages would do, one that is chosen already is enough; else one whose name is in ``prefer``, else
    ``policy`` decides: the ``first`` (that of the very name, then by name, the newest), ``all``, or ``fail``.
    """
    if policy not in POLICIES:
        raise ClusterError("unknown choice policy %r" % policy, "one of " + ", ".join(POLICIES))
    walk = _Walk(pool, policy, prefer, suggests)
    for number in wanted:
        walk.take(number, "wanted")
    at = 0
    while at < len(walk.result.numbers):
        number = walk.result.numbers[at]
        at += 1
        name = pool.packages[number].nvra
        for text in pool.requirements(number):
            walk.require(text, name)
        for text in pool.packages[number].suggests if suggests else ():
            walk.require(text, name, needed=False)
    return walk.result
