# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that is killed at a chosen change of the disk, for tests of what the next run makes of it."""

from __future__ import annotations

import os
import signal
import typing as t

# Every call by which our code changes the disk.
CALLS = (
    "link",
    "symlink",
    "rename",
    "replace",
    "mkdir",
    "rmdir",
    "unlink",
    "fsync",
    "chmod",
    "fchmod",
    "chown",
    "utime",
    "open",
    "write",
    "pwrite",
)


def die_at(
    step: int,
    work: t.Callable[[], t.Any],
    calls: t.Sequence[str] = CALLS,
    also: t.Mapping[str, t.Any] | None = None,
    counts: t.Callable[..., bool] = lambda *_args: True,
) -> bool:
    """Run ``work`` in a child that is killed before its ``step``-th change of the disk (from 1); whether it was.

    ``also`` are more functions that count, by name and the module that calls them under it; a call counts when
    ``counts`` says so of its arguments.
    """
    child = os.fork()
    if child == 0:
        left = [step]

        def deadly(call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            def wrapped(*args: t.Any, **more: t.Any) -> t.Any:
                left[0] -= counts(*args)
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **more)

            return wrapped

        places = [(os, name) for name in calls] + [(place, name) for name, place in (also or {}).items()]
        for place, name in places:
            setattr(place, name, deadly(getattr(place, name)))
        try:
            work()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
