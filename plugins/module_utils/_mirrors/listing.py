# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirror lists as one resource: probe, keep what is alive, switch. This module util is private to the collection.

The same code runs for Ansible and, from a zip file, for a timer on the host.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, diff_files, plan_files
from .._host.host import File, Host
from .model import Mirror, MirrorList, parse_lists, parse_mirrors, render, urls_of
from .probe import Probe, Prober, read_stamp

Params = t.Mapping[str, t.Any]
# A timestamp is written anew when it has used up this part of the age limit.
_STAMP_PART = 8


@dataclass(frozen=True)
class ListJob:
    """What is wanted: lists of mirrors, and timestamps of this machine's own trees that are kept young."""

    mirrors: tuple[Mirror, ...]
    lists: tuple[MirrorList, ...]
    stamps: tuple[str, ...] = ()
    max_age: int = 172800
    timeout: float = 10.0
    tries: int = 2
    jobs: int = 16

    def prober(self) -> Prober:
        return Prober(self.max_age, self.timeout, self.tries)


def _positive(params: Params, name: str, default: float) -> float:
    value = float(params.get(name) or default)
    if value <= 0:
        raise ClusterError("%s is %g" % (name, value), "it must be more than 0")
    return value


def parse_list_job(params: Params) -> ListJob:
    """The options of the module, or of the file that the timer reads."""
    stamps = tuple(sorted(set(params.get("stamps") or ())))
    for path in stamps:
        if not path.startswith("/"):
            raise ClusterError("%r is no absolute path" % path, "give the whole path of each timestamp")
    return ListJob(
        mirrors=parse_mirrors(params.get("mirrors") or ()),
        lists=parse_lists(params.get("lists") or ()),
        stamps=stamps,
        max_age=int(_positive(params, "max_age", 172800)),
        timeout=_positive(params, "timeout", 10),
        tries=int(_positive(params, "tries", 2)),
        jobs=int(_positive(params, "jobs", 16)),
    )


@dataclass(frozen=True)
class ListPlan:
    """Files to write, and per list what was found. ``old`` maps each list to its present text."""

    files: FilePlan
    probes: t.Mapping[str, t.Mapping[str, Probe]] = field(default_factory=dict)
    old: t.Mapping[str, str] = field(default_factory=dict)
    stamped: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def rows(self) -> dict[str, dict[str, t.Any]]:
        """The result of each list by its file."""
        return {dest: self._row(dest) for dest in sorted(self.probes)}

    def _row(self, dest: str) -> dict[str, t.Any]:
        before = set(urls_of(self.old[dest]))
        text = self.files.writes[dest].content.decode() if dest in self.files.writes else self.old[dest]
        after = set(urls_of(text))
        return {
            "changed": dest in self.files.writes,
            "kept": dest in self.kept,
            "mirrors": sorted(after),
            "added": sorted(after - before),
            "dropped": sorted(before - after),
            "dead": {url: probe.reason for url, probe in sorted(self.probes[dest].items()) if probe.reason},
        }

    def warnings(self) -> list[str]:
        """A line for every list that stays although no mirror of it is good."""
        told = []
        for dest in self.kept:
            reasons = ", ".join("%s (%s)" % (url, probe.reason) for url, probe in sorted(self.probes[dest].items())[:3])
            state = "stays as it is" if self.old[dest] else "is not written"
            told.append("no mirror is good, %s %s: %s" % (dest, state, reasons))
        return told

    def diff(self) -> list[dict[str, str]]:
        return diff_files(self.files)


def _stale_stamps(job: ListJob, host: Host, now: float) -> list[str]:
    """Those that would soon make the trees look abandoned. One that is not there belongs to no tree yet."""
    stale = []
    for path in job.stamps:
        content = host.read(path)
        stamp = None if content is None else read_stamp(content.decode("utf-8", "replace")) or 0
        if stamp is not None and not 0 <= now - stamp <= job.max_age / _STAMP_PART:
            stale.append(path)
    return stale


def plan_lists(job: ListJob, host: Host, prober: Prober | None = None) -> ListPlan:
    """Ask every mirror; a list of which no mirror is good stays as it is."""
    prober = prober or job.prober()
    stamped = _stale_stamps(job, host, prober.now())
    wanted = {path: File(b"%d\n" % int(prober.now())) for path in stamped}
    probes = prober.all(job.lists, job.mirrors, job.jobs) if job.lists else {}
    kept = []
    for each in job.lists:
        good = [mirror for mirror in job.mirrors if not probes[each.dest][mirror.url].reason]
        if good:
            wanted[each.dest] = File(render(each, good).encode())
        else:
            kept.append(each.dest)
    old = {each.dest: (host.read(each.dest) or b"").decode("utf-8", "replace") for each in job.lists}
    return ListPlan(plan_files(host, wanted), probes, old, tuple(stamped), tuple(kept))


def run_list_job(params: Params, check_mode: bool, host: Host, prober: Prober | None = None) -> dict[str, t.Any]:
    """Plan and write. ``warnings`` tells of lists that could not be renewed."""
    begun = time.monotonic()
    plan = plan_lists(parse_list_job(params), host, prober)
    if not check_mode:
        apply_files(plan.files, host)
    return {
        "changed": plan.files.changed,
        "lists": plan.rows(),
        "stamped": list(plan.stamped),
        "warnings": plan.warnings(),
        "diff": plan.diff(),
        "seconds": round(time.monotonic() - begun, 1),
    }
