# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: xen_stop
short_description: Options of xen_domain that stop the guests of a Xen host, each by its method
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description: What the playbook C(stack_shutdown) gives to M(xtreemos.cluster.xen_domain). Domain-0 is never in it.
positional: guests, default, timeout, done
options:
  _input:
    description: What runs on the Xen host, RV(xtreemos.cluster.xen_domain_info#module:live).
    type: list
    elements: dict
    required: true
  guests:
    description: Its guests, from a layer of P(xtreemos.cluster.xen_stack#filter).
    type: list
    elements: dict
    required: true
  default:
    description: How guests stop that the inventory does not know.
    type: str
    choices: [poweroff, reboot, save, destroy, keep]
    default: poweroff
  timeout:
    description: Seconds that a guest has to stop before it is destroyed.
    type: int
    default: 60
  done:
    description: Hosts that took the request to boot again themselves.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Stop what runs
  xtreemos.cluster.xen_domain:
    domains: "{{ running.live | xtreemos.cluster.xen_stop(layer.guests) }}"
"""

RETURN = r"""
_value:
  description: A list of entries, sorted by name.
  type: list
  elements: dict
  sample: [{name: leaf, state: stopped, timeout: 60}]
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.stack import entries


def xen_stop(
    running: t.Sequence[t.Mapping[str, t.Any]],
    guests: t.Sequence[t.Mapping[str, t.Any]],
    default: str = "poweroff",
    timeout: int = 60,
    done: t.Sequence[str] = (),
) -> list[dict[str, t.Any]]:
    """Entries of xen_domain; AnsibleFilterError for what the user can mend."""
    try:
        return entries(running, guests, default, int(timeout), list(done))
    except ClusterError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"xen_stop": xen_stop}
