# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The builds on disk: whole ones under their names, what failed aside. This module util is private to the collection.

``builds/<name>-0r<revision>/{RPMS,SRPMS,logs}`` with ``manifest.json``; ``builds/<date>`` and ``builds/last`` lead to
one. Builds are ordered by the serial number of their manifest, not by their names: 0r999 was built before 0r1000.
"""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from dataclasses import asdict, dataclass, field

from .._host.errors import ClusterError
from .._host.files import sync_dir
from .._host.host import File, Host

MANIFEST = "manifest.json"
LAST = "last"


@dataclass(frozen=True)
class Build:
    """A whole build. ``done`` names the steps after it: published, pxe, synced."""

    name: str
    version: str
    revision: int
    commit: str
    serial: int
    date: str
    input: str = ""
    packages: tuple[str, ...] = ()
    done: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return "%s-%s" % (self.name, self.version)


def render_manifest(build: Build) -> bytes:
    return (json.dumps({"format": 1, **asdict(build)}, indent=1, sort_keys=True) + "\n").encode()


def parse_manifest(data: bytes, where: str) -> Build:
    """ClusterError names the file."""
    try:
        row = json.loads(data)
        row.pop("format")
        return Build(**{**row, "packages": tuple(row["packages"]), "done": tuple(row["done"])})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ClusterError("%s is damaged" % where, "remove its folder; the build is made again")


@dataclass(frozen=True)
class Store:
    """The folders below ``root``."""

    root: str
    host: Host = field(compare=False)

    @property
    def builds(self) -> str:
        return os.path.join(self.root, "builds")

    @property
    def work(self) -> str:
        return os.path.join(self.root, ".work")

    @property
    def cache(self) -> str:
        return os.path.join(self.root, ".source")

    @property
    def lock(self) -> str:
        return os.path.join(self.root, ".lock")

    def path(self, folder: str) -> str:
        return os.path.join(self.builds, folder)

    def failed(self, folder: str) -> str:
        return os.path.join(self.root, "failed", folder)

    def all(self) -> list[Build]:
        """Every whole build, in the order they were made."""
        rows = []
        for name in self.host.listdir(self.builds):
            path = os.path.join(self.builds, name, MANIFEST)
            data = None if os.path.islink(self.path(name)) or name.startswith(".") else self.host.read(path)
            if data is not None:
                rows.append(parse_manifest(data, path))
        return sorted(rows, key=lambda build: (build.serial, build.folder))

    def mark(self, build: Build, step: str) -> Build:
        """Remember that a step after the build is done."""
        new = Build(**{**build.__dict__, "done": tuple(sorted({*build.done, step}))})
        self.host.write_files({os.path.join(self.path(build.folder), MANIFEST): File(render_manifest(new))})
        return new

    def sweep(self) -> None:
        """Remove what a killed run left, and links that lead nowhere."""
        if os.path.isdir(self.work):
            shutil.rmtree(self.work)
        for name in self.host.listdir(self.builds):
            path = self.path(name)
            if name.startswith(".removed-"):
                shutil.rmtree(path)
            elif os.path.islink(path) and not os.path.exists(path):
                os.unlink(path)

    def install(self, made: str, build: Build) -> None:
        """Put a whole build under its name; the links follow."""
        self.host.write_files({os.path.join(made, MANIFEST): File(render_manifest(build))})
        os.makedirs(self.builds, exist_ok=True)
        self.host.run(["sync", "--file-system", made])
        os.rename(made, self.path(build.folder))
        sync_dir(self.builds)
        self.link(build)

    def link(self, build: Build) -> None:
        """The links to the newest build; a run that was killed before them is made good."""
        for name in (build.date, LAST):
            if self.host.readlink(self.path(name)) != build.folder:
                self.host.symlink(build.folder, self.path(name))

    def surplus(self, keep: int, more: int = 0) -> list[Build]:
        """The oldest builds beyond ``keep``, when ``more`` are about to come."""
        rows = self.all()
        return rows[: max(0, len(rows) + more - max(keep, 1))]

    def prune(self, keep: int) -> list[str]:
        """Remove the surplus; their names."""
        gone = self.surplus(keep)
        for build in gone:
            aside = self.path(".removed-" + build.folder)
            os.rename(self.path(build.folder), aside)
            shutil.rmtree(aside)
        failures = [self.failed(name) for name in self.host.listdir(os.path.join(self.root, "failed"))]
        for path in sorted(failures, key=os.path.getmtime, reverse=True)[keep:]:
            shutil.rmtree(path)
        self.sweep()
        return [build.folder for build in gone]


def packages(folder: str) -> list[str]:
    """Packages of a build, relative to it, sorted."""
    found: t.List[str] = []
    for place in ("RPMS", "SRPMS"):
        for base, _folders, names in os.walk(os.path.join(folder, place)):
            found += [os.path.relpath(os.path.join(base, name), folder) for name in names if name.endswith(".rpm")]
    return sorted(found)
