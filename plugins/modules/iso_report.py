#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iso_report
short_description: Write a page about a disc
version_added: 0.2.0
description:
  - Writes one page of HTML that needs nothing else, in the order of the report of BCD - product, media, RPMCHECK status
    with explanations, logs, ISO with its checksums; then what fills the disc as a picture, what was left out, and what
    has changed since the last report.
  - The same as data stands beside it, C(NAME.json) for C(NAME.html).
  - A page about the same plan and image is the same, whenever it is made.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  dest:
    description: The page, a name that ends with C(.html).
    type: path
    required: true
  lock:
    description: The plan, as M(xtreemos.cluster.package_set) wrote it.
    type: path
    required: true
  image:
    description: The O(xtreemos.cluster.iso_image#module:dest) of the image, if there is one.
    type: path
  product:
    description: What the headline tells.
    type: dict
    suboptions:
      nameid: {type: str, description: Name of the product.}
      version: {type: str, description: Its version.}
      arch: {type: str, description: Its architecture.}
      based_on: {type: str, description: The distribution that it is based on.}
      theme: {type: str, description: The theme.}
  conf:
    description: The configuration that was used.
    type: str
  synced:
    description: When the packages were mirrored.
    type: str
  pubkey:
    description: The public key of the media.
    type: str
  logs:
    description: Files that the page links to, such as the plan.
    type: list
    elements: path
    default: []
  epoch:
    description: Time of the build. By default that of the newest package.
    type: int
  previous:
    description: Data of the report to compare with. By default what stands beside O(dest).
    type: path
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.package_set
  - module: xtreemos.cluster.iso_image
"""

EXAMPLES = r"""
- name: Write the page
  xtreemos.cluster.iso_report:
    dest: /srv/iso/report.html
    lock: /var/lib/xtreemos/iso/plan.lock.json
    image: /srv/iso/XtreemOS-2.1.1-x86_64.iso
    product: {nameid: XtreemOS, version: 2.1.1, arch: x86_64, based_on: "2009.0", theme: Mandriva-Free}
    conf: xos64.xml
"""

RETURN = r"""
title:
  description: The headline.
  returned: success
  type: str
  sample: XtreemOS-2.1.1-x86_64 build at 2010_4_28-5h23-6
broken:
  description: How many packages cannot be installed.
  returned: success
  type: int
  sample: 0
previous:
  description: What has changed since the report that is named there; empty for the first one.
  returned: success
  type: dict
  sample: {against: XtreemOS-2.1-x86_64 build at 2010_3_17-0h0-0, added: [main/a.noarch 1-1], removed: [], changed: []}
files:
  description: The page and its data.
  returned: success
  type: list
  elements: str
  sample: [/srv/iso/report.html, /srv/iso/report.json]
actions:
  description: Always empty, as no command is run.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.reportjob import run_iso_report

PRODUCT = {key: {"type": "str"} for key in ("nameid", "version", "arch", "based_on", "theme")}
ARGUMENTS: dict[str, t.Any] = {
    "dest": {"type": "path", "required": True},
    "lock": {"type": "path", "required": True},
    "image": {"type": "path"},
    "product": {"type": "dict", "options": PRODUCT},
    "conf": {"type": "str"},
    "synced": {"type": "str"},
    "pubkey": {"type": "str", "no_log": False},
    "logs": {"type": "list", "elements": "path", "default": []},
    "epoch": {"type": "int"},
    "previous": {"type": "path"},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_iso_report(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
