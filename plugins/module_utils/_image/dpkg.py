# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package records of a Debian root tree: listing, and removing packages by their file lists. Private module util.

Format: var/lib/dpkg/status, paragraphs of deb-control(5), and var/lib/dpkg/info/NAME[:ARCH].list. Removal is for
declared leaf packages; no maintainer script runs, nothing is executed.
"""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass

from . import edit
from .tree import Tree

_STATUS = "var/lib/dpkg/status"
_INFO = "var/lib/dpkg/info/"
# Without initramfs tools the kernel package would be a broken one for apt on a node; its files stay.
FORGET = ("linux-image-*",)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    arch: str
    text: str


def parse_status(text: str) -> list[Package]:
    """Installed packages, in the order of the file."""
    found = []
    for paragraph in text.split("\n\n"):
        row = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if row.get("Status", "").endswith(" installed") and row.get("Package"):
            found.append(Package(row["Package"], row.get("Version", ""), row.get("Architecture", ""), paragraph))
    return found


def installed(tree: Tree) -> list[Package]:
    return parse_status((tree.read(_STATUS) or b"").decode("utf-8", "replace"))


def versions(packages: t.Iterable[Package]) -> dict[str, str]:
    """Name to version, sorted."""
    return {package.name: package.version for package in sorted(packages, key=lambda package: package.name)}


def _matches(package: Package, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(package.name, pattern) for pattern in patterns)


def _listing(tree: Tree, package: Package) -> list[str]:
    names = ("%s%s:%s.list" % (_INFO, package.name, package.arch), "%s%s.list" % (_INFO, package.name))
    text = next((data for data in map(tree.read, names) if data is not None), b"")
    return [line for line in text.decode("utf-8", "surrogateescape").splitlines() if line not in ("", "/.")]


def _records(tree: Tree, packages: t.Iterable[Package]) -> set[str]:
    """The info files of packages."""
    stems = {stem for package in packages for stem in (package.name, "%s:%s" % (package.name, package.arch))}
    return {name for name in tree.glob(_INFO + "*") if name[len(_INFO) :].rpartition(".")[0] in stems}


def _files(tree: Tree, gone: t.Iterable[Package], kept: t.Iterable[Package]) -> set[str]:
    """What belongs to the packages that go and to no other one."""
    drop = {path for package in gone for path in _listing(tree, package)}
    drop -= {path for package in kept for path in _listing(tree, package)}
    names = {tree.place(path) for path in drop}
    names = {name for name in names if name in tree.entries and not _leads_on(tree, name)}
    parents = {parent for name in tree.entries if name not in names for parent in _parents(name)}
    return names - parents


def _leads_on(tree: Tree, name: str) -> bool:
    """A link to a folder (as /lib is): packages list it, none owns what lies behind it."""
    return tree.entries[name].kind == "link" and bool(tree.listdir(name))


def _parents(name: str) -> t.Iterator[str]:
    parent = name.rpartition("/")[0]
    while parent:
        yield parent
        parent = parent.rpartition("/")[0]


@dataclass(frozen=True)
class Removal:
    """``removed``: packages that go with their files; ``edit``: what that does to the tree."""

    removed: tuple[str, ...]
    edit: edit.Edit


def remove(tree: Tree, patterns: t.Sequence[str]) -> Removal:
    """Plan the removal of the packages that match; names that are not installed are no error."""
    packages = installed(tree)
    gone = [package for package in packages if _matches(package, patterns)]
    if not gone:
        return Removal((), edit.Edit())
    forgotten = [package for package in packages if _matches(package, FORGET) and package not in gone]
    kept = [package for package in packages if package not in gone]
    drop = _files(tree, gone, kept) | _records(tree, [*gone, *forgotten])
    status = "\n\n".join(package.text.strip("\n") for package in kept if package not in forgotten) + "\n"
    put = {_STATUS: edit.Node(status.encode("utf-8"), 0o644)}
    return Removal(tuple(sorted(package.name for package in gone)), edit.Edit(frozenset(drop), put))
