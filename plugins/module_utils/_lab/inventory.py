# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of the virtual rack as plain data. This module util is private to the collection."""

from __future__ import annotations

import os
import sys
import typing as t
from dataclasses import dataclass, field

from .rack import FIRST_POOL_HOST, Rack, RackNode, mac_of

Vars = t.Dict[str, t.Any]
_SSH = ("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "LogLevel=ERROR")
_ALIVE = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6")


@dataclass(frozen=True)
class RackInventory:
    """``hosts`` maps name to variables, ``groups`` group to host names, ``shared`` group to variables."""

    hosts: t.Mapping[str, Vars]
    groups: t.Mapping[str, list[str]]
    shared: t.Mapping[str, Vars] = field(default_factory=dict)


def _proxy(rack: Rack) -> str:
    words = ("ssh", "-F", "none", *_SSH, *_ALIVE, *_known(rack, "head"), "-i", rack.key, "-o")
    path = os.path.join(rack.run_dir, "head.ssh")
    return " ".join((*words, "ControlPath=%s" % path, "-p", str(rack.ssh_port), "-W", "%h:%p", "root@127.0.0.1"))


def ssh_config(rack: Rack) -> str:
    """ssh_config(5) for people: ``ssh -F STATE/ssh_config node31``."""
    path = os.path.join(rack.state, "ssh_config")
    head = ("Host head", "HostName 127.0.0.1", "Port %d" % rack.ssh_port, "UserKnownHostsFile %s" % rack.known_hosts)
    blocks: list[tuple[str, ...]] = [(*head, "StrictHostKeyChecking yes")]
    for node in rack.members():
        blocks.append(("Host %s" % node.name, "HostName %s" % node.ip))
    strangers = ("UserKnownHostsFile /dev/null", "StrictHostKeyChecking no")
    if rack.dom0:
        known = "UserKnownHostsFile %s" % os.path.join(rack.state, "dom0", "known_hosts")
        blocks.append(("Host dom0", "HostName 127.0.0.1", "Port %d" % rack.dom0_ssh_port, known))
    blocks.append(("Host node*", *strangers, "ProxyCommand ssh -F %s -W %%h:%%p head" % path))
    blocks.append(("Host *", "User root", "IdentityFile %s" % rack.key, "IdentitiesOnly yes", "LogLevel ERROR"))
    return "\n".join("\n  ".join(block) + "\n" for block in blocks)


def _known(rack: Rack, name: str) -> tuple[str, ...]:
    """Options of ssh for a machine whose host key the rack made."""
    path = rack.known_hosts if name == "head" else os.path.join(rack.state, name, "known_hosts")
    return ("-o", "UserKnownHostsFile=%s" % path, "-o", "StrictHostKeyChecking=yes")


def _dom0_vm(rack: Rack) -> Vars:
    folder = os.path.join(rack.state, "dom0")
    return {
        "name": "dom0",
        "machine": "pc",
        "memory_mb": rack.dom0_memory_mb,
        "cpus": rack.dom0_cpus,
        # Started from the CD; the kernel is what KVM is tried with.
        "kernel": os.path.join(folder, "vmlinuz"),
        "disk": os.path.join(folder, "disk.ext4"),
        "cdrom": os.path.join(folder, "boot.iso"),
        # A paravirtualised kernel faults on QEMU's emulation of SMAP.
        "tcg_cpu": "-smap",
        "nics": [
            {"kind": "user", "mac": "52:54:00:00:02:10", "host_port": rack.dom0_ssh_port, "guest_port": 22},
            {"kind": "segment", "mac": mac_of(rack.dom0_ip), "port": rack.segment_port},
        ],
    }


def _dom0(rack: Rack) -> Vars:
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": rack.dom0_ssh_port,
        **_root_login(rack, "dom0", ("-F", "none", *_SSH, *_ALIVE, *_known(rack, "dom0"))),
        "lab_ip": rack.dom0_ip,
        "lab_vm": _dom0_vm(rack),
    }


def _head_vm(rack: Rack) -> Vars:
    folder = os.path.join(rack.state, "head")
    return {
        "name": "head",
        "machine": "q35",
        "memory_mb": rack.head_memory_mb,
        "cpus": rack.head_cpus,
        "kernel": os.path.join(folder, "vmlinuz"),
        "initrd": os.path.join(folder, "initrd.img"),
        "cmdline": "root=/dev/vda rw net.ifnames=0 console=ttyS0,115200 panic=10",
        "disk": os.path.join(folder, "disk.ext4"),
        "nics": [
            {"kind": "user", "mac": "52:54:00:00:02:0f", "host_port": rack.ssh_port, "guest_port": 22},
            {"kind": "segment", "mac": mac_of(rack.head_ip), "port": rack.segment_port},
        ],
    }


def _node_vm(rack: Rack, node: RackNode) -> Vars:
    return {
        "name": node.name,
        "machine": "pc",
        "memory_mb": rack.node_memory_mb,
        "cpus": rack.node_cpus,
        "nics": [{"kind": "segment", "mac": node.mac, "port": rack.segment_port, "boot": True}],
    }


def _root_login(rack: Rack, name: str, args: t.Iterable[str]) -> Vars:
    return {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": rack.key,
        "ansible_ssh_common_args": " ".join(args),
        "ansible_control_path_dir": rack.run_dir,
        "ansible_control_path": "%%(directory)s/%s.ssh" % name,
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def _head(rack: Rack) -> Vars:
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": rack.ssh_port,
        **_root_login(rack, "head", ("-F", "none", *_SSH, *_ALIVE, *_known(rack, "head"))),
        "lab_vm": _head_vm(rack),
    }


def _node(rack: Rack, node: RackNode) -> Vars:
    unknown = ("-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no")
    args = ("-F", "none", *_SSH, *_ALIVE, *unknown, "-o", "'ProxyCommand=%s'" % _proxy(rack))
    return {
        "ansible_host": node.ip,
        "node_mac": node.mac,
        "node_id": node.node_id,
        "node_ip": node.ip,
        "node_interface": "eth0",
        "node_cpus": rack.node_cpus,
        "node_memory_mb": rack.node_memory_mb,
        **_root_login(rack, node.name, args),
        "lab_vm": _node_vm(rack, node),
    }


def _local() -> Vars:
    return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def _everywhere(rack: Rack) -> Vars:
    return {
        "lab_state": rack.state,
        "lab_run_dir": rack.run_dir,
        "lab_key": rack.key,
        "lab_known_hosts": rack.known_hosts,
        "lab_ssh_port": rack.ssh_port,
        "lab_ssh_config": ssh_config(rack),
        "lab_accel": rack.accel,
        "lab_network": rack.network,
        "lab_netmask": rack.netmask,
        "lab_head_ip": rack.head_ip,
        "lab_pool": [rack.address(FIRST_POOL_HOST), rack.address(199)],
    }


def build(rack: Rack) -> RackInventory:
    """Hosts ``rack`` and ``builder`` (this machine), ``head``, perhaps ``dom0``, and the nodes, with all they need."""
    members = rack.members()
    hosts: dict[str, Vars] = {"rack": _local(), "builder": _local(), "head": _head(rack)}
    if rack.dom0:
        hosts["dom0"] = _dom0(rack)
    hosts.update((node.name, _node(rack, node)) for node in members)
    groups = {
        "lab_racks": ["rack"],
        "image_builders": ["builder"],
        "boot_servers": ["head"],
        "mirror_hosts": ["head"],
        "nodes": [node.name for node in members],
    }
    if rack.dom0:
        groups["xen_dom0s"] = ["dom0"]
    return RackInventory(hosts, groups, {"all": _everywhere(rack)})
