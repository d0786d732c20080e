# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All packages of some media and who provides what. This module util is private to the collection.

Packages are numbered in the order in which they were given. Dependency items are texts as in a synthesis: ``name``,
``name[>= 1.0]``, ``name[*]``. Equal texts are resolved once.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from functools import lru_cache

from .._host.errors import ClusterError
from .._media.synthesis import Record
from .._rpm.evr import EQUAL, OPERATORS, Evr, compare_evr, overlaps, parse_evr
from .rich import RichError, parse_rich

_ITEM = re.compile(r"(.*?)(?:\[\*\])?(?:\[([<>=]*) ([^\]]*)\])?", re.S)


class Item(t.NamedTuple):
    """A dependency: name, sense flags (0 for any version) and bound."""

    name: str
    flags: int = 0
    evr: t.Optional[Evr] = None


@lru_cache(maxsize=65536)
def parse_item(text: str) -> Item:
    """A dependency item; a version that makes no sense counts as none."""
    if not text.endswith("]"):
        return Item(text)
    match = _ITEM.fullmatch(text)
    if match is None:
        return Item(text)
    name, operator, version = match.groups()
    if not version:
        return Item(name)
    try:
        return Item(name, OPERATORS.get(operator, 0), parse_evr(version))
    except ClusterError:
        return Item(name)


@dataclass(frozen=True)
class Package:
    """One package of one medium. The dependency lists hold item texts."""

    nvra: str
    name: str
    evr: Evr
    arch: str
    medium: str = ""
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    suggests: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.nvra


def _texts(items: t.Sequence[bytes]) -> tuple[str, ...]:
    """Items without repetitions, in their order."""
    if not items:
        return ()
    return tuple(dict.fromkeys(b"@".join(items).decode("utf-8", "replace").split("@")))


def package_of(record: Record, medium: str = "") -> Package:
    """ClusterError when the NVRA of the record makes no sense."""
    nvra = record.nvra.decode("utf-8", "replace")
    front, _dot, arch = nvra.rpartition(".")
    front, _dash, release = front.rpartition("-")
    name, _dash, version = front.rpartition("-")
    if not name or not version or not record.epoch.isdigit():
        raise ClusterError("%s: no NAME-VERSION-RELEASE.ARCH with an epoch" % nvra, "build the media_info again")
    return Package(
        nvra,
        name,
        Evr(int(record.epoch[:10]), version, release),
        arch,
        medium,
        provides=_texts(record.items(b"provides")),
        requires=_texts(record.items(b"requires")),
        conflicts=_texts(record.items(b"conflicts")),
        obsoletes=_texts(record.items(b"obsoletes")),
        suggests=_texts([*record.items(b"suggests"), *record.items(b"recommends")]),
    )


@dataclass
class Pool:
    """``files`` are paths that packages hold without providing them by name: path to package numbers."""

    packages: t.Sequence[Package]
    files: t.Mapping[str, t.Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name: dict[str, list[int]] = {}
        self._provides: dict[str, list[tuple[int, str]]] = {}
        for number, package in enumerate(self.packages):
            self.by_name.setdefault(package.name, []).append(number)
            for text in package.provides:
                self._provides.setdefault(text.partition("[")[0] if text[-1:] == "]" else text, []).append(
                    (number, text)
                )
        self._known: dict[str, tuple[int, ...]] = {}

    def providers(self, text: str) -> tuple[int, ...]:
        """The packages that satisfy an item, the preferred ones first; rich dependencies are understood."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._rich(text) if text.startswith("(") else self._plain(text)
        return found

    def _plain(self, text: str) -> tuple[int, ...]:
        wanted = parse_item(text) if text[-1:] == "]" else Item(text)
        rows = self._provides.get(wanted.name, [])
        if not wanted.flags:
            found = {number for number, _provided in rows}
            found.update(self.files.get(wanted.name, ()))
        else:
            found = {
                number for number, provided in rows if overlaps(*parse_item(provided)[1:], wanted.flags, wanted.evr)
            }
        return self._ordered(found, wanted.name)

    def _rich(self, text: str) -> tuple[int, ...]:
        try:
            found = parse_rich(text).satisfied_by(lambda item: frozenset(self.providers(item)))
        except RichError:
            return self._plain(text)
        return self._ordered(found, "")

    def _ordered(self, found: t.Collection[int], name: str) -> tuple[int, ...]:
        """The package of that very name first, newer ones before older ones, then by name."""
        if len(found) < 2:
            return tuple(found)
        packages = self.packages
        numbers = sorted(found, key=lambda number: (packages[number].name != name, packages[number].name, number))
        return tuple(_newest_first(numbers, packages))

    def requirements(self, number: int) -> t.Iterator[str]:
        """What a package requires; the parts of a rich ``and`` one by one, conditional ones left out."""
        for text in self.packages[number].requires:
            if text.startswith("("):
                try:
                    yield from parse_rich(text).demands()
                    continue
                except RichError:
                    pass
            yield text

    def named(self, text: str) -> tuple[int, ...]:
        """The packages whose own name and version an item means, as obsoletes do."""
        wanted = parse_item(text)
        return tuple(
            number
            for number in self.by_name.get(wanted.name, ())
            if overlaps(EQUAL, self.packages[number].evr, wanted.flags, wanted.evr)
        )

    def providers_of_name(self, name: str) -> list[int]:
        """The packages of a name, the newest first."""
        return newest_first(self.by_name.get(name, ()), self.packages)

    def enemies(self) -> dict[int, set[int]]:
        """For each package those that cannot be installed with it: conflicts, obsoletes, other builds of the name."""
        found: dict[int, set[int]] = {}
        for number, package in enumerate(self.packages):
            others = {other for text in package.conflicts for other in self.providers(text)}
            others.update(other for text in package.obsoletes for other in self.named(text))
            others.update(self.by_name[package.name])
            others.discard(number)
            for other in others:
                found.setdefault(number, set()).add(other)
                found.setdefault(other, set()).add(number)
        return found


def _newest_first(numbers: t.Sequence[int], packages: t.Sequence[Package]) -> t.Iterator[int]:
    """Sort runs of one name by version, keeping the order of the names."""
    start = 0
    while start < len(numbers):
        end = start + 1
        while end < len(numbers) and packages[numbers[end]].name == packages[numbers[start]].name:
            end += 1
        yield from newest_first(numbers[start:end], packages)
        start = end


def newest_first(numbers: t.Sequence[int], packages: t.Sequence[Package]) -> list[int]:
    """Builds of one name, the newest first; equal versions in the order of the media."""
    if len(numbers) < 2:
        return list(numbers)
    found: list[int] = []
    for number in numbers:
        at = next(
            (at for at, other in enumerate(found) if compare_evr(packages[number].evr, packages[other].evr) > 0),
            len(found),
        )
        found.insert(at, number)
    return found


def pool_of(media: t.Mapping[str, t.Iterable[Record]]) -> Pool:
    """A pool of the records of several media, in the order of the mapping."""
    return Pool([package_of(record, medium) for medium, records in media.items() for record in records])
