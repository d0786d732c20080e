# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of an old xm file, which is Python, without running it. This module util is private to the collection.

Read are assignments of plain values, names that were assigned before, ``+``, ``%`` and ``+=``. Everything else, a
loop, a call, an import, is an error with its line: what it would have done cannot be known.
"""

from __future__ import annotations

import ast
import re
import typing as t

from .._host.errors import ClusterError

_HINT = "write the value that it had as a plain string, number or list"
# Longer than any guest's value; % and * could make texts without end.
_LONGEST = 100000


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.values: dict[str, t.Any] = {}

    def wrong(self, node: ast.AST, what: str) -> ClusterError:
        return ClusterError("%s, line %d: %s" % (self.path, getattr(node, "lineno", 1), what), _HINT)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self.values[self.name(target)] = value
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            name = self.name(node.target)
            self.values[name] = self.sum(node, self.values.get(name), self.value(node.value))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) and not isinstance(
            node, ast.Pass
        ):
            raise self.wrong(node, "this is a program, not a value (%s)" % type(node).__name__)

    def name(self, node: ast.AST) -> str:
        if not isinstance(node, ast.Name):
            raise self.wrong(node, "only a plain name can get a value")
        return node.id

    def value(self, node: ast.expr) -> t.Any:
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, (ast.List, ast.Tuple)):
            return self.items(node)
        if isinstance(node, ast.Name):
            if node.id not in self.values:
                raise self.wrong(node, "%s has no value yet" % node.id)
            return self.values[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self.value(node.operand)
            if isinstance(number, int):
                return -number
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.sum(node, self.value(node.left), self.value(node.right))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return self.filled(node, self.value(node.left), self.value(node.right))
        raise self.wrong(node, "this is a program, not a value (%s)" % type(node).__name__)

    def items(self, node: ast.List | ast.Tuple) -> list[t.Any]:
        found = [self.value(item) for item in node.elts]
        for item, value in zip(node.elts, found):
            if isinstance(value, list) and not isinstance(item, (ast.List, ast.Tuple)):
                raise self.wrong(node, "a list by its name cannot be part of a list")
        return t.cast("list[t.Any]", self.bounded(node, found))

    def constant(self, node: ast.Constant) -> t.Any:
        if node.value is None:
            return ""
        if isinstance(node.value, bool):
            return int(node.value)
        if isinstance(node.value, (str, int)):
            return node.value
        raise self.wrong(node, "%r is neither a string nor a whole number" % (node.value,))

    def sum(self, node: ast.AST, left: t.Any, right: t.Any) -> t.Any:
        if isinstance(left, bool) or type(left) is not type(right) or not isinstance(left, (str, int, list)):
            raise self.wrong(node, "a %s and a %s cannot be added" % (type(left).__name__, type(right).__name__))
        return self.bounded(node, left + right)

    def filled(self, node: ast.AST, left: t.Any, right: t.Any) -> t.Any:
        if not isinstance(left, str) or re.search(r"%[^a-zA-Z%]*([*(]|[0-9]{4})", left):
            raise self.wrong(node, "only %s and %d with plain values can be filled in")
        try:
            return self.bounded(node, left % (tuple(right) if isinstance(right, list) else right))
        except (TypeError, ValueError, OverflowError, MemoryError) as error:
            raise self.wrong(node, "%r cannot be filled in: %s" % (left, error))

    def bounded(self, node: ast.AST, value: t.Any) -> t.Any:
        parts = [value, *(item for item in value if isinstance(item, str))] if isinstance(value, list) else [value]
        if not isinstance(value, int) and sum(map(len, parts)) > _LONGEST:
            raise self.wrong(node, "the value is too long")
        return value


def read(text: str, path: str) -> dict[str, t.Any]:
    """Names and values (str, int or list); ClusterError names file and line."""
    try:
        tree = ast.parse(text.replace("\r\n", "\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ClusterError("%s, line %d: %s" % (path, line, getattr(error, "msg", None) or error), _HINT)
    reader = _Reader(path)
    try:
        for node in tree.body:
            reader.statement(node)
    except RecursionError:
        raise ClusterError("%s is nested too deeply" % path, _HINT)
    return reader.values
