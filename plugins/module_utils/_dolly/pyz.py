# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent as one runnable zip file. This module util is private to the collection.

The same sources give the same bytes: fixed order, fixed times, no compression.
"""

from __future__ import annotations

import io
import pkgutil
import typing as t
import zipfile

NODE = (
    "__init__",
    "agent",
    "auth",
    "chain",
    "classic",
    "classic_node",
    "config",
    "dial",
    "door",
    "errors",
    "feeder",
    "link",
    "lobby",
    "session",
    "store",
    "target",
    "wire",
)
SERVER = ("classic_server", "contact", "server")
_MAIN = """\
import sys

sys.dont_write_bytecode = True

from _dolly.agent import main

sys.exit(main())
"""
_TIME = (1980, 1, 1, 0, 0, 0)


def read_source(name: str) -> bytes:
    """The source of one module of this package, also when the package itself was imported from a zip file."""
    data = pkgutil.get_data(__package__ or __name__.rpartition(".")[0], name + ".py")
    # An empty __init__.py may come back as None from Ansible's loader.
    return data or b""


def build(read: t.Callable[[str], bytes] | None = None, server: bool = False) -> bytes:
    """The zip file's bytes. ``read`` maps a module name (without .py) to its source; the default reads this package.

    Without ``server`` the sub-command serve is left out: a node does not need it.
    """
    read = read or read_source
    names = sorted(NODE + SERVER) if server else NODE
    files = [("__main__.py", _MAIN.encode()), *(("_dolly/%s.py" % name, read(name)) for name in names)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data)
    return buffer.getvalue()
