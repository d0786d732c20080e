#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xen_domain_info
short_description: Find Xen guests by their configuration files, list those that run, and show the hypervisor
version_added: 0.2.0
description:
  - Reads the configuration files of guests below some folders, as C(ctys -a enumerate) did, and returns a record for
    each guest with the field names of ctys. Lines C(#@#KEY = "value") in a file fill the fields that Xen does not know.
  - With O(address) it returns only the guest that is meant.
  - With O(gather) it lists what runs, as C(ctys -a list) did, shows the hypervisor, as C(ctys -a info), and
    what it does, as C(ctys -a show). Only these three need a dom0 that has booted into Xen; they start C(xl) twice,
    once and once, for any number of guests.
extends_documentation_fragment: [xtreemos.cluster._attributes.info]
options:
  gather:
    description:
      - V(enumerate) reads configuration files, V(list) asks for guests that run, V(host) asks for the hypervisor.
      - V(show) asks for the processors of all guests and for the memory of dom0's own system.
    type: list
    elements: str
    choices: [enumerate, list, host, show]
    default: [enumerate]
  search_paths:
    description: Folders with configuration files, C(*.cfg), C(*.conf) and C(*.ctys), at any depth.
    type: list
    elements: path
    default: [/etc/xen]
  vmstate:
    description:
      - Which states to list, from the line C(#@#VMSTATE) of a file. V(PRESENT) is any, V(EMPTY) none,
        V(ENABLED) everything but C(DISABLED).
    type: list
    elements: str
    choices: [ACTIVE, DISABLED, BACKUP, CUSTOM, TEMPLATE, TESTDUMMY, EMPTY, PRESENT, ALL, ENABLED]
    default: [ALL]
  address:
    description:
      - A guest, in the syntax of ctys such as V(l:tst100,u:6842caf91e3e43249ed596b8b9f2c5c2), as a lone label, or as a
        mapping of C(label), C(path), C(filename), C(search_paths), C(uuid), C(mac), C(ip) and C(record).
    type: raw
  match:
    description: What to do when several guests fit O(address). V(unique) fails and lists them.
    type: str
    choices: [unique, first, all]
    default: unique
author: The xtreemos.cluster developers (@xtreemos)
seealso:
  - plugin: xtreemos.cluster.xen_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: List what runs, and show the hypervisor
  xtreemos.cluster.xen_domain_info:
    gather: [list, host]
  register: dom0

- name: Read all guests but backups
  xtreemos.cluster.xen_domain_info:
    search_paths: [/etc/xen, /srv/xen]
    vmstate: [ACTIVE, EMPTY]
  register: guests

- name: Find the file of the guest with an address
  xtreemos.cluster.xen_domain_info:
    address: t:192.168.1.220
"""

RETURN = r"""
records:
  description:
    - The guests, sorted by path. Each has every field of ENUMERATE, empty where nothing is known.
    - C(interfaces) lists C(mac), C(tcp), C(ifname), C(netmask), C(relay), C(sshport) and C(gateway) of each interface.
  returned: when O(gather) has V(enumerate)
  type: list
  elements: dict
  sample:
    - {label: tst100, id: /etc/xen/tst100.cfg, mac: "00:50:56:13:11:40", tcp: 192.168.1.220, vmstate: ACTIVE}
live:
  description:
    - What runs now, Domain-0 too, in the order of C(xl list). Each has every field of LIST, empty when unknown;
      C(pid) is the domain id.
    - C(cport) and C(display) tell a guest's VNC server; xenstore is asked for them when a guest may have one.
    - Beside them are C(state) in one word (running, paused, shutdown, crashed or dying), C(flags) as xl writes them,
      C(vram) in MiB, C(vcpu) and C(interfaces).
  returned: when O(gather) has V(list)
  type: list
  elements: dict
  sample:
    - {label: tst100, pid: 4, state: running, flags: "-b----", vram: 512, vcpu: 2, mac: "00:50:56:13:11:40"}
host:
  description: What C(xl info) says, by its own keys; whole numbers are integers, capabilities are lists.
  returned: when O(gather) has V(host)
  type: dict
  sample: {xen_version: 4.17.7, total_memory: 2047, free_memory: 1256, nr_cpus: 1, virt_caps: [pv, hvm]}
show:
  description:
    - C(vcpus) has a row for each processor of each guest, Domain-0's too. C(cpu) is the one of the machine, none while
      it is offline; C(seconds) is the time that it ran.
    - C(memory) is that of dom0's own system in MiB.
  returned: when O(gather) has V(show)
  type: dict
  sample:
    vcpus: [{label: tst100, pid: 4, vcpu: 0, cpu: 1, state: "-b-", seconds: 40.8, hard: all, soft: all}]
    memory: {memtotal_mb: 726, memfree_mb: 480, memavailable_mb: 560, swaptotal_mb: 0, swapfree_mb: 0}
skipped:
  description: Files that look like those of guests but cannot be read, and why.
  returned: when O(gather) has V(enumerate)
  type: dict
actions:
  description: Always empty.
  returned: always
  type: list
  elements: list
"""

import os
import pwd
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.address import MATCHES, parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.enumerate import VMSTATES, scan
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.live import hypervisor, live
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.record import Record, select
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.show import show

ARGUMENTS: dict[str, t.Any] = {
    "gather": {
        "type": "list",
        "elements": "str",
        "choices": ["enumerate", "list", "host", "show"],
        "default": ["enumerate"],
    },
    "search_paths": {"type": "list", "elements": "path", "default": ["/etc/xen"]},
    "vmstate": {"type": "list", "elements": "str", "choices": list(VMSTATES), "default": ["ALL"]},
    "address": {"type": "raw"},
    "match": {"type": "str", "choices": list(MATCHES), "default": "unique"},
}


def work(options: t.Mapping[str, t.Any], host: Host) -> Result:
    """Read the files, ask xl, and choose."""
    wanted, pm = options["address"], os.uname().nodename
    address = None if wanted is None else parse(wanted, pwd.getpwuid(os.getuid()).pw_dir)

    def chosen(records: t.Sequence[Record]) -> list[Record]:
        return list(records) if address is None else select(address, records, options["match"])

    result: dict[str, t.Any] = {"changed": False}
    if "enumerate" in options["gather"]:
        found, result["skipped"] = scan(host, options["search_paths"], options["vmstate"], pm)
        result["records"] = chosen(found)
    if "list" in options["gather"]:
        result["live"] = chosen(live(host, pm))
    if "host" in options["gather"]:
        result["host"] = hypervisor(host)
    if "show" in options["gather"]:
        result["show"] = show(host)
    return result


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, host))


if __name__ == "__main__":
    main()
