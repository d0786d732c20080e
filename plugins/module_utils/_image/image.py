# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One image as a resource: options in, plan, apply, result out. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import asdict, dataclass, replace

from .._host.errors import ClusterError
from .._host.host import Host
from . import aptconf, build, manifest, plan, recipe, store
from .plan import Plan
from .recipe import OverlayFile, Recipe
from .sources import source

Options = t.Mapping[str, t.Any]


@dataclass
class Outcome:
    """What a run did or, in check mode, would do."""

    plan: Plan
    before: str | None
    changed: bool
    row: manifest.Manifest | None = None
    seconds: t.Mapping[str, float] | None = None


def _source(options: Options) -> tuple[str, str]:
    for key, kind in (("root", "directory"), ("tarball", "tarball")):
        if options[key]:
            return kind, options[key]
    return "mmdebstrap", ""


def recipe_from_options(options: Options, agent: t.Mapping[str, str]) -> Recipe:
    """The recipe that module options describe, checked; a location is looked at for its digest."""
    kind, location = _source(options)
    overlay = tuple(OverlayFile(row["path"], row["content"], str(row["mode"])) for row in options["overlay"])
    made = Recipe(
        source=kind,
        location=location,
        suite=options["suite"],
        mirrors=tuple(options["mirrors"]),
        packages=tuple(options["packages"]) if kind == "mmdebstrap" else (),
        kernel=options["kernel"] if kind == "mmdebstrap" else "",
        remove_packages=tuple(options["remove_packages"]),
        remove_paths=tuple(options["remove_paths"]),
        authorized_keys=tuple(key.strip() for key in options["authorized_keys"]),
        overlay=overlay,
        serial_login=options["serial_login"],
        stage1_compression=options["stage1_compression"],
        agent=agent,
        stamp=options["stamp"],
    )
    if options["stage1_modules"]:
        made = replace(made, stage1_modules=(*made.stage1_modules, *options["stage1_modules"]))
    return made


def _settled(made: Recipe, host: Host) -> Recipe:
    """The recipe with what the machine decides: release and digest of the location."""
    if made.source == "mmdebstrap" and not made.suite:
        made = replace(made, suite=aptconf.wanted_suite("", host.read("/etc/os-release")))
    recipe.check(made)
    return replace(made, content=source(made.source).content(made))


class Image:
    """The versions of one image under ``images_root``."""

    def __init__(self, options: Options, agent: t.Mapping[str, str], host: Host) -> None:
        recipe.check_name(options["name"], "image name")
        if options["version"]:
            recipe.check_name(options["version"], "version")
        if options["keep"] < 1:
            raise ClusterError("keep=%d would remove every version" % options["keep"], "keep at least 1")
        self.options, self.agent, self.host = options, agent, host
        self.store = store.Store(options["images_root"], options["name"])

    def run(self, check_mode: bool) -> Outcome:
        """Bring the image into the wanted state; in check mode only say what would happen."""
        lock = contextlib.nullcontext() if check_mode else self.store.lock()
        with lock:
            if not check_mode:
                self.store.sweep()
            steps = {"present": self._present, "current": self._current, "rolled_back": self._rolled_back}
            return steps.get(self.options["state"], self._absent)(check_mode)

    def _switch(self, what: Plan, check_mode: bool, verify: bool = True) -> Outcome:
        """Point ``current`` where the plan says, after a look at the files."""
        before = self.store.current()
        row = None if what.build and check_mode else self.store.manifest(what.version)
        if row is not None:
            self.store.check_sizes(row)
        changed = before != what.current
        if changed and row is not None and verify:
            self.store.check_digests(row)
        if changed and not check_mode:
            self.store.activate(what.version)
        return Outcome(what, before, changed, row)

    def _whole_versions(self) -> list[manifest.Manifest]:
        """The versions without those whose files are damaged: these count as missing and are made anew."""
        return [row for row in self.store.versions() if self.store.intact(row)]

    def _present(self, check_mode: bool) -> Outcome:
        made = _settled(recipe_from_options(self.options, self.agent), self.host)
        versions = self._whole_versions()
        digest = build.input_digest(made)
        what = plan.present(versions, self.options["version"], digest, self.options["keep"])
        seconds = None
        if what.build:
            job = build.Job(self.store.name, what.version, plan.next_serial(versions), digest, made)
            seconds = self._build(job, check_mode)
        outcome = self._switch(what, check_mode, verify=not what.build)
        if not check_mode:
            for version in what.remove:
                self.store.remove(version)
        outcome.changed = outcome.changed or what.build or bool(what.remove)
        outcome.seconds = seconds
        return outcome

    def _build(self, job: build.Job, check_mode: bool) -> t.Mapping[str, float] | None:
        if check_mode:
            work = self.store.path(".building-" + job.version)
            self.host.actions.extend(build.actions(job.what, self.host, work))
            return None
        return build.build(job, self.host, self.store)[1]

    def _current(self, check_mode: bool) -> Outcome:
        archive, wanted = self.options["archive"], self.options["version"]
        replaceable = archive or self.options["missing_ok"]
        versions = self._whole_versions() if replaceable else self.store.versions()
        if archive and all(row.version != wanted for row in versions):
            return self._take_in(archive, wanted, check_mode)
        if self.options["missing_ok"] and all(row.version != wanted for row in versions):
            return Outcome(Plan(wanted, False, wanted), self.store.current(), False)
        return self._switch(plan.current(versions, self.store.name, wanted), check_mode)

    def _take_in(self, archive: str, wanted: str, check_mode: bool) -> Outcome:
        what = Plan(wanted, True, wanted)
        if check_mode:
            return Outcome(what, self.store.current(), True)
        if not os.path.isfile(archive):
            raise ClusterError("there is no archive %s" % archive, "copy the packed image there first")
        row = store.unpack(self.store, archive)
        os.unlink(archive)
        outcome = self._switch(
            plan.current(self.store.versions(), self.store.name, wanted or row.version), False, False
        )
        gone = plan.prune([old.version for old in self.store.versions()], self.options["keep"], row.version)
        for version in gone:
            self.store.remove(version)
        outcome.changed, outcome.plan = True, replace(outcome.plan, build=True, remove=gone)
        return outcome

    def _rolled_back(self, check_mode: bool) -> Outcome:
        return self._switch(
            plan.rolled_back(self.store.versions(), self.store.name, self.options["version"]), check_mode
        )

    def _absent(self, check_mode: bool) -> Outcome:
        before = self.store.current()
        what = plan.absent(self.store.versions(), self.options["version"], before)
        whole = not self.options["version"]
        changed = self.store.exists() if whole else bool(what.remove)
        if changed and not check_mode:
            if whole:
                self.store.remove_all()
            for version in () if whole else what.remove:
                self.store.remove(version)
        return Outcome(what, before, changed)


def describe(row: manifest.Manifest | None, image: Image) -> dict[str, t.Any]:
    """The ``image`` that a module returns; empty when there is none."""
    if row is None:
        return {}
    data = asdict(row)
    data["path"] = image.store.path(row.version)
    data["packages"] = len(row.packages)
    return data


def result(image: Image, outcome: Outcome) -> dict[str, t.Any]:
    """The module's result."""
    what = outcome.plan
    state: dict[str, t.Any] = {
        "before": {"current": outcome.before},
        "after": {"current": what.current, "removed": list(what.remove)},
    }
    if what.build:
        state["after"]["added"] = what.version
    return {
        "changed": outcome.changed,
        "built": what.build,
        "version": what.version,
        "current": what.current,
        "removed": list(what.remove),
        "missing": outcome.row is None and image.options["state"] == "current",
        "image": describe(outcome.row, image),
        "seconds": dict(outcome.seconds or {}),
        "diff": {**state, "before_header": image.store.folder, "after_header": image.store.folder},
    }
