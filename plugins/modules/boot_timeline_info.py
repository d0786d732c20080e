#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: boot_timeline_info
short_description: Tells how far each node booted, in seconds per stage, and what a stuck node lacks
version_added: 0.1.0
description:
  - Reads the logs of the boot server - DHCP, TFTP, HTTP and the lines that nodes phone home - and returns for each
    node the stages of its last boot with their seconds.
  - For a node that did not come up it names the first stage that is missing, the reason as far as the logs show it,
    and the remedy.
  - Runs on the boot server. With O(wait) it returns as soon as every node got as far as asked.
  - The stages are, in order, C(firmware) (only when the power-on time is known, see O(since)), C(lease), C(loader),
    C(entry) (the node's own boot entry), C(kernel), C(stage1) (the initial RAM disk was sent), and those that the node
    phones home - C(dhcp), C(fetch), C(verify), C(root), C(up). A loader that was not fetched from this server, such as
    the one in a card's ROM, leaves no C(loader) stage.
  - A boot begins with the node's first DHCPDISCOVER, or at its power-on time when O(since) gives it. A node that is up
    booted anew when it fetches a loader or a boot entry, phones home another boot, or asks for an address three times
    in vain. A single request for an address is only noted, because running systems ask as well.
extends_documentation_fragment: [xtreemos.cluster._attributes.info]
options:
  nodes:
    description:
      - The nodes, as the filter P(xtreemos.cluster.node_list#filter) makes them. C(name), C(mac), C(ip) and
        C(node_id) are needed.
    type: list
    elements: dict
    required: true
  logs:
    description:
      - Where the lines come from. Each entry has exactly one of C(path), C(unit) and C(identifier).
      - The default is the journal for C(dhcpd) and C(in.tftpd), and the two logs that role C(pxe_server) makes nginx
        write. A log that is not there gives a warning.
    type: list
    elements: dict
    suboptions:
      kind:
        description: What its lines tell.
        type: str
        choices: [dhcp, tftp, http, phone]
        required: true
      path:
        description: A file.
        type: path
      unit:
        description: A unit whose journal is read.
        type: str
      identifier:
        description: A program whose lines are read from the journal, whatever its unit.
        type: str
  since:
    description:
      - Seconds since the epoch. Nothing before that moment counts, but for 2 seconds by which the clock of another
        machine may be ahead of the boot server's.
      - A mapping of node names to seconds gives the moment when each node was switched on. Its boot then begins there,
        with the stage C(firmware), and nothing before counts for it.
    type: raw
  wait:
    description: Wait for the nodes. Without it the module looks once and never fails because of a node.
    type: dict
    suboptions:
      stage:
        description: The stage that every node must reach.
        type: str
        choices: [lease, loader, entry, kernel, stage1, dhcp, fetch, verify, root, up]
        default: up
      timeout:
        description: Seconds until the module gives up.
        type: float
        default: 300
      interval:
        description: Seconds between two looks.
        type: float
        default: 2
  fail:
    description: Fail when a node did not reach O(wait.stage) in time. The results are returned either way.
    type: bool
    default: true
author: The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Look at the last boot of every node
  xtreemos.cluster.boot_timeline_info:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
  register: boots

- name: Print one line per node
  ansible.builtin.debug:
    var: boots.lines

- name: Wait ten minutes until every node is up
  xtreemos.cluster.boot_timeline_info:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    wait: {stage: up, timeout: 600}

- name: Read syslog files instead of the journal
  xtreemos.cluster.boot_timeline_info:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
    logs:
      - {kind: dhcp, path: /var/log/syslog}
      - {kind: tftp, path: /var/log/syslog}
      - {kind: http, path: /var/log/nginx/boot.log}
      - {kind: phone, path: /var/log/nginx/phone-home.log}
"""

RETURN = r"""
nodes:
  description: The last boot of each node, by name.
  type: dict
  returned: always
  contains:
    up: {description: Whether it reported itself up., type: bool}
    state:
      description:
        - V(up), V(failed) (the node phoned a failure home), V(unseen) (it never asked for an address), or V(booting) -
          it is on its way or stuck.
      type: str
    image: {description: Version of its image., type: str}
    boot_id: {description: The name that stage1 gave this boot., type: str}
    address: {description: The address that it got by DHCP., type: str}
    host_key:
      description: Public key of its sshd, as it phoned it home. It is as trustworthy as the boot network.
      type: str
    started: {description: "When the boot began, seconds since the epoch. Null for a node never seen.", type: float}
    reached: {description: The furthest stage., type: str}
    stages: {description: "Seconds that each stage took, from the end of the one before.", type: dict}
    at: {description: Seconds from the beginning to the end of each stage., type: dict}
    missing: {description: The first stage that is missing. Empty for a node that is up., type: str}
    reason: {description: Why it is missing., type: str}
    remedy: {description: What to do., type: str}
    note: {description: "What casts doubt on a node that is up, such as a later request for an address.", type: str}
    line: {description: All of it in one line., type: str}
  sample:
    node31:
      up: true
      state: up
      image: 3f1d0c2b9a88
      boot_id: 5f0c2a1e
      address: 10.0.1.31
      host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkYQ0BvXx0v
      started: 1795253524.286
      reached: up
      stages: {lease: 0.036, loader: 0.053, entry: 0.03, kernel: 0.9, stage1: 0.3, dhcp: 2.1, fetch: 1.9, up: 4.4}
      at: {lease: 0.036, loader: 0.089, entry: 0.119, kernel: 1.019, stage1: 1.319, dhcp: 3.419, fetch: 5.319, up: 9.7}
      missing: ""
      reason: ""
      remedy: ""
      note: ""
      line: "node31: dhcp 0.0 s, stage1 3.4 s, image 1.9 s, up 9.7 s"
lines:
  description: One line per node, sorted by name.
  type: list
  elements: str
  returned: always
table:
  description: The same as lines of an aligned table, head first.
  type: list
  elements: str
  returned: success
up:
  description: How many nodes are up.
  type: int
  returned: always
unknown_macs:
  description: MAC addresses that asked for an address and belong to no node, with the number of times.
  type: dict
  returned: always
actions:
  description: Always empty. An information module changes nothing.
  type: list
  elements: list
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import parse_nodes
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.report import table
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.sources import (
    DEFAULT_LOGS,
    Sources,
    parse_logs,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.watch import (
    Wait,
    complaint,
    late,
    parse_since,
    watch,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

LOG_OPTIONS = {
    "kind": {"type": "str", "choices": ["dhcp", "tftp", "http", "phone"], "required": True},
    "path": {"type": "path"},
    "unit": {"type": "str"},
    "identifier": {"type": "str"},
}
WAIT_OPTIONS = {
    "stage": {
        "type": "str",
        "choices": ["lease", "loader", "entry", "kernel", "stage1", "dhcp", "fetch", "verify", "root", "up"],
        "default": "up",
    },
    "timeout": {"type": "float", "default": 300},
    "interval": {"type": "float", "default": 2},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "dict", "required": True},
            "logs": {"type": "list", "elements": "dict", "options": LOG_OPTIONS},
            "since": {"type": "raw"},
            "wait": {"type": "dict", "options": WAIT_OPTIONS},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )

    def work(host: LocalHost) -> Result:
        nodes = parse_nodes(module.params["nodes"])
        since = parse_since(module.params["since"], [node.name for node in nodes])
        logs = parse_logs(module.params["logs"]) if module.params["logs"] else DEFAULT_LOGS
        wait = Wait(**module.params["wait"]) if module.params["wait"] else Wait()
        if module.check_mode:
            # Nothing was switched on that could come up.
            wait = Wait(stage=wait.stage)
        sources = Sources(host, logs, since[0])
        rows, timeline = watch(nodes, sources, wait, since)
        for trouble in sources.troubles:
            module.warn(trouble)
        result: Result = {
            "changed": False,
            "nodes": rows,
            "lines": [row["line"] for row in rows.values()],
            "up": sum(row["up"] for row in rows.values()),
            "unknown_macs": timeline.unknown,
        }
        if module.params["wait"] and late(rows, wait.stage):
            if module.check_mode:
                module.warn("check mode does not wait: " + complaint(rows, wait))
            elif module.params["fail"]:
                module.fail_json(msg=complaint(rows, wait), actions=[], **result)
        result["table"] = table(rows)
        return result

    run_module(module, work)


if __name__ == "__main__":
    main()
