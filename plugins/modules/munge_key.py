#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: munge_key
short_description: Make the munge key of a cluster, once
version_added: 0.1.0
description:
  - Makes the key that the machines of a cluster trust each other by, owned by munge with mode 0400. A key that is there
    is kept.
  - Returns the key, so that M(xtreemos.cluster.slurm_node) can deliver it. Use C(no_log) on the task.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  path:
    description: The key file.
    type: path
    default: /etc/munge/munge.key
  key:
    description: A key in base64 that the file shall hold; without it a key that is there is kept.
    type: str
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.slurm_node
"""

EXAMPLES = r"""
- name: Make the key on the head
  xtreemos.cluster.munge_key:
  register: munge
  no_log: true
"""

RETURN = r"""
key:
  description: The key in base64, empty in check mode while there is none. It is a secret.
  returned: when O(key) is not given
  type: str
  sample: c2FtcGxlIG9mIGEga2V5IG9mIDMyIGJ5dGVzIGxlbmd0aA==
path:
  description: The key file.
  returned: success
  type: str
  sample: /etc/munge/munge.key
actions:
  description: The commands that were run, or would be in check mode.
  returned: always
  type: list
  elements: list
  sample: [[chown, munge:munge, /etc/munge/munge.key]]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import munge
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "default": munge.PATH},
    "key": {"type": "str", "no_log": True},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan and write; the result in Ansible's form."""
    wanted = munge.decode(options["key"]) if options["key"] else None
    plan = munge.plan(host, wanted, os.urandom, options["path"])
    if not check_mode:
        munge.apply(plan, host)
    result: Result = {"changed": plan.changed, "path": plan.path, "diff": plan.diff(), "actions": munge.commands(plan)}
    if wanted is None:
        # What is on disk, not what was planned: the nodes must get what the head has.
        result["key"] = munge.encode(host.read(plan.path) or b"")
    return result


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
