# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who uses a root tree: mounts and processes, in every namespace of the machine. Private to the collection.

Formats: proc(5), ``/proc/PID/mountinfo`` (fifth column: mount point, octal escapes) and the links ``root`` and ``cwd``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from .._host.errors import ClusterError

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Usage:
    """Mount points in the tree; processes in it as ``(pid, name)``."""

    mounts: tuple[str, ...] = ()
    processes: tuple[tuple[int, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mounts or self.processes)

    def describe(self) -> str:
        parts = ["mounts: %s" % ", ".join(self.mounts)] if self.mounts else []
        told = ", ".join("%d (%s)" % row for row in self.processes[:10])
        more = " and %d more" % (len(self.processes) - 10) if len(self.processes) > 10 else ""
        return "; ".join([*parts, *(["processes: %s%s" % (told, more)] if told else [])])


def parse_mountinfo(text: str) -> list[str]:
    """Mount points in the order of the table."""
    rows = (line.split(" ") for line in text.splitlines())
    return [_OCTAL.sub(lambda found: chr(int(found.group(1), 8)), row[4]) for row in rows if len(row) > 4]


def below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _same(path: str, state: os.stat_result) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (state.st_dev, state.st_ino)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _uses(place: str, root: str, state: os.stat_result) -> bool:
    # Inode numbers find processes in other mount namespaces too, whose paths say nothing here.
    return any(
        _same("%s/%s" % (place, name), state) or below(_link("%s/%s" % (place, name)), root) for name in ("root", "cwd")
    )


def usage(root: str, proc: str = "/proc") -> Usage:
    """What uses the tree ``root``, which need not exist."""
    real = os.path.realpath(root)
    try:
        state = os.stat(real)
    except OSError:
        return Usage()
    mounts: set[str] = set()
    spaces: set[str] = set()
    processes: list[tuple[int, str]] = []
    for name in sorted(filter(str.isdigit, os.listdir(proc)), key=int):
        place = os.path.join(proc, name)
        if _uses(place, real, state):
            processes.append((int(name), _read(place + "/comm").strip() or "?"))
        space = _link(place + "/ns/mnt")
        if space not in spaces:
            spaces.add(space)
            mounts.update(path for path in parse_mountinfo(_read(place + "/mountinfo")) if below(path, real))
    own = {int(os.path.basename(os.path.realpath(proc + "/self")))} if os.path.exists(proc + "/self") else set()
    return Usage(tuple(sorted(mounts)), tuple(row for row in processes if row[0] not in own))


def refuse_used(root: str, what: str) -> None:
    """ClusterError that names every mount and process, so that nothing is removed under somebody's feet."""
    found = usage(root)
    if found:
        raise ClusterError("%s is in use, %s" % (root, found.describe()), "end and unmount these, then %s" % what)


def listener(port: int, proc: str = "/proc") -> tuple[int, str] | None:
    """``(pid, name)`` of the process that listens on a TCP port, pid 0 when it cannot be found; None when none does."""
    inodes = {inode for name in ("tcp", "tcp6") for inode in parse_listeners(_read("%s/net/%s" % (proc, name)), port)}
    if not inodes:
        return None
    wanted = {"socket:[%s]" % inode for inode in inodes}
    for name in filter(str.isdigit, os.listdir(proc)):
        if wanted & _descriptors(os.path.join(proc, name, "fd")):
            return int(name), _read(os.path.join(proc, name, "comm")).strip()
    return 0, "unknown"


def _descriptors(folder: str) -> set[str]:
    try:
        return {_link(os.path.join(folder, name)) for name in os.listdir(folder)}
    except OSError:
        return set()


def parse_listeners(text: str, port: int) -> list[str]:
    """Inodes of sockets in the state LISTEN (0A) on a port, from ``/proc/net/tcp``."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [row[9] for row in rows if len(row) > 9 and row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]


def lives_in(pid: int, root: str, proc: str = "/proc") -> bool:
    """Whether the root of a process is the tree."""
    try:
        return _same("%s/%d/root" % (proc, pid), os.stat(root))
    except OSError:
        return False
