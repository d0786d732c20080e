# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""QEMU command lines of the virtual rack. This module util is private to the collection.

Options as in the manual page qemu-system-x86_64(1) of QEMU 7.2. Nothing here needs root: the segment between the
VMs is a multicast socket on the loopback interface.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

PROGRAM = "qemu-system-x86_64"
# Every frame costs each machine of the segment a system call: large ones make transfers several times faster.
SEGMENT_MTU = 9000
SEGMENT_GROUP = "230.0.0.1"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}$")


@dataclass(frozen=True)
class Nic:
    """One network card: ``user`` forwards a loopback port to the guest, ``segment`` joins the rack's own wire."""

    kind: str
    mac: str
    port: int = 0
    host_port: int = 0
    guest_port: int = 22
    boot: bool = False


@dataclass(frozen=True)
class Vm:
    """One virtual machine; memory in MiB. Without kernel and CD it boots from the ROM of its card.

    ``tcg_cpu`` are features that QEMU's own emulation has to leave out, such as ``-smap``.
    """

    name: str
    machine: str = "pc"
    memory_mb: int = 1024
    cpus: int = 1
    kernel: str = ""
    initrd: str = ""
    cmdline: str = ""
    disk: str = ""
    cdrom: str = ""
    tcg_cpu: str = ""
    nics: tuple[Nic, ...] = ()


@dataclass(frozen=True)
class Places:
    """Where one VM keeps its files: pid file and console log in ``folder``, the monitor socket in ``sockets``."""

    name: str
    folder: str
    sockets: str

    @property
    def pidfile(self) -> str:
        return os.path.join(self.folder, "qemu.pid")

    @property
    def serial(self) -> str:
        return os.path.join(self.folder, "console.log")

    @property
    def monitor(self) -> str:
        return os.path.join(self.sockets, self.name + ".qmp")

    @property
    def master(self) -> str:
        """The control socket of ssh connections to this VM, as the inventory names it."""
        return os.path.join(self.sockets, self.name + ".ssh")


def _nic(name: str, entry: t.Mapping[str, t.Any]) -> Nic:
    nic = Nic(**{key: value for key, value in entry.items() if value is not None})
    if not _MAC.match(nic.mac):
        raise ClusterError("%s: %r is no MAC address" % (name, nic.mac), "write six hex pairs, lower case, with colons")
    wanted = nic.port if nic.kind == "segment" else nic.host_port
    if not 1024 <= wanted <= 65535:
        raise ClusterError("%s: port %d is not usable" % (name, wanted), "choose a port between 1024 and 65535")
    return nic


def parse_vm(entry: t.Mapping[str, t.Any]) -> Vm:
    """One VM from its dictionary (keys as in :class:`Vm`); ClusterError names the VM and the wrong value."""
    fields = {key: value for key, value in entry.items() if value is not None}
    name = str(fields.get("name", ""))
    if not _NAME.match(name):
        raise ClusterError("%r is no name for a VM" % name, "use lower case letters, digits and hyphens")
    nics = tuple(_nic(name, nic) for nic in fields.pop("nics", None) or ())
    return Vm(nics=nics, **fields)


def parse_vms(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[Vm]:
    """All VMs sorted by name; names, addresses and forwarded ports must be unique."""
    vms = sorted((parse_vm(entry) for entry in entries), key=lambda vm: vm.name)
    _unique("name", [vm.name for vm in vms])
    _unique("MAC address", [nic.mac for vm in vms for nic in vm.nics])
    _unique("port", [str(nic.host_port) for vm in vms for nic in vm.nics if nic.host_port])
    return vms


def _unique(what: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ClusterError("%s %s is used twice" % (what, twice[0]), "give each VM its own")


def accel_args(accel: str, tcg_cpu: str = "") -> list[str]:
    """``kvm``, or ``tcg`` with one thread a processor and every feature that QEMU can emulate but ``tcg_cpu``."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", ",".join(filter(None, ("max", tcg_cpu)))]


def _nic_args(index: int, nic: Nic) -> list[str]:
    if nic.kind == "user":
        forward = "hostfwd=tcp:127.0.0.1:%d-:%d" % (nic.host_port, nic.guest_port)
        backend = "user,id=n%d,%s" % (index, forward)
    else:
        backend = "socket,id=n%d,mcast=%s:%d,localaddr=127.0.0.1" % (index, SEGMENT_GROUP, nic.port)
    device = "virtio-net-pci,netdev=n%d,mac=%s" % (index, nic.mac)
    if nic.kind == "segment":
        device += ",host_mtu=%d" % SEGMENT_MTU
    return ["-netdev", backend, "-device", device + (",bootindex=1" if nic.boot else ",romfile=")]


def _boot_args(vm: Vm) -> list[str]:
    if vm.cdrom:
        return ["-cdrom", vm.cdrom, "-boot", "order=d"]
    if not vm.kernel:
        # The firmware tries again by itself when the head comes up later than a node.
        return ["-boot", "order=n,reboot-timeout=5000"]
    initrd = ["-initrd", vm.initrd] if vm.initrd else []
    return ["-kernel", vm.kernel, *initrd, "-append", vm.cmdline]


def _disk_args(disk: str) -> list[str]:
    # The host's page cache survives a killed QEMU, and the disk is made again from nothing: no flushes needed.
    drive = "file=%s,if=none,id=d0,format=raw,cache=unsafe" % disk.replace(",", ",,")
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=d0"] if disk else []


def render_argv(vm: Vm, places: Places, accel: str, program: str = PROGRAM) -> list[str]:
    """The whole command line; QEMU goes to the background once the VM is made."""
    argv = [program, "-name", vm.name, "-M", vm.machine, *accel_args(accel, vm.tcg_cpu)]
    argv += ["-smp", str(vm.cpus), "-m", str(vm.memory_mb), "-nodefaults", "-display", "none"]
    argv += ["-chardev", "file,id=console,append=on,path=%s" % places.serial.replace(",", ",,")]
    argv += ["-serial", "chardev:console", "-device", "virtio-rng-pci"]
    argv += ["-qmp", "unix:%s,server=on,wait=off" % places.monitor.replace(",", ",,")]
    argv += [*_boot_args(vm), *_disk_args(vm.disk)]
    for index, nic in enumerate(vm.nics):
        argv += _nic_args(index, nic)
    return [*argv, "-pidfile", places.pidfile, "-daemonize"]
