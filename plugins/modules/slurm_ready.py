#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_ready
short_description: Wait until the nodes of a Slurm cluster take jobs
version_added: 0.1.0
description:
  - Runs on the head. Waits until Slurm would give jobs to the nodes, and brings nodes back that Slurm keeps out because
    of a fault that is over, for instance after a reboot.
  - A node that an administrator drained is left alone and not waited for.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  nodes:
    description: Names of the nodes to wait for, as folded host lists or names. Name nodes that answer.
    type: list
    elements: str
    required: true
  minimum:
    description: How many of them have to take jobs; all that are not drained by an administrator unless given.
    type: int
  timeout:
    description: Seconds to wait.
    type: float
    default: 60
  resume:
    description: Whether to resume nodes that answer and that Slurm keeps down.
    type: bool
    default: true
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.slurm_node
"""

EXAMPLES = r"""
- name: Wait for the nodes
  xtreemos.cluster.slurm_ready:
    nodes: ["node[31-33]"]
    timeout: 120
"""

RETURN = r"""
nodes:
  description: What Slurm says of each node.
  returned: success, except in check mode while there is no controller
  type: dict
  sample: {node31: {state: idle, usable: true}}
usable:
  description: Names of the nodes that take jobs, sorted.
  returned: success
  type: list
  elements: str
  sample: [node31, node32, node33]
hostlist:
  description: The same as one folded host list, empty when there are none.
  returned: success
  type: str
  sample: node[31-33]
idle:
  description: Names of those that have no job at the moment, sorted.
  returned: success
  type: list
  elements: str
  sample: [node31, node32, node33]
resumed:
  description: Names of the nodes that were resumed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
actions:
  description: The commands that were run, or would be in check mode.
  returned: always
  type: list
  elements: list
  sample: [[scontrol, update, nodename=node31, state=resume]]
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist, ready
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

ARGUMENTS: dict[str, t.Any] = {
    "nodes": {"type": "list", "elements": "str", "required": True},
    "minimum": {"type": "int"},
    "timeout": {"type": "float", "default": 60},
    "resume": {"type": "bool", "default": True},
}


def _result(states: t.Mapping[str, ready.State], resumed: list[str]) -> Result:
    usable = sorted(name for name, state in states.items() if state.usable)
    return {
        "changed": bool(resumed),
        "nodes": {name: {"state": state.text, "usable": state.usable} for name, state in sorted(states.items())},
        "usable": usable,
        "hostlist": hostlist.fold(usable) if usable else "",
        "idle": sorted(name for name, state in states.items() if state.usable and state.base == "IDLE"),
        "resumed": resumed,
        "diff": [{"before": "", "after": "".join("resume %s\n" % name for name in resumed)}],
    }


def _look(wait: ready.Wait, names: t.Sequence[str]) -> Result:
    """What a run would do now, without waiting."""
    known = (wait.read() or {}) if wait.host.which("scontrol") else {}
    states = {name: known[name] for name in names if name in known}
    resumed = sorted(name for name, state in states.items() if wait.resume and state.resumable)
    return dict(_result(states, resumed), actions=ready.resume_argv(resumed))


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Wait, resume, judge; the result in Ansible's form."""
    names = sorted({name.partition(".")[0] for text in options["nodes"] for name in hostlist.expand(text)})
    wait = ready.Wait(host, time.monotonic, time.sleep, options["timeout"], options["resume"])
    if check_mode:
        return _look(wait, names)
    states, resumed = wait.until_usable(names)
    drained = [state for state in states.values() if state.drained_by_admin]
    least = options["minimum"]
    ready.demand(states, len(states) - len(drained) if least is None else least)
    return _result(states, resumed)


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
