# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a core package may ask of a machine. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import ClusterError

Argv = t.Sequence[str]


@dataclass(frozen=True)
class File:
    """Wanted content of one regular file."""

    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Completed:
    """A finished command. ``stdout`` and ``stderr`` are text."""

    argv: tuple[str, ...]
    rc: int
    stdout: str = ""
    stderr: str = ""


class Host(t.Protocol):
    """What a core package may do to a machine. ``actions`` lists the argv of each changing command."""

    actions: list[list[str]]

    def run(
        self,
        argv: Argv,
        *,
        changes: bool = False,
        check: bool = True,
        stdin: bytes | None = None,
        env: t.Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Completed: ...

    def which(self, program: str) -> str | None: ...

    def read(self, path: str) -> bytes | None: ...

    def read_from(self, path: str, offset: int, limit: int) -> bytes | None: ...

    def listdir(self, path: str, pattern: str = "*") -> list[str]: ...

    def write_files(self, files: t.Mapping[str, File]) -> None: ...

    def remove(self, path: str) -> None: ...

    def readlink(self, path: str) -> str | None: ...

    def symlink(self, target: str, path: str) -> None: ...

    def mode(self, path: str) -> int | None: ...


def failure(done: Completed) -> ClusterError:
    """What the user is told of a command that failed."""
    tail = (done.stderr or done.stdout).strip().splitlines()[-12:]
    return ClusterError("%s failed with exit code %d: %s" % (done.argv[0], done.rc, " | ".join(tail)))
