#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iso_boot
short_description: Write the boot menu of a disc, for BIOS and UEFI
version_added: 0.2.0
description:
  - Writes into the tree of a disc what a firmware needs - isolinux with its configuration for BIOS; for UEFI GRUB as
    C(EFI/BOOT/BOOTX64.EFI), once more inside of C(isolinux/efiboot.img), and C(boot/grub/grub.cfg).
  - The same options and the same versions of the loaders give the same bytes.
  - No Secure Boot, as the EFI program is made here.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  tree:
    description: The root of the tree.
    type: path
    required: true
  loaders:
    description: V(bios) is isolinux, V(uefi) is GRUB for x86_64.
    type: list
    elements: str
    choices: [bios, uefi]
    default: [bios, uefi]
  title:
    description: Headline of the menu.
    type: str
  timeout:
    description: Seconds until the first entry starts, V(0) to wait for ever.
    type: int
    default: 10
  serial:
    description: Speed of the first serial port, on which the menu is shown too. By default no port.
    type: int
  entries:
    description: The lines of the menu, the first one is the default.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name to type, of small letters, digits, C(-) and C(_).
        type: str
        required: true
      label:
        description: What the menu shows. By default the name.
        type: str
      kernel:
        description: Path of the kernel on the disc. isolinux reads names of letters, digits, C(_) and one dot.
        type: str
        required: true
      initrd:
        description: Path of the initial RAM disk on the disc.
        type: str
      append:
        description: The kernel's command line.
        type: str
        default: ""
  check_files:
    description: Whether kernels and RAM disks have to be in the tree. Check mode does not look.
    type: bool
    default: true
  loader_paths:
    description: Folders that are searched for isolinux and the modules of both before those of the distribution.
    type: list
    elements: path
    default: []
requirements:
  - isolinux and syslinux-common (Debian) or syslinux, for BIOS
  - grub-mkimage, GRUB's modules for x86_64-efi, and mtools, for UEFI
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.iso_image
"""

EXAMPLES = r"""
- name: A menu with one entry, on the screen and on the serial port
  xtreemos.cluster.iso_boot:
    tree: /var/lib/xtreemos/iso/build
    title: XtreemOS 2.1.1
    serial: 115200
    entries:
      - name: install
        label: Install XtreemOS
        kernel: /isolinux/vmlinuz
        initrd: /isolinux/all.rdz
        append: automatic=method:cdrom console=ttyS0
"""

RETURN = r"""
files:
  description: Files that were written or removed, sorted.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/xtreemos/iso/build/isolinux/isolinux.cfg]
actions:
  description: Always empty; GRUB and mtools work in a folder of their own.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.bootjob import run_iso_boot

ENTRY: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "label": {"type": "str"},
    "kernel": {"type": "str", "required": True},
    "initrd": {"type": "str"},
    "append": {"type": "str", "default": ""},
}
ARGUMENTS: dict[str, t.Any] = {
    "tree": {"type": "path", "required": True},
    "loaders": {"type": "list", "elements": "str", "choices": ["bios", "uefi"], "default": ["bios", "uefi"]},
    "title": {"type": "str"},
    "timeout": {"type": "int", "default": 10},
    "serial": {"type": "int"},
    "entries": {"type": "list", "elements": "dict", "required": True, "options": ENTRY},
    "check_files": {"type": "bool", "default": True},
    "loader_paths": {"type": "list", "elements": "path", "default": []},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_iso_boot(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
