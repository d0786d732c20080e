# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list of virtual machines as one resource. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import time
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.host import Host
from . import process
from .probe import Accel, choose
from .qemu import PROGRAM, Places, Vm, render_argv
from .tools import VM_TOOLS, require

Report = t.Dict[str, t.Dict[str, t.Any]]


@dataclass(frozen=True)
class Fleet:
    """What is wanted: the VMs, their common state and the folders they live in.

    With ``exclusive`` every other VM of the state folder is removed.
    """

    vms: tuple[Vm, ...]
    state: str
    folder: str
    sockets: str
    accel: str = "auto"
    exclusive: bool = False

    def places(self, name: str) -> Places:
        return Places(name, os.path.join(self.folder, "vms", name), self.sockets)


@dataclass(frozen=True)
class FleetPlan:
    """Names of the VMs to stop, to start and to forget (folder removed), each sorted."""

    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    pids: t.Mapping[str, int | None] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.stop or self.start or self.forget)


def plan(fleet: Fleet, host: Host) -> FleetPlan:
    """Compare what runs with what is wanted; touches nothing."""
    there = host.listdir(os.path.join(fleet.folder, "vms"))
    wanted = [vm.name for vm in fleet.vms]
    surplus = sorted(set(there) - set(wanted)) if fleet.exclusive else []
    pids = {name: process.running_pid(fleet.places(name).pidfile) for name in sorted({*wanted, *surplus})}
    running = [name for name, pid in pids.items() if pid]
    down = set(surplus) if fleet.state == "started" else {*surplus, *wanted}
    up = [] if fleet.state in ("stopped", "absent") else [n for n in wanted if n in down or n not in running]
    forget = set(there) & ({*surplus, *wanted} if fleet.state == "absent" else set(surplus))
    return FleetPlan(tuple(n for n in running if n in down), tuple(up), tuple(sorted(forget)), pids)


def check(fleet: Fleet, todo: FleetPlan, host: Host, dry: bool) -> None:
    """ClusterError for a missing program, a missing file or a taken port, before anything is started.

    A dry run does not ask for files: a task before this one may be the one that makes them.
    """
    if not todo.start:
        return
    require(host, VM_TOOLS)
    for vm in fleet.vms:
        if vm.name in todo.start:
            _check_vm(vm, host, () if dry else (vm.kernel, vm.initrd, vm.disk, vm.cdrom))
            _check_ports(vm, todo)


def _check_vm(vm: Vm, host: Host, paths: t.Iterable[str]) -> None:
    for path in paths:
        if path and not host.listdir(os.path.dirname(path), os.path.basename(path)):
            raise ClusterError("%s: there is no %s" % (vm.name, path), "build the disk of %s first" % vm.name)


def _check_ports(vm: Vm, todo: FleetPlan) -> None:
    for nic in vm.nics:
        # A machine that is about to be stopped holds its port itself.
        if nic.host_port and vm.name not in todo.stop:
            _check_port(vm.name, nic.host_port)


def _check_port(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ClusterError(
                "%s: port %d of the loopback interface: %s" % (name, port, error.strerror),
                "another program holds it: end that, or choose a port (LAB_SSH_PORT)",
            )


def apply(todo: FleetPlan, fleet: Fleet, host: Host) -> Accel | None:
    """Carry the plan out; the accelerator used is returned when anything was started."""
    for name in todo.stop:
        process.stop(fleet.places(name).pidfile)
        host.actions.append(["stop", name])
    for name in {*todo.stop, *todo.start, *todo.forget}:
        _hang_up(fleet.places(name), host)
    for name in todo.forget:
        shutil.rmtree(fleet.places(name).folder)
    if not todo.start:
        return None
    os.makedirs(fleet.folder, exist_ok=True)
    make_private(fleet.sockets)
    vms = [vm for vm in fleet.vms if vm.name in todo.start]
    accel = choose(host, fleet.accel, fleet.folder, next((vm.kernel for vm in fleet.vms if vm.kernel), ""))
    for vm in vms:
        _start(vm, fleet.places(vm.name), accel.name, host)
    return accel


def _hang_up(places: Places, host: Host) -> None:
    # An ssh master to a machine without power would let every later connection wait for its time-out.
    if os.path.exists(places.master):
        host.run(["ssh", "-F", "none", "-o", "ControlPath=%s" % places.master, "-O", "exit", places.name], check=False)
    for path in (places.master, places.monitor):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def make_private(folder: str) -> None:
    """A folder that only its owner enters; ClusterError when somebody else owns it (it may lie in /tmp)."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ClusterError("%s belongs to somebody else" % folder, "remove it, or choose another state folder")
    os.chmod(folder, 0o700)


def _start(vm: Vm, places: Places, accel: str, host: Host) -> None:
    os.makedirs(places.folder, exist_ok=True)
    with open(places.serial, "a", encoding="ascii") as console:
        console.write("--- power on %s\n" % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    try:
        host.run(render_argv(vm, places, accel, PROGRAM), changes=True, timeout=60)
    except ClusterError as error:
        raise ClusterError("%s does not start: %s" % (vm.name, error.message), error.hint or "see %s" % places.serial)


def report(fleet: Fleet, todo: FleetPlan, dry: bool) -> Report:
    """Per VM: running, started, stopped, pid and power-on time (unknown in check mode), console log; sorted by name."""
    return {name: _row(fleet, todo, name, dry) for name in sorted(todo.pids)}


def _row(fleet: Fleet, todo: FleetPlan, name: str, dry: bool) -> dict[str, t.Any]:
    places = fleet.places(name)
    pid = None if dry and name in (*todo.start, *todo.stop) else process.running_pid(places.pidfile)
    return {
        "running": name in todo.start or (bool(todo.pids[name]) and name not in todo.stop),
        "started": name in todo.start,
        "stopped": name in todo.stop,
        "pid": pid,
        "since": process.started_at(places.pidfile) if pid else None,
        "console": places.serial,
    }
