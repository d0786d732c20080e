# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages for tests: recorded ones, and a writer of small ones with any tags."""

from __future__ import annotations

import contextlib
import struct
import sys
import typing as t
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "urpmi"
SIMPLE = GOLDEN / "rpms" / "a-simple-1.0-1mdv2009.0.noarch.rpm"
MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
LEAD = b"\xed\xab\xee\xdb\x03\0" + b"\0" * 90
_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q"}

# Type and value: numbers for 1 to 5, bytes for 6 and 7, lists of bytes for 8 and 9.
Tags = t.Mapping[int, t.Tuple[int, t.Any]]
STRING, BINARY, STRINGS, I18N, INT16, INT32, INT64 = 6, 7, 8, 9, 3, 4, 5


def body(tags: Tags) -> bytes:
    """Counts, index and store of a header."""
    index, store = [], bytearray()
    for tag, (kind, value) in sorted(tags.items()):
        if kind in _FORMATS:
            store += b"\0" * (-len(store) % struct.calcsize(_FORMATS[kind]))
            count, data = len(value), struct.pack(">%d%s" % (len(value), _FORMATS[kind]), *value)
        elif kind == BINARY:
            count, data = len(value), value
        else:
            values = [value] if kind == STRING else value
            count, data = len(values), b"".join(one + b"\0" for one in values)
        index.append(struct.pack(">4I", tag, kind, len(store), count))
        store += data
    return struct.pack(">II", len(index), len(store)) + b"".join(index) + bytes(store)


def rpm_bytes(tags: Tags, payload: bytes = b"payload", signature: Tags | None = None) -> bytes:
    """A whole package file."""
    header = MAGIC + body(tags)
    sizes = {1000: (INT32, [len(header) + len(payload)]), **(signature or {})}
    front = MAGIC + body(sizes)
    return LEAD + front + b"\0" * (-len(front) % 8) + header + payload


def tags(
    name: str = "a", version: str = "1", release: str = "1", arch: str = "noarch", **more: t.Any
) -> dict[int, t.Any]:
    """Tags of a small binary package; ``provides`` and ``requires`` are (name, flags, version), ``files`` paths."""
    found: dict[int, t.Any] = {
        1000: (STRING, name.encode()),
        1001: (STRING, version.encode()),
        1002: (STRING, release.encode()),
        1004: (I18N, [more.get("summary", b"A package")]),
        1005: (I18N, [more.get("description", b"It does nothing.")]),
        1009: (INT32, [10]),
        1014: (STRING, b"GPL"),
        1016: (I18N, [b"System/Base"]),
        1022: (STRING, arch.encode()),
        1044: (STRING, ("%s-%s-%s.src.rpm" % (name, version, release)).encode()),
    }
    own = (name.encode(), 8, ("%s-%s" % (version, release)).encode())
    for three, items in (
        ((1047, 1112, 1113), [own, *more.get("provides", ())]),
        ((1049, 1048, 1050), more.get("requires", ())),
        ((1054, 1053, 1055), more.get("conflicts", ())),
        ((1090, 1114, 1115), more.get("obsoletes", ())),
        ((5046, 5048, 5047), more.get("recommends", ())),
    ):
        if items:
            found[three[0]] = (STRINGS, [one[0] for one in items])
            found[three[1]] = (INT32, [one[1] for one in items])
            found[three[2]] = (STRINGS, [one[2] for one in items])
    paths = [path.rpartition(b"/") for path in more.get("files", ())]
    if paths:
        folders = sorted({folder + b"/" for folder, _slash, _name in paths})
        found[1116] = (INT32, [folders.index(folder + b"/") for folder, _slash, _name in paths])
        found[1117] = (STRINGS, [name for _folder, _slash, name in paths])
        found[1118] = (STRINGS, folders)
    return found


def write(folder: Path, name: str = "a", version: str = "1", release: str = "1", **more: t.Any) -> Path:
    """A small package in ``folder``, under its right name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("%s-%s-%s.%s.rpm" % (name, version, release, more.get("arch", "noarch")))
    path.write_bytes(rpm_bytes(tags(name, version, release, **more)))
    return path


@contextlib.contextmanager
def system_module(name: str) -> t.Iterator[t.Any]:
    """A Python module of the system's packages (rpm, solv); the test is skipped only where it is missing."""
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        yield pytest.importorskip(name)
    finally:
        sys.path.remove("/usr/lib/python3/dist-packages")
