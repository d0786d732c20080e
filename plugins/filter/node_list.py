# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: node_list
short_description: The node list of an inventory group
version_added: 0.1.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Turns the host names of a group into the list of nodes that the modules of this collection take.
  - Reads the host variables C(node_mac), C(node_id), C(node_ip) (else C(ansible_host)), C(node_interface),
    C(node_profile), C(node_kernel_options), C(node_cpus), C(node_memory_mb) and C(node_rack).
  - A missing or malformed value and every duplicate of name, MAC address, IP address or node_id is an error that names
    the hosts.
positional: hostvars
options:
  _input:
    description: Host names, usually those of a group.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, by host name.
    type: dict
    required: true
seealso:
  - module: xtreemos.cluster.pxe_nodes
"""

EXAMPLES = r"""
- name: Show the nodes
  ansible.builtin.debug:
    msg: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One mapping per node, sorted by node_id then name.
  type: list
  elements: dict
  sample:
    - {name: node31, mac: "52:54:00:0a:01:1f", ip: 10.0.1.31, node_id: 1, interface: eth0, profile: default,
       kernel_options: [], cpus: 1, memory_mb: null, rack: null}
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import nodes_from_hostvars
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError


def node_list(names: t.Iterable[str], hostvars: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Nodes of a group as plain mappings; AnsibleFilterError for what the user can mend."""
    try:
        return nodes_from_hostvars(names, hostvars)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"node_list": node_list}
