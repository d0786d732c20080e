#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lab_disk
short_description: Makes the disk of a lab machine from Debian packages
version_added: 0.1.0
description:
  - Makes an ext4 disk, its kernel and its initial RAM disk with mmdebstrap, as root or as any user.
  - The mirrors are those of the machine's own apt configuration.
  - The disk belongs to one virtual rack. It may hold that rack's keys and must never be published.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  folder:
    description: Where C(disk.ext4), C(vmlinuz) and C(initrd.img) are laid.
    type: path
    required: true
  suite:
    description: The Debian release.
    type: str
    default: bookworm
  packages:
    description: The packages beside the essential ones. One of them has to be a kernel.
    type: list
    elements: str
    required: true
  disabled:
    description: Services that do not start until a role has configured and enabled them.
    type: list
    elements: str
    default: []
  enabled:
    description: Services that start at boot although their package leaves them off.
    type: list
    elements: str
    default: []
  files:
    description: Files to lay into the disk.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path inside the disk.
        type: path
        required: true
      content:
        description: The text. Give this or O(files[].src).
        type: str
      src:
        description: A file of this machine whose content is taken. It may be secret.
        type: path
      mode:
        description: The mode, in octal digits.
        type: str
        default: '0644'
  size_mb:
    description: Size of the disk in MiB. It is a sparse file.
    type: int
    default: 4096
  boot_cd:
    description:
      - Whether C(boot.iso) is laid beside the disk, a CD whose GRUB takes the menu of the disk, for machines that have
        to start what is installed on them. Needs grub-pc-bin and xorriso.
    type: bool
    default: false
author: The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Make the head's disk
  xtreemos.cluster.lab_disk:
    folder: /var/tmp/rack/head
    packages: [linux-image-cloud-amd64, systemd-sysv, udev, openssh-server, python3]
    files:
      - path: /etc/hostname
        content: "head\n"
      - path: /root/.ssh/authorized_keys
        src: /var/tmp/rack/id_ed25519.pub
        mode: '0600'
"""

RETURN = r"""
image:
  description: Path of the disk.
  type: str
  returned: success
digest:
  description: SHA-256 of the inputs that the disk is made from.
  type: str
  returned: success
seconds:
  description: How long it took.
  type: float
  returned: success
actions:
  description: The commands that were run.
  type: list
  elements: list
  returned: always
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.files import locked
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, Host, LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import disk as disks

FILE: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "src": {"type": "path"},
    "mode": {"type": "str", "default": "0644"},
}
OPTIONS: dict[str, t.Any] = {
    "folder": {"type": "path", "required": True},
    "suite": {"type": "str", "default": "bookworm"},
    "packages": {"type": "list", "elements": "str", "required": True},
    "disabled": {"type": "list", "elements": "str", "default": []},
    "enabled": {"type": "list", "elements": "str", "default": []},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "mutually_exclusive": [("content", "src")],
        "required_one_of": [("content", "src")],
    },
    "size_mb": {"type": "int", "default": 4096},
    "boot_cd": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)

    def work(host: LocalHost) -> dict[str, t.Any]:
        wanted = wanted_disk(module.params, host, module.check_mode)
        disks.check(wanted)
        if module.check_mode:
            return outcome(host, wanted, True)
        os.makedirs(wanted.folder, exist_ok=True)
        with locked(os.path.join(wanted.folder, "lock"), 1200):
            return outcome(host, wanted, False)

    run_module(module, work)


def wanted_disk(params: dict[str, t.Any], host: Host, dry: bool) -> disks.Disk:
    files = {entry["path"]: _file(entry, host, dry) for entry in params["files"]}
    return disks.Disk(
        params["folder"],
        params["suite"],
        tuple(params["packages"]),
        files,
        tuple(params["disabled"]),
        tuple(params["enabled"]),
        params["size_mb"],
        params["boot_cd"],
    )


def _file(entry: dict[str, t.Any], host: Host, dry: bool) -> File:
    try:
        mode = int(entry["mode"], 8)
    except ValueError:
        raise ClusterError("%s: mode %r is not octal" % (entry["path"], entry["mode"]), "write it as '0644'")
    if not entry["src"]:
        return File((entry["content"] or "").encode("utf-8"), mode)
    content = host.read(entry["src"])
    if content is None and not dry:
        raise ClusterError("there is no %s" % entry["src"], "make it first, or correct the path")
    return File(content or b"", mode)


def outcome(host: LocalHost, wanted: disks.Disk, dry: bool) -> dict[str, t.Any]:
    begun = time.monotonic()
    changed = not disks.is_current(wanted, host)
    if changed and not dry:
        disks.build(wanted, host)
    return {
        "changed": changed,
        "image": wanted.image,
        "digest": wanted.digest(),
        "seconds": round(time.monotonic() - begun, 1),
        "diff": {"before": "", "after": "%s %s\n" % (wanted.image, wanted.digest()) if changed else ""},
    }


if __name__ == "__main__":
    main()
