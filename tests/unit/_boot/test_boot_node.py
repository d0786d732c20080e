# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node list: every field, every twin, every bad value."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter.node_list import FilterModule, node_list
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import (
    Node,
    nodes_from_hostvars,
    parse_mac,
    parse_nodes,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st

MAC = "52:54:00:0a:01:1f"


def item(number: int = 31, **more: t.Any) -> dict[str, t.Any]:
    plain = {"name": "node%d" % number, "mac": "52:54:00:0a:01:%02x" % number, "ip": "10.0.1.%d" % number}
    return dict(plain, node_id=number - 30, **more)


@pytest.mark.parametrize(
    "text",
    [MAC, MAC.upper(), "52-54-00-0A-01-1F", "5254000a011f", "5254.000a.011f", " 52:54:00:0a:01:1f "],
)
def test_mac_notations(text: str) -> None:
    assert parse_mac(text, "node31") == MAC


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("52:54:00:0a:01", "malformed MAC address"),
        ("52:54:00:0a:01:1f:00", "malformed MAC address"),
        ("52:54:00:0a:01:1g", "malformed MAC address"),
        ("52:54-00:0a-01:1f", "malformed MAC address"),
        ("52540.00a011f", "malformed MAC address"),
        ("", "malformed MAC address"),
        (None, "malformed MAC address"),
        (42231133131, "quote it"),
        ("01:00:5e:00:00:01", "no address of a network card"),
        ("ff:ff:ff:ff:ff:ff", "no address of a network card"),
        ("00:00:00:00:00:00", "no address of a network card"),
    ],
)
def test_bad_mac(value: object, told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        parse_mac(value, "node31")
    assert told in str(caught.value)
    assert "node31" in caught.value.message


@given(st.binary(min_size=6, max_size=6).filter(lambda raw: not raw[0] & 1 and any(raw)))
def test_every_card_address_has_one_form(raw: bytes) -> None:
    colons = ":".join("%02x" % octet for octet in raw)
    for text in (colons, colons.upper(), colons.replace(":", "-"), colons.replace(":", "")):
        assert parse_mac(text, "x") == colons


def test_defaults_and_names() -> None:
    (node,) = parse_nodes([item()])
    assert node == Node("node31", MAC, "10.0.1.31", 1)
    assert node.boot_name == "01-52-54-00-0a-01-1f"
    assert parse_nodes([node.as_dict()]) == (node,)


def test_all_fields_and_texts() -> None:
    more = {"interface": "eno1", "profile": "big", "kernel_options": "quiet panic=30", "cpus": "8", "rack": "r1"}
    (node,) = parse_nodes([item(memory_mb="2048", **more)])
    assert (node.interface, node.profile, node.cpus, node.memory_mb, node.rack) == ("eno1", "big", 8, 2048, "r1")
    assert node.kernel_options == ("quiet", "panic=30")


def test_sorted_by_id_then_name_whatever_the_order() -> None:
    items = [item(33), item(31), item(32)]
    assert [node.name for node in parse_nodes(items)] == ["node31", "node32", "node33"]
    assert parse_nodes(items[::-1]) == parse_nodes(items)


def test_empty_list() -> None:
    with pytest.raises(ClusterError, match="node list is empty"):
        parse_nodes([])
    assert parse_nodes([], allow_empty=True) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mac": "52-54-00-0A-01-1F"}, "the same MAC address 52:54:00:0a:01:1f"),
        ({"ip": "10.0.1.31"}, "the same IP address 10.0.1.31"),
        ({"node_id": 1}, "the same node_id 1"),
        ({"name": "NODE31"}, "the same name node31"),
    ],
)
def test_twins_are_both_named(change: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        parse_nodes([item(31), dict(item(32), **change)])
    text = str(caught.value)
    assert told in text
    assert "node31" in text and ("node32" in text or "NODE31" in text)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "node 1 of the list has no name"),
        ({"name": "no de"}, "bad name 'no de'"),
        ({"name": "-node"}, "bad name"),
        ({"name": "node_1"}, "bad name"),
        ({"name": "node.\n"}, "bad name"),
        ({"name": ".".join(["a" * 60] * 5)}, "too long"),
        ({"mac": None}, "node31 has no mac (set node_mac in the variables of host node31)"),
        ({"ip": ""}, "node31 has no ip (set node_ip or ansible_host"),
        ({"ip": "10.0.1.300"}, "node31: malformed IP address '10.0.1.300'"),
        ({"ip": "head"}, "node31: malformed IP address 'head'"),
        ({"node_id": None}, "node31 has no node_id"),
        ({"node_id": -1}, "node_id is -1"),
        ({"node_id": "one"}, "node_id is 'one'"),
        ({"node_id": True}, "node_id is True"),
        ({"node_id": 65536}, "an integer from 0 to 65535"),
        ({"interface": "eth 0"}, "bad interface"),
        ({"interface": "a" * 16}, "bad interface"),
        ({"profile": "a b"}, "bad profile"),
        ({"rack": "r/1"}, "bad rack"),
        ({"cpus": 0}, "cpus is 0"),
        ({"memory_mb": "lots"}, "memory_mb is 'lots'"),
        ({"kernel_options": ["two words"]}, "kernel_options holds 'two words'"),
        ({"kernel_options": ["x\ny"]}, "kernel_options holds"),
        ({"kernel_options": ["a=${net0/ip}"]}, "kernel_options holds"),
        ({"kernel_options": [1]}, "kernel_options holds 1"),
        ({"kernel_options": {"a": 1}}, "a list of words"),
        ({"colour": "red"}, "node31: unknown key colour"),
    ],
)
def test_bad_fields(change: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        parse_nodes([dict(item(), **change)])
    assert told in str(caught.value)
    assert caught.value.hint


def test_an_item_that_is_no_mapping() -> None:
    with pytest.raises(ClusterError, match="node 2 of the list is 'node32'"):
        parse_nodes([item(), "node32"])


@given(st.lists(st.dictionaries(st.sampled_from(["name", "mac", "ip", "node_id", "rack"]), st.text() | st.integers())))
def test_any_input_gives_nodes_or_one_error(items: list[dict[str, t.Any]]) -> None:
    try:
        nodes = parse_nodes(items, allow_empty=True)
    except ClusterError as error:
        assert error.message and error.hint
    else:
        assert len(nodes) == len(items)


HOSTVARS: dict[str, dict[str, t.Any]] = {
    "node32": {"node_mac": "52-54-00-0A-01-20", "node_id": "2", "ansible_host": "10.0.1.32"},
    "node31": {
        "node_mac": MAC,
        "node_id": 1,
        "node_ip": "10.0.1.31",
        "ansible_host": "127.0.0.1",
        "node_memory_mb": 512,
    },
    "head": {"ansible_host": "127.0.0.1"},
}


def test_filter_reads_host_variables() -> None:
    nodes = node_list(["node32", "node31"], HOSTVARS)
    assert [node["name"] for node in nodes] == ["node31", "node32"]
    assert nodes[0]["ip"] == "10.0.1.31" and nodes[0]["memory_mb"] == 512
    assert nodes[1]["mac"] == "52:54:00:0a:01:20" and nodes[1]["node_id"] == 2
    assert nodes[1]["interface"] == "eth0" and nodes[1]["kernel_options"] == [] and nodes[1]["rack"] is None
    assert FilterModule().filters()["node_list"] is node_list
    assert node_list([], HOSTVARS) == []


def test_filter_errors_name_the_host() -> None:
    with pytest.raises(AnsibleFilterError, match="head has no mac"):
        node_list(["head"], HOSTVARS)
    with pytest.raises(ClusterError, match="node99 is no host of the inventory"):
        nodes_from_hostvars(["node99"], HOSTVARS)
