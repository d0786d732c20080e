# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module xen_domain and what they mean to the packages. This module util is private."""

from __future__ import annotations

import typing as t

from .._host.host import Host
from .address import MATCHES
from .disk import FORMATS
from .guest import ACTIONS, TYPES
from .storage import FILESYSTEMS
from .wish import STATES, Settings

_WORD: t.Mapping[str, t.Any] = {"type": "str"}
_PATH: t.Mapping[str, t.Any] = {"type": "path"}
_NUMBER: t.Mapping[str, t.Any] = {"type": "int"}
_NO: t.Mapping[str, t.Any] = {"type": "bool", "default": False}

DISK: dict[str, t.Any] = {
    "target": _PATH,
    "vdev": {"type": "str", "default": "xvda"},
    "format": {"type": "str", "choices": list(FORMATS), "default": "raw"},
    "access": {"type": "str", "choices": ["rw", "ro"], "default": "rw"},
    "cdrom": _NO,
    "image": _PATH,
    "size": _WORD,
    "filesystem": {"type": "str", "choices": sorted(FILESYSTEMS)},
}
VIF: dict[str, t.Any] = dict.fromkeys(("mac", "bridge", "ip", "model", "script", "vifname", "rate"), _WORD)
DOMAIN: dict[str, t.Any] = {
    **dict.fromkeys(("name", "cmdline", "bootloader", "cpus", "uuid", "vnclisten", "target", "ssh_host"), _WORD),
    **dict.fromkeys(("kernel", "ramdisk", "import_config", "path", "save_file"), _PATH),
    **dict.fromkeys(("memory", "maxmem", "vcpus", "maxvcpus"), _NUMBER),
    **{key: {"type": "str", "choices": list(ACTIONS)} for key in ("on_poweroff", "on_reboot", "on_crash")},
    "address": {"type": "raw"},
    "state": {"type": "str", "choices": list(STATES), "default": "running"},
    "type": {"type": "str", "choices": list(TYPES)},
    "bootloader_args": {"type": "list", "elements": "str"},
    "disks": {"type": "list", "elements": "dict", "options": DISK},
    "vifs": {"type": "list", "elements": "dict", "options": VIF},
    "vnc": {"type": "bool"},
    "options": {"type": "dict"},
    "metadata": {"type": "dict"},
    "autostart": {"type": "bool"},
    "timeout": {"type": "int", "default": 60},
    "kill_after_timeout": {"type": "bool", "default": True},
    "force": _NO,
    "ssh_port": {"type": "int", "default": 22},
}
ARGUMENTS: dict[str, t.Any] = {
    "domains": {"type": "list", "elements": "dict", "required": True, "options": DOMAIN},
    "restart": {"type": "str", "choices": ["never", "on_change"], "default": "never"},
    "wait": {"type": "str", "choices": ["none", "up", "ssh"], "default": "none"},
    "wait_timeout": {"type": "int", "default": 300},
    "match": {"type": "str", "choices": list(MATCHES), "default": "unique"},
    "search_paths": {"type": "list", "elements": "path", "default": []},
    "vmstate": {"type": "list", "elements": "str", "default": ["ALL"]},
    "config_dir": {"type": "path", "default": "/etc/xen"},
    "autostart_dir": {"type": "path", "default": "/etc/xen/auto"},
    "save_dir": {"type": "path", "default": "/var/lib/xen/save"},
}


def settings(options: t.Mapping[str, t.Any], host: Host, pm: str, home: str) -> Settings:
    """What holds for all guests; new UUIDs and MACs follow from this machine's own id and name ``pm``."""
    machine = (host.read("/etc/machine-id") or b"").decode("ascii", "replace").strip()
    return Settings(
        config_dir=options["config_dir"],
        autostart_dir=options["autostart_dir"],
        save_dir=options["save_dir"],
        search_paths=tuple(options["search_paths"]),
        vmstate=tuple(options["vmstate"]),
        match=options["match"],
        restart=options["restart"] == "on_change",
        wait=options["wait"],
        wait_timeout=options["wait_timeout"],
        home=home,
        pm=pm,
        seed="%s/%s" % (machine, pm),
    )
