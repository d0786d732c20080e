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
options:
  nodes:
    description:
      - The node list, as P(xtreemos.cluster.node_list#filter) returns it.
      - Keys are V(name), V(mac), V(ip), V(node_id), V(interface) (default V(eth0)), V(profile) (default V(default)),
        V(kernel_options) (list of words), V(cpus), V(memory_mb) and V(rack). The first four are required.
      - A machine whose V(memory_mb) is known and smaller than its image needs is an error.
    type: list
    elements: dict
    required: true
  allow_empty:
    description: Whether an empty O(nodes) is meant; it removes the boot files of every node.
    type: bool
    default: false
  profiles:
    description:
      - How classes of nodes boot, by name; the V(profile) of a node chooses one.
      - Keys are V(image) (default V(node)), V(version) (default the image's current one), V(method) (V(http),
        V(dolly), V(nfs) or V(local)), V(transport) (default O(transport)), V(network) (V(dhcp) or V(static)),
        V(interface) (V(auto), V(wired), V(node) for the node's own, or a name), V(append) (kernel words),
        V(dolly_timeout), V(dolly_dialect), V(server), V(directory) and V(disk).
    type: dict
    default: {default: {image: node, method: http}}
  server:
    description: The boot server as the nodes see it.
    type: dict
    required: true
    suboptions:
      address:
        description: Its IPv4 address on the boot network.
        type: str
        required: true
      port:
        description: Port of its HTTP server.
        type: int
        default: 80
  transport:
    description:
      - How loaders fetch kernel and stage1.
      - With V(tftp) both are also copied below O(tftp_root), for loaders that cannot do HTTP.
    type: str
    choices: [http, tftp]
    default: http
  tftp_root:
    description: Root of the TFTP server; the files of pxelinux go to C(pxelinux.cfg) below it.
    type: path
    default: /srv/xtreemos/tftp
  http_root:
    description: Root of the HTTP server; iPXE scripts go to C(ipxe) below it.
    type: path
    default: /srv/xtreemos/http
  images_root:
    description: Where the images are; the HTTP server offers it as C(/images/).
    type: path
    default: /srv/xtreemos/images
  pending:
    description:
      - Versions by image name that will be current by the time of the run, as M(xtreemos.cluster.diskless_image)
        predicted them. Only check mode reads it, and there an image that has not been built yet is a warning.
    type: dict
    default: {}
  menu:
    description: What the loaders show.
    type: dict
    default: {}
    suboptions:
      timeout:
        description: Seconds that the prompt of pxelinux waits.
        type: float
        default: 5
      prompt:
        description: Whether pxelinux always shows its prompt, not only while Shift is held.
        type: bool
        default: false
      text:
        description: Text shown before a node boots.
        type: str
        default: ''
      unknown_text:
        description: Text shown by pxelinux on a machine that is not in O(nodes).
        type: str
        default: ''
      unknown:
        description: What a machine that is not in O(nodes) does after the message, boot its disk or start again.
        type: str
        choices: [local, retry]
        default: local
      serial:
        description: Port and speed of the serial console for pxelinux; empty for none.
        type: str
        default: 0 115200
  dhcp:
    description: The DHCP service.
    type: dict
    default: {}
    suboptions:
      backend:
        description:
          - V(isc) is ISC dhcpd. V(none) leaves DHCP to another server.
        type: str
        default: isc
      config_path:
        description: The file that the DHCP server reads.
        type: path
        default: /etc/dhcp/dhcpd.conf
      interface:
        description: The only interface to serve.
        type: str
        default: ''
      bind:
        description: Whether the server listens on O(server.address) only, not on every address of the machine.
        type: bool
        default: true
      subnets:
        description:
          - The subnets served, each with V(network) (as in V(10.0.1.0/24), or with V(netmask)), V(pools) (list of
            V(first-last)), V(routers), V(dns), V(domain), V(next_server), and V(known_only) to serve reserved
            addresses only.
        type: list
        elements: dict
        default: []
      authoritative:
        description: Whether this server may refuse addresses that it did not give.
        type: bool
        default: true
      default_lease:
        description: Lease time in seconds.
        type: int
        default: 600
      max_lease:
        description: Longest lease time in seconds.
        type: int
        default: 7200
      next_server:
        description: TFTP server; by default O(server.address).
        type: str
        default: ''
      loaders:
        description:
          - Boot file by architecture, V(bios), V(uefi_x64) or V(uefi_arm64).
          - By default V(bios) gets C(lpxelinux.0), or C(pxelinux.0) when no profile uses HTTP. An architecture without
            a loader is offered none.
        type: dict
      etherboot_loader:
        description: Boot file for Etherboot 5 clients; empty for none.
        type: str
        default: ''
      ipxe:
        description: Whether clients that are iPXE already get their script by HTTP in place of a loader.
        type: bool
        default: true
      configfile:
        description: Configuration file for pxelinux (option 209).
        type: str
        default: ''
      pathprefix:
        description: Path prefix for pxelinux (option 210).
        type: str
        default: ''
      reboottime:
        description: Seconds after which pxelinux starts again when it finds no file (option 211), 0 to leave it out.
        type: int
        default: 30
      validate:
        description: Whether the server's tester judges the configuration first.
        type: bool
        default: true
      tester:
        description: The tester's words, V(%s) standing for the file; by default the backend's own.
        type: list
        elements: str
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
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.options import rack_from_options
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.rack import apply_rack, plan_rack
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.confset import judge
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

MENU = {
    "timeout": {"type": "float", "default": 5},
    "prompt": {"type": "bool", "default": False},
    "text": {"type": "str", "default": ""},
    "unknown_text": {"type": "str", "default": ""},
    "unknown": {"type": "str", "choices": ["local", "retry"], "default": "local"},
    "serial": {"type": "str", "default": "0 115200"},
}
DHCP = {
    "backend": {"type": "str", "default": "isc"},
    "config_path": {"type": "path", "default": "/etc/dhcp/dhcpd.conf"},
    "interface": {"type": "str", "default": ""},
    "bind": {"type": "bool", "default": True},
    "subnets": {"type": "list", "elements": "dict", "default": []},
    "authoritative": {"type": "bool", "default": True},
    "default_lease": {"type": "int", "default": 600},
    "max_lease": {"type": "int", "default": 7200},
    "next_server": {"type": "str", "default": ""},
    "loaders": {"type": "dict"},
    "etherboot_loader": {"type": "str", "default": ""},
    "ipxe": {"type": "bool", "default": True},
    "configfile": {"type": "str", "default": ""},
    "pathprefix": {"type": "str", "default": ""},
    "reboottime": {"type": "int", "default": 30},
    "validate": {"type": "bool", "default": True},
    "tester": {"type": "list", "elements": "str"},
}
SERVER = {"address": {"type": "str", "required": True}, "port": {"type": "int", "default": 80}}
ARGUMENTS: dict[str, t.Any] = {
    # No suboptions: checking 10,000 nodes in the argument spec costs more than the whole rendering.
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "allow_empty": {"type": "bool", "default": False},
    "profiles": {"type": "dict", "default": {"default": {"image": "node", "method": "http"}}},
    "server": {"type": "dict", "required": True, "options": SERVER},
    "transport": {"type": "str", "choices": ["http", "tftp"], "default": "http"},
    "tftp_root": {"type": "path", "default": "/srv/xtreemos/tftp"},
    "http_root": {"type": "path", "default": "/srv/xtreemos/http"},
    "images_root": {"type": "path", "default": "/srv/xtreemos/images"},
    "pending": {"type": "dict", "default": {}},
    "menu": {"type": "dict", "options": MENU, "default": {}, "apply_defaults": True},
    "dhcp": {"type": "dict", "options": DHCP, "default": {}, "apply_defaults": True},
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
