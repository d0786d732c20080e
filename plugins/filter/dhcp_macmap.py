# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: dhcp_macmap
short_description: Names, MACs and addresses from the files of a DHCP server
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Reads C(host) blocks of C(dhcpd.conf), C(dhcp-host) lines of dnsmasq and its hosts files, C(macmap.fdb) of ctys, and
    C(/etc/ethers). Words are told by their form, not by their place.
  - The result fills the addresses of guests whose files name only their MACs, see
    P(xtreemos.cluster.xen_domain#lookup).
options:
  _input:
    description: The text of such a file.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Which guest has an address
  ansible.builtin.debug:
    msg: "{{ lookup('xtreemos.cluster.xen_domain', 't:192.168.1.220', macmap=macs) }}"
  vars:
    macs: "{{ lookup('ansible.builtin.file', '/etc/dhcp/dhcpd.conf') | xtreemos.cluster.dhcp_macmap }}"
"""

RETURN = r"""
_value:
  description: Rows, sorted by name.
  type: list
  elements: dict
  sample: [{name: tst100, mac: "00:50:56:13:11:40", ip: 192.168.1.220}]
"""

import typing as t

from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.macmap import parse_macmap


def dhcp_macmap(text: str) -> list[dict[str, str]]:
    """Rows of name, mac and ip."""
    return parse_macmap(str(text))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"dhcp_macmap": dhcp_macmap}
