#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: xen_guest_image
short_description: Make a disk and a root archive for Xen guests out of a diskless image
version_added: 0.2.0
description:
  - Turns a version of an image that M(xtreemos.cluster.diskless_image) built into C(disk.img), an ext4 file system
    that guests are copied from, and into C(root.tar.zst). Beside them lie C(vmlinuz) and C(initrd.img), which start a
    guest whose root is on a disk.
  - The command line of such a guest is C(root=/dev/xvda rw console=hvc0). C(initrd.img) knows paths of devices,
    C(LABEL=) and C(UUID=), and C(rootfstype=).
  - What the image is - SSH by key only, no password of any account, DHCP - the guest is too.
  - Works as root and as an ordinary user with a range in C(/etc/subuid).
requirements:
  - unsquashfs of squashfs-tools, mkfs.ext4, tar and zstd; newuidmap of the package uidmap when it does not run as root
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  image:
    description: Folder of a version, such as C(/srv/xtreemos/images/guest/current).
    type: path
    required: true
  dest:
    description: Folder to make the files in.
    type: path
    required: true
  kinds:
    description: What to make.
    type: list
    elements: str
    choices: [archive, disk]
    default: [archive, disk]
  size_mb:
    description: Size of the disk in MiB. It is a sparse file, and guests may make their copies larger.
    type: int
    default: 2048
  label:
    description: Label of the file system on the disk.
    type: str
    default: root
notes:
  - File capabilities of the image are not kept.
author: The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.diskless_image
  - module: xtreemos.cluster.xen_domain
"""

EXAMPLES = r"""
- name: Make the images of guests
  xtreemos.cluster.xen_guest_image:
    image: /srv/xtreemos/images/guest/current
    dest: /srv/xen/images/guest
    size_mb: 4096
"""

RETURN = r"""
files:
  description: Paths by what they are.
  returned: success
  type: dict
  sample: {kernel: /srv/xen/images/guest/vmlinuz, ramdisk: /srv/xen/images/guest/initrd.img,
    disk: /srv/xen/images/guest/disk.img, archive: /srv/xen/images/guest/root.tar.zst}
version:
  description: Version of the image that they are made from.
  returned: success
  type: str
  sample: 3f0c9a51d2ee
actions:
  description: The commands that make the images; in check mode those that would.
  returned: always
  type: list
  elements: list
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.files import locked
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.guestimage import (
    INITRD,
    KERNEL,
    KINDS,
    Wanted,
    make,
    plan,
    steps,
)

ARGUMENTS: dict[str, t.Any] = {
    "image": {"type": "path", "required": True},
    "dest": {"type": "path", "required": True},
    "kinds": {"type": "list", "elements": "str", "choices": sorted(KINDS), "default": ["archive", "disk"]},
    "size_mb": {"type": "int", "default": 2048},
    "label": {"type": "str", "default": "root"},
}


def work(options: t.Mapping[str, t.Any], dry: bool, host: Host) -> Result:
    """Plan, make, tell."""
    wanted = Wanted(
        os.path.realpath(options["image"]),
        options["dest"].rstrip("/"),
        tuple(options["kinds"]),
        options["size_mb"],
        options["label"],
    )
    todo = plan(wanted, host)
    names = {"kernel": KERNEL, "ramdisk": INITRD, **{kind: KINDS[kind] for kind in wanted.kinds}}
    line = "%s %s\n" % (wanted.dest, todo.digest)
    result: dict[str, t.Any] = {
        "changed": todo.stale,
        "version": todo.version,
        "files": {key: os.path.join(wanted.dest, name) for key, name in names.items()},
        "diff": {"before": "" if todo.stale else line, "after": line},
    }
    if todo.stale and dry:
        result["actions"] = steps(wanted, os.path.join(wanted.dest, ".building"), os.getuid())
    elif todo.stale:
        with locked(os.path.join(wanted.dest, ".lock"), 1200):
            make(wanted, todo, host, os.getuid())
    return result


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
