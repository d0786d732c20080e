#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xen_domain
short_description: Xen guests as data, for plain xl
version_added: 0.2.0
description:
  - Brings a list of guests to their states in one call, and asks C(xl) the same two questions for one guest or fifty.
  - An entry that describes a guest writes its configuration file. UUID and MACs of a guest that exists stay. What runs
    is compared with the file; memory, processors, cards and disks change while the guest runs, and the rest is told in
    RV(domains) as C(needs_restart).
  - Everything is checked before the first guest is touched. Domain-0 is never touched.
extends_documentation_fragment: [xtreemos.cluster._attributes]
attributes:
  idempotent:
    support: partial
    details: The states V(rebooted) and V(reset) always change something.
options:
  domains:
    description: The guests. Those that start do so in this order; those that stop do so side by side.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name. V(*) is every guest that runs, for the states V(stopped) and V(saved).
        type: str
      address:
        description:
          - Instead of O(domains[].name), any address of ctys such as V(u:6842caf91e3e43249ed596b8b9f2c5c2), or a
            mapping
            of its keys. See M(xtreemos.cluster.xen_domain_info).
        type: raw
      state:
        description:
          - V(present) writes the file only. V(running) and V(paused) start a guest that does not run.
          - V(stopped) asks the guest to shut down and destroys it when it has not within O(domains[].timeout).
            V(absent) also
            removes its file, but no disk.
          - V(saved) writes its memory to O(domains[].save_file). V(restored) and V(resumed) go on from there and
            remove that
            file, or end a pause.
          - V(rebooted) asks the guest to boot again, V(reset) pulls the plug. V(migrated) moves it to
            O(domains[].target).
        type: str
        choices: [present, running, stopped, absent, paused, saved, restored, resumed, rebooted, reset, migrated]
        default: running
      type:
        description: How it is virtualised; V(pvh) for a new one.
        type: str
        choices: [pv, pvh, hvm]
      kernel:
        description: Its kernel, a file of dom0.
        type: path
      ramdisk:
        description: Its first root, a file of dom0.
        type: path
      cmdline:
        description: Options of the kernel.
        type: str
      bootloader:
        description: Takes the kernel from the guest's disk, as C(pygrub) does.
        type: str
      bootloader_args:
        description: Options of the bootloader.
        type: list
        elements: str
      memory:
        description: Memory in MiB.
        type: int
      maxmem:
        description: Memory in MiB that it can be given while it runs.
        type: int
      vcpus:
        description: Processors.
        type: int
      maxvcpus:
        description: Processors that it can be given while it runs.
        type: int
      cpus:
        description: Processors of the host that it may use, such as V(0-3).
        type: str
      disks:
        description: Its disks. One that exists is never written to.
        type: list
        elements: dict
        suboptions:
          target: {description: "File or block device, empty for a drive without a disc.", type: path}
          vdev: {description: Name in the guest., type: str, default: xvda}
          format: {description: Format of the target., type: str, choices: [raw, qcow, qcow2, vhd, qed], default: raw}
          access: {description: What the guest may do., type: str, choices: [rw, ro], default: rw}
          cdrom: {description: Whether it is a drive for discs., type: bool, default: false}
          image: {description: "Copied to a target that is not there, by reflink if possible.", type: path}
          size: {description: "Size of a target that is not there, such as V(4G).", type: str}
          filesystem: {description: "Made in a new empty disk.", type: str, choices: [ext3, ext4, swap, xfs]}
      vifs:
        description: Its network cards. MACs follow from host and name when none is given, and stay.
        type: list
        elements: dict
        suboptions:
          mac: {description: MAC address., type: str}
          bridge: {description: Bridge of dom0., type: str}
          ip: {description: "Address, for the scripts of Xen.", type: str}
          model: {description: Emulated card of an hvm guest., type: str}
          script: {description: Script that plugs it in., type: str}
          vifname: {description: Name of the card in dom0., type: str}
          rate: {description: "Limit, such as V(10Mb/s).", type: str}
      uuid:
        description: Its UUID. It follows from host and name when none is given, and stays.
        type: str
      on_poweroff:
        description: What follows when it powers off.
        type: str
        choices: [destroy, restart, rename-restart, preserve, coredump-destroy, coredump-restart, soft-reset]
      on_reboot:
        description: What follows when it reboots.
        type: str
        choices: [destroy, restart, rename-restart, preserve, coredump-destroy, coredump-restart, soft-reset]
      on_crash:
        description: What follows when it crashes.
        type: str
        choices: [destroy, restart, rename-restart, preserve, coredump-destroy, coredump-restart, soft-reset]
      vnc:
        description: Whether it has a screen that VNC shows.
        type: bool
      vnclisten:
        description: Address of dom0 where VNC listens.
        type: str
      options:
        description: Any other key of xl.cfg.
        type: dict
      metadata:
        description: Lines C(#@#KEY = "value") that ctys and M(xtreemos.cluster.xen_domain_info) read.
        type: dict
      import_config:
        description: An old file of xm that describes it. It is read, never run; options beside it win.
        type: path
      path:
        description: Its configuration file; by default its name in O(config_dir).
        type: path
      autostart:
        description: Whether it starts with the host.
        type: bool
      save_file:
        description: Where its memory goes; by default its name in O(save_dir).
        type: path
      target:
        description: The host to move to, reached by ssh.
        type: str
      timeout:
        description: Seconds to shut down or boot again.
        type: int
        default: 60
      kill_after_timeout:
        description: Whether a guest that does not shut down in time is destroyed; otherwise the module fails.
        type: bool
        default: true
      force:
        description: Whether it is destroyed without being asked.
        type: bool
        default: false
      ssh_host:
        description:
          - Where its SSH answers, for O(wait=ssh). By default the first address in O(domains[].metadata) or a
            card's.
        type: str
      ssh_port:
        description: Port of its SSH.
        type: int
        default: 22
  restart:
    description: V(on_change) restarts guests with changes that nothing else brings in.
    type: str
    choices: [never, on_change]
    default: never
  wait:
    description: V(up) waits until the drivers of the guests are connected, V(ssh) also until SSH answers.
    type: str
    choices: [none, up, ssh]
    default: none
  wait_timeout:
    description: Seconds to wait for all.
    type: int
    default: 300
  match:
    description: What an address that fits several guests means. V(unique) fails and lists them.
    type: str
    choices: [unique, first, all]
    default: unique
  search_paths:
    description: Folders with configuration files, for addresses; O(config_dir) is always one.
    type: list
    elements: path
    default: []
  vmstate:
    description: Which files an address can mean, by their line C(#@#VMSTATE).
    type: list
    elements: str
    default: [ALL]
  config_dir:
    description: Folder of the configuration files.
    type: path
    default: /etc/xen
  autostart_dir:
    description: Folder of links to those that start with the host.
    type: path
    default: /etc/xen/auto
  save_dir:
    description: Folder of save files.
    type: path
    default: /var/lib/xen/save
author: The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.xen_domain_info
  - plugin: xtreemos.cluster.xm_to_xl
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Two guests from one image
  xtreemos.cluster.xen_domain:
    wait: ssh
    domains:
      - name: web1
        memory: 512
        kernel: /srv/xen/vmlinuz
        ramdisk: /srv/xen/initrd.img
        cmdline: root=/dev/xvda console=hvc0
        disks: [{target: /srv/xen/web1.img, image: /srv/xen/debian.img, size: 4G}]
        vifs: [{bridge: xenbr0}]
        metadata: {IP0: 192.0.2.21}
        autostart: true
      - name: web2
        memory: 512
        kernel: /srv/xen/vmlinuz
        ramdisk: /srv/xen/initrd.img
        disks: [{target: /dev/vg0/web2, image: /srv/xen/debian.img, size: 4G}]

- name: Stop the guest with this MAC, after 20 seconds by force
  xtreemos.cluster.xen_domain:
    domains: [{address: "m:00:50:56:13:11:40", state: stopped, timeout: 20}]

- name: Take over a guest of xm
  xtreemos.cluster.xen_domain:
    domains: [{import_config: /root/xm/xos21_n1, state: present}]
"""

RETURN = r"""
domains:
  description:
    - Each guest by name. C(before) and C(state) are running, paused, shutdown, crashed, dying, off, or present when
      nobody
      asked whether it runs; C(done) the kinds of steps; C(changes) the options that changed while it ran;
      C(needs_restart)
      those that wait for a restart; C(restarted_for) those that caused one.
  returned: success
  type: dict
  sample: {web1: {before: running, state: running, changed: true, config_changed: true, done: [set], changes: [memory],
    needs_restart: [cmdline], restarted_for: [], path: /etc/xen/web1.cfg, uuid: 6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2,
    macs: ["00:16:3e:00:00:01"]}}
actions:
  description: The commands that changed something; in check mode those that would.
  returned: always
  type: list
  elements: list
  sample: [[xl, mem-set, web1, 512m]]
"""

import os
import pwd
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.apply import apply
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.arguments import ARGUMENTS, settings
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.lifecycle import diff, plan, results


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Plan and carry out; the result in Ansible's form."""
    chosen = settings(options, host, os.uname().nodename, pwd.getpwuid(os.getuid()).pw_dir)
    todo = plan(options["domains"], chosen, host)
    if not check_mode:
        apply(todo, chosen, host)
    return {
        "changed": todo.changed,
        "domains": results(todo, chosen),
        "diff": diff(todo),
        "warnings": todo.warnings(),
        **({"actions": todo.actions()} if check_mode else {}),
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
