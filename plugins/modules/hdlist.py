#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hdlist
short_description: Write the media files that urpmi reads for folders of RPM packages
version_added: 0.1.0
description:
  - Makes a folder of RPM packages a medium of urpmi. C(media_info) beside the packages gets C(hdlist.cz),
    C(synthesis.hdlist.cz), C(info.xml.lzma), C(files.xml.lzma), C(changelog.xml.lzma) and C(MD5SUM), as
    C(genhdlist2) writes them; with O(distrib) a whole tree, as C(gendistrib) does.
  - The whole set changes in one step, so that a reader never sees files that do not fit each other. A run that is
    killed leaves the old set or the new one, and the next run cleans up.
  - Packages are told by their content and not by their names, so another build of the same version is noticed.
  - The same packages give the same bytes on every machine with the same libraries for compression.
  - Needs Python alone; C(zstd) for zstd and C(createrepo_c) for O(repodata).
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  path:
    description:
      - The folder that holds the packages.
      - With O(distrib) the root of the tree, the folder that holds C(media/media_info/media.cfg).
    type: path
    required: true
  state:
    description:
      - V(present) writes the media files, V(absent) removes them.
      - V(absent) keeps everything that this module does not write, C(pubkey) too; C(repodata) goes when O(repodata)
        is set. Of a tree only the media files of its media are removed.
    type: str
    choices: [present, absent]
    default: present
  distrib:
    description:
      - Whether O(path) is a tree with several media.
      - Every section of media.cfg is a medium. Sizes in media.cfg, C(hdlists), the links to the files of the media,
        C(MD5SUM), C(VERSION) and, when media.cfg tells vendor, distribution, type or release, C(product.id) are
        written too. Paths in C(media/media_info/file-deps) count as O(file_deps) of every medium.
    type: bool
    default: false
  xml_info:
    description:
      - Whether to write the three XML files.
      - By default V(true), with O(distrib) what media.cfg tells.
    type: bool
  hdlist:
    description: Whether to write hdlist.cz, which only old clients and a few commands read.
    type: bool
    default: true
  compression:
    description:
      - What packs the files; the names stay. Clients look at the content. hdlist.cz is always gzip, as clients read
        nothing else.
    type: dict
    suboptions:
      synthesis:
        description:
          - By default V(gzip), which every client reads, with O(distrib) what media.cfg tells.
        type: str
        choices: [gzip, xz, lzma, zstd, none]
      xml_info:
        description:
          - By default V(lzma), as clients pipe these files through the C(lzma) program, with O(distrib) what media.cfg
            tells.
        type: str
        choices: [gzip, xz, lzma, zstd, none]
  file_deps:
    description:
      - Paths that packages of other media require; the packages that hold them list them as provides.
      - Paths that packages of the same medium require are always listed.
    type: list
    elements: str
    default: []
  repodata:
    description: Whether C(createrepo_c) also writes rpm-md (C(repodata)) for the same packages.
    type: bool
    default: false
  bad_packages:
    description: What to do with packages that are damaged; V(fail) names them all and writes nothing.
    type: str
    choices: [fail, skip]
    default: fail
  allow_empty:
    description: Whether a folder without packages is meant.
    type: bool
    default: false
  pubkey:
    description: File with the armored public key of the packages, to be put into C(media_info) on the host.
    type: path
  versioned:
    description: Whether links with a time stamp (C(YYYYMMDD-HHMMSS-hdlist.cz)) stand beside the files.
    type: bool
    default: false
  weak_dependencies:
    description: The line for packages that are only recommended; V(recommends) is for clients of Mageia 5 and later.
    type: str
    choices: [suggests, recommends]
    default: suggests
  line_limit:
    description:
      - The longest line of the synthesis in bytes. From longer lines dependencies are left out, with a warning.
      - Clients of 2009 read V(65535), later ones V(131071); what is longer makes a client ignore the whole medium.
    type: int
    default: 65535
  lock_timeout:
    description: Seconds to wait for another run on the same folder.
    type: int
    default: 60
author:
  - The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Make a folder of packages a medium for urpmi and dnf
  xtreemos.cluster.hdlist:
    path: /srv/mirror/xtreemos/2.1/x86_64/media/main/release
    repodata: true

- name: Write the media files of the whole tree
  xtreemos.cluster.hdlist:
    path: /srv/mirror/xtreemos/2.1/x86_64
    distrib: true
    pubkey: /etc/pki/xtreemos/RPM-GPG-KEY-xtreemos

- name: Media of XtreemOS 1 and 2 clients, smaller downloads
  xtreemos.cluster.hdlist:
    path: /srv/media/contrib
    compression: {synthesis: xz}
    line_limit: 131071
"""

RETURN = r"""
media:
  description: Each medium by its section in media.cfg, or by O(path) when there is only one.
  returned: success
  type: dict
  sample:
    main/release:
      changed: true
      packages: 11
      path: /srv/mirror/xtreemos/2.1/x86_64/media/main/release
      added: [a-simple-1.0-1mdv2009.0.noarch]
      removed: []
      updated: []
      skipped: {}
      files: [MD5SUM, hdlist.cz, synthesis.hdlist.cz]
files:
  description: With O(distrib), what was written or removed above the media, sorted.
  returned: success
  type: list
  elements: str
  sample: [/srv/mirror/xtreemos/2.1/x86_64/media/media_info/hdlists]
actions:
  description: Commands that changed something.
  returned: always
  type: list
  elements: list
  sample: [[createrepo_c, --quiet, --update, /srv/media/main]]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.job import run_job

COMPRESSORS = ["gzip", "xz", "lzma", "zstd", "none"]
COMPRESSION = {
    "synthesis": {"type": "str", "choices": COMPRESSORS},
    "xml_info": {"type": "str", "choices": COMPRESSORS},
}
ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "distrib": {"type": "bool", "default": False},
    "xml_info": {"type": "bool"},
    "hdlist": {"type": "bool", "default": True},
    "compression": {"type": "dict", "options": COMPRESSION},
    "file_deps": {"type": "list", "elements": "str", "default": []},
    "repodata": {"type": "bool", "default": False},
    "bad_packages": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "allow_empty": {"type": "bool", "default": False},
    "pubkey": {"type": "path"},
    "versioned": {"type": "bool", "default": False},
    "weak_dependencies": {"type": "str", "choices": ["suggests", "recommends"], "default": "suggests"},
    "line_limit": {"type": "int", "default": 65535},
    "lock_timeout": {"type": "int", "default": 60},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_job(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
