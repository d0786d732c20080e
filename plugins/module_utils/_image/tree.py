# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root tree as an indexed tar file: names, links and content. This module util is private to the collection.

A tar keeps owners, device nodes and capabilities without root, so every source of an image is brought into this form.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import tarfile
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "hard",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}
_MAX_LINKS = 40


@dataclass(frozen=True)
class Entry:
    """One name of the tree. ``start``..``end`` are the bytes of its tar record, headers included."""

    path: str
    kind: str
    mode: int
    size: int
    target: str
    start: int
    data: int
    end: int


def normal(path: str) -> str:
    """A path as the tree writes it: no leading slash or dot, no double slashes."""
    clean = posixpath.normpath("/" + path)
    return clean.lstrip("/")


class Tree:
    """An uncompressed tar file, indexed. Use as a context manager or call :meth:`close`."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = open(path, "rb")  # noqa: SIM115
            self.entries = dict(self._index())
            self._implied = self._folders()
        except (OSError, tarfile.TarError) as error:
            raise ClusterError("cannot read the root tree %s: %s" % (path, error))

    def _index(self) -> t.Iterator[tuple[str, Entry]]:
        with tarfile.open(fileobj=self._file, mode="r:") as archive:
            members = archive.getmembers()
            ends = [member.offset for member in members[1:]] + [archive.offset]
        for member, end in zip(members, ends):
            path = normal(member.name)
            kind = _KINDS.get(member.type)
            if kind is None:
                raise ClusterError("%s: %s has an unknown tar type" % (self.path, member.name))
            target = normal(member.linkname) if kind == "hard" else member.linkname
            yield path, Entry(path, kind, member.mode, member.size, target, member.offset, member.offset_data, end)

    def _folders(self) -> set[str]:
        """Folders that only show in longer names: not every tar has records of them."""
        folders: set[str] = set()
        for name in self.entries:
            parent = name.rpartition("/")[0]
            while parent and parent not in folders:
                folders.add(parent)
                parent = parent.rpartition("/")[0]
        return folders - set(self.entries)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def follow(self, path: str) -> str | None:
        """The real name behind ``path`` with every link followed, None when there is nothing."""
        todo = normal(path).split("/")
        real: list[str] = []
        for _step in range(_MAX_LINKS * 8):
            if not todo:
                return "/".join(real)
            part = todo.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                real = real[:-1]
                continue
            name = "/".join([*real, part])
            entry = self.entries.get(name)
            if entry is None and name not in self._implied:
                return None
            if entry is not None and entry.kind == "link":
                real = [] if entry.target.startswith("/") else real
                todo = entry.target.split("/") + todo
            else:
                real.append(part)
        raise ClusterError("%s: too many links at /%s" % (self.path, path))

    def place(self, path: str) -> str:
        """Where a new file ``path`` would land: links in its folder part are followed, the rest stays as written."""
        folder, name = posixpath.split(normal(path))
        missing: list[str] = [name]
        while folder:
            real = self.follow(folder)
            if real is not None:
                return "/".join([part for part in (real, *reversed(missing)) if part])
            folder, name = posixpath.split(folder)
            missing.append(name)
        return "/".join(reversed(missing))

    def file(self, path: str) -> Entry | None:
        """The regular file behind ``path`` (links and hard links followed)."""
        real = self.follow(path)
        entry = self.entries.get(real) if real else None
        if entry is not None and entry.kind == "hard":
            entry = self.entries.get(entry.target)
        return entry if entry is not None and entry.kind == "file" else None

    def read(self, path: str) -> bytes | None:
        """Content of the regular file behind ``path``, None when there is none."""
        entry = self.file(path)
        return None if entry is None else os.pread(self._file.fileno(), entry.size, entry.data)

    def glob(self, pattern: str) -> list[str]:
        """Names that match a shell pattern; links in its literal first folders are followed. ``*`` crosses folders."""
        parts = normal(pattern).split("/")
        literal = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
        literal = min(literal, len(parts) - 1)
        folder = self.follow("/".join(parts[:literal])) if literal else ""
        if folder is None:
            return []
        wanted = "/".join([part for part in (folder, *parts[literal:]) if part])
        return [name for name in (*self.entries, *self._implied) if fnmatch.fnmatchcase(name, wanted)]

    def below(self, path: str) -> list[str]:
        """``path`` itself and everything under it."""
        prefix = path + "/"
        return [name for name in self.entries if name == path or name.startswith(prefix)]

    def listdir(self, path: str) -> list[str]:
        """Sorted names directly in a folder."""
        real = self.follow(path)
        if real is None:
            return []
        prefix = real + "/" if real else ""
        return sorted({name[len(prefix) :].split("/")[0] for name in self.entries if name.startswith(prefix) and name})
