#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xen_bridge
short_description: Bridges of a Xen dom0, made without cutting the connection
version_added: 0.2.0
description:
  - Makes every bridge that guests are plugged into, with the tool that manages the network of the machine. A bridge
    takes over the MAC and the address of the card that it gets.
  - Waits until the bridges are there with their addresses. When they do not come up, the old files are put back and
    the module fails, so that a mistake does not end in a machine that nobody reaches.
  - Files of bridges that are no longer listed are removed.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  bridges:
    description: The bridges; an empty list removes those that this module made.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the bridge, such as V(xenbr0).
        type: str
        required: true
      interface:
        description: The card that joins the bridge. Without one the bridge connects guests only.
        type: str
      address:
        description: The bridge's address as V(10.0.1.2/24), or V(dhcp), or V(none).
        type: str
        default: none
      gateway:
        description: The router, when the bridge leads outside.
        type: str
      dns:
        description: Name servers.
        type: list
        elements: str
        default: []
      mtu:
        description: MTU of bridge and card.
        type: int
  manager:
    description: Who manages the network. V(auto) takes systemd-networkd when it is active, else ifupdown.
    type: str
    choices: [auto, networkd, ifupdown]
    default: auto
  timeout:
    description: Seconds that the bridges have to come up before everything is undone.
    type: int
    default: 30
author: The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: One bridge to the outside, one between the guests only
  xtreemos.cluster.xen_bridge:
    bridges:
      - name: xenbr0
        interface: eth0
        address: 10.0.1.2/24
        gateway: 10.0.1.1
      - name: xenbr1
"""

RETURN = r"""
manager:
  description: Who manages the network.
  returned: success
  type: str
  sample: networkd
wrong:
  description: What of the running network did not fit before, a sentence each.
  returned: success
  type: list
  elements: str
  sample: [there is no bridge xenbr0]
actions:
  description: The commands that changed something.
  returned: always
  type: list
  elements: list
  sample: [[networkctl, reload], [networkctl, reconfigure, eth0]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import diff_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.bridge import (
    MANAGERS,
    apply,
    commands,
    parse,
    plan,
)

BRIDGE = {
    "name": {"type": "str", "required": True},
    "interface": {"type": "str"},
    "address": {"type": "str", "default": "none"},
    "gateway": {"type": "str"},
    "dns": {"type": "list", "elements": "str", "default": []},
    "mtu": {"type": "int"},
}
ARGUMENTS: dict[str, t.Any] = {
    "bridges": {"type": "list", "elements": "dict", "required": True, "options": BRIDGE},
    "manager": {"type": "str", "choices": ["auto", *MANAGERS], "default": "auto"},
    "timeout": {"type": "int", "default": 30},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan and switch; the result in Ansible's form."""
    bridges = parse(options["bridges"])
    todo = plan(bridges, options["manager"], host)
    if not check_mode:
        apply(todo, bridges, host, options["timeout"])
    return {
        "changed": todo.changed,
        "manager": todo.manager,
        "wrong": list(todo.wrong),
        "diff": diff_files(todo.files),
        "actions": commands(bridges, todo.manager) if todo.changed else [],
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
