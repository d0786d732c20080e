# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services that run exactly the configuration on disk. This module util is private to the collection.

Beside each service the digest of its files at the last (re)start is kept. A run that died between writing a file and
restarting its service is so repaired by the next one, which handlers cannot do.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field

from .errors import ClusterError
from .host import File, Host

STATE = "/var/lib/xtreemos/services.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.:-]*")
_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")


@dataclass(frozen=True)
class Service:
    """A wanted service. ``files`` are what it reads at its start; ``reload`` where a signal is enough; ``ours`` leaves
    it alone unless it was started by us."""

    name: str
    files: tuple[str, ...] = ()
    enabled: bool = True
    running: bool = True
    reload: bool = False
    ours: bool = False


@dataclass(frozen=True)
class ServicePlan:
    """The commands to run per service, the digests to keep afterwards (an empty one: to forget)."""

    first: tuple[tuple[str, ...], ...] = ()
    steps: t.Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    digests: t.Mapping[str, str] = field(default_factory=dict)
    known: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def commands(self) -> list[list[str]]:
        steps = [argv for name in self.steps for argv in self.steps[name]]
        return [list(argv) for argv in (*self.first, *steps)]

    def outcome(self) -> dict[str, list[str]]:
        """What is done per service, as systemctl's verbs."""
        return {name: [argv[1] for argv in steps] for name, steps in sorted(self.steps.items())}


def parse_services(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Service, ...]:
    """The wanted services in their order; ClusterError names the service."""
    services: list[Service] = []
    for item in items:
        name = str(item.get("name") or "")
        if not _NAME.fullmatch(name):
            raise ClusterError("bad service name %r" % name, "as in nginx")
        if name in [service.name for service in services]:
            raise ClusterError("service %s is given twice" % name, "keep one")
        services.append(
            Service(
                name=name,
                files=tuple(item.get("files") or ()),
                enabled=bool(item.get("enabled", True)),
                running=item.get("state", "started") == "started",
                reload=bool(item.get("reload", False)),
                ours=bool(item.get("ours", False)),
            )
        )
    return tuple(services)


def _digest(service: Service, host: Host) -> str:
    digest = hashlib.sha256()
    for path in service.files:
        content = host.read(path)
        digest.update(b"%s\0%d\0" % (path.encode(), -1 if content is None else len(content)))
        digest.update(content or b"")
    return digest.hexdigest()


def _known(host: Host) -> dict[str, str]:
    try:
        known = json.loads(host.read(STATE) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def _units(services: t.Sequence[Service], host: Host) -> dict[str, dict[str, str]]:
    argv = ["systemctl", "show", "-p", ",".join(_PROPERTIES), *(service.name for service in services)]
    blocks = host.run(argv).stdout.strip().split("\n\n")
    if len(blocks) != len(services):
        raise ClusterError(
            "systemctl told of %d services, not %d" % (len(blocks), len(services)), "is systemd running?"
        )
    pairs = ([line.partition("=") for line in block.splitlines()] for block in blocks)
    return {service.name: {key: value for key, _is, value in pair} for service, pair in zip(services, pairs)}


def _is_enabled(service: Service, unit: t.Mapping[str, str], own_unit: bool, host: Host) -> bool:
    state = unit.get("UnitFileState", "")
    if state == "generated":
        # An init script: only its own tool knows, and its links mean nothing to a unit that takes its place.
        if own_unit:
            return False
        return host.run(["systemctl", "is-enabled", service.name], check=False).stdout.strip().endswith("enabled")
    return state in ("enabled", "static", "alias", "indirect")


def _steps(
    service: Service, unit: t.Mapping[str, str], stale: bool, own_unit: bool, host: Host
) -> t.Iterator[tuple[str, ...]]:
    enabled = _is_enabled(service, unit, own_unit, host)
    if service.enabled != enabled:
        yield ("systemctl", "enable" if service.enabled else "disable", service.name)
    active = unit.get("ActiveState") in ("active", "reloading")
    if not service.running:
        if active or unit.get("ActiveState") == "activating":
            yield ("systemctl", "stop", service.name)
    elif not active:
        # restart ends a start that is still being retried.
        yield ("systemctl", "restart", service.name)
    elif stale:
        yield ("systemctl", "reload" if service.reload else "restart", service.name)


def plan_services(
    services: t.Sequence[Service], host: Host, changed_paths: t.Collection[str] = (), check_mode: bool = False
) -> ServicePlan:
    """What has to be done; ``changed_paths`` are files that this play wrote (or, in check mode, would write)."""
    known = _known(host)
    services = [service for service in services if not service.ours or service.name in known]
    if not services:
        return ServicePlan()
    units = _units(services, host)
    digests = {s.name: _digest(s, host) if s.running or not s.ours else "" for s in services}
    steps: dict[str, tuple[tuple[str, ...], ...]] = {}
    for service in services:
        unit = units[service.name]
        own_unit = "/etc/systemd/system/%s.service" % service.name in changed_paths
        if unit.get("LoadState") == "not-found" and not check_mode and not own_unit:
            raise ClusterError("service %s does not exist" % service.name, "install its package")
        stale = known.get(service.name) != digests[service.name] or bool(set(service.files) & set(changed_paths))
        steps[service.name] = tuple(_steps(service, unit, stale, own_unit, host))
    reload_units = any(unit.get("NeedDaemonReload") == "yes" for unit in units.values()) or any(
        path.startswith("/etc/systemd/system/") for path in changed_paths
    )
    first = (("systemctl", "daemon-reload"),) if reload_units else ()
    return ServicePlan(first, steps, digests, known)


def _run(service: str, argv: t.Sequence[str], host: Host) -> None:
    done = host.run(argv, changes=True, check=False)
    if done.rc != 0:
        log = host.run(["journalctl", "-u", service, "-n", "8", "--no-pager", "-o", "cat"], check=False).stdout
        told = " | ".join(line.strip() for line in log.splitlines() if line.strip())
        raise ClusterError(
            "%s failed: %s" % (" ".join(argv), told or done.stderr.strip()), "see journalctl -u " + service
        )


def apply_services(plan: ServicePlan, host: Host) -> None:
    """Run the commands; the digest of a service is kept as soon as its own commands are through."""
    kept = dict(plan.known)
    for argv in plan.first:
        host.run(argv, changes=True)
    try:
        for name, steps in plan.steps.items():
            for argv in steps:
                _run(name, argv, host)
            kept[name] = plan.digests[name]
    finally:
        kept = {name: digest for name, digest in kept.items() if digest}
        if kept != plan.known:
            text = json.dumps(kept, indent=1, sort_keys=True) + "\n"
            host.write_files({STATE: File(text.encode())})
