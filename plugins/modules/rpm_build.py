#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rpm_build
short_description: Build packages from the newest revision of a source
version_added: 0.3.0
description:
  - Takes a source from git or Subversion at its newest revision, makes a tarball and specs of it, and runs C(rpmbuild)
    in a chroot as a user without rights. The revision is the version, C(0rREVISION); of git it is the number of
    commits.
  - A build appears as C(DEST/builds/NAME-0rREVISION) with the folders C(RPMS), C(SRPMS) and C(logs), and only when it
    is whole and signed. The links C(DEST/builds/DATE) and C(DEST/builds/last) lead to it.
  - A revision that was built is not built again. What comes after the build (O(publish), O(pxe), O(sync)) is marked in
    its manifest when it is done; a run that was killed is taken up by the next one, and never publishes half a build.
  - Of a build that fails, the logs stay in C(DEST/failed/NAME-0rREVISION/logs), and the error names the log.
  - With O(install) a timer does the same without Ansible.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  name:
    description: Name of the project; tarball, specs and builds begin with it.
    type: str
    required: true
  source:
    description: Where the source is.
    type: dict
    required: true
    suboptions:
      type:
        description: The kind of repository.
        type: str
        choices: [git, svn]
        default: git
      url:
        description: Its address, or a folder of the host. No password is ever asked for.
        type: str
        required: true
      ref:
        description: Branch or tag of git. By default what the repository shows first.
        type: str
        default: ''
      revision:
        description: One revision, a whole commit id of git or a number of Subversion, instead of the newest.
        type: str
        default: ''
  specs:
    description:
      - Templates of specs, files on the host or paths in the source, built in this order.
      - C(@name@), C(@version@), C(@revision@), C(@commit@), C(@tarball@) and C(@date@) in them are filled in. The
        tarball holds one folder, C(NAME-0rREVISION).
    type: list
    elements: str
    required: true
  define:
    description: Instead of C(@version@), the name of a C(%define) in the specs that gets the version.
    type: str
    default: ''
  extra_sources:
    description: More files on the host that the specs name as sources.
    type: list
    elements: path
    default: []
  chroot:
    description: The root tree to build in.
    type: path
    required: true
  user:
    description: The account of the tree that builds; not root.
    type: str
    default: builder
  dest:
    description: The folder of this project's builds.
    type: path
    required: true
  keep:
    description: How many builds stay, by the order in which they were made.
    type: int
    default: 7
  macros:
    description: For C(.rpmmacros).
    type: dict
    suboptions:
      packager:
        description: Who builds, C(%packager).
        type: str
      distribution:
        description: C(%distribution).
        type: str
      vendor:
        description: C(%vendor).
        type: str
      signature:
        description: C(%_signature). The signing itself is done by O(sign), outside of the chroot.
        type: str
      gpg_name:
        description: C(%_gpg_name).
        type: str
      gpg_path:
        description: C(%_gpg_path).
        type: str
      extra:
        description: More macros, by their names without the percent sign.
        type: dict
  buildarchtranslate:
    description: For C(.rpmrc), architectures and what is built for them, such as C({i686; i586}) as a mapping.
    type: dict
  targets:
    description: Architectures for C(--target).
    type: list
    elements: str
    default: []
  rpmbuild_options:
    description: More words for rpmbuild, such as V(--nodeps) in a chroot whose packages are not RPM's.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that one spec may take; V(0) for no limit.
    type: int
    default: 0
  sign:
    description: The key that signs the packages, as in M(xtreemos.cluster.rpm_sign).
    type: dict
    suboptions:
      key:
        description: Its fingerprint.
        type: str
        required: true
      gnupg_home:
        description: The folder of GnuPG that holds it.
        type: path
      gpg_program:
        description: Another C(gpg).
        type: str
      passphrase_file:
        description: File on the host whose first line is the passphrase.
        type: path
      backend:
        description: How it is signed.
        type: str
        choices: [rpmsign, agent]
        default: agent
      digest:
        description: Digest of the signatures.
        type: str
        choices: [sha256, sha384, sha512]
  publish:
    description:
      - Where a new build goes, as in M(xtreemos.cluster.rpm_publish).
      - Options that are not here have its defaults.
    type: dict
    suboptions:
      tree:
        description: The repository, the option C(tree) of that module.
        type: dict
        required: true
      to:
        description: The section.
        type: str
        default: main/testing
      gate:
        description: What packages have to pass.
        type: list
        elements: str
        choices: [signed, installable, rpmlint]
      pubkeys:
        description: Files with public keys for the gate V(signed).
        type: list
        elements: path
      keys:
        description: Fingerprints of the keys that may sign.
        type: list
        elements: str
      on_old:
        description: What happens to older versions.
        type: str
        choices: [archive, delete, keep]
      missing:
        description: What to do about architectures that are missing.
        type: str
        choices: [warn, fail, ignore]
      sign:
        description: The key that signs the metadata, the option C(sign) of that module, with a file for the passphrase.
        type: dict
  pxe:
    description: For packages with a kernel, what nodes boot of it. Other builds make no entry.
    type: dict
    suboptions:
      dest:
        description: A folder below the root of the TFTP server. C(NAME-0rREVISION) in it gets kernel, stage1 and entry.
        type: path
        required: true
      append:
        description: Kernel options of the entry.
        type: str
        default: ''
      modules:
        description:
          - Shell patterns of the kernel modules of stage1.
          - By default those of M(xtreemos.cluster.diskless_image).
        type: list
        elements: str
        default: []
  sync:
    description: Where all builds are copied to by rsync, after each new one.
    type: dict
    suboptions:
      dest:
        description:
          - A folder, C(HOST:FOLDER) by SSH, or C(rsync://HOST/MODULE).
          - What is not among the builds is deleted there.
        type: str
        required: true
      password_file:
        description: File on the host with the password for rsyncd.
        type: path
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
      only:
        description: Whether nothing but this is done; the timer builds.
        type: bool
        default: false
  lock_timeout:
    description: Seconds to wait for another run in O(dest), or with keys of the same folder.
    type: int
    default: 60
requirements:
  - git or svn, rsync for O(sync)
  - gpg and rpmkeys for O(sign); rpm2archive, depmod and tar for O(pxe)
  - rpmbuild and rpmspec in the chroot
notes:
  - Has to run as root, to enter the chroot. The build itself runs as O(user).
  - In check mode the version of a new commit of git is not known, as nothing is fetched.
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.chroot_tree
  - module: xtreemos.cluster.rpm_publish
"""

EXAMPLES = r"""
- name: Build the newest revision and publish it for testing
  xtreemos.cluster.rpm_build:
    name: kerrighed
    source: {type: svn, url: "svn://svn.example.org/kerrighed/trunk"}
    specs: [packages/kerrighed-kernel-2.6.spec, packages/kerrighed.spec]
    define: krgversion
    chroot: /srv/chroots/build
    dest: /srv/builds/kerrighed
    macros: {packager: "XtreemOS <packages@example.org>", distribution: XtreemOS Linux, vendor: XtreemOS}
    buildarchtranslate: {i386: i586, i486: i586, i686: i586}
    sign: {key: 0074617058B3B3FD6614954EC07776CB9B642BD4, gnupg_home: /etc/xtreemos/gnupg}
    publish: {tree: "{{ xtreemos_tree }}", to: main/testing, missing: ignore}
    pxe: {dest: /srv/tftp/nightly, append: console=ttyS0}
"""

RETURN = r"""
built:
  description: Whether this run built.
  returned: success
  type: bool
version:
  description: The version, C(0r) and the revision; empty in check mode when it is not known yet.
  returned: success
  type: str
  sample: 0r1411
commit:
  description: The revision as the repository names it.
  returned: success
  type: str
path:
  description: The folder of the build.
  returned: success
  type: str
  sample: /srv/builds/kerrighed/builds/kerrighed-0r1411
packages:
  description: Its packages, relative to RV(path).
  returned: success
  type: list
  elements: str
  sample: [RPMS/kerrighed-0r1411-1.x86_64.rpm, SRPMS/kerrighed-0r1411-1.src.rpm]
steps:
  description: What was done after the build, in order.
  returned: success
  type: list
  elements: str
  sample: [published, pxe, synced]
pruned:
  description: Builds that were removed, oldest first.
  returned: success
  type: list
  elements: str
published:
  description: The source packages that were published, as M(xtreemos.cluster.rpm_publish) returns them.
  returned: success
  type: dict
entry:
  description: The folder of the boot entry; empty when none was made.
  returned: success
  type: str
  sample: /srv/tftp/nightly/kerrighed-0r1411
files:
  description: Files of the timer that were written.
  returned: success
  type: list
  elements: str
actions:
  description: Commands that changed something. In check mode none, as what is not fetched yet is not known.
  returned: always
  type: list
  elements: list
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.job import ARGUMENTS, run_job
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_job(module.params, module.check_mode, host, module.log))


if __name__ == "__main__":
    main()
