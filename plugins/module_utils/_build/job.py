# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of rpm_build, and the module's run with its timer's files. This module util is private."""

from __future__ import annotations

import typing as t

from .._host.fileset import apply_files
from .._host.host import Host
from .nightly import Log, run_build
from .pyz import plan_install

_SOURCE = {
    "type": {"type": "str", "choices": ["git", "svn"], "default": "git"},
    "url": {"type": "str", "required": True},
    "ref": {"type": "str", "default": ""},
    "revision": {"type": "str", "default": ""},
}
_MACROS = {name: {"type": "str"} for name in ("packager", "distribution", "vendor", "signature", "gpg_name", "gpg_path")}
_SIGN = {
    "key": {"type": "str", "required": True, "no_log": False},
    "gnupg_home": {"type": "path"},
    "gpg_program": {"type": "str"},
    "passphrase_file": {"type": "path", "no_log": False},
    "backend": {"type": "str", "choices": ["rpmsign", "agent"], "default": "agent"},
    "digest": {"type": "str", "choices": ["sha256", "sha384", "sha512"]},
}
_PUBLISH = {
    "tree": {"type": "dict", "required": True},
    "to": {"type": "str", "default": "main/testing"},
    "gate": {"type": "list", "elements": "str", "choices": ["signed", "installable", "rpmlint"]},
    "pubkeys": {"type": "list", "elements": "path"},
    "keys": {"type": "list", "elements": "str", "no_log": False},
    "on_old": {"type": "str", "choices": ["archive", "delete", "keep"]},
    "missing": {"type": "str", "choices": ["warn", "fail", "ignore"]},
    "sign": {"type": "dict"},
}
_PXE = {
    "dest": {"type": "path", "required": True},
    "append": {"type": "str", "default": ""},
    "modules": {"type": "list", "elements": "str", "default": []},
}
_SYNC = {"dest": {"type": "str", "required": True}, "password_file": {"type": "path", "no_log": False}}
_INSTALL = {
    "program": {"type": "path", "required": True},
    "options": {"type": "path", "required": True},
    "only": {"type": "bool", "default": False},
}
ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "source": {"type": "dict", "required": True, "options": _SOURCE},
    "specs": {"type": "list", "elements": "str", "required": True},
    "define": {"type": "str", "default": ""},
    "extra_sources": {"type": "list", "elements": "path", "default": []},
    "chroot": {"type": "path", "required": True},
    "user": {"type": "str", "default": "builder"},
    "dest": {"type": "path", "required": True},
    "keep": {"type": "int", "default": 7},
    "macros": {"type": "dict", "options": {**_MACROS, "extra": {"type": "dict"}}},
    "buildarchtranslate": {"type": "dict"},
    "targets": {"type": "list", "elements": "str", "default": []},
    "rpmbuild_options": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 0},
    "sign": {"type": "dict", "options": _SIGN},
    "publish": {"type": "dict", "options": _PUBLISH},
    "pxe": {"type": "dict", "options": _PXE},
    "sync": {"type": "dict", "options": _SYNC},
    "install": {"type": "dict", "options": _INSTALL},
    "lock_timeout": {"type": "int", "default": 60},
}
_NOTHING = {
    "changed": False,
    "built": False,
    "version": "",
    "commit": "",
    "path": "",
    "packages": [],
    "steps": [],
    "pruned": [],
    "published": {},
    "entry": "",
}


def run_job(params: t.Mapping[str, t.Any], check_mode: bool, host: Host, log: Log) -> dict[str, t.Any]:
    """Install what the timer needs, then build unless the timer is to do it."""
    install = params["install"]
    files = plan_install(install, params, host)
    if not check_mode:
        apply_files(files, host)
    result = dict(_NOTHING) if install and install["only"] else run_build(params, check_mode, host, log)
    return {**result, "changed": result["changed"] or files.changed, "files": files.paths}
