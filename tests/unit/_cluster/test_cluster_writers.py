# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every writer against the file that its tool has read, in tests/golden/cluster."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist, members, writers
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost

from .conftest import HEAD, rows

GOLDEN = Path(__file__).parents[2] / "golden" / "cluster"
CASES = [(name, path) for name in writers.NAMES for path in writers.paths_of(name, {})]


def one(name: str, rack: writers.Cluster, **paths: t.Any) -> writers.Files:
    return writers.render([name], rack, paths, MemoryHost())[name]


@pytest.mark.parametrize(("name", "path"), CASES)
def test_golden(rack: writers.Cluster, name: str, path: str) -> None:
    golden = GOLDEN / ("%s-%s" % (name, os.path.basename(path)))
    assert one(name, rack)[path] == golden.read_text()


def test_clustershell_groups_expand_to_the_nodes(rack: writers.Cluster) -> None:
    flat, sources = one("clustershell", rack).values()
    groups = dict(line.split(": ") for line in flat.splitlines()[1:])
    assert hostlist.expand(groups["all"]) == rack.names and groups["head"] == "head"
    tree = yaml.safe_load(sources)
    assert tree["rack"] == {"r.1": "node[31-32]", "r2": "node[33,40]"}
    assert {name for text in tree["profile"].values() for name in hostlist.expand(text)} == set(rack.names)


def test_without_a_head_and_racks() -> None:
    plain = writers.Cluster(members.parse_members(rows()))
    flat, sources = one("clustershell", plain).values()
    assert "head" not in flat and yaml.safe_load(sources) == {"profile": {"default": "node[31-33]"}}
    assert "rack" not in one("genders", plain)["/etc/genders"]
    assert "head" not in one("hosts", plain)["/etc/hosts"]
    with pytest.raises(ClusterError, match="the writer slurm needs the head"):
        one("slurm", plain)


def test_dolly_lines_count_right(rack: writers.Cluster) -> None:
    first, last, count, *clients = one("dolly", rack)["/etc/xtreemos/dolly-clients"].splitlines()
    assert clients.pop() == "endconfig" and count == "clients %d" % len(clients)
    assert (first, last) == ("firstclient " + clients[0], "lastclient " + clients[-1])


def test_paths(rack: writers.Cluster) -> None:
    assert list(one("genders", rack, genders="/x/g")) == ["/x/g"]
    assert next(iter(one("slurm", rack, slurm="/x/s"))) == "/x/s"
    assert list(one("slurm", rack, slurm=["/x/s", "/x/c", "/x/u"])) == ["/x/s", "/x/c", "/x/u"]


@pytest.mark.parametrize(
    ("names", "paths", "what"),
    [
        (["genders", "lsf"], {}, "no writer is called lsf"),
        (["genders"], {"lsf": "/x"}, "no writer is called lsf"),
        (["genders"], {"genders": "etc/genders"}, "at most 1 absolute paths"),
        (["genders"], {"genders": ["/a", "/b"]}, "at most 1 absolute paths"),
        (["genders", "pdsh"], {"genders": "/a", "pdsh": "/a"}, "/a is written twice, also by pdsh"),
    ],
)
def test_refused(rack: writers.Cluster, names: list[str], paths: dict[str, t.Any], what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        writers.plan(writers.render(names, rack, paths, MemoryHost()), MemoryHost())


def test_only_what_changed_is_written(rack: writers.Cluster) -> None:
    host = MemoryHost({"/etc/hosts": b"127.0.0.1 localhost\n127.0.1.1 head\n\xff\n"})
    first = writers.plan(writers.render(writers.NAMES, rack, {}, host), host)
    assert first.paths == sorted(path for _name, path in CASES)
    host.write_files(first.writes)
    assert host.files["/etc/hosts"].startswith(b"127.0.0.1 localhost\n\xff\n# BEGIN")
    assert not writers.plan(writers.render(writers.NAMES, rack, {}, host), host).changed
    moved = replace(rack, members=(*rack.members[:3], replace(rack.members[3], rack="r.1")))
    again = writers.plan(writers.render(writers.NAMES, moved, {}, host), host)
    assert again.paths == ["/etc/clustershell/groups.d/cluster.yaml", "/etc/genders"]


def test_a_thousand_nodes_are_one_line_each() -> None:
    many = writers.Cluster(members.parse_members(rows(range(31, 1031))), None)
    assert len(one("genders", many)["/etc/genders"].splitlines()) == 1001
    assert one("clustershell", many)["/etc/clustershell/groups.d/local.cfg"].count("\n") == 3


def test_the_head_is_no_member(rack: writers.Cluster) -> None:
    assert HEAD["name"] not in rack.names
