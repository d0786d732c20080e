# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hostlist_expand
short_description: The names of a folded host list
version_added: 0.1.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Expands what ClusterShell, pdsh and Slurm write for many hosts. Bad input is an error that holds the offending text.
options:
  _input:
    description: A host list, as in V(node[31-33],head).
    type: str
    required: true
seealso:
  - plugin: xtreemos.cluster.hostlist_fold
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make hosts of a list from Slurm
  ansible.builtin.add_host:
    name: "{{ item }}"
  loop: "{{ 'node[31-33]' | xtreemos.cluster.hostlist_expand }}"
"""

RETURN = r"""
_value:
  description: The names, in the order of the list, each once.
  type: list
  elements: str
  sample: [node31, node32, node33]
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError


def hostlist_expand(text: str) -> list[str]:
    """Names from ``node[31-33]``; AnsibleFilterError with the text that is wrong."""
    try:
        return hostlist.expand(text)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"hostlist_expand": hostlist_expand}
