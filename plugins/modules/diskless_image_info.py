#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: diskless_image_info
short_description: List the images of diskless nodes and their versions
version_added: 0.2.0
description:
  - Reads the manifests below a folder of images and tells which version nodes get, what each is made of, and what
    changed between two of them.
extends_documentation_fragment: [xtreemos.cluster._attributes.info]
options:
  root:
    description: The folder of all images.
    type: path
    default: /srv/xtreemos/images
  names:
    description: The images to list; by default all.
    type: list
    elements: str
    default: []
  compare:
    description:
      - Two versions of one image, old and new, whose packages and files are compared. V(current) and V(previous) stand
        for the version that nodes get and for the one before it.
      - Needs exactly one entry in O(names), or a folder with one image.
    type: list
    elements: str
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.diskless_image
"""

EXAMPLES = r"""
- name: List all images
  xtreemos.cluster.diskless_image_info:
  register: stored

- name: What came with the last version
  xtreemos.cluster.diskless_image_info:
    names: [node]
    compare: [previous, current]
  register: news
"""

RETURN = r"""
images:
  description:
    - Each image by its name. C(current) is the version that nodes get, empty when there is none; C(versions) are the
      manifests, oldest first, with the number of packages in place of their names.
  returned: success
  type: dict
  sample:
    node:
      current: f2ebbb1393a9
      versions:
        - {version: f2ebbb1393a9, created: "2026-11-28T17:36:41Z", kernel_version: 6.1.0-56-cloud-amd64, packages: 151}
difference:
  description:
    - C(added), C(removed) and C(changed) packages with their versions, and C(files) whose size or content differs, with
      their sizes in bytes.
  returned: with O(compare)
  type: dict
  sample:
    old: 0c1f6e2b7d90
    new: f2ebbb1393a9
    added: {rsync: 3.2.7-1}
    removed: {}
    changed: {openssl: [3.0.17-1, 3.0.18-1]}
    files: {rootfs.sqfs: [76480512, 76582912]}
actions:
  description: Always empty.
  returned: always
  type: list
  elements: list
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.stored import difference, stored

ARGUMENTS: dict[str, t.Any] = {
    "root": {"type": "path", "default": "/srv/xtreemos/images"},
    "names": {"type": "list", "elements": "str", "default": []},
    "compare": {"type": "list", "elements": "str"},
}


def work(options: t.Mapping[str, t.Any]) -> Result:
    """List, and compare when asked."""
    result: dict[str, t.Any] = {"changed": False, "images": stored(options["root"], options["names"])}
    if options["compare"] is not None:
        result["difference"] = difference(options["root"], list(result["images"]), options["compare"])
    return result


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params))


if __name__ == "__main__":
    main()
