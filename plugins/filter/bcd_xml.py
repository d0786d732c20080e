# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bcd_xml
short_description: Read a configuration of BCD
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Turns an XML configuration of BCD, the disc builder of Mandriva, into variables of the role
    C(xtreemos.cluster.iso_builder).
  - Elements that are not known are kept as they are written, under C(_unmapped) by their place; C(_notes) tell what was
    guessed and what needs a decision. Files that the configuration names, such as that of the passphrase, are not read.
  - A document with a DOCTYPE is refused, and entities are never resolved.
positional: _input
options:
  _input:
    description: The text of the configuration.
    type: str
    required: true
  name:
    description: What errors call it.
    type: str
    default: the configuration
requirements:
  - lxml on the controller
"""

EXAMPLES = r"""
- name: Write the variables of an old configuration
  ansible.builtin.copy:
    dest: group_vars/iso_builders/xos64.yml
    content: "{{ lookup('ansible.builtin.file', 'xos64.xml') | xtreemos.cluster.bcd_xml | to_nice_yaml }}"
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: Variables of the role, with C(_unmapped) and C(_notes).
  type: dict
  sample:
    iso_builder_product: {nameid: XtreemOS, version: 2.1.1, arch: x86_64, based_on: "2009.0", desc: The Linux product}
    iso_builder_media: []
    _unmapped: {}
    _notes: []
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.bcdxml import import_bcd


def bcd_xml(text: t.Any, name: str = "the configuration") -> dict[str, t.Any]:
    """The variables; AnsibleFilterError for what the user can mend."""
    if not isinstance(text, str):
        raise AnsibleFilterError("bcd_xml wants the text of a configuration, not %s" % type(text).__name__)
    try:
        return import_bcd(str(text), name)
    except ClusterError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"bcd_xml": bcd_xml}
