# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import subprocess
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.inventory import build, ssh_config
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.rack import (
    LONGEST_RUN_DIR,
    derived_port,
    mac_of,
    make_rack,
    run_dir,
)
from hypothesis import given
from hypothesis import strategies as st

STATE = st.text("abcXYZ019._-", min_size=1, max_size=120).map(lambda name: "/srv/" + name + "x")


def test_the_default_rack_is_the_one_of_the_documents() -> None:
    rack = make_rack("/srv/lab")
    assert [(n.name, n.ip, n.mac, n.node_id) for n in rack.members()] == [
        ("node31", "10.0.1.31", "52:54:00:0a:01:1f", 1),
        ("node32", "10.0.1.32", "52:54:00:0a:01:20", 2),
        ("node33", "10.0.1.33", "52:54:00:0a:01:21", 3),
    ]
    assert (rack.head_ip, rack.netmask, rack.key) == ("10.0.1.1", "255.255.255.0", "/srv/lab/id_ed25519")


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"nodes": -1}, "nodes is -1"),
        ({"nodes": 70}, "nodes is 70"),
        ({"first": 1}, "first is 1"),
        ({"first": 100}, "first is 100"),
        ({"node_memory_mb": 64}, "node_memory_mb is 64"),
        ({"head_memory_mb": 64}, "head_memory_mb is 64"),
        ({"node_cpus": 0}, "node_cpus is 0"),
        ({"head_cpus": 65}, "head_cpus is 65"),
        ({"ssh_port": 22}, "ssh_port is 22"),
        ({"segment_port": 70000}, "segment_port is 70000"),
        ({"network": "10.0.1.0/25"}, "too small"),
        ({"network": "10.0.1.7/24"}, "has host bits set"),
        ({"network": "rack"}, "network 'rack'"),
        ({"accel": "hvf"}, "accel is 'hvf'"),
        ({"state": "/srv/my lab"}, "not usable"),
        ({"state": "/srv/l%b"}, "not usable"),
        ({"state": "/srv/it's"}, "not usable"),
    ],
)
def test_a_wrong_figure_is_named(figures: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(message)) as caught:
        make_rack(**{"state": "/srv/lab", **figures})
    assert caught.value.hint


@given(STATE)
def test_ports_are_stable_and_in_their_range(state: str) -> None:
    rack = make_rack(state)
    assert rack == make_rack(state)
    assert 20000 <= rack.ssh_port < 30000
    assert 10000 <= rack.segment_port < 20000


@given(STATE)
def test_every_socket_fits_into_an_address(state: str) -> None:
    assert len(run_dir(state)) <= LONGEST_RUN_DIR
    assert len(os.path.join(run_dir(state), "n" * 32 + ".ssh")) + 17 < 108


@given(STATE, STATE)
def test_two_checkouts_do_not_share_a_run_dir(one: str, two: str) -> None:
    assert (run_dir(one) == run_dir(two)) == (one == two)


def test_a_relative_state_starts_at_the_working_folder(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_rack(".lab").state == str(tmp_path / ".lab")


def test_ports_given_by_the_user_win() -> None:
    rack = make_rack("/srv/lab", ssh_port=2222, segment_port=1234)
    assert (rack.ssh_port, rack.segment_port) == (2222, 1234)
    assert derived_port("/srv/lab", 20000, 0) == make_rack("/srv/lab").ssh_port


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_a_mac_is_of_the_form_that_all_files_use(address: t.Any) -> None:
    assert re.fullmatch(r"52:54:00:0a(:[0-9a-f]{2}){2}", mac_of(str(address)))


@pytest.mark.parametrize("nodes", [0, 1, 3, 69])
def test_inventory_has_every_machine_once(nodes: int) -> None:
    found = build(make_rack("/srv/lab", nodes=nodes))
    assert sorted(found.hosts) == sorted(["rack", "builder", "head", *found.groups["nodes"]])
    assert len(found.groups["nodes"]) == nodes
    for key in ("node_mac", "node_id", "node_ip", "ansible_host", "ansible_control_path"):
        assert len({found.hosts[name][key] for name in found.groups["nodes"]}) == nodes


def test_node_variables_are_those_of_a_real_rack() -> None:
    node = build(make_rack("/srv/lab", node_memory_mb=900)).hosts["node32"]
    picked = {key: node[key] for key in node if key.startswith("node_")}
    assert picked == {
        "node_mac": "52:54:00:0a:01:20",
        "node_id": 2,
        "node_ip": "10.0.1.32",
        "node_interface": "eth0",
        "node_cpus": 1,
        "node_memory_mb": 900,
    }


def test_the_head_is_verified_and_the_nodes_go_through_it() -> None:
    rack = make_rack("/srv/lab", ssh_port=2222)
    found = build(rack)
    head, node = found.hosts["head"], found.hosts["node31"]
    assert (head["ansible_host"], head["ansible_port"]) == ("127.0.0.1", 2222)
    assert "UserKnownHostsFile=/srv/lab/known_hosts -o StrictHostKeyChecking=yes" in head["ansible_ssh_common_args"]
    proxy = node["ansible_ssh_common_args"].split("'")[1]
    assert proxy.startswith("ProxyCommand=ssh ") and proxy.endswith("-p 2222 -W %h:%p root@127.0.0.1")
    assert "ControlPath=/srv/lab/run/head.ssh" in proxy
    assert "StrictHostKeyChecking=yes" in proxy


def test_all_machines_share_one_wire_and_only_the_head_leads_outside() -> None:
    rack = make_rack("/srv/lab", segment_port=5000)
    vms = [host["lab_vm"] for host in build(rack).hosts.values() if "lab_vm" in host]
    cards = [(vm["name"], nic) for vm in vms for nic in vm["nics"]]
    assert {nic["port"] for _name, nic in cards if nic["kind"] == "segment"} == {5000}
    assert [name for name, nic in cards if nic["kind"] == "user"] == ["head"]
    assert len({nic["mac"] for _name, nic in cards}) == len(cards)


def test_ssh_reads_the_configuration_for_people(tmp_path: t.Any) -> None:
    rack = make_rack("/srv/lab", ssh_port=2222)
    path = tmp_path / "config"
    path.write_text(ssh_config(rack))
    shown = {}
    for name in ("head", "node32"):
        done = subprocess.run(["ssh", "-G", "-F", str(path), name], check=True, capture_output=True, text=True)
        shown[name] = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    head, node = shown["head"], shown["node32"]
    assert (head["hostname"], head["port"], head["user"]) == ("127.0.0.1", "2222", "root")
    assert (head["stricthostkeychecking"], head["userknownhostsfile"]) == ("true", "/srv/lab/known_hosts")
    assert (node["hostname"], node["identityfile"]) == ("10.0.1.32", "/srv/lab/id_ed25519")
    assert (node["stricthostkeychecking"], node["userknownhostsfile"]) == ("false", "/dev/null")
    assert node["proxycommand"] == "ssh -F /srv/lab/ssh_config -W %h:%p head"
