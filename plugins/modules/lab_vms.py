#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_vms
short_description: Runs a list of QEMU virtual machines as a virtual rack
version_added: 0.1.0
description:
  - Starts, stops and removes a list of virtual machines in one call, as any user, without root.
  - The machines share a layer-2 segment made of a multicast socket on the loopback interface.
    Nothing of the host's network is touched.
  - A process is known by its pid file B(and) its command line, never by its name.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  vms:
    description: The virtual machines.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the machine. Lower case letters, digits and hyphens.
        type: str
        required: true
      machine:
        description: Machine model of QEMU.
        type: str
        choices: [pc, q35]
        default: pc
      memory_mb:
        description: Memory in MiB.
        type: int
        default: 1024
      cpus:
        description: Number of processors.
        type: int
        default: 1
      kernel:
        description: Kernel to boot directly. Without it the machine boots from the ROM of its network card.
        type: path
      initrd:
        description: The initial RAM disk of O(vms[].kernel).
        type: path
      cmdline:
        description: Command line of O(vms[].kernel).
        type: str
      disk:
        description: A raw disk image.
        type: path
      cdrom:
        description: An ISO image to boot from.
        type: path
      tcg_cpu:
        description: Features that QEMU's emulation of the processor leaves out, such as V(-smap) for Xen.
        type: str
      nics:
        description: The network cards, in order.
        type: list
        elements: dict
        default: []
        suboptions:
          kind:
            description:
              - V(segment) is the rack's own wire.
              - V(user) reaches the outside as the host does, and forwards one port of the loopback interface.
            type: str
            choices: [segment, user]
            required: true
          mac:
            description: Hardware address, lower case with colons.
            type: str
            required: true
          port:
            description: The UDP port that makes the segment. All machines of one rack share it.
            type: int
          host_port:
            description: Port of the host's loopback interface, for O(vms[].nics[].kind=user).
            type: int
          guest_port:
            description: Port of the guest that O(vms[].nics[].host_port) leads to.
            type: int
            default: 22
          boot:
            description: Whether the firmware boots from this card.
            type: bool
            default: false
  state:
    description:
      - V(started) and V(stopped) make the machines run or not run.
      - V(restarted) cuts the power of each machine and starts it again.
      - V(absent) stops the machines and removes their folders.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  folder:
    description: The state folder of the rack. Each machine has a folder with its console log in C(vms/NAME) below it.
    type: path
    required: true
  sockets:
    description: A short path for the sockets of the monitors. Made with mode 0700.
    type: path
    required: true
  accel:
    description:
      - How the machines are accelerated.
      - V(auto) boots a small guest on KVM once for each boot of the host and takes V(tcg) when it does not come up.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  exclusive:
    description: Whether machines of the same O(folder) that are not in O(vms) are stopped and removed.
    type: bool
    default: false
author: The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Run two blank nodes that boot from the network
  xtreemos.cluster.lab_vms:
    folder: /var/tmp/rack
    sockets: /var/tmp/rack/run
    vms:
      - name: node31
        nics: [{kind: segment, mac: "52:54:00:0a:01:1f", port: 12031, boot: true}]
      - name: node32
        nics: [{kind: segment, mac: "52:54:00:0a:01:20", port: 12031, boot: true}]

- name: Remove every machine of the rack
  xtreemos.cluster.lab_vms:
    folder: /var/tmp/rack
    sockets: /var/tmp/rack/run
    exclusive: true
"""

RETURN = r"""
vms:
  description: What became of each machine, by name.
  type: dict
  returned: success
  contains:
    running: {description: Whether it runs now., type: bool}
    started: {description: Whether this call started it., type: bool}
    stopped: {description: Whether this call stopped it., type: bool}
    pid: {description: Process number of QEMU. Null when it does not run or would be started., type: int}
    since: {description: "When it was switched on, in seconds since the epoch.", type: float}
    console: {description: The log of its serial console., type: str}
accel:
  description: The accelerator used and why. Empty when nothing was started.
  type: dict
  returned: success
  sample: {name: tcg, reason: a guest on KVM did not come up within 5 s}
actions:
  description: The commands that were run. In check mode those of machines that would be started are not known.
  type: list
  elements: list
  returned: always
"""

import os
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.files import locked
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import fleet
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.qemu import parse_vms

NIC: dict[str, t.Any] = {
    "kind": {"type": "str", "choices": ["segment", "user"], "required": True},
    "mac": {"type": "str", "required": True},
    "port": {"type": "int"},
    "host_port": {"type": "int"},
    "guest_port": {"type": "int", "default": 22},
    "boot": {"type": "bool", "default": False},
}
VM: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "machine": {"type": "str", "choices": ["pc", "q35"], "default": "pc"},
    "memory_mb": {"type": "int", "default": 1024},
    "cpus": {"type": "int", "default": 1},
    "kernel": {"type": "path"},
    "initrd": {"type": "path"},
    "cmdline": {"type": "str"},
    "disk": {"type": "path"},
    "cdrom": {"type": "path"},
    "tcg_cpu": {"type": "str"},
    "nics": {"type": "list", "elements": "dict", "default": [], "options": NIC},
}
OPTIONS: dict[str, t.Any] = {
    "vms": {"type": "list", "elements": "dict", "default": [], "options": VM},
    "state": {"type": "str", "choices": ["started", "stopped", "restarted", "absent"], "default": "started"},
    "folder": {"type": "path", "required": True},
    "sockets": {"type": "path", "required": True},
    "accel": {"type": "str", "choices": ["auto", "kvm", "tcg"], "default": "auto"},
    "exclusive": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)

    def work(host: LocalHost) -> dict[str, t.Any]:
        wanted = fleet.Fleet(vms=tuple(parse_vms(module.params.pop("vms"))), **module.params)
        nothing_there = wanted.state == "absent" and not os.path.isdir(wanted.folder)
        if module.check_mode or nothing_there:
            return outcome(host, wanted, True)
        os.makedirs(wanted.folder, exist_ok=True)
        with locked(os.path.join(wanted.folder, "lock")):
            return outcome(host, wanted, False)

    run_module(module, work)


def outcome(host: LocalHost, wanted: fleet.Fleet, dry: bool) -> dict[str, t.Any]:
    todo = fleet.plan(wanted, host)
    fleet.check(wanted, todo, host, dry)
    accel = None if dry else fleet.apply(todo, wanted, host)
    rows = fleet.report(wanted, todo, dry)
    before = {name: bool(pid) for name, pid in todo.pids.items()}
    after = {name: row["running"] for name, row in rows.items()}
    return {
        "changed": todo.changed,
        "vms": rows,
        "accel": asdict(accel) if accel else {},
        "diff": {"before": {"running": before}, "after": {"running": after}},
    }


if __name__ == "__main__":
    main()
