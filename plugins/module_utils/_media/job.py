# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run over a medium or a tree: locks, plans, switch, result. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import locked
from .._host.fileset import diff_files
from .._host.host import Host
from .distrib import TopPlan, apply_top, filter_kind, medium_options, plan_top, read_tree
from .mediainfo import MediaPlan, plan_media, plan_removal, remember, switch_media
from .options import Options
from .repodata import plan_repodata, run_repodata

Params = t.Mapping[str, t.Any]


@dataclass
class Job:
    """The plans of a run: by medium (section of media.cfg, or the path), with the createrepo_c command of each.

    ``gone`` are folders to remove.
    """

    media: dict[str, MediaPlan] = field(default_factory=dict)
    repodata: dict[str, list[str]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    top: TopPlan | None = None

    @property
    def changed(self) -> bool:
        plans = any(plan.changed for plan in self.media.values())
        return plans or any(self.repodata.values()) or bool(self.gone or (self.top and self.top.changed))

    def actions(self) -> list[list[str]]:
        """The commands of a run, in their order."""
        return [self.repodata[name] for name in sorted(self.repodata) if self.repodata[name]]


def _options(params: Params, host: Host) -> Options:
    packed = params["compression"] or {}
    pubkey = None
    if params["pubkey"]:
        pubkey = host.read(params["pubkey"])
        if pubkey is None:
            raise ClusterError("%s does not exist" % params["pubkey"], "export the key with gpg --armor --export")
    return Options(
        path=os.path.normpath(params["path"]),
        xml_info=params["xml_info"] is not False,
        hdlist=params["hdlist"],
        synthesis=packed.get("synthesis") or "gzip",
        xml=packed.get("xml_info") or "lzma",
        file_deps=frozenset(path.encode() for path in params["file_deps"]),
        line_limit=params["line_limit"],
        weak_tag=params["weak_dependencies"].encode(),
        version=time.strftime("%Y%m%d-%H%M%S", time.gmtime()) if params["versioned"] else "",
        skip_bad=params["bad_packages"] == "skip",
        allow_empty=params["allow_empty"],
        pubkey=pubkey,
    )


def _tree_options(params: Params, base: Options, host: Host) -> dict[str, Options]:
    """The options of each medium of a tree; media.cfg tells what the module's options leave open."""
    tree = read_tree(base.path, host)
    packed = params["compression"] or {}
    kinds = {
        "synthesis": packed.get("synthesis") or filter_kind(tree.cfg, "synthesis-filter") or base.synthesis,
        "xml": packed.get("xml_info") or filter_kind(tree.cfg, "xml-info-filter") or base.xml,
    }
    base = Options(**{**base.__dict__, **kinds})
    return {medium.section: medium_options(tree, medium, base, params["xml_info"]) for medium in tree.media}


def _plan(params: Params, media: t.Mapping[str, Options], host: Host) -> Job:
    job = Job()
    absent = params["state"] == "absent"
    for name, options in media.items():
        plan = plan_removal(options, host) if absent else plan_media(options, host)
        repodata = os.path.join(options.path, "repodata")
        if absent and params["repodata"] and os.path.isdir(repodata):
            job.gone.append(repodata)
        elif params["repodata"] and not absent:
            plan, job.repodata[name] = plan_repodata(plan, host)
        job.media[name] = plan
    if params["distrib"] and not absent:
        job.top = plan_top(read_tree(params["path"], host), job.media, host)
    return job


def _apply(job: Job, host: Host) -> None:
    for name, plan in job.media.items():
        switch_media(plan)
        run_repodata(plan, job.repodata.get(name, ()), host)
        remember(plan)
    if job.top:
        apply_top(job.top, host)


def _clear(job: Job) -> None:
    """Remove the folders that hold nothing any more, and what was kept for the next run."""
    for plan in job.media.values():
        with contextlib.suppress(OSError):
            os.rmdir(plan.options.folder)
        shutil.rmtree(plan.options.work, ignore_errors=True)
    for folder in job.gone:
        shutil.rmtree(folder)


def _row(plan: MediaPlan, repodata: t.Sequence[str]) -> dict[str, t.Any]:
    row: dict[str, t.Any] = {
        "changed": plan.changed or bool(repodata),
        "packages": plan.packages,
        "path": plan.options.path,
        "skipped": dict(sorted(plan.skipped.items())),
    }
    row.update(plan.names())
    row["files"] = sorted([*plan.writes, *plan.links, *plan.drops])
    return row


def _shown(records: t.Mapping[bytes, bytes]) -> str:
    """A line per package: NVRA and the size of its file."""
    rows = []
    for nvra, text in records.items():
        size = text[text.rfind(b"@filesize@") + 10 :].partition(b"\n")[0] if b"@filesize@" in text else b"?"
        rows.append(b"%s %s\n" % (nvra, size))
    return b"".join(sorted(rows)).decode("utf-8", "replace")


def _diff(job: Job) -> list[dict[str, str]]:
    shown = [
        {
            "before_header": plan.options.folder,
            "after_header": plan.options.folder,
            "before": _shown(plan.before),
            "after": _shown(plan.after),
        }
        for plan in job.media.values()
        if plan.changed
    ]
    return shown + (diff_files(job.top.root) if job.top else [])


def _result(job: Job) -> dict[str, t.Any]:
    rows = {name: _row(job.media[name], job.repodata.get(name, ())) for name in sorted(job.media)}
    return {
        "changed": job.changed,
        "media": rows,
        "files": [*job.gone, *(job.top.paths() if job.top else [])],
        "warnings": ["%s: %s" % (name, line) for name in rows for line in job.media[name].warnings],
        "diff": _diff(job),
        "actions": job.actions(),
    }


def run_job(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Plan and, unless in check mode, apply under the locks of all media; the result in Ansible's form."""
    base = _options(params, host)
    if not os.path.isdir(base.path):
        if params["state"] == "absent":
            return _result(Job())
        raise ClusterError("%s is no folder" % base.path, "give the folder that holds the packages")
    media = _tree_options(params, base, host) if params["distrib"] else {base.path: base}
    works = {options.work for options in media.values()}
    if params["distrib"]:
        works.add(read_tree(base.path, host).work)
    with contextlib.ExitStack() as stack:
        for work in () if check_mode else sorted(works):
            stack.enter_context(_lock(work, params["lock_timeout"]))
        job = _plan(params, media, host)
        if not check_mode:
            _apply(job, host)
        if not check_mode and params["state"] == "absent":
            _clear(job)
    return _result(job)


@contextlib.contextmanager
def _lock(work: str, timeout: float) -> t.Iterator[None]:
    try:
        os.makedirs(work, exist_ok=True)
        lock = locked(os.path.join(work, "lock"), timeout)
        lock.__enter__()
    except OSError as error:
        raise ClusterError("cannot write %s: %s" % (work, error.strerror), "check its owner and the file system")
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
