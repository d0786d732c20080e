# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a Python that a few programs need, found by reading imports. This module util is private.

Nothing of the image is executed: only the statements at module level are followed, so imports inside of functions
of the standard library (rarely used corners) do not pull their trees in.
"""

from __future__ import annotations

import ast
import contextlib
import re
import typing as t

from .tree import Tree

# What the interpreter itself wants at start, and what running a zip file wants.
BASE = ("encodings", "encodings.utf_8", "encodings.ascii", "encodings.latin_1", "io", "os", "runpy", "zipimport")
# Imports inside of functions that are no corner: every parser's messages, every address lookup.
LAZY = {"gettext": ("locale",), "socket": ("encodings.idna",)}
_INTERPRETER = re.compile(r"^usr/bin/python(3\.\d+)$")


def interpreter(tree: Tree) -> tuple[str, str] | None:
    """Path and version ("3.11") of the image's Python, None when it has none."""
    real = tree.follow("usr/bin/python3")
    match = _INTERPRETER.match(real or "")
    return (real or "", match.group(1)) if match else None


def imports(source: str, package: str = "", everywhere: bool = False) -> set[str]:
    """Absolute names that a module imports at its top level, or ``everywhere``; from-imports give both readings."""
    names: set[str] = set()
    for node in _statements(ast.parse(source), everywhere):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base:
                names.add(base)
                names.update("%s.%s" % (base, alias.name) for alias in node.names)
    return names


_IMPORT = re.compile(r"(?:import|from)\s.*")
_FUNCTION = re.compile(r"(?:async\s+)?def\s")


def _plain_imports(source: str) -> t.Iterator[str]:
    """Import statements outside of functions, line by line; brackets that go on are cut to their first line."""
    functions: list[int] = []
    for line in source.splitlines():
        text = line.lstrip()
        indent = len(line) - len(text)
        if not text:
            continue
        while functions and indent <= functions[-1]:
            functions.pop()
        if _FUNCTION.match(text):
            functions.append(indent)
        elif not functions and _IMPORT.match(text):
            yield text.split("(")[0].strip() + " x" if text.rstrip().endswith("(") else text


def plain_imports(source: str, package: str = "") -> set[str]:
    """Like :func:`imports`, for a source whose grammar is newer than this Python's."""
    names: set[str] = set()
    for line in _plain_imports(source):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            names |= imports(line, package)
    return names


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _statements(tree: ast.AST, everywhere: bool) -> t.Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        if everywhere or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _statements(node, everywhere)


class Closure:
    """Files of the standard library of one tree, by their import names."""

    def __init__(self, tree: Tree, version: str) -> None:
        self._tree = tree
        self.version = version
        self.library = "usr/lib/python" + version
        if not tree.listdir(self.library):
            self.library = "usr/lib64/python" + version
        self._dynload = self.library + "/lib-dynload"
        self._extensions = {entry.split(".", 1)[0]: entry for entry in tree.listdir(self._dynload)}

    def _locate(self, name: str) -> tuple[str, bool] | None:
        """File of a module and whether it is a package."""
        base = "%s/%s" % (self.library, name.replace(".", "/"))
        if self._tree.file(base + "/__init__.py"):
            return base + "/__init__.py", True
        if self._tree.file(base + ".py"):
            return base + ".py", False
        if name in self._extensions:
            return "%s/%s" % (self._dynload, self._extensions[name]), False
        return None

    def files(self, roots: t.Iterable[str]) -> list[str]:
        """Paths of every file that importing ``roots`` needs, sorted; builtin names have no file."""
        todo = list(roots)
        seen: set[str] = set()
        found: set[str] = set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            place = self._locate(name)
            if place is None:
                continue
            found.add(place[0])
            if "." in name:
                todo.append(name.rsplit(".", 1)[0])
            todo.extend(self._imports_of(name, *place))
            todo.extend(LAZY.get(name, ()))
        return sorted(found)

    def _imports_of(self, name: str, path: str, is_package: bool) -> set[str]:
        if not path.endswith(".py"):
            return set()
        source = (self._tree.read(path) or b"").decode("utf-8", "replace")
        package = name if is_package else name.rpartition(".")[0]
        try:
            return imports(source, package)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return plain_imports(source, package)

    def compiled(self, path: str) -> str | None:
        """The byte code that the image has for a source file."""
        folder, _slash, name = path.rpartition("/")
        tag = self.version.replace(".", "")
        cached = "%s/__pycache__/%s.cpython-%s.pyc" % (folder, name[:-3], tag)
        return cached if self._tree.file(cached) else None
