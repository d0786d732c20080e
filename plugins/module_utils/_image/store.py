# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of an image on disk, the link ``current``, and the lock. This module util is private to the collection.

A version is made in ``.building-VERSION`` beside the others, synced, then renamed: whatever a killed run leaves is
swept away by the next one, and a folder with a name without dot is always whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.files import locked, sha256_file, sync_dir, sync_file
from . import manifest
from .manifest import Manifest

CURRENT = "current"
_TEMPORARY = (".building-", ".incoming-", ".removed-")


@contextlib.contextmanager
def disk_errors(what: str) -> t.Iterator[None]:
    """OSError (disk full, no permission) as ClusterError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (28, 122)
        raise ClusterError(
            "cannot write %s: %s" % (what, error.strerror or error), "free space on that file system" if full else ""
        )


@dataclass(frozen=True)
class Store:
    """``<root>/<name>/``."""

    root: str
    name: str

    @property
    def folder(self) -> str:
        return os.path.join(self.root, self.name)

    def path(self, version: str) -> str:
        return os.path.join(self.folder, version)

    def exists(self) -> bool:
        return os.path.isdir(self.folder)

    def lock(self, timeout: float = 60.0) -> t.ContextManager[None]:
        """One writer per images root; the lock file is not inside of what may be removed."""
        with disk_errors(self.root):
            if not os.path.isdir(self.root):
                os.makedirs(self.root)
                os.chmod(self.root, 0o755)
        return locked(os.path.join(self.root, ".lock-" + self.name), timeout)

    def manifest(self, version: str) -> Manifest | None:
        """None when there is no such version."""
        path = os.path.join(self.path(version), "manifest.json")
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                return manifest.parse(stream.read(), path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ClusterError("cannot read %s: %s" % (path, error.strerror))

    def versions(self) -> list[Manifest]:
        """Every version, oldest first."""
        if not self.exists():
            return []
        names = [name for name in os.listdir(self.folder) if not name.startswith(".") and name != CURRENT]
        found = [self.manifest(name) for name in sorted(names)]
        return sorted((row for row in found if row is not None), key=lambda row: (row.serial, row.version))

    def current(self) -> str | None:
        """The version that nodes get, None when there is none or the link leads nowhere."""
        try:
            version = os.readlink(os.path.join(self.folder, CURRENT)).rstrip("/")
        except OSError:
            return None
        return version if os.path.isdir(self.path(version)) else None

    def sweep(self) -> None:
        """Remove what killed runs left. Call it under the lock."""
        if self.exists():
            for name in os.listdir(self.folder):
                if name.startswith(_TEMPORARY):
                    shutil.rmtree(self.path(name), ignore_errors=True)

    def work(self, version: str, kind: str = ".building-") -> str:
        """A fresh folder to build a version in; the folders above are readable by the HTTP server."""
        path = self.path(kind + version)
        with disk_errors(path):
            fresh = not self.exists()
            os.makedirs(path)
            if fresh:
                os.chmod(self.folder, 0o755)
        return path

    def install(self, work: str, version: str) -> None:
        """Make a built version durable and give it its name; a damaged one of that name goes."""
        with disk_errors(self.path(version)):
            if os.path.isdir(self.path(version)):
                self.remove(version)
            for name in os.listdir(work):
                os.chmod(os.path.join(work, name), 0o644)
                sync_file(os.path.join(work, name))
            os.chmod(work, 0o755)
            sync_dir(work)
            os.rename(work, self.path(version))
            sync_dir(self.folder)

    def activate(self, version: str) -> None:
        """Point ``current`` at a version, atomically."""
        link = os.path.join(self.folder, CURRENT)
        beside = os.path.join(self.folder, ".removed-link")
        with disk_errors(link):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            os.symlink(version, beside)
            os.replace(beside, link)
            sync_dir(self.folder)

    def remove(self, version: str) -> None:
        """Remove one version; it is gone at once for everybody who looks."""
        gone = self.path(".removed-" + version)
        with disk_errors(gone):
            os.rename(self.path(version), gone)
            shutil.rmtree(gone)

    def remove_all(self) -> None:
        with disk_errors(self.folder):
            shutil.rmtree(self.folder)

    def check_sizes(self, row: Manifest) -> None:
        """Every file is there with its size: cheap, for each run."""
        for info in row.files.values():
            path = os.path.join(self.path(row.version), info.path)
            size = os.path.getsize(path) if os.path.isfile(path) else -1
            if size != info.size:
                what = "is missing" if size < 0 else "has %d bytes instead of %d" % (size, info.size)
                raise ClusterError("%s %s" % (path, what), "state present makes version %s anew" % row.version)

    def intact(self, row: Manifest) -> bool:
        """Whether every file is there with its size."""
        try:
            self.check_sizes(row)
        except ClusterError:
            return False
        return True

    def check_digests(self, row: Manifest, folder: str = "") -> None:
        """Every file matches the manifest: before a version is switched to."""
        for info in row.files.values():
            path = os.path.join(folder or self.path(row.version), info.path)
            if not os.path.isfile(path) or sha256_file(path) != info.sha256:
                raise ClusterError(
                    "%s does not match the manifest" % path, "copy or build version %s again" % row.version
                )


def pack(store: Store, version: str, out: str) -> None:
    """One version as one plain tar file, to carry it to a boot server in one piece."""
    beside = "%s.new.%d" % (out, os.getpid())
    with disk_errors(out):
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with tarfile.open(beside, "w:", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(os.listdir(store.path(version))):
                archive.add(os.path.join(store.path(version), name), arcname=name)
        os.replace(beside, out)


def unpack(store: Store, archive: str) -> Manifest:
    """Take a packed version in: unpack beside, verify every digest, rename. ClusterError leaves nothing behind."""
    work = store.work(os.path.basename(archive), ".incoming-")
    try:
        with disk_errors(work):
            _extract(archive, work)
        with open(os.path.join(work, "manifest.json"), encoding="utf-8", errors="replace") as stream:
            row = manifest.parse(stream.read(), archive)
        if row.name != store.name:
            raise ClusterError("%s holds image %s, not %s" % (archive, row.name, store.name))
        store.check_digests(row, work)
        store.install(work, row.version)
    except FileNotFoundError as error:
        raise ClusterError("%s holds no image: %s is missing" % (archive, error.filename))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return row


def _extract(archive: str, work: str) -> None:
    """Only plain files with plain names: an archive cannot write anywhere else."""
    try:
        with tarfile.open(archive, "r:") as packed:
            for member in packed:
                stream = packed.extractfile(member)
                if stream is None or "/" in member.name or member.name.startswith("."):
                    raise ClusterError("%s holds %r, which is no file of an image" % (archive, member.name))
                with open(os.path.join(work, member.name), "wb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
    except tarfile.TarError as error:
        raise ClusterError("cannot read %s: %s" % (archive, error), "copy it again")
