# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that work on a repository tree. This module util is private to the collection."""

from __future__ import annotations

import typing as t

_COMPRESSORS = ["gzip", "xz", "lzma", "zstd", "none"]
_MEDIUM = {
    "name": {"type": "str", "required": True},
    "title": {"type": "str"},
    "sections": {"type": "list", "elements": "str", "default": ["release", "updates", "testing"]},
    "media_type": {"type": "list", "elements": "str", "default": []},
    "debug": {"type": "bool", "default": False},
    "noauto": {"type": "list", "elements": "str"},
    "updates_for": {"type": "dict", "default": {"updates": "release"}},
    "requires": {"type": "list", "elements": "str"},
}
_BASED_ON = {
    "name": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "media": {"type": "list", "elements": "str", "required": True},
}
_COMPRESSION = {
    "synthesis": {"type": "str", "choices": _COMPRESSORS, "default": "gzip"},
    "xml_info": {"type": "str", "choices": _COMPRESSORS, "default": "lzma"},
}
TREE: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "distribution": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "arches": {"type": "list", "elements": "str", "required": True},
    "media": {"type": "list", "elements": "dict", "required": True, "options": _MEDIUM},
    "sources": {"type": "bool", "default": True},
    "media_32bit": {"type": "bool", "default": True},
    "based_on": {"type": "list", "elements": "dict", "default": [], "options": _BASED_ON},
    "vendor": {"type": "str"},
    "branch": {"type": "str", "default": "Official"},
    "product": {"type": "str", "default": "Download"},
    "type": {"type": "str"},
    "pubkey": {"type": "path"},
    "archive": {"type": "path"},
    "xml_info": {"type": "bool", "default": True},
    "hdlist": {"type": "bool", "default": True},
    "compression": {"type": "dict", "default": {}, "options": _COMPRESSION},
    "repodata": {"type": "bool", "default": True},
    "weak_dependencies": {"type": "str", "choices": ["suggests", "recommends"], "default": "suggests"},
    "line_limit": {"type": "int", "default": 65535},
}
_ANNOUNCE = {
    "dest": {"type": "path", "required": True},
    "sender": {"type": "str"},
    "to": {"type": "str"},
    "subject": {"type": "str", "default": "[{distribution} {version}] {to}: {names}"},
    "head": {
        "type": "str",
        "default": "The following packages are now in {to} of {distribution} {version}.",
    },
    "foot": {"type": "str", "default": ""},
    "send": {"type": "bool", "default": False},
    "sendmail": {"type": "list", "elements": "str", "default": ["sendmail", "-t", "-oi"]},
}
_SIGN = {
    "key": {"type": "str", "required": True, "no_log": False},
    "gnupg_home": {"type": "path"},
    "gpg_program": {"type": "str"},
    "passphrase_file": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "digest": {"type": "str", "choices": ["sha256", "sha384", "sha512"], "default": "sha256"},
}
ARGUMENTS: dict[str, t.Any] = {
    "tree": {"type": "dict", "options": TREE},
    "from": {"type": "str"},
    "to": {"type": "str"},
    "packages": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "gate": {
        "type": "list",
        "elements": "str",
        "choices": ["signed", "installable", "rpmlint"],
        "default": ["signed", "installable"],
    },
    "pubkeys": {"type": "list", "elements": "path", "default": []},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "on_old": {"type": "str", "choices": ["archive", "delete", "keep"], "default": "archive"},
    "remove_source": {"type": "bool", "default": True},
    "allow_downgrade": {"type": "bool", "default": False},
    "missing": {"type": "str", "choices": ["warn", "fail", "ignore"], "default": "warn"},
    "announce": {"type": "dict", "options": _ANNOUNCE},
    "sign": {"type": "dict", "options": _SIGN},
    "lock_timeout": {"type": "int", "default": 60},
}
