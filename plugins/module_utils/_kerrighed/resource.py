# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File and membership together, as one resource. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, plan_files
from .._host.host import File, Host
from .krgadm import Krgadm, MemberPlan, cmdline, plan
from .nodes_file import Node, NodesFile, check, in_format, merge, parse, render, without


@dataclass(frozen=True)
class Wanted:
    """What the options ask for; ``ids`` by name, also of nodes whose line has none."""

    path: str
    file: NodesFile
    ids: t.Mapping[str, int]
    format: str
    merged: bool
    absent: bool
    max_id: int
    cmdline_ids: bool
    membership: str
    members: tuple[int, ...]


def _node(item: t.Mapping[str, t.Any], position: int) -> Node:
    if not item.get("name"):
        raise ClusterError("node %d of the list has no name" % position, "each node is a mapping with name and id")
    number = item.get("id", item.get("node_id"))
    if number is not None and not str(number).strip().isdigit():
        raise ClusterError("%s: the id is %r" % (item["name"], number), "a number from 0 to 255")
    return Node(str(item["name"]), str(item.get("interface") or "eth0"), None if number is None else int(number))


def parse_wanted(options: t.Mapping[str, t.Any], host: Host) -> Wanted:
    """From a module's options; ClusterError names the node that is wrong."""
    nodes = tuple(_node(item, position) for position, item in enumerate(options["nodes"], 1))
    ids = {node.name: node.id for node in nodes if node.id is not None}
    told = options["cmdline_ids"]
    members = options["members"]
    return Wanted(
        path=options["path"],
        file=NodesFile(options["session"], options["nbmin"], nodes),
        ids=ids,
        format=options["format"],
        merged=options["mode"] == "merge",
        absent=options["state"] == "absent",
        max_id=options["max_id"],
        cmdline_ids=cmdline(host, "node_id") is not None if told is None else told,
        membership=options["membership"],
        members=tuple(sorted(set(ids.values() if members is None else members))),
    )


def target(wanted: Wanted, current: bytes | None) -> NodesFile | None:
    """The file as it shall be, None for no file; ClusterError for what a kernel would choke on."""
    now = None
    if wanted.merged and current is not None:
        now = parse(current.decode("utf-8", "replace"), wanted.path)
    if wanted.absent:
        left = without(now, [node.name for node in wanted.file.nodes]) if now and wanted.merged else None
        if left is None or not left.nodes:
            return None
        check(left, wanted.max_id, True, wanted.path)
        return left
    # All names and ids are judged before the ids are left out.
    check(replace(wanted.file, session=1, nbmin=None), wanted.max_id, True, wanted.path)
    file = merge(now, wanted.file) if now else wanted.file
    file = replace(file, nodes=in_format(file.nodes, wanted.format))
    check(file, wanted.max_id, wanted.cmdline_ids, wanted.path)
    return file


def plan_file(wanted: Wanted, file: NodesFile | None, host: Host) -> FilePlan:
    """Compare with the host; a file that shall not be is removed when it is there."""
    if file is None:
        return plan_files(host, {}, [wanted.path] if host.read(wanted.path) is not None else [])
    return plan_files(host, {wanted.path: File(render(file).encode())})


@dataclass(frozen=True)
class Membership:
    """What is to do, or was done, in the running cluster."""

    tool: Krgadm
    wanted: Wanted
    steps: MemberPlan = field(default_factory=MemberPlan)
    states: t.Mapping[int, str] = field(default_factory=dict)
    up: bool | None = None
    changed: bool = False
    actions: t.Sequence[t.Sequence[str]] = ()

    @property
    def exact(self) -> bool:
        return self.wanted.membership == "exact"

    def carry_out(self, timeout: float) -> Membership:
        """Bring the members in; the same with the states afterwards and the commands that were run."""
        if self.steps.done:
            return self
        states = self.tool.bring(self.wanted.members, self.exact, timeout)
        return replace(self, states=states, actions=self.tool.host.actions)

    def diff(self) -> list[dict[str, str]]:
        """Lines ``add 2``, ``remove 3``, in Ansible's form."""
        pairs = (("add", (*self.steps.add, *self.steps.wait)), ("remove", self.steps.remove))
        text = "".join("%s %d\n" % (word, number) for word, numbers in pairs for number in numbers)
        return [{"before_header": "members", "after_header": "members", "before": "", "after": text}] if text else []


def plan_members(wanted: Wanted, tool: Krgadm) -> Membership:
    """Compare with the running cluster; ClusterError where there is no Kerrighed, or no running cluster."""
    if wanted.membership == "ignore":
        return Membership(tool, wanted)
    if not tool.found.supported:
        raise ClusterError(
            "no membership without Kerrighed: " + tool.found.reason,
            "membership=ignore writes the file alone; the engine slurm makes a cluster of today's kernels",
        )
    if not wanted.members:
        raise ClusterError("no members are given", "give members, or nodes with ids")
    if not tool.up():
        raise ClusterError("the Kerrighed cluster is down", "start it on its boot node first (krgboot)")
    states = tool.nodes()
    steps = plan(states, wanted.members, wanted.membership == "exact", tool.found.node_id)
    return Membership(tool, wanted, steps, states, True, not steps.done, tool.argvs(steps))
