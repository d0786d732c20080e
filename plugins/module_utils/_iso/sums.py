# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checksums of images and packages: each file is read once, however many are asked for. Private to the collection."""

from __future__ import annotations

import hashlib
import os
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._host.errors import ClusterError

KINDS = ("md5", "sha1", "sha256", "sha512")
_BLOCK = 4 << 20


def _blocks(path: str) -> t.Iterator[bytes]:
    with open(path, "rb", buffering=0) as stream:
        while True:
            block = stream.read(_BLOCK)
            if not block:
                return
            yield block


def file_sums(path: str, kinds: t.Sequence[str]) -> dict[str, str]:
    """Hex digests by kind. Two digests are computed at a time, as hashlib lets go of the interpreter."""
    states = {kind: hashlib.new(kind) for kind in kinds}
    try:
        with ThreadPoolExecutor(min(len(states) or 1, os.cpu_count() or 1)) as pool:
            for block in _blocks(path):
                list(pool.map(lambda state, data=block: state.update(data), states.values()))
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (path, error.strerror), "check the file")
    return {kind: state.hexdigest() for kind, state in states.items()}


def many_sums(paths: t.Sequence[str], kind: str = "sha256") -> dict[str, str]:
    """One digest of many files, two files at a time."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return dict(zip(paths, (row[kind] for row in pool.map(lambda path: _one(path, kind), paths))))


def _one(path: str, kind: str) -> dict[str, str]:
    state = hashlib.new(kind)
    try:
        for block in _blocks(path):
            state.update(block)
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (path, error.strerror), "check the file")
    return {kind: state.hexdigest()}


def render_sums(rows: t.Mapping[str, str]) -> bytes:
    """As md5sum and its like write and check them: digest, two blanks, name."""
    return "".join("%s  %s\n" % (digest, name) for name, digest in sorted(rows.items())).encode()
