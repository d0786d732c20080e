# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boolean dependencies such as ``(a or b >= 2)``. This module util is private to the collection.

Operators and grouping as rpm documents them. For the question whether something can be installed at all, a condition
(``if``, ``unless``) that can be avoided demands nothing.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_OPERATORS = ("and", "or", "if", "unless", "else", "with", "without")
_SENSES = ("<", "<=", "=", ">=", ">")
_DEEPEST = 20


class RichError(Exception):
    """The text is no boolean dependency."""


Providers = t.Callable[[str], t.FrozenSet[int]]


@dataclass(frozen=True)
class Rich:
    """An operator with its operands; an item has the operator ``item`` and its text."""

    operator: str
    parts: tuple[Rich, ...] = ()
    text: str = ""

    def satisfied_by(self, providers: Providers) -> frozenset[int]:
        """The packages that each satisfy the expression alone."""
        if self.operator == "item":
            return providers(self.text)
        sets = [part.satisfied_by(providers) for part in self.parts]
        if self.operator == "or":
            return frozenset().union(*sets)
        if self.operator == "with":
            return sets[0].intersection(*sets[1:])
        if self.operator == "without":
            return sets[0].difference(*sets[1:])
        # An ``and`` below an ``or``: the first part stands for all of them, when none of them is missing.
        return sets[0] if self.operator != "and" or all(sets) else frozenset()

    def demands(self) -> t.Iterator[str]:
        """Items or expressions that have to be satisfied one by one."""
        if self.operator == "and":
            for part in self.parts:
                yield from part.demands()
        elif self.operator not in ("if", "unless"):
            yield str(self)

    def __str__(self) -> str:
        if self.operator == "item":
            return self.text
        return "(%s)" % (" %s " % self.operator).join(map(str, self.parts))


def _tokens(text: str) -> list[str]:
    """Words and parentheses; those inside of a word, as in ``libc.so.6()(64bit)``, belong to it."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] in "()":
            found.append(text[at])
            at += 1
        else:
            end = _word_end(text, at)
            found.append(text[at:end])
            at = end
    return found


def _word_end(text: str, at: int) -> int:
    depth = 0
    while at < len(text) and not text[at].isspace():
        if text[at] == ")" and depth == 0:
            break
        if text[at] == "[":
            # An item with its range, as this package writes expressions itself.
            at = max(text.find("]", at), at)
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    return at


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise RichError("cut off")
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def operand(self, depth: int) -> Rich:
        word = self.take()
        if word == "(":
            return self.group(depth + 1)
        if word == ")" or word in _OPERATORS or word in _SENSES:
            raise RichError("an operand is missing")
        if self.peek() in _SENSES:
            sense, version = self.take(), self.take()
            word = "%s[%s %s]" % (word, "==" if sense == "=" else sense, version)
        return Rich("item", text=word)

    def group(self, depth: int) -> Rich:
        """What follows an opening parenthesis, up to its closing one."""
        if depth > _DEEPEST:
            raise RichError("too deep")
        parts, operators = [self.operand(depth)], []
        while self.peek() != ")":
            operators.append(self.take())
            parts.append(self.operand(depth))
        self.take()
        if not operators:
            return parts[0]
        if any(one not in _OPERATORS for one in operators):
            raise RichError("no operator")
        if operators[0] in ("if", "unless"):
            # With an else branch one of the two is demanded.
            return Rich("or", (parts[0], parts[2])) if operators[1:] == ["else"] else Rich(operators[0], tuple(parts))
        if len(set(operators)) > 1:
            raise RichError("mixed operators")
        return Rich(operators[0], tuple(parts))


def parse_rich(text: str) -> Rich:
    """An expression in parentheses; RichError when it is none."""
    if not re.fullmatch(r"\(.*\)", text, re.S):
        raise RichError("no parentheses")
    reader = _Reader(_tokens(text))
    reader.take()
    found = reader.group(1)
    if reader.peek():
        raise RichError("something follows")
    return found
