#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kerrighed_nodes
short_description: Nodes file and membership of a Kerrighed cluster
version_added: 0.1.0
description:
  - Writes C(/etc/kerrighed_nodes) in the form of 2006, C(node31:eth0), or of Kerrighed 2.x, C(node31:1:eth0), and
    refuses everything that a Kerrighed kernel would choke on.
  - Adds nodes to a running cluster, and removes them, with krgadm. Its exit codes mean nothing; the module adds only
    nodes that are present, waits itself, and believes what krgadm says of the nodes afterwards.
  - The file can be written anywhere, for instance for the tree of an image.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  path:
    description: The nodes file.
    type: path
    default: /etc/kerrighed_nodes
  session:
    description: Session of the cluster, 1 to 9999. Needed unless a merged file has one.
    type: int
  nbmin:
    description: Nodes that the kernel waits for before it starts the cluster; at most the number of nodes.
    type: int
  nodes:
    description:
      - The nodes, each with C(name), C(id) (or C(node_id)) and C(interface) (V(eth0) unless given). Further keys are
        ignored, so the node list of the other modules fits.
      - Names are short host names as in C(/etc/hostname).
    type: list
    elements: dict
    default: []
  format:
    description:
      - V(v3) is C(name:id:device), V(legacy2) is C(name:device), V(auto) is V(v3) if every node has an id.
      - With V(legacy2) every node takes the id 0 unless C(node_id=) is on its kernel command line, see O(cmdline_ids).
    type: str
    choices: [auto, legacy2, v3]
    default: auto
  cmdline_ids:
    description:
      - Whether every node has C(node_id=) on its kernel command line, see RV(boot_args).
      - Unless given, true when the machine that the module runs on has it.
    type: bool
  max_id:
    description: The largest id; 255 for kernels with CONFIG_KRG_AUTONODEID.
    type: int
    default: 127
  mode:
    description: V(replace) makes the file hold exactly O(nodes), V(merge) keeps the nodes that it has besides.
    type: str
    choices: [replace, merge]
    default: replace
  state:
    description: V(absent) removes the file, or with O(mode=merge) only the lines of O(nodes).
    type: str
    choices: [present, absent]
    default: present
  membership:
    description:
      - V(online) brings O(members) into the running cluster, V(exact) also removes all others. The node that krgadm
        runs on is never removed.
      - Where there is no Kerrighed this fails, before the file is written.
    type: str
    choices: [ignore, online, exact]
    default: ignore
  members:
    description: Ids for O(membership); those of O(nodes) unless given.
    type: list
    elements: int
  timeout:
    description: Seconds to wait for members that are not present yet.
    type: float
    default: 60
  krgadm_path:
    description: The tool.
    type: path
    default: krgadm
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.pxe_nodes
  - module: xtreemos.cluster.cluster_files
"""

EXAMPLES = r"""
- name: Write the nodes file of three nodes
  xtreemos.cluster.kerrighed_nodes:
    session: 1
    nbmin: 3
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"

- name: Bring nodes 1 to 3 into the running cluster
  xtreemos.cluster.kerrighed_nodes:
    session: 1
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    membership: online
    timeout: 300
"""

RETURN = r"""
supported:
  description: Whether this machine runs Kerrighed.
  returned: always
  type: bool
  sample: false
reason:
  description: Why it does not.
  returned: always
  type: str
  sample: "this kernel has no Kerrighed: no /sys/kerrighed, no /proc/nodes, no module kerrighed"
format:
  description: Grammar of the file, empty when it is absent.
  returned: success
  type: str
  sample: v3
boot_args:
  description: Words for each node's kernel command line, as C(kernel_options) of the node list takes them.
  returned: success
  type: dict
  sample: {node31: [session_id=1, node_id=1, nb_nodes_min=3]}
session_id:
  description: Session of the running kernel.
  returned: success, null without Kerrighed
  type: int
  sample: 1
node_id:
  description: Id of this machine in the running kernel.
  returned: success, null without Kerrighed
  type: int
  sample: 1
cluster_up:
  description: Whether the cluster runs.
  returned: success, null without Kerrighed or with O(membership=ignore)
  type: bool
  sample: true
nodes:
  description: States by id, from krgadm, after the run.
  returned: success, empty without Kerrighed or with O(membership=ignore)
  type: dict
  sample: {"1": online, "2": present}
actions:
  description: The commands that were run, or would be in check mode.
  returned: always
  type: list
  elements: list
  sample: [[krgadm, nodes, add, -n, "2,3"]]
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import apply_files, diff_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._kerrighed import krgadm, nodes_file, resource

ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "default": nodes_file.PATH},
    "session": {"type": "int"},
    "nbmin": {"type": "int"},
    "nodes": {"type": "list", "elements": "dict", "default": []},
    "format": {"type": "str", "choices": ["auto", "legacy2", "v3"], "default": "auto"},
    "cmdline_ids": {"type": "bool"},
    "max_id": {"type": "int", "default": 127},
    "mode": {"type": "str", "choices": ["replace", "merge"], "default": "replace"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "membership": {"type": "str", "choices": ["ignore", "online", "exact"], "default": "ignore"},
    "members": {"type": "list", "elements": "int"},
    "timeout": {"type": "float", "default": 60},
    "krgadm_path": {"type": "path", "default": "krgadm"},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host, found: krgadm.Kerrighed) -> Result:
    """File first, membership second, all of it judged before; the result in Ansible's form."""
    wanted = resource.parse_wanted(options, host)
    current = host.read(wanted.path)
    file = resource.target(wanted, current)
    plan = resource.plan_file(wanted, file, host)
    tool = krgadm.Krgadm(host, found, options["krgadm_path"], time.monotonic, time.sleep)
    members = resource.plan_members(wanted, tool)
    if not check_mode:
        apply_files(plan, host)
        members = members.carry_out(options["timeout"])
    return {
        "changed": plan.changed or members.changed,
        "supported": found.supported,
        "reason": found.reason,
        "session_id": found.session_id,
        "node_id": found.node_id,
        "cluster_up": members.up,
        "nodes": {str(number): state for number, state in sorted(members.states.items())},
        "format": nodes_file.format_of(file) if file else "",
        "boot_args": nodes_file.boot_args(file, wanted.ids) if file else {},
        "actions": members.actions,
        "diff": [*diff_files(plan), *members.diff()],
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def guarded(host: Host) -> Result:
        found = krgadm.detect(host)
        try:
            return work(module.params, module.check_mode, host, found)
        except ClusterError as error:
            module.fail_json(
                msg=str(error),
                hint=error.hint,
                supported=found.supported,
                reason=found.reason,
                actions=host.actions,
            )
            raise AssertionError("fail_json does not return")

    run_module(module, guarded)


if __name__ == "__main__":
    main()
