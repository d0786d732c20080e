#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpg_key
short_description: Import, make, export and remove keys of GnuPG
version_added: 0.2.0
description:
  - Brings the keys in a folder of GnuPG to what is wanted, many in one call, and lists all that are there.
  - Keys are made without questions, with a passphrase or explicitly without one.
  - Secret parts never leave GnuPG; nothing of them is in results and logs.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  gnupg_home:
    description:
      - The folder of GnuPG, made with mode 0700 when it is needed. By default E(GNUPGHOME) or C(~/.gnupg) of the user
        on the host.
      - An agent that had to be started for it is ended again.
    type: path
  keys:
    description: The keys, in this order. An empty list only lists what is there.
    type: list
    elements: dict
    default: []
    suboptions:
      state:
        description: V(absent) removes the key with O(keys[].fingerprint).
        type: str
        choices: [present, absent]
        default: present
      fingerprint:
        description:
          - The whole fingerprint. With O(keys[].src) or O(keys[].content) nothing else is accepted; alone it is a key
            that is there already.
        type: str
      src:
        description: A file on the host with exported keys, public or secret.
        type: path
      content:
        description: The same as text, from a vault for instance.
        type: str
      generate:
        description:
          - Makes a key that signs, unless there is one with this user id, a secret part and time left.
        type: dict
        suboptions:
          name:
            description: Whose key it is, 5 characters or more.
            type: str
            required: true
          email:
            description: Address, without brackets.
            type: str
          comment:
            description: Stands in parentheses between name and address.
            type: str
          type:
            description: V(ed25519) signs many times faster, V(rsa) is for old clients too.
            type: str
            choices: [ed25519, rsa]
            default: ed25519
          bits:
            description: Length of an RSA key.
            type: int
            default: 4096
          expires:
            description: Life time (V(2y), V(18m)), a date (V(2030-12-31)) or V(0) for a key that does not expire.
            type: str
            default: "0"
          passphrase_file:
            description: File on the host whose first line is the passphrase.
            type: path
          passphrase:
            description: The passphrase itself, from a vault.
            type: str
          no_passphrase:
            description: Whether the key is to have no passphrase.
            type: bool
            default: false
      trust:
        description: How far its owner is trusted to sign other keys. By default it stays as it is.
        type: str
        choices: [undefined, never, marginal, full, ultimate]
      export:
        description: File on the host to which the armored public key is written.
        type: path
      secret:
        description: With O(keys[].state=absent), whether a secret part is destroyed too. Else a key that has one is an
          error.
        type: bool
        default: false
  s2k_count:
    description:
      - For keys that this call makes, how often the passphrase is hashed, 65536 to 65011712. By default as often as
        takes gpg-agent 0.1 seconds or more, and it does so for B(every) signature.
      - A low count makes signing hundreds of times faster with a protected key, and a stolen key file easier to attack
        when the passphrase can be guessed. With a random one of 20 characters or more it cannot.
    type: int
  gpg_program:
    description: Another C(gpg).
    type: str
  lock_timeout:
    description: Seconds to wait for another run on the same folder.
    type: int
    default: 60
requirements:
  - gpg, gpg-agent and gpgconf
  - the Python library python-gnupg (Debian C(python3-gnupg))
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.rpm_sign
  - module: xtreemos.cluster.detached_sign
"""

EXAMPLES = r"""
- name: Make the key of the project, once, and write its public part for the clients
  xtreemos.cluster.gpg_key:
    gnupg_home: /etc/xtreemos/gnupg
    keys:
      - generate:
          name: XtreemOS packages
          email: packages@example.org
          expires: 3y
          passphrase: "{{ vault_signing_passphrase }}"
        export: /srv/media/RPM-GPG-KEY-xtreemos

- name: Trust the key of the distribution
  xtreemos.cluster.gpg_key:
    keys:
      - src: /root/RPM-GPG-KEY-distribution
        fingerprint: D7ABAAB9BB8F903634EE65F0A106C3BBD8823A4E
        trust: full
"""

RETURN = r"""
keys:
  description:
    - Each wanted key by its fingerprint, else by user id or file. C(does) is what was done, any of import, generate,
      trust, export, delete. In check mode the fingerprint of a key that would be made is not known.
  returned: success
  type: dict
  sample:
    XtreemOS packages <packages@example.org>:
      changed: true
      does: [generate, export]
      fingerprints: [0074617058B3B3FD6614954EC07776CB9B642BD4]
keyring:
  description:
    - Every key that is in the folder at the end, sorted by fingerprint. C(expires) is 0 or in seconds since 1970.
  returned: success
  type: list
  elements: dict
  sample:
    - fingerprint: 0074617058B3B3FD6614954EC07776CB9B642BD4
      users: [XtreemOS packages <packages@example.org>]
      type: ed25519
      bits: 255
      expires: 0
      trust: u
      secret: true
actions:
  description: The runs of gpg that change something, or would in check mode.
  returned: always
  type: list
  elements: list
  sample: [[/usr/bin/gpg, --homedir, /etc/xtreemos/gnupg, --batch, --full-generate-key]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.keys import run_keys

GENERATE: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "email": {"type": "str"},
    "comment": {"type": "str"},
    "type": {"type": "str", "choices": ["ed25519", "rsa"], "default": "ed25519"},
    "bits": {"type": "int", "default": 4096},
    "expires": {"type": "str", "default": "0"},
    "passphrase_file": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "no_passphrase": {"type": "bool", "default": False, "no_log": False},
}
KEY: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "fingerprint": {"type": "str"},
    "src": {"type": "path"},
    "content": {"type": "str", "no_log": True},
    "generate": {"type": "dict", "options": GENERATE},
    "trust": {"type": "str", "choices": ["undefined", "never", "marginal", "full", "ultimate"]},
    "export": {"type": "path"},
    "secret": {"type": "bool", "default": False, "no_log": False},
}
ARGUMENTS: dict[str, t.Any] = {
    "gnupg_home": {"type": "path"},
    "keys": {"type": "list", "elements": "dict", "default": [], "options": KEY, "no_log": False},
    "s2k_count": {"type": "int"},
    "gpg_program": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_keys(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
