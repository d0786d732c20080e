# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of a disc's tree, as the plan wants them. This module util is private to the collection.

``media/DEST`` holds exactly the packages of the plan. A package that was signed since it came is still the same one:
its main header tells.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import sync_file
from .lock import Lock, Row
from .sources import identity

TRANSFERS = ("copy", "hardlink")
_FICLONE = 0x40049409
_BESIDE = ".new-"
_SYNC_ALL_FROM = 64
Log = t.Callable[[str], None]


@dataclass
class MediumPlan:
    """One medium: packages to bring (file name to row), files to remove, packages that stay."""

    folder: str
    bring: dict[str, Row] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.bring or self.remove)

    def row(self) -> dict[str, t.Any]:
        return {
            "changed": self.changed,
            "added": sorted(set(self.bring) - set(self.replaced)),
            "updated": sorted(self.replaced),
            "removed": sorted(self.remove),
            "packages": len(self.bring) + len(self.kept),
        }


@dataclass
class TreePlan:
    """``stale`` are folders of media that the plan does not know any more."""

    media: dict[str, MediumPlan]
    stale: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.stale) or any(medium.changed for medium in self.media.values())


def _is_that(path: str, found: os.stat_result, row: Row) -> bool:
    """Whether a file is the package of the plan, signed or not."""
    if found.st_size == row.size and int(found.st_mtime) == row.mtime:
        return True
    try:
        return identity(path)[0] == row.header
    except ClusterError:
        return False


def _is_package(name: str) -> bool:
    return name.endswith(".rpm") and not name.startswith(".")


def _plan_medium(folder: str, rows: t.Iterable[Row]) -> MediumPlan:
    wanted = {row.file: row for row in rows}
    plan = MediumPlan(folder)
    present: dict[str, os.stat_result] = {}
    if os.path.isdir(folder):
        with os.scandir(folder) as entries:
            present = {one.name: one.stat() for one in entries if _is_package(one.name) and one.is_file()}
    for name, row in wanted.items():
        if name in present and _is_that(os.path.join(folder, name), present[name], row):
            plan.kept.append(name)
        else:
            plan.bring[name] = row
            plan.replaced += [name] if name in present else []
    plan.remove = sorted(set(present) - set(wanted))
    return plan


def _media_folders(top: str) -> t.Iterator[str]:
    """Every folder below ``media`` that holds packages or media files, relative to it."""
    for place, folders, names in os.walk(top):
        rel = os.path.relpath(place, top)
        if rel != "." and ("media_info" in folders or any(map(_is_package, names))):
            yield rel
        folders[:] = sorted(one for one in folders if one not in ("media_info", "repodata") and one[0] != ".")


def plan_tree(tree: str, lock: Lock) -> TreePlan:
    """Compare the media of a tree with the plan."""
    top = os.path.join(tree, "media")
    media = {dest: _plan_medium(os.path.join(top, dest), rows) for dest, rows in lock.packages.items()}
    inside = tuple(dest + "/" for dest in media)
    stale = [os.path.join(top, rel) for rel in _media_folders(top) if rel not in media and not rel.startswith(inside)]
    return TreePlan(media, [one for one in stale if not any(one.startswith(other + "/") for other in stale)])


def check_sources(plan: TreePlan) -> int:
    """Bytes to bring; ClusterError when a package is not what it was when the plan was made."""
    total = 0
    for medium in plan.media.values():
        for row in medium.bring.values():
            try:
                found = os.stat(row.path)
            except OSError as error:
                raise ClusterError("cannot read %s: %s" % (row.path, error.strerror), "run package_set again")
            if (found.st_size, int(found.st_mtime)) != (row.size, row.mtime):
                raise ClusterError("%s has changed since the plan was made" % row.path, "run package_set again")
            total += row.size
    return total


def demand_space(folder: str, needed: int, what: str) -> None:
    """ClusterError when the file system has not that many bytes left."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "/"
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    if needed > free:
        raise ClusterError(
            "%s needs %d MB in %s, and %d MB are free" % (what, needed // 10**6 + 1, folder, free // 10**6),
            "free some space, or use another folder",
        )


def _clone(source: str, target: str) -> bool:
    """Share the blocks where the file system can."""
    with open(source, "rb") as read, open(target, "wb") as write:
        try:
            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
            return True
        except OSError:
            return False


def _bring(row: Row, target: str, transfer: str) -> None:
    if transfer == "hardlink":
        try:
            os.link(row.path, target)
            return
        except OSError as error:
            raise ClusterError(
                "cannot link %s into the tree: %s" % (row.path, error.strerror),
                "links work inside of one file system; use transfer: copy",
            )
    if not _clone(row.path, target):
        shutil.copyfile(row.path, target)
    os.chmod(target, 0o644)
    os.utime(target, (row.mtime, row.mtime))


def _clear(folder: str) -> None:
    for name in os.listdir(folder):
        if name.startswith(_BESIDE):
            os.unlink(os.path.join(folder, name))


def apply_tree(plan: TreePlan, transfer: str, log: Log) -> None:
    """Bring all packages beside their places, make them durable, rename; then remove what is too much."""
    total = sum(len(medium.bring) for medium in plan.media.values())
    done: list[tuple[str, str]] = []
    path = ""
    try:
        for medium in plan.media.values():
            path = medium.folder
            os.makedirs(path, exist_ok=True)
            _clear(path)
            for name, row in medium.bring.items():
                path = os.path.join(medium.folder, name)
                _bring(row, os.path.join(medium.folder, _BESIDE + name), transfer)
                done.append((os.path.join(medium.folder, _BESIDE + name), path))
                if len(done) % 50 == 0 or len(done) == total:
                    log("%d of %d packages" % (len(done), total))
        _settle([beside for beside, _path in done])
        for beside, path in done:
            os.replace(beside, path)
        _remove(plan)
    except OSError as error:
        for beside, _path in done:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        raise ClusterError("cannot write %s: %s" % (path, error.strerror), "check its owner and the space that is left")


def _settle(paths: t.Sequence[str]) -> None:
    if len(paths) >= _SYNC_ALL_FROM:
        os.sync()
        return
    for path in paths:
        sync_file(path)


def _remove(plan: TreePlan) -> None:
    for medium in plan.media.values():
        for name in medium.remove:
            os.unlink(os.path.join(medium.folder, name))
    for folder in plan.stale:
        shutil.rmtree(folder)
