#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Write a set of configuration files in one call
version_added: 0.1.0
description:
  - Writes, copies and removes a list of files on the target, all in one call and all or nothing. Every validator has
    passed before the first file is put in place.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  files:
    description: The files; each path once.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      content:
        description: The text that the file holds; a final newline is added.
        type: str
      src:
        description:
          - A file on the target to copy from, the first of the list that exists.
          - In check mode a source that is not there yet counts as a change.
        type: list
        elements: path
      state:
        description: V(absent) removes the file or link.
        type: str
        choices: [present, absent]
        default: present
      mode:
        description: Permissions of the file when it is written.
        type: str
        default: '0644'
      validate:
        description: A command that judges the new content first, as a list of words; V(%s) stands for its file.
        type: list
        elements: str
      wrapper:
        description:
          - Text of a second file for O(files[].validate), for parts that cannot be judged alone.
          - V(%s) in it stands for the part, and V(%s) in the command for the file of this text.
        type: str
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.service_set
"""

EXAMPLES = r"""
- name: Write the settings of two services
  xtreemos.cluster.config_files:
    files:
      - path: /etc/default/tftpd-hpa
        content: TFTP_ADDRESS="10.0.1.1:69"
      - path: /etc/nginx/conf.d/boot.conf
        content: "{{ lookup('ansible.builtin.template', 'boot.conf.j2') }}"
        validate: [nginx, -t, -q, -c, '%s']
        wrapper: "events {} http { include %s; }"
"""

RETURN = r"""
changed_paths:
  description: The paths that were written or removed, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/default/tftpd-hpa]
files:
  description: What happened to each path.
  returned: success
  type: dict
  sample: {/etc/default/tftpd-hpa: written, /etc/nginx/conf.d/boot.conf: unchanged}
actions:
  description: Commands that changed something; this module runs none.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.confset import (
    apply_confset,
    parse_confset,
    plan_confset,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "src": {"type": "list", "elements": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "mode": {"type": "str", "default": "0644"},
    "validate": {"type": "list", "elements": "str"},
    "wrapper": {"type": "str"},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan, validate, write; the result in Ansible's form."""
    wanted = parse_confset(options["files"])
    plan = plan_confset(wanted, host, check_mode)
    if not check_mode:
        apply_confset(plan, host)
    return {
        "changed": bool(plan.states(changed=True)),
        "changed_paths": plan.states(changed=True),
        "files": plan.outcome,
        "diff": plan.diff(),
    }


def main() -> t.NoReturn:
    spec = {"files": {"type": "list", "elements": "dict", "required": True, "options": FILE}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
