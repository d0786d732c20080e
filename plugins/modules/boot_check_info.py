#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_check_info
short_description: Look at the way of every node's boot before anything boots
version_added: 0.2.0
description:
  - Follows each node's boot on the server, from its reservation over loader, boot entry, kernel and stage1 to the
    image, and names the first thing that will not work, with the remedy. No node is touched.
  - Takes the options of M(xtreemos.cluster.pxe_nodes), and compares what they say with what is there - files that are
    missing, old, damaged or not readable for the servers, a loader for other machines, services that do not run, an
    address on the wrong card, a full disk, a clock that is wrong.
  - Runs on the boot server.
extends_documentation_fragment:
  - xtreemos.cluster._attributes.info
  - xtreemos.cluster._rack
options:
  services:
    description: Units of systemd that have to run.
    type: list
    elements: str
    default: []
  changed_paths:
    description:
      - Files of services that are not as they should be, as M(xtreemos.cluster.config_files) told in check mode.
    type: list
    elements: str
    default: []
  needed_mb:
    description: MiB that have to be free where boot files and images lie.
    type: int
    default: 256
  digests:
    description: Whether kernels, stage1 and images are read to compare their SHA-256. That takes seconds per GB.
    type: bool
    default: true
  now:
    description:
      - The time that the controller has, in seconds since the epoch. V(0) does not look at the server's clock; it may
        differ by 60 seconds.
    type: float
    default: 0
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.pxe_nodes
  - module: xtreemos.cluster.boot_timeline_info
"""

EXAMPLES = r"""
- name: Look at the way of every node
  xtreemos.cluster.boot_check_info:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    server: {address: 10.0.1.1}
    dhcp:
      interface: eth1
      subnets: [{network: 10.0.1.0/24, pools: [10.0.1.100-10.0.1.199]}]
    services: [isc-dhcp-server, tftpd-hpa, nginx]
  register: way
  failed_when: not way.good
"""

RETURN = r"""
good:
  description: Whether every node can boot and nothing is wrong with the server.
  returned: success
  type: bool
nodes:
  description: Each node by its name, with the step that will fail, empty for none.
  returned: success
  type: dict
  sample:
    node31: {ok: true, step: "", reason: "", remedy: ""}
    node32:
      ok: false
      step: lease
      reason: "/etc/dhcp/dhcpd.conf has no reservation for 52:54:00:0a:01:20"
      remedy: run the pxe_server playbook
server:
  description: What is wrong with the server, for all nodes.
  returned: success
  type: list
  elements: dict
  sample: [{step: server, reason: eth1 has no link, remedy: check cable and switch}]
images:
  description: SHA-256 of the images that were looked at, by name and version.
  returned: success
  type: dict
lines:
  description: All of it as text, the server first, nodes with the same fault in one line.
  returned: success
  type: list
  elements: str
  sample: ["server: eth1 has no link. Remedy: check cable and switch", "3 of 3 nodes can boot"]
actions:
  description: Always empty. An information module changes nothing.
  returned: always
  type: list
  elements: list
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot import premises
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.arguments import RACK
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.options import rack_from_options
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.precheck import check_rack, results
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

ARGUMENTS: dict[str, t.Any] = {
    **RACK,
    "services": {"type": "list", "elements": "str", "default": []},
    "changed_paths": {"type": "list", "elements": "str", "default": []},
    "needed_mb": {"type": "int", "default": 256},
    "digests": {"type": "bool", "default": True},
    "now": {"type": "float", "default": 0},
}


def work(options: t.Mapping[str, t.Any], host: Host) -> Result:
    """Look, and tell."""
    rack, tester = rack_from_options(options)
    server = [
        *premises.services(host, options["services"]),
        *premises.settings(options["changed_paths"]),
        *premises.card(host, rack.server.address, options["dhcp"].get("interface") or ""),
        *premises.space(host, (rack.tftp_root, rack.http_root, rack.server.images_root), options["needed_mb"]),
        *premises.clock(host, options["now"]),
    ]
    return results(check_rack(rack, host, tester, options["digests"]), server)


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, host))


if __name__ == "__main__":
    main()
