# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slurm.conf and cgroup.conf of Slurm 22.05 and later. This module util is private to the collection.

Sources of the format: slurm.conf(5) and cgroup.conf(5) of Debian 12, and trials with its daemons.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from . import hostlist
from .members import Member

PORT = 6817
DROP_IN = "/etc/systemd/system/slurmctld.service.d/xtreemos.conf"
# The controller dies when it starts before the boot interface has its address.
UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
Restart=on-failure
RestartSec=3
"""
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_LINES = ("nodename", "partitionname", "include", "downnodes", "nodeset")
# Slurm reads lines into a buffer of fixed size.
_LONGEST = 900

_BASE: t.Mapping[str, str] = {
    "AuthType": "auth/munge",
    "SlurmUser": "slurm",
    "StateSaveLocation": "/var/lib/slurm/slurmctld",
    "SlurmdSpoolDir": "/var/lib/slurm/slurmd",
    "SlurmctldPidFile": "/run/slurmctld.pid",
    "SlurmdPidFile": "/run/slurmd.pid",
    "SlurmctldParameters": "enable_configless",
    # Controller and nodes listen on the address of their own name, which the hosts block makes the boot network's.
    "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
    "ReturnToService": "2",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_CPU",
    "SchedulerType": "sched/backfill",
    "MpiDefault": "none",
    "JobAcctGatherType": "jobacct_gather/none",
    "AccountingStorageType": "accounting_storage/none",
    "JobCompType": "jobcomp/none",
    "SlurmctldTimeout": "120",
    "SlurmdTimeout": "180",
    "MessageTimeout": "60",
    "TCPTimeout": "15",
    "BatchStartTimeout": "60",
    "KillWait": "30",
    "InactiveLimit": "0",
}
_PLAIN = {"ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none"}
_CGROUP = {"ProctrackType": "proctrack/cgroup", "TaskPlugin": "task/cgroup,task/affinity"}


@dataclass(frozen=True)
class Settings:
    """What the admin chooses; ``settings`` beat the defaults, None takes a default away."""

    cluster: str = "xtreemos"
    partition: str = "all"
    cgroups: bool = False
    settings: t.Mapping[str, t.Any] = field(default_factory=dict)


def _value(key: str, value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    if isinstance(value, bool):
        text = "YES" if value else "NO"
    if re.search(r"[\n\r#\"]", text) or not text.strip():
        raise ClusterError("slurm.conf: %s is %r" % (key, value), "a value on one line, without # and quotes")
    return text


def parse_settings(options: t.Mapping[str, t.Any]) -> Settings:
    """From plain options; ClusterError names the one that is wrong."""
    chosen = {key: value for key, value in options.items() if value is not None}
    for key in ("cluster", "partition"):
        if not _NAME.fullmatch(str(chosen.get(key, "x"))):
            raise ClusterError("slurm: bad %s name %r" % (key, chosen[key]), "a word as in xtreemos")
    settings = dict(chosen.get("settings") or {})
    for key in settings:
        if not _KEY.fullmatch(str(key)):
            raise ClusterError("slurm.conf: bad keyword %r" % key, "as in SlurmdTimeout")
        if str(key).lower() in (*_LINES, "slurmctldhost", "clustername"):
            raise ClusterError("slurm.conf: %s comes from the node list" % key, "take it out of the settings")
    return Settings(
        cluster=str(chosen.get("cluster", Settings.cluster)),
        partition=str(chosen.get("partition", Settings.partition)),
        cgroups=bool(chosen.get("cgroups", False)),
        settings=settings,
    )


def usable_memory(memory_mb: int) -> int:
    """MiB that Slurm may count on: nominal memory less what kernel, RAM root and system take, an eighth or 256."""
    return max(1, memory_mb - max(256, memory_mb // 8))


def _chunks(members: t.Sequence[Member]) -> t.Iterator[list[Member]]:
    """Runs of members whose folded names and addresses fit into one line, by an estimate that is never too small."""
    chunk: list[Member] = []
    width = 0
    for member in members:
        last = chunk[-1] if chunk else member
        if not (hostlist.follows(last.short, member.short) and hostlist.follows(last.ip, member.ip)):
            width += len(member.short) + len(member.ip) + 2
        if width > _LONGEST:
            yield chunk
            chunk, width = [], len(member.short) + len(member.ip)
        chunk.append(member)
    if chunk:
        yield chunk


def _folded(members: t.Sequence[Member]) -> tuple[str, str]:
    names = hostlist.fold_in_order(member.short for member in members)
    return ",".join(names), ",".join(hostlist.fold_in_order(member.ip for member in members))


def node_lines(members: t.Iterable[Member]) -> list[str]:
    """NodeName lines, nodes of one kind together."""
    kinds: dict[tuple[int, int], list[Member]] = {}
    for member in sorted(members, key=lambda member: hostlist.natural(member.short)):
        kinds.setdefault((member.cpus, member.memory_mb or 0), []).append(member)
    lines = []
    for (cpus, memory), same in sorted(kinds.items()):
        size = "CPUs=%d" % cpus + (" RealMemory=%d" % usable_memory(memory) if memory else "")
        for chunk in _chunks(same):
            lines.append("NodeName=%s NodeAddr=%s %s State=UNKNOWN" % (*_folded(chunk), size))
    return lines


def render_conf(members: t.Sequence[Member], head: Member, chosen: Settings) -> str:
    """slurm.conf of the head; the nodes fetch it from there."""
    values: dict[str, t.Any] = dict(_BASE, **(_CGROUP if chosen.cgroups else _PLAIN))
    known = {key.lower(): key for key in values}
    for key, value in chosen.settings.items():
        values[known.get(key.lower(), key)] = value
    rows = ["%s=%s" % (key, _value(key, value)) for key, value in sorted(values.items()) if value is not None]
    first = ["ClusterName=" + chosen.cluster, "SlurmctldHost=%s(%s)" % (head.short, head.ip)]
    last = "PartitionName=%s Nodes=ALL Default=YES MaxTime=INFINITE State=UP" % chosen.partition
    return "\n".join([*first, *rows, *node_lines(members), last]) + "\n"


def render_cgroup(chosen: Settings) -> str:
    """cgroup.conf. Slurm 22.05 always loads a cgroup plugin; that of version 1 touches nothing until it is used."""
    if chosen.cgroups:
        return "CgroupPlugin=autodetect\nConstrainCores=yes\nConstrainRAMSpace=yes\n"
    return "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"
