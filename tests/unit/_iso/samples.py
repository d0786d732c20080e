# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of packages, and the modules with their defaults."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.bootjob import run_iso_boot
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.image import run_iso_image
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.lock import Lock, parse_lock
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.packages import run_package_set
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.reportjob import run_iso_report
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.treejob import run_iso_tree
from ansible_collections.xtreemos.cluster.plugins.modules import iso_boot, iso_image, iso_report, iso_tree, package_set
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import write

EPOCH = 1272425006
GREATER_EQUAL, EQUAL = 12, 8


def add(folder: Path, name: str, version: str = "1", mtime: int = EPOCH, **more: t.Any) -> Path:
    """A package of a source. ``needs`` and ``gives`` are names, with ``=VERSION`` behind where it matters."""
    for word, kind in (("needs", "requires"), ("gives", "provides")):
        rows = [one.partition("=") for one in more.pop(word, ())]
        more.setdefault(kind, [(n.encode(), EQUAL if eq else 0, v.encode()) for n, eq, v in rows])
    path = write(folder, name, version, **more)
    os.utime(path, (mtime, mtime))
    return path


def plan(folder: Path, check: bool = False, **given: t.Any) -> dict[str, t.Any]:
    """One run of package_set; by default of one source, ``main``, in that folder."""
    given = {"lock": str(folder / "plan.lock.json"), **given}
    given.setdefault("sources", [{"name": "main", "path": str(folder / "main")}])
    return run_package_set(defaults(package_set.ARGUMENTS, given), check, LocalHost())


def lock_of(folder: Path) -> Lock:
    return parse_lock((folder / "plan.lock.json").read_bytes())


def names(result: t.Mapping[str, t.Any], dest: str = "main") -> list[str]:
    return [nvra.rsplit("-", 2)[0] for nvra in result["packages"].get(dest, [])]


def tree(folder: Path, check: bool = False, **given: t.Any) -> dict[str, t.Any]:
    """One run of iso_tree with the plan of that folder, into ``build`` below it."""
    given = {"path": str(folder / "build"), "lock": str(folder / "plan.lock.json"), **given}
    return run_iso_tree(defaults(iso_tree.ARGUMENTS, given), check, LocalHost(), lambda line: None)


def boot(folder: Path, check: bool = False, **given: t.Any) -> dict[str, t.Any]:
    """One run of iso_boot in that tree, by default with one entry whose files need not be there."""
    entry = {"name": "linux", "kernel": "/isolinux/vmlinuz", "initrd": "/isolinux/initrd.gz"}
    given = {"tree": str(folder), "entries": [entry], "check_files": False, **given}
    return run_iso_boot(defaults(iso_boot.ARGUMENTS, given), check, LocalHost())


def image(folder: Path, check: bool = False, **given: t.Any) -> dict[str, t.Any]:
    """One run of iso_image: the tree ``build`` of that folder to ``iso/X.iso``, by default without boot records."""
    given = {"tree": str(folder / "build"), "dest": str(folder / "iso/X.iso"), "label": "X-1", "boot": [], **given}
    return run_iso_image(defaults(iso_image.ARGUMENTS, {"epoch": EPOCH, **given}), check, LocalHost())


def failing(error: Exception) -> t.Callable[..., t.Any]:
    """Stands in for a function that fails."""

    def fail(*_words: t.Any, **_more: t.Any) -> t.NoReturn:
        raise error

    return fail


def snapshot(folder: Path) -> dict[str, bytes]:
    """Everything below a folder by path."""
    found = ((path, path.relative_to(folder)) for path in sorted(folder.rglob("*")))
    return {
        str(rel): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path, rel in found
        if path.is_symlink() or path.is_file()
    }


def report(folder: Path, check: bool = False, **given: t.Any) -> dict[str, t.Any]:
    """One run of iso_report about the plan of that folder."""
    given = {"dest": str(folder / "out/report.html"), "lock": str(folder / "plan.lock.json"), **given}
    return run_iso_report(defaults(iso_report.ARGUMENTS, given), check, LocalHost())
