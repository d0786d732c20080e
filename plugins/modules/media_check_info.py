#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: media_check_info
short_description: Look for what is wrong with media of RPM packages
version_added: 0.2.0
description:
  - Reads media and tells what is wrong - metadata that does not fit the packages or itself, packages without a
    signature or with one of a foreign key, packages that cannot be installed and why, several builds of one package.
  - Changes nothing and fails only when it cannot look; what it finds is in RV(problems).
  - Needs Python alone.
extends_documentation_fragment:
  - xtreemos.cluster._attributes.info
  - xtreemos.cluster._tree
options:
  paths:
    description: Folders that each are a medium; they are looked at together.
    type: list
    elements: path
    default: []
  arch:
    description: Of O(tree), only this architecture and the sources. By default all.
    type: str
  checks:
    description:
      - V(metadata), the media files fit each other and the packages.
      - V(signatures), every package names a signature of one of O(keys).
      - V(installable), every package of an architecture can be installed with what the media offer.
      - V(duplicates), there is one build of each package in a medium.
    type: list
    elements: str
    choices: [metadata, signatures, installable, duplicates]
    default: [metadata, signatures, installable, duplicates]
  keys:
    description:
      - Fingerprints or key ids of the keys that may sign. By default any key; packages without signature are told.
      - Only the header is read; C(rpmkeys) is what verifies.
    type: list
    elements: str
    default: []
author:
  - The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Look at the whole repository
  xtreemos.cluster.media_check_info:
    tree: "{{ xtreemos_tree }}"
  register: check

- name: Show what is wrong
  ansible.builtin.debug:
    var: check.report

- name: Look at two folders
  xtreemos.cluster.media_check_info:
    paths: [/srv/media/main, /srv/media/contrib]
    keys: [8F3A6D20C1B94E57A0D2F6637C19E5B48D20A6F1]
"""

RETURN = r"""
media:
  description: Each medium by its folder (of a tree, below C(PATH/VERSION)), with what was found.
  returned: success
  type: dict
  sample:
    x86_64/media/main/updates:
      packages: 12
      metadata: [MD5SUM does not fit synthesis.hdlist.cz]
      unsigned: [foo-1.0-1.x86_64.rpm]
      foreign: {}
      uninstallable: {bar-1.0-1.x86_64: [nothing provides baz required by bar-1.0-1.x86_64]}
      older: {foo.x86_64: {newest: foo-1.0-2.x86_64, older: [foo-1.0-1.x86_64]}}
causes:
  description: Why packages cannot be installed, each cause with the packages that it breaks.
  returned: success
  type: dict
  sample: {"nothing provides baz required by bar-1.0-1.x86_64": [bar-1.0-1.x86_64]}
problems:
  description: How many findings there are.
  returned: success
  type: int
  sample: 3
report:
  description: The findings as lines of text, a table of the media first.
  returned: success
  type: list
  elements: str
  sample: ["x86_64/media/main/updates   12 packages, 1 unsigned"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.report import CHECKS, run_check
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.spec import TREE

ARGUMENTS: dict[str, t.Any] = {
    "tree": {"type": "dict", "options": TREE},
    "paths": {"type": "list", "elements": "path", "default": []},
    "arch": {"type": "str"},
    "checks": {"type": "list", "elements": "str", "choices": list(CHECKS), "default": list(CHECKS)},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
}


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("tree", "paths")],
        required_by={"arch": "tree"},
    )
    run_module(module, lambda host: run_check(module.params, host))


if __name__ == "__main__":
    main()
