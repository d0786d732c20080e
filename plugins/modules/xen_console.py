#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xen_console
short_description: Show the console of a Xen guest on the controller
version_added: 0.2.0
description:
  - Finds a guest of a dom0 by any address, starts it when asked to, and opens a window with its console on the
    controller, or returns the command that does.
  - The window is a program of the controller that goes through SSH - a terminal with C(xl console), or a VNC viewer
    through a tunnel to the port that xenstore names. With O(forward=display) it is a program of dom0, shown here by X11
    forwarding.
  - A window that is open already is kept; it is known by a mark in its environment.
extends_documentation_fragment: [xtreemos.cluster._attributes]
attributes:
  action:
    description: The window is opened on the controller.
    support: full
  diff_mode:
    support: none
    details: A window is no text.
  idempotent:
    support: partial
    details: With O(connect=reconnect) the windows are opened anew each time.
options:
  address:
    description: The guest, as in M(xtreemos.cluster.xen_domain_info).
    type: raw
    required: true
  type:
    description:
      - V(cli) is the terminal that you type the command in, so it is only returned. V(none) shows nothing.
      - V(xterm), V(gterm) (gnome-terminal) and V(emacs) run C(xl console). V(vnc) needs a guest with C(vnc) set.
    type: str
    choices: [cli, xterm, gterm, emacs, vnc, none]
    default: xterm
  forward:
    description: V(connection) runs the program on the controller, V(display) on dom0.
    type: str
    choices: [connection, display]
    default: connection
  connect:
    description:
      - V(connect) needs a guest that runs. V(reuse) starts it when it does not.
      - V(reconnect) does that too, and closes the windows first that this user has open for the guest.
    type: str
    choices: [connect, reuse, reconnect]
    default: connect
  open:
    description:
      - V(auto) opens a window if that is possible, and returns the command and the reason otherwise. V(always) fails
        then. V(never) only returns the command.
    type: str
    choices: [auto, always, never]
    default: auto
  display:
    description: The X display of the controller. By default that of its environment.
    type: str
  program:
    description: The terminal, Emacs or viewer to use; it has to take the options of the usual one.
    type: str
  timeout:
    description: Seconds to wait for the VNC server of a guest that was started by this call.
    type: int
    default: 20
  match:
    description: What to do when several guests fit O(address).
    type: str
    choices: [unique, first]
    default: unique
  search_paths:
    description: Folders with configuration files, beside O(config_dir).
    type: list
    elements: path
    default: []
  vmstate:
    description: Which states count, as in M(xtreemos.cluster.xen_domain_info).
    type: list
    elements: str
    default: [ALL]
  config_dir:
    description: Folder of the guests' configuration files.
    type: path
    default: /etc/xen
author: The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.xen_domain
"""

EXAMPLES = r"""
- name: Open a terminal on the console of a guest
  xtreemos.cluster.xen_console:
    address: l:tst100

- name: See its screen by VNC through SSH, and start it when it does not run
  xtreemos.cluster.xen_console:
    address: u:6842caf91e3e43249ed596b8b9f2c5c2
    type: vnc
    connect: reuse

- name: Only tell the command
  xtreemos.cluster.xen_console:
    address: t:192.168.1.220
    type: cli
"""

RETURN = r"""
guest:
  description: The guest.
  returned: success
  type: dict
  sample: {name: tst100, domid: 4, state: running, path: /etc/xen/tst100.cfg,
    uuid: 6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2}
vnc:
  description: Its VNC server as dom0 sees it, with O(type=vnc). Empty in check mode when the guest has to be started.
  returned: success
  type: dict
  sample: {listen: 127.0.0.1, port: 5900}
command:
  description: The line to type on the controller. Empty with O(type=none).
  returned: success
  type: str
  sample: ssh -t root@lab00 xl console tst100
opened:
  description: Whether this call opened a window.
  returned: success
  type: bool
reason:
  description: Why no window was opened; empty when one is open.
  returned: success
  type: str
windows:
  description: Process ids of the windows and tunnels that are open for the guest.
  returned: success
  type: list
  elements: int
actions:
  description: The commands that changed something, on dom0 and on the controller; in check mode those that would.
  returned: always
  type: list
  elements: list
  sample: [[xterm, -T, "tst100 on lab00", -e, ssh, -t, root@lab00, xl, console, tst100]]
"""

import os
import pwd
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.console import CONNECTS, FORWARDS, TYPES, check
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.consoles import (
    find_guest,
    find_vnc,
    runs,
    start,
    told,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.wish import Settings

ARGUMENTS: dict[str, t.Any] = {
    "address": {"type": "raw", "required": True},
    "type": {"type": "str", "choices": list(TYPES), "default": "xterm"},
    "forward": {"type": "str", "choices": list(FORWARDS), "default": "connection"},
    "connect": {"type": "str", "choices": list(CONNECTS), "default": "connect"},
    "open": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "display": {"type": "str"},
    "program": {"type": "str"},
    "timeout": {"type": "int", "default": 20},
    "match": {"type": "str", "choices": ["unique", "first"], "default": "unique"},
    "search_paths": {"type": "list", "elements": "path", "default": []},
    "vmstate": {"type": "list", "elements": "str", "default": ["ALL"]},
    "config_dir": {"type": "path", "default": "/etc/xen"},
}


def _settings(options: t.Mapping[str, t.Any], host: Host) -> Settings:
    node = os.uname().nodename
    machine = (host.read("/etc/machine-id") or b"").decode("ascii", "replace").strip()
    return Settings(
        config_dir=options["config_dir"],
        search_paths=tuple(options["search_paths"]),
        vmstate=tuple(options["vmstate"]),
        match=options["match"],
        home=pwd.getpwuid(os.getuid()).pw_dir,
        pm=node,
        seed="%s/%s" % (machine, node),
    )


def work(
    options: t.Mapping[str, t.Any], dry: bool, host: Host, sleep: t.Callable[[float], None] = time.sleep
) -> Result:
    """What dom0 knows; the action plugin of the same name opens the window."""
    check(options["type"], options["forward"])
    settings = _settings(options, host)
    found = find_guest(options["address"], settings, host)
    before = runs(found)
    guest = start(found, options["connect"], settings, host, dry)
    vnc: dict[str, t.Any] = {}
    if options["type"] == "vnc" and runs(guest):
        server = find_vnc(guest, host, 0 if before else options["timeout"], sleep)
        vnc = {"listen": server.listen, "port": server.port}
    return {"changed": not before, "guest": told(guest), "vnc": vnc}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
