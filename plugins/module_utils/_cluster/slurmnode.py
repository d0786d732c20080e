# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of a configless Slurm cluster in one go: key, hosts, options, services. Private to the collection.

Debian's slurmd.service starts only where /etc/slurm/slurm.conf is; a configless node has none, hence the drop-in.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, diff_files, plan_files
from .._host.host import File, Host
from .._host.services import Service, ServicePlan, apply_services, plan_services
from . import hosts, munge, slurm
from .members import Member
from .writers import HEADER

DEFAULTS = "/etc/default/slurmd"
DROP_IN = "/etc/systemd/system/slurmd.service.d/xtreemos.conf"
CACHE = "/run/slurm/conf/slurm.conf"
HOSTS = "/etc/hosts"
_OPTION = re.compile(r"[A-Za-z0-9_.,:/=+-]+")
_UNIT = """[Unit]
ConditionPathExists=
StartLimitIntervalSec=0
[Service]
Restart=on-failure
RestartSec=5
"""


@dataclass(frozen=True)
class Wanted:
    """What the node shall be. ``key`` is None in check mode while the head has none; ``conf_sha256`` may be empty."""

    name: str
    members: tuple[Member, ...]
    head: Member
    key: bytes | None
    conf_sha256: str = ""
    port: int = slurm.PORT
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodePlan:
    """Everything that changes on the node, in this order."""

    key: munge.KeyPlan
    files: FilePlan
    services: tuple[Service, ...]
    stale: bool

    @property
    def changed_paths(self) -> list[str]:
        """Files that change; a configuration that the head has changed counts as one of slurmd's."""
        own = [self.key.path] if self.key.key is not None else []
        return sorted({*self.files.paths, *own, *([DEFAULTS] if self.stale else [])})

    def diff(self) -> list[dict[str, str]]:
        return [*diff_files(self.files), *(self.key.diff() if self.key.changed else [])]


def _refuse(wanted: Wanted, host: Host) -> Member:
    """ClusterError for what makes a node useless, before anything is written; else the node itself."""
    own = next((member for member in wanted.members if member.name == wanted.name), None)
    if own is None:
        raise ClusterError("%s is not in the node list" % wanted.name, "add it to the group of the nodes")
    for program, package in (("munged", "munge"), ("slurmd", "slurmd")):
        if host.which(program) is None:
            raise ClusterError(
                "%s: %s is not installed" % (wanted.name, program), "add %s to the packages of the image" % package
            )
    called = (host.read("/proc/sys/kernel/hostname") or b"").decode("ascii", "replace").strip()
    if called.partition(".")[0] != own.short:
        raise ClusterError(
            "%s calls itself %r" % (wanted.name, called),
            "boot it by its own boot entry, or set its host name to %s; Slurm knows nodes by it" % own.short,
        )
    for option in wanted.options:
        if not _OPTION.fullmatch(option):
            raise ClusterError("slurmd option %r" % option, "plain words as in -v")
    return own


def _stale(wanted: Wanted, host: Host) -> bool:
    """Whether a running slurmd has another slurm.conf than the head; the copy is byte for byte the head's."""
    cached = host.read(CACHE)
    return bool(cached and wanted.conf_sha256) and hashlib.sha256(cached or b"").hexdigest() != wanted.conf_sha256


def plan(wanted: Wanted, host: Host) -> NodePlan:
    """Compare with the node. Nothing is written; ClusterError names what is missing."""
    _refuse(wanted, host)
    words = ["--conf-server", "%s:%d" % (wanted.head.ip, wanted.port), *wanted.options]
    known = (host.read(HOSTS) or b"127.0.0.1 localhost\n").decode("utf-8", "surrogateescape")
    texts = {
        DEFAULTS: '%sSLURMD_OPTIONS="%s"\n' % (HEADER, " ".join(words)),
        DROP_IN: HEADER + _UNIT,
        HOSTS: hosts.merge(known, [wanted.head, *wanted.members]),
    }
    files = {path: File(text.encode("utf-8", "surrogateescape")) for path, text in texts.items()}
    key = munge.plan(host, wanted.key, bytes) if wanted.key else munge.KeyPlan(munge.PATH, b"", True, "a key")
    services = (
        Service("munge", (munge.PATH,)),
        Service("slurmd", (munge.PATH, DEFAULTS, DROP_IN)),
    )
    return NodePlan(key, plan_files(host, files), services, _stale(wanted, host))


def apply(plan: NodePlan, host: Host) -> None:
    """Write key and files; the services follow in :func:`run`."""
    munge.apply(plan.key, host)
    apply_files(plan.files, host)


def run(plan: NodePlan, host: Host, check_mode: bool) -> ServicePlan:
    """Start, or restart because of changed files; in check mode only say what would be done."""
    services = plan_services(plan.services, host, plan.changed_paths, check_mode)
    if not check_mode:
        apply_services(services, host)
    return services


def result(plan: NodePlan, services: ServicePlan) -> dict[str, t.Any]:
    """Plain result for a module."""
    commands = services.commands
    told = "".join(" ".join(argv) + "\n" for argv in commands)
    entry = {"before_header": "commands", "after_header": "commands", "before": "", "after": told}
    return {
        "changed": bool(plan.changed_paths or plan.key.changed or commands),
        "changed_paths": sorted({*plan.files.paths, *([plan.key.path] if plan.key.changed else [])}),
        "services": services.outcome(),
        "diff": [*plan.diff(), *([entry] if commands else [])],
    }
