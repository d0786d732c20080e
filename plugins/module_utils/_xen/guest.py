# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest as the user describes it, made into the values of xl.cfg. Private to the collection."""

from __future__ import annotations

import re
import typing as t
import uuid as uuids

from .._host.errors import ClusterError
from .config import Config
from .disk import from_options, parse_disk
from .vif import mac_of, made_mac, parse_vif, vif_text

ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart", "soft-reset")
TYPES = ("pv", "pvh", "hvm")
PLAIN = (
    "type", "kernel", "ramdisk", "cmdline", "bootloader", "bootloader_args", "memory", "maxmem", "vcpus", "maxvcpus",
    "cpus", "on_poweroff", "on_reboot", "on_crash",
)  # fmt: skip
DESCRIBING = (*PLAIN, "uuid", "disks", "vifs", "vnc", "vnclisten", "options", "metadata")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*$")


def check_name(name: str) -> str:
    """The name; ClusterError for Domain-0 and what xl would take for a number or an option."""
    if name.lower() in ("domain-0", "dom0", "0"):
        raise ClusterError("%s is the host itself" % name, "this module manages guests only")
    if not _NAME.match(name) or name.isdigit():
        raise ClusterError("%r is no name of a guest" % name, "use letters, digits, _ . + - and at least one letter")
    return name


def uuid_of(text: str, what: str) -> str:
    """Dashed and in small letters, from a UUID with or without dashes."""
    try:
        return str(uuids.UUID(text))
    except ValueError:
        raise ClusterError("%s: %r is no UUID" % (what, text), "write 32 hexadecimal digits, with or without dashes")


def describes(entry: t.Mapping[str, t.Any]) -> bool:
    """Whether the entry says what the guest is, not only which state it is to be in."""
    return any(entry.get(key) is not None for key in DESCRIBING)


def _check(entry: t.Mapping[str, t.Any]) -> None:
    name = "guest %s" % entry["name"]
    kind = entry.get("type") or "pvh"
    if kind not in TYPES:
        raise ClusterError("%s: type %r" % (name, kind), "use one of %s" % " ".join(TYPES))
    if not entry.get("memory"):
        raise ClusterError("%s has no memory" % name, "set memory, in MiB")
    if kind != "hvm" and not entry.get("kernel") and not entry.get("bootloader"):
        raise ClusterError("%s has neither kernel nor bootloader" % name, "a %s guest needs one of them" % kind)
    if entry.get("kernel") and entry.get("bootloader"):
        raise ClusterError("%s has both kernel and bootloader" % name, "give one of them")
    for low, high in (("memory", "maxmem"), ("vcpus", "maxvcpus")):
        if entry.get(high) and entry[high] < (entry.get(low) or 1):
            raise ClusterError("%s: %s is less than %s" % (name, high, low), "raise %s" % high)
    for key in ("memory", "maxmem", "vcpus", "maxvcpus"):
        if entry.get(key) is not None and entry[key] < 1:
            raise ClusterError("%s: %s is %s" % (name, key, entry[key]), "give a positive number")
    for key in ("on_poweroff", "on_reboot", "on_crash"):
        if entry.get(key) and entry[key] not in ACTIONS:
            raise ClusterError("%s: %s is %r" % (name, key, entry[key]), "use one of %s" % " ".join(ACTIONS))


def _disks(entry: t.Mapping[str, t.Any]) -> list[str]:
    disks = [from_options(one) for one in entry.get("disks") or ()]
    places = [disk.vdev for disk in disks]
    for place in places:
        if places.count(place) > 1:
            raise ClusterError("guest %s has two disks %s" % (entry["name"], place), "give each disk its own vdev")
    return [disk.text() for disk in disks]


def _old_macs(old: Config | None) -> list[str]:
    cards = old.values.get("vif", []) if old else []
    return [parse_vif(card).get("mac", "") for card in cards if isinstance(card, str)]


def _vifs(entry: t.Mapping[str, t.Any], old: Config | None, seed: str) -> list[str]:
    before, found, seen = _old_macs(old), [], set()
    for index, card in enumerate(entry.get("vifs") or ()):
        card = {key: value for key, value in card.items() if value is not None}
        kept = before[index] if index < len(before) else ""
        mac = card.get("mac") or kept or made_mac(seed, entry["name"], index)
        card["mac"] = mac_of(str(mac), "guest %s" % entry["name"])
        if card["mac"] in seen:
            raise ClusterError("guest %s has two cards %s" % (entry["name"], card["mac"]), "give each its own MAC")
        seen.add(card["mac"])
        found.append(vif_text(card))
    return found


def _uuid(entry: t.Mapping[str, t.Any], old: Config | None, seed: str) -> str:
    name = "guest %s" % entry["name"]
    given = uuid_of(str(entry["uuid"]), name) if entry.get("uuid") else ""
    kept = uuid_of(str(old.values["uuid"]), name) if old and old.values.get("uuid") else ""
    if given and kept and given != kept:
        raise ClusterError("%s exists with the UUID %s, not %s" % (name, kept, given), "remove it first, or drop uuid")
    return given or kept or str(uuids.uuid5(uuids.NAMESPACE_OID, "%s/%s" % (seed, entry["name"])))


def wanted(entry: t.Mapping[str, t.Any], old: Config | None = None, seed: str = "") -> Config:
    """The whole configuration; UUID and MACs of ``old`` stay, new ones come from ``seed`` (one per host) and name."""
    check_name(entry["name"])
    _check(entry)
    values: dict[str, t.Any] = {"name": entry["name"], "uuid": _uuid(entry, old, seed), "type": "pvh"}
    values.update((key, entry[key]) for key in PLAIN if entry.get(key) is not None)
    disks, vifs = _disks(entry), _vifs(entry, old, seed)
    values.update((key, rows) for key, rows in (("disk", disks), ("vif", vifs)) if rows)
    if entry.get("vnc") is not None:
        values["vnc"] = int(entry["vnc"])
    if entry.get("vnclisten"):
        values["vnclisten"] = entry["vnclisten"]
    for key, value in (entry.get("options") or {}).items():
        if key in values or key in ("disk", "vif", *DESCRIBING):
            raise ClusterError("guest %s: options sets %s" % (entry["name"], key), "use the module's own option for it")
        values[key] = int(value) if isinstance(value, bool) else value
    return Config(values, {key: str(value) for key, value in (entry.get("metadata") or {}).items()})


def check_values(config: Config, path: str) -> None:
    """ClusterError when a file, parsed, cannot be a guest: no name, bad disks or cards."""
    if not isinstance(config.values.get("name"), str):
        raise ClusterError("%s has no name" % path, 'add: name = "..."')
    for key, parser in (("disk", parse_disk), ("vif", parse_vif)):
        rows = config.values.get(key, [])
        for row in rows if isinstance(rows, list) else [rows]:
            try:
                parser(str(row))  # type: ignore[operator]
            except ClusterError as error:
                raise ClusterError("%s: %s" % (path, error.message), error.hint)
