# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees carried from mirror to mirror: packages first, metadata last, all of it verified. Private to the collection.

A pull stages the metadata beside the tree, fetches the packages, looks again whether the source has changed
meanwhile, and only then lets readers see the new metadata. Packages that nobody speaks of any more go at the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import locked
from .._host.host import Host
from . import rsync, stage
from .rsync import Sync, is_local, parse_syncs, read_changes
from .sums import file_digest, misfits

Params = t.Mapping[str, t.Any]
ROUNDS = 4
LOCK = ".mirror-sync.lock"
_HINTS = {
    5: "is there such a module, and may this machine use it?",
    10: "does the other end listen, and does a firewall let it through?",
    12: "is rsync installed at the other end?",
    23: "see the message for the file",
    30: "the other end stopped talking; run again",
    35: "the other end does not answer; run again",
    255: "ssh did not get in: key, user and host key",
}
_VANISHED = 24


def _shown(path: str) -> str:
    """A name for people: bytes that are no UTF-8 become ``?``."""
    return path.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class SyncPlan:
    """What differs, by path; ``actions`` are the commands that carry it over; ``unknown`` without rsync."""

    sync: Sync
    changes: t.Mapping[str, str] = field(default_factory=dict)
    actions: tuple[tuple[str, ...], ...] = ()
    unknown: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.changes) or self.unknown

    def row(self) -> dict[str, t.Any]:
        counts = Counter(self.changes.values())
        kinds = ("added", "updated", "deleted", "attributes")
        return {"changed": self.changed, **{kind: counts.get(kind, 0) for kind in kinds}}

    def diff(self, limit: int = 200) -> dict[str, str]:
        lines = ["%s %s\n" % (kind, _shown(path)) for path, kind in self.changes.items()]
        more = ["%d more\n" % (len(lines) - limit)] if len(lines) > limit else []
        where = "%s: %s" % (self.sync.name, self.sync.dest)
        return {"before_header": where, "after_header": where, "before": "", "after": "".join(lines[:limit] + more)}


def _rsync(sync: Sync, argv: t.Sequence[str], host: Host, changes: bool) -> str:
    done = host.run(argv, changes=changes, check=False)
    if done.rc in (0, _VANISHED):
        return done.stdout
    told = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("rsync error")]
    hint = _HINTS.get(done.rc, "exit code %d of rsync" % done.rc)
    raise ClusterError("sync %s: %s" % (sync.name, " | ".join(told[-3:]) or done.stderr.strip()), hint)


def _commands(sync: Sync) -> tuple[tuple[str, ...], ...]:
    if sync.pushes:
        steps = [rsync.packages(sync), rsync.metadata(sync, sync.dest)]
        steps += [rsync.removal(sync)] if sync.delete else []
    else:
        staged = rsync.metadata(sync, stage.stage_of(sync), sync.dest)
        steps = [staged, rsync.packages(sync), staged]
    return tuple(tuple(step) for step in steps)


def plan_sync(sync: Sync, host: Host, check_mode: bool = False) -> SyncPlan:
    """Ask rsync what differs. Nothing is changed."""
    if host.which("rsync") is None:
        if check_mode:
            return SyncPlan(sync, {}, _commands(sync), unknown=True)
        raise ClusterError("rsync is not installed", "install the package rsync")
    if is_local(sync.source) and not os.path.isdir(sync.source):
        raise ClusterError("sync %s: %s does not exist" % (sync.name, sync.source), "publish into it first")
    if not is_local(sync.dest) or os.path.isdir(sync.dest):
        changes = read_changes(_rsync(sync, rsync.whole(sync, sync.dest), host, changes=False))
    else:
        nothing = tempfile.mkdtemp(prefix="mirror-sync-")
        try:
            changes = read_changes(_rsync(sync, rsync.whole(sync, nothing), host, changes=False))
        finally:
            shutil.rmtree(nothing)
    return SyncPlan(sync, changes, _commands(sync) if changes else ())


def _stage(sync: Sync, host: Host) -> bool:
    """Fetch the metadata into the stage; whether anything in it is new."""
    argv = rsync.metadata(sync, stage.stage_of(sync), sync.dest)
    return bool(read_changes(_rsync(sync, argv, host, changes=True)))


def _fetch(sync: Sync, host: Host) -> str:
    """One round: metadata into the stage, packages into the tree. Why it does not count, or nothing."""
    _stage(sync, host)
    sums = stage.read_sums(sync, stage.stage_of(sync), host)
    wrong = stage.wrong_files(sums, sync, metadata=True)
    if not wrong:
        os.makedirs(rsync.temp_of(sync), exist_ok=True)
        _rsync(sync, rsync.packages(sync), host, changes=True)
        wrong = stage.wrong_files(sums, sync, metadata=False)
    if wrong:
        return "%d files do not fit SHA256SUMS: %s" % (len(wrong), ", ".join(wrong[:3]))
    return "the source keeps changing" if _stage(sync, host) else ""


def _pull(plan: SyncPlan, host: Host) -> None:
    sync, changes = plan.sync, plan.changes
    os.makedirs(sync.dest, exist_ok=True)
    stage.clean(sync)
    try:
        reason = _fetch(sync, host)
        for _round in range(1, ROUNDS):
            if not reason:
                break
            changes = plan_sync(sync, host).changes
            reason = _fetch(sync, host)
        if reason:
            raise ClusterError("sync %s: %s" % (sync.name, reason), "readers still see the old state; run again")
        stage.switch(sync)
        stage.delete(sync, [path for path, kind in changes.items() if kind == "deleted"])
    except OSError as error:
        raise ClusterError("sync %s: %s: %s" % (sync.name, error.filename or sync.dest, error.strerror))
    finally:
        stage.clean(sync)


def _push(plan: SyncPlan, host: Host) -> None:
    sync = plan.sync
    sums = stage.read_sums(sync, sync.source, host)
    wrong = misfits(sums, lambda path: file_digest(os.path.join(sync.source, path)))
    if wrong:
        text = "sync %s: %d files do not fit SHA256SUMS: %s" % (sync.name, len(wrong), ", ".join(wrong[:3]))
        raise ClusterError(text, "publish again; nothing was sent")
    for argv in plan.actions:
        _rsync(sync, argv, host, changes=True)


def apply_sync(plan: SyncPlan, host: Host) -> None:
    """Carry a plan out. The lock on the tree is held by who calls."""
    if plan.changed:
        (_push if plan.sync.pushes else _pull)(plan, host)
    elif not plan.sync.pushes and stage.leftover(plan.sync):
        stage.clean(plan.sync)


def run_sync(sync: Sync, check_mode: bool, host: Host, lock_timeout: float) -> SyncPlan:
    """One tree, under the lock of the folder on this machine."""
    if check_mode:
        return plan_sync(sync, host, check_mode=True)
    folder = sync.source if sync.pushes else sync.dest
    if sync.pushes and not os.path.isdir(folder):
        return plan_sync(sync, host)
    with locked(os.path.join(folder, LOCK), lock_timeout):
        plan = plan_sync(sync, host)
        apply_sync(plan, host)
    return plan


def run_sync_job(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    """All trees, one after the other; the others still run when one fails."""
    syncs = parse_syncs(params.get("syncs") or ())
    plans, failed = [], []
    for sync in syncs:
        try:
            plans.append(run_sync(sync, check_mode, host, float(params.get("lock_timeout") or 60)))
        except ClusterError as error:
            failed.append(error)
    if failed:
        raise ClusterError("; ".join(error.message for error in failed), failed[0].hint)
    actions = [list(argv) for plan in plans for argv in plan.actions] if check_mode else host.actions
    return {
        "changed": any(plan.changed for plan in plans),
        "syncs": {plan.sync.name: plan.row() for plan in sorted(plans, key=lambda one: one.sync.name)},
        "actions": actions,
        "diff": [plan.diff() for plan in plans if plan.changed],
    }
