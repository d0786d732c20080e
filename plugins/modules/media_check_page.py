#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: media_check_page
short_description: Publish what is wrong with media of RPM packages as a page
version_added: 0.3.0
description:
  - Looks at repositories as M(xtreemos.cluster.media_check_info) does and writes the findings as one HTML page that
    needs no other file, with the same as JSON beside it.
  - The page is written anew when the findings change. With O(install) a timer looks without Ansible and writes the page
    each time, so that its date tells when somebody looked last.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  trees:
    description: The repositories, each with the options C(tree) of M(xtreemos.cluster.media_check_info).
    type: list
    elements: dict
    required: true
  dest:
    description: The page, such as V(/srv/mirror/check.html); the JSON is beside it, C(check.json).
    type: path
    required: true
  title:
    description: Its heading.
    type: str
    default: State of the media
  checks:
    description: What is looked for, as in M(xtreemos.cluster.media_check_info).
    type: list
    elements: str
    choices: [metadata, signatures, installable, duplicates]
    default: [metadata, signatures, installable, duplicates]
  keys:
    description: Fingerprints of the keys that may sign. By default any key.
    type: list
    elements: str
    default: []
  touch:
    description: Whether the page gets a new date though the findings stayed.
    type: bool
    default: false
  install:
    description: The program and the options of a timer that does the same.
    type: dict
    suboptions:
      program:
        description: Where the program goes.
        type: path
        required: true
      options:
        description: Where the options go.
        type: path
        required: true
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.media_check_info
"""

EXAMPLES = r"""
- name: Publish the state of the repository
  xtreemos.cluster.media_check_page:
    trees: ["{{ xtreemos_tree }}"]
    dest: /srv/mirror/check.html
"""

RETURN = r"""
files:
  description: Files that were written, sorted.
  returned: success
  type: list
  elements: str
  sample: [/srv/mirror/check.html, /srv/mirror/check.json]
problems:
  description: How many findings there are, by tree.
  returned: success
  type: dict
  sample: {XtreemOS 2.1: 0}
report:
  description: The findings as lines of text.
  returned: success
  type: list
  elements: str
  sample: [no problems]
actions:
  description: Commands that changed something; this module runs none.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.page import run_page
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.pyz import plan_install
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import apply_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.report import CHECKS

INSTALL = {"program": {"type": "path", "required": True}, "options": {"type": "path", "required": True}}
ARGUMENTS: dict[str, t.Any] = {
    "trees": {"type": "list", "elements": "dict", "required": True},
    "dest": {"type": "path", "required": True},
    "title": {"type": "str", "default": "State of the media"},
    "checks": {"type": "list", "elements": "str", "choices": list(CHECKS), "default": list(CHECKS)},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "touch": {"type": "bool", "default": False},
    "install": {"type": "dict", "options": INSTALL},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Write page and timer files; the result in Ansible's form."""
    files = plan_install(options["install"], options, host)
    result = run_page(options, check_mode, host)
    if not check_mode:
        apply_files(files, host)
    paths = sorted([*result["files"], *files.paths])
    text = "".join(path + "\n" for path in paths)
    return {**result, "changed": bool(paths), "files": paths, "diff": {"before": "", "after": text}}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
