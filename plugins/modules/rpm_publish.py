#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rpm_publish
short_description: Publish and promote packages in a repository tree
version_added: 0.2.0
description:
  - Keeps a repository of several architectures and media, each with sections such as release, updates and testing, and
    moves packages into it and between its sections.
  - The unit is the source package, with its binary packages of all architectures and its source. C(noarch) packages go
    to every architecture, as one file with several names where the file system allows it.
  - The signatures are verified first, and whether everything can still be installed. Then the metadata of exactly the
    media that change is written anew.
  - One run at a time works on a tree. It is done as a whole or not at all; a run that is killed is finished or undone
    by the next one.
  - The folders are C(PATH/VERSION/ARCH/media/MEDIUM/SECTION), C(PATH/VERSION/ARCH/media/debug/MEDIUM/SECTION) and
    C(PATH/VERSION/SRPMS/MEDIUM/SECTION). C(media.cfg) of each architecture is written from O(tree).
  - A run that changed something writes C(PATH/VERSION/timestamp) with the seconds since 1970, by which mirrors know how
    old they are, and C(PATH/VERSION/SHA256SUMS) with the digests of the metadata.
  - Needs Python alone; C(rpmkeys) and C(gpg) for the gate V(signed), C(createrepo_c) for rpm-md, C(rpmlint) for its
    gate.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
  - xtreemos.cluster._tree
options:
  from:
    description:
      - Where the packages are, a folder (absolute, searched with its subfolders) or a section of the tree such as
        V(main/testing).
      - Without it the tree is only made as O(tree) tells, and media without metadata get theirs.
    type: str
  to:
    description: The section that they go to, such as V(main/updates); with O(state=absent) the one that they leave.
    type: str
  packages:
    description:
      - Names of source packages (C(foo)), with their version (C(foo-1.0-3)), or names of files, which stand for their
        whole source package. Of several versions of a name the newest is meant.
      - By default everything that is in O(from).
    type: list
    elements: str
    default: []
  state:
    description: V(present) publishes, V(absent) withdraws O(packages) from O(to).
    type: str
    choices: [present, absent]
    default: present
  gate:
    description:
      - What packages have to pass before anything is changed.
      - V(signed), every file has a good signature by one of O(keys), verified with no other key at hand.
      - V(installable), nothing that could be installed before cannot be afterwards, and the new packages can.
      - V(rpmlint), C(rpmlint) finds no error; where it is not installed, a warning tells so.
    type: list
    elements: str
    choices: [signed, installable, rpmlint]
    default: [signed, installable]
  pubkeys:
    description: Files on the host with armored public keys for the gate V(signed). By default O(tree.pubkey).
    type: list
    elements: path
    default: []
  keys:
    description: Fingerprints of the keys that may sign. By default all keys of O(pubkeys).
    type: list
    elements: str
    default: []
  on_old:
    description: What happens to older versions of the packages in O(to).
    type: str
    choices: [archive, delete, keep]
    default: archive
  remove_source:
    description: Whether the packages leave O(from).
    type: bool
    default: true
  allow_downgrade:
    description: Whether packages may go where newer versions are. These then count as old.
    type: bool
    default: false
  missing:
    description: What to do about a source package without its source, or without packages for some architecture.
    type: str
    choices: [warn, fail, ignore]
    default: warn
  announce:
    description: A mail about what was published.
    type: dict
    suboptions:
      dest:
        description: The file it is written to, only when something was published.
        type: path
        required: true
      sender:
        description: The header From.
        type: str
      to:
        description: The header To.
        type: str
      subject:
        description: The header Subject; C({names}), C({to}), C({distribution}) and C({version}) are filled in.
        type: str
        default: "[{distribution} {version}] {to}: {names}"
      head:
        description: Text before the packages; filled in as the subject.
        type: str
        default: The following packages are now in {to} of {distribution} {version}.
      foot:
        description: Text after the packages; filled in as the subject.
        type: str
        default: ""
      send:
        description: Whether to send it also. Needs O(announce.sender) and O(announce.to).
        type: bool
        default: false
      sendmail:
        description: The command that reads the mail.
        type: list
        elements: str
        default: [sendmail, -t, -oi]
  sign:
    description:
      - The key that signs the metadata. C(MD5SUM) and C(repomd.xml) of the media get a C(.asc) beside them, which comes
        into the tree in one step with what it is of.
      - C(SHA256SUMS.asc) is the text of C(SHA256SUMS) with its signature in one file.
      - Without it the metadata that change have no signature, and an old one is removed.
    type: dict
    suboptions:
      key:
        description: Fingerprint of the key or of one of its subkeys, RSA or Ed25519.
        type: str
        required: true
      gnupg_home:
        description: The folder of GnuPG that holds the key. By default E(GNUPGHOME) or C(~/.gnupg) of the user.
        type: path
      gpg_program:
        description: Another C(gpg).
        type: str
      passphrase_file:
        description: File on the host whose first line is the passphrase.
        type: path
      passphrase:
        description: The passphrase itself, from a vault. Without either one the agent has to know it.
        type: str
      digest:
        description: Digest of new signatures.
        type: str
        choices: [sha256, sha384, sha512]
        default: sha256
  lock_timeout:
    description: Seconds to wait for another run on the same tree, or with keys of the same folder.
    type: int
    default: 60
author:
  - The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Publish what the build host has built, for testing
  xtreemos.cluster.rpm_publish:
    tree: "{{ xtreemos_tree }}"
    from: /srv/incoming
    to: main/testing
    pubkeys: [/etc/pki/xtreemos/RPM-GPG-KEY-xtreemos]
  vars:
    xtreemos_tree:
      path: /srv/mirror/xtreemos
      distribution: XtreemOS
      version: "2.1"
      arches: [x86_64, i586]
      media:
        - {name: main, sections: [release, updates, testing, backports], media_type: [official]}
        - {name: contrib, sections: [release, testing]}
      pubkey: /etc/pki/xtreemos/RPM-GPG-KEY-xtreemos

- name: Promote two packages and write the announcement
  xtreemos.cluster.rpm_publish:
    tree: "{{ xtreemos_tree }}"
    from: main/testing
    to: main/updates
    packages: [xosd, srds-1.0-3]
    announce: {dest: /srv/announce/updates.eml, sender: updates@example.org, to: devel@example.org}

- name: Withdraw a package
  xtreemos.cluster.rpm_publish:
    tree: "{{ xtreemos_tree }}"
    to: main/testing
    packages: [xosd]
    state: absent
"""

RETURN = r"""
packages:
  description: Each source package by name, version and release, with the files that were published or withdrawn.
  returned: success
  type: dict
  sample:
    xosd-1.0-3:
      changed: true
      state: published
      added: [i586/media/main/updates/xosd-1.0-3.i586.rpm, x86_64/media/main/updates/xosd-1.0-3.x86_64.rpm]
      removed: [i586/media/main/testing/xosd-1.0-3.i586.rpm, x86_64/media/main/testing/xosd-1.0-3.x86_64.rpm]
      archived: [x86_64/media/main/updates/xosd-1.0-2.x86_64.rpm]
      deleted: []
      missing: [no source package]
media:
  description: Each medium whose packages or metadata changed, by its folder below C(PATH/VERSION).
  returned: success
  type: dict
  sample:
    x86_64/media/main/updates: {changed: true, packages: 12, added: [xosd-1.0-3.x86_64], removed: []}
files:
  description: What else was written, sorted - media.cfg and its companions, the timestamp, the sums, the announcement.
  returned: success
  type: list
  elements: str
  sample: [/srv/mirror/xtreemos/2.1/SHA256SUMS]
repaired:
  description: What was done about a run that did not end; empty when there was none.
  returned: success
  type: str
  sample: finished
announcement:
  description: The mail; empty when nothing was published or no O(announce) was given.
  returned: success
  type: str
  sample: "Subject: [XtreemOS 2.1] main/updates: xosd-1.0-3"
actions:
  description: Commands that changed something.
  returned: always
  type: list
  elements: list
  sample: [[createrepo_c, --quiet, --update, /srv/mirror/xtreemos/2.1/x86_64/media/main/updates]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.publish import run_publish
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.spec import ARGUMENTS


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_by={"from": "to"},
        required_if=[("state", "absent", ("to", "packages"))],
    )
    run_module(module, lambda host: run_publish(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
