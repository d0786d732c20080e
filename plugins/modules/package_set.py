#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_set
short_description: From lists of packages to the exact set that goes on a disc
version_added: 0.2.0
description:
  - Reads lists of packages and folders of RPM packages, adds what the packages on the lists require, and writes the
    result to a lock file, from which M(xtreemos.cluster.iso_tree) makes the tree of a disc.
  - The newest build of each package and the newest kernel of each flavour are taken; what was left out is told.
  - Every package of the set can be installed with what the set holds; where not, the whole chain of reasons is told.
  - Packages are known by their headers. Neither root nor a chroot nor media files are needed, Python alone is.
  - A second run compares lists, options, names, sizes and times with those of the lock file and reads no package.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  sources:
    description: Where packages come from. Where two offer the same, the first one counts.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the source.
        type: str
        required: true
      description:
        description: A line for the report.
        type: str
      path:
        description: The folder with the packages, or with the O(sources[].sections).
        type: path
        required: true
      sections:
        description: Folders below O(sources[].path) that are used together, such as V(release), V(updates), V(testing).
        type: list
        elements: str
        default: []
      dest:
        description:
          - The medium on the disc that its packages go to; several sources may share one. By default its name.
        type: str
      lists:
        description: Lists of packages. A name is looked for in this source, then in the others.
        type: list
        elements: path
        default: []
      packages:
        description: The same without a file.
        type: list
        elements: str
        default: []
      exclude:
        description: Lists of packages of this source that must not be taken.
        type: list
        elements: path
        default: []
      exclude_packages:
        description: The same without a file.
        type: list
        elements: str
        default: []
  lists:
    description:
      - Lists of packages, looked for in all sources.
      - One package a line, C(#) begins a comment. C(NAME), C(NAME-VERSION), C(NAME-VERSION-RELEASE), with the
        architecture behind it, or what a package provides.
      - A line with C(*), C(?) or C([) is a pattern; one that begins with C(^) or ends with C($) a regular expression.
      - C(CAT_X 4) means all packages of that category with a rate of 4 or more in O(rpmsrate).
    type: list
    elements: path
    default: []
  packages:
    description: The same without a file.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - Lists of packages that must not be taken, whoever asks for them. Where one of the set needs such a package, that
        is told.
    type: list
    elements: path
    default: []
  exclude_packages:
    description: The same without a file.
    type: list
    elements: str
    default: []
  protect:
    description: Lists of packages that no exclude list takes out.
    type: list
    elements: path
    default: []
  rpmsrate:
    description: The file with the categories of packages.
    type: path
  arches:
    description: Architectures that are used. By default all that are there; source packages never are used.
    type: list
    elements: str
    default: []
  policy:
    description: How to decide.
    type: dict
    suboptions:
      on_choice:
        description:
          - Where several packages would do and none is chosen yet, take the V(first) by name, take V(all), or V(fail).
        type: str
        choices: [first, all, fail]
        default: first
      prefer:
        description: Names that are taken where there is a choice.
        type: list
        elements: str
        default: []
      suggests:
        description: Whether packages that are only recommended come along.
        type: bool
        default: false
      closure:
        description:
          - V(enforce) fails when a package cannot be installed, V(warn) tells it, V(off) takes the lists as they are.
        type: str
        choices: [enforce, warn, "off"]
        default: enforce
      duplicates:
        description: Whether only the newest build of each package in a medium is used.
        type: str
        choices: [newest, all]
        default: newest
      kernels:
        description: The same of kernels that carry their version in the name, by flavour.
        type: str
        choices: [newest, all]
        default: newest
      unknown:
        description: What to do about a line of a list that means no package.
        type: str
        choices: [fail, warn]
        default: fail
  lock:
    description: The file that the plan is written to.
    type: path
    required: true
  kickstart:
    description: Also write the names as the section C(%packages) of a kickstart file.
    type: path
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.iso_tree
"""

EXAMPLES = r"""
- name: What goes on the disc
  xtreemos.cluster.package_set:
    sources:
      - name: main
        path: /srv/mirror/2009.0/x86_64/media/main
        sections: [release, updates]
        lists: [lists/input_main, lists/languages]
        exclude: [lists/exclude_main]
      - name: xos
        path: /srv/mirror/xtreemos/2.1/x86_64/media/main/release
        dest: main
        lists: [lists/xos_list_64]
    policy:
      prefer: [vim-minimal]
    rpmsrate: lists/rpmsrate
    lock: /var/lib/xtreemos/iso/plan.lock.json
"""

RETURN = r"""
packages:
  description: The packages of each medium of the disc, sorted.
  returned: success
  type: dict
  sample: {main: [a-simple-1.0-1mdv2009.0.noarch]}
count:
  description: How many packages there are.
  returned: success
  type: int
  sample: 1300
size:
  description: Bytes of all packages.
  returned: success
  type: int
  sample: 3800000000
epoch:
  description: Time of the newest package, in seconds since 1970. With it a disc needs no clock.
  returned: success
  type: int
  sample: 1272425006
key:
  description: Digest of everything that the plan was made of.
  returned: success
  type: str
  sample: 5f1d7a84610ac85cd4c1b26e2b5a57b7c8a7e1ddf3d2f9c63a4b0e0e4ed5b2a9
skipped:
  description: Older builds and older kernels of what is on the disc, by file, with the reason.
  returned: success
  type: dict
  sample: {/srv/m/main/release/a-1-1.noarch.rpm: is older than a-1-2.noarch of updates}
excluded:
  description: What exclude lists took out, by file, with the line that did.
  returned: success
  type: dict
  sample: {/srv/m/main/release/b-1-1.noarch.rpm: "is excluded by b (lists/exclude line 3)"}
choices:
  description: Requirements that several packages would meet, and which one was taken.
  returned: success
  type: dict
  sample: {webclient: "lynx-2.8-1.x86_64, not w3m-0.5-1.x86_64"}
broken:
  description: Packages that cannot be installed from the set, each with the chain of reasons.
  returned: success
  type: dict
  sample: {c-1-1.noarch: [nothing provides d required by c-1-1.noarch]}
notes:
  description: What else a reader should know.
  returned: success
  type: list
  elements: str
  sample: ["b (lists/input line 7) is asked for, but is excluded by b (lists/exclude line 3)"]
actions:
  description: Always empty, as no command is run.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.packages import run_package_set

_WORDS: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
_PATHS: dict[str, t.Any] = {"type": "list", "elements": "path", "default": []}
_LISTS: dict[str, t.Any] = {"lists": _PATHS, "packages": _WORDS, "exclude": _PATHS, "exclude_packages": _WORDS}
SOURCE: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "path": {"type": "path", "required": True},
    "sections": _WORDS,
    "dest": {"type": "str"},
    **_LISTS,
}
POLICY: dict[str, t.Any] = {
    "on_choice": {"type": "str", "choices": ["first", "all", "fail"], "default": "first"},
    "prefer": _WORDS,
    "suggests": {"type": "bool", "default": False},
    "closure": {"type": "str", "choices": ["enforce", "warn", "off"], "default": "enforce"},
    "duplicates": {"type": "str", "choices": ["newest", "all"], "default": "newest"},
    "kernels": {"type": "str", "choices": ["newest", "all"], "default": "newest"},
    "unknown": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
}
ARGUMENTS: dict[str, t.Any] = {
    "sources": {"type": "list", "elements": "dict", "required": True, "options": SOURCE},
    **_LISTS,
    "protect": _PATHS,
    "rpmsrate": {"type": "path"},
    "arches": _WORDS,
    "policy": {"type": "dict", "options": POLICY},
    "lock": {"type": "path", "required": True},
    "kickstart": {"type": "path"},
}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: run_package_set(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
