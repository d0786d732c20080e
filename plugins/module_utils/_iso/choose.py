# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From lists and sources to a plan. This module util is private to the collection."""

from __future__ import annotations

import difflib
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._solve.closure import Closure, closure
from .._solve.installable import Report, check
from .lists import Line, Patterns
from .lock import Lock, Row
from .rpmsrate import Rated, in_category
from .sieve import Sieve, excluded, older_builds, older_kernels
from .sources import Candidate, Source, Supply, part_of

_SHOWN = 10


@dataclass(frozen=True)
class Policy:
    """How to decide, with the words of the module's option ``policy``."""

    on_choice: str = "first"
    prefer: tuple[str, ...] = ()
    suggests: bool = False
    closure: str = "enforce"
    duplicates: str = "newest"
    kernels: str = "newest"
    unknown: str = "fail"


@dataclass(frozen=True)
class Wishes:
    """The lists. Those of a source by its name; the name "" stands for those of all."""

    lists: t.Mapping[str, list[Line]]
    excludes: t.Mapping[str, list[Line]] = field(default_factory=dict)
    protect: t.Sequence[Line] = ()
    rates: t.Sequence[Rated] | None = None


def _more(rows: t.Sequence[str]) -> str:
    more = "; and %d more" % (len(rows) - _SHOWN) if len(rows) > _SHOWN else ""
    return "; ".join(rows[:_SHOWN]) + more


class Planner:
    """One plan in the making. ``notes`` are what a reader of the result should know."""

    def __init__(self, supply: Supply, wishes: Wishes, policy: Policy) -> None:
        self.supply = supply
        self.wishes = wishes
        self.policy = policy
        self.sieve = Sieve()
        self.notes: list[str] = []
        self.unknown: list[str] = []
        self._by_name: dict[str, list[int]] = {}
        for number, one in enumerate(supply.candidates):
            self._by_name.setdefault(one.package.name, []).append(number)

    def sift(self) -> None:
        """Leave out what must not be chosen."""
        candidates = self.supply.candidates
        if self.policy.duplicates == "newest":
            self.sieve.skipped.update(older_builds(candidates))
        if self.policy.kernels == "newest":
            self.sieve.skipped.update(older_kernels(candidates, self.sieve.skipped))
        patterns = {name: Patterns(lines) for name, lines in self.wishes.excludes.items()}
        everywhere = patterns.pop("", Patterns(()))
        self.sieve.excluded = excluded(candidates, everywhere, patterns, Patterns(self.wishes.protect))

    def wanted(self) -> dict[int, str]:
        """Numbers of the packages that the lists mean, each with the line that asked."""
        found: dict[int, str] = {}
        for source, lines in self.wishes.lists.items():
            for line in self._plain(lines):
                for number in self._meant(line, source):
                    found.setdefault(number, str(line))
        self._tell_unknown()
        return found

    def _plain(self, lines: t.Iterable[Line]) -> t.Iterator[Line]:
        """The lines, with packages in place of categories; names that only rpmsrate knows are no error."""
        for line in lines:
            if line.rate is None:
                yield line
                continue
            if self.wishes.rates is None:
                raise ClusterError("%s is a category, and there is no rpmsrate" % line, "set the option rpmsrate")
            names = in_category(self.wishes.rates, line)
            absent = [name for name in names if name not in self._by_name]
            if absent:
                self.notes.append("%s: not in the sources: %s" % (line, ", ".join(sorted(absent))))
            yield from (Line(name, str(line)) for name in names if name in self._by_name)

    def _meant(self, line: Line, source: str) -> list[int]:
        numbers = self._numbers(line)
        own = [number for number in numbers if self.supply.candidates[number].source.name == source]
        usable = [number for number in (own or numbers) if not self.sieve.out(number)]
        # A newer build may lie in another source than the one whose list asks.
        usable = usable or [number for number in numbers if not self.sieve.out(number)]
        if not numbers:
            self.unknown.append(self._unknown(line))
        elif not usable and not line.is_pattern:
            self.notes.append("%s is asked for, but %s" % (line, self.sieve.why(numbers[0])))
        return usable

    def _numbers(self, line: Line) -> list[int]:
        if line.is_pattern:
            pattern = Patterns([line])
            return [number for number, one in enumerate(self.supply.candidates) if pattern.find(one.package)]
        found = self._by_name.get(line.text)
        if found:
            return found
        same = Patterns([line])
        found = [number for number, one in enumerate(self.supply.candidates) if same.find(one.package)]
        return found or list(self.supply.pool.providers(line.text)[:1])

    def _unknown(self, line: Line) -> str:
        if line.is_pattern:
            return "nothing matches %s" % line
        near = difflib.get_close_matches(line.text, self._by_name, 3, 0.7)
        return "no package is called %s%s" % (line, ", near it: %s" % ", ".join(near) if near else "")

    def _tell_unknown(self) -> None:
        if self.unknown and self.policy.unknown == "fail":
            raise ClusterError(_more(self.unknown), "mend the lists, or set policy.unknown to warn")
        self.notes += self.unknown

    def close(self, wanted: t.Sequence[int]) -> tuple[Closure, list[int]]:
        """The wanted packages with all that they need; numbers are those of the supply."""
        usable = [number for number in range(len(self.supply.candidates)) if not self.sieve.out(number)]
        places = {number: place for place, number in enumerate(usable)}
        pool = part_of(self.supply.pool, usable)
        policy = self.policy
        start = [places[number] for number in wanted]
        if policy.closure == "off":
            return Closure(), list(wanted)
        found = closure(pool, start, policy.on_choice, policy.prefer, policy.suggests)
        return found, [usable[place] for place in found.numbers]

    def judge(self, chosen: t.Sequence[int], closed: Closure) -> Report:
        """Whether each can be installed from what is chosen; ClusterError when that is enforced and one cannot."""
        if self.policy.closure == "off":
            return Report(())
        report = check(part_of(self.supply.pool, chosen))
        if report.broken and self.policy.closure == "enforce":
            causes = ["%s, so %s cannot be installed" % (why, _few(names)) for why, names in report.causes().items()]
            causes += self.reasons(closed)
            raise ClusterError(
                "%d of %d packages cannot be installed: %s" % (len(report.broken), len(chosen), _more(causes)),
                "add what is missing, drop the exclude, name one in policy.prefer, or set policy.closure to warn",
            )
        return report

    def reasons(self, closed: Closure) -> list[str]:
        """Why requirements have nobody left: packages that would do, but were left out."""
        found = []
        for text, users in sorted(closed.missing.items()):
            out = [number for number in self.supply.pool.providers(text) if self.sieve.out(number)]
            for number in out[:1]:
                nvra, why = self.supply.candidates[number].package.nvra, self.sieve.why(number)
                found.append("%s, required by %s, would come from %s, which %s" % (text, users[0], nvra, why))
        return found


def _few(names: t.Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" and %d more" % (len(names) - 3) if len(names) > 3 else "")


def _row(one: Candidate, why: str) -> Row:
    return Row(one.package.nvra, one.package.name, one.path, one.size, one.mtime, one.header, why)


def make_plan(supply: Supply, wishes: Wishes, policy: Policy, key: str) -> Lock:
    """The plan; ClusterError for everything that a user has to decide first."""
    planner = Planner(supply, wishes, policy)
    planner.sift()
    wanted = planner.wanted()
    if not wanted:
        raise ClusterError("nothing is chosen from %d packages" % len(supply.candidates), "check lists and excludes")
    closed, chosen = planner.close(list(wanted))
    report = planner.judge(chosen, closed)
    why = {number: closed.packages.get(supply.candidates[number].package.nvra, "wanted") for number in chosen}
    why.update(wanted)
    packages: dict[str, list[Row]] = {}
    for number in sorted(chosen, key=lambda number: supply.candidates[number].package.nvra):
        one = supply.candidates[number]
        rows = packages.setdefault(one.source.dest, [])
        if not rows or rows[-1].nvra != one.package.nvra:
            rows.append(_row(one, why[number]))
    lock = Lock(key, dict(sorted(packages.items())), notes=planner.notes + planner.reasons(closed))
    lock.skipped = _told(supply, planner.sieve.skipped, lock.names | _kernels(lock))
    lock.excluded = _told(supply, planner.sieve.excluded, None)
    lock.choices = {
        text: "%s, not %s" % (one, ", ".join(others)) for text, (one, others) in sorted(closed.choices.items())
    }
    lock.broken = {one.nvra: list(one.chain) for one in report.broken}
    lock.notes += ["%s: not decided" % nvra for nvra in report.undecided]
    return lock


def _kernels(lock: Lock) -> set[str]:
    return {"kernel"} if any(name.startswith("kernel") for name in lock.names) else set()


def _told(supply: Supply, out: t.Mapping[int, str], names: t.Collection[str] | None) -> dict[str, str]:
    """Those left out by path, of all names or of those that are on the disc in another build."""
    found = {}
    for number, why in out.items():
        one = supply.candidates[number]
        if names is None or one.package.name in names or ("kernel" in names and one.package.name.startswith("kernel")):
            found[one.path] = why
    return dict(sorted(found.items()))


__all__ = ["Planner", "Policy", "Source", "Wishes", "make_plan"]
