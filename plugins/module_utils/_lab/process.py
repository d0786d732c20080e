# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Background processes known by their pid file. This module util is private to the collection.

A pid alone is never trusted: the process must carry our pid file's path in its command line, and on kernels that
have it the signal goes through a pidfd, so that a reused pid is never hit.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import typing as t

from .._host.errors import ClusterError


def _command_line(pid: int) -> list[str]:
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            return [os.fsdecode(word) for word in stream.read().split(b"\0")]
    except OSError:
        return []


def read_pid(pidfile: str) -> int | None:
    """The number in a pid file; None when there is no file or no number."""
    try:
        with open(pidfile, encoding="ascii") as stream:
            return int(stream.read().strip() or "0") or None
    except (OSError, ValueError):
        return None


def running_pid(pidfile: str) -> int | None:
    """The pid of the process that was started with ``-pidfile PIDFILE`` and still lives; None otherwise."""
    pid = read_pid(pidfile)
    return pid if pid and pidfile in _command_line(pid) else None


def started_at(pidfile: str) -> float | None:
    """When the pid file was written, in seconds since the epoch."""
    try:
        return round(os.stat(pidfile).st_mtime, 3)
    except OSError:
        return None


def _open_pidfd(pid: int) -> int | None:
    opener: t.Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    with contextlib.suppress(OSError):
        return opener(pid)
    return None


def _send(pid: int, pidfd: int | None, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if pidfd is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(pidfd, number)  # type: ignore[attr-defined,unused-ignore]


def _gone(pidfile: str, pidfd: int | None, seconds: float) -> bool:
    if pidfd is not None:
        return bool(select.select([pidfd], [], [], seconds)[0])
    end = time.monotonic() + seconds
    while time.monotonic() < end and running_pid(pidfile):
        time.sleep(0.05)
    return running_pid(pidfile) is None


def stop(pidfile: str, grace: float = 5.0) -> bool:
    """End the process of a pid file: first politely, after ``grace`` seconds by force. True when there was one."""
    pid = running_pid(pidfile)
    if pid is None:
        _forget(pidfile)
        return False
    pidfd = _open_pidfd(pid)
    try:
        if running_pid(pidfile) == pid:
            _end(pid, pidfile, pidfd, grace)
    finally:
        if pidfd is not None:
            os.close(pidfd)
    _forget(pidfile)
    return True


def _end(pid: int, pidfile: str, pidfd: int | None, grace: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        _send(pid, pidfd, number)
        if _gone(pidfile, pidfd, grace):
            return
    raise ClusterError("process %d of %s does not end" % (pid, pidfile), "look at it with ps, end it, run again")


def _forget(pidfile: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(pidfile)
