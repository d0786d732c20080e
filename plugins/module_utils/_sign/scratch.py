# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Temporary folders that a later run removes when this one is killed. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import typing as t

# Between making a folder and locking it is less time than this.
_YOUNG = 600.0


def _stale(path: str) -> bool:
    """Whether the folder is ours, no link, not new, and nobody holds it."""
    try:
        found = os.lstat(path)
        if found.st_uid != os.geteuid() or found.st_mtime > time.time() - _YOUNG:
            return False
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def sweep(prefix: str, place: str) -> None:
    """Remove what killed runs have left."""
    for name in os.listdir(place):
        if name.startswith(prefix) and _stale(os.path.join(place, name)):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)


@contextlib.contextmanager
def scratch(prefix: str, place: str | None = None) -> t.Iterator[str]:
    """A folder with mode 0700 that is gone afterwards."""
    place = place or tempfile.gettempdir()
    sweep(prefix, place)
    folder = tempfile.mkdtemp(prefix=prefix, dir=place)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)
