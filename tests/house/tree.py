# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the tree as a whole. Each takes a root and the listed files and gives complaints."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import typing as t
from collections import Counter
from pathlib import Path

import yaml

# Folders above a checkout that hold other things as well, so that their names say nothing about this machine.
_COMMON = {"/", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/src", "/var/tmp"}
_HOME = r"/home/[a-z][\w-]*/"


def listed(root: Path) -> list[str]:
    """Files that git tracks or would track, relative to the root, sorted."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(argv, cwd=root, check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted({name for name in out.split("\0") if name and (root / name).is_file()})


def _load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text()) if path.is_file() else None


def _modules(files: t.Iterable[str]) -> list[str]:
    names = (re.fullmatch(r"plugins/modules/(\w+)\.py", name) for name in files)
    return [found.group(1) for found in names if found]


def _constants(text: str) -> dict[str, str]:
    """String constants that are assigned at the top of a file."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update({one.id: node.value.value for one in node.targets if isinstance(one, ast.Name)})
    return found


def module_parts(root: Path, files: t.Sequence[str]) -> list[str]:
    """Every module has its three documents and a file of unit tests."""
    tests = {Path(name).name for name in files if name.startswith("tests/unit/")}
    found = []
    for name in _modules(files):
        path = "plugins/modules/%s.py" % name
        texts = _constants((root / path).read_text())
        found += [
            "%s:1 has no %s" % (path, want) for want in ("DOCUMENTATION", "EXAMPLES", "RETURN") if want not in texts
        ]
        doc = yaml.safe_load(texts.get("DOCUMENTATION", "")) or {}
        if doc.get("module") != name:
            found.append("%s:1 documents the module %r" % (path, doc.get("module")))
        if "test_%s.py" % name not in tests:
            found.append("%s:1 has no tests/unit/**/test_%s.py" % (path, name))
    return found


def action_groups(root: Path, files: t.Sequence[str]) -> list[str]:
    """Every module is in a group, every name in a group is a module."""
    runtime = _load(root / "meta/runtime.yml") or {}
    groups: dict[str, list[t.Any]] = runtime.get("action_groups") or {}
    named = {name for group in groups.values() for name in group if isinstance(name, str)}
    have = set(_modules(files))
    found = ["meta/runtime.yml:1 %s is not a module" % name for name in sorted(named - have)]
    found += ["meta/runtime.yml:1 the module %s is in no action group" % name for name in sorted(have - named)]
    twice = [name for group in groups.values() for name, count in Counter(map(str, group)).items() if count > 1]
    return found + ["meta/runtime.yml:1 %s is twice in its group" % name for name in twice]


def _roles(files: t.Iterable[str]) -> list[str]:
    return sorted({name.split("/")[1] for name in files if name.startswith("roles/") and name.count("/") > 1})


def _role_variables(root: Path, role: str, folder: str) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    for path in sorted((root / "roles" / role / folder).glob("*.yml")):
        found.update(_load(path) or {})
    return found


def _options(specs: t.Any) -> dict[str, t.Any]:
    points = (specs or {}).get("argument_specs") or {}
    return {name: option for point in points.values() for name, option in (point.get("options") or {}).items()}


def role_parts(root: Path, files: t.Sequence[str]) -> list[str]:
    """Every role declares its variables, with its name in front and a description each."""
    found = []
    for role in _roles(files):
        where = "roles/%s" % role
        specs = _load(root / where / "meta/argument_specs.yml")
        found += _role_meta(root, where, specs)
        defaults = _role_variables(root, role, "defaults")
        options = _options(specs)
        prefixes = (role + "_", "__%s_" % role)
        for name in [*defaults, *_role_variables(root, role, "vars"), *options]:
            if not name.startswith(prefixes):
                found.append("%s:1 the variable %s does not begin with %s" % (where, name, prefixes[0]))
        found += _specs_agree(where, defaults, options)
        if "extensions/molecule/%s/molecule.yml" % role not in files:
            found.append("%s:1 has no scenario in extensions/molecule" % where)
    return found


def _role_meta(root: Path, where: str, specs: t.Any) -> list[str]:
    wanted = ("meta/main.yml", "defaults/main.yml", "tasks/main.yml")
    found = ["%s:1 has no %s" % (where, name) for name in wanted if not (root / where / name).is_file()]
    if not (specs or {}).get("argument_specs"):
        found.append("%s:1 has no meta/argument_specs.yml" % where)
    return found


def _specs_agree(where: str, defaults: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> list[str]:
    found = ["%s:1 %s is not in argument_specs" % (where, name) for name in defaults if name not in options]
    for name, option in options.items():
        if not option.get("description"):
            found.append("%s:1 %s has no description" % (where, name))
        # An expression is told in words there.
        plain = name in defaults and "{{" not in str(defaults[name])
        if plain and "default" in option and option["default"] != defaults[name]:
            found.append("%s:1 %s has two defaults, in argument_specs and in defaults" % (where, name))
    return found


def _machine_pattern(root: Path) -> t.Pattern[str]:
    places = {str(root)} | ({str(root.parent)} - _COMMON)
    home = os.path.expanduser("~")
    if home not in _COMMON:
        places.add(home)
    return re.compile(
        r"(?<![\w.-])(?:%s|%s)" % ("|".join(re.escape(one) + r"(?![\w-])" for one in sorted(places)), _HOME)
    )


def machine_paths(root: Path, files: t.Sequence[str]) -> list[str]:
    """No path of the machine that the work was done on."""
    pattern = _machine_pattern(root)
    found = []
    for name in files:
        content = (root / name).read_bytes()
        if b"\0" in content[:4096]:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if pattern.search(line):
                found.append("%s:%d names a path of this machine" % (name, number))
    return found


def test_names(root: Path, files: t.Sequence[str]) -> list[str]:
    """Base names of unit test files are unique, whatever folder they are in."""
    names = Counter(Path(name).name for name in files if re.match(r"tests/unit/(.*/)?test_\w+\.py$", name))
    return ["tests/unit:1 %s exists %d times" % (name, count) for name, count in sorted(names.items()) if count > 1]


def versions(root: Path, files: t.Sequence[str]) -> list[str]:
    """The changelog tells of the version that galaxy.yml names."""
    version = (_load(root / "galaxy.yml") or {}).get("version", "?")
    path = root / "CHANGELOG.md"
    text = path.read_text() if path.is_file() else ""
    if re.search(r"^## \[?v?%s\b" % re.escape(str(version)), text, re.M):
        return []
    return ["CHANGELOG.md:1 has no section for %s" % version]


TreeRule = t.Callable[[Path, t.Sequence[str]], t.List[str]]
RULES: tuple[TreeRule, ...] = (
    module_parts,
    action_groups,
    role_parts,
    machine_paths,
    test_names,
    versions,
)
