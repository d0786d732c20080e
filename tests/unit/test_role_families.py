# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable files of the distribution families: the same names in each, and a way to install."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
FAMILIES = ("debian", "fedora", "mageia")


def files_of(role: str) -> dict[str, Path]:
    return {family: path for family in FAMILIES if (path := ROLES / role / "vars" / (family + ".yml")).is_file()}


WITH_FAMILIES = sorted(role.name for role in ROLES.iterdir() if len(files_of(role.name)) > 1)


def test_roles_of_several_families() -> None:
    assert {"cluster_nodes", "mirror_host"} <= set(WITH_FAMILIES)


@pytest.mark.parametrize("role", WITH_FAMILIES)
def test_every_family_has_the_same_names(role: str) -> None:
    texts = {family: path.read_text(encoding="utf-8") for family, path in files_of(role).items()}
    kinds = {
        family: {key: type(value) for key, value in yaml.safe_load(text).items()} for family, text in texts.items()
    }
    first = next(iter(kinds.values()))
    assert first and all(kind == first for kind in kinds.values()), kinds
    assert all(key.startswith("__%s_" % role) for key in first)
    assert all(len(text.splitlines()) <= 40 for text in texts.values())


@pytest.mark.parametrize(
    "role", [role for role in WITH_FAMILIES if (ROLES / role / "tasks/install-debian.yml").exists()]
)
def test_every_family_can_install(role: str) -> None:
    for family in files_of(role):
        tasks = yaml.safe_load((ROLES / role / "tasks" / ("install-%s.yml" % family)).read_text(encoding="utf-8"))
        installer = "ansible.builtin.apt" if family == "debian" else "ansible.builtin.dnf"
        assert installer in tasks[0], (role, family)
