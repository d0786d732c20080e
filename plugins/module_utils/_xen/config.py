# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files of guests as xl 4.17 reads them. Private to the collection.

Grammar: ``key = value`` or ``key += value`` a line or between ``;``; a value is a string in either quotes, a bare
number, or a list in brackets that may span lines and nest; ``#`` begins a comment. Lines ``#@#KEY = "value"`` are
comments to xl and carry what ctys knows of a guest. Measured against libxlutil 4.17.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .metadata import metadata_line, parse_metadata

Value = t.Union[str, int, t.List[t.Any]]

_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      | (?P<comment>\#[^\n]*\n)
      | (?P<newline>\n)
      | (?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
      | (?P<name>[a-z][a-z0-9_.]*)
      | (?P<number>[0-9][0-9a-fx]*)
      | (?P<mark>\+=|[][=,;])""",
    re.VERBOSE,
)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "'": "'", "\\": "\\"}
_ESCAPED = {value: "\\" + key for key, value in _ESCAPES.items() if key != "'"}
_PYTHON = re.compile(r"\s*(import|from|def|if|for|while|try|class|print)\b")
# What a reader looks for first stands first; everything else follows by name.
_ORDER = (
    "name", "uuid", "type", "kernel", "ramdisk", "cmdline", "root", "extra", "bootloader", "bootloader_args",
    "memory", "maxmem", "vcpus", "maxvcpus", "cpus", "disk", "vif", "vfb",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """A parsed file: ``values`` by key (str, int or list), ``metadata`` by key without ``#@#`` ("" for bare marks)."""

    values: dict[str, t.Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


class _Failure(Exception):
    """A place that the grammar does not allow: line and what is wrong there, and the remedy."""

    def __init__(self, line: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.line, self.what, self.hint = line, what, hint


def _lexical(text: str, at: int, line: int) -> _Failure:
    rest = text[at:].split("\n")[0]
    if rest.startswith("\r"):
        return _Failure(line, "the line ends in CR LF", "write the file with plain line ends")
    if rest.startswith("#"):
        return _Failure(line, "the last line is a comment without line end", "end the file with a line end")
    if rest[:1] in "\"'":
        return _Failure(line, "the string %s has no end" % rest[:40], "close the quotes on the same line")
    if rest[:1] in "+-(){}" or rest[:4] in ("True", "None"):
        return _Failure(line, "", "")
    return _Failure(line, "cannot read %r" % rest[:40], "keys are lower case; strings need quotes")


def _tokens(text: str) -> t.Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise _lexical(text, at, line)
        kind, word = str(found.lastgroup), found.group()
        if kind == "comment":
            yield _Token("newline", "\n", line)
        elif kind != "blank":
            yield _Token("newline" if word == ";" else kind, word, line)
        line += word.count("\n")
        at = found.end()
    yield _Token("end", "", line)


def _octal(digits: str, line: int) -> str:
    if len(digits) < 2 or int(digits, 8) & 255 == 0:
        raise _Failure(line, "\\%s is no character" % digits, "write two or three octal digits")
    return chr(int(digits, 8) & 255)


def _unescape(body: str, line: int) -> str:
    def one(found: t.Match[str]) -> str:
        word = found.group(1)
        if word[0] in "01234567":
            return _octal(word, line)
        if word not in _ESCAPES:
            # \x is in xl's code and always fails there.
            raise _Failure(line, "\\%s is no character" % word, "xl knows \\\\ \\\" \\' \\n \\t and \\123 in octal")
        return _ESCAPES[word]

    return re.sub(r"\\([0-7]{1,3}|.)", one, body)


def _number(word: str) -> str | int:
    if re.fullmatch(r"0|[1-9][0-9]*", word):
        return int(word)
    if re.fullmatch(r"0x[0-9a-f]+", word):
        return int(word, 16)
    return int(word, 8) if re.fullmatch(r"0[0-7]+", word) else word


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.now = next(self.tokens)
        self.values: dict[str, t.Any] = {}

    def take(self, kind: str, text: str = "") -> _Token:
        token = self.now
        if token.kind != kind or (text and token.text != text):
            raise self.unexpected(text or {"name": "a key", "newline": "the end of the line"}.get(kind, kind))
        self.now = next(self.tokens, token)
        return token

    def unexpected(self, wanted: str) -> _Failure:
        shown = {"newline": "the end of the line", "end": "the end of the file"}.get(self.now.kind, self.now.text)
        return _Failure(self.now.line, "%s stands where %s is wanted" % (shown, wanted), "write: key = value")

    def skip(self) -> None:
        while self.now.kind == "newline" and self.now.text != ";":
            self.take("newline")

    def settings(self) -> dict[str, t.Any]:
        while self.now.kind != "end":
            if self.now.kind == "newline":
                self.take("newline")
                continue
            self.setting()
            if self.now.kind != "end":
                self.take("newline")
        return self.values

    def setting(self) -> None:
        name = self.take("name")
        adds = self.now.text == "+="
        self.take("mark", "+=" if adds else "=")
        value = self.value()
        if adds and name.text in self.values:
            value = self.joined(name, self.values[name.text], value)
        self.values[name.text] = value

    @staticmethod
    def joined(name: _Token, old: Value, new: Value) -> Value:
        if isinstance(old, list) and isinstance(new, list):
            return old + new
        if isinstance(old, list) or isinstance(new, list):
            raise _Failure(name.line, "%s is a list and a string" % name.text, "add a list to a list")
        return str(old) + str(new)

    def value(self, depth: int = 0) -> Value:
        if self.now.kind == "string":
            token = self.take("string")
            return _unescape(token.text[1:-1], token.line)
        if self.now.kind == "number":
            return _number(self.take("number").text)
        if self.now.text == "[" and depth < 50:
            return self.items(depth)
        raise self.unexpected("a string in quotes, a number or a list")

    def items(self, depth: int) -> list[t.Any]:
        self.take("mark", "[")
        found: list[t.Any] = []
        self.skip()
        while self.now.text != "]":
            found.append(self.value(depth + 1))
            self.skip()
            if self.now.text != "]":
                self.take("mark", ",")
                self.skip()
        self.take("mark", "]")
        return found


def parse(text: str, path: str = "the configuration") -> Config:
    """Read a file's text; ClusterError names ``path`` and the line."""
    try:
        values = _Parser(text).settings()
    except _Failure as error:
        whole = text.split("\n")[error.line - 1]
        if _PYTHON.match(whole) or not error.what:
            error = _Failure(
                error.line, "%r looks like Python code" % whole[:60], "write plain values, or import_config"
            )
        raise ClusterError("%s, line %d: %s" % (path, error.line, error.what), error.hint)
    return Config(values, parse_metadata(text))


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ClusterError("%r has a NUL character" % text[:40], "remove it")
    shown = "".join(_ESCAPED.get(c, c if c >= " " else "\\%03o" % ord(c)) for c in text)
    return '"%s"' % shown


def _shown(value: t.Any, indent: str = "") -> str:
    if isinstance(value, bool):
        return "%d" % value
    if isinstance(value, int) and value >= 0:
        return str(value)
    if not isinstance(value, (list, tuple)):
        return _quoted(str(value))
    inner = indent + "    "
    rows = ["%s%s,\n" % (inner, _shown(item, inner)) for item in value]
    return "[\n%s%s]" % ("".join(rows), indent) if rows else "[]"


def render(config: Config, note: str = "") -> str:
    """The text of a file, the same for equal content: ``note`` as comment, metadata by key, values in a fixed order."""
    place = {key: number for number, key in enumerate(_ORDER)}
    for key in config.values:
        if not re.fullmatch(r"[a-z][a-z0-9_.]*", key):
            raise ClusterError("%r is no key of xl.cfg" % key, "keys are lower case letters, digits and _")
    lines = ["# " + line for line in note.splitlines()]
    lines += [metadata_line(key, value) for key, value in sorted(config.metadata.items())]
    ordered = sorted(config.values, key=lambda key: (place.get(key, len(place)), key))
    lines += ["%s = %s" % (key, _shown(config.values[key])) for key in ordered]
    return "\n".join(lines) + "\n"
