# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A set of text files as one resource: compare, show, switch. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .errors import ClusterError
from .host import File, Host


@dataclass(frozen=True)
class FilePlan:
    """What has to change: files to write and paths to remove, with the content they have now."""

    writes: t.Mapping[str, File] = field(default_factory=dict)
    removes: tuple[str, ...] = ()
    before: t.Mapping[str, bytes] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.writes or self.removes)

    @property
    def paths(self) -> list[str]:
        """Every path that changes, sorted."""
        return sorted([*self.writes, *self.removes])


def plan_files(host: Host, wanted: t.Mapping[str, File], owned: t.Iterable[str] = ()) -> FilePlan:
    """Compare ``wanted`` (path to File) with the host; paths in ``owned`` that are not wanted are removed."""
    writes: dict[str, File] = {}
    before: dict[str, bytes] = {}
    for path, file in wanted.items():
        now = host.read(path)
        if now != file.content:
            writes[path] = file
            before[path] = now or b""
    removes = tuple(sorted(set(owned) - set(wanted)))
    for path in removes:
        before[path] = host.read(path) or b""
    return FilePlan(writes, removes, before)


def plan_program(
    host: Host,
    install: t.Mapping[str, t.Any] | None,
    program: t.Callable[[], bytes],
    options: t.Callable[[], bytes],
) -> FilePlan:
    """A timer's program and its options at the paths that ``install`` gives for both; nothing without it."""
    if not install:
        return FilePlan()
    for name in ("program", "options"):
        if not str(install.get(name) or "").startswith("/"):
            raise ClusterError("install.%s is no absolute path" % name, "give the whole path")
    # The options may name files that hold passwords, and hosts that need not be known.
    wanted = {install["program"]: File(program(), 0o755), install["options"]: File(options(), 0o600)}
    return plan_files(host, wanted)


def apply_files(plan: FilePlan, host: Host) -> None:
    """Carry a plan out: all writes in one durable batch, then the removals."""
    if plan.writes:
        host.write_files(plan.writes)
    for path in plan.removes:
        host.remove(path)


def diff_files(plan: FilePlan, limit: int = 100) -> list[dict[str, str]]:
    """Ansible diff entries, sorted by path; past ``limit`` files only a count is shown."""
    shown = [_diff_entry(plan, path) for path in plan.paths[:limit]]
    rest = len(plan.paths) - len(shown)
    if rest > 0:
        shown.append({"before_header": "more", "after_header": "more", "before": "", "after": "%d more files\n" % rest})
    return shown


def _diff_entry(plan: FilePlan, path: str) -> dict[str, str]:
    after = plan.writes[path].content if path in plan.writes else b""
    return {
        "before_header": path,
        "after_header": path,
        "before": plan.before.get(path, b"").decode("utf-8", "replace"),
        "after": after.decode("utf-8", "replace"),
    }
