# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about one Python file. Each takes a :class:`Source` and gives complaints, ``<path>:<line> <what>``."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass
from functools import cached_property

HEADER = (
    "# Copyright (c) 2026, the xtreemos.cluster developers",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
LONGEST_FUNCTION = 80
LONGEST_FILE = {"plugins/modules/": 350, "plugins/module_utils/": 250}

# A room imports only from rooms with a smaller number; the plugins that Ansible calls are above all.
FLOORS = {
    "_errors": 0,
    "_host": 1,
    "_rpm": 1,
    "_solve": 3,
    "_urpmi": 3,
    "_chroot": 3,
    "_repo": 4,
    "_mirrors": 4,
    "_build": 5,
}
FLOORS.update(
    dict.fromkeys(("_media", "_boot", "_image", "_xen", "_dolly", "_kerrighed", "_cluster", "_lab", "_sign"), 2)
)
TOP = 9
COLLECTION = "ansible_collections.xtreemos.cluster.plugins."
# These packages talk to the world themselves: _host is the door, _dolly travels to nodes that have nothing of ours.
DOORS = ("_host", "_dolly")

_BUILTIN_GENERICS = {"dict", "frozenset", "list", "set", "tuple", "type"}
_NEW_IN_39 = {"removeprefix", "removesuffix", "is_relative_to", "readlink_to", "randbytes"}
_NEW_KEYWORDS = {"dataclass": {"slots", "kw_only", "match_args"}, "zip": {"strict"}}
_SHELL_CALLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}

Function = t.Union[ast.FunctionDef, ast.AsyncFunctionDef]


@dataclass(frozen=True)
class Source:
    """A Python file: ``path`` relative to the root with forward slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]

    @property
    def package(self) -> str:
        """The package of module_utils that the file lies in, empty elsewhere."""
        found = re.match(r"plugins/module_utils/(\w+)/", self.path)
        return found.group(1) if found else ""

    @property
    def module(self) -> str:
        """Full name as Python imports it."""
        return "ansible_collections.xtreemos.cluster." + self.path[: -len(".py")].replace("/", ".")

    def at(self, node: t.Any, what: str) -> str:
        return "%s:%d %s" % (self.path, getattr(node, "lineno", 1), what)


Rule = t.Callable[[Source], t.List[str]]


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def long_functions(source: Source) -> list[str]:
    """No function is longer than a page."""
    return [
        source.at(one, "%s has %d lines" % (one.name, length(one)))
        for one in source.functions
        if length(one) > LONGEST_FUNCTION
    ]


def long_files(source: Source) -> list[str]:
    """Module and module_utils files stay small."""
    lines = source.text.count("\n")
    limits = [limit for prefix, limit in LONGEST_FILE.items() if source.path.startswith(prefix)]
    return ["%s:1 %d lines, the limit is %d" % (source.path, lines, limit) for limit in limits if lines > limit]


def _arguments(function: Function) -> list[ast.arg]:
    spec = function.args
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    rest = [one for one in (spec.vararg, spec.kwarg) if one is not None]
    return [one for one in named if one.arg not in ("self", "cls")] + rest


def unannotated(source: Source) -> list[str]:
    """Every argument and every result has a type."""
    found = []
    for one in source.functions:
        missing = [arg.arg for arg in _arguments(one) if arg.annotation is None]
        if one.returns is None:
            missing.append("its result")
        if missing:
            found.append(source.at(one, "%s has no type for %s" % (one.name, ", ".join(missing))))
    return found


def _dotted(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def shell_strings(source: Source) -> list[str]:
    """Commands are lists of words; no shell reads them."""
    found = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = _dotted(node.func)
        if name in _SHELL_CALLS:
            found.append(source.at(node, "calls %s" % name))
        for word in node.keywords:
            if word.arg in ("shell", "use_unsafe_shell") and getattr(word.value, "value", None) is True:
                found.append(source.at(node, "passes %s=True" % word.arg))
    return found


def header(source: Source) -> list[str]:
    """Licence lines first (modules: after the interpreter line), annotations are never evaluated."""
    lines = source.text.splitlines()
    is_module = source.path.startswith("plugins/modules/")
    wanted = (["#!/usr/bin/python"] if is_module else []) + list(HEADER)
    if lines and not is_module and lines[0].startswith("#!"):
        lines = lines[1:]
    found = []
    if lines and lines[: len(wanted)] != wanted:
        found.append("%s:1 does not begin with the licence header" % source.path)
    code = source.tree.body[1:] if ast.get_docstring(source.tree) else source.tree.body
    if code and "from __future__ import annotations" not in lines:
        found.append("%s:1 lacks: from __future__ import annotations" % source.path)
    return found


def _imports(source: Source) -> t.Iterator[tuple[ast.AST, str]]:
    """Every imported module or name, absolute."""
    here = source.module.split(".")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: -node.level]) + "." if node.level else ""
            for alias in node.names:
                yield node, (base + (node.module + "." if node.module else "") + alias.name)


def _room(module: str) -> str:
    """``_boot`` for a module of module_utils, ``modules``, ``filter``... for a plugin, empty for foreign ones."""
    if not module.startswith(COLLECTION):
        return ""
    parts = module[len(COLLECTION) :].split(".")
    return parts[1] if parts[0] == "module_utils" and len(parts) > 1 else parts[0]


def floors(source: Source) -> list[str]:
    """A room imports only from the floors below it."""
    if not source.path.startswith("plugins/"):
        return []
    here = _room(source.module)
    if source.package and here not in FLOORS:
        return ["%s:1 %s has no floor: give it one in tests/house/code.py" % (source.path, here)]
    found = []
    for node, name in _imports(source):
        there = _room(name)
        if not there or there == here:
            continue
        if FLOORS.get(there, TOP) >= FLOORS.get(here, TOP):
            found.append(source.at(node, "%s must not import %s" % (here, there)))
    return found


def dolly_alone(source: Source) -> list[str]:
    """_dolly travels to nodes as a zip: nothing of ours, nothing of Ansible's comes with it."""
    if source.package != "_dolly":
        return []
    names = [(node, name) for node, name in _imports(source) if name.split(".")[0].startswith("ansible")]
    own = COLLECTION + "module_utils._dolly"
    return [source.at(node, "_dolly must not import %s" % name) for node, name in names if not name.startswith(own)]


def one_door(source: Source) -> list[str]:
    """Commands are started by the Host of _host only, so that tests can stand in for it."""
    if not source.package or source.package in DOORS:
        return []
    return [
        source.at(node, "imports subprocess: commands go through Host")
        for node, name in _imports(source)
        if name.split(".")[0] == "subprocess"
    ]


def _annotation_nodes(tree: ast.AST) -> set[int]:
    """Identities of all nodes inside annotations, which are never evaluated."""
    places: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            places.append(node.returns)
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            places.append(node.annotation)
    return {id(inner) for place in places if place is not None for inner in ast.walk(place)}


def _is_type(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else ""
    return name in _BUILTIN_GENERICS or name in ("str", "int", "bytes", "float", "bool") or _is_none(node)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _too_new(node: ast.AST) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in _BUILTIN_GENERICS:
        return "%s[...] outside of an annotation" % node.value.id
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and (_is_type(node.left) or _is_type(node.right)):
        return "X | Y of types outside of an annotation"
    if isinstance(node, ast.Attribute) and node.attr in _NEW_IN_39:
        return ".%s()" % node.attr
    if isinstance(node, ast.Call):
        new = _NEW_KEYWORDS.get(_dotted(node.func).rpartition(".")[2], set())
        return ", ".join("%s=" % word.arg for word in node.keywords if word.arg in new)
    return ""


def python38(source: Source) -> list[str]:
    """Plugins run on the Python of old targets."""
    try:
        ast.parse(source.text, feature_version=(3, 8))
    except SyntaxError as error:
        return ["%s:%d needs more than Python 3.8: %s" % (source.path, error.lineno or 1, error.msg)]
    quiet = _annotation_nodes(source.tree)
    rows = [(node, _too_new(node)) for node in ast.walk(source.tree) if id(node) not in quiet]
    return [source.at(node, "needs more than Python 3.8: %s" % what) for node, what in rows if what]


# Rules for everything that is Python, and those for what runs on targets.
EVERYWHERE: tuple[Rule, ...] = (header, shell_strings, long_functions)
PLUGINS: tuple[Rule, ...] = (floors, dolly_alone, one_door, unannotated, long_files, python38)
