#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: status_page
short_description: Write the state of a cluster as one page of HTML
version_added: 0.2.0
description:
  - Draws what the information modules found - boot times of all nodes and what keeps the others from being up, images
    and how many nodes run each version, media of packages with their findings, and Xen guests.
  - The page needs no other file and no server. The same data give the same bytes, so that a run changes the page only
    when something has happened.
  - Runs wherever the page shall lie, usually on the controller.
extends_documentation_fragment: [xtreemos.cluster._attributes]
options:
  path:
    description: The page. Its folder must exist.
    type: path
    required: true
  title:
    description: Its head line.
    type: str
    default: Cluster status
  nodes:
    description: C(nodes) as M(xtreemos.cluster.boot_timeline_info) returned them.
    type: dict
    default: {}
  images:
    description: C(images) as M(xtreemos.cluster.diskless_image_info) returned them.
    type: dict
    default: {}
  media:
    description: C(media) as M(xtreemos.cluster.media_check_info) returned them.
    type: dict
    default: {}
  guests:
    description: For each Xen host, C(live) as M(xtreemos.cluster.xen_domain_info) returned it.
    type: dict
    default: {}
  mode:
    description: Permissions of a page that is written.
    type: str
    default: "0644"
author:
  - The xtreemos.cluster developers (@xtreemos)
seealso:
  - module: xtreemos.cluster.boot_timeline_info
  - module: xtreemos.cluster.diskless_image_info
"""

EXAMPLES = r"""
- name: Look at the last boot of every node
  xtreemos.cluster.boot_timeline_info:
    nodes: "{{ groups['nodes'] | xtreemos.cluster.node_list(hostvars) }}"
  register: boots

- name: Write the page on the controller
  xtreemos.cluster.status_page:
    path: /var/www/html/cluster.html
    nodes: "{{ boots.nodes }}"
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The page.
  returned: success
  type: str
  sample: /var/www/html/cluster.html
states:
  description: How many nodes are in each state.
  returned: success
  type: dict
  sample: {up: 3, booting: 0, failed: 0, unseen: 0}
actions:
  description: Always empty; the module runs no command.
  returned: always
  type: list
  elements: list
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import apply_files, diff_files, plan_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._status.cluster import STATES, make_cluster, parse_mode
from ansible_collections.xtreemos.cluster.plugins.module_utils._status.page import render_page

ARGUMENTS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "title": {"type": "str", "default": "Cluster status"},
    "nodes": {"type": "dict", "default": {}},
    "images": {"type": "dict", "default": {}},
    "media": {"type": "dict", "default": {}},
    "guests": {"type": "dict", "default": {}},
    "mode": {"type": "str", "default": "0644"},
}


def work(options: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> Result:
    """Render, compare, write."""
    mode = parse_mode(options["mode"])
    cluster = make_cluster(*(options[key] for key in ("title", "nodes", "images", "media", "guests")))
    plan = plan_files(host, {options["path"]: File(render_page(cluster), mode)})
    if not check_mode:
        apply_files(plan, host)
    states = {state: cluster.count(state) for state in STATES}
    return {"changed": plan.changed, "diff": diff_files(plan), "path": options["path"], "states": states}


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run_module(module, lambda host: work(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
