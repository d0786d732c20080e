# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rpmbuild in a chroot, as a user without rights. This module util is private to the collection."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from .._chroot.accounts import Accounts
from .._chroot.packages import enter, inside
from .._chroot.run import program_source
from .._host.errors import ClusterError
from .._host.host import File, Host
from . import source as sources
from .source import KINDS, Head, Source
from .spec import render_macros, render_rpmrc, render_spec
from .store import Store, packages

PLACE = "/builddir"
_FOLDERS = ("BUILD", "BUILDROOT", "RPMS", "SRPMS", "SOURCES", "SPECS", "tmp")
# Bytes; no build can go on with so few.
_LITTLE = 64 << 10
_TELLING = re.compile(r"error:|\*\*\*|is needed by|No space left|fatal:|cannot |Bad exit status", re.IGNORECASE)


@dataclass(frozen=True)
class Job:
    """One build: what is built, and the folder name of its result."""

    name: str
    head: Head
    source: Source
    options: t.Mapping[str, t.Any]

    @property
    def version(self) -> str:
        return "0r%d" % self.head.number

    @property
    def folder(self) -> str:
        return "%s-%s" % (self.name, self.version)


@dataclass
class Room:
    """The working folders of a build; ``uid`` and ``gid`` of the user in the chroot."""

    work: str
    root: str
    user: str
    uid: int
    gid: int

    @property
    def top(self) -> str:
        return os.path.join(self.work, "rpm")

    @property
    def out(self) -> str:
        return os.path.join(self.work, "out")

    @property
    def program(self) -> str:
        return os.path.join(self.work, "chroot-enter.py")

    def argv(self, words: t.Sequence[str], log: str = "") -> list[str]:
        env = ("HOME=" + PLACE,)
        return enter(self.program, self.root, words, self.user, PLACE, env, [(self.top, PLACE)], log=log)


def find_user(root: str, user: str, host: Host) -> tuple[int, int]:
    """Numbers of the user who builds; ClusterError for a tree or user that is not there, and for root."""
    data = host.read(inside(root, "etc/passwd")) if os.path.isdir(root) else None
    if data is None:
        raise ClusterError("there is no chroot %s" % root, "make it with the role chroot")
    row = Accounts.parse(data.decode("utf-8", "replace"), "", "").row(user)
    if row is None or len(row) < 4:
        raise ClusterError("%s has no user %s" % (root, user), "declare it with chroot_access, login: false")
    if row[2] == "0":
        raise ClusterError("packages are not built as root", "declare a user for it with chroot_access, login: false")
    return int(row[2]), int(row[3])


def open_room(store: Store, options: t.Mapping[str, t.Any], host: Host) -> Room:
    """Empty working folders, with rpm's settings in them."""
    uid, gid = find_user(options["chroot"], options["user"], host)
    room = Room(store.work, options["chroot"], options["user"], uid, gid)
    for name in _FOLDERS:
        os.makedirs(os.path.join(room.top, name))
    for name in ("RPMS", "SRPMS", "logs"):
        os.makedirs(os.path.join(room.out, name))
    macros = render_macros(PLACE, options["macros"] or {})
    files = {
        room.top + "/.rpmmacros": File(macros.encode()),
        room.top + "/.rpmrc": File(render_rpmrc(options["buildarchtranslate"] or {}).encode()),
        room.program: File(program_source(), 0o755),
    }
    host.write_files(files)
    return room


def _template(job: Job, name: str, tarball: str, host: Host) -> str:
    data = host.read(name) if name.startswith("/") else sources.member(tarball, "%s/%s" % (job.folder, name))
    if data is None:
        raise ClusterError("there is no spec %s" % name, "a file on the host, or a path in the source")
    return data.decode("utf-8", "surrogateescape")


def prepare(job: Job, room: Room, store: Store, date: str, host: Host) -> list[str]:
    """Tarball, more sources and specs in their places; the names of the specs."""
    tarball = os.path.join(room.top, "SOURCES", job.folder + ".tar.gz")
    plain = os.path.join(room.work, "source.tar")
    KINDS[job.source.kind].tar(job.source, job.head, store.cache, job.folder, plain, host)
    sources.pack(plain, tarball)
    for path in job.options["extra_sources"]:
        if not os.path.isfile(path):
            raise ClusterError("there is no source file %s" % path, "correct extra_sources")
        shutil.copy2(path, os.path.join(room.top, "SOURCES"))
    values = {"name": job.name, "version": job.version, "revision": str(job.head.number), "date": date}
    values.update(commit=job.head.id, tarball=os.path.basename(tarball))
    names = []
    for path in job.options["specs"]:
        text = render_spec(_template(job, path, tarball, host), values, job.options["define"] or "", path)
        base = re.sub(r"(\.spec)?(\.in|\.j2)?$", "", os.path.basename(path))
        names.append("%s_%s.spec" % (job.folder, base))
        host.write_files({os.path.join(room.top, "SPECS", names[-1]): File(text.encode("utf-8", "surrogateescape"))})
    for base, folders, files in os.walk(room.top):
        for each in (base, *(os.path.join(base, name) for name in (*folders, *files))):
            os.chown(each, room.uid, room.gid, follow_symlinks=False)
    return names


def telling(text: str) -> str:
    """The lines of a log that say why it ended."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(([line for line in lines if _TELLING.search(line)] or lines or ["nothing was written"])[-3:])


def check_specs(job: Job, room: Room, names: t.Sequence[str], host: Host) -> None:
    """ClusterError for a spec that rpm cannot read, before anything is built."""
    for name in names:
        words = ["rpmspec", "-q", "--qf", "%{name}-%{version}-%{release}\n", "%s/SPECS/%s" % (PLACE, name)]
        done = host.run(room.argv(words), check=False)
        if done.rc != 0:
            raise ClusterError("the spec %s does not parse: %s" % (name, telling(done.stderr)), "mend its template")


def _save_logs(job: Job, room: Room, store: Store) -> str:
    """Keep the logs of a failure where they are found; that folder."""
    place = store.failed(job.folder)
    shutil.rmtree(place, ignore_errors=True)
    # A full disk may be why it failed: first the room, then a name for what is written already.
    shutil.rmtree(room.top, ignore_errors=True)
    os.makedirs(place)
    os.rename(os.path.join(room.out, "logs"), os.path.join(place, "logs"))
    return os.path.join(place, "logs")


def _is_full(path: str) -> bool:
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize < _LITTLE


def _failure(job: Job, log: str, text: str) -> ClusterError:
    hint = "free space for the build" if "No space left on device" in text else "the log tells more"
    return ClusterError("%s could not be built: %s; log: %s" % (job.folder, telling(text), log), hint)


def build(job: Job, room: Room, names: t.Sequence[str], store: Store, host: Host) -> None:
    """Run rpmbuild for each spec; the packages end in ``out``. ClusterError names the log, which is kept."""
    for name in names:
        log = os.path.join(room.out, "logs", name[: -len(".spec")] + ".log")
        targets = ["--target=" + one for one in job.options["targets"]]
        words = ["rpmbuild", "-ba", *targets, *job.options["rpmbuild_options"], "%s/SPECS/%s" % (PLACE, name)]
        limit = job.options["timeout"] or None
        try:
            done = host.run(room.argv(words, log=log), changes=True, check=False, timeout=limit)
            code, more = done.rc, done.stdout + done.stderr
        except ClusterError as error:
            code, more = 1, str(error)
        if code != 0:
            text = (host.read(log) or b"").decode("utf-8", "replace") + more
            if _is_full(room.work):
                # The log may not have had the room to say so.
                text += "\nNo space left on device\n"
            raise _failure(job, os.path.join(_save_logs(job, room, store), os.path.basename(log)), text)
    _collect(job, room)


def _collect(job: Job, room: Room) -> None:
    for rel in packages(room.top):
        place = os.path.join(room.out, rel.split("/")[0], os.path.basename(rel))
        os.rename(os.path.join(room.top, rel), place)
        os.chown(place, 0, 0)
        os.chmod(place, 0o644)
    if not [rel for rel in packages(room.out) if rel.startswith("RPMS/")]:
        raise ClusterError("%s: rpmbuild made no package" % job.folder, "see %files of the specs")
