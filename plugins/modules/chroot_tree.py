#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chroot_tree
short_description: Make, extend and remove the root tree of a chroot
version_added: 0.3.0
description:
  - Makes a root tree from packages or from a tarball whose digest is checked first. The tree is made beside its place
    and put there whole; a run that is killed leaves the old tree or none, and the next one cleans up.
  - Packages that are missing in a tree that is there are added to it. Nothing is ever removed from it.
  - Installs the program that runs commands in the tree, O(program). Its mounts (dev, proc, sys, devpts, run and
    resolv.conf) are in a namespace of the command alone, so the kernel undoes them when the command ends, whatever ends
    it, and the host's table of mounts never shows them.
  - Packages of the Debian family start no services in the tree, which C(policy-rc.d) says there.
  - A tree that is in use is neither removed nor made anew; the error names every mount and process.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  path:
    description: The folder of the tree. While it is made, V(.NAME.new) beside it holds it.
    type: path
    required: true
  state:
    description: Whether the tree is there.
    type: str
    choices: [present, absent]
    default: present
  backend:
    description:
      - What makes the tree.
      - V(mmdebstrap) and V(tarball) are run in the tests; V(dnf), V(debootstrap), V(urpmi) and V(mkosi) are a preview.
    type: str
    choices: [mmdebstrap, debootstrap, dnf, urpmi, mkosi, tarball]
    default: mmdebstrap
  packages:
    description: Packages of the tree, with all they depend on.
    type: list
    elements: str
    default: []
  package_lists:
    description: Files on the host with more names, one a line; C(#) begins a comment.
    type: list
    elements: path
    default: []
  skip:
    description: Packages, or shell patterns, that are left out of the lists and not installed as a dependency either.
    type: list
    elements: str
    default: []
  skip_lists:
    description: Files on the host with more names for O(skip).
    type: list
    elements: path
    default: []
  suite:
    description: Release to install, such as V(bookworm) or V(9). For the Debian family by default that of the host.
    type: str
    default: ''
  distribution:
    description: Distribution, for O(backend=mkosi).
    type: str
    default: ''
  mirrors:
    description: Lines of C(sources.list) for the Debian family. By default those of the host's apt.
    type: list
    elements: str
    default: []
  repos:
    description: Repositories of dnf or media of urpmi.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      url:
        description: Its address, or a folder of the host.
        type: str
        required: true
      key:
        description: File on the host with the key that its packages are signed with. Without one they are not checked.
        type: path
  tarball:
    description: The tree as a tar file on the host, of any compression that C(tar) knows. One folder may be around it.
    type: path
  sums:
    description: The list of digests that came with O(tarball), as md5sum, sha1sum or sha256sum write it.
    type: path
  digest:
    description: The digest itself, md5, sha1, sha256 or sha512 in hex, instead of O(sums).
    type: str
  rebuild:
    description:
      - Whether a tree that was made from something else (backend, suite, mirrors, repositories, tarball) is made anew,
        with the loss of what is in it. Otherwise that is an error.
    type: bool
    default: false
  program:
    description: Where the program that runs commands in trees goes.
    type: path
    default: /usr/local/lib/xtreemos/chroot-enter.py
  lock_timeout:
    description: Seconds to wait for another run on the same tree.
    type: int
    default: 60
notes:
  - Has to run as root.
  - In check mode RV(added) does not name packages for a tree that a tarball will make, as nobody knows what is in it.
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.chroot_access
  - module: xtreemos.cluster.rpm_build
"""

EXAMPLES = r"""
- name: Make a chroot that builds RPM packages
  xtreemos.cluster.chroot_tree:
    path: /srv/chroots/build
    packages: [rpm, gcc, make, openssh-server, python3]

- name: Make the one that everybody was sent
  xtreemos.cluster.chroot_tree:
    path: /srv/chroots/xtreemos
    backend: tarball
    tarball: /srv/incoming/xtreemos_chroot_20070201.tar.bz2
    sums: /srv/incoming/xtreemos_chroot_20070201.tar.bz2.md5sum

- name: Make one from a mirror of RPM media
  xtreemos.cluster.chroot_tree:
    path: /srv/chroots/xos
    backend: dnf
    suite: "2.1"
    packages: [basesystem, rpm-build]
    skip: [kernel-*]
    repos:
      - name: main
        url: http://mirror.example.org/xtreemos/2.1/x86_64/media/main/release
        key: /etc/pki/xtreemos/RPM-GPG-KEY

- name: Remove it
  xtreemos.cluster.chroot_tree:
    path: /srv/chroots/build
    state: absent
"""

RETURN = r"""
path:
  description: The folder of the tree.
  returned: success
  type: str
  sample: /srv/chroots/build
made:
  description: Why the tree was made; empty when it stayed.
  returned: success
  type: str
  sample: there is none
added:
  description: Packages that were added to a tree that was there.
  returned: success
  type: list
  elements: str
  sample: [make]
repaired:
  description: What was done about a run that did not end; empty when there was none.
  returned: success
  type: str
actions:
  description: The commands that were run or, in check mode, would be.
  returned: always
  type: list
  elements: list
  sample: [[mmdebstrap, --mode=root, --variant=minbase, bookworm, /srv/chroots/.build.new/root, "-"]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.run import run_absent, run_present
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module

TEXTS: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
PATHS: dict[str, t.Any] = {"type": "list", "elements": "path", "default": []}
REPO = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "key": {"type": "path", "no_log": False},
}
ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "backend": {
        "type": "str",
        "choices": ["mmdebstrap", "debootstrap", "dnf", "urpmi", "mkosi", "tarball"],
        "default": "mmdebstrap",
    },
    "packages": TEXTS,
    "package_lists": PATHS,
    "skip": TEXTS,
    "skip_lists": PATHS,
    "suite": {"type": "str", "default": ""},
    "distribution": {"type": "str", "default": ""},
    "mirrors": TEXTS,
    "repos": {"type": "list", "elements": "dict", "default": [], "options": REPO},
    "tarball": {"type": "path"},
    "sums": {"type": "path"},
    "digest": {"type": "str"},
    "rebuild": {"type": "bool", "default": False},
    "program": {"type": "path", "default": "/usr/local/lib/xtreemos/chroot-enter.py"},
    "lock_timeout": {"type": "int", "default": 60},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Bring the tree into the wanted state; the result in Ansible's form."""
    run = run_absent if options["state"] == "absent" else run_present
    return run(options, check_mode, host)


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        mutually_exclusive=[("sums", "digest")],
    )
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
