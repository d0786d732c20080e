# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``plan.lock.json``: what goes on a disc, and of which inputs that was concluded. Private to the collection."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field

from .._host.errors import ClusterError

FORMAT = 1
Rows = t.List[t.Dict[str, t.Any]]


@dataclass(frozen=True)
class Row:
    """One package of the plan. ``size`` in bytes, ``mtime`` in seconds, ``header`` as :func:`sources.identity`."""

    nvra: str
    name: str
    path: str
    size: int
    mtime: int
    header: str
    why: str

    @property
    def file(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class Lock:
    """``key`` is the digest of all inputs. ``packages``: destination to its packages; the rest is for readers."""

    key: str
    packages: dict[str, list[Row]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    broken: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    media: Rows = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        return [row for dest in self.packages for row in self.packages[dest]]

    @property
    def names(self) -> set[str]:
        return {row.name for row in self.rows}

    @property
    def epoch(self) -> int:
        """Time of the newest package: what depends on the packages alone needs no clock."""
        return max((row.mtime for row in self.rows), default=0)


def render_lock(lock: Lock) -> bytes:
    data = {**asdict(lock), "format": FORMAT}
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def parse_lock(data: bytes, name: str = "plan.lock.json") -> Lock:
    """ClusterError when it is damaged or of another version."""
    try:
        found = json.loads(data)
        if found.pop("format") != FORMAT:
            raise ValueError
        packages = {str(dest): [Row(**row) for row in rows] for dest, rows in sorted(found.pop("packages").items())}
        lock = Lock(packages=packages, **found)
        if not all(isinstance(row.size, int) and isinstance(row.mtime, int) for row in lock.rows):
            raise ValueError
        return lock
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ClusterError("%s is no plan of this version" % name, "remove it and run package_set again")


def kickstart(lock: Lock) -> bytes:
    """The section %packages of a kickstart file: the names, sorted, and nothing that the installer adds itself."""
    names = sorted(lock.names)
    return (
        "%packages --ignoremissing --exclude-weakdeps\n" + "".join("%s\n" % name for name in names) + "%end\n"
    ).encode()
