# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages by their source package, the unit that is published. This module util is private to the collection."""

from __future__ import annotations

import difflib
import os
import typing as t
from dataclasses import dataclass, field
from functools import cached_property, cmp_to_key

from .._host.errors import ClusterError
from .._rpm import package as rpm
from .._rpm.evr import Evr, compare_evr
from .._rpm.header import Rpm, read_rpm
from .layout import BINARY, DEBUG, SOURCE, Layout

_DEBUG_ENDS = ("-debug", "-debuginfo", "-debugsource")


@dataclass(frozen=True)
class Package:
    """One file. ``source`` is NAME-VERSION-RELEASE of its source package, ``source_name`` the first part of it."""

    path: str
    name: str
    arch: str
    nvra: str
    evr: Evr
    source: str
    source_name: str

    @cached_property
    def rpm(self) -> Rpm:
        """Its headers, read when somebody asks."""
        return read_rpm(self.path)

    @property
    def file(self) -> str:
        return os.path.basename(self.path)

    @property
    def kind(self) -> str:
        if self.arch in ("src", "nosrc"):
            return SOURCE
        return DEBUG if self.name.endswith(_DEBUG_ENDS) else BINARY


@dataclass
class Unit:
    """A source package with everything that was built from it."""

    source: str
    name: str
    packages: list[Package] = field(default_factory=list)

    @property
    def evr(self) -> Evr:
        """Of the source package; its epoch, which file names do not tell, is that of its packages."""
        first = next((one for one in self.packages if one.kind == SOURCE), self.packages[0])
        version, _dash, release = self.source[len(self.name) + 1 :].rpartition("-")
        return Evr(first.evr.epoch, version, release)

    def lacks(self, layout: Layout) -> list[str]:
        """Its source, or packages of an architecture, that are not there."""
        there = {layout.arch_of(one.arch) for one in self.packages if one.kind == BINARY and one.arch != "noarch"}
        found = ["no packages for %s" % arch for arch in layout.arches if there and arch not in there]
        has_source = any(one.kind == SOURCE for one in self.packages)
        return found + (["no source package"] if layout.options["sources"] and not has_source else [])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def read_package(path: str) -> Package:
    """ClusterError names a file that is no good package."""
    found = read_rpm(path)
    header = found.header
    name, version, release = (_text(header.string(tag)) for tag in (rpm.NAME, rpm.VERSION, rpm.RELEASE))
    evr = Evr(header.number(rpm.EPOCH), version, release)
    source = _text(header.string(rpm.SOURCE_RPM))
    for end in (".src.rpm", ".nosrc.rpm"):
        source = source[: -len(end)] if source.endswith(end) else source
    source = source or "%s-%s-%s" % (name, version, release)
    return package_of(path, name, _text(rpm.arch(header)), evr, source)


def package_of(path: str, name: str, arch: str, evr: Evr, source: str) -> Package:
    """A package from what its header tells."""
    nvra = "%s-%s-%s.%s" % (name, evr.version, evr.release, arch)
    return Package(path, name, arch, nvra, evr, source, source.rsplit("-", 2)[0])


def rpms_in(folder: str, recurse: bool = False) -> list[str]:
    """Paths of packages, hidden ones left out, sorted."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if recurse and not name.startswith("."))
        found += [os.path.join(place, name) for name in names if name.endswith(".rpm") and not name.startswith(".")]
    return sorted(found)


def read_all(paths: t.Iterable[str], read: t.Callable[[str], Package] = read_package) -> list[Package]:
    """The packages; every bad one is named in one ClusterError."""
    bad, found = [], []
    for path in paths:
        try:
            found.append(read(path))
        except ClusterError as error:
            bad.append(error.message)
    if bad:
        raise ClusterError("%d packages cannot be used: %s" % (len(bad), "; ".join(bad)), "fetch or build them again")
    return found


def read_folder(folder: str, recurse: bool = False) -> list[Package]:
    """The packages of a folder."""
    return read_all(rpms_in(folder, recurse))


def units_of(packages: t.Iterable[Package]) -> dict[str, Unit]:
    """Units by NAME-VERSION-RELEASE of the source; a package that lies in several media counts once."""
    found: dict[str, Unit] = {}
    seen: dict[str, Package] = {}
    for package in packages:
        if package.file in seen:
            _same(seen[package.file], package)
            continue
        seen[package.file] = package
        found.setdefault(package.source, Unit(package.source, package.source_name)).packages.append(package)
    return dict(sorted(found.items()))


def _same(one: Package, other: Package) -> None:
    if not same_content(one.path, other.path):
        raise ClusterError("%s and %s differ" % (one.path, other.path), "keep one build of each package")


def same_content(one: str, other: str) -> bool:
    """Whether two files hold the same bytes; links to one file are not read."""
    if os.path.samefile(one, other):
        return True
    if os.path.getsize(one) != os.path.getsize(other):
        return False
    with open(one, "rb") as left, open(other, "rb") as right:
        while True:
            block = left.read(1 << 20)
            if block != right.read(1 << 20):
                return False
            if not block:
                return True


def newest(units: t.Iterable[Unit]) -> list[Unit]:
    """The units, newest first."""
    return sorted(units, key=cmp_to_key(_newer_first))


def _newer_first(one: Unit, other: Unit) -> int:
    return -compare_evr(one.evr, other.evr)


def choose(units: t.Mapping[str, Unit], words: t.Sequence[str], known: t.Mapping[str, Unit], where: str) -> list[Unit]:
    """The units that ``words`` name, all without words; ClusterError for an unknown one, with names that are near.

    A word that only names something in ``known``, the units that are where these would go, is done already.
    """
    found: dict[str, Unit] = {}
    for word in words:
        unit = _named(units, word)
        if unit is not None:
            found[unit.source] = unit
        elif _named(known, word) is None:
            names = {name for unit in units.values() for name in (unit.name, unit.source)}
            near = difflib.get_close_matches(word, sorted(names), 3, 0.6)
            hint = "near it: " + ", ".join(near) if near else "names of source packages, with or without version"
            raise ClusterError("%s has no package %s" % (where, word), hint)
    return [found[source] for source in sorted(found)] if words else list(units.values())


def _named(units: t.Mapping[str, Unit], word: str) -> Unit | None:
    if word in units:
        return units[word]
    same = newest(unit for unit in units.values() if unit.name == word)
    if same:
        return same[0]
    file = word[:-4] if word.endswith(".rpm") else word
    return next((u for u in units.values() if any(file in (p.nvra, p.file[:-4]) for p in u.packages)), None)
