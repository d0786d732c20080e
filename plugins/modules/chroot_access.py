#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chroot_access
short_description: Accounts, keys and the sshd of a chroot
version_added: 0.3.0
description:
  - Declares the accounts of a root tree and writes the settings of an sshd that runs in it on a port of its own.
  - Only keys open it. No account gets a password, a user who is no longer declared cannot log in any more, and the host
    key is made on the host for this tree alone.
  - The files of the tree are edited from outside, nothing of it runs but its sshd, to judge the new settings.
  - The service that runs sshd is not part of this module; see the role C(chroot).
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  path:
    description: The root tree.
    type: path
    required: true
  users:
    description: The accounts. Of accounts that are there, shell, home and groups change; others are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the account; V(root) may be one.
        type: str
        required: true
      keys:
        description: Public keys that open it. Needed where O(users[].login) is true.
        type: list
        elements: str
        default: []
      login:
        description: Whether somebody logs in to it. An account that only builds packages needs no key.
        type: bool
        default: true
      uid:
        description: Number of the account, V(0) for the next free one from 1000.
        type: int
        default: 0
      shell:
        description: Its shell.
        type: str
        default: /bin/sh
      home:
        description: Its home. By default C(/home/NAME).
        type: str
      groups:
        description: More groups, which have to be there.
        type: list
        elements: str
        default: []
  sshd:
    description: Whether the settings of sshd are written. Without it only the accounts are seen to.
    type: bool
    default: true
  address:
    description: Address that sshd listens on.
    type: str
    default: 127.0.0.1
  port:
    description: Port that sshd listens on. A port that another program holds is an error.
    type: int
    default: 24
  key_type:
    description: Kind of the host key; sshd of before 2014 knows rsa only.
    type: str
    choices: [ed25519, rsa]
    default: ed25519
  program:
    description: The program that M(xtreemos.cluster.chroot_tree) has installed.
    type: path
    default: /usr/local/lib/xtreemos/chroot-enter.py
notes:
  - Has to run as root.
  - In check mode a tree that is not there yet counts as a change.
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.chroot_tree
"""

EXAMPLES = r"""
- name: Let two people in, and have an account that builds
  xtreemos.cluster.chroot_access:
    path: /srv/chroots/build
    port: 24
    users:
      - {name: root, keys: ["{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"]}
      - {name: xtreemos, shell: /bin/bash, keys: ["{{ lookup('ansible.builtin.file', 'keys/xtreemos.pub') }}"]}
      - {name: builder, login: false}
"""

RETURN = r"""
changed_paths:
  description: Files of the tree that were written or removed, and homes that were made, sorted.
  returned: success
  type: list
  elements: str
  sample: [/srv/chroots/build/etc/xtreemos/sshd_config]
uids:
  description: Number of each declared account.
  returned: success
  type: dict
  sample: {builder: 1000}
actions:
  description: The commands that were run or, in check mode, would be.
  returned: always
  type: list
  elements: list
  sample: [[install, -d, -m, "0755", -o, "1000", -g, "1000", /srv/chroots/build/home/builder]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.access import run_access
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module

USER = {
    "name": {"type": "str", "required": True},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "login": {"type": "bool", "default": True},
    "uid": {"type": "int", "default": 0},
    "shell": {"type": "str", "default": "/bin/sh"},
    "home": {"type": "str"},
    "groups": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "users": {"type": "list", "elements": "dict", "required": True, "options": USER},
    "sshd": {"type": "bool", "default": True},
    "address": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 24},
    "key_type": {"type": "str", "choices": ["ed25519", "rsa"], "default": "ed25519", "no_log": False},
    "program": {"type": "path", "default": "/usr/local/lib/xtreemos/chroot-enter.py"},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_access(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
