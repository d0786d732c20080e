# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the page about a cluster shows, from the results of the information modules. Private to the collection.

``boots`` is RETURN ``nodes`` of boot_timeline_info, ``images`` that of diskless_image_info, ``media`` that of
media_check_info, ``guests`` maps a dom0 to RETURN ``live`` of xen_domain_info.
"""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass, field

from .._boot.report import phases_of
from .._host.errors import ClusterError

Row = t.Mapping[str, t.Any]
STATES = ("up", "booting", "failed", "unseen")


@dataclass(frozen=True)
class Boot:
    """One node. ``phases`` are seconds in order, ``total`` the seconds until it was up, None when it is not; ``last``
    is when it said its last word, in seconds since the epoch."""

    name: str
    state: str
    image: str
    phases: t.Mapping[str, float]
    total: float | None
    trouble: str = ""
    remedy: str = ""
    note: str = ""
    last: float | None = None


@dataclass(frozen=True)
class Cluster:
    """Everything on the page."""

    title: str
    boots: t.Sequence[Boot] = ()
    images: t.Mapping[str, Row] = field(default_factory=dict)
    media: t.Mapping[str, Row] = field(default_factory=dict)
    guests: t.Mapping[str, t.Sequence[Row]] = field(default_factory=dict)

    @property
    def newest(self) -> float | None:
        """When the last word of any node was said, in seconds since the epoch."""
        return max((boot.last for boot in self.boots if boot.last is not None), default=None)

    def count(self, state: str) -> int:
        return sum(boot.state == state for boot in self.boots)

    def running(self, version: str) -> int:
        """How many nodes that are up run a version of an image."""
        return sum(boot.state == "up" and boot.image == version for boot in self.boots)


def parse_mode(text: str) -> int:
    """Permissions from octal text."""
    if not re.match(r"0?[0-7]{3}$", text):
        raise ClusterError("mode: %r is no permission" % text, 'write it as in "0644", with quotes')
    return int(text, 8)


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts node2 before node10."""
    return [(int(number or 0), word) for number, word in re.findall(r"([0-9]+)|([^0-9]+)", name)]


def _boot(name: str, row: Row) -> Boot:
    phases = phases_of(row.get("stages") or {})
    total = float(row["at"]["up"]) if row["up"] else None
    if total is not None:
        phases["system"] = max(0.0, total - sum(phases.values()))
    why = "" if row["up"] else "no %s: %s" % (row["missing"], row["reason"])
    remedy, note = ("", str(row["note"]).strip(" ()")) if row["up"] else (str(row["remedy"]), "")
    state = row["state"] if row["up"] or row["state"] != "up" else "booting"
    last = float(row["started"]) + max(row["at"].values(), default=0.0) if row["started"] else None
    return Boot(name, state, str(row["image"] or ""), phases, total, why, remedy, note, last)


def make_cluster(title: str, boots: Row, images: Row, media: Row, guests: Row) -> Cluster:
    """ClusterError that names the node when ``boots`` is not what boot_timeline_info returns."""
    found = []
    for name in sorted(boots, key=natural):
        try:
            found.append(_boot(name, boots[name]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ClusterError(
                "nodes: %s is no result of boot_timeline_info: %r" % (name, error), "give its nodes, unchanged"
            )
    return Cluster(title, tuple(found), images, media, guests)


def clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def spread(values: t.Sequence[float]) -> tuple[float, float, float]:
    """Median, the value that nine of ten do not exceed, and the largest; of at least one value."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return ordered[last // 2], ordered[last * 9 // 10], ordered[last]
