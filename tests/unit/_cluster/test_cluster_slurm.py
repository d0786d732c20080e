# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slurm.conf: lines that Slurm 22.05 has read."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist, members, slurm
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st

from .conftest import HEAD, rows

Head = members.parse_head(HEAD)


def conf(nodes: list[dict[str, t.Any]], **options: t.Any) -> str:
    return slurm.render_conf(members.parse_members(nodes), Head, slurm.parse_settings(options))


def values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith(("NodeName", "Partition")))


def node_pairs(text: str) -> dict[str, str]:
    """Names and addresses as Slurm pairs them."""
    found: dict[str, str] = {}
    for line in re.findall(r"^NodeName=(\S+) NodeAddr=(\S+) ", text, re.M):
        names, addresses = map(hostlist.expand, line)
        assert len(names) == len(addresses)
        found.update(zip(names, addresses))
    return found


def test_what_makes_it_configless() -> None:
    got = values(conf(rows()))
    assert got["SlurmctldParameters"] == "enable_configless"
    assert got["SlurmctldHost"] == "head(10.0.1.1)"
    assert (got["ReturnToService"], got["ProctrackType"]) == ("2", "proctrack/linuxproc")
    assert got["CommunicationParameters"] == "NoCtldInAddrAny,NoInAddrAny"


def test_kinds_of_nodes_share_a_line() -> None:
    lines = slurm.node_lines(members.parse_members(rows((31, 32, 40)) + rows((33, 34), cpus=4, memory_mb=8192)))
    assert lines == [
        "NodeName=node[31-32,40] NodeAddr=10.0.1.[31-32,40] CPUs=1 State=UNKNOWN",
        "NodeName=node[33-34] NodeAddr=10.0.1.[33-34] CPUs=4 RealMemory=7168 State=UNKNOWN",
    ]


def test_addresses_follow_the_names() -> None:
    nodes = rows((31, 32, 33))
    nodes[0]["ip"], nodes[2]["ip"] = nodes[2]["ip"], nodes[0]["ip"]
    text = conf(nodes)
    assert "NodeName=node[31-33] NodeAddr=10.0.1.[33,32,31] " in text
    assert node_pairs(text) == {node["name"]: node["ip"] for node in nodes}


def test_names_with_a_domain() -> None:
    text = conf([{"name": "n1.example.org", "ip": "10.0.1.5"}])
    assert "NodeName=n1 NodeAddr=10.0.1.5 CPUs=1 State=UNKNOWN" in text


@pytest.mark.parametrize("step", [1, 2])
def test_no_line_is_too_long_for_slurm(step: int) -> None:
    nodes = rows(range(31, 31 + 3000 * step, step))
    text = conf(nodes)
    assert max(map(len, text.splitlines())) < 1024
    assert node_pairs(text) == {node["name"]: node["ip"] for node in nodes}


@given(st.sets(st.integers(31, 400), min_size=1, max_size=150), st.sets(st.integers(31, 400)), st.randoms())
def test_every_node_has_its_own_address(numbers: set[int], large: set[int], random: t.Any) -> None:
    nodes = rows(numbers - large) + rows(numbers & large, cpus=4)
    random.shuffle(nodes)
    assert node_pairs(conf(nodes)) == {node["name"]: node["ip"] for node in nodes}


@pytest.mark.parametrize(("nominal", "want"), [(100, 1), (512, 256), (1024, 768), (2048, 1792), (65536, 57344)])
def test_usable_memory(nominal: int, want: int) -> None:
    assert slurm.usable_memory(nominal) == want


def test_settings() -> None:
    got = values(
        conf(
            rows(),
            cluster="mine",
            settings={"slurmdtimeout": 300, "KillWait": None, "GresTypes": ["gpu", "nic"], "DisableRootJobs": True},
        )
    )
    assert got["SlurmdTimeout"] == "300" and "KillWait" not in got and "slurmdtimeout" not in got
    assert (got["GresTypes"], got["DisableRootJobs"], got["ClusterName"]) == ("gpu,nic", "YES", "mine")


def test_partition_and_cgroups() -> None:
    text = conf(rows(), partition="batch", cgroups=True)
    assert text.endswith("PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
    assert values(text)["ProctrackType"] == "proctrack/cgroup"
    assert "ConstrainCores=yes" in slurm.render_cgroup(slurm.parse_settings({"cgroups": True}))
    assert slurm.render_cgroup(slurm.Settings()) == "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"cluster": "my cluster"}, "bad cluster name 'my cluster'"),
        ({"partition": ""}, "bad partition name ''"),
        ({"settings": {"Bad Key": 1}}, "bad keyword 'Bad Key'"),
        ({"settings": {"NodeName": "x"}}, "NodeName comes from the node list"),
        ({"settings": {"partitionname": "x"}}, "comes from the node list"),
        ({"settings": {"SlurmctldHost": "x"}}, "comes from the node list"),
        ({"settings": {"Include": "/etc/passwd"}}, "comes from the node list"),
        ({"settings": {"KillWait": "3\nNodeName=x"}}, "slurm.conf: KillWait is"),
        ({"settings": {"KillWait": " "}}, "slurm.conf: KillWait is ' '"),
        ({"settings": {"Prolog": "/x # y"}}, "slurm.conf: Prolog is"),
    ],
)
def test_refused(options: dict[str, t.Any], what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        conf(rows(), **options)
