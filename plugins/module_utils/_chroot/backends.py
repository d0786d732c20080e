# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each installer makes a root tree: files before, commands, in order. This module util is private.

mmdebstrap and tarballs are run in the tests; dnf, debootstrap, urpmi and mkosi are known by their words.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.host import File, Host
from .._image import aptconf, mmdebstrap
from .recipe import Recipe, Repo

PREFERENCES = "etc/apt/preferences.d/xtreemos-skip"
REPO_FILE = "etc/yum.repos.d/xtreemos-chroot.repo"
URPMI_SKIP = "etc/urpmi/skip.list"
_TAR = ("tar", "--extract", "--numeric-owner", "--preserve-permissions", "--xattrs", "--xattrs-include=*")
_HOOKS = "/usr/share/mmdebstrap/hooks"


# Installers mount things, and go on when their caller is killed: in namespaces of their own neither outlives the run.
GUARD: tuple[str, ...] = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"),
    *("--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
)


@dataclass(frozen=True)
class Steps:
    """``files`` are written first, by path; ``argvs`` run in order; ``stdin`` is for the first of them."""

    argvs: tuple[tuple[str, ...], ...]
    files: t.Mapping[str, File] = field(default_factory=dict)
    stdin: bytes = b""


def render_preferences(skip: t.Iterable[str]) -> str:
    """apt_preferences(5): packages that are never installed."""
    return "".join("Package: %s\nPin: release *\nPin-Priority: -1\n\n" % name for name in sorted(skip))


def render_repo(repos: t.Sequence[Repo]) -> str:
    """dnf's .repo file, named in the tree as well."""
    parts = []
    for repo in repos:
        url = "file://" + repo.url if repo.url.startswith("/") else repo.url
        lines = ["[%s]" % repo.name, "name=" + repo.name, "baseurl=" + url, "enabled=1"]
        lines += ["gpgcheck=1", "gpgkey=file://" + repo.key] if repo.key else ["gpgcheck=0"]
        parts.append("".join(line + "\n" for line in lines))
    return "\n".join(parts)


def render_urpmi_skip(skip: t.Iterable[str]) -> str:
    """urpmi's skip.list: a regular expression between slashes a line."""
    return "".join("/^%s-/\n" % re.escape(name).replace(r"\*", ".*").replace(r"\?", ".") for name in sorted(skip))


def _apt_config(host: Host) -> bytes:
    return aptconf.settings(host.run(["apt-config", "dump"]).stdout).encode()


def _arch() -> str:
    machine = os.uname().machine
    return mmdebstrap.ARCHITECTURES.get(machine, machine)


def _mmdebstrap(recipe: Recipe, host: Host, work: str) -> Steps:
    suite = aptconf.wanted_suite(recipe.suite, host.read("/etc/os-release"))
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--architectures=" + _arch()]
    words += ["--aptopt=%s/apt.conf" % work, "--dpkgopt=force-unsafe-io"]
    files = {work + "/apt.conf": File(_apt_config(host))}
    if "maybe-merged-usr" in host.listdir(_HOOKS):
        words.append("--hook-dir=%s/maybe-merged-usr" % _HOOKS)
    if recipe.skip:
        files[work + "/skip"] = File(render_preferences(recipe.skip).encode())
        words.append("--setup-hook=upload %s/skip /%s" % (work, PREFERENCES))
    words.append("--include=" + ",".join(sorted({*recipe.packages, *mmdebstrap.ALWAYS})))
    text = "".join(line + "\n" for line in aptconf.sources(recipe.mirrors, suite, host)).encode()
    return Steps(((*words, suite, work + "/root", "-"),), files, text)


def _debootstrap(recipe: Recipe, host: Host, work: str) -> Steps:
    suite = aptconf.wanted_suite(recipe.suite, host.read("/etc/os-release"))
    line = re.match(r"deb (?:\[[^\]]*\] )?(\S+) \S+ ?(.*)", aptconf.sources(recipe.mirrors, suite, host)[0])
    if line is None:
        raise ClusterError("no mirror for debootstrap", "set mirrors")
    words = ["debootstrap", "--variant=minbase", "--arch=" + _arch()]
    words += ["--components=" + ",".join(line.group(2).split())] if line.group(2) else []
    words += ["--include=" + ",".join(recipe.packages)] if recipe.packages else []
    words += ["--exclude=" + ",".join(recipe.skip)] if recipe.skip else []
    return Steps(((*words, suite, work + "/root", line.group(1)),))


def dnf_words(recipe: Recipe, root: str) -> list[str]:
    """dnf on a root folder with the repositories of the recipe and no others."""
    words = ["dnf", "-y", "--installroot=" + root, "--setopt=reposdir=%s/etc/yum.repos.d" % root]
    words += ["--setopt=install_weak_deps=False", "--setopt=keepcache=False"]
    words += ["--releasever=" + recipe.suite] if recipe.suite else []
    return words + ["--exclude=" + name for name in recipe.skip]


def _dnf(recipe: Recipe, host: Host, work: str) -> Steps:
    root = work + "/root"
    files = {"%s/%s" % (root, REPO_FILE): File(render_repo(recipe.repos).encode())}
    return Steps(((*dnf_words(recipe, root), "install", *recipe.packages),), files)


def _urpmi(recipe: Recipe, host: Host, work: str) -> Steps:
    root = work + "/root"
    media = [("urpmi.addmedia", "--urpmi-root", root, repo.name, repo.url) for repo in recipe.repos]
    install = ("urpmi", "--urpmi-root", root, "--auto", "--no-suggests", *recipe.packages)
    files = {"%s/%s" % (root, URPMI_SKIP): File(render_urpmi_skip(recipe.skip).encode())} if recipe.skip else {}
    return Steps((*media, install), files)


def _mkosi(recipe: Recipe, host: Host, work: str) -> Steps:
    words = ["mkosi", "--directory=" + work, "--format=directory", "--bootable=no", "--output-dir=" + work]
    words += ["--output=root", "--distribution=" + recipe.distribution] if recipe.distribution else ["--output=root"]
    words += ["--release=" + recipe.suite] if recipe.suite else []
    words += ["--package=" + ",".join(recipe.packages)]
    words += ["--remove-packages=" + ",".join(recipe.skip)] if recipe.skip else []
    return Steps(((*words, "build"),))


def _tarball(recipe: Recipe, host: Host, work: str) -> Steps:
    return Steps(((*_TAR, "--directory", work + "/root", "--file", recipe.tarball),))


MAKERS: t.Mapping[str, t.Callable[[Recipe, Host, str], Steps]] = {
    "mmdebstrap": _mmdebstrap,
    "debootstrap": _debootstrap,
    "dnf": _dnf,
    "urpmi": _urpmi,
    "mkosi": _mkosi,
    "tarball": _tarball,
}


def plain(argv: t.Sequence[str]) -> list[str]:
    """A command without its guard, as the user would type it."""
    words = list(argv)
    return words[len(GUARD) :] if tuple(words[: len(GUARD)]) == GUARD else words


def explain(argv: t.Sequence[str], output: str) -> ClusterError:
    """The one cause in an installer's output that the user can mend, else its last lines."""
    unknown = re.findall(r"Unable to locate package (\S+)|No match for argument: (\S+)|No package named (\S+)", output)
    names = sorted({name for row in unknown for name in row if name})
    if names:
        return ClusterError("there is no package %s" % ", ".join(names), "correct the package list")
    held = sorted(set(re.findall(r"Package '(\S+)' has no installation candidate", output)))
    if held:
        return ClusterError(
            "%s is needed and cannot be installed" % ", ".join(held), "take it out of skip, or mend mirrors"
        )
    if "No space left on device" in output:
        return ClusterError("the disk is full while %s makes the tree" % argv[0], "free space there")
    tail = [line.strip() for line in output.strip().splitlines() if line.strip()][-6:]
    return ClusterError("%s failed: %s" % (argv[0], " | ".join(tail)), "nothing was put in place")
