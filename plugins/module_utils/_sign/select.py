# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From paths to packages and who signed them. This module util is private to the collection."""

from __future__ import annotations

import functools
import glob
import os
import stat
import typing as t
from dataclasses import dataclass, field

from .._errors import ClusterError
from .._rpm.header import read_rpm
from .._rpm.signature import Signature, signatures


@dataclass(frozen=True)
class Package:
    """A package file under the name that was asked for, and its signatures."""

    path: str
    size: int
    signatures: tuple[Signature, ...]

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)


@dataclass
class Selection:
    """Packages by path, sorted, and those that are damaged (path to reason)."""

    packages: dict[str, Package] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)

    def folders(self) -> list[str]:
        return sorted({os.path.dirname(path) for path in (*self.packages, *self.bad)})


def _refused(error: OSError, path: str) -> ClusterError:
    return ClusterError("cannot read %s: %s" % (error.filename or path, error.strerror), "check its permissions")


def _in_folder(folder: str, recurse: bool) -> t.Iterator[str]:
    """Packages of a folder; hidden names and folders are none of ours."""
    try:
        with os.scandir(folder) as entries:
            rows = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise _refused(error, folder)
    for entry in rows:
        if entry.is_dir():
            # A link to a folder leads to a tree that nobody named.
            if recurse and not entry.is_symlink():
                yield from _in_folder(entry.path, recurse)
        elif entry.name.endswith(".rpm"):
            yield entry.path


def _expand(path: str, recurse: bool) -> list[str]:
    """The files behind one path, folder or pattern."""
    if os.path.isdir(path):
        return list(_in_folder(path, recurse))
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(path):
        raise ClusterError("%s does not exist" % path, "paths are files, folders and patterns on the host")
    found: list[str] = []
    for match in glob.glob(path, recursive=True):
        if os.path.isdir(match):
            found += _in_folder(match, recurse)
        elif match.endswith(".rpm"):
            found.append(match)
    return found


def select(paths: t.Sequence[str], recurse: bool = False, allow_empty: bool = False) -> list[str]:
    """Every package file once, sorted; ClusterError names a path behind which there is none."""
    found: dict[str, str] = {}
    real = functools.lru_cache(None)(os.path.realpath)
    for path in paths:
        path = os.path.abspath(path)
        files = _expand(path, recurse)
        if not files and not allow_empty:
            raise ClusterError("no packages behind %s" % path, "recurse looks into its folders; allow_empty accepts it")
        for file in files:
            folder, _slash, name = file.rpartition("/")
            found.setdefault("%s/%s" % (real(folder or "/"), name), file)
    # A link to a package that is meant too stays a link.
    return sorted(file for file in found.values() if not (os.path.islink(file) and os.path.realpath(file) in found))


def read_packages(files: t.Iterable[str]) -> Selection:
    """Read the signatures of all files."""
    selection = Selection()
    for path in files:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise ClusterError("%s: no regular file" % path)
            rpm = read_rpm(path)
            selection.packages[path] = Package(path, rpm.size, tuple(signatures(rpm)))
        except ClusterError as error:
            selection.bad[path] = error.message
        except OSError as error:
            selection.bad[path] = "cannot read %s: %s" % (path, error.strerror)
    return selection


def described(signature: Signature) -> str:
    """One signature as a line: what it covers, algorithm, digest, fingerprint."""
    name = (signature.fingerprint or signature.key_id or "unknown key").upper()
    return "%s %s %s %s" % (signature.covers, signature.algorithm, signature.digest, name)
