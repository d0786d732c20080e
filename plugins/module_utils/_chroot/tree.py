# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root tree as a resource: made beside its place, put there whole, extended, removed. Private to the collection.

``.NAME.new`` holds a tree that is being made, ``.NAME.old`` one that is being replaced, ``.NAME.gone`` one that is
being removed. Whatever a killed run leaves under these names is finished or swept by the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import locked, sync_dir
from .._host.host import File, Host
from . import packages
from .backends import GUARD, MAKERS, Steps, explain
from .digest import check_tarball, wanted_digest
from .recipe import Recipe, parse_names, parse_recipe
from .usage import refuse_used

STATE = "etc/xtreemos/chroot.json"
POLICY = "usr/sbin/policy-rc.d"
# Debian's packages start their services unless this program says no (invoke-rc.d(8)).
_NO_SERVICES = "#!/bin/sh\nexit 101\n"


@dataclass
class Plan:
    """``make``: why the tree is made, empty when it stays; ``add``: packages to add to the one there is."""

    recipe: Recipe
    make: str = ""
    replace: bool = False
    add: list[str] = field(default_factory=list)
    steps: Steps = field(default_factory=lambda: Steps(()))
    program: bool = False
    repaired: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.make or self.add or self.program or self.repaired)


def read_state(path: str, host: Host) -> dict[str, t.Any] | None:
    """What the tree was made from; None when there is no tree of ours."""
    data = host.read(os.path.join(path, STATE)) if os.path.isdir(path) else None
    try:
        state = json.loads(data) if data is not None else None
    except ValueError:
        state = None
    return state if isinstance(state, dict) else None


def _differences(state: t.Mapping[str, t.Any], recipe: Recipe) -> list[str]:
    now, then = recipe.identity(), state.get("identity") or {}
    return [
        "%s was %s, is %s" % (key, then.get(key) or "empty", now[key] or "empty")
        for key in now
        if now[key] != then.get(key)
    ]


def resolve(options: t.Mapping[str, t.Any], host: Host) -> Recipe:
    """The recipe with lists and digest read; ClusterError for what is missing."""
    rows = dict(options)
    for key, lists in (("packages", "package_lists"), ("skip", "skip_lists")):
        texts = [(path, host.read(path)) for path in options[lists]]
        for path, text in texts:
            if text is None:
                raise ClusterError("there is no list %s" % path, "write it, one name a line")
        names = [name for path, text in texts for name in parse_names((text or b"").decode("utf-8", "replace"), path)]
        rows[key] = [*options[key], *names]
    digest = ""
    if options["backend"] == "tarball":
        if not options["tarball"]:
            raise ClusterError("no tarball is named", "set tarball and its digest or sums")
        sums = options["sums"] or ""
        digest = wanted_digest(options["tarball"], options["digest"] or "", sums, host.read(sums) if sums else None)
    recipe = parse_recipe(rows, digest)
    wanted = tuple(name for name in recipe.packages if not packages.skipped(name, recipe.skip))
    return Recipe(**{**recipe.__dict__, "packages": wanted})


def plan(recipe: Recipe, options: t.Mapping[str, t.Any], source: bytes, host: Host) -> Plan:
    """Compare the tree with the recipe; ``source`` is the text of the program that enters trees."""
    found = Plan(recipe, program=host.read(options["program"]) != source, repaired=interrupted(recipe))
    path = recipe.beside("old") if found.repaired else recipe.path
    state = read_state(path, host)
    if not os.path.isdir(path) or not os.listdir(path):
        found.make = "there is none"
    elif state is None:
        raise ClusterError("%s is there and was not made by this module" % path, "choose another path")
    else:
        _compare(found, state, bool(options["rebuild"]), host, options["program"])
    if found.make:
        if recipe.backend == "tarball":
            check_tarball(recipe.tarball, recipe.digest)
        found.steps = MAKERS[recipe.backend](recipe, host, recipe.beside("new"))
    return found


def _compare(found: Plan, state: t.Mapping[str, t.Any], rebuild: bool, host: Host, program: str) -> None:
    differences = _differences(state, found.recipe)
    if differences and not rebuild:
        raise ClusterError(
            "%s was made from something else: %s" % (found.recipe.path, "; ".join(differences)),
            "set rebuild: true to make it anew, which loses what is in it",
        )
    if differences:
        refuse_used(found.recipe.path, "make it anew")
        found.make, found.replace = "; ".join(differences), True
    elif not found.repaired:
        found.add = packages.missing(found.recipe, host, program)
        found.steps = packages.addition(found.recipe, found.add, host, program) if found.add else Steps(())


@contextlib.contextmanager
def lock(recipe: Recipe, timeout: float) -> t.Iterator[None]:
    """One run at a time works on a tree."""
    try:
        os.makedirs(recipe.folder, exist_ok=True)
    except OSError as error:
        raise ClusterError("cannot make %s: %s" % (recipe.folder, error.strerror), "choose another path")
    with locked(recipe.beside("lock"), timeout):
        yield


def remove_tree(path: str) -> None:
    """Remove a folder; nothing is mounted in it, and nothing is followed out of it."""
    if os.path.lexists(path):
        refuse_used(path, "remove it")
        shutil.rmtree(path)


def interrupted(recipe: Recipe) -> str:
    """Whether a killed run has moved the tree away and put none in its place, in words."""
    moved = os.path.exists(os.path.join(recipe.beside("old"), STATE)) and not os.path.lexists(recipe.path)
    return "the tree from before an interrupted exchange is back" if moved else ""


def sweep(recipe: Recipe) -> str:
    """Undo what a killed run left: a half tree goes, a tree that was moved away comes back. What came back."""
    remove_tree(recipe.beside("new"))
    remove_tree(recipe.beside("gone"))
    back = interrupted(recipe)
    if back:
        os.rename(recipe.beside("old"), recipe.path)
    remove_tree(recipe.beside("old"))
    return back


def run_steps(steps: Steps, host: Host) -> None:
    if steps.files:
        host.write_files(steps.files)
    stdin = steps.stdin
    for argv in steps.argvs:
        if host.which(argv[0]) is None:
            raise ClusterError("%s is not installed" % argv[0], "install it, or choose another backend")
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        done = host.run([*GUARD, *argv], changes=True, check=False, stdin=stdin, env=env)
        stdin = b""
        if done.rc != 0:
            raise explain(argv, done.stdout + done.stderr)


def _single_folder(root: str) -> str:
    """Old tarballs hold the tree below one folder."""
    names = os.listdir(root)
    lone = os.path.join(root, names[0]) if len(names) == 1 else ""
    return lone if lone and os.path.isdir(os.path.join(lone, "etc")) else root


def _finish(recipe: Recipe, root: str, host: Host) -> None:
    row = {"format": 1, "identity": recipe.identity(), "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    files = {packages.inside(root, STATE): File((json.dumps(row, indent=1, sort_keys=True) + "\n").encode())}
    if packages.family(root, host) == "apt":
        files[packages.inside(root, POLICY)] = File(_NO_SERVICES.encode(), 0o755)
    host.write_files(files)
    os.chmod(root, 0o755)


def _make(found: Plan, host: Host) -> None:
    recipe, new = found.recipe, found.recipe.beside("new")
    os.makedirs(new, 0o700)
    if recipe.backend != "mkosi":
        os.mkdir(os.path.join(new, "root"))
    run_steps(found.steps, host)
    root = _single_folder(os.path.join(new, "root"))
    _finish(recipe, root, host)
    host.run(["sync", "--file-system", root])
    if found.replace:
        refuse_used(recipe.path, "make it anew")
        os.rename(recipe.path, recipe.beside("old"))
    elif os.path.isdir(recipe.path):
        os.rmdir(recipe.path)
    os.rename(root, recipe.path)
    sync_dir(recipe.folder)
    remove_tree(recipe.beside("old"))
    remove_tree(new)


def apply(found: Plan, options: t.Mapping[str, t.Any], source: bytes, host: Host) -> None:
    """Carry a plan out; after an error the place of the tree is as it was."""
    if found.program:
        host.write_files({options["program"]: File(source, 0o755)})
    if found.make:
        try:
            _make(found, host)
        except (ClusterError, OSError) as error:
            sweep(found.recipe)
            if isinstance(error, OSError):
                full = "free space there" if error.errno == 28 else ""
                raise ClusterError("cannot make %s: %s" % (found.recipe.path, error), full)
            raise
        if found.recipe.backend == "tarball":
            more = packages.missing(found.recipe, host, options["program"])
            found.add = more
            found.steps = packages.addition(found.recipe, more, host, options["program"]) if more else Steps(())
    if found.add:
        packages.add(found.recipe, found.steps, host)
