#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pxe_nodes
short_description: Render every boot file and DHCP reservation of a cluster
version_added: 0.1.0
description:
  - Takes the whole node list in one call and renders the per-MAC files of pxelinux, the iPXE scripts, the files for
    unknown machines and the DHCP configuration, for images that M(xtreemos.cluster.diskless_image) has built.
  - Writes only what changed and removes the files of nodes that left; files that this module did not write stay.
  - Every bad input is one error before anything is written; the DHCP server's own tester judges its configuration
    before it is put in place.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
  - xtreemos.cluster._rack
options:
  allow_empty:
    description: Whether an empty O(nodes) is meant; it removes the boot files of every node.
    type: bool
    default: false
  pending:
    description:
      - Versions by image name that will be current by the time of the run, as M(xtreemos.cluster.diskless_image)
        predicted them. Only check mode reads it, and there an image that has not been built yet is a warning.
    type: dict
    default: {}
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.diskless_image
  - module: xtreemos.cluster.boot_timeline_info
  - plugin: xtreemos.cluster.node_list
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Render boot files for the whole rack
  xtreemos.cluster.pxe_nodes:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    server: {address: 10.0.1.1}
    profiles:
      default: {image: node, method: http, append: "console=ttyS0,115200"}
      many: {image: node, method: dolly, dolly_timeout: 100}
    dhcp:
      interface: eth1
      subnets:
        - {network: 10.0.1.0/24, pools: [10.0.1.100-10.0.1.199], routers: 10.0.1.1}
"""

RETURN = r"""
changed_nodes:
  description: Names of the nodes whose boot file or reservation changed, sorted.
  returned: success
  type: list
  elements: str
  sample: [node31]
removed_nodes:
  description: Names of the nodes that left, sorted.
  returned: success
  type: list
  elements: str
  sample: [node40]
dhcp_changed:
  description: Whether the DHCP server has to read its configuration again.
  returned: success
  type: bool
  sample: true
files:
  description: Every path that was written or removed, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/dhcp/dhcpd.conf, /srv/xtreemos/tftp/pxelinux.cfg/01-52-54-00-0a-01-1f]
nodes:
  description: What each node boots, by its name.
  returned: success
  type: dict
  sample:
    node31: {changed: true, mac: "52:54:00:0a:01:1f", ip: 10.0.1.31, node_id: 1, profile: default, method: http,
             image: node, version: 3f2a90c1d4e5}
actions:
  description: Commands that changed something; this module runs none.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.arguments import RACK
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.options import rack_from_options
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.rack import apply_rack, plan_rack
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.confset import judge
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

ARGUMENTS: dict[str, t.Any] = {
    **RACK,
    "allow_empty": {"type": "bool", "default": False},
    "pending": {"type": "dict", "default": {}},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan, let the server judge, write; the result in Ansible's form."""
    rack, tester = rack_from_options(options)
    pending = {str(name): str(version) for name, version in (options.get("pending") or {}).items()}
    plan = plan_rack(rack, host, pending if check_mode else None)
    if plan.dhcp_changed and tester:
        judge(plan.dhcp_text, rack.dhcp_path, tester, host, check_mode)
    if not check_mode:
        apply_rack(plan, host)
    return {
        "changed": plan.changed,
        "changed_nodes": list(plan.changed_nodes),
        "removed_nodes": list(plan.removed_nodes),
        "dhcp_changed": plan.dhcp_changed,
        "files": plan.paths,
        "nodes": plan.nodes,
        "diff": plan.diff(),
        "warnings": list(plan.warnings),
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
