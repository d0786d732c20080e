# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: xen_domains
short_description: The guests of all Xen hosts as an inventory
version_added: 0.2.0
description:
  - Reads records that a play wrote from M(xtreemos.cluster.xen_domain_info), and makes each guest a host with the
    variables C(xen_<field>), named after the fields of ctys. It connects to no machine;
    the playbook C(guests_inventory) asks the Xen hosts and writes the records anew.
  - Groups are C(xen_guests), C(xen_dom0_<host>), C(xen_state_<vmstate>), C(xen_run_<state>), C(xen_label_<label>),
    C(xen_dist_<dist>) and, the same, C(xen_os_<dist>). C(xen_run_) needs results that also list
    what runs (C(gather) has C(enumerate) and C(list)); there a guest is running, paused, shutdown, crashed, dying or
    stopped.
author: The xtreemos.cluster developers (@xtreemos)
extends_documentation_fragment: [ansible.builtin.constructed]
options:
  plugin:
    description: Names this plugin.
    type: str
    required: true
    choices: [xtreemos.cluster.xen_domains]
  records:
    description:
      - JSON files with the results of M(xtreemos.cluster.xen_domain_info), or patterns of their names. A relative path
        starts at the folder of the inventory file.
    type: list
    elements: str
    required: true
  vmstate:
    description: Which states to take, as in M(xtreemos.cluster.xen_domain_info).
    type: list
    elements: str
    default: [ALL]
  hostname_field:
    description: The field that names the hosts. Guests without it are left out.
    type: str
    choices: [label, tcp, id, uuid]
    default: label
"""

EXAMPLES = r"""
# guests.xen.yml
plugin: xtreemos.cluster.xen_domains
records: [cache/*.json]
vmstate: [ACTIVE, EMPTY]
keyed_groups:
  - key: xen_accelerator
    prefix: xen_type
"""

import os
import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.inventory import (
    groups,
    hosts,
    read_files,
    variables,
)


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Reads files that end in C(.xen.yml)."""

    NAME = "xtreemos.cluster.xen_domains"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith((".xen.yml", ".xen.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            words = [os.path.expanduser(word) for word in self.get_option("records")]
            records = read_files(words, os.path.dirname(path))
            found = hosts(records, self.get_option("hostname_field"), self.get_option("vmstate"))
        except ClusterError as error:
            raise AnsibleParserError("%s: %s" % (path, error))
        for name, record in found.items():
            self._add(name, groups(record), variables(record))

    def _add(self, name: str, places: t.Sequence[str], values: t.Mapping[str, t.Any]) -> None:
        self.inventory.add_host(name)
        for key, value in values.items():
            self.inventory.set_variable(name, key, value)
        for group in places:
            self.inventory.add_group(group)
            self.inventory.add_child(group, name)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), dict(values), name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), dict(values), name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), dict(values), name, strict=strict)
