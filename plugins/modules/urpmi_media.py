#!/usr/bin/python
# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: urpmi_media
short_description: Set the media that urpmi installs from
version_added: 0.2.0
description:
  - Adds, changes, orders and removes media in C(urpmi.cfg) and keeps what urpmi stores of them in C(/var/lib/urpmi).
  - Comments and options that this module does not know stay in the file. A file with a mistake is never written; urpmi
    itself would take it for an empty one.
  - A synthesis is stored only when it fits its MD5SUM and every line of it can be read. When one medium fails, all
    failures are told and nothing is written.
  - Works on the system itself and on one below O(root), with or without urpmi installed; needs Python alone.
  - Passwords go into C(/etc/urpmi/netrc), which only root reads, never into urpmi.cfg, results, diffs or commands.
  - Options of a medium that are not given stay as they are.
extends_documentation_fragment:
  - xtreemos.cluster._attributes
options:
  media:
    description: The media, or distribution trees, which become one medium per section of their media.cfg.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The name of the medium.
          - With O(media[].distrib) it is put in parentheses behind the name of each medium of the tree.
        type: str
      url:
        description:
          - An absolute path, or a URL of http, https, ftp, file, rsync, ssh, cdrom or removable.
          - A login in it (C(http://user:password@host/)) is moved to netrc.
        type: str
      distrib:
        description:
          - Whether O(media[].url) or O(media[].mirrorlist) is a distribution.
          - Media with C(noauto) are ignored and those with C(updates_for) are update media, unless
            O(media[].ignore) and O(media[].update) tell otherwise.
          - With O(media[].state=absent) every medium below the URL is removed; the server is not asked.
        type: bool
        default: false
      sources:
        description: With O(media[].distrib), whether media of source packages are taken too.
        type: bool
        default: false
      mirrorlist:
        description:
          - URL or path of a list of mirrors, or C($MIRRORLIST), in place of O(media[].url).
          - V("") takes it away.
        type: str
      with_dir:
        description: The folder below the URL or the mirror.
        type: str
      update:
        description: Whether it is a medium of updates.
        type: bool
      ignore:
        description: Whether urpmi leaves it alone. Nothing is fetched of such a medium.
        type: bool
      virtual:
        description: Whether urpmi reads a local medium in place and stores nothing.
        type: bool
      xml_info:
        description: When urpmi fetches the XML files. With V(always) this module fetches those of remote media.
        type: str
        choices: [never, on-demand, update-only, always]
      verify_rpm:
        description: Whether urpmi verifies the signatures of the packages of this medium.
        type: bool
      key_ids:
        description: Keys that may sign packages of the medium, 8, 16 or 40 hex digits. An empty list takes them away.
        type: list
        elements: str
      pubkey:
        description:
          - Path of the armored public key on the host. It is imported into the database of rpm and its id is added to
            O(media[].key_ids).
          - The key that lies beside the packages is not used, as whoever changes the packages can change it too.
        type: path
      pubkey_content:
        description: The armored public key as text, to be written to O(media[].pubkey) first.
        type: str
      priority:
        description: Media with a smaller number come first in the file; 50 for media without it.
        type: int
      username:
        description: The user that the server asks for.
        type: str
      password:
        description: The password for O(media[].username).
        type: str
      state:
        description: By default what O(state) says.
        type: str
        choices: [present, latest, absent]
  state:
    description:
      - V(present) has the media configured, and fetches what urpmi needs of a new one.
      - V(latest) also fetches what has changed on the server.
      - V(absent) removes them and what is stored of them.
    type: str
    choices: [present, latest, absent]
    default: present
  fetch:
    description: Whether V(present) fetches. V(false) is for roots without network; urpmi.update fetches later.
    type: bool
    default: true
  exclusive:
    description: Whether all other media are removed and the file has the order of O(media).
    type: bool
    default: false
  root:
    description: The system to change.
    type: path
    default: /
  manage:
    description:
      - V(config) writes the files.
      - V(urpmi) adds and removes media by C(urpmi.addmedia) and C(urpmi.removemedia) and writes what they cannot set.
        The result is judged by urpmi.cfg, as the commands end with 0 after many failures. Refused where they would
        drop comments.
      - V(auto) is V(urpmi) where the commands are there and would drop nothing.
    type: str
    choices: [auto, config, urpmi]
    default: config
  options:
    description:
      - Global options of urpmi.cfg, such as C(downloader) or C(verify-rpm). A null value takes an option away.
    type: dict
    default: {}
  skip_list:
    description: All expressions of skip.list, packages that are never updated. Comments of the file stay.
    type: list
    elements: str
  inst_list:
    description: All expressions of inst.list, packages that are installed and not upgraded. Comments of the file stay.
    type: list
    elements: str
  proxy:
    description:
      - The proxy of all media, in C(/etc/urpmi/proxy.cfg). An empty one takes it away.
      - Used by this module too; without the option the environment tells it.
    type: dict
    suboptions:
      http:
        description: The proxy for http and https.
        type: str
      ftp:
        description: The proxy for ftp.
        type: str
      username:
        description: The user that the proxy asks for.
        type: str
      password:
        description: The password for it.
        type: str
  timeout:
    description: Seconds to wait for a server.
    type: int
    default: 30
  lock_timeout:
    description: Seconds to wait for another urpmi.
    type: int
    default: 60
author:
  - The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
- name: Use the mirror of the site and nothing else
  xtreemos.cluster.urpmi_media:
    exclusive: true
    media:
      - url: http://mirror.example.org/xtreemos/2.1/x86_64
        distrib: true
        pubkey: /etc/pki/xtreemos/RPM-GPG-KEY-xtreemos

- name: Add a medium that asks for a password
  xtreemos.cluster.urpmi_media:
    media:
      - name: contrib
        url: https://packages.example.org/contrib
        username: node
        password: "{{ vaulted_password }}"
        key_ids: [4310025f]

- name: Fetch what is new before an upgrade
  xtreemos.cluster.urpmi_media:
    state: latest
    media:
      - name: updates
        url: http://mirror.example.org/updates
        update: true

- name: Configure an image that has no network yet
  xtreemos.cluster.urpmi_media:
    root: /srv/images/node
    fetch: false
    options: {downloader: curl}
    skip_list: [/^kernel-/]
    media:
      - name: main
        url: http://mirror.example.org/main
"""

RETURN = r"""
media:
  description:
    - What became of each medium, by name. C(state) is added, changed, refreshed, unchanged, removed or absent.
    - C(files) were written below C(/var/lib/urpmi); C(packages) is told when a synthesis was fetched.
  returned: success
  type: dict
  sample:
    Main Release:
      changed: true
      state: added
      url: http://mirror.example.org/xtreemos/2.1/x86_64/media/main/release
      options: {key-ids: 4310025f}
      files: [MD5SUM, synthesis.hdlist.cz]
      packages: 11
files:
  description: Files below C(/etc/urpmi), and keys, that changed, sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/urpmi/urpmi.cfg]
actions:
  description: Commands that changed something.
  returned: always
  type: list
  elements: list
  sample: [[rpm, --root, /, --import, /etc/pki/xtreemos/RPM-GPG-KEY-xtreemos]]
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.apply import run_job

STATES = ["present", "latest", "absent"]
MEDIUM = {
    "name": {"type": "str"},
    "url": {"type": "str"},
    "distrib": {"type": "bool", "default": False},
    "sources": {"type": "bool", "default": False},
    "mirrorlist": {"type": "str"},
    "with_dir": {"type": "str"},
    "update": {"type": "bool"},
    "ignore": {"type": "bool"},
    "virtual": {"type": "bool"},
    "xml_info": {"type": "str", "choices": ["never", "on-demand", "update-only", "always"]},
    "verify_rpm": {"type": "bool"},
    "key_ids": {"type": "list", "elements": "str", "no_log": False},
    "pubkey": {"type": "path", "no_log": False},
    "pubkey_content": {"type": "str", "no_log": False},
    "priority": {"type": "int"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": STATES},
}
PROXY = {
    "http": {"type": "str"},
    "ftp": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
ARGUMENTS: dict[str, t.Any] = {
    "media": {"type": "list", "elements": "dict", "default": [], "options": MEDIUM},
    "state": {"type": "str", "choices": STATES, "default": "present"},
    "fetch": {"type": "bool", "default": True},
    "exclusive": {"type": "bool", "default": False},
    "root": {"type": "path", "default": "/"},
    "manage": {"type": "str", "choices": ["auto", "config", "urpmi"], "default": "config"},
    "options": {"type": "dict", "default": {}},
    "skip_list": {"type": "list", "elements": "str"},
    "inst_list": {"type": "list", "elements": "str"},
    "proxy": {"type": "dict", "options": PROXY},
    "timeout": {"type": "int", "default": 30},
    "lock_timeout": {"type": "int", "default": 60},
}
_IN_URL = re.compile(r"://[^/\s:@]*:([^/\s]+)@")


def hide_passwords(module: AnsibleModule) -> None:
    """Passwords inside of URLs are as secret as those in their own option."""
    for entry in module.params["media"]:
        for key in ("url", "mirrorlist"):
            module.no_log_values.update(_IN_URL.findall(entry[key] or ""))


def main() -> t.NoReturn:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    hide_passwords(module)
    run_module(module, lambda host: run_job(module.params, module.check_mode, host))


if __name__ == "__main__":
    main()
