# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One form for what a configuration file says and for what ``xl list -l`` says of a guest. Private to the collection.

Format: the JSON of libxl 4.17, which leaves out what equals its default and writes memory in KiB.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .config import Config
from .disk import Disk, parse_disk
from .normal import normal_mac, normal_uuid, tidy
from .vif import parse_vif

ACTIONS = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
# Keys of xl.cfg whose value libxl tells in a form that can be compared.
COMPARED = (
    "name", "uuid", "type", "builder", "kernel", "ramdisk", "cmdline", "root", "extra", "bootloader", "memory",
    "maxmem", "vcpus", "maxvcpus", "disk", "vif", *ACTIONS,
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What can be compared. Memory in MiB; ``maxmem`` and ``maxvcpus`` are 0 when a file leaves them to xl."""

    words: t.Mapping[str, str]
    memory: int = 0
    maxmem: int = 0
    vcpus: int = 1
    maxvcpus: int = 0
    disks: tuple[Disk, ...] = ()
    cards: tuple[t.Mapping[str, str], ...] = ()


def number(values: t.Mapping[str, t.Any], key: str, default: int) -> int:
    """A number that a file may also write in quotes; ClusterError for what is none."""
    value = values.get(key)
    if value is None or value == "":
        return default
    try:
        return int(str(value), 0)
    except ValueError:
        raise ClusterError("%s is %r" % (key, value), "write a number")


def rows(values: t.Mapping[str, t.Any], key: str) -> list[str]:
    """A list of strings that a file may also write as one string."""
    value = values.get(key) or []
    return [str(row) for row in (value if isinstance(value, list) else [value])]


def command_line(values: t.Mapping[str, t.Any]) -> str:
    """The kernel's options: ``cmdline``, else what xl makes of ``root`` and ``extra``."""
    if values.get("cmdline"):
        return str(values["cmdline"])
    root = "root=%s" % values["root"] if values.get("root") else ""
    return " ".join(part for part in (root, str(values.get("extra") or "")) if part)


def _kind(values: t.Mapping[str, t.Any]) -> str:
    return str(values.get("type") or ("hvm" if values.get("builder") == "hvm" else "pv"))


def of_file(config: Config) -> Facts:
    """The facts of a configuration file."""
    values = config.values
    words = {key: str(values.get(key) or default) for key, default in ACTIONS.items()}
    words.update({key: str(values.get(key) or "") for key in ("kernel", "ramdisk", "bootloader")})
    words.update(type=_kind(values), cmdline=command_line(values))
    return Facts(
        words,
        number(values, "memory", 0),
        number(values, "maxmem", 0),
        number(values, "vcpus", 1),
        number(values, "maxvcpus", 0),
        tuple(parse_disk(row) for row in rows(values, "disk")),
        tuple(parse_vif(row) for row in rows(values, "vif")),
    )


def _disk(item: t.Mapping[str, t.Any]) -> Disk:
    cdrom = bool(int(item.get("is_cdrom") or 0))
    access = "rw" if int(item.get("readwrite") or 0) else "ro"
    return Disk(
        str(item.get("pdev_path") or ""),
        str(item.get("vdev") or ""),
        str(item.get("format") or "raw"),
        "ro" if cdrom else access,
        cdrom,
    )


_CARD = (("bridge", "bridge"), ("ip", "ip"), ("script", "script"), ("ifname", "vifname"), ("gatewaydev", "gatewaydev"))


def _card(item: t.Mapping[str, t.Any]) -> dict[str, str]:
    found = {ours: str(item[theirs]) for theirs, ours in _CARD if item.get(theirs)}
    return {**found, "mac": tidy(normal_mac, str(item.get("mac") or ""))}


def of_live(config: t.Mapping[str, t.Any]) -> Facts:
    """The facts of a part of ``xl list -l``."""
    about, build = config.get("c_info") or {}, config.get("b_info") or {}
    words = {key: str(config.get(key) or "destroy").replace("_", "-") for key in ACTIONS}
    words.update({key: str(build.get(key) or "") for key in ("kernel", "ramdisk", "bootloader", "cmdline")})
    words["type"] = str(about.get("type") or "")
    most = int(build.get("max_vcpus") or 1)
    available = build.get("avail_vcpus")
    return Facts(
        words,
        int(build.get("target_memkb") or build.get("max_memkb") or 0) // 1024,
        int(build.get("max_memkb") or 0) // 1024,
        len(available) if isinstance(available, list) and available else most,
        most,
        tuple(_disk(item) for item in config.get("disks") or ()),
        tuple(_card(item) for item in config.get("nics") or ()),
    )


def as_config(config: t.Mapping[str, t.Any]) -> Config:
    """What of a live guest has to stay when it gets its first file: UUID and MACs."""
    uuid = str((config.get("c_info") or {}).get("uuid") or "")
    cards = ["mac=%s" % card["mac"] for card in of_live(config).cards if card["mac"]]
    return Config({"uuid": uuid, "vif": cards} if uuid else {"vif": cards})


def normal(config: Config) -> dict[str, t.Any]:
    """Values in a form in which two spellings of the same configuration are equal."""
    values = {key: str(value) if isinstance(value, int) else value for key, value in config.values.items()}
    for key, parse in (("disk", lambda row: parse_disk(row).text()), ("vif", parse_vif)):
        if key in values:
            values[key] = [parse(row) for row in rows(config.values, key)]
    if values.get("uuid"):
        values["uuid"] = tidy(normal_uuid, str(values["uuid"]))
    return values


def opaque(before: Config, after: Config) -> list[str]:
    """Keys that differ between two files and that libxl does not tell in a form to compare."""
    old, new = normal(before), normal(after)
    return sorted(key for key in {*old, *new} - set(COMPARED) if old.get(key) != new.get(key))
