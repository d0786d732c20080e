# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One node list, the files of many tools. This module util is private to the collection.

Sources of the formats: groups.conf(5) of ClusterShell 1.9, libgenders(3), pdsh(1), mpirun(1), taktuk(1) of Debian 12.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, plan_files
from .._host.host import File, Host
from . import hosts, slurm
from .hostlist import fold
from .members import Member

HEADER = "# Managed by xtreemos.cluster: changes made here are overwritten.\n"


@dataclass(frozen=True)
class Cluster:
    """What the writers render: the nodes, and where a writer needs them the head and Slurm's settings."""

    members: tuple[Member, ...]
    head: Member | None = None
    slurm: slurm.Settings = field(default_factory=slurm.Settings)

    def need_head(self, writer: str) -> Member:
        if self.head is None:
            raise ClusterError("the writer %s needs the head" % writer, "give head.name and head.ip")
        return self.head

    def groups(self, key: t.Callable[[Member], str | None]) -> dict[str, list[str]]:
        """Names of the nodes by a property, sorted; nodes without it are in no group."""
        found: dict[str, list[str]] = {}
        for member in self.members:
            group = key(member)
            if group:
                found.setdefault(group, []).append(member.name)
        return dict(sorted(found.items()))

    @property
    def names(self) -> list[str]:
        return [member.name for member in self.members]


Files = t.Dict[str, str]


def _clustershell(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    """The flat file is the default source, so that ``clush -a`` means the nodes; the other names its own sources."""
    flat = {"all": fold(cluster.names), "nodes": fold(cluster.names)}
    if cluster.head:
        flat["head"] = cluster.head.name
    sources = {"rack": cluster.groups(lambda one: one.rack), "profile": cluster.groups(lambda one: one.profile)}
    rows = []
    for source, groups in sources.items():
        if groups:
            rows += [source + ":", *("    '%s': '%s'" % (name, fold(found)) for name, found in groups.items())]
    text = "".join("%s: %s\n" % pair for pair in sorted(flat.items()))
    return {paths[0]: HEADER + text, paths[1]: HEADER + "\n".join(rows) + "\n"}


def _genders(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    rows = [HEADER]
    for one in cluster.members:
        values = [
            "nodes",
            "ip=" + one.ip,
            "cpus=%d" % one.cpus,
            "profile=" + one.profile,
            "rack=" + one.rack if one.rack else "",
            "node_id=%d" % one.node_id if one.node_id is not None else "",
        ]
        # The database knows hosts by their short names.
        rows.append("%s %s\n" % (one.short, ",".join(filter(None, values))))
    return {paths[0]: "".join(rows)}


def _listed(rows: t.Iterable[str]) -> str:
    return HEADER + "".join(row + "\n" for row in rows)


def _pdsh(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    """Groups of dsh, which ``pdsh -g`` reads with its module dshgroup."""
    return {paths[0]: _listed(cluster.names)}


def _openmpi(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    return {paths[0]: _listed("%s slots=%d" % (one.name, one.cpus) for one in cluster.members)}


def _taktuk(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    """One host per line and nothing else: taktuk takes every line for a host."""
    return {paths[0]: "".join(name + "\n" for name in cluster.names)}


def _dolly(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    """The client lines of dolly.cfg, from ``firstclient`` to ``endconfig``; the chain follows the node ids."""
    addresses = [one.ip for one in cluster.members]
    first = ["firstclient " + addresses[0], "lastclient " + addresses[-1], "clients %d" % len(addresses)]
    return {paths[0]: "".join(row + "\n" for row in [*first, *addresses, "endconfig"])}


def _slurm(cluster: Cluster, paths: t.Sequence[str]) -> Files:
    head = cluster.need_head("slurm")
    conf = slurm.render_conf(cluster.members, head, cluster.slurm)
    unit = HEADER + slurm.UNIT
    return {paths[0]: HEADER + conf, paths[1]: HEADER + slurm.render_cgroup(cluster.slurm), paths[2]: unit}


Writer = t.Callable[[Cluster, t.Sequence[str]], Files]
WRITERS: t.Mapping[str, tuple[Writer, tuple[str, ...]]] = {
    "clustershell": (
        _clustershell,
        ("/etc/clustershell/groups.d/local.cfg", "/etc/clustershell/groups.d/cluster.yaml"),
    ),
    "dolly": (_dolly, ("/etc/xtreemos/dolly-clients",)),
    "genders": (_genders, ("/etc/genders",)),
    "openmpi": (_openmpi, ("/etc/openmpi/openmpi-default-hostfile",)),
    "pdsh": (_pdsh, ("/etc/dsh/group/nodes",)),
    "slurm": (_slurm, ("/etc/slurm/slurm.conf", "/etc/slurm/cgroup.conf", slurm.DROP_IN)),
    "taktuk": (_taktuk, ("/etc/xtreemos/taktuk-hosts",)),
}
HOSTS = "hosts"
NAMES = sorted([*WRITERS, HOSTS])


def paths_of(writer: str, chosen: t.Mapping[str, t.Any]) -> list[str]:
    """Where a writer writes; ``chosen`` maps writers to a path, or a list of as many paths as it has files."""
    usual = ["/etc/hosts"] if writer == HOSTS else list(WRITERS[writer][1])
    wanted = chosen.get(writer, usual)
    paths = [wanted] if isinstance(wanted, str) else list(wanted)
    paths += usual[len(paths) :]
    if len(paths) != len(usual) or not all(str(path).startswith("/") for path in paths):
        raise ClusterError("paths of the writer %s are %r" % (writer, wanted), "at most %d absolute paths" % len(usual))
    return [str(path) for path in paths]


def render(writers: t.Iterable[str], cluster: Cluster, paths: t.Mapping[str, t.Any], host: Host) -> dict[str, Files]:
    """Files of each writer, by path. ``host`` is only read: /etc/hosts keeps what is not ours."""
    unknown = sorted({*writers, *paths} - set(NAMES))
    if unknown:
        raise ClusterError("no writer is called %s" % unknown[0], "writers: " + ", ".join(NAMES))
    found: dict[str, Files] = {}
    for writer in sorted(set(writers)):
        where = paths_of(writer, paths)
        if writer == HOSTS:
            members = [*([cluster.head] if cluster.head else []), *cluster.members]
            text = (host.read(where[0]) or b"127.0.0.1 localhost\n").decode("utf-8", "surrogateescape")
            found[writer] = {where[0]: hosts.merge(text, members, where[0])}
        else:
            found[writer] = WRITERS[writer][0](cluster, where)
    return found


def plan(found: t.Mapping[str, Files], host: Host) -> FilePlan:
    """Compare with the host; two writers with one path are a ClusterError."""
    wanted: dict[str, File] = {}
    for writer, files in found.items():
        for path, text in files.items():
            if path in wanted:
                raise ClusterError("%s is written twice, also by %s" % (path, writer), "give each writer its own path")
            wanted[path] = File(text.encode("utf-8", "surrogateescape"))
    return plan_files(host, wanted)
