# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dolly node agent as one zip file that a bare Python runs. This module util is private to the collection.

The zip holds the package ``_dolly`` and a ``__main__`` that calls ``_dolly.agent.main``. When the builder's Python
writes the same byte code as the image's, compiled files go in: a node then starts without compiling.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import typing as t
import zipfile

from . import pyclosure

PACKAGE = "_dolly"
_MAIN = "import sys\n\nsys.dont_write_bytecode = True\n\nfrom _dolly.agent import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNCHECKED_HASH = 1


def byte_code(source: str, name: str) -> bytes:
    """A .pyc that is never checked against its source (PEP 552)."""
    code = marshal.dumps(compile(source, name, "exec", dont_inherit=True))
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + b"\0" * 8 + code


def pyz(sources: t.Mapping[str, str], magic: bytes = b"") -> bytes:
    """``sources``: file name ("agent.py") to text. Compiled when ``magic`` is that of the running Python."""
    files = {"%s/%s" % (PACKAGE, name): text for name, text in sources.items()}
    files.setdefault(PACKAGE + "/__init__.py", "")
    files["__main__.py"] = _MAIN
    compiled = magic == importlib.util.MAGIC_NUMBER
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted(files.items()):
            content = byte_code(text, name) if compiled else text.encode("utf-8")
            archive.writestr(zipfile.ZipInfo(name + "c" if compiled else name, _EPOCH), content)
    return out.getvalue()


def collect(read: t.Callable[[str], bytes]) -> dict[str, str]:
    """The modules that ``agent`` imports from its own package, itself included: file name to text.

    ``read`` gives the source of a module of the package by its name.
    """
    sources = {"__init__.py": read("__init__").decode("utf-8")}
    todo = ["agent"]
    while todo:
        name = todo.pop()
        if name + ".py" not in sources:
            text = sources[name + ".py"] = read(name).decode("utf-8")
            found = (item.split(".") for item in pyclosure.imports(text, PACKAGE, everywhere=True))
            todo.extend(parts[1] for parts in found if parts[0] == PACKAGE and len(parts) > 1)
    return dict(sorted(sources.items()))


def needs(sources: t.Mapping[str, str]) -> list[str]:
    """Names of the standard library that the package imports, sorted."""
    names: set[str] = set()
    for text in sources.values():
        names |= pyclosure.imports(text, PACKAGE, everywhere=True)
    return sorted(name for name in names if name.split(".")[0] != PACKAGE)
