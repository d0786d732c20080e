#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iso_tree
short_description: Make the tree of a disc from a plan
version_added: 0.2.0
description:
  - Makes C(media/MEDIUM) below O(path) hold exactly the packages of a plan of M(xtreemos.cluster.package_set), and
    writes C(media.cfg), C(rpmsrate), C(compssUsers.pl) and C(file-deps) of C(media/media_info).
  - Packages that were signed in the tree stay, as they are told by their main headers, which signing does not change.
  - All packages are brought beside their places first; a run that is killed leaves the old ones.
  - Media files are written afterwards, by M(xtreemos.cluster.hdlist) with C(distrib).
  - Needs Python alone.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  path:
    description: The root of the tree.
    type: path
    required: true
  lock:
    description: The plan, as M(xtreemos.cluster.package_set) wrote it.
    type: path
    required: true
  transfer:
    description:
      - V(copy) shares blocks with the source where the file system can, and copies elsewhere.
      - V(hardlink) takes no space, and the files stay those of the source.
    type: str
    choices: [copy, hardlink]
    default: copy
  signed:
    description:
      - Whether the packages are going to be signed in the tree. Then O(transfer=hardlink) is refused, as signing makes
        another file of each.
    type: bool
    default: false
  product:
    description: What C(media.cfg), and after it C(product.id) and C(VERSION), tell of the disc.
    type: dict
    suboptions:
      version: {type: str, description: Version of the product.}
      branch: {type: str, description: "Such as C(Official)."}
      arch: {type: str, description: Architecture of the disc.}
      product: {type: str, description: "Such as C(Free)."}
      vendor: {type: str, description: Who makes it.}
      distribution: {type: str, description: Name of the distribution.}
      type: {type: str, description: Type of the product.}
      release: {type: str, description: Release of the product.}
  titles:
    description: What clients show for each medium. By default its folder with a capital.
    type: dict
    default: {}
  rpmsrate:
    description: File on the host with the categories of packages; what is not on the disc is taken out of it.
    type: path
  compss_users:
    description: File on the host for C(compssUsers.pl). It is a program of the installer, copied and never looked into.
    type: path
  file_deps:
    description: File on the host with paths, one a line, that packages have to provide.
    type: path
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.package_set
  - module: xtreemos.cluster.hdlist
  - module: xtreemos.cluster.iso_boot
"""

EXAMPLES = r"""
- name: Bring the packages
  xtreemos.cluster.iso_tree:
    path: /var/lib/xtreemos/iso/build
    lock: /var/lib/xtreemos/iso/plan.lock.json
    product:
      {version: 2.1.1, arch: x86_64, branch: Official, product: Free, vendor: XtreemOS, distribution: XtreemOS Linux}
    titles: {main: Main}

- name: Write the media files, product.id and VERSION
  xtreemos.cluster.hdlist:
    path: /var/lib/xtreemos/iso/build
    distrib: true
    repodata: true
"""

RETURN = r"""
media:
  description: Each medium with the names of the files that came, changed and went.
  returned: success
  type: dict
  sample:
    main: {changed: true, added: [a-1-1.noarch.rpm], updated: [], removed: [], packages: 12}
files:
  description: Files of C(media/media_info) that were written, sorted.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/xtreemos/iso/build/media/media_info/media.cfg]
checksums:
  description: SHA-256 of each file of C(media/media_info) that this module writes.
  returned: success
  type: dict
  sample:
    /srv/build/media/media_info/media.cfg: 5f1d7a84610ac85cd4c1b26e2b5a57b7c8a7e1ddf3d2f9c63a4b0e0e4ed5b2a9
removed_media:
  description: Folders of media that the plan does not have any more.
  returned: success
  type: list
  elements: str
  sample: []
epoch:
  description: Time of the newest package of the plan.
  returned: success
  type: int
  sample: 1272425006
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
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.treejob import run_iso_tree

PRODUCT = {
    key: {"type": "str"}
    for key in ("version", "branch", "arch", "product", "vendor", "distribution", "type", "release")
}
ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "lock": {"type": "path", "required": True},
    "transfer": {"type": "str", "choices": ["copy", "hardlink"], "default": "copy"},
    "signed": {"type": "bool", "default": False},
    "product": {"type": "dict", "options": PRODUCT},
    "titles": {"type": "dict", "default": {}},
    "rpmsrate": {"type": "path"},
    "compss_users": {"type": "path"},
    "file_deps": {"type": "path"},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_iso_tree(module.params, module.check_mode, host, module.log))


if __name__ == "__main__":
    main()
