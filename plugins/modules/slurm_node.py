#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_node
short_description: Make a machine a node of a configless Slurm cluster
version_added: 0.1.0
description:
  - Delivers the munge key, the names of the cluster, slurmd's options and a drop-in for its unit, and runs munge and
    slurmd, all in one call.
  - The node keeps no slurm.conf; slurmd fetches it from the head at its start. It is restarted when its own files
    changed, or when the head's slurm.conf is another one than it runs with. Jobs survive that.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  name:
    description: Name of this node in the node list.
    type: str
    required: true
  nodes:
    description: The node list, as for M(xtreemos.cluster.cluster_files).
    type: list
    elements: dict
    required: true
  head:
    description: The head of the cluster, where slurmctld runs.
    type: dict
    required: true
    suboptions:
      name:
        description: Its host name.
        type: str
        required: true
      ip:
        description: Its address on the boot network.
        type: str
        required: true
      port:
        description: Port of slurmctld.
        type: int
        default: 6817
  munge_key:
    description:
      - The key in base64, as M(xtreemos.cluster.munge_key) returns it on the head. Never shown.
      - In check mode it may be empty, for a head that has no key yet.
    type: str
    required: true
  conf_sha256:
    description: SHA-256 of the head's slurm.conf, as RV(xtreemos.cluster.cluster_files#module:sha256) has it.
    type: str
    default: ''
  options:
    description: Further words for slurmd's command line.
    type: list
    elements: str
    default: []
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.cluster_files
  - module: xtreemos.cluster.munge_key
  - module: xtreemos.cluster.slurm_ready
"""

EXAMPLES = r"""
- name: Join the cluster
  xtreemos.cluster.slurm_node:
    name: "{{ inventory_hostname }}"
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    head: {name: head, ip: 10.0.1.1}
    munge_key: "{{ hostvars['head'].munge.key }}"
    conf_sha256: "{{ hostvars['head'].files.sha256['/etc/slurm/slurm.conf'] }}"
"""

RETURN = r"""
changed_paths:
  description: The files that were written, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/default/slurmd, /etc/munge/munge.key]
services:
  description: What was done to each service, as verbs of systemctl.
  returned: success
  type: dict
  sample: {munge: [], slurmd: [restart]}
actions:
  description: The commands that were run, or would be in check mode.
  returned: always
  type: list
  elements: list
  sample: [[systemctl, restart, slurmd]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import members, munge, slurm, slurmnode
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

HEAD = {
    "name": {"type": "str", "required": True},
    "ip": {"type": "str", "required": True},
    "port": {"type": "int", "default": 6817},
}
ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "head": {"type": "dict", "required": True, "options": HEAD},
    "munge_key": {"type": "str", "required": True, "no_log": True},
    "conf_sha256": {"type": "str", "default": ""},
    "options": {"type": "list", "elements": "str", "default": []},
}


def _wanted(options: t.Mapping[str, t.Any], check_mode: bool) -> slurmnode.Wanted:
    if not options["munge_key"] and not check_mode:
        raise ClusterError("the munge key is empty", "give the value that munge_key returned on the head")
    return slurmnode.Wanted(
        name=options["name"],
        members=members.parse_members(options["nodes"], options["head"]),
        head=members.parse_head(options["head"]),
        key=munge.decode(options["munge_key"]) if options["munge_key"] else None,
        conf_sha256=options["conf_sha256"],
        port=options["head"].get("port") or slurm.PORT,
        options=tuple(options["options"]),
    )


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan, write, run the services; the result in Ansible's form."""
    plan = slurmnode.plan(_wanted(options, check_mode), host)
    if not check_mode:
        slurmnode.apply(plan, host)
    services = slurmnode.run(plan, host, check_mode)
    result = slurmnode.result(plan, services)
    if check_mode:
        result["actions"] = [*munge.commands(plan.key), *services.commands]
    return result


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
