# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: xen_stack
short_description: The order in which a stack of Xen hosts and guests stops
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Sorts Xen hosts and their guests into layers, the innermost first. A guest may be a Xen host itself.
  - A host of the inventory is a guest when its variable C(xen_dom0) names a Xen host, or C(xen_pm) of the inventory
    plugin P(xtreemos.cluster.xen_domains#inventory) does. C(xen_stop) is how it stops, C(xen_label) its name on the
    Xen host when that is another.
positional: variables, tops, default, host_method
options:
  _input:
    description: The Xen hosts.
    type: list
    elements: str
    required: true
  variables:
    description: The variables of all hosts by name, C(hostvars).
    type: dict
    required: true
  tops:
    description: The outermost Xen hosts of the stacks to stop. By default all.
    type: list
    elements: str
    default: []
  default:
    description: How guests stop that do not say it.
    type: str
    choices: [poweroff, reboot, save, destroy, keep]
    default: poweroff
  host_method:
    description: What happens to the outermost Xen hosts; V(poweroff), V(reboot), or nothing.
    type: str
    default: ''
seealso:
  - module: xtreemos.cluster.xen_domain
"""

EXAMPLES = r"""
- name: Show the order
  ansible.builtin.debug:
    msg: "{{ (groups['xen_dom0s'] | xtreemos.cluster.xen_stack(hostvars)).order }}"
"""

RETURN = r"""
_value:
  description:
    - C(layers), each with C(dom0s), C(guests) and C(hosts); C(outer), the outermost Xen hosts; C(order) in words.
  type: dict
  sample:
    order: ["1. on inner: leaf poweroff, then all others that run", "2. on outer: inner save, then all others that run"]
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.stack import layers, told

WANTED = ("xen_dom0", "xen_pm", "xen_stop", "xen_label")


def xen_stack(
    dom0s: t.Sequence[str],
    variables: t.Mapping[str, t.Any],
    tops: t.Sequence[str] = (),
    default: str = "poweroff",
    host_method: str = "",
) -> dict[str, t.Any]:
    """Layers and their order in words; AnsibleFilterError for what the user can mend."""
    plain = {str(name): {key: variables[name].get(key) for key in WANTED} for name in variables}
    try:
        stack = layers(plain, list(dom0s), list(tops), default, host_method)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))
    outer = list(tops) or [*(stack[-1]["dom0s"] if stack else [])]
    return {"layers": stack, "outer": outer, "order": told(stack, host_method, list(tops))}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"xen_stack": xen_stack}
