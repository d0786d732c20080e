# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hostlist_fold
short_description: Host names as one folded host list
version_added: 0.1.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Joins names with consecutive final numbers as ClusterShell, pdsh and Slurm write them.
  - Padding is kept, the result is sorted, each name counts once.
options:
  _input:
    description: Host names.
    type: list
    elements: str
    required: true
seealso:
  - plugin: xtreemos.cluster.hostlist_expand
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the nodes in short
  ansible.builtin.debug:
    msg: "{{ groups['nodes'] | xtreemos.cluster.hostlist_fold }}"
"""

RETURN = r"""
_value:
  description: The folded list.
  type: str
  sample: node[31-33]
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError


def hostlist_fold(names: t.Iterable[str]) -> str:
    """``node[31-33]`` from names; AnsibleFilterError for a name that is none."""
    if isinstance(names, str) or not isinstance(names, t.Iterable):
        raise AnsibleFilterError("hostlist_fold takes a list of names, not %r" % (names,))
    try:
        return hostlist.fold(str(name) for name in names)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"hostlist_fold": hostlist_fold}
