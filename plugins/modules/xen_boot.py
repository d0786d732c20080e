#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xen_boot
short_description: Make a machine start Xen, with the right options for hypervisor and dom0
version_added: 0.2.0
description:
  - Writes the options of the hypervisor and of dom0's kernel for GRUB, lets GRUB make its menu, and says whether the
    machine has to boot again to run with them, and why. It never reboots.
  - Asks the hypervisor that runs, not only the files, so that a machine whose reboot was put off is still noticed.
  - Needs the hypervisor's packages and GRUB, as in Debian.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  memory_mb:
    description: Memory of dom0 in MiB, fixed. V(0) leaves it to Xen, which gives dom0 everything at first.
    type: int
    default: 0
  vcpus:
    description: Virtual processors of dom0. V(0) gives it as many as the machine has.
    type: int
    default: 0
  hypervisor_options:
    description: Further words for the hypervisor, such as V(console=com1).
    type: list
    elements: str
    default: []
  kernel_options:
    description: Words for the kernel of dom0. Given, they replace those of other kernels; empty, nothing is replaced.
    type: list
    elements: str
    default: []
  default:
    description: Whether the machine starts Xen by itself. V(false) leaves Xen as a choice of the menu.
    type: bool
    default: true
author: The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.xen_bridge
"""

EXAMPLES = r"""
- name: Start Xen with one gigabyte for dom0
  xtreemos.cluster.xen_boot:
    memory_mb: 1024
    vcpus: 2
    hypervisor_options: [console=com1, "com1=115200,8n1"]
    kernel_options: [console=hvc0]
  register: boot
"""

RETURN = r"""
is_dom0:
  description: Whether the machine controls a hypervisor now.
  returned: success
  type: bool
reboot_required:
  description: Whether the machine has to boot again.
  returned: success
  type: bool
reasons:
  description: Why, a sentence each.
  returned: success
  type: list
  elements: str
  sample: [the hypervisor does not run]
actions:
  description: The commands that changed something.
  returned: always
  type: list
  elements: list
  sample: [[update-grub]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import diff_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.boot import Boot, apply, plan

ARGUMENTS: dict[str, t.Any] = {
    "memory_mb": {"type": "int", "default": 0},
    "vcpus": {"type": "int", "default": 0},
    "hypervisor_options": {"type": "list", "elements": "str", "default": []},
    "kernel_options": {"type": "list", "elements": "str", "default": []},
    "default": {"type": "bool", "default": True},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan and write; the result in Ansible's form."""
    boot = Boot(
        options["memory_mb"],
        options["vcpus"],
        tuple(options["hypervisor_options"]),
        tuple(options["kernel_options"]),
        options["default"],
    )
    todo = plan(boot, host)
    if not check_mode:
        apply(todo, boot, host)
    return {
        "changed": todo.changed,
        "is_dom0": todo.is_dom0,
        "reboot_required": bool(todo.reasons),
        "reasons": list(todo.reasons),
        "diff": diff_files(todo.files),
        "actions": [["update-grub"]] if todo.update else [],
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
