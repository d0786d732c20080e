# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: xm_to_xl
short_description: A guest's file of xm, translated for xl
version_added: 0.2.0
author:
  - The xtreemos.cluster developers (@xtreemos)
description:
  - Reads a configuration of xm 3.x or 4.1, which is a Python program, without running it. Keys that xl would ignore
    without a word are translated where they have a successor, and told in any case.
positional: form
options:
  _input:
    description: The text of the file.
    type: str
    required: true
  form:
    description: V(text) is the file for xl with the notes as comments, V(options) an entry for
      M(xtreemos.cluster.xen_domain), V(notes) what is not as it was.
    type: str
    choices: [text, options, notes]
    default: text
  path:
    description: What to call the file in errors.
    type: str
    default: the configuration
seealso:
  - module: xtreemos.cluster.xen_domain
"""

EXAMPLES = r"""
- name: See what becomes of a file
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'xos21_n1') | xtreemos.cluster.xm_to_xl }}"

- name: Take it over, with more memory
  xtreemos.cluster.xen_domain:
    domains: ["{{ old | xtreemos.cluster.xm_to_xl('options') | combine({'memory': 1024}) }}"]
  vars:
    old: "{{ lookup('ansible.builtin.file', 'xos21_n1') }}"
"""

RETURN = r"""
_value:
  description: A text, a mapping or a list, by O(form).
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.xm import as_options, as_text, translate


def xm_to_xl(text: t.Any, form: str = "text", path: str = "the configuration") -> t.Any:
    """The translation in one of three forms; AnsibleFilterError names the line that stands in the way."""
    if not isinstance(text, str):
        raise AnsibleFilterError("xm_to_xl takes the text of a file, not %r" % (text,))
    try:
        found = translate(text, path)
        if form == "options":
            return as_options(found.config)
    except ClusterError as error:
        raise AnsibleFilterError("xm_to_xl: %s" % error)
    if form not in ("text", "notes"):
        raise AnsibleFilterError("xm_to_xl: %r is no form (text, options or notes)" % form)
    return as_text(found) if form == "text" else list(found.notes)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"xm_to_xl": xm_to_xl}
