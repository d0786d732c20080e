# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a mirror host as one runnable zip file. This module util is private to the collection.

The same sources give the same bytes: fixed order, fixed times, no compression.
"""

from __future__ import annotations

import io
import pkgutil
import typing as t
import zipfile

from .._host import errors, files, fileset, host
from .._media import switch
from . import listing, model, probe, rsync, stage, sums, sync, tool

TOP = "xtreemos_mirror"
# Importing them makes Ansible carry them to the target, where this module reads their source.
CARRIED = (errors, files, fileset, host, switch, listing, model, probe, rsync, stage, sums, sync, tool)
_MAIN = """\
import sys

sys.dont_write_bytecode = True

from xtreemos_mirror._mirrors.tool import main

sys.exit(main())
"""
_TIME = (1980, 1, 1, 0, 0, 0)


def read_source(room: str, name: str) -> bytes:
    """The source of a module below module_utils, also when it was imported from a zip file. ``room`` may be empty."""
    base = (__package__ or __name__.rpartition(".")[0]).rpartition(".")[0]
    # An empty __init__.py may come back as None from Ansible's loader.
    return pkgutil.get_data(base + "." + room if room else base, name + ".py") or b""


def _names() -> list[tuple[str, str]]:
    found = {("", "_errors")}
    for module in CARRIED:
        room, name = module.__name__.split(".")[-2:]
        found.update({(room, name), (room, "__init__")})
    return sorted(found)


def build(read: t.Callable[[str, str], bytes] | None = None) -> bytes:
    """The zip file's bytes. ``read`` maps room and module to a source; the default reads this collection."""
    read = read or read_source
    rows = [("__main__.py", _MAIN.encode()), (TOP + "/__init__.py", b"")]
    for room, name in _names():
        rows.append(("/".join(part for part in (TOP, room, name + ".py") if part), read(room, name)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in rows:
            info = zipfile.ZipInfo(path, _TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data)
    return buffer.getvalue()
