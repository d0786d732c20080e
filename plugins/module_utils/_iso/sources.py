# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where packages come from: media with sections, read by their headers. This module util is private to the collection.

Media files beside the packages are not asked: a package is what its header says.
"""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._media.scan import Entry, scan
from .._media.synthesis import record_of
from .._rpm import package as rpm
from .._rpm.header import read_rpm
from .._solve.pool import Package, Pool, package_of

_SHOWN = 10


@dataclass(frozen=True)
class Source:
    """One source: a folder, or its ``sections``. Its packages go to the destination ``dest`` on the disc."""

    name: str
    path: str
    dest: str
    sections: tuple[str, ...] = ()

    @property
    def folders(self) -> list[str]:
        return [os.path.join(self.path, section) for section in self.sections] or [self.path]


@dataclass(frozen=True)
class Candidate:
    """A package that may go on the disc. ``header`` tells its content whoever signed it, see :func:`identity`."""

    package: Package
    path: str
    source: Source
    size: int
    mtime: int
    header: str

    @property
    def key(self) -> str:
        return "%s.%s" % (self.package.name, self.package.arch)


@dataclass
class Supply:
    """All candidates in the order of the sources, as a pool and with where each lies."""

    candidates: list[Candidate] = field(default_factory=list)
    pool: Pool = field(default_factory=lambda: Pool([]))


def identity(path: str) -> tuple[str, Package, list[bytes]]:
    """Digest of the main header with the size of the payload, the package, and the paths that it requires.

    Signing changes neither. A main header holds digests of its files, so other content is another header.
    """
    found = read_rpm(path)
    digest = hashlib.sha256(found.header.body)
    digest.update(b"%d" % (found.size - found.payload_start))
    record = record_of(found.header, found.size)
    wanted = [name for name, _flags, _version in rpm.dependencies(found.header, "requires") if name.startswith(b"/")]
    return digest.hexdigest(), package_of(record), wanted


def scan_sources(sources: t.Sequence[Source]) -> list[tuple[Source, str, Entry]]:
    """Every package file: its source, folder and marks; ClusterError for a folder that is not there."""
    found = []
    for source in sources:
        for folder in source.folders:
            if not os.path.isdir(folder):
                what = "section %s" % os.path.basename(folder) if source.sections else "folder"
                raise ClusterError(
                    "source %s: the %s does not exist: %s" % (source.name, what, folder), "mirror it, or leave it out"
                )
            found += [(source, folder, entry) for entry in scan(folder)]
    return found


def read_sources(rows: t.Iterable[tuple[Source, str, Entry]], arches: t.Collection[str]) -> Supply:
    """The candidates; every package that cannot be read is named in one ClusterError."""
    supply, bad, paths = Supply(), [], set()
    for source, folder, entry in rows:
        path = os.path.join(folder, entry.file)
        try:
            digest, package, wanted = identity(path)
        except ClusterError as error:
            bad.append(error.message)
            continue
        if package.arch in ("src", "nosrc") or (arches and package.arch not in arches):
            continue
        paths.update(wanted)
        supply.candidates.append(Candidate(package, path, source, entry.size, entry.mtime // 10**9, digest))
    if bad:
        more = " and %d more" % (len(bad) - _SHOWN) if len(bad) > _SHOWN else ""
        raise ClusterError(
            "%d packages cannot be read: %s%s" % (len(bad), "; ".join(bad[:_SHOWN]), more), "fetch or build them again"
        )
    supply.pool = pool_of_candidates(supply.candidates, paths)
    return supply


def pool_of_candidates(candidates: t.Sequence[Candidate], paths: t.Iterable[bytes]) -> Pool:
    """A pool that knows who holds the required ``paths``; files are read for those that nothing provides by name."""
    pool = Pool([one.package for one in candidates])
    missing = {path for path in paths if not pool.providers(path.decode("utf-8", "replace"))}
    if not missing:
        return pool
    files: dict[str, list[int]] = {}
    for number, one in enumerate(candidates):
        for path in missing.intersection(rpm.file_paths(read_rpm(one.path).header)):
            files.setdefault(path.decode("utf-8", "replace"), []).append(number)
    return Pool(pool.packages, files)


def part_of(pool: Pool, numbers: t.Sequence[int]) -> Pool:
    """A pool of some of the packages, who keep what they provide."""
    places = {number: place for place, number in enumerate(numbers)}
    files = {path: [places[number] for number in holders if number in places] for path, holders in pool.files.items()}
    return Pool([pool.packages[number] for number in numbers], files)
