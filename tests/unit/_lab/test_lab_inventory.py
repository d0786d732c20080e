# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible.constants import config
from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.xtreemos.cluster.plugins.inventory import lab
from ansible_collections.xtreemos.cluster.plugins.inventory.lab import InventoryModule


@pytest.fixture(scope="module", autouse=True)
def options() -> None:
    """What Ansible's loader does with the documentation before it calls a plugin."""
    known = yaml.safe_load(lab.DOCUMENTATION)["options"]
    config.initialize_plugin_configuration_definitions("inventory", InventoryModule.NAME, known)


def read(tmp_path: pathlib.Path, text: str = "", name: str = "rack.lab.yml") -> InventoryManager:
    path = tmp_path / name
    path.write_text("plugin: xtreemos.cluster.lab\n" + text)
    manager = InventoryManager(loader=DataLoader(), sources=[])
    plugin = InventoryModule()
    plugin._load_name = InventoryModule.NAME
    plugin.parse(manager._inventory, manager._loader, str(path))
    return manager


@pytest.mark.parametrize(
    ("name", "ours"),
    [("rack.lab.yml", True), ("x.lab.yaml", True), ("lab.yml", False), ("hosts", False)],
)
def test_only_lab_files_are_read(tmp_path: pathlib.Path, name: str, ours: bool) -> None:
    (tmp_path / name).write_text("plugin: xtreemos.cluster.lab\n")
    assert InventoryModule().verify_file(str(tmp_path / name)) is ours


def test_groups_and_variables_arrive(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NODES", "5")
    monkeypatch.setenv("LAB_STATE", "/srv/other")
    monkeypatch.setenv("LAB_NODE_MEMORY", "700")
    groups = read(tmp_path).groups
    assert sorted(h.name for h in groups["nodes"].hosts) == [f"node{n}" for n in range(31, 36)]
    assert groups["all"].vars["lab_state"] == "/srv/other"
    assert groups["nodes"].hosts[0].vars["node_memory_mb"] == 700


def test_the_file_wins_over_the_environment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NODES", "5")
    assert len(read(tmp_path, "nodes: 2\n").groups["nodes"].hosts) == 2


def test_a_wrong_figure_is_an_error_of_the_parser(tmp_path: pathlib.Path) -> None:
    with pytest.raises(AnsibleParserError, match=r"rack\.lab\.yml: nodes is 400"):
        read(tmp_path, "nodes: 400\n")


@pytest.mark.parametrize(("wanted", "groups"), [("true", ["dom0"]), ("false", [])])
def test_a_dom0_is_there_when_it_is_asked_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wanted: str, groups: list[str]
) -> None:
    monkeypatch.setenv("LAB_DOM0", wanted)
    monkeypatch.setenv("LAB_STATE", "/srv/other")
    found = read(tmp_path).groups
    hosts = found["xen_dom0s"].hosts if "xen_dom0s" in found else []
    assert [host.name for host in hosts] == groups
    for host in hosts:
        assert host.vars["lab_ip"] == "10.0.1.2"
        assert host.vars["ansible_port"] != found["boot_servers"].hosts[0].vars["ansible_port"]
        assert "UserKnownHostsFile=/srv/other/dom0/known_hosts" in host.vars["ansible_ssh_common_args"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dom0_memory_mb: 512\n", "dom0_memory_mb is 512"),
        ("dom0_cpus: 0\n", "dom0_cpus is 0"),
        ("ssh_port: 2222\ndom0_ssh_port: 2222\n", "port 2222 is used twice"),
        ("dom0_ssh_port: 80\n", "dom0_ssh_port is 80"),
        ("first: 2\n", "first is 2"),
    ],
)
def test_wrong_figures_of_dom0(tmp_path: pathlib.Path, text: str, message: str) -> None:
    with pytest.raises(AnsibleParserError, match=message):
        read(tmp_path, text)
