# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages are changed as copies that take their place when they are right. This module util is private.

Copies are named ``.rpm.sign.<process>.<number>`` and stand in the folder of their package, so that taking its place is
one rename. Other names of the same file (hard links), and the file that a link points to, keep their bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
import typing as t

from .._errors import ClusterError
from .._host.files import locked, sync_dir, sync_file
from .._rpm.header import LEAD_SIZE, Rpm, read_rpm
from .._rpm.signature import signature_area

PREFIX = ".rpm.sign."
_FICLONE = 0x40049409
_BLOCK = 1 << 20
_NO_COPY_RANGE = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.EIO)


class Copy(t.NamedTuple):
    """A package, its copy, and what the package was like when it was copied."""

    source: str
    path: str
    before: os.stat_result
    rpm: Rpm


def leftovers(folder: str) -> list[str]:
    """What a run that was killed has left in a folder."""
    try:
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(PREFIX))
    except OSError:
        return []


def clean(folder: str) -> None:
    for path in leftovers(folder):
        with contextlib.suppress(OSError):
            os.unlink(path)


@contextlib.contextmanager
def folder_lock(folder: str, timeout: float) -> t.Iterator[None]:
    """Hold a folder against other runs; the folder itself is the lock, so that nothing is left behind."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (folder, error.strerror), "check its permissions")
    try:
        if not _flock(handle, folder, timeout):
            # NFS locks only files that are open for writing.
            with locked(os.path.join(folder, ".rpm_sign.lock"), timeout):
                yield
        else:
            yield
    finally:
        os.close(handle)


def _flock(handle: int, folder: str, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                raise ClusterError("%s is locked by another run" % folder, "wait for it to end, then run again")
            time.sleep(0.05)
        except OSError:
            return False


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _clone(source: int, target: int) -> bool:
    """Share the blocks where the file system can."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
        return True
    except OSError:
        return False


def _copy_rest(source: int, target: int, size: int) -> None:
    """From the place of ``source`` to its end, in the kernel where that works."""
    done = 0
    ranged = hasattr(os, "copy_file_range")
    while done < size:
        try:
            step = os.copy_file_range(source, target, min(size - done, 1 << 30)) if ranged else 0
        except OSError as error:
            if error.errno not in _NO_COPY_RANGE:
                raise
            step = 0
        if step == 0:
            ranged = False
            block = os.read(source, _BLOCK)
            _write(target, block)
            step = len(block)
        if step == 0:
            raise OSError(errno.EIO, "it became shorter while it was copied")
        done += step


def write_copy(rpm: Rpm, packets: t.Mapping[int, bytes], path: str) -> None:
    """The package with ``packets`` as its only signatures, as a new file; OSError when that does not work out."""
    area = signature_area(rpm, packets)
    source = os.open(rpm.path, os.O_RDONLY | os.O_CLOEXEC)
    target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if LEAD_SIZE + len(area) == rpm.header_start and _clone(source, target):
            os.pwrite(target, area, LEAD_SIZE)
            return
        _write(target, os.pread(source, LEAD_SIZE, 0) + area)
        os.lseek(source, rpm.header_start, os.SEEK_SET)
        _copy_rest(source, target, rpm.size - rpm.header_start)
    finally:
        os.close(source)
        os.close(target)


def copy_package(source: str, number: int, packets: t.Callable[[Rpm], t.Mapping[int, bytes]]) -> Copy:
    """A copy beside the package with the signatures that ``packets`` makes for it."""
    path = os.path.join(os.path.dirname(source), "%s%d.%d" % (PREFIX, os.getpid(), number))
    before = os.stat(source)
    rpm = read_rpm(source)
    try:
        write_copy(rpm, packets(rpm), path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return Copy(source, path, before, rpm)


def _same(before: os.stat_result, now: os.stat_result) -> bool:
    marks = [(one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, now)]
    return marks[0] == marks[1]


def changed_meanwhile(copy: Copy) -> bool:
    """Whether somebody wrote to the package since it was copied."""
    try:
        return not _same(copy.before, os.stat(copy.source))
    except OSError:
        return True


def _attributes(copy: Copy) -> None:
    """Owner, mode and extended attributes of the package; its time is now, by which rsync sees the change."""
    with contextlib.suppress(PermissionError):
        os.chown(copy.path, copy.before.st_uid, copy.before.st_gid)
    os.chmod(copy.path, stat.S_IMODE(copy.before.st_mode))
    with contextlib.suppress(OSError):
        for name in os.listxattr(copy.source):
            with contextlib.suppress(OSError):
                os.setxattr(copy.path, name, os.getxattr(copy.source, name))


def settle(copy: Copy) -> None:
    """To disk, with everything that belongs to it; still beside the package."""
    _attributes(copy)
    sync_file(copy.path)


def switch(copies: t.Iterable[Copy]) -> None:
    """The copies take the place of their packages."""
    folders = set()
    for copy in copies:
        os.replace(copy.path, copy.source)
        folders.add(os.path.dirname(copy.source))
    for folder in folders:
        sync_dir(folder)


def drop(copies: t.Iterable[Copy]) -> None:
    for copy in copies:
        with contextlib.suppress(OSError):
            os.unlink(copy.path)
