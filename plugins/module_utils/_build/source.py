# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources at their newest revision, from git or Subversion. This module util is private to the collection.

The revision is a number that grows, as Subversion has it: of git it is the count of the commits up to the newest one.
It is the version of the packages, ``0r<revision>``, as the nightly builds of 2007 had it.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Completed, Host

_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Source:
    """Where the source is. ``ref`` is a branch or tag of git; ``revision`` pins one, newest when empty."""

    kind: str
    url: str
    ref: str = ""
    revision: str = ""


@dataclass(frozen=True)
class Head:
    """The newest state: ``id`` is git's commit or Subversion's number; ``number`` is 0 until git's is known."""

    id: str
    number: int = 0


class Door(t.Protocol):
    """What a kind of repository can do."""

    def head(self, source: Source, host: Host) -> Head:
        """The newest state, without fetching the source."""

    def export(self, source: Source, head: Head, cache: str, host: Host) -> Head:
        """Fetch into ``cache``; the state with its number."""

    def tar(self, source: Source, head: Head, cache: str, prefix: str, dest: str, host: Host) -> None:
        """Write the uncompressed tar of the source below ``prefix`` to ``dest``."""


def parse_source(item: t.Mapping[str, t.Any]) -> Source:
    """The option ``source``; ClusterError names what is wrong."""
    kind, url = str(item.get("type") or "git"), str(item.get("url") or "")
    ref, revision = str(item.get("ref") or ""), str(item.get("revision") or "")
    if not url or url.startswith("-") or re.search(r"[\s\x00]", url) or url.startswith("ext::"):
        raise ClusterError("bad source url %r" % url, "as https://example.org/project.git")
    if ref and (not _REF.fullmatch(ref) or ".." in ref):
        raise ClusterError("bad ref %r" % ref, "a branch or a tag")
    pattern = _COMMIT if kind == "git" else re.compile(r"[1-9][0-9]*")
    if revision and not pattern.fullmatch(revision):
        raise ClusterError("bad revision %r" % revision, "a whole commit id of git, a number of Subversion")
    return Source(kind, url, ref, revision)


def _told(done: Completed) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    fatal = [line for line in lines if re.match(r"(fatal|svn|error)\b", line)]
    return (fatal or lines or ["exit code %d" % done.rc])[0]


def _ask(host: Host, argv: list[str], source: Source, changes: bool = False) -> str:
    done = host.run(argv, check=False, env=_QUIET, timeout=3600, changes=changes)
    if done.rc != 0:
        raise ClusterError(
            "cannot reach %s: %s" % (source.url, _told(done)), "check the address and the network; nothing was built"
        )
    return done.stdout


class Git:
    """A bare repository in the cache; the number is the count of commits."""

    def head(self, source: Source, host: Host) -> Head:
        if source.revision:
            return Head(source.revision)
        ref = source.ref or "HEAD"
        names = [ref] if ref == "HEAD" else ["refs/heads/" + ref, "refs/tags/%s^{}" % ref, "refs/tags/" + ref]
        lines = [line.partition("\t") for line in self._remote(source, names, host)]
        rows = {name: commit for commit, _tab, name in lines}
        found = next((rows[name] for name in names if name in rows), None)
        if found is None:
            raise ClusterError("%s has no branch or tag %s" % (source.url, ref), "correct ref, or commit something")
        return Head(found)

    def _remote(self, source: Source, names: t.Sequence[str], host: Host) -> list[str]:
        return _ask(host, ["git", "ls-remote", "--quiet", source.url, *names], source).splitlines()

    def export(self, source: Source, head: Head, cache: str, host: Host) -> Head:
        place = os.path.join(cache, "git")
        if not os.path.isdir(place):
            os.makedirs(cache, exist_ok=True)
            half = place + ".new"
            shutil.rmtree(half, ignore_errors=True)
            _ask(host, ["git", "clone", "--quiet", "--bare", source.url, half], source, True)
            os.rename(half, place)
        git = ["git", "--git-dir", place]
        words = ["--quiet", "--force", "--tags", source.url, "+refs/heads/*:refs/heads/*"]
        _ask(host, [*git, "fetch", *words], source, True)
        done = host.run([*git, "rev-list", "--count", head.id], check=False)
        if done.rc != 0:
            raise ClusterError("%s has no commit %s" % (source.url, head.id), "correct revision")
        return Head(head.id, int(done.stdout))

    def tar(self, source: Source, head: Head, cache: str, prefix: str, dest: str, host: Host) -> None:
        place = os.path.join(cache, "git")
        argv = ["git", "--git-dir", place, "archive", "--format=tar", "--prefix=%s/" % prefix, "-o", dest, head.id]
        host.run(argv, changes=True)


class Subversion:
    """Exported anew for every revision."""

    def head(self, source: Source, host: Host) -> Head:
        if source.revision:
            return Head(source.revision, int(source.revision))
        argv = ["svn", "info", "--non-interactive", "--show-item", "last-changed-revision", source.url]
        number = _ask(host, argv, source).strip()
        if not number.isdigit():
            raise ClusterError("%s: svn tells %r, no revision" % (source.url, number[:80]), "is it Subversion 1.9?")
        return Head(number, int(number))

    def export(self, source: Source, head: Head, cache: str, host: Host) -> Head:
        place = os.path.join(cache, "svn")
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(cache, exist_ok=True)
        url = "%s@%s" % (source.url, head.id)
        argv = ["svn", "export", "--non-interactive", "--quiet", "--revision", head.id, url, place]
        _ask(host, argv, source, True)
        return head

    def tar(self, source: Source, head: Head, cache: str, prefix: str, dest: str, host: Host) -> None:
        def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = "root"
            return info

        with tarfile.open(dest, "w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(os.path.join(cache, "svn"), prefix, filter=plain)


KINDS: t.Mapping[str, Door] = {"git": Git(), "svn": Subversion()}


def pack(plain: str, dest: str) -> None:
    """gzip without a time inside: one revision, one tarball."""
    with open(plain, "rb") as source, open(dest, "wb") as out:
        with gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
            shutil.copyfileobj(source, packed, 1 << 20)
    os.unlink(plain)


def member(tarball: str, path: str) -> bytes | None:
    """A file of the packed source, None when there is none."""
    with tarfile.open(tarball, "r:gz") as archive:
        try:
            stream = archive.extractfile(path)
        except KeyError:
            return None
        return stream.read() if stream else None
