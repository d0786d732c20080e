# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""krgadm: the fake's table, parsing, plans, and membership against the fake as a real program."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._kerrighed import krgadm
from hypothesis import given
from hypothesis import strategies as st

DONE = r"Adding nodes \[%s\].*done"


# The fake tells what the original told.


@pytest.mark.parametrize(
    ("words", "rc", "out", "err"),
    [
        ("cluster", 0, "status: up on 1 nodes\n", ""),
        ("cluster status", 0, "status: up on 1 nodes\n", ""),
        ("cluster start", 0, "usage", ""),
        ("foo", 0, "usage", ""),
        ("", 0, "usage", ""),
        ("nodes", 0, "1:online\n2:present\n3:present\n", ""),
        ("nodes status -n 1,3,9", 0, "1:online\n3:present\n", ""),
        ("nodes add", 1, "", "usage"),
        ("nodes add -n x", 1, "", "node: Invalid argument"),
        ("nodes add -a -n 1", 1, "", "Only one of --all"),
        ("nodes add -n 2", 0, "Waiting for nodes to join...    2:1 done\nAdding nodes [2]... done\n", ""),
        ("nodes add -n 1", 0, "No present node to add.\n", ""),
        ("nodes add -c 1", 0, "Adding nodes [2]... done\n", ""),
        ("nodes add -t 1", 0, "No present node to add.\n", ""),
        ("nodes del -n 1", 0, "Unable to suppress current node.\nNo online node to remove.\n", ""),
        ("nodes del -n 7", 0, "Unable to suppress node 7 (must be 'online').\nNo online node to remove.\n", ""),
        ("cluster poweroff", 0, "Shutting down cluster... done\n", ""),
    ],
)
def test_the_fake(cluster: t.Any, words: str, rc: int, out: str, err: str) -> None:
    got = cluster.run(*words.split())
    assert (got[0], err in got[2]) == (rc, True)
    assert out in got[1]


def test_the_fake_when_down(cluster: t.Any) -> None:
    cluster.set({1: "present", 2: "present"})
    assert cluster.run("cluster") == (0, "status: down\n", "")
    rc, out, err = cluster.run("nodes", "add", "-a")
    assert (rc, out, err) == (1, "Adding nodes [1,2]... ", "fail: Operation not permitted\n")
    assert cluster.run("cluster", "reboot") == (1, "Shutting down cluster... fail (cluster not running)\n", "")
    cluster.set({}, service="none")
    assert cluster.run("nodes") == (1, "", "Kerrighed is not running: No such file or directory\n")


def test_the_fake_waits_for_ever(cluster: t.Any) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([str(cluster.program), "nodes", "add", "-n", "9"], capture_output=True, timeout=0.4, check=False)


# Parsing.


@pytest.mark.parametrize(
    ("text", "version", "want"),
    [
        ("", "3.0", {}),
        ("1:online\n2:present\n", "3.0", {1: "online", 2: "present"}),
        ("12:possible\n\n", "3.0", {12: "possible"}),
        ("  1:3   2:2 \n", "2.x", {1: "online", 2: "present"}),
        ("\n", "2.x", {}),
    ],
)
def test_parse_nodes(text: str, version: str, want: dict[int, str]) -> None:
    assert krgadm.parse_nodes(text, version) == want


@pytest.mark.parametrize(
    ("text", "version"),
    [("1:up\n", "3.0"), ("usage: krgadm\n", "3.0"), ("1 online", "3.0"), ("Are you sure", "2.x"), ("1:9 ", "2.x")],
)
def test_parse_nodes_refuses(text: str, version: str) -> None:
    with pytest.raises(ClusterError, match="krgadm nodes"):
        krgadm.parse_nodes(text, version)


@pytest.mark.parametrize(
    ("text", "version", "want"),
    [
        ("status: up on 3 nodes\n", "3.0", True),
        ("status: up on 1 node\n", "3.0", True),
        ("status: down\n", "3.0", False),
        ("  0:1 \n", "2.x", True),
        ("No running cluster\n", "2.x", False),
    ],
)
def test_parse_cluster(text: str, version: str, want: bool) -> None:
    assert krgadm.parse_cluster(text, version) is want


@pytest.mark.parametrize(
    ("text", "version"),
    [("usage: krgadm", "3.0"), ("", "3.0"), ("", "2.x"), ("Are you sure to be on a Kerrighed node ?", "2.x")],
)
def test_parse_cluster_refuses(text: str, version: str) -> None:
    with pytest.raises(ClusterError, match="krgadm cluster printed"):
        krgadm.parse_cluster(text, version)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Adding nodes [3]... done\n", [3]),
        ("Waiting for nodes to join...    2:1 done\nAdding nodes [2,3]\x7f9]\n... done\n", [2, 3]),
        ("Removing nodes [2-4]... done\n", [2, 3, 4]),
        ("No present node to add.\n", None),
        ("Adding nodes [1,2]... ", None),
        ("Adding nodes []... done", []),
        ("Adding nodes [-,2-]... done", []),
    ],
)
def test_parse_done(text: str, want: list[int] | None) -> None:
    assert krgadm.parse_done(text) == want


@given(st.text(max_size=60), st.sampled_from(["3.0", "2.x"]))
def test_parsers_are_total(text: str, version: str) -> None:
    krgadm.parse_done("[" + text + "] done")
    for parse in (krgadm.parse_nodes, krgadm.parse_cluster):
        try:
            parse(text, version)
        except ClusterError:
            pass


# What the machine has.


@pytest.mark.parametrize(
    ("files", "script", "want"),
    [
        (
            {"/sys/kerrighed/node_id": b"2\n", "/sys/kerrighed/session_id": b"5\n", "/proc/nodes/nrnodes": b"x"},
            {},
            krgadm.Kerrighed("3.0", "", 5, 2),
        ),
        (
            {"/proc/nodes/nrnodes": b"x", "/proc/cmdline": b"quiet node_id=4 session_id=1"},
            {},
            krgadm.Kerrighed("2.x", "", 1, 4),
        ),
        ({}, {}, krgadm.Kerrighed("", "the module kerrighed is there but not loaded")),
    ],
)
def test_detect(files: dict[str, bytes], script: dict[str, t.Any], want: krgadm.Kerrighed) -> None:
    assert krgadm.detect(MemoryHost(files, script)) == want


def test_detect_nothing() -> None:
    found = krgadm.detect(MemoryHost({}, {"modinfo kerrighed": (1, "", "not found")}))
    assert not found.supported and "no /sys/kerrighed" in found.reason


@pytest.mark.parametrize(
    ("text", "want"),
    [(b"", None), (b"node_id=3", 3), (b"node_id=1 node_id=2", 2), (b"xnode_id=3", None), (b"node_id=", None)],
)
def test_cmdline(text: bytes, want: int | None) -> None:
    assert krgadm.cmdline(MemoryHost({"/proc/cmdline": text}), "node_id") == want


# Plans.


@pytest.mark.parametrize(
    ("states", "members", "exact", "want"),
    [
        ({1: "online"}, [1], False, krgadm.MemberPlan()),
        ({1: "online", 2: "present"}, [1, 2], False, krgadm.MemberPlan(add=(2,))),
        ({1: "online", 2: "possible"}, [1, 2, 9], False, krgadm.MemberPlan(wait=(2, 9))),
        ({1: "online", 2: "online"}, [1], False, krgadm.MemberPlan()),
        ({1: "online", 2: "online", 3: "present"}, [1, 3], True, krgadm.MemberPlan((3,), (2,))),
    ],
)
def test_plan(states: dict[int, str], members: list[int], exact: bool, want: krgadm.MemberPlan) -> None:
    assert krgadm.plan(states, members, exact, 1) == want
    assert want.done == (want == krgadm.MemberPlan())


def test_plan_never_removes_its_own_node() -> None:
    with pytest.raises(ClusterError, match="node 1 cannot remove itself"):
        krgadm.plan({1: "online", 2: "online"}, [2], True, 1)


@given(
    st.dictionaries(st.integers(0, 9), st.sampled_from(krgadm.STATES)),
    st.sets(st.integers(0, 9), min_size=1),
    st.booleans(),
)
def test_plan_adds_only_what_is_present(states: dict[int, str], members: set[int], exact: bool) -> None:
    plan = krgadm.plan(states, members, exact, None)
    assert all(states[number] == "present" for number in plan.add)
    assert all(states[number] == "online" and number not in members for number in plan.remove)
    assert all(states.get(number) not in ("present", "online") for number in plan.wait)
    after = {**states, **dict.fromkeys((*plan.add, *plan.wait), "online"), **dict.fromkeys(plan.remove, "present")}
    assert krgadm.plan(after, members, exact, None).done


# Membership, with the fake.


def test_nodes_join(cluster: t.Any) -> None:
    tool = cluster.tool()
    assert tool.up() and tool.found.node_id == 1
    assert set(tool.bring([1, 2, 3], False, 5).values()) == {"online"}
    assert cluster.host.actions == [[str(cluster.program), "nodes", "add", "-n", "2,3"]]
    assert tool.bring([1, 2, 3], False, 5) and len(cluster.host.actions) == 1


def test_a_node_that_boots_late_is_waited_for(cluster: t.Any) -> None:
    cluster.ticks = [{}, {4: "possible"}, {4: "present"}]
    assert cluster.tool().bring([1, 4], False, 9)[4] == "online"
    assert cluster.host.actions == [[str(cluster.program), "nodes", "add", "-n", "4"]]
    assert cluster.now == 3.0


def test_an_absent_node_is_never_added(cluster: t.Any) -> None:
    with pytest.raises(ClusterError, match=r"node 9 is absent.*boot the absent nodes") as caught:
        cluster.tool().bring([1, 2, 9], False, 3)
    assert "node 2" not in str(caught.value) and cluster.nodes()[2] == "online"
    assert cluster.host.actions == [[str(cluster.program), "nodes", "add", "-n", "2"]]


def test_exact_removes_the_others(cluster: t.Any) -> None:
    cluster.set({1: "online", 2: "online", 3: "present"})
    assert cluster.tool().bring([1, 3], True, 5) == {1: "online", 2: "present", 3: "online"}


def test_a_done_that_is_a_lie(cluster: t.Any) -> None:
    cluster.set({1: "online", 2: "present"}, lies="yes")
    cluster.now = 0.0
    clock = iter(range(100))
    tool = krgadm.Krgadm(
        cluster.host, krgadm.detect(cluster.host), str(cluster.program), lambda: float(next(clock)), cluster.sleep
    )
    with pytest.raises(ClusterError, match="node 2 is present"):
        tool.bring([1, 2], False, 2)


def test_a_node_that_is_lost_while_it_is_added(cluster: t.Any) -> None:
    """Between reading and adding a node may go; then krgadm waits for ever, and we do not."""
    tool = cluster.tool(call_seconds=0.5)
    read = tool.nodes
    tool.nodes = lambda: (read(), cluster.set({1: "online", 2: "possible"}))[0]
    with pytest.raises(ClusterError, match=r"did not end within 0\.5 s"):
        tool.bring([1, 2], False, 3)


@pytest.mark.parametrize(
    ("nodes", "words", "what"),
    [
        ({1: "present"}, {}, "cluster is down"),
        ({}, {"service": "none"}, "Kerrighed is not running: No such file"),
    ],
)
def test_no_cluster(cluster: t.Any, nodes: dict[int, str], words: dict[str, str], what: str) -> None:
    cluster.set(nodes, **words)
    with pytest.raises(ClusterError, match=what):
        cluster.tool().bring([1], False, 1)
    assert cluster.host.actions == []
    if words:
        with pytest.raises(ClusterError, match=what):
            cluster.tool().nodes()


def test_2x(cluster: t.Any) -> None:
    cluster.set({1: "online", 2: "present"}, version=2)
    del cluster.host.files["/sys/kerrighed/node_id"]
    for name in ("session_id", "max_nodes"):
        del cluster.host.files["/sys/kerrighed/" + name]
    tool = cluster.tool()
    assert (tool.found.version, tool.found.node_id, tool.up()) == ("2.x", 1, True)
    assert tool.nodes() == {1: "online", 2: "present"}
