# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model of the virtual rack: names, addresses, ports and paths. This module util is private to the collection.

Everything follows from a few figures and the path of the state folder, so that two checkouts on one machine never
share a port and the same checkout always finds its own VMs again.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import tempfile
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

FIRST_POOL_HOST = 100
# A socket path holds 107 bytes; ssh adds 17 while it binds, our longest name is 32.
LONGEST_RUN_DIR = 53
_SAFE_PATH = re.compile(r"/[A-Za-z0-9_./+,@=-]*$")


@dataclass(frozen=True)
class RackNode:
    """One blank node of the rack; ``number`` is the last octet of ``ip`` and part of ``name``."""

    name: str
    number: int
    node_id: int
    ip: str
    mac: str


@dataclass(frozen=True)
class Rack:
    """The whole rack. ``state`` is an absolute path; ports of 0 are derived from it; memory is in MiB."""

    state: str
    nodes: int = 3
    first: int = 31
    network: str = "10.0.1.0/24"
    node_memory_mb: int = 1024
    node_cpus: int = 1
    head_memory_mb: int = 1024
    head_cpus: int = 2
    ssh_port: int = 0
    segment_port: int = 0
    accel: str = "auto"
    dom0: bool = False
    dom0_memory_mb: int = 2048
    dom0_cpus: int = 1
    dom0_ssh_port: int = 0

    @property
    def head_ip(self) -> str:
        return self.address(1)

    @property
    def dom0_ip(self) -> str:
        return self.address(2)

    @property
    def netmask(self) -> str:
        return str(ipaddress.IPv4Network(self.network).netmask)

    @property
    def key(self) -> str:
        return os.path.join(self.state, "id_ed25519")

    @property
    def known_hosts(self) -> str:
        return os.path.join(self.state, "known_hosts")

    @property
    def run_dir(self) -> str:
        return run_dir(self.state)

    def address(self, host: int) -> str:
        """Address number ``host`` of the boot network."""
        return str(ipaddress.IPv4Network(self.network)[host])

    def members(self) -> list[RackNode]:
        """The nodes in order of their number."""
        return [self._member(self.first + index, index + 1) for index in range(self.nodes)]

    def _member(self, number: int, node_id: int) -> RackNode:
        ip = self.address(number)
        return RackNode("node%d" % number, number, node_id, ip, mac_of(ip))


def mac_of(ip: str) -> str:
    """Locally made MAC of a lab address: QEMU's prefix, then octets 1, 3 and 4 in hex."""
    octets = ipaddress.IPv4Address(ip).packed
    return "52:54:00:%02x:%02x:%02x" % (octets[0], octets[2], octets[3])


def _digest(state: str) -> str:
    return hashlib.sha256(os.fsencode(state)).hexdigest()


def derived_port(state: str, base: int, salt: int) -> int:
    """A port of the ten thousand from ``base`` on, fixed by the state path."""
    return base + int(_digest(state)[salt : salt + 8], 16) % 10000


def run_dir(state: str) -> str:
    """Folder for sockets: inside the state folder, or a short one of the temporary folder when that is too deep."""
    inside = os.path.join(state, "run")
    if len(os.fsencode(inside)) <= LONGEST_RUN_DIR:
        return inside
    return os.path.join(tempfile.gettempdir(), "xtreemos-lab-%d-%s" % (os.getuid(), _digest(state)[:8]))


def _between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ClusterError("%s is %d" % (name, value), "it must be between %d and %d" % (low, high))


def _check(rack: Rack) -> None:
    if not _SAFE_PATH.match(rack.state):
        raise ClusterError(
            "the state folder %r is not usable" % rack.state,
            "choose an absolute path of letters, digits and ._/+,@=- (option state or LAB_STATE)",
        )
    try:
        network = ipaddress.IPv4Network(rack.network)
    except ValueError as error:
        raise ClusterError("network %r: %s" % (rack.network, error), "give an IPv4 network such as 10.0.1.0/24")
    if network.prefixlen > 24:
        raise ClusterError("network %s is too small" % network, "give a /24 or larger network")
    _between("first", rack.first, 3, FIRST_POOL_HOST - 1)
    _between("nodes", rack.nodes, 0, FIRST_POOL_HOST - rack.first)
    _between("node_memory_mb", rack.node_memory_mb, 256, 1 << 20)
    _between("head_memory_mb", rack.head_memory_mb, 512, 1 << 20)
    _between("node_cpus", rack.node_cpus, 1, 64)
    _between("head_cpus", rack.head_cpus, 1, 64)
    _between("dom0_memory_mb", rack.dom0_memory_mb, 1536, 1 << 20)
    _between("dom0_cpus", rack.dom0_cpus, 1, 64)
    _between("ssh_port", rack.ssh_port, 1024, 65535)
    _between("dom0_ssh_port", rack.dom0_ssh_port, 1024, 65535)
    if rack.dom0_ssh_port == rack.ssh_port:
        raise ClusterError("port %d is used twice" % rack.ssh_port, "give ssh_port and dom0_ssh_port different ports")
    _between("segment_port", rack.segment_port, 1024, 65535)
    if rack.accel not in ("auto", "kvm", "tcg"):
        raise ClusterError("accel is %r" % rack.accel, "it must be auto, kvm or tcg")


def make_rack(state: str, **figures: t.Any) -> Rack:
    """A checked rack; relative ``state`` paths start at the working folder; ClusterError names a wrong figure."""
    path = os.path.abspath(os.path.expanduser(state))
    figures["ssh_port"] = figures.get("ssh_port") or derived_port(path, 20000, 0)
    figures["dom0_ssh_port"] = figures.get("dom0_ssh_port") or derived_port(path, 30000, 16)
    figures["segment_port"] = figures.get("segment_port") or derived_port(path, 10000, 8)
    rack = Rack(path, **figures)
    _check(rack)
    return rack
