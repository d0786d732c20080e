#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_set
short_description: Run a set of services with exactly the configuration on disk
version_added: 0.1.0
description:
  - Enables and starts a list of systemd services in one call, and restarts (or reloads) only those whose own files
    changed since their last start.
  - The digest of each service's files is kept in C(/var/lib/xtreemos/services.json), so a run that died after writing a
    file is repaired by the next one.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  services:
    description: The services, started in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      files:
        description: The files that the service reads when it starts, its unit files included.
        type: list
        elements: path
        default: []
      state:
        description: Whether the service runs.
        type: str
        choices: [started, stopped]
        default: started
      enabled:
        description: Whether the service starts with the machine.
        type: bool
        default: true
      ours:
        description: Whether it is left alone unless this module has started it before; afterwards it is forgotten.
        type: bool
        default: false
      reload:
        description: Whether reloading is enough for changed files.
        type: bool
        default: false
  changed_paths:
    description: Files that earlier tasks of the play wrote, or would write in check mode.
    type: list
    elements: path
    default: []
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.config_files
"""

EXAMPLES = r"""
- name: Run the boot services
  xtreemos.cluster.service_set:
    services:
      - {name: isc-dhcp-server, files: [/etc/dhcp/dhcpd.conf, /etc/default/isc-dhcp-server]}
      - {name: nginx, files: [/etc/nginx/conf.d/boot.conf], reload: true}
    changed_paths: "{{ written.changed_paths }}"
"""

RETURN = r"""
services:
  description: What was done to each service, as verbs of systemctl.
  returned: success
  type: dict
  sample: {isc-dhcp-server: [restart], nginx: []}
actions:
  description: The commands that were run, or would be in check mode.
  returned: always
  type: list
  elements: list
  sample: [[systemctl, restart, isc-dhcp-server]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.services import (
    apply_services,
    parse_services,
    plan_services,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

SERVICE = {
    "name": {"type": "str", "required": True},
    "files": {"type": "list", "elements": "path", "default": []},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "enabled": {"type": "bool", "default": True},
    "reload": {"type": "bool", "default": False},
    "ours": {"type": "bool", "default": False},
}
ARGUMENTS: dict[str, t.Any] = {
    "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE},
    "changed_paths": {"type": "list", "elements": "path", "default": []},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan and run; the result in Ansible's form."""
    plan = plan_services(parse_services(options["services"]), host, options["changed_paths"], check_mode)
    if not check_mode:
        apply_services(plan, host)
    commands = plan.commands
    text = "".join(" ".join(argv) + "\n" for argv in commands)
    return {
        "changed": bool(commands),
        "services": plan.outcome(),
        "actions": commands,
        "diff": [{"before_header": "commands", "after_header": "commands", "before": "", "after": text}],
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
