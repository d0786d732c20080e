# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of rpm_sign: select, plan, judge the key, sign. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import resource
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._errors import ClusterError
from .._host.host import Host
from .apply import apply_batches
from .copies import clean, folder_lock
from .plan import Plan, batches, plan_packages
from .progress import Progress
from .select import Package, read_packages, select
from .sources import Params, Ready, Source, source_of
from .verify import Verifier, verifier

Result = t.Dict[str, t.Any]
Log = t.Callable[[str], None]


def _jobs(params: Params) -> int:
    return int(params["jobs"] or min(4, 2 * (os.cpu_count() or 1)))


def _refuse(bad: t.Mapping[str, str]) -> None:
    told = ["%s" % why if path in why else "%s: %s" % (path, why) for path, why in sorted(bad.items())]
    more = " and %d more" % (len(told) - 10) if len(told) > 10 else ""
    raise ClusterError(
        "%d packages cannot be used: %s%s" % (len(told), "; ".join(told[:10]), more),
        "nothing was changed; mend or remove them, or set bad_packages: skip",
    )


def _damaged(plan: Plan, judge: Verifier, jobs: int) -> dict[str, str]:
    """Packages whose digests do not fit: a signature would vouch for damage."""
    bad: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(judge.intact, batches(plan.todo.values())):
            bad.update(found)
    return bad


def _set_aside(plan: Plan, bad: t.Mapping[str, str], skip: bool) -> None:
    if bad and not skip:
        _refuse(bad)
    for path, why in bad.items():
        plan.bad[path] = why
        plan.todo.pop(path, None)


def _sign(plan: Plan, ready: Ready, judge: Verifier, params: Params, log: Log) -> dict[str, str]:
    """Sign what is planned; the packages that failed."""
    what = "signed" if ready.wanted.fingerprints else "restored"
    progress = Progress(params["progress_file"] or "", len(plan.todo), what, log)
    check = judge.signed if ready.pubkey else judge.intact
    groups = batches(plan.todo.values())
    return apply_batches(groups, ready.backend, ready.wanted, check, _jobs(params), progress.add)


def _demand_writable(packages: t.Iterable[Package]) -> None:
    for folder in sorted({package.folder for package in packages}):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ClusterError("%s may not be written" % folder, "run as its owner")


def _work(plan: Plan, source: Source, params: Params, check_mode: bool, host: Host, log: Log) -> Result:
    """The part of a run that has something to change."""
    _demand_writable(plan.todo.values())
    with source.ready() as ready, verifier(host, ready.pubkey) as judge:
        _set_aside(plan, _damaged(plan, judge, _jobs(params)), params["bad_packages"] == "skip")
        plan.after = ready.after
        bad = {} if check_mode else _sign(plan, ready, judge, params, log)
        if bad:
            told = "; ".join("%s: %s" % row for row in list(bad.items())[:10])
            raise ClusterError(
                "%d of %d packages could not be signed: %s" % (len(bad), len(plan.todo), told),
                "these are as they were, the others are done",
            )
        actions = [argv for group in batches(plan.todo.values()) for argv in ready.backend.actions(group)]
        return {"actions": actions, "warnings": list(ready.warnings)}


def _lock_all(folders: t.Sequence[str], timeout: float, stack: contextlib.ExitStack) -> None:
    """Lock every folder and remove what a killed run has left there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and len(folders) + 200 > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for folder in folders:
        stack.enter_context(folder_lock(folder, timeout))
        clean(folder)


def _summary(plan: Plan, packages: t.Mapping[str, Package]) -> Result:
    return {
        "changed": plan.changed,
        "packages": plan.rows(),
        "skipped": dict(sorted(plan.bad.items())),
        "summary": "%d of %d packages change" % (len(plan.todo), len(packages)),
        "diff": plan.diff(),
    }


def run_job(params: Params, check_mode: bool, host: Host, log: Log) -> Result:
    """Plan and, unless in check mode, sign under the locks of all folders; the result in Ansible's form.

    ``warnings`` are for the user. ClusterError before anything is changed where that can be known.
    """
    source = source_of(params, host)
    files = select(params["paths"], params["recurse"], params["allow_empty"])
    with contextlib.ExitStack() as stack:
        if not check_mode:
            _lock_all(sorted({os.path.dirname(file) for file in files}), params["lock_timeout"], stack)
        selection = read_packages(files)
        plan = plan_packages(selection.packages, source.wanted)
        _set_aside(plan, selection.bad, params["bad_packages"] == "skip")
        more: Result = {"actions": [], "warnings": []}
        if plan.todo:
            more = _work(plan, source, params, check_mode, host, log)
        more["warnings"] += ["left out: %s" % why for why in plan.bad.values()]
        return {**_summary(plan, selection.packages), **more}
