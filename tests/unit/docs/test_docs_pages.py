# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents say nothing that the tree does not have: links, playbooks, targets, variables, modules, inventories."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import VARIABLES, nodes_from_hostvars

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
HAND_MADE = [page for page in PAGES if "reference" not in page.parts]
LINK = re.compile(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.S)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    text = CODE.sub("", page.read_text())
    return {_anchor(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}


def _ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        path, _mark, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def _words(pattern: str) -> dict[str, set[str]]:
    return {_ids(page): set(re.findall(pattern, page.read_text())) for page in HAND_MADE}


def _strangers(pattern: str, known: t.Collection[str]) -> dict[str, set[str]]:
    found = {page: words - set(known) for page, words in _words(pattern).items()}
    return {page: words for page, words in found.items() if words}


def test_every_playbook_exists() -> None:
    known = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert _strangers(r"(?:playbooks/|`)([a-z_]+)\.yml", {*known, "hosts"}) == {}
    assert _strangers(r"ansible-playbook [^\n]*xtreemos\.cluster\.(\w+)", known) == {}


def test_every_make_target_exists() -> None:
    targets: set[str] = set()
    for line in (ROOT / "Makefile").read_text().splitlines():
        if re.match(r"[a-z][a-z -]*:(?!=)", line):
            targets.update(line.partition(":")[0].split())
    assert _strangers(r"(?:`|\n)make ([a-z-]+)", targets) == {}


def _variables() -> set[str]:
    known = {variable for names in VARIABLES.values() for variable in names}
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            known.update(spec.get("options") or {})
    for path in (ROOT / "inventories").glob("*/group_vars/**/*.yml"):
        known.update(yaml.safe_load(path.read_text()) or {})
    for path in (ROOT / "playbooks").glob("*.yml"):
        known.update(re.findall(r"\b((?:status|site|push|run_everywhere|lab)_[a-z_]+)\b", path.read_text()))
    return known


def test_every_variable_exists() -> None:
    roles = "|".join(path.name for path in (ROOT / "roles").iterdir())
    words = r"`[^`\n]*?\b((?:%s|node|status|site|push|run_everywhere)_[a-z_]+)\b" % roles
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    plugins = {path.stem for path in (ROOT / "plugins").rglob("*.py")}
    assert _strangers(words, {*_variables(), *playbooks, *plugins}) == {}


def test_every_plugin_exists() -> None:
    known = {path.stem for path in (ROOT / "plugins").glob("[a-z]*/*.py")}
    known |= {path.name for path in (ROOT / "roles").iterdir()} | {
        path.stem for path in (ROOT / "playbooks").glob("*.yml")
    }
    assert _strangers(r"xtreemos\.cluster\.(\w+)", known) == {}
    assert _strangers(r"[Mm]odules? `(\w+)`", known) == {}


def test_the_example_inventory_is_a_sound_rack() -> None:
    groups = yaml.safe_load((ROOT / "inventories/example/hosts.yml").read_text())
    hosts = groups["nodes"]["hosts"]
    group_vars = {
        path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "inventories/example/group_vars").glob("*.yml")
    }
    nodes = nodes_from_hostvars(hosts, {name: {**group_vars["nodes"], **values} for name, values in hosts.items()})
    assert [node["name"] for node in nodes] == ["node31", "node32", "node33"]
    assert set(group_vars) - {"all"} == set(groups)
    known = _variables()
    for values in group_vars.values():
        assert {name for name in values if not name.startswith("ansible_")} <= known
