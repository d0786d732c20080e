# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder of files that changes as one. This module util is private to the collection.

The new folder is made beside the old one, with hard links to whatever stays, and takes its place in one step of the
file system. Readers see the old set or the new one, never a mixture.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import typing as t

from .._host.errors import ClusterError
from .._host.files import sync_dir, sync_file

_AT_FDCWD, _EXCHANGE = -100, 2
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_NO_LINK = (errno.EPERM, errno.EMLINK, errno.EXDEV, errno.EOPNOTSUPP, errno.EACCES)


def exchange(one: str, other: str) -> None:
    """Swap two paths in one step; OSError (ENOSYS, EINVAL) where kernel or file system cannot."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if swap(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), one)


def _keep(source: str, target: str) -> None:
    """The same file under the new folder; copied where links are not possible."""
    if os.path.isdir(source) and not os.path.islink(source):
        shutil.copytree(source, target, symlinks=True)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(source, target, follow_symlinks=False)


def _write(path: str, content: bytes, owner: os.stat_result) -> None:
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        os.fchmod(stream.fileno(), 0o644)
        _own(stream.fileno(), owner)


def _own(target: int | str, owner: os.stat_result) -> None:
    """What root writes belongs to whom the folder belongs to."""
    if os.geteuid() == 0:
        os.chown(target, owner.st_uid, owner.st_gid)


class Switch:
    """``folder`` and the hidden place beside it, ``work``, where its next state is made."""

    def __init__(self, folder: str, work: str) -> None:
        self.folder = folder
        self.new = os.path.join(work, "new")
        self.old = os.path.join(work, "old")

    def repair(self) -> None:
        """Put right what a run that was killed has left."""
        if os.path.isdir(self.old) and not os.path.isdir(self.folder):
            os.rename(self.old, self.folder)
        for path in (self.new, self.old):
            if os.path.isdir(path):
                shutil.rmtree(path)

    def apply(
        self, files: t.Mapping[str, bytes], links: t.Mapping[str, str] | None = None, drop: t.Collection[str] = ()
    ) -> None:
        """Write ``files`` and ``links`` (name to target), leave out ``drop``, keep everything else.

        ClusterError when it does not work out; the old set is then still there.
        """
        self.prepare(files, links, drop)
        self.commit()

    def prepare(
        self, files: t.Mapping[str, bytes], links: t.Mapping[str, str] | None = None, drop: t.Collection[str] = ()
    ) -> None:
        """The first half of :meth:`apply`: everything that needs space, nothing that a reader sees."""
        try:
            self.repair()
            self._build(files, links or {}, drop)
        except OSError as error:
            raise self._failure(error)

    def take(self, names: t.Iterable[str]) -> None:
        """Keep these files of the old set in a new one that somebody else has made; what is in both is the new one."""
        try:
            for name in names:
                if not os.path.lexists(os.path.join(self.new, name)):
                    _keep(os.path.join(self.folder, name), os.path.join(self.new, name))
            for name in os.listdir(self.new):
                sync_file(os.path.join(self.new, name))
            sync_dir(self.new)
        except OSError as error:
            raise self._failure(error)

    def commit(self) -> None:
        """The second half: let what was prepared take the place of the old set."""
        try:
            self._swap()
        except OSError as error:
            raise self._failure(error)

    def _failure(self, error: OSError) -> ClusterError:
        shutil.rmtree(self.new, ignore_errors=True)
        hint = "free space on that file system" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return ClusterError("cannot write %s: %s" % (self.folder, error.strerror), hint)

    def _build(self, files: t.Mapping[str, bytes], links: t.Mapping[str, str], drop: t.Collection[str]) -> None:
        present = os.path.isdir(self.folder)
        owner = os.stat(self.folder if present else os.path.dirname(self.folder))
        os.makedirs(self.new)
        os.chmod(self.new, stat.S_IMODE(owner.st_mode) if present else 0o755)
        _own(self.new, owner)
        for name in os.listdir(self.folder) if present else ():
            if name not in files and name not in links and name not in drop:
                _keep(os.path.join(self.folder, name), os.path.join(self.new, name))
        for name, content in files.items():
            _write(os.path.join(self.new, name), content, owner)
        for name, target in links.items():
            os.symlink(target, os.path.join(self.new, name))
        sync_dir(self.new)

    def _swap(self) -> None:
        if not os.path.isdir(self.folder):
            os.rename(self.new, self.folder)
        else:
            try:
                exchange(self.new, self.folder)
            except OSError as error:
                if error.errno not in _NO_EXCHANGE:
                    raise
                # For a moment there is no folder at all, which is still no mixture.
                os.rename(self.folder, self.old)
                os.rename(self.new, self.folder)
        sync_dir(os.path.dirname(self.folder))
        self.repair()
