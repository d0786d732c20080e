#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_sync
short_description: Pull trees from other mirrors, or push them there
version_added: 0.2.0
description:
  - Carries trees of RPM media from mirror to mirror with rsync. Packages travel first; the metadata is fetched beside
    the tree, checked, and takes its place folder by folder when every package that it speaks of is there; what the
    source no longer has is deleted last. So a reader never sees metadata without packages.
  - When the source changes meanwhile it is fetched again, up to four times, before readers see anything of it.
  - C(SHA256SUMS) of the source is checked when there is one. With O(syncs[].pubkey) it has to be there and signed, and
    nothing of a source that fails becomes visible. C(SHA256SUMS.asc) may be a signature or the signed text itself, as
    M(xtreemos.cluster.rpm_publish) writes it.
  - One run at a time works on a tree (flock). A run that is killed leaves the old state or a part of the new packages,
    and the next run goes on from there.
  - Hidden files (C(.*)) are work in progress and do not travel. Links that lead out of the tree are left out.
  - In a push the metadata follows the packages too, each file in one step, but not the folder as a whole; let the other
    end pull where that matters.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  syncs:
    description: The trees, one after the other. The others still run when one fails.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: A name for the results.
        type: str
        required: true
      source:
        description:
          - Where from, the folder whose content is carried - a folder of this host, C(host:folder) by ssh,
            C(host::module/path) or C(rsync://host/module/path).
        type: str
        required: true
      dest:
        description:
          - Where to, in the same forms. One of O(syncs[].source) and O(syncs[].dest) is a folder of this host.
          - Choose the folder of a version, which holds C(SHA256SUMS) and C(timestamp).
        type: str
        required: true
      exclude:
        description: What stays behind, as rsync's patterns. They also protect what is there from being deleted.
        type: list
        elements: str
        default: []
      delete:
        description: Whether to delete what the source does not have.
        type: bool
        default: true
      pubkey:
        description: File on this host with the public key of the source. C(SHA256SUMS) then has to be signed by it.
        type: path
      key:
        description: Fingerprint of the one key of O(syncs[].pubkey) that may sign. By default any.
        type: str
      bwlimit:
        description: Limit of the transfer in KiB per second, 0 for none.
        type: int
        default: 0
      timeout:
        description: Seconds without a byte after which rsync gives up.
        type: int
        default: 600
      ssh_key:
        description: File with the private key for ssh. Nobody is asked for a passphrase.
        type: path
      ssh_port:
        description: Port of ssh.
        type: int
        default: 22
      password_file:
        description: File with the password for a module of rsyncd, readable by its owner alone.
        type: path
  lock_timeout:
    description: Seconds to wait for another run on the same tree.
    type: int
    default: 60
  install:
    description: Lays program and options on the host, run by C(python3 PROGRAM sync OPTIONS) of a timer.
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
requirements:
  - rsync
  - gpgv for O(syncs[].pubkey)
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.mirror_list
"""

EXAMPLES = r"""
- name: Pull the tree, verified
  xtreemos.cluster.mirror_sync:
    syncs:
      - name: xtreemos
        source: rsync://mirror.example.org/xtreemos/2.1
        dest: /srv/mirror/xtreemos/2.1
        pubkey: /etc/xtreemos/RPM-GPG-KEY-xtreemos
        bwlimit: 20000

- name: Push it to a machine that cannot fetch
  xtreemos.cluster.mirror_sync:
    syncs:
      - name: branch-office
        source: /srv/mirror/xtreemos/2.1
        dest: mirror@branch.example.org:/srv/mirror/xtreemos/2.1
        ssh_key: /etc/xtreemos/mirror_ed25519
"""

RETURN = r"""
syncs:
  description: Each tree by its name, with how many files were added, updated, deleted, or got new attributes.
  returned: success
  type: dict
  sample:
    xtreemos: {changed: true, added: 12, updated: 7, deleted: 3, attributes: 0}
installed:
  description: What of the timer's program was written.
  returned: success
  type: list
  elements: str
  sample: []
actions:
  description: The commands that were run, or would be in check mode. A source that changes meanwhile makes for more.
  returned: always
  type: list
  elements: list
  sample:
    - [rsync, --recursive, --links, --times, --delay-updates, "rsync://mirror.example.org/xtreemos/2.1/",
       /srv/mirror/xtreemos/2.1/]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import apply_files, diff_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.install import plan_install
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.sync import run_sync_job

SYNC = {
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "dest": {"type": "str", "required": True},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "delete": {"type": "bool", "default": True},
    "pubkey": {"type": "path"},
    "key": {"type": "str", "no_log": False},
    "bwlimit": {"type": "int", "default": 0},
    "timeout": {"type": "int", "default": 600},
    "ssh_key": {"type": "path", "no_log": False},
    "ssh_port": {"type": "int", "default": 22},
    "password_file": {"type": "path", "no_log": False},
}
INSTALL = {"program": {"type": "path", "required": True}, "options": {"type": "path", "required": True}}
ARGUMENTS: dict[str, t.Any] = {
    "syncs": {"type": "list", "elements": "dict", "required": True, "options": SYNC},
    "lock_timeout": {"type": "int", "default": 60},
    "install": {"type": "dict", "options": INSTALL},
}


def work(params: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """The timer's program first, then the trees; the result in Ansible's form."""
    options = {name: value for name, value in params.items() if name != "install"}
    files = plan_install(params["install"], options, host)
    if not check_mode:
        apply_files(files, host)
    result = run_sync_job(options, check_mode, host)
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
