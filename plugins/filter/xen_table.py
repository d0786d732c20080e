# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: xen_table
short_description: Records of Xen guests as a table, machine records or JSON
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Shows records as C(ctys -a list) and C(ctys -a enumerate) did, with the columns that you choose.
positional: fields, form, kind
options:
  _input:
    description: Records of guests, as M(xtreemos.cluster.xen_domain_info) returns them.
    type: list
    elements: dict
    required: true
  fields:
    description:
      - The columns. Names of fields as a list or with commas, a built-in table V(TAB_TCP) or V(TAB_CPORT), or the
        form of ctys, as in V(tab_gen:3_Label_20%%9_cport_5).
    type: raw
    default: TAB_TCP
  form:
    description: What to write. V(machine) separates fields by semicolons and has a title line.
    type: str
    choices: [table, machine, json]
    default: table
  kind:
    description: Whose numbers O(fields) has in the form of ctys.
    type: str
    choices: [list, enumerate]
    default: list
  sort:
    description: Fields to sort by. Numbers and addresses sort by value.
    type: list
    elements: str
    default: []
  reverse:
    description: Whether to sort downwards.
    type: bool
    default: false
  unique:
    description: Whether lines that look the same are shown once.
    type: bool
    default: false
  title:
    description: Whether there is a title.
    type: bool
    default: true
  interfaces:
    description: Whether each interface of a guest has a line.
    type: bool
    default: false
seealso:
  - module: xtreemos.cluster.xen_domain_info
"""

EXAMPLES = r"""
- name: Ports and addresses of all guests
  ansible.builtin.debug:
    msg: "{{ guests.records | xtreemos.cluster.xen_table('TAB_CPORT', sort=['label']) }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.table import render


def xen_table(records: t.Any, fields: t.Any = "TAB_TCP", form: str = "table", kind: str = "list", **how: t.Any) -> str:
    """Records as text; AnsibleFilterError for what the user can mend."""
    if isinstance(records, (str, t.Mapping)) or not isinstance(records, t.Iterable):
        raise AnsibleFilterError("xen_table takes a list of records, not %r" % (records,))
    try:
        return render(records, fields, form, kind, **how)
    except (ClusterError, TypeError) as error:
        raise AnsibleFilterError("xen_table: %s" % error)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"xen_table": xen_table}
