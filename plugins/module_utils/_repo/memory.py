# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs read of the packages in a tree. This module util is private to the collection.

A package is read again as soon as one mark of its file is another one; what was forgotten costs time only.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._host.host import File, Host
from .._media.scan import Entry
from .._rpm.evr import Evr
from .layout import Folder, Layout
from .units import Package, package_of, read_all, read_package, rpms_in

FORMAT = 1
_Row = t.List[t.Any]


def _row(entry: Entry, one: Package) -> _Row:
    evr = [one.evr.epoch, one.evr.version, one.evr.release]
    return [*entry, one.name, one.arch, *evr, one.source]


def _known(row: _Row, path: str) -> tuple[Entry, Package]:
    """ValueError or TypeError when it is no row."""
    entry, (name, arch, epoch, version, release, source) = Entry(*row[:5]), row[5:]
    return entry, package_of(path, name, arch, Evr(int(epoch), version, release), source)


class Memory:
    """The packages of the sections that were asked for, by folder below PATH/VERSION."""

    def __init__(self, layout: Layout, host: Host) -> None:
        self._layout, self._host = layout, host
        self._path = os.path.join(layout.work, "packages.json")
        self._old = self._load()
        self._new = dict(self._old)

    def _load(self) -> dict[str, list[_Row]]:
        try:
            found = json.loads(self._host.read(self._path) or b"{}")
            rows = found["folders"] if found["format"] == FORMAT else {}
            return {str(folder): list(rows[folder]) for folder in rows}
        except (ValueError, TypeError, KeyError):
            return {}

    def _remembered(self, rel: str) -> dict[Entry, Package]:
        place = self._layout.path(rel)
        try:
            return dict(_known(row, os.path.join(place, row[0])) for row in self._old.get(rel, ()))
        except (ValueError, TypeError, IndexError):
            return {}

    def _folder(self, rel: str) -> list[Package]:
        known = self._remembered(rel)
        marks: dict[str, Entry] = {}

        def read(path: str) -> Package:
            now = os.stat(path)
            entry = Entry(os.path.basename(path), now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
            marks[path] = entry
            return known.get(entry) or read_package(path)

        found = read_all(rpms_in(self._layout.path(rel)), read)
        self._new[rel] = [_row(marks[one.path], one) for one in found]
        return found

    def section(self, target: str) -> dict[Folder, list[Package]]:
        """The packages of MEDIUM/SECTION by medium; every bad one is named in one ClusterError."""
        return {folder: self._folder(folder.rel) for folder in self._layout.folders(target)}

    def save(self) -> None:
        """For the next run; the caller holds the lock of the tree."""
        if self._new != self._old:
            data = json.dumps({"format": FORMAT, "folders": self._new}, separators=(",", ":"))
            self._host.write_files({self._path: File(data.encode())})
