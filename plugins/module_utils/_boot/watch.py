# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watch the nodes boot until they got as far as wanted. This module util is private to the collection."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .node import Node
from .report import Row, has_reached, report
from .sources import Sources
from .timeline import Timeline


@dataclass(frozen=True)
class Wait:
    """Wait until every node reached ``stage``; ``timeout`` and ``interval`` in seconds, 0 looks once."""

    stage: str = "up"
    timeout: float = 0.0
    interval: float = 2.0


def parse_since(value: t.Any, names: t.Collection[str]) -> tuple[float, dict[str, float]]:
    """(moment before which nothing counts, power-on time by node) from nothing, an epoch, or a mapping of epochs."""
    if value in (None, "", {}):
        return 0.0, {}
    if not isinstance(value, t.Mapping):
        return _epoch(value, "since"), {}
    strange = sorted(set(map(str, value)) - set(names))
    if strange:
        raise ClusterError("since names %s, which is no node of the list" % strange[0], "use the names of nodes")
    times = {str(name): _epoch(moment, "since of %s" % name) for name, moment in value.items()}
    return (min(times.values()) if len(times) == len(names) else 0.0), times


def _epoch(value: t.Any, what: str) -> float:
    try:
        moment = float(value)
    except (TypeError, ValueError):
        moment = -1.0
    if not 0 <= moment < 1e11 or isinstance(value, bool):
        raise ClusterError("%s is %r" % (what, value), "seconds since the epoch on the boot server's clock")
    return moment


def watch(
    nodes: t.Sequence[Node],
    sources: Sources,
    wait: Wait,
    since: tuple[float, t.Mapping[str, float]] = (0.0, {}),
    clock: t.Callable[[], float] = time.time,
    sleep: t.Callable[[float], None] = time.sleep,
) -> tuple[dict[str, Row], Timeline]:
    """Rows by node name when all reached the stage or the time is over, and the timeline they came from."""
    dicts = [node.as_dict() for node in nodes]
    earliest, power_on = since
    timeline = Timeline(dicts, power_on, earliest)
    end = clock() + wait.timeout
    while True:
        now = clock()
        last = now >= end
        timeline.feed(sources.events(now, float("inf") if last else now))
        rows = report(dicts, timeline)
        if last or all(has_reached(row, wait.stage) for row in rows.values()):
            return rows, timeline
        sleep(min(wait.interval, max(0.0, end - now)))


def late(rows: t.Mapping[str, Row], stage: str) -> list[str]:
    """Names of the nodes that did not reach the stage."""
    return [name for name, row in rows.items() if not has_reached(row, stage)]


def complaint(rows: t.Mapping[str, Row], wait: Wait, shown: int = 20) -> str:
    """One line for the failure: how many are late, and what each of the first few lacks."""
    names = late(rows, wait.stage)
    head = "%d of %d nodes did not reach %s within %g s" % (len(names), len(rows), wait.stage, wait.timeout)
    more = ["and %d more" % (len(names) - shown)] if len(names) > shown else []
    return "%s: %s" % (head, "; ".join([*(rows[name]["line"] for name in names[:shown]), *more]))
