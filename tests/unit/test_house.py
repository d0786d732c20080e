# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the house hold in the tree, and each of them can fail."""

from __future__ import annotations

import statistics
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.xtreemos.cluster.tests.house import code, tree
from ansible_collections.xtreemos.cluster.tests.house.code import HEADER, Source

ROOT = Path(__file__).resolve().parents[2]
FILES = tree.listed(ROOT)
SOURCES = [Source(name, (ROOT / name).read_text()) for name in FILES if name.endswith(".py")]
PLUGINS = [source for source in SOURCES if source.path.startswith("plugins/")]


def shown(complaints: t.Iterable[str]) -> str:
    return "\n" + "\n".join(complaints)


def demand_none(complaints: t.Sequence[str]) -> None:
    if complaints:
        pytest.fail(shown(complaints), pytrace=False)


# The tree as it is.


@pytest.mark.parametrize("rule", code.EVERYWHERE, ids=lambda rule: rule.__name__)
def test_every_python_file(rule: code.Rule) -> None:
    demand_none([row for source in SOURCES for row in rule(source)])


@pytest.mark.parametrize("rule", code.PLUGINS, ids=lambda rule: rule.__name__)
def test_every_plugin_file(rule: code.Rule) -> None:
    demand_none([row for source in PLUGINS for row in rule(source)])


@pytest.mark.parametrize("rule", tree.RULES, ids=lambda rule: rule.__name__)
def test_the_tree(rule: tree.TreeRule) -> None:
    demand_none(rule(ROOT, FILES))


def test_functions_are_short() -> None:
    lengths = sorted(code.length(one) for source in PLUGINS for one in source.functions)
    assert statistics.median(lengths) <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 40


# Each rule refuses a bad sample (and passes the good one beside it).

UTILS = "plugins/module_utils/"
FULL = "ansible_collections.xtreemos.cluster.plugins."
BODY = "\n".join(HEADER) + "\n\nfrom __future__ import annotations\n"

BAD = [
    (code.long_functions, "plugins/x.py", "def f():\n" + "    a = 1\n" * 80, "f has 81 lines"),
    (code.long_files, UTILS + "_host/x.py", "a = 1\n" * 251, "251 lines, the limit is 250"),
    (code.long_files, "plugins/modules/x.py", "a = 1\n" * 351, "351 lines, the limit is 350"),
    (code.unannotated, "plugins/x.py", "def f(a, *b: int, c=1, **d) -> int: ...", "f has no type for a, c, d"),
    (code.unannotated, "plugins/x.py", "class A:\n    def f(self): ...", "f has no type for its result"),
    (code.unannotated, "plugins/x.py", "async def f(): ...", "f has no type for its result"),
    (code.shell_strings, "tests/x.py", "subprocess.run('ls', shell=True)", "shell=True"),
    (code.shell_strings, "tests/x.py", "module.run_command('ls', use_unsafe_shell=True)", "use_unsafe_shell=True"),
    (code.shell_strings, "tests/x.py", "os.system('ls')", "calls os.system"),
    (code.shell_strings, "tests/x.py", "os.popen('ls')", "calls os.popen"),
    (code.shell_strings, "tests/x.py", "subprocess.getoutput('ls')", "calls subprocess.getoutput"),
    (code.header, "plugins/x.py", "import os\n", "licence header"),
    (code.header, "plugins/x.py", "\n".join(HEADER) + "\nimport os\n", "lacks: from __future__"),
    (code.header, "plugins/modules/x.py", BODY, "licence header"),
    (code.floors, UTILS + "_host/x.py", "from .._boot.node import Node", "_host must not import _boot"),
    (code.floors, UTILS + "_boot/x.py", "from .._image import tree", "_boot must not import _image"),
    (code.floors, UTILS + "_boot/x.py", "from .. import _image", "_boot must not import _image"),
    (code.floors, UTILS + "_boot/x.py", "import %smodule_utils._lab.qemu" % FULL, "_boot must not import _lab"),
    (code.floors, UTILS + "_cluster/x.py", "def f():\n    from .._kerrighed import a", "not import _kerrighed"),
    (code.floors, UTILS + "_lab/x.py", "from %sfilter.node_list import f" % FULL, "_lab must not import filter"),
    (code.floors, UTILS + "_media/x.py", "from .._solve import pool", "_media must not import _solve"),
    (code.floors, "plugins/modules/x.py", "from %sinventory.lab import f" % FULL, "modules must not import inventory"),
    (code.floors, UTILS + "_new/x.py", "", "_new has no floor"),
    (code.dolly_alone, UTILS + "_dolly/x.py", "from .._host.errors import ClusterError", "not import"),
    (code.dolly_alone, UTILS + "_dolly/x.py", "from ansible.module_utils.basic import x", "not import ansible"),
    (code.one_door, UTILS + "_boot/x.py", "import subprocess", "imports subprocess"),
    (code.one_door, UTILS + "_boot/x.py", "from subprocess import run", "imports subprocess"),
    (code.python38, "plugins/x.py", "match a:\n    case 1: pass\n", "3.8"),
    (code.python38, "plugins/x.py", "with (open(a) as b, open(c) as d): pass", "3.8"),
    (code.python38, "plugins/x.py", "A = dict[str, int]", "dict[...]"),
    (code.python38, "plugins/x.py", "A = str | None", "X | Y"),
    (code.python38, "plugins/x.py", "def f() -> int:\n    return isinstance(a, int | str)", "X | Y"),
    (code.python38, "plugins/x.py", "a.removeprefix('b')", "removeprefix"),
    (code.python38, "plugins/x.py", "@dataclass(frozen=True, slots=True)\nclass A: ...", "slots="),
    (code.python38, "plugins/x.py", "zip(a, b, strict=True)", "strict="),
]

GOOD = [
    (code.header, "plugins/x.py", BODY),
    (code.header, "plugins/modules/x.py", "#!/usr/bin/python\n" + BODY),
    (code.header, "tests/x.py", "#!/usr/bin/env python\n" + BODY),
    (code.header, UTILS + "_x/__init__.py", ""),
    (code.header, UTILS + "_x/__init__.py", "\n".join(HEADER) + "\n"),
    (code.long_functions, "plugins/x.py", "def f():\n" + "    a = 1\n" * 79),
    (code.unannotated, "plugins/x.py", "class A:\n    def f(self, a: int, *b: int) -> None: ..."),
    (code.shell_strings, "tests/x.py", "subprocess.run(['ls'], shell=False)"),
    (code.floors, UTILS + "_boot/x.py", "from .._host.errors import ClusterError\nfrom .node import Node\nimport os"),
    (code.floors, UTILS + "_repo/x.py", "from .._solve import pool\nfrom .._media import synthesis"),
    (code.floors, "plugins/modules/x.py", "from %smodule_utils._repo import publish" % FULL),
    (code.floors, "tests/x.py", "from %smodules import x" % FULL),
    (code.dolly_alone, UTILS + "_dolly/x.py", "from . import wire\nfrom .errors import WireError\nimport os"),
    (code.one_door, UTILS + "_host/x.py", "import subprocess"),
    (
        code.python38,
        "plugins/x.py",
        "def f(a: dict[str, int]) -> int | None:\n    b: list[int] = []\n    return a['b'] | 1",
    ),
]


@pytest.mark.parametrize(("rule", "path", "text", "what"), BAD)
def test_bad_sample(rule: code.Rule, path: str, text: str, what: str) -> None:
    assert what in shown(rule(Source(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_good_sample(rule: code.Rule, path: str, text: str) -> None:
    assert rule(Source(path, text)) == []


def module_text(name: str) -> str:
    parts = {"DOCUMENTATION": "module: %s\n" % name, "EXAMPLES": "- x\n", "RETURN": "{}\n"}
    return "".join('%s = r"""\n%s"""\n' % pair for pair in parts.items())


SPECS = {"argument_specs": {"main": {"options": {"r_a": {"description": "An a.", "type": "int", "default": 1}}}}}
GOOD_TREE = {
    "plugins/modules/m.py": module_text("m"),
    "tests/unit/modules/test_m.py": "",
    "meta/runtime.yml": "action_groups: {g: [m]}\n",
    "roles/r/meta/argument_specs.yml": yaml.safe_dump(SPECS),
    "roles/r/meta/main.yml": "galaxy_info: {}\n",
    "roles/r/defaults/main.yml": "r_a: 1\n",
    "roles/r/vars/main.yml": "__r_b: 1\n",
    "roles/r/tasks/main.yml": "[]\n",
    "extensions/molecule/r/molecule.yml": "---\n",
    "galaxy.yml": "version: 1.2.0\n",
    "CHANGELOG.md": "# Changes\n\n## [1.2.0] - 2026-01-01\n",
}

BAD_TREE = [
    (tree.module_parts, {"plugins/modules/m.py": module_text("m").replace("RETURN", "BACK")}, "has no RETURN"),
    (tree.module_parts, {"plugins/modules/m.py": module_text("n")}, "documents the module 'n'"),
    (tree.module_parts, {"tests/unit/modules/test_m.py": None}, "has no tests/unit/**/test_m.py"),
    (tree.action_groups, {"plugins/modules/n.py": module_text("n")}, "n is in no action group"),
    (tree.action_groups, {"meta/runtime.yml": "action_groups: {g: [m, o]}\n"}, "o is not a module"),
    (tree.role_parts, {"roles/r/meta/argument_specs.yml": None}, "has no meta/argument_specs.yml"),
    (tree.action_groups, {"meta/runtime.yml": "action_groups: {g: [m, m]}\n"}, "m is twice in its group"),
    (tree.role_parts, {"roles/r/meta/main.yml": None}, "has no meta/main.yml"),
    (tree.role_parts, {"extensions/molecule/r/molecule.yml": None}, "has no scenario"),
    (tree.role_parts, {"roles/r/defaults/main.yml": "r_a: 1\nr_c: 2\n"}, "r_c is not in argument_specs"),
    (tree.role_parts, {"roles/r/defaults/main.yml": "r_a: 2\n"}, "r_a has two defaults"),
    (tree.role_parts, {"roles/r/defaults/main.yml": "r_a: 1\nd: 2\n"}, "the variable d does not begin with r_"),
    (tree.role_parts, {"roles/r/vars/main.yml": "e: 2\n"}, "the variable e does not begin with r_"),
    (
        tree.role_parts,
        {"roles/r/meta/argument_specs.yml": "argument_specs: {main: {options: {r_a: {type: int}}}}\n"},
        "r_a has no description",
    ),
    (tree.machine_paths, {"docs/a.md": "one\nsee {root}/x\n"}, "docs/a.md:2 names a path"),
    (tree.machine_paths, {"docs/a.md": "see /home/%s/x\n" % "somebody"}, "docs/a.md:1 names a path"),
    (tree.test_names, {"tests/unit/other/test_m.py": ""}, "test_m.py exists 2 times"),
    (tree.versions, {"galaxy.yml": "version: 1.3.0\n"}, "no section for 1.3.0"),
    (tree.versions, {"CHANGELOG.md": None}, "no section for 1.2.0"),
]


def plant(root: Path, changes: t.Mapping[str, str | None]) -> list[str]:
    files = {name: text for name, text in {**GOOD_TREE, **changes}.items() if text is not None}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{root}", str(root)))
    return sorted(files)


@pytest.mark.parametrize(("rule", "changes", "what"), BAD_TREE)
def test_bad_tree(tmp_path: Path, rule: tree.TreeRule, changes: t.Mapping[str, str | None], what: str) -> None:
    assert what in shown(rule(tmp_path, plant(tmp_path, changes)))


@pytest.mark.parametrize("rule", tree.RULES, ids=lambda rule: rule.__name__)
def test_good_tree(tmp_path: Path, rule: tree.TreeRule) -> None:
    assert rule(tmp_path, plant(tmp_path, {})) == []


def test_every_rule_has_a_bad_sample() -> None:
    tried = {row[0] for row in BAD} | {row[0] for row in BAD_TREE}
    assert tried == {*code.EVERYWHERE, *code.PLUGINS, *tree.RULES}
