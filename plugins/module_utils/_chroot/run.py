# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of chroot_tree: present or absent. This module util is private to the collection."""

from __future__ import annotations

import os
import pkgutil
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from . import enter
from .backends import plain
from .recipe import Recipe, check_path
from .tree import Plan, apply, interrupted, lock, plan, read_state, remove_tree, resolve, sweep
from .usage import refuse_used


def _result(found: Plan) -> dict[str, t.Any]:
    before = {True: "absent", False: "present"}[bool(found.make) and not found.replace]
    text = "".join("+ %s\n" % name for name in found.add)
    return {
        "changed": found.changed,
        "path": found.recipe.path,
        "made": found.make,
        "added": found.add,
        "repaired": found.repaired,
        "actions": [list(argv) for argv in found.steps.argvs],
        "diff": {"before": before + "\n", "after": "present\n" + text},
    }


# Importing it makes Ansible carry it to the target, where its source is read.
CARRIED = (enter,)


def program_source() -> bytes:
    """The text of the program that enters trees."""
    return pkgutil.get_data(__package__ or __name__.rpartition(".")[0], "enter.py") or b""


def demand_root() -> None:
    """ClusterError for anybody else."""
    if os.geteuid() != 0:
        raise ClusterError("only root can make or remove a root tree", "run with become")


def run_present(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Make or extend a tree; the result in Ansible's form."""
    demand_root()
    source = program_source()
    recipe = resolve(options, host)
    if check_mode:
        return _result(plan(recipe, options, source, host))
    with lock(recipe, options["lock_timeout"]):
        repaired = sweep(recipe)
        found = plan(recipe, options, source, host)
        found.repaired = repaired
        apply(found, options, source, host)
        return {**_result(found), "actions": [plain(words) for words in host.actions]}


def run_absent(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Remove a tree of ours that nobody uses; the result in Ansible's form."""
    demand_root()
    recipe = Recipe(check_path(str(options["path"])), options["backend"])
    place = recipe.beside("old") if interrupted(recipe) else recipe.path
    there = os.path.lexists(place)
    if there and read_state(place, host) is None:
        raise ClusterError("%s was not made by this module" % recipe.path, "remove it by hand")
    refuse_used(place, "remove it")
    if not check_mode and os.path.isdir(recipe.folder):
        with lock(recipe, options["lock_timeout"]):
            sweep(recipe)
            if os.path.lexists(recipe.path):
                refuse_used(recipe.path, "remove it")
                # Not the name of a tree that comes back when an exchange was killed.
                os.rename(recipe.path, recipe.beside("gone"))
                remove_tree(recipe.beside("gone"))
    diff = {"before": "present\n" if there else "absent\n", "after": "absent\n"}
    return {"changed": there, "path": recipe.path, "made": "", "added": [], "repaired": "", "actions": [], "diff": diff}
