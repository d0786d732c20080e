# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a mirror host as one runnable zip file. This module util is private to the collection.

The same sources give the same bytes: fixed order, fixed times, no compression.
"""

from __future__ import annotations

import io
import types
import typing as t
import zipfile

from .. import _errors
from .._host import errors, files, fileset, host, protocol
from .._host.errors import ClusterError
from .._media import switch
from .._sign import cleartext
from . import listing, model, probe, rsync, stage, sums, sync, tool

TOP = "xtreemos_mirror"
# Importing them makes Ansible carry them to the target, where this module reads their source.
CARRIED = (
    _errors,
    errors,
    files,
    fileset,
    protocol,
    host,
    switch,
    cleartext,
    listing,
    model,
    probe,
    rsync,
    stage,
    sums,
    sync,
    tool,
)
_MAIN = """\
import sys

sys.dont_write_bytecode = True

from xtreemos_mirror._mirrors.tool import main

sys.exit(main())
"""
_TIME = (1980, 1, 1, 0, 0, 0)


def read_source(module: types.ModuleType) -> bytes:
    """The source of a module, also when it was imported from a zip file."""
    loader = t.cast("t.Any", module.__spec__.loader if module.__spec__ else None)
    source = loader.get_source(module.__name__) if loader else None
    if not source:
        raise ClusterError("the source of %s cannot be read" % module.__name__, "install the collection anew")
    return str(source).encode()


def _files() -> dict[str, bytes]:
    found = {TOP + "/__init__.py": b"", "__main__.py": _MAIN.encode()}
    for module in CARRIED:
        room, name = module.__name__.split(".")[-2:]
        folder = TOP if room == "module_utils" else "%s/%s" % (TOP, room)
        found[folder + "/__init__.py"] = b""
        found["%s/%s.py" % (folder, name)] = read_source(module)
    return found


def build() -> bytes:
    """The zip file's bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(_files().items()):
            info = zipfile.ZipInfo(path, _TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data)
    return buffer.getvalue()
