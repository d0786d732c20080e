# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of a folder, and what was known of them at the last run. Private to the collection."""

from __future__ import annotations

import json
import os
import stat
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError

FORMAT = 1


class Entry(t.NamedTuple):
    """A package file and the marks that change with its content."""

    file: str
    size: int
    mtime: int
    ctime: int
    inode: int

    @property
    def stem(self) -> str:
        return self.file[: -len(".rpm")]


class Overlay(t.NamedTuple):
    """A folder as it is going to be: packages that come in (name to where they are now), names that go."""

    adds: t.Mapping[str, str] = {}
    drops: t.Collection[str] = ()


NOTHING = Overlay()


def _entry(name: str, found: os.stat_result, path: str) -> Entry:
    if not stat.S_ISREG(found.st_mode):
        raise ClusterError("%s/%s is no regular file" % (path, name), "remove it, or give it another name")
    return Entry(name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def scan(path: str, overlay: Overlay = NOTHING) -> list[Entry]:
    """The ``*.rpm`` files of a folder in the order of the media files; links count as what they point to."""
    found = []
    gone = {*overlay.adds, *overlay.drops}
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.endswith(".rpm") and not entry.name.startswith(".") and entry.name not in gone:
                    found.append(_entry(entry.name, entry.stat(), path))
        found += [_entry(name, os.stat(place), path) for name, place in overlay.adds.items()]
    except OSError as error:
        name = error.filename or path
        raise ClusterError("cannot read %s: %s" % (name, error.strerror), "check the path and its permissions")
    return sorted(found, key=lambda entry: os.fsencode(entry.stem))


class Known(t.NamedTuple):
    """What a run found out about a package: NVRA, digest and size of its header in hdlist.cz."""

    nvra: bytes
    digest: str
    size: int


@dataclass(frozen=True)
class State:
    """The last run: ``options`` as one text, MD5 of each file written, the packages, the paths that some require.

    ``told`` are the complaints about a package by its NVRA, ``repodata`` tells for which packages it was made.
    """

    options: str = ""
    outputs: t.Mapping[str, str] = field(default_factory=dict)
    packages: t.Mapping[Entry, Known] = field(default_factory=dict)
    bad: t.Mapping[Entry, str] = field(default_factory=dict)
    required: frozenset[bytes] = frozenset()
    told: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    repodata: str = ""


def render_state(state: State) -> bytes:
    rows = [[*entry, _text(known.nvra), known.digest, known.size] for entry, known in state.packages.items()]
    data = {
        "format": FORMAT,
        "options": state.options,
        "outputs": state.outputs,
        "packages": rows,
        "bad": [[*entry, reason] for entry, reason in state.bad.items()],
        "required": [_text(path) for path in sorted(state.required)],
        "told": state.told,
        "repodata": state.repodata,
    }
    return json.dumps(data, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def parse_state(data: bytes | None) -> State:
    """The state of the last run; an empty one when there is none that can be used."""
    try:
        found = json.loads(data or b"{}")
        if found.get("format") != FORMAT:
            return State()
        return State(
            options=found["options"],
            outputs=found["outputs"],
            packages={Entry(*row[:5]): Known(_bytes(row[5]), row[6], row[7]) for row in found["packages"]},
            bad={Entry(*row[:5]): row[5] for row in found["bad"]},
            required=frozenset(map(_bytes, found["required"])),
            told=found["told"],
            repodata=found["repodata"],
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return State()
