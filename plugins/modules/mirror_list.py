#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_list
short_description: Keep lists of the mirrors that are alive
version_added: 0.2.0
description:
  - Asks every mirror for C(media/media_info/media.cfg) and for its C(timestamp), side by side, and writes lists of
    those that answer and are young enough, as urpmi reads them with C(--mirrorlist).
  - A list changes in one step. When no mirror of it is good the last list stays, with a warning, as a list of none
    would take the medium away from every client.
  - With O(install) the same code and the same options are laid on the host as one file that needs Python alone, for a
    timer.
  - Mirrors are asked in check mode too.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  mirrors:
    description: The mirrors, dead or alive.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description: The folder on the mirror that holds O(lists[].folder), by HTTP or HTTPS.
        type: str
        required: true
      continent:
        description: Two letters, as in V(EU). urpmi prefers mirrors of its own continent and country.
        type: str
      zone:
        description: A word of your choice; urpmi ignores it.
        type: str
      country:
        description: Two letters, as in V(FR).
        type: str
      city:
        description: Where the mirror is.
        type: str
      latitude:
        description: Degrees, north is positive. urpmi sorts mirrors by distance.
        type: float
      longitude:
        description: Degrees, east is positive.
        type: float
  lists:
    description: The lists, each one version for one architecture. Their files end with C(.list), as urpmi demands it.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: The file to write.
        type: path
        required: true
      version:
        description: The version, a folder on the mirror that holds C(timestamp).
        type: str
        required: true
      arch:
        description: The architecture, a folder of the version.
        type: str
        required: true
      folder:
        description: Folders between the URL of the mirror and the version, such as the name of the distribution.
        type: str
        default: ''
  max_age:
    description: How old the timestamp of a mirror may be, in seconds.
    type: int
    default: 172800
  timeout:
    description: Seconds in which a file has to be there, however slowly it comes.
    type: int
    default: 10
  tries:
    description: How often a file is asked for before the mirror counts as dead.
    type: int
    default: 2
  jobs:
    description: How many mirrors are asked at a time.
    type: int
    default: 16
  stamps:
    description:
      - Timestamps of trees that this host publishes. Each that exists is written anew when it has used up an eighth of
        O(max_age), so that a tree in which nothing happens does not look abandoned.
    type: list
    elements: path
    default: []
  install:
    description: Lays the checker on the host, run by C(python3 PROGRAM list OPTIONS).
    type: dict
    suboptions:
      program:
        description: The file of the program.
        type: path
        required: true
      options:
        description: The file that holds the options of this call.
        type: path
        required: true
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.mirror_sync
"""

EXAMPLES = r"""
- name: Write the list of mirrors, and install the checker that renews it
  xtreemos.cluster.mirror_list:
    mirrors:
      - {url: "http://mirror.example.org/pub", country: FR, continent: EU, latitude: 48.1, longitude: -1.7}
      - {url: "http://mirror.example.com", country: US, continent: NA}
    lists:
      - dest: /srv/mirror/lists/xtreemos.2.1.x86_64.list
        folder: xtreemos
        version: "2.1"
        arch: x86_64
    stamps: [/srv/mirror/xtreemos/2.1/timestamp]
    install:
      program: /usr/local/lib/xtreemos/mirror-tools.pyz
      options: /etc/xtreemos/mirror-list.json
"""

RETURN = r"""
lists:
  description:
    - Each list by its file. C(kept) tells that no mirror was good and that it stays as it was, C(dead) why a mirror is
      not in it.
  returned: success
  type: dict
  sample:
    /srv/mirror/lists/xtreemos.2.1.x86_64.list:
      changed: true
      kept: false
      mirrors: ["http://mirror.example.org/pub/xtreemos/2.1/x86_64"]
      added: []
      dropped: ["http://mirror.example.com/xtreemos/2.1/x86_64"]
      dead: {"http://mirror.example.com": "timestamp: 3 days old, the limit is 2 days"}
stamped:
  description: The timestamps that were written anew.
  returned: success
  type: list
  elements: str
  sample: [/srv/mirror/xtreemos/2.1/timestamp]
installed:
  description: What of the checker was written.
  returned: success
  type: list
  elements: str
  sample: [/etc/xtreemos/mirror-list.json, /usr/local/lib/xtreemos/mirror-tools.pyz]
seconds:
  description: How long asking took.
  returned: success
  type: float
  sample: 1.3
actions:
  description: Commands that changed something; this module runs none.
  returned: always
  type: list
  elements: list
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import apply_files, diff_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.install import plan_install
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.listing import run_list_job
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.probe import Prober

MIRROR = {
    "url": {"type": "str", "required": True},
    "continent": {"type": "str"},
    "zone": {"type": "str"},
    "country": {"type": "str"},
    "city": {"type": "str"},
    "latitude": {"type": "float"},
    "longitude": {"type": "float"},
}
LIST = {
    "dest": {"type": "path", "required": True},
    "version": {"type": "str", "required": True},
    "arch": {"type": "str", "required": True},
    "folder": {"type": "str", "default": ""},
}
INSTALL = {"program": {"type": "path", "required": True}, "options": {"type": "path", "required": True}}
ARGUMENTS: dict[str, t.Any] = {
    "mirrors": {"type": "list", "elements": "dict", "required": True, "options": MIRROR},
    "lists": {"type": "list", "elements": "dict", "required": True, "options": LIST},
    "max_age": {"type": "int", "default": 172800},
    "timeout": {"type": "int", "default": 10},
    "tries": {"type": "int", "default": 2},
    "jobs": {"type": "int", "default": 16},
    "stamps": {"type": "list", "elements": "path", "default": []},
    "install": {"type": "dict", "options": INSTALL},
}


def work(params: t.Mapping[str, t.Any], check_mode: bool, host: Host, prober: Prober | None = None) -> Result:
    """The checker first, so that it is there even when no mirror answers; the result in Ansible's form."""
    options = {name: value for name, value in params.items() if name != "install"}
    files = plan_install(params["install"], options, host)
    result = run_list_job(options, check_mode, host, prober)
    if not check_mode:
        apply_files(files, host)
    shown = [entry for entry in diff_files(files) if not entry["after_header"].endswith(".pyz")]
    return {
        **result,
        "changed": result["changed"] or files.changed,
        "installed": files.paths,
        "diff": result["diff"] + shown,
    }


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
