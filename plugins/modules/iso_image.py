#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iso_image
short_description: Write a tree as an ISO image that boots
version_added: 0.2.0
description:
  - Writes a tree as an ISO 9660 image with Rock Ridge and Joliet, which boots from a disc and, copied byte by byte,
    from a USB stick, by BIOS and UEFI.
  - The size is known exactly before anything is written. A tree that is larger than O(capacity) is refused, or divided
    into several images, O(volumes); copied into one folder they give the tree.
  - The same files give the same bytes, as all dates are that of O(epoch).
  - Beside C(NAME.iso) stand checksums, the list of packages C(NAME.idx), the bill of materials, and C(NAME.json), by
    which the next run knows that there is nothing to do. Signatures are made by M(xtreemos.cluster.detached_sign).
  - Hidden files of the tree are left out, but C(.treeinfo) and C(.discinfo).
  - The image is written beside its place and renamed.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  tree:
    description: The root of the tree.
    type: path
    required: true
  dest:
    description: The image, a name that ends with C(.iso). Several volumes are called C(NAME-1.iso), C(NAME-2.iso).
    type: path
    required: true
  label:
    description:
      - The label of the volume, at most 32 letters, digits, C(_), C(.) and C(-); two fewer with several volumes, which
        get their number behind. Windows shows the first 16.
    type: str
    required: true
  boot:
    description: The firmwares that the image boots by; M(xtreemos.cluster.iso_boot) writes what they need.
    type: list
    elements: str
    choices: [bios, uefi]
    default: [bios, uefi]
  epoch:
    description:
      - Time of everything in the image, in seconds since 1970, as E(SOURCE_DATE_EPOCH).
      - RV(xtreemos.cluster.package_set#module:epoch) is that of the newest package.
    type: int
    required: true
  capacity:
    description:
      - How much a volume may hold, V(cd), V(dvd), V(dvd9), V(bd), V(bd50), or a size such as V(650M). V(none) is no
        limit.
    type: str
    default: none
  volumes:
    description: How many images the tree may be divided into when it is larger than O(capacity).
    type: int
    default: 1
  checksums:
    description: Sums that get a file beside the image.
    type: list
    elements: str
    choices: [md5, sha1, sha256, sha512]
    default: [sha256]
  index:
    description: Whether to write the list of packages.
    type: bool
    default: true
  sbom:
    description: The form of the bill of materials, which names each package with licence and SHA-256.
    type: str
    choices: [none, spdx, cyclonedx]
    default: none
  vendor:
    description: The namespace of the packages in the bill of materials.
    type: str
  lock_timeout:
    description: Seconds to wait for another run in the same folder.
    type: int
    default: 60
requirements:
  - xorriso
  - isolinux, for BIOS
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.iso_boot
  - module: xtreemos.cluster.detached_sign
"""

EXAMPLES = r"""
- name: Write the image
  xtreemos.cluster.iso_image:
    tree: /var/lib/xtreemos/iso/build
    dest: /srv/iso/XtreemOS-2.1.1-x86_64.iso
    label: XTREEMOS-FREE-2.1.1-X86_64
    epoch: "{{ plan.epoch }}"
    capacity: dvd
    checksums: [md5, sha1, sha256]
    sbom: spdx
"""

RETURN = r"""
images:
  description:
    - Each image with its label, size in bytes, number of files and checksums.
    - In check mode the checksums of an image that would be written are not known.
  returned: success
  type: dict
  sample:
    /srv/iso/XtreemOS-2.1.1-x86_64.iso: {label: XTREEMOS-FREE-2.1.1-X86_64, size: 6291456, files: 57, checksums: {}}
written:
  description: Whether the images were made anew.
  returned: success
  type: bool
files:
  description: The images and everything that stands beside them, sorted.
  returned: success
  type: list
  elements: str
  sample: [/srv/iso/XtreemOS-2.1.1-x86_64.idx, /srv/iso/XtreemOS-2.1.1-x86_64.iso]
removed:
  description: Images and side files of an earlier run that are not asked for any more.
  returned: success
  type: list
  elements: str
  sample: []
side_files:
  description: Where the sums, the list and the bill of materials are.
  returned: success
  type: dict
  sample: {sha256: /srv/iso/XtreemOS-2.1.1-x86_64.sha256, idx: /srv/iso/XtreemOS-2.1.1-x86_64.idx}
size:
  description: Bytes of all images.
  returned: success
  type: int
  sample: 6291456
capacity:
  description: Bytes that a volume may hold, 0 for no limit.
  returned: success
  type: int
  sample: 4700372992
actions:
  description: The runs of xorriso, which reads the list of files from its standard input.
  returned: always
  type: list
  elements: list
  sample: [[xorriso, -as, mkisofs, -o, /srv/iso/.XtreemOS-2.1.1-x86_64.iso.new, -graft-points, -path-list, "-"]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.image import run_iso_image

_LOADERS = {"type": "list", "elements": "str", "choices": ["bios", "uefi"], "default": ["bios", "uefi"]}
_SUMS = {"type": "list", "elements": "str", "choices": ["md5", "sha1", "sha256", "sha512"], "default": ["sha256"]}
ARGUMENTS: dict[str, t.Any] = {
    "tree": {"type": "path", "required": True},
    "dest": {"type": "path", "required": True},
    "label": {"type": "str", "required": True},
    "boot": _LOADERS,
    "epoch": {"type": "int", "required": True},
    "capacity": {"type": "str", "default": "none"},
    "volumes": {"type": "int", "default": 1},
    "checksums": _SUMS,
    "index": {"type": "bool", "default": True},
    "sbom": {"type": "str", "choices": ["none", "spdx", "cyclonedx"], "default": "none"},
    "vendor": {"type": "str"},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_iso_image(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
