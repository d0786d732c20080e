# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of a cluster from the node list."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import members
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st

A: dict[str, t.Any] = {"name": "a1", "ip": "10.0.1.31", "node_id": 1}
B: dict[str, t.Any] = {"name": "b1", "ip": "10.0.1.32", "node_id": 2}


def test_a_node_of_the_node_list() -> None:
    item = dict(A, mac="52:54:00:0a:01:1f", interface="eth0", kernel_options=[], cpus="4", memory_mb=None, rack="")
    assert members.parse_member(item) == members.Member("a1", "10.0.1.31", 1, 4)
    assert members.parse_member({"name": "n.example.org", "ip": "10.0.1.2"}).short == "n"


def test_sorted_by_id_then_name() -> None:
    nodes = [B, {"name": "z", "ip": "10.0.1.9"}, {"name": "c", "ip": "10.0.1.8"}, A]
    assert [one.name for one in members.parse_members(nodes)] == ["a1", "b1", "c", "z"]


@given(st.permutations(range(5)))
def test_a_shuffled_list_is_the_same(order: list[int]) -> None:
    nodes = [dict(A, name="n%d" % n, ip="10.0.1.%d" % n, node_id=n) for n in range(5)]
    assert members.parse_members([nodes[n] for n in order]) == members.parse_members(nodes)


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ([], "the node list is empty"),
        ([A, dict(B, name="A1")], "same name"),
        ([A, dict(B, ip="10.0.1.31")], "a1 and b1 have the same IP address 10.0.1.31"),
        ([A, dict(B, node_id=1)], "a1 and b1 have the same node_id 1"),
        ([dict(A, name="x.a"), dict(B, name="x.b")], "x.a and x.b have the same short host name x"),
        ([A, dict(B, name="head")], "same name head"),
        ([A, dict(B, ip="10.0.1.1")], "same IP address 10.0.1.1"),
        ([A, {}], "node 2 of the list has no name"),
        ([A, "b"], "node 2 of the list has no name"),
        ([{"name": "a"}], "a has no ip.*node_ip"),
        ([dict(A, name="a b")], "node 1 of the list: bad name 'a b'"),
        ([dict(A, name="-a")], "bad name"),
        ([dict(A, ip="10.0.1.256")], "a1: malformed IP address '10.0.1.256'"),
        ([dict(A, cpus=0)], "a1: cpus is 0"),
        ([dict(A, cpus=True)], "a1: cpus is True"),
        ([dict(A, memory_mb="1G")], "a1: memory_mb is '1G'"),
        ([dict(A, node_id=-1)], "a1: node_id is -1"),
        ([dict(A, rack="r 1")], "a1: bad rack 'r 1'"),
        ([dict(A, profile="x\ny")], "a1: bad profile"),
    ],
)
def test_refused(nodes: list[t.Any], what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        members.parse_members(nodes, {"name": "head", "ip": "10.0.1.1"})


@pytest.mark.parametrize("head", [{"name": "head"}, {"ip": "10.0.1.1"}, {"name": "", "ip": ""}])
def test_half_a_head(head: dict[str, str]) -> None:
    with pytest.raises(ClusterError, match="the head has no name or no ip"):
        members.parse_members([A], head)
