# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durable file primitives. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import time
import typing as t

from .errors import ClusterError

# One sync of the whole machine is cheaper than this many single ones.
_SYNC_ALL_FROM = 64
_HALF = re.compile(r"(.+)\.new\.\d+")


def _write_beside(path: str, content: bytes, mode: int, sync: bool) -> str:
    beside = "%s.new.%d" % (path, os.getpid())
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(handle, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)
    return beside


def sync_file(path: str, flags: int = 0) -> None:
    """Make a file durable that somebody else has written."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_dir(path: str) -> None:
    """Make the names in a folder durable."""
    sync_file(path, os.O_DIRECTORY)


def disk_error(path: str, error: OSError) -> ClusterError:
    """What the user is told when a file cannot be written."""
    hint = "free space on that file system" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return ClusterError("cannot write %s: %s" % (path, error.strerror), hint)


def write_batch(items: t.Iterable[tuple[str, bytes, int]]) -> None:
    """Write (path, content, mode) triples: all beside their targets, synced, then all renamed.

    Missing folders are made. A failure before the first rename leaves every target as it was.
    """
    todo = list(items)
    sync_each = len(todo) < _SYNC_ALL_FROM
    folders = {os.path.dirname(path) or "." for path, _content, _mode in todo}
    done: list[tuple[str, str]] = []
    path = ""
    try:
        for path in folders:
            os.makedirs(path, exist_ok=True)
        for path, content, mode in todo:
            done.append((_write_beside(path, content, mode, sync_each), path))
        if not sync_each:
            os.sync()
        for beside, path in done:
            os.replace(beside, path)
        for folder in folders:
            sync_dir(folder)
    except OSError as error:
        for beside, _target in done:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        with contextlib.suppress(OSError):
            os.unlink("%s.new.%d" % (path, os.getpid()))
        raise disk_error(path, error)


def sweep(folder: str, names: t.Container[str] | None = None) -> None:
    """Remove what killed writers left of files in a folder: of all, or of ``names``.

    The caller holds whatever keeps other writers away.
    """
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        found = _HALF.fullmatch(name)
        if found and (names is None or found.group(1) in names):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


def sha256_file(path: str) -> str:
    """Hex SHA-256 of a file, read in 1 MiB blocks."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(path: str, timeout: float = 60.0) -> t.Iterator[None]:
    """Hold an exclusive flock on ``path``; ClusterError when another holder keeps it past ``timeout`` seconds."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    end = time.monotonic() + timeout
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise ClusterError("%s is locked by another run" % path, "wait for it to end, then run again")
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
