# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of a tree that is there: which are missing, and how to add them. This module util is private.

A tree of the Debian family adds them itself, in its namespaces; the tools of the others take a root from outside.
"""

from __future__ import annotations

import fnmatch
import os
import re
import sys
import typing as t

from .._host.errors import ClusterError
from .._host.host import File, Host
from .._image.dpkg import parse_status
from .backends import GUARD, REPO_FILE, Steps, dnf_words, explain, render_repo
from .recipe import Recipe

_NONINTERACTIVE = ("DEBIAN_FRONTEND=noninteractive",)


def enter(
    program: str,
    root: str,
    command: t.Sequence[str],
    user: str = "",
    cwd: str = "",
    env: t.Sequence[str] = (),
    binds: t.Sequence[tuple[str, str]] = (),
    with_parent: bool = True,
    log: str = "",
) -> list[str]:
    """The command line that runs ``command`` in a tree, by ``program``, a copy of enter.py on the host."""
    words = [sys.executable or "python3", program, *(["--with-parent"] if with_parent else [])]
    for option, value in (("--user", user), ("--cwd", cwd), ("--log", log)):
        words += [option, value] if value else []
    words += [word for row in env for word in ("--env", row)]
    words += [word for source, dest in binds for word in ("--bind", "%s=%s" % (source, dest))]
    return [*words, root, "--", *command]


def inside(root: str, path: str) -> str:
    """The place of a tree's path on the host; ClusterError when links of the tree lead out of it."""
    real_root = os.path.realpath(root)
    folder = os.path.realpath(os.path.join(real_root, os.path.dirname(path.lstrip("/"))))
    if folder != real_root and not folder.startswith(real_root + "/"):
        raise ClusterError("%s: a link leads out of the tree at %s" % (root, path), "make it relative")
    return os.path.join(folder, os.path.basename(path))


def family(root: str, host: Host) -> str:
    """apt, urpmi or dnf: who keeps the packages of a tree; empty when nobody does."""
    if host.read(root + "/var/lib/dpkg/status") is not None:
        return "apt"
    if host.listdir(root + "/etc/urpmi"):
        return "urpmi"
    return "dnf" if any(host.listdir(root + place) for place in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")) else ""


def _dpkg_names(text: str) -> set[str]:
    names: set[str] = set()
    for package in parse_status(text):
        provides = re.search(r"^Provides: (.*)", package.text, re.MULTILINE)
        names.update({package.name, "%s:%s" % (package.name, package.arch)})
        names.update(word.split()[0] for word in (provides.group(1).split(",") if provides else ()) if word.strip())
    return names


def installed(root: str, host: Host, program: str) -> set[str]:
    """Names that are installed or provided."""
    if family(root, host) == "apt":
        return _dpkg_names((host.read(root + "/var/lib/dpkg/status") or b"").decode("utf-8", "replace"))
    words = ["-qa", "--qf", r"%{NAME}\n[%{PROVIDENAME}\n]"]
    argv = ["rpm", "--root", root, *words] if host.which("rpm") else enter(program, root, ["rpm", *words])
    return set(host.run(argv).stdout.split())


def missing(recipe: Recipe, host: Host, program: str) -> list[str]:
    """Wanted packages that are not in the tree, sorted; those of the skip list are not wanted."""
    wanted = [name for name in recipe.packages if not skipped(name, recipe.skip)]
    if not wanted:
        return []
    if not family(recipe.path, host):
        raise ClusterError("%s: nothing in the tree keeps packages" % recipe.path, "leave packages empty")
    have = installed(recipe.path, host, program)
    return sorted(name for name in wanted if re.split("[=/]", name)[0] not in have)


def skipped(name: str, skip: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in skip)


def addition(recipe: Recipe, names: t.Sequence[str], host: Host, program: str) -> Steps:
    """The commands that add packages."""
    root, kind = recipe.path, family(recipe.path, host)
    if kind == "apt":
        install = ["apt-get", "install", "-y", "--no-install-recommends", *names]
        both = (["apt-get", "update", "-q"], install)
        return Steps(tuple(tuple(enter(program, root, words, env=_NONINTERACTIVE)) for words in both))
    if kind == "urpmi":
        return Steps((("urpmi", "--urpmi-root", root, "--auto", "--no-suggests", *names),))
    return Steps(((*dnf_words(recipe, root), "install", *names),))


def add(recipe: Recipe, steps: Steps, host: Host) -> None:
    """Run the commands; ClusterError tells the cause."""
    if recipe.repos and family(recipe.path, host) == "dnf":
        text = render_repo(recipe.repos).encode()
        path = inside(recipe.path, REPO_FILE)
        if host.read(path) != text:
            host.write_files({path: File(text)})
    for argv in steps.argvs:
        # What enters the tree has namespaces of its own already.
        guard = GUARD if argv[0] in ("dnf", "urpmi") else ()
        done = host.run([*guard, *argv], changes=True, check=False)
        if done.rc != 0:
            raise explain(argv, done.stdout + done.stderr)
