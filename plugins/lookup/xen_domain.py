# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: xen_domain
short_description: Look up Xen guests by any address, as ctys-vhost did
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Finds guests by label, path, file name, uuid, MAC, IP or record, among the hosts that the inventory plugin
    P(xtreemos.cluster.xen_domains#inventory) made, or among records in files. It connects to no machine.
  - Values are compared exactly, and all keys that are given have to agree.
options:
  _terms:
    description: Addresses, as in M(xtreemos.cluster.xen_domain_info).
    required: true
  match:
    description:
      - What to return. V(unique) fails unless exactly one guest fits, V(first) and V(last) fail when none does.
      - V(all) returns every one, V(complement) all the others.
    type: str
    choices: [unique, first, last, all, complement]
    default: unique
  records:
    description:
      - JSON files with results of M(xtreemos.cluster.xen_domain_info), or patterns of their names. By default the
        variables of the hosts in the group C(xen_guests) are searched.
    type: list
    elements: str
    default: []
  macmap:
    description: Addresses of MACs, from P(xtreemos.cluster.dhcp_macmap#filter), for guests whose files name none.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: The guest with an address, wherever it is
  ansible.builtin.debug:
    msg: "{{ lookup('xtreemos.cluster.xen_domain', 't:192.168.1.220').pm }}"

- name: All guests but the backups of one
  ansible.builtin.debug:
    msg: "{{ query('xtreemos.cluster.xen_domain', 'f:backup/tst100.conf', match='complement') | map(attribute='id') }}"
"""

RETURN = r"""
_list:
  description: Records with the field names of ctys; those from the inventory also have C(host), their name there.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.address import parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.inventory import read_files
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.macmap import with_addresses
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.record import Record
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.search import of_variables, search


class LookupModule(LookupBase):
    def run(self, terms: t.Sequence[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[Record]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            records = with_addresses(self._records(variables or {}), self.get_option("macmap"))
            return [one for term in terms for one in search(parse(term), records, self.get_option("match"))]
        except ClusterError as error:
            raise AnsibleLookupError(str(error))

    def _records(self, variables: t.Mapping[str, t.Any]) -> list[Record]:
        words = self.get_option("records")
        if words:
            return read_files(words, self._loader.get_basedir() if self._loader else ".")
        hosts = variables.get("groups", {}).get("xen_guests", [])
        return [of_variables(variables["hostvars"][name], name) for name in hosts]
