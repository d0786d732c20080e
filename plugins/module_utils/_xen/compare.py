# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a guest that runs differs from its file: what xl can change now, and what waits for a restart.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .disk import Disk
from .facts import Facts
from .vif import vif_text

Argv = t.Tuple[str, ...]
Card = t.Mapping[str, str]
# What libxl tells of a card in the form in which the file has it.
_TOLD = ("bridge", "ip", "script", "vifname", "gatewaydev")


@dataclass(frozen=True)
class Changes:
    """``hot``: (option, command) in their order; ``restart``: names of options that need one, sorted."""

    hot: tuple[tuple[str, Argv], ...] = ()
    restart: tuple[str, ...] = ()


def _words(wanted: Facts, live: Facts) -> t.Iterator[str]:
    for key, value in wanted.words.items():
        # With a bootloader the kernel comes from the guest's own disk.
        if key in ("kernel", "ramdisk", "cmdline") and wanted.words["bootloader"]:
            continue
        if value != live.words[key]:
            yield key


def _memory(name: str, wanted: Facts, live: Facts) -> t.Iterator[tuple[str, Argv]]:
    if wanted.maxmem and wanted.maxmem != live.maxmem:
        yield "maxmem", ()
    if wanted.memory and wanted.memory != live.memory:
        fits = wanted.memory <= live.maxmem
        yield "memory", ("xl", "mem-set", name, "%dm" % wanted.memory) if fits else ()


def _vcpus(name: str, wanted: Facts, live: Facts) -> t.Iterator[tuple[str, Argv]]:
    if wanted.maxvcpus and wanted.maxvcpus != live.maxvcpus:
        yield "maxvcpus", ()
    if wanted.vcpus != live.vcpus:
        # The number is declared: that it fits the host's processors is not for xl to ask once more.
        fits = wanted.vcpus <= live.maxvcpus
        yield "vcpus", ("xl", "vcpu-set", "--ignore-host", name, str(wanted.vcpus)) if fits else ()


def _same_card(wanted: Card, live: Card) -> bool:
    mac = wanted.get("mac")
    return (not mac or mac == live.get("mac")) and all(
        wanted[key] == live.get(key, "") for key in _TOLD if wanted.get(key)
    )


def _attach(name: str, card: Card) -> Argv:
    return ("xl", "network-attach", name, *vif_text(card).split(","))


def _cards(name: str, wanted: Facts, live: Facts) -> t.Iterator[tuple[str, Argv]]:
    rest = list(live.cards)
    missing = []
    # Cards with a MAC choose first, so that one without does not take theirs.
    for card in sorted(wanted.cards, key=lambda one: not one.get("mac")):
        found = next((one for one in rest if _same_card(card, one)), None)
        if found is None:
            missing.append(card)
        else:
            rest.remove(found)
    for card in rest:
        yield "vifs", ("xl", "network-detach", name, card["mac"])
    for card in wanted.cards:
        if card in missing:
            yield "vifs", _attach(name, card)


def _changed_disk(name: str, kind: str, wanted: Disk, live: Disk) -> tuple[str, Argv]:
    if kind == "hvm" and wanted.cdrom and live.cdrom:
        if not wanted.target:
            return "disks", ("xl", "cd-eject", name, wanted.vdev)
        return "disks", ("xl", "cd-insert", name, wanted.vdev, wanted.target)
    # The guest may have it mounted: another disk in its place is not for a running system.
    return "disks", ()


def _plugged(kind: str, disk: Disk) -> bool:
    return kind != "hvm" or disk.vdev.startswith("xvd")


def _disks(name: str, wanted: Facts, live: Facts) -> t.Iterator[tuple[str, Argv]]:
    kind = live.words["type"]
    now, then = {disk.vdev: disk for disk in live.disks}, {disk.vdev: disk for disk in wanted.disks}
    for vdev in now:
        if vdev not in then:
            yield "disks", ("xl", "block-detach", name, vdev) if _plugged(kind, now[vdev]) else ()
    for vdev, disk in then.items():
        if vdev not in now:
            yield "disks", ("xl", "block-attach", name, disk.text()) if _plugged(kind, disk) else ()
        elif _shown(disk) != _shown(now[vdev]):
            yield _changed_disk(name, kind, disk, now[vdev])


def _shown(disk: Disk) -> tuple[str, str, str, bool]:
    return disk.target, disk.format, "ro" if disk.cdrom else disk.access, disk.cdrom


def compare(name: str, wanted: Facts, live: Facts, opaque: t.Sequence[str] = ()) -> Changes:
    """What has to change; ``opaque`` are keys of the file that just changed and that only a restart brings in."""
    found: list[tuple[str, Argv]] = []
    for part in (_memory, _vcpus, _cards, _disks):
        found += part(name, wanted, live)
    restart = {*_words(wanted, live), *(option for option, argv in found if not argv), *opaque}
    return Changes(tuple(pair for pair in found if pair[1]), tuple(sorted(restart)))
