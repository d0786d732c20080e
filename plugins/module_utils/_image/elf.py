# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a dynamic ELF program needs: interpreter and libraries. This module util is private to the collection.

Format: ELF-64 little endian, program headers PT_INTERP, PT_DYNAMIC and PT_LOAD (elf(5)). Nothing is executed.
"""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29
MACHINES = {62: "x86_64", 183: "aarch64"}


@dataclass(frozen=True)
class Elf:
    """``interpreter`` is empty for a static program or a library; ``runpath`` holds the folders of DT_RUNPATH."""

    machine: str
    interpreter: str
    needed: tuple[str, ...]
    runpath: tuple[str, ...]

    @property
    def static(self) -> bool:
        return not self.interpreter and not self.needed


def is_elf(data: bytes) -> bool:
    return data[:4] == b"\x7fELF"


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if at < 0 or end < 0:
        raise ClusterError("broken string table in an ELF file")
    return data[at:end].decode("utf-8", "replace")


class _Loads:
    def __init__(self, segments: t.Sequence[tuple[int, int, int, int]]) -> None:
        self._loads = [(vaddr, size, offset) for kind, offset, vaddr, size in segments if kind == _PT_LOAD]

    def offset(self, address: int) -> int:
        for vaddr, size, offset in self._loads:
            if vaddr <= address < vaddr + size:
                return address - vaddr + offset
        raise ClusterError("an ELF address lies outside of every segment")


def _segments(data: bytes) -> list[tuple[int, int, int, int]]:
    start, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    out = []
    for index in range(count):
        kind, _flags, offset, vaddr, _paddr, filesz = struct.unpack_from("<IIQQQQ", data, start + index * size)
        out.append((kind, offset, vaddr, filesz))
    return out


def _dynamic(data: bytes, offset: int, size: int) -> list[tuple[int, int]]:
    entries = []
    for at in range(offset, offset + size, 16):
        tag, value = struct.unpack_from("<QQ", data, at)
        if tag == 0:
            break
        entries.append((tag, value))
    return entries


def parse(data: bytes, name: str = "ELF file") -> Elf:
    """Read one ELF-64 little-endian file; ClusterError for anything else."""
    if not is_elf(data) or data[4:6] != b"\x02\x01":
        raise ClusterError("%s is no 64-bit little-endian ELF file" % name)
    try:
        return _parse(data)
    except (struct.error, IndexError, OverflowError):
        raise ClusterError("%s is a damaged ELF file" % name)


def _parse(data: bytes) -> Elf:
    machine = struct.unpack_from("<H", data, 18)[0]
    segments = _segments(data)
    loads = _Loads(segments)
    interpreter = ""
    entries: list[tuple[int, int]] = []
    for kind, offset, _vaddr, size in segments:
        if kind == _PT_INTERP:
            interpreter = data[offset : offset + size].rstrip(b"\0").decode("utf-8", "replace")
        elif kind == _PT_DYNAMIC:
            entries = _dynamic(data, offset, size)
    tables = [value for tag, value in entries if tag == _DT_STRTAB]
    if not tables:
        return Elf(MACHINES.get(machine, str(machine)), interpreter, (), ())
    strings = loads.offset(tables[0])
    needed = tuple(_text(data, strings + value) for tag, value in entries if tag == _DT_NEEDED)
    paths = [_text(data, strings + value) for tag, value in entries if tag in (_DT_RPATH, _DT_RUNPATH)]
    runpath = tuple(part for path in paths for part in path.split(":") if part)
    return Elf(MACHINES.get(machine, str(machine)), interpreter, needed, runpath)


def library_folders(arch: str) -> tuple[str, ...]:
    """Where a loader looks, for Debian's multiarch and the lib64 families."""
    triplet = "%s-linux-gnu" % arch
    return ("/lib/" + triplet, "/usr/lib/" + triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def closure(programs: t.Iterable[str], read: t.Callable[[str], bytes | None]) -> dict[str, bytes]:
    """Programs and everything they need to start: path to content. ``read`` gives a file of the tree or None.

    ClusterError names the library that is missing and who wants it.
    """
    found: dict[str, bytes] = {}
    todo = [(path, "the image") for path in programs]
    while todo:
        path, wanted_by = todo.pop()
        if path in found:
            continue
        data = read(path)
        if data is None:
            raise ClusterError("%s is missing in the root tree (needed by %s)" % (path, wanted_by))
        found[path] = data
        if is_elf(data):
            todo.extend((need, path) for need in _needs(path, parse(data, path), read))
    return found


def _needs(path: str, elf: Elf, read: t.Callable[[str], bytes | None]) -> list[str]:
    origin = path.rsplit("/", 1)[0]
    folders = [part.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for part in elf.runpath]
    folders.extend(library_folders(elf.machine))
    needs = [elf.interpreter] if elf.interpreter else []
    for name in elf.needed:
        for folder in folders:
            if read("%s/%s" % (folder, name)) is not None:
                needs.append("%s/%s" % (folder, name))
                break
        else:
            raise ClusterError("library %s is missing in the root tree (needed by %s)" % (name, path))
    return needs
