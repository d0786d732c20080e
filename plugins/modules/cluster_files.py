#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_files
short_description: Write one node list in the formats of many cluster tools
version_added: 0.1.0
description:
  - Renders the node list for ClusterShell, genders, pdsh, Open MPI, taktuk, dolly, Slurm and C(/etc/hosts), all in one
    call, and writes only the files that change.
  - The rest of C(/etc/hosts) stays as it is, but for names of nodes on C(127.0.1.1) lines, which Slurm would listen on.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  nodes:
    description:
      - The node list, as the filter P(xtreemos.cluster.node_list#filter) returns it. Each node needs C(name) and C(ip);
        C(node_id), C(cpus), C(memory_mb), C(rack) and C(profile) are used where a tool knows them.
    type: list
    elements: dict
    required: true
  head:
    description: The head of the cluster; the writer V(slurm) needs it.
    type: dict
    suboptions:
      name:
        description: Its host name, as C(hostname -s) prints it there.
        type: str
        required: true
      ip:
        description: Its address on the boot network.
        type: str
        required: true
  writers:
    description: The formats to write. Files of a writer that is not named are left alone.
    type: list
    elements: str
    choices: [clustershell, dolly, genders, hosts, openmpi, pdsh, slurm, taktuk]
    required: true
  paths:
    description:
      - Other paths than the usual ones, by writer; a path or a list of paths.
      - "V(clustershell): C(/etc/clustershell/groups.d/local.cfg) and C(/etc/clustershell/groups.d/cluster.yaml)."
      - "V(dolly): C(/etc/xtreemos/dolly-clients), the lines of dolly.cfg from C(firstclient) to C(endconfig)."
      - "V(genders): C(/etc/genders)."
      - "V(hosts): C(/etc/hosts)."
      - "V(openmpi): C(/etc/openmpi/openmpi-default-hostfile)."
      - "V(pdsh): C(/etc/dsh/group/nodes), also for C(pdsh -w ^/etc/dsh/group/nodes)."
      - "V(slurm): C(/etc/slurm/slurm.conf), C(/etc/slurm/cgroup.conf) and
        C(/etc/systemd/system/slurmctld.service.d/xtreemos.conf)."
      - "V(taktuk): C(/etc/xtreemos/taktuk-hosts)."
    type: dict
    default: {}
  slurm:
    description: What the writer V(slurm) may choose.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster. The controller refuses another name than that of its saved state.
        type: str
        default: xtreemos
      partition:
        description: Name of the partition that holds all nodes.
        type: str
        default: all
      cgroups:
        description: Whether cgroups track and confine the jobs; the nodes then need a cgroup file system.
        type: bool
        default: false
      settings:
        description: Further keywords of slurm.conf, which beat the defaults; V(null) takes a default away.
        type: dict
        default: {}
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.kerrighed_nodes
  - plugin: xtreemos.cluster.hostlist_fold
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Tell the tools of the head about the nodes
  xtreemos.cluster.cluster_files:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    head: {name: head, ip: 10.0.1.1}
    writers: [hosts, clustershell, genders, slurm]
    slurm:
      settings: {SlurmdTimeout: 300}
"""

RETURN = r"""
changed_paths:
  description: The paths that were written, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/genders]
writers:
  description: The written paths of each writer.
  returned: success
  type: dict
  sample: {genders: [/etc/genders], hosts: []}
sha256:
  description: SHA-256 of every rendered file, by path.
  returned: success
  type: dict
  sample: {/etc/genders: 9a0364b9e99bb480dd25e1f0284c8555b2f1a9e0a1c6b7a1a0e4e9c0e1f2a3b4}
hostlist:
  description: All nodes as one folded host list.
  returned: success
  type: str
  sample: node[31-33]
actions:
  description: Commands that changed something; this module runs none.
  returned: always
  type: list
  elements: list
  sample: []
"""

import hashlib
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist, members, slurm, writers
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import apply_files, diff_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

SLURM = {
    "cluster": {"type": "str", "default": "xtreemos"},
    "partition": {"type": "str", "default": "all"},
    "cgroups": {"type": "bool", "default": False},
    "settings": {"type": "dict", "default": {}},
}
HEAD = {"name": {"type": "str", "required": True}, "ip": {"type": "str", "required": True}}
CHOICES = ["clustershell", "dolly", "genders", "hosts", "openmpi", "pdsh", "slurm", "taktuk"]
ARGUMENTS: dict[str, t.Any] = {
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "head": {"type": "dict", "options": HEAD},
    "writers": {"type": "list", "elements": "str", "choices": CHOICES, "required": True},
    "paths": {"type": "dict", "default": {}},
    "slurm": {"type": "dict", "options": SLURM},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Render all, compare, write what differs; the result in Ansible's form."""
    head = options["head"]
    cluster = writers.Cluster(
        members.parse_members(options["nodes"], head),
        members.parse_head(head) if head else None,
        slurm.parse_settings(options["slurm"] or {}),
    )
    found = writers.render(options["writers"], cluster, options["paths"], host)
    plan = writers.plan(found, host)
    if not check_mode:
        apply_files(plan, host)
    texts = {path: text for files in found.values() for path, text in files.items()}
    return {
        "changed": plan.changed,
        "changed_paths": plan.paths,
        "writers": {name: sorted(set(files) & set(plan.writes)) for name, files in found.items()},
        "sha256": {
            path: hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
            for path, text in sorted(texts.items())
        },
        "hostlist": hostlist.fold(cluster.names),
        "diff": diff_files(plan),
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
