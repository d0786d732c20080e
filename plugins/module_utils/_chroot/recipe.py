# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted of a root tree. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

BACKENDS = ("mmdebstrap", "debootstrap", "dnf", "urpmi", "mkosi", "tarball")
# Folders in which nobody wants a tree to be made or removed.
_SYSTEM = {"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin"}
_SYSTEM |= {"/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/tmp", "/usr/local", "/media", "/usr/share"}
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~:@/-]*")
_SKIP = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9+._*?-]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Repo:
    """A repository of dnf or a medium of urpmi."""

    name: str
    url: str
    key: str = ""


@dataclass(frozen=True)
class Recipe:
    """A root tree. ``digest`` is what the tarball has to have; the other fields are the options of chroot_tree."""

    path: str
    backend: str
    suite: str = ""
    distribution: str = ""
    mirrors: tuple[str, ...] = ()
    repos: tuple[Repo, ...] = ()
    packages: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    tarball: str = ""
    digest: str = ""

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    def beside(self, what: str) -> str:
        """A name beside the tree: ``new`` while it is made, ``old`` while it goes, ``lock``."""
        return os.path.join(self.folder, ".%s.%s" % (os.path.basename(self.path), what))

    def identity(self) -> dict[str, t.Any]:
        """What makes it another tree; packages are added to the one there is."""
        repos = [[repo.name, repo.url] for repo in sorted(self.repos, key=lambda repo: repo.name)]
        row = {"backend": self.backend, "suite": self.suite, "distribution": self.distribution, "digest": self.digest}
        return {**row, "mirrors": list(self.mirrors), "repos": repos}

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def check_path(path: str) -> str:
    """The path of a tree; ClusterError for a folder of the system."""
    clean = os.path.normpath(path)
    if not path.startswith("/") or clean in _SYSTEM or clean.startswith(("/proc/", "/sys/", "/dev/")):
        raise ClusterError("%s is no place for a root tree" % path, "give a folder of its own, as /srv/chroots/build")
    return clean


def _words(values: t.Iterable[t.Any], form: t.Pattern[str], what: str) -> tuple[str, ...]:
    words = [str(value).strip() for value in values]
    for word in words:
        if not form.fullmatch(word):
            raise ClusterError("bad %s %r" % (what, word), "a name as the distribution writes it")
    return tuple(dict.fromkeys(words))


def parse_names(text: str, where: str) -> list[str]:
    """A list file: one name a line, ``#`` begins a comment."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        if " " in line or "\t" in line:
            raise ClusterError("%s:%d has more than one name: %r" % (where, number, line[:80]), "one a line")
    return [line for line in lines if line]


def _repos(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Repo, ...]:
    repos = []
    for item in items:
        name, url = str(item.get("name") or ""), str(item.get("url") or "")
        if not _WORD.fullmatch(name):
            raise ClusterError("bad name of a repository: %r" % name, "letters, digits, dot, dash")
        if not re.match(r"(https?|ftp|file)://|/", url) or re.search(r"\s", url):
            raise ClusterError(
                "repository %s: bad url %r" % (name, url), "http://, https://, ftp://, file:// or a folder"
            )
        repos.append(Repo(name, url, str(item.get("key") or "")))
    if len({repo.name for repo in repos}) != len(repos):
        raise ClusterError("two repositories have one name", "name each once")
    return tuple(repos)


def parse_recipe(options: t.Mapping[str, t.Any], digest: str = "") -> Recipe:
    """The recipe of the module's options; ClusterError names what is wrong."""
    backend = str(options["backend"])
    packages = _words(options["packages"], _PACKAGE, "package name")
    skip = _words(options["skip"], _SKIP, "name in skip")
    for key in ("suite", "distribution"):
        if options.get(key) and not _WORD.fullmatch(str(options[key])):
            raise ClusterError("bad %s %r" % (key, options[key]), "one word, as bookworm or 9")
    if backend in ("dnf", "urpmi") and not options["repos"]:
        raise ClusterError("no repository to install from", "set repos")
    if backend in ("dnf", "urpmi", "mkosi") and not packages:
        raise ClusterError("the package list is empty", "name at least basesystem, or what the distribution has for it")
    for line in options["mirrors"]:
        if not re.match(r"deb (\[[^\]]*\] )?\S+ \S+", line) or "\n" in line:
            raise ClusterError("bad line in mirrors: %r" % line[:80], "as in sources.list: deb URL SUITE COMPONENT")
    return Recipe(
        path=check_path(str(options["path"])),
        backend=backend,
        suite=str(options.get("suite") or ""),
        distribution=str(options.get("distribution") or ""),
        mirrors=tuple(options["mirrors"]),
        repos=_repos(options["repos"]),
        packages=packages,
        skip=skip,
        tarball=str(options.get("tarball") or ""),
        digest=digest,
    )
