#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rpm_sign
short_description: Sign RPM packages, or take their signatures away
version_added: 0.2.0
description:
  - Sees to it that packages carry the signature of one key and no other. Who signed is read from the header of each
    package, so that a second run costs milliseconds and changes nothing.
  - Packages are changed as copies beside themselves, each verified by C(rpmkeys) with a database that knows this key
    alone, written to disk and then put in place. Hard links to a package, as of a mirror that a tree was linked from,
    keep the old bytes; a symbolic link becomes a file of its own, unless the package behind it is among O(paths) too. A
    run that is killed leaves every package signed or as it was, and the next run cleans up.
  - A package whose digests do not fit is never signed.
  - The passphrase reaches GnuPG through memory, never through a command line or a file, and is tried once before
    anything is changed. Nobody is asked for it.
  - Owner, mode and extended attributes stay. The time of a signed file is that of the signing, as its size may be the
    same and mirrors would not notice it otherwise.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  paths:
    description:
      - Packages, folders with packages and patterns (C(*), C(?), C([a-z]), C(**)), on the host.
      - Of a folder and of a pattern the names that end with C(.rpm) count; hidden ones do not.
    type: list
    elements: path
    required: true
  state:
    description:
      - V(present) signs what is not signed by O(key) with O(digest), or signed by somebody else as well.
      - V(absent) takes all signatures away, which gives the bytes from before the first signing.
    type: str
    choices: [present, absent]
    default: present
  key:
    description:
      - Fingerprint of the key. A key id of 16 or 8 digits will do while it is the only one.
      - Of a key with subkeys the newest one that signs is used, as C(gpg) does, and a signature of any of them is
        right. The fingerprint of a subkey means that one.
      - RSA and Ed25519; clients of 2009 presumably read RSA only.
      - Not used with O(state=absent).
    type: str
  gnupg_home:
    description:
      - The folder of GnuPG that holds the key. By default E(GNUPGHOME) or C(~/.gnupg) of the user on the host.
      - An agent that runs already for it is used and left running; one that had to be started is ended.
    type: path
  gpg_program:
    description: Another C(gpg). By default C(gpg) or C(gpg2) of the search path, which is given to C(rpmsign) too.
    type: str
  passphrase_file:
    description:
      - File on the host whose first line is the passphrase of O(key).
      - Without O(passphrase_file) and O(passphrase) the agent has to know it. A key that needs one is never used
        without.
    type: path
  passphrase:
    description: The passphrase itself, from a vault.
    type: str
  backend:
    description:
      - V(rpmsign) is rpm's own program, which calls gpg for each package.
      - V(agent) lets gpg-agent sign and writes the signature itself, which is much faster with Ed25519 keys.
      - V(keyfile) reads an unprotected key from O(keyfile), for keys that are thrown away after a test. Needs the
        Python library C(cryptography) on the host.
    type: str
    choices: [rpmsign, agent, keyfile]
    default: rpmsign
  keyfile:
    description: For O(backend=keyfile) a secret key as C(gpg --export-secret-keys) writes it.
    type: path
  throwaway:
    description: Has to be V(true) with O(backend=keyfile); says that nobody trusts this key.
    type: bool
    default: false
  digest:
    description:
      - Digest of the signature.
      - By default new signatures have SHA-256, and packages signed with a stronger one stay.
    type: str
    choices: [sha256, sha384, sha512]
  recurse:
    description: Whether folders inside of folders are looked into. Links to folders are not followed.
    type: bool
    default: false
  allow_empty:
    description: Whether a path behind which there are no packages is fine.
    type: bool
    default: false
  bad_packages:
    description: What to do about damaged packages; V(fail) names them all and signs nothing.
    type: str
    choices: [fail, skip]
    default: fail
  jobs:
    description: How many batches of at most 50 packages are signed at a time. By default two per processor, at most 4.
    type: int
  progress_file:
    description: Append a line C(n of m) to this file after each batch; the system log gets it too.
    type: path
  lock_timeout:
    description: Seconds to wait for another run on the same folder of packages, or with a key of the same folder.
    type: int
    default: 60
requirements:
  - gpg, gpg-agent and gpgconf
  - rpmkeys; rpmsign for O(backend=rpmsign)
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.gpg_key
  - module: xtreemos.cluster.detached_sign
  - module: xtreemos.cluster.hdlist
"""

EXAMPLES = r"""
- name: Sign the packages of the release
  xtreemos.cluster.rpm_sign:
    paths: [/srv/mirror/xtreemos/2.1/x86_64/media]
    recurse: true
    key: D7ABAAB9BB8F903634EE65F0A106C3BBD8823A4E
    gnupg_home: /etc/xtreemos/gnupg
    passphrase: "{{ vault_signing_passphrase }}"

- name: The same, faster, with an Ed25519 key
  xtreemos.cluster.rpm_sign:
    paths: ["/srv/build/*.rpm"]
    key: 0074617058B3B3FD6614954EC07776CB9B642BD4
    gnupg_home: /etc/xtreemos/gnupg
    passphrase_file: /etc/xtreemos/passphrase
    backend: agent

- name: Take the signatures away
  xtreemos.cluster.rpm_sign:
    paths: [/srv/build]
    state: absent
"""

RETURN = r"""
packages:
  description: Each package by its path, with its signatures before and after, one line each.
  returned: success
  type: dict
  sample:
    /srv/build/a-simple-1.0-1.noarch.rpm:
      changed: true
      before: []
      after: [header eddsa sha256 0074617058B3B3FD6614954EC07776CB9B642BD4]
skipped:
  description: Damaged packages with the reason, when O(bad_packages=skip).
  returned: success
  type: dict
  sample: {/srv/build/b.rpm: "/srv/build/b.rpm: empty file"}
summary:
  description: The numbers.
  returned: success
  type: str
  sample: 42 of 1300 packages change
actions:
  description:
    - The runs of C(rpmsign), with the names of the packages in place of their copies. Other backends run nothing.
  returned: always
  type: list
  elements: list
  sample: [[/usr/bin/rpmsign, --define, __gpg /usr/bin/gpg, --resign, /srv/build/a-simple-1.0-1.noarch.rpm]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.job import run_job

ARGUMENTS: dict[str, t.Any] = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "key": {"type": "str", "no_log": False},
    "gnupg_home": {"type": "path"},
    "gpg_program": {"type": "str"},
    "passphrase_file": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "backend": {"type": "str", "choices": ["rpmsign", "agent", "keyfile"], "default": "rpmsign"},
    "keyfile": {"type": "path", "no_log": False},
    "throwaway": {"type": "bool", "default": False},
    "digest": {"type": "str", "choices": ["sha256", "sha384", "sha512"]},
    "recurse": {"type": "bool", "default": False},
    "allow_empty": {"type": "bool", "default": False},
    "bad_packages": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "jobs": {"type": "int"},
    "progress_file": {"type": "path"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_job(module.params, module.check_mode, host, module.log))


if __name__ == "__main__":
    main()
