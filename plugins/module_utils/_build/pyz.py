# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timers' program as one runnable zip file, and where it goes. This module util is private to the collection.

It holds what tool.py imports, found by reading the imports, and the program that enters chroots as text. The same
sources give the same bytes: sorted names, fixed times, no compression.
"""

from __future__ import annotations

import ast
import io
import sys
import types
import typing as t
import zipfile

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, plan_program
from .._host.host import Host
from . import tool

TOP = "xtreemos_build"
_MAIN = """\
import sys

sys.dont_write_bytecode = True

from xtreemos_build._build.tool import main

sys.exit(main())
"""
_TIME = (1980, 1, 1, 0, 0, 0)
_PREFIX = __name__.rpartition("._build.")[0]


def read_source(module: types.ModuleType) -> bytes:
    """The source of a module, also when it was imported from a zip file."""
    loader = t.cast("t.Any", module.__spec__.loader if module.__spec__ else None)
    source = loader.get_source(module.__name__) if loader else None
    if source is None:
        raise ClusterError("the source of %s cannot be read" % module.__name__, "install the collection anew")
    return str(source).encode()


def _imports(name: str, source: bytes) -> t.Iterator[str]:
    """Modules of module_utils that a module imports, by their whole names, that are loaded."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*name.split(".")[: -node.level], *([node.module] if node.module else [])])
            yield from (one for one in (base, *("%s.%s" % (base, alias.name) for alias in node.names)))


def closure() -> dict[str, bytes]:
    """Name below module_utils to source, of tool.py and everything of ours that it imports."""
    todo, found = [tool.__name__], {}
    while todo:
        name = todo.pop()
        module = sys.modules.get(name)
        if module is None or name in found or not name.startswith(_PREFIX + ".") or hasattr(module, "__path__"):
            continue
        found[name] = read_source(module)
        todo += list(_imports(name, found[name]))
    return {name[len(_PREFIX) + 1 :]: source for name, source in found.items()}


def build() -> bytes:
    """The zip file's bytes."""
    files = {TOP + "/__init__.py": b"", "__main__.py": _MAIN.encode()}
    for name, source in closure().items():
        parts = name.split(".")
        if len(parts) > 1:
            files["%s/%s/__init__.py" % (TOP, parts[0])] = b""
        files["%s/%s.py" % (TOP, "/".join(parts))] = source
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(files.items()):
            info = zipfile.ZipInfo(path, _TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data)
    return buffer.getvalue()


def plan_install(install: t.Mapping[str, t.Any] | None, options: t.Mapping[str, t.Any], host: Host) -> FilePlan:
    """Files to write: ``install`` has the paths of ``program`` and ``options``; nothing without it."""
    return plan_program(host, install, build, lambda: tool.render_options(options))
