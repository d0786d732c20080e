# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run: lock, plan, writes in an order that a kill cannot harm. This module util is private to the collection."""

from __future__ import annotations

import os
import shutil
import typing as t

from .._host.errors import ClusterError
from .._host.files import locked
from .._host.host import File, Host
from .commands import commands_of, run_commands, uses_commands
from .fetch import STATE, folder_of
from .plan import Params, Plan, etc, make_plan, read_cfg, shown

Result = t.Dict[str, t.Any]


def _store(plan: Plan, params: Params, host: Host) -> None:
    """Metadata first, its MD5SUM last: what is cut short is fetched again."""
    packages: dict[str, File] = {}
    sums: dict[str, File] = {}
    for name, got in plan.fetched.items():
        for file, data in got.files.items():
            path = os.path.join(folder_of(params["root"], name), file)
            (sums if file == "MD5SUM" else packages)[path] = File(data)
    for files in (packages, sums):
        if files:
            host.write_files(files)


def apply(plan: Plan, params: Params, host: Host) -> None:
    """Logins, keys and metadata before the configuration that needs them, removals after it is gone from there."""
    early = {etc(params, "netrc"), *(one.pubkey for one in plan.wanted if one.pubkey)}
    first = {path: file for path, file in plan.files.writes.items() if path in early}
    rest = {path: file for path, file in plan.files.writes.items() if path not in first}
    if first:
        host.write_files(first)
    _store(plan, params, host)
    for argv in plan.imports:
        host.run(argv, changes=True)
    if rest:
        host.write_files(rest)
    for path in plan.gone:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            host.remove(path)


def _result(plan: Plan, params: Params, actions: list[list[str]]) -> Result:
    return {
        "changed": plan.changed,
        "media": plan.rows,
        "files": plan.files.paths,
        "actions": actions,
        "warnings": plan.warnings,
        "diff": shown(plan, params),
    }


def _logins_first(plan: Plan, params: Params, host: Host) -> None:
    path = etc(params, "netrc")
    if path in plan.files.writes:
        host.write_files({path: plan.files.writes[path]})


def run_job(params: Params, check: bool, host: Host) -> Result:
    """Make the media of a root what the user wants; the same result in check mode."""
    if not os.path.isdir(params["root"]):
        raise ClusterError("root: %s is no folder" % params["root"], "install the system there first")
    tools = uses_commands(params, read_cfg(params, host), host)
    lock = os.path.join(params["root"], STATE, ".LOCK")
    if check or tools:
        plan = make_plan(params, host)
        commands = commands_of(plan) if tools else []
        result = _result(plan, params, commands + plan.imports)
        if check or not plan.changed:
            return result
        if commands:
            _logins_first(plan, params, host)
        run_commands(commands, plan, params, host)
    with locked(lock, params["lock_timeout"]):
        plan = make_plan(params, host)
        if not tools:
            result = _result(plan, params, plan.imports)
        if plan.changed:
            apply(plan, params, host)
    return result
