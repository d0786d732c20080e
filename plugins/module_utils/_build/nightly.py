# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of rpm_build: newest revision, build, sign, publish, boot entry, sync, prune. Private to the collection.

A build appears under its name only when it is whole and signed. What comes after it is marked in its manifest as soon
as it is done, so a run that was killed is taken up where it ended, and packages that have moved on from testing since
are not published again.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import locked
from .._host.host import Host
from .._repo import spec as repo_spec
from .._repo.publish import run_publish
from .._sign.job import run_job
from . import pxe, rpmbuild
from .fill import fill
from .rpmbuild import Job, check_specs, open_room, prepare
from .source import KINDS, Head, Source, parse_source
from .store import Build, Store, packages

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_PLACE = re.compile(r"/[^\s]+|rsync://[A-Za-z0-9.\[\]_:@-]+/[^\s]+|([A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+::?[^\s]+")
Params = t.Mapping[str, t.Any]
Step = t.Callable[[str], None]
Log = t.Callable[[str], None]


def no_step(_name: str) -> None:
    """Called between the steps; tests end the process there."""


@dataclass
class Run:
    """What one run found and did."""

    build: Build | None = None
    built: bool = False
    version: str = ""
    steps: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    published: dict[str, t.Any] = field(default_factory=dict)
    entry: str = ""
    warnings: list[str] = field(default_factory=list)


def check_options(params: Params, host: Host) -> Source:
    """ClusterError for what cannot work, before anything is fetched."""
    if not _NAME.fullmatch(str(params["name"])):
        raise ClusterError("bad name %r" % params["name"], "letters, digits, dot, dash")
    if not params["specs"]:
        raise ClusterError("%s: no spec is named" % params["name"], "set specs")
    if params["keep"] < 1:
        raise ClusterError("keep is %d" % params["keep"], "keep at least one build")
    for name in params["specs"]:
        if not name.startswith("/") and (".." in name.split("/") or not name):
            raise ClusterError("bad spec %r" % name, "a file on the host, or a path in the source")
    if params["sync"] and not _PLACE.fullmatch(str(params["sync"]["dest"])):
        raise ClusterError("bad place to sync to: %r" % params["sync"]["dest"], "a folder, host:folder or rsync://")
    if os.geteuid() != 0:
        raise ClusterError("only root can enter a chroot", "run with become")
    if params["publish"]:
        if (params["publish"].get("sign") or {}).get("passphrase"):
            raise ClusterError("publish.sign.passphrase would be written to a file", "give a passphrase_file")
        fill(repo_spec.ARGUMENTS, params["publish"], "publish")
    pxe.check(params["pxe"], host)
    rpmbuild.find_user(params["chroot"], params["user"], host)
    return parse_source(params["source"])


def publish_options(params: Params, build: Build, store: Store) -> dict[str, t.Any]:
    """The options of rpm_publish, with its defaults where the user says nothing."""
    given = {key: value for key, value in (params["publish"] or {}).items() if value is not None}
    more = {"from": store.path(build.folder), "remove_source": False}
    return fill(repo_spec.ARGUMENTS, {**given, **more}, "publish")


def _sign_options(params: Params, folder: str) -> dict[str, t.Any]:
    rows = {"state": "present", "keyfile": None, "throwaway": False, "recurse": True, "allow_empty": True}
    rows.update(passphrase=None, bad_packages="fail", jobs=None, progress_file=None, lock_timeout=params["lock_timeout"])
    return {**rows, **params["sign"], "paths": [os.path.join(folder, place) for place in ("RPMS", "SRPMS")]}


def _make(params: Params, source: Source, head: Head, serial: int, store: Store, host: Host, log: Log, step: Step) -> Build:
    head = KINDS[source.kind].export(source, head, store.cache, host)
    job = Job(params["name"], head, source, params)
    if os.path.lexists(store.path(job.folder)):
        raise ClusterError(
            "%s is there, from another commit: the history was rewritten" % job.folder,
            "remove %s to build it anew" % store.path(job.folder),
        )
    now = time.localtime()
    room = open_room(store, params, host)
    names = prepare(job, room, store, time.strftime("%Y%m%d", now), host)
    step("prepared")
    check_specs(job, room, names, host)
    rpmbuild.build(job, room, names, store, host)
    step("built")
    if params["sign"]:
        run_job(_sign_options(params, room.out), False, host, log)
    step("signed")
    made = tuple(packages(room.out))
    date = time.strftime("%Y%m%d_%H%M", now)
    build = Build(job.name, job.version, head.number, head.id, serial, date, packages=made)
    store.install(room.out, build)
    shutil.rmtree(store.failed(job.folder), ignore_errors=True)
    step("installed")
    return build


def after_steps(params: Params, build: Build | None) -> list[str]:
    """What is to be done after the build, in order."""
    wanted = [name for name, key in (("published", "publish"), ("pxe", "pxe"), ("synced", "sync")) if params[key]]
    return [name for name in wanted if build is None or name not in build.done]


def _sync(params: Params, store: Store, host: Host) -> None:
    options = params["sync"]
    words = ["rsync", "--archive", "--hard-links", "--delete-delay", "--delay-updates", "--timeout=600"]
    words += ["--rsh=ssh -oBatchMode=yes"] if not options["dest"].startswith(("/", "rsync://")) else []
    words += ["--password-file=" + options["password_file"]] if options.get("password_file") else []
    try:
        if options["dest"].startswith("/"):
            os.makedirs(os.path.dirname(options["dest"].rstrip("/")), exist_ok=True)
    except OSError as error:
        raise ClusterError("cannot sync to %s: %s" % (options["dest"], error.strerror), "the build is kept; run again")
    argv = [*words, "--exclude=/.*", store.builds + "/", options["dest"].rstrip("/") + "/"]
    done = host.run(argv, changes=True, check=False)
    if done.rc != 0:
        told = (done.stderr.strip().splitlines() or ["exit code %d" % done.rc])[0]
        raise ClusterError("cannot sync to %s: %s" % (options["dest"], told), "the build is kept; run again")


def _after(params: Params, run: Run, build: Build, store: Store, host: Host, step: Step) -> Build:
    """The steps after the build, each marked when it is done."""
    for name in run.steps:
        if name == "published":
            run.published = run_publish(publish_options(params, build, store), False, host)
            run.warnings += run.published["warnings"]
        elif name == "pxe":
            run.entry = pxe.make(build, store.path(build.folder), params["pxe"], store, host)
        else:
            _sync(params, store, host)
        step(name + ", not marked")
        build = store.mark(build, name)
        step(name)
    return build


def _wanted(params: Params, source: Source, store: Store, host: Host) -> tuple[Head, Build | None, int]:
    """The newest state, its build when there is one, and the serial number of the next."""
    head = KINDS[source.kind].head(source, host)
    builds = store.all()
    same = [build for build in builds if build.name == params["name"] and build.commit == head.id]
    return head, same[-1] if same else None, builds[-1].serial + 1 if builds else 1


def _predict(params: Params, source: Source, store: Store, host: Host) -> Run:
    head, build, _serial = _wanted(params, source, store, host)
    run = Run(build, build is None, build.version if build else "", after_steps(params, build))
    if build is None and head.number:
        run.version = "0r%d" % head.number
    if build and "published" in run.steps:
        run.published = run_publish(publish_options(params, build, store), True, host)
    run.pruned = [one.folder for one in store.surplus(params["keep"], int(run.built))]
    return run


def _carry_out(params: Params, source: Source, store: Store, host: Host, log: Log, step: Step) -> Run:
    store.sweep()
    head, build, serial = _wanted(params, source, store, host)
    run = Run(build, build is None)
    build = build or _make(params, source, head, serial, store, host, log, step)
    store.link(store.all()[-1])
    run.version, run.steps = build.version, after_steps(params, build)
    run.pruned = store.prune(params["keep"])
    if params["pxe"]:
        pxe.prune(params["pxe"]["dest"], [one.folder for one in store.all()], params["name"])
    run.build = _after(params, run, build, store, host, step)
    store.sweep()
    return run


def _result(run: Run, params: Params, store: Store, host: Host) -> dict[str, t.Any]:
    folder = "%s-%s" % (params["name"], run.version) if run.version else ""
    text = "".join("%s\n" % one for one in ([*(["build"] if run.built else []), *run.steps]))
    return {
        "changed": bool(run.built or run.steps or run.pruned),
        "built": run.built,
        "version": run.version,
        "commit": run.build.commit if run.build else "",
        "path": store.path(folder) if folder else "",
        "packages": list(run.build.packages) if run.build else [],
        "steps": run.steps,
        "pruned": run.pruned,
        "published": run.published.get("packages", {}),
        "entry": run.entry,
        "actions": host.actions,
        "warnings": run.warnings,
        "diff": {"before": "", "after": text},
    }


def run_build(
    params: Params, check_mode: bool, host: Host, log: Log = no_step, step: Step = no_step
) -> dict[str, t.Any]:
    """The result in Ansible's form, with ``warnings``."""
    source = check_options(params, host)
    store = Store(str(params["dest"]).rstrip("/"), host)
    if check_mode:
        return _result(_predict(params, source, store, host), params, store, host)
    try:
        os.makedirs(store.root, exist_ok=True)
        with locked(store.lock, params["lock_timeout"]):
            run = _carry_out(params, source, store, host, log, step)
    except OSError as error:
        hint = "free space there" if error.errno in (28, 122) else "check its owner and the file system"
        raise ClusterError("cannot build in %s: %s" % (store.root, error), hint)
    return _result(run, params, store, host)
