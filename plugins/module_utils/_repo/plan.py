# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a publication does to the files of a tree. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._rpm.evr import compare_evr
from .layout import BINARY, DEBUG, SOURCE, Folder, Layout
from .memory import Memory
from .units import Package, Unit, choose, newest, read_folder, same_content, units_of


@dataclass
class Row:
    """What becomes of one unit; paths below PATH/VERSION."""

    state: str
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.added or self.removed or self.archived or self.deleted)

    def result(self) -> dict[str, t.Any]:
        lists = ("added", "removed", "archived", "deleted")
        row = {key: sorted(getattr(self, key)) for key in lists}
        return {"changed": self.changed, "state": self.state, **row, "missing": self.missing}


@dataclass
class Moves:
    """Files that come (path below PATH/VERSION to the file it is made from) and go (to the archive, or empty)."""

    adds: dict[str, str] = field(default_factory=dict)
    drops: dict[str, str] = field(default_factory=dict)
    incoming: list[str] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    fresh: list[Unit] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.adds or self.drops or self.incoming)

    def touched(self) -> set[str]:
        """The media whose packages change."""
        return {os.path.dirname(rel) for rel in (*self.adds, *self.drops)}


def places(layout: Layout, package: Package, target: str) -> list[Folder]:
    """The media that a package goes to; none for a kind that the tree does not keep."""
    medium, section = target.split("/")
    if package.kind == SOURCE:
        return [Folder(SOURCE, "SRPMS", medium, section)] if layout.options["sources"] else []
    if package.kind == DEBUG and not layout.medium(target)["debug"]:
        return []
    kind = DEBUG if package.kind == DEBUG else BINARY
    arches = layout.arches if package.arch == "noarch" else [layout.arch_of(package.arch)]
    if arches == [""]:
        raise ClusterError(
            "%s is for %s, which the tree does not have" % (package.path, package.arch),
            "the tree has %s; add the architecture or leave the package out" % ", ".join(layout.arches),
        )
    return [Folder(kind, arch, medium, section) for arch in arches]


def _add_unit(layout: Layout, unit: Unit, target: str, moves: Moves) -> Row:
    row = Row("published", missing=unit.lacks(layout))
    for package in unit.packages:
        for folder in places(layout, package, target):
            rel = "%s/%s" % (folder.rel, package.file)
            there = layout.path(rel)
            if not os.path.exists(there):
                moves.adds[rel] = package.path
                row.added.append(rel)
            elif not same_content(there, package.path):
                raise ClusterError(
                    "%s is published already, with other content than %s" % (there, package.path),
                    "a new build needs a new release number",
                )
    return row


def _archive_place(layout: Layout, rel: str) -> str:
    return os.path.join(layout.archive, rel)


def _drop(layout: Layout, moves: Moves, row: Row, rel: str, on_old: str) -> None:
    moves.drops[rel] = _archive_place(layout, rel) if on_old == "archive" else ""
    (row.archived if on_old == "archive" else row.deleted).append(rel)


def _supersede(
    layout: Layout, unit: Unit, there: t.Mapping[Folder, list[Package]], options: t.Mapping[str, t.Any], moves: Moves
) -> None:
    """Older builds of the same source leave the section; a newer one there refuses the unit."""
    old = [
        (folder, package)
        for folder, packages in there.items()
        for package in packages
        if package.source_name == unit.name and package.source != unit.source
    ]
    others = newest(units_of(package for _folder, package in old).values())
    if others and compare_evr(others[0].evr, unit.evr) > 0 and not options["allow_downgrade"]:
        raise ClusterError(
            "%s has %s, which is newer than %s" % (options["to"], others[0].source, unit.source),
            "leave it out, or set allow_downgrade",
        )
    row = moves.rows[unit.source]
    for folder, package in old if options["on_old"] != "keep" else ():
        _drop(layout, moves, row, "%s/%s" % (folder.rel, package.file), options["on_old"])


def _sources(layout: Layout, options: t.Mapping[str, t.Any], memory: Memory) -> tuple[list[Package], dict[str, str]]:
    """The packages on offer, and for those of a section the paths below PATH/VERSION by path."""
    place = options["from"]
    if os.path.isabs(place):
        if not os.path.isdir(place):
            raise ClusterError("from: there is no folder %s" % place, "make it, or name a section such as main/testing")
        return read_folder(place, recurse=True), {}
    layout.check_target(place, "from")
    if place == options["to"]:
        raise ClusterError("from and to are both %s" % place, "packages move from one section to another")
    rows = memory.section(place)
    paths = {one.path: "%s/%s" % (folder.rel, one.file) for folder, found in rows.items() for one in found}
    return [one for found in rows.values() for one in found], paths


def plan_publish(layout: Layout, options: t.Mapping[str, t.Any], memory: Memory) -> Moves:
    """Every move that publishing needs; reads headers, writes nothing."""
    layout.check_target(options["to"], "to")
    packages, rels = _sources(layout, options, memory)
    units = units_of(packages)
    there = memory.section(options["to"]) if units or options["packages"] else {}
    known = units_of(package for found in there.values() for package in found)
    moves = Moves()
    for unit in choose(units, options["packages"], known, options["from"]):
        moves.rows[unit.source] = _add_unit(layout, unit, options["to"], moves)
        _supersede(layout, unit, there, options, moves)
        _leave(unit, packages, rels, options, moves)
        if moves.rows[unit.source].added:
            moves.fresh.append(unit)
    return moves


def _leave(
    unit: Unit, packages: t.Sequence[Package], rels: t.Mapping[str, str], options: t.Mapping[str, t.Any], moves: Moves
) -> None:
    """What was published leaves where it came from."""
    if not options["remove_source"]:
        return
    for package in packages:
        if package.source != unit.source:
            continue
        if package.path in rels:
            moves.drops[rels[package.path]] = ""
            moves.rows[unit.source].removed.append(rels[package.path])
        else:
            moves.incoming.append(package.path)


def plan_withdraw(layout: Layout, options: t.Mapping[str, t.Any], memory: Memory) -> Moves:
    """Every move that takes packages out of a section; those that are gone are no error."""
    layout.check_target(options["to"], "to")
    there = memory.section(options["to"])
    units = units_of(package for found in there.values() for package in found)
    moves = Moves()
    for word in options["packages"]:
        for unit in [one for one in units.values() if word in (one.name, one.source)]:
            row = moves.rows.setdefault(unit.source, Row("withdrawn"))
            for folder, found in there.items():
                for package in found:
                    rel = "%s/%s" % (folder.rel, package.file)
                    if package.source == unit.source and rel not in moves.drops:
                        _drop(layout, moves, row, rel, options["on_old"] if options["on_old"] != "keep" else "archive")
    return moves
