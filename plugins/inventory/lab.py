# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: lab
short_description: The virtual rack as an inventory
version_added: 0.1.0
description:
  - Describes a head, a number of blank nodes and this machine (hosts C(rack) and C(builder)), with the variables that
    a real rack's inventory has.
  - Ports follow from the path of the state folder, so that two checkouts on one machine do not meet.
author: The xtreemos.cluster developers (@xtreemos)
options:
  plugin:
    description: Names this plugin.
    type: str
    required: true
    choices: [xtreemos.cluster.lab]
  state:
    description: Folder for everything that the rack makes. A relative path starts at the working folder.
    type: str
    default: .lab
    env: [{name: LAB_STATE}]
  nodes:
    description: Number of nodes.
    type: int
    default: 3
    env: [{name: LAB_NODES}]
  first:
    description: Number of the first node. It is part of its name and the last octet of its address.
    type: int
    default: 31
    env: [{name: LAB_FIRST_NODE}]
  network:
    description: The boot network, on a wire that only the rack has.
    type: str
    default: 10.0.1.0/24
    env: [{name: LAB_NETWORK}]
  node_memory_mb:
    description: Memory of each node in MiB.
    type: int
    default: 1024
    env: [{name: LAB_NODE_MEMORY}]
  node_cpus:
    description: Processors of each node.
    type: int
    default: 1
    env: [{name: LAB_NODE_CPUS}]
  head_memory_mb:
    description: Memory of the head in MiB.
    type: int
    default: 1024
    env: [{name: LAB_HEAD_MEMORY}]
  head_cpus:
    description: Processors of the head.
    type: int
    default: 2
    env: [{name: LAB_HEAD_CPUS}]
  ssh_port:
    description: Port of the loopback interface that leads to the head. 0 takes one that follows from O(state).
    type: int
    default: 0
    env: [{name: LAB_SSH_PORT}]
  segment_port:
    description: UDP port of the rack's wire. 0 takes one that follows from O(state).
    type: int
    default: 0
    env: [{name: LAB_SEGMENT_PORT}]
  dom0:
    description: Whether the rack has a machine C(dom0) for Xen, in the group C(xen_dom0s).
    type: bool
    default: false
    env: [{name: LAB_DOM0}]
  dom0_memory_mb:
    description: Memory of the machine for Xen in MiB, for the hypervisor, dom0 and all guests.
    type: int
    default: 2048
    env: [{name: LAB_DOM0_MEMORY}]
  dom0_cpus:
    description: Processors of the machine for Xen.
    type: int
    default: 1
    env: [{name: LAB_DOM0_CPUS}]
  dom0_ssh_port:
    description: Port of the loopback interface that leads to dom0. 0 takes one that follows from O(state).
    type: int
    default: 0
    env: [{name: LAB_DOM0_SSH_PORT}]
  accel:
    description: How QEMU is accelerated. V(auto) tries KVM by really booting a guest.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
    env: [{name: LAB_ACCEL}]
"""

EXAMPLES = r"""
# rack.lab.yml
plugin: xtreemos.cluster.lab
nodes: 3
"""

import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.inventory import RackInventory, build
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.rack import make_rack

FIGURES = (
    "nodes",
    "first",
    "network",
    "node_memory_mb",
    "node_cpus",
    "head_memory_mb",
    "head_cpus",
    "ssh_port",
    "segment_port",
    "accel",
    "dom0",
    "dom0_memory_mb",
    "dom0_cpus",
    "dom0_ssh_port",
)


class InventoryModule(BaseInventoryPlugin):
    """Reads files that end in C(.lab.yml)."""

    NAME = "xtreemos.cluster.lab"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith((".lab.yml", ".lab.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            rack = make_rack(self.get_option("state"), **{name: self.get_option(name) for name in FIGURES})
        except ClusterError as error:
            raise AnsibleParserError("%s: %s" % (path, error))
        self._fill(build(rack))

    def _fill(self, found: RackInventory) -> None:
        for name, variables in found.hosts.items():
            self.inventory.add_host(name)
            self._set(name, variables)
        for group, members in found.groups.items():
            self.inventory.add_group(group)
            for name in members:
                self.inventory.add_child(group, name)
        for group, variables in found.shared.items():
            self._set(group, variables)

    def _set(self, entity: str, variables: t.Mapping[str, t.Any]) -> None:
        for key, value in variables.items():
            self.inventory.set_variable(entity, key, value)
