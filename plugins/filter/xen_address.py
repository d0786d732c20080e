# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: xen_address
short_description: Read, write and look up the address of a Xen guest
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Turns an address in the syntax of ctys into a mapping, and a mapping into that syntax.
  - With O(records) it gives the records that the address means. Values are compared exactly, and all keys that are
    given have to agree.
positional: records, match
options:
  _input:
    description:
      - An address such as C(l:tst100,u:6842caf91e3e43249ed596b8b9f2c5c2), a lone label, or a mapping of C(label),
        C(path), C(filename), C(search_paths), C(uuid), C(mac), C(ip) and C(record).
    type: raw
    required: true
  records:
    description: Records of guests, as M(xtreemos.cluster.xen_domain_info) returns them.
    type: list
    elements: dict
  match:
    description:
      - What to do when several guests fit. V(unique) fails with the list of them.
    type: str
    choices: [unique, first, all]
    default: unique
seealso:
  - module: xtreemos.cluster.xen_domain_info
  - plugin: xtreemos.cluster.xen_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The guest with a MAC address
  ansible.builtin.debug:
    msg: "{{ 'm:00:16:3e:00:00:01' | xtreemos.cluster.xen_address(guests.records) }}"
"""

RETURN = r"""
_value:
  description: A mapping for a text, a text for a mapping, a list of records with O(records).
  type: raw
  sample: {label: tst100, uuid: 6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2}
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.address import parse, render
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.record import select


def xen_address(value: t.Any, records: t.Any = None, match: str = "unique") -> t.Any:
    """The other form of an address, or the records that it means; AnsibleFilterError for what the user can mend."""
    try:
        address = parse(value)
        if records is not None:
            return select(address, records, match)
        if isinstance(value, t.Mapping):
            return render(address)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))
    given = address.given()
    return {key: list(one) if isinstance(one, tuple) else one for key, one in given.items()}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"xen_address": xen_address}
