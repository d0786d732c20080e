#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: detached_sign
short_description: Keep a signature beside each of some files
version_added: 0.2.0
description:
  - Writes C(<file>.asc) beside each file, as clients want it of C(repomd.xml) or C(MD5SUM).
  - A file is signed again only when the signature that is there does not verify with O(key). Both that and each new
    signature are judged by C(gpg) in a folder of its own that holds this key alone; a signature takes its place when it
    is right.
  - The passphrase is tried once before anything is changed and reaches no command line and no file.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  files:
    description: The files, on the host.
    type: list
    elements: path
    required: true
  state:
    description: V(absent) removes the signatures; the files stay.
    type: str
    choices: [present, absent]
    default: present
  suffix:
    description:
      - What the name of the signature ends with; V(asc) is text, V(sig) and V(gpg) are binary.
    type: str
    choices: [asc, sig, gpg]
    default: asc
  key:
    description: Fingerprint of the key or of one of its subkeys, RSA or Ed25519.
    type: str
  gnupg_home:
    description: The folder of GnuPG that holds the key. By default E(GNUPGHOME) or C(~/.gnupg) of the user on the host.
    type: path
  gpg_program:
    description: Another C(gpg).
    type: str
  passphrase_file:
    description:
      - File on the host whose first line is the passphrase of O(key).
      - Without O(passphrase_file) and O(passphrase) the agent has to know it.
    type: path
  passphrase:
    description: The passphrase itself, from a vault.
    type: str
  digest:
    description: Digest of new signatures.
    type: str
    choices: [sha256, sha384, sha512]
    default: sha256
  lock_timeout:
    description: Seconds to wait for another run that uses keys of the same folder.
    type: int
    default: 60
requirements:
  - gpg, gpg-agent and gpgconf
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.gpg_key
  - module: xtreemos.cluster.rpm_sign
"""

EXAMPLES = r"""
- name: Sign what the clients check
  xtreemos.cluster.detached_sign:
    files:
      - /srv/media/main/repodata/repomd.xml
      - /srv/media/main/media_info/MD5SUM
    key: D7ABAAB9BB8F903634EE65F0A106C3BBD8823A4E
    gnupg_home: /etc/xtreemos/gnupg
    passphrase: "{{ vault_signing_passphrase }}"
"""

RETURN = r"""
files:
  description: Each file by its path; its state is signed, removed or unchanged.
  returned: success
  type: dict
  sample:
    /srv/media/main/repodata/repomd.xml:
      changed: true
      signature: /srv/media/main/repodata/repomd.xml.asc
      state: signed
actions:
  description: Always empty, as gpg-agent signs.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.detached import run_detached

ARGUMENTS: dict[str, t.Any] = {
    "files": {"type": "list", "elements": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "suffix": {"type": "str", "choices": ["asc", "sig", "gpg"], "default": "asc"},
    "key": {"type": "str", "no_log": False},
    "gnupg_home": {"type": "path"},
    "gpg_program": {"type": "str"},
    "passphrase_file": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "digest": {"type": "str", "choices": ["sha256", "sha384", "sha512"], "default": "sha256"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_detached(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
