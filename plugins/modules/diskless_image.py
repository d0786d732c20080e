#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: diskless_image
short_description: Build, publish and switch the root image of diskless nodes
version_added: 0.1.0
description:
  - Turns packages, a root tree or a tarball into one version of an image, that is a squashfs, the kernel, the initramfs
    (stage1) and a manifest in C(IMAGES_ROOT/NAME/VERSION), and points C(IMAGES_ROOT/NAME/current) at it.
  - The digest of the input names the version, so unchanged input builds nothing.
  - The image runs its own systemd. SSH opens by key only, no account has a password, and the host key is made on the
    node at boot. An image that holds a private key or an account with an empty password is not published.
  - A version appears under its name only when it is whole; what a killed run leaves is removed by the next one.
  - Works as root and as an ordinary user with a range in C(/etc/subuid). Nothing of the image runs on the builder
    but the maintainer scripts of its packages, in their own root.
requirements:
  - mmdebstrap (for O(packages)), and newuidmap of the package uidmap when it does not run as root
  - tar2sqfs of squashfs-tools-ng, or mksquashfs 4.5
  - zstd (else stage1 is compressed by gzip)
notes:
  - mmdebstrap unpacks below E(TMPDIR), C(/tmp) by default; that takes about 1 GB while it runs.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  name:
    description: Name of the image; pxe profiles name it.
    type: str
    required: true
  state:
    description:
      - V(present) builds the version unless it is there, makes it current and removes the oldest beyond O(keep).
      - V(current) makes an existing version current after its files were compared with the manifest.
      - V(rolled_back) makes the version before the newest current, or O(version); twice is the same as once.
      - V(absent) removes O(version), or without it the whole image.
    type: str
    choices: [present, current, rolled_back, absent]
    default: present
  version:
    description:
      - Name of the version. By default the first 12 digits of the input digest.
      - A version is never built over; another input under the same name is an error.
      - With O(state=current) the default is the newest one.
    type: str
    default: ''
  images_root:
    description: Folder of all images; the HTTP server of the boot server offers it as C(/images/).
    type: path
    default: /srv/xtreemos/images
  packages:
    description:
      - Packages to install by mmdebstrap, with all they depend on and nothing that they only recommend.
      - The package sources and the proxy are those of this machine's apt.
    type: list
    elements: str
    default: []
  kernel:
    description: Kernel package, added to O(packages).
    type: str
    default: linux-image-amd64
  root:
    description:
      - A root tree made by any installer, instead of O(packages). Other file systems mounted in it are left out.
      - A change is seen by the names, modes, owners, sizes and times in it.
    type: path
  tarball:
    description:
      - A root tree as a tar file, plain or compressed by gzip, bzip2, xz or zstd, instead of O(packages).
      - A change is seen by its size and time.
    type: path
  suite:
    description: Release to install. By default the one of this machine.
    type: str
    default: ''
  mirrors:
    description: Lines for C(sources.list). By default those of this machine's apt.
    type: list
    elements: str
    default: []
  authorized_keys:
    description: Public keys that may log in as root. Without any, nobody can log in.
    type: list
    elements: str
    default: []
  overlay:
    description: Files to put into the image, owned by root. They win over everything else.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path in the image.
        type: str
        required: true
      content:
        description: Its text.
        type: str
        required: true
      mode:
        description: Octal permissions.
        type: str
        default: '0644'
  remove_packages:
    description:
      - Shell patterns of packages to remove by their file lists. Only the image is touched; nothing is executed.
      - Names that are not installed are no error.
    type: list
    elements: str
    default: []
  remove_paths:
    description: Paths or shell patterns to leave out of the image. V(/folder/*) keeps the folder.
    type: list
    elements: str
    default: []
  serial_login:
    description: Whether a login prompt runs on the console. It is of use only with an account that has a password.
    type: bool
    default: false
  stage1_modules:
    description: Shell patterns of more kernel modules for stage1, below C(kernel/), as in V(drivers/infiniband/*).
    type: list
    elements: str
    default: []
  stage1_compression:
    description: Compression of stage1. V(auto) takes zstd when the kernel knows it.
    type: str
    choices: [auto, zstd, gzip]
    default: auto
  stamp:
    description: Any text. A new one makes a new version of the same recipe, for instance to take in updates.
    type: str
    default: ''
  keep:
    description: How many versions stay.
    type: int
    default: 7
  archive:
    description:
      - With O(state=current), a version packed by O(pack) that is taken in when O(version) is not there. Every digest
        is compared with the manifest before it becomes visible; the archive is removed then.
    type: path
  pack:
    description: Write the version into this one tar file too, to carry it to a boot server.
    type: path
  missing_ok:
    description: With O(state=current), only return RV(missing) when O(version) is not there.
    type: bool
    default: false
author:
  - The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Build the image of the nodes
  xtreemos.cluster.diskless_image:
    name: node
    packages: [systemd-sysv, udev, dbus, openssh-server, python3, iproute2, kmod, busybox-static]
    authorized_keys: ["{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"]

- name: Build the same with today's updates
  xtreemos.cluster.diskless_image:
    name: node
    packages: [systemd-sysv, udev, dbus, openssh-server, python3, iproute2, kmod, busybox-static]
    stamp: 2026-11-21

- name: Go back to the version before
  xtreemos.cluster.diskless_image:
    name: node
    state: rolled_back
"""

RETURN = r"""
version:
  description: The version that the run was about.
  type: str
  returned: success
  sample: 3f0c9a51d2ee
current:
  description: The version that C(current) leads to after the run.
  type: str
  returned: success
  sample: 3f0c9a51d2ee
built:
  description: Whether the version was made or taken in by this run.
  type: bool
  returned: success
missing:
  description: Whether the version is not there, with O(state=current).
  type: bool
  returned: success
removed:
  description: Versions that were removed, oldest first.
  type: list
  elements: str
  returned: success
image:
  description:
    - The manifest of the version, with RV(ignore:path) of its folder and the number of its packages. Empty in check
      mode when the version is not there yet.
  type: dict
  returned: success
  sample:
    name: node
    version: 3f0c9a51d2ee
    serial: 4
    kernel_version: 6.1.0-28-cloud-amd64
    ram_needed_mb: 384
    files: {rootfs: {path: rootfs.sqfs, size: 71303168, sha256: ...}}
seconds:
  description: Seconds per step of a build.
  type: dict
  returned: success
  sample: {root tree: 24.1, stage1: 4.2, edit: 0.6, scan: 0.4, squashfs: 1.1, digests: 0.1, install: 0.1}
actions:
  description: The commands that were run or, in check mode, would be.
  type: list
  elements: list
  returned: success
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import agent, pyz
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import image, store
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.agent import collect

# Its import makes Ansible ship the agent, which stage1 gets as source.
SHIPPED = (agent,)
OVERLAY = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
}
TEXTS: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "current", "rolled_back", "absent"], "default": "present"},
    "version": {"type": "str", "default": ""},
    "images_root": {"type": "path", "default": "/srv/xtreemos/images"},
    "packages": TEXTS,
    "kernel": {"type": "str", "default": "linux-image-amd64"},
    "root": {"type": "path"},
    "tarball": {"type": "path"},
    "suite": {"type": "str", "default": ""},
    "mirrors": TEXTS,
    "authorized_keys": {**TEXTS, "no_log": False},
    "overlay": {"type": "list", "elements": "dict", "default": [], "options": OVERLAY},
    "remove_packages": TEXTS,
    "remove_paths": TEXTS,
    "serial_login": {"type": "bool", "default": False},
    "stage1_modules": TEXTS,
    "stage1_compression": {"type": "str", "choices": ["auto", "zstd", "gzip"], "default": "auto"},
    "stamp": {"type": "str", "default": ""},
    "keep": {"type": "int", "default": 7},
    "archive": {"type": "path"},
    "pack": {"type": "path"},
    "missing_ok": {"type": "bool", "default": False},
}


def agent_sources() -> dict[str, str]:
    """The dolly node agent that stage1 runs: file name to text."""
    return collect(pyz.read_source)


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Bring the image into the wanted state; the result in Ansible's form."""
    one = image.Image(options, agent_sources(), host)
    outcome = one.run(check_mode)
    if options["pack"] and outcome.row is not None and not check_mode:
        store.pack(one.store, outcome.plan.version, options["pack"])
    return image.result(one, outcome)


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        mutually_exclusive=[("root", "tarball"), ("root", "packages"), ("tarball", "packages")],
    )
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
