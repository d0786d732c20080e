# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that describe a rack, for the modules that share them. This module util is private to the collection."""

from __future__ import annotations

import typing as t

MENU = {
    "timeout": {"type": "float", "default": 5},
    "prompt": {"type": "bool", "default": False},
    "text": {"type": "str", "default": ""},
    "unknown_text": {"type": "str", "default": ""},
    "unknown": {"type": "str", "choices": ["local", "retry"], "default": "local"},
    "serial": {"type": "str", "default": "0 115200"},
}
DHCP = {
    "backend": {"type": "str", "default": "isc"},
    "config_path": {"type": "path"},
    "interface": {"type": "str", "default": ""},
    "bind": {"type": "bool", "default": True},
    "subnets": {"type": "list", "elements": "dict", "default": []},
    "authoritative": {"type": "bool", "default": True},
    "default_lease": {"type": "int", "default": 600},
    "max_lease": {"type": "int", "default": 7200},
    "next_server": {"type": "str", "default": ""},
    "loaders": {"type": "dict"},
    "etherboot_loader": {"type": "str", "default": ""},
    "ipxe": {"type": "bool", "default": True},
    "configfile": {"type": "str", "default": ""},
    "pathprefix": {"type": "str", "default": ""},
    "reboottime": {"type": "int", "default": 30},
    "validate": {"type": "bool", "default": True},
    "tester": {"type": "list", "elements": "str"},
}
SERVER = {"address": {"type": "str", "required": True}, "port": {"type": "int", "default": 80}}
RACK: dict[str, t.Any] = {
    # No suboptions: checking 10,000 nodes in the argument spec costs more than the whole rendering.
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "profiles": {"type": "dict", "default": {"default": {"image": "node", "method": "http"}}},
    "server": {"type": "dict", "required": True, "options": SERVER},
    "transport": {"type": "str", "choices": ["http", "tftp"], "default": "http"},
    "tftp_root": {"type": "path", "default": "/srv/xtreemos/tftp"},
    "http_root": {"type": "path", "default": "/srv/xtreemos/http"},
    "images_root": {"type": "path", "default": "/srv/xtreemos/images"},
    "menu": {"type": "dict", "options": MENU, "default": {}, "apply_defaults": True},
    "dhcp": {"type": "dict", "options": DHCP, "default": {}, "apply_defaults": True},
}
