# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From package files to the parts of the media files. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import os
import re
import typing as t
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

from .._host.errors import ClusterError
from .._rpm import package as rpm
from .._rpm.header import bad, read_rpm
from .._rpm.merged import merged_header
from .packdrake import Packed, Packer
from .previous import Previous
from .scan import Entry, Known
from .synthesis import Record, add_file_provides, record_of, render_record, required_paths
from .xmlinfo import ELEMENTS


@dataclass
class Part:
    """One package: what is rendered already (``text``) or the record that still lacks its file provides."""

    entry: Entry
    known: Known
    elements: dict[str, bytes]
    text: bytes = b""
    record: Record | None = None
    paths: tuple[bytes, ...] = ()
    told: t.Sequence[str] = ()


@dataclass
class Medium:
    """The parts of all packages in order, and the finished hdlist (None when none was asked for)."""

    parts: list[Part] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    required: frozenset[bytes] = frozenset()
    hdlist: bytes | None = None


@dataclass(frozen=True)
class How:
    """Which parts are made, and how."""

    folder: str
    kinds: tuple[str, ...] = ()
    hdlist: bool = True
    file_deps: frozenset[bytes] = frozenset()
    line_limit: int = 65535
    weak_tag: bytes = b"suggests"
    elsewhere: t.Mapping[str, str] = field(default_factory=dict)

    def path(self, file: str) -> str:
        return self.elsewhere.get(file) or os.path.join(self.folder, file)


_REQUIRES = re.compile(rb"^@requires@(.*)$", re.M)
# Anything else would break one of the files, or the path of the package on a mirror.
_NVRA = re.compile(rb"[!-?A-~]+-[!-?A-~]+-[!-?A-~]+\.[!-?A-~]+")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _read(how: How, entry: Entry) -> tuple[Part, bytes]:
    """A package from its file: its part and its header for hdlist.cz."""
    package = read_rpm(how.path(entry.file))
    header = package.header
    merged = merged_header(package)
    nvra = rpm.nvra(header)
    if not _NVRA.fullmatch(nvra) or b"/" in nvra:
        raise bad(package.path, "absurd name %r" % nvra.decode("utf-8", "replace"))
    record = record_of(header, package.size, how.weak_tag)
    elements = {kind: ELEMENTS[kind](header, record.nvra) for kind in how.kinds}
    known = Known(record.nvra, _digest(merged), len(merged))
    return Part(entry, known, elements, record=record, paths=tuple(rpm.file_paths(header))), merged


def _kept(entry: Entry, known: Known, previous: Previous, told: t.Mapping[str, t.Sequence[str]]) -> Part:
    elements = {kind: found.get(known.nvra, b"") for kind, found in previous.elements.items()}
    told_before = told.get(known.nvra.decode("utf-8", "replace"), ())
    return Part(entry, known, elements, text=previous.texts[known.nvra], told=told_before)


def _requires(part: Part) -> set[bytes]:
    if part.record is not None:
        return required_paths(part.record)
    found = _REQUIRES.search(part.text)
    items = found.group(1).split(b"@") if found else ()
    return {item.partition(b"[")[0] for item in items if item.startswith(b"/")}


def _finish(part: Part, how: How, required: frozenset[bytes]) -> None:
    """Render the record of a package that was read now."""
    if part.record is None:
        return
    told: list[str] = []
    add_file_provides(part.record, required.intersection(part.paths))
    part.text = render_record(part.record, how.line_limit, told)
    part.told, part.record, part.paths = told, None, ()


def _pass(
    how: How,
    entries: t.Sequence[Entry],
    pool: Executor,
    keep: t.Mapping[Entry, Known],
    previous: Previous | None,
    told: t.Mapping[str, t.Sequence[str]],
    packed: Packed,
) -> Medium:
    medium = Medium()
    packer = Packer(pool, packed)
    for entry in entries:
        known = keep.get(entry)
        try:
            if known is not None and previous is not None:
                part = _kept(entry, known, previous, told)
                data: t.Callable[[], bytes] = partial(previous.header, known.nvra)
            else:
                part, merged = _read(how, entry)
                data = partial(bytes, merged)
        except ClusterError as error:
            medium.bad[entry.file] = error.message
            continue
        medium.parts.append(part)
        if how.hdlist:
            packer.add(part.known.nvra, part.known.digest, part.known.size, data)
    medium.required = how.file_deps.union(*map(_requires, medium.parts))
    medium.hdlist = packer.finish() if how.hdlist else None
    return medium


def gather(
    how: How,
    entries: t.Sequence[Entry],
    pool: Executor,
    keep: t.Mapping[Entry, Known] | None = None,
    previous: Previous | None = None,
    required: frozenset[bytes] = frozenset(),
    told: t.Mapping[str, t.Sequence[str]] | None = None,
) -> Medium:
    """Read the packages that are not in ``keep``; ``required`` are the paths that were required at the last run.

    Packages that cannot be used are in ``bad`` (file to reason).
    """
    packed = previous.packed() if previous else {}
    medium = _pass(how, entries, pool, keep or {}, previous, told or {}, packed)
    if previous is not None and medium.required != required:
        # Other files are asked for than before: any package may provide one of them.
        medium = _pass(how, entries, pool, {}, None, {}, packed)
    for part in medium.parts:
        _finish(part, how, medium.required)
    return medium
