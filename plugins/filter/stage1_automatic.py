# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stage1_automatic
short_description: The automatic= word of the kernel command line
version_added: 0.1.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Turns a mapping into the text after C(automatic=) that stage1 reads, and such a text into a mapping.
  - Unknown keys and methods, values with commas or blanks, missing values and more than 512 bytes are errors.
options:
  _input:
    description: A mapping with V(method) and the keys that this method knows, or the text.
    type: raw
    required: true
seealso:
  - module: xtreemos.cluster.pxe_nodes
"""

EXAMPLES = r"""
- name: Write and read the word
  ansible.builtin.debug:
    msg:
      - "{{ {'method': 'dolly', 'dolly_timeout': 100, 'interface': 'eth0'} | xtreemos.cluster.stage1_automatic }}"
      - "{{ 'automatic=method:http,network:dhcp' | xtreemos.cluster.stage1_automatic }}"
"""

RETURN = r"""
_value:
  description: The text for a mapping, the mapping for a text.
  type: raw
  sample: method:dolly,dolly_timeout:100,interface:eth0
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.cmdline import parse_automatic, render_automatic
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError


def stage1_automatic(value: str | t.Mapping[str, t.Any]) -> str | dict[str, str]:
    """Text for a mapping, mapping for a text; AnsibleFilterError for what the user can mend."""
    try:
        return parse_automatic(value) if isinstance(value, str) else render_automatic(value)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"stage1_automatic": stage1_automatic}
