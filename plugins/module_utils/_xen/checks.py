# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be right before the first guest is touched: no two guests with the same thing, and everything there.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .._host.errors import ClusterError
from .._host.host import Host
from .facts import Facts, normal, of_file, of_live
from .live import hypervisor
from .steps import UP, Guest, Step
from .storage import check_groups, group_of, look, paths_of, plan_disk
from .xl import Dom0

_FREES = ("stop", "destroy", "save", "migrate")
# What a guest claims for itself: a word for the kind of thing, and the thing.
Claim = t.Tuple[str, str]


def facts_of(guest: Guest) -> Facts | None:
    """What the guest will be, as its file says; None without a file."""
    return of_file(guest.new) if guest.new is not None else None


def _claims(uuid: str, facts: Facts, up: bool) -> t.Iterator[tuple[Claim, bool]]:
    """Each claim, and whether it can be shared."""
    if uuid:
        yield ("UUID", uuid), False
    yield from ((("MAC", card["mac"]), False) for card in facts.cards if card.get("mac"))
    # A disk that is only described is in nobody's hands yet.
    for disk in facts.disks if up else ():
        if disk.target:
            yield ("disk", disk.target), disk.access == "ro" or disk.cdrom


def _holders(guests: t.Sequence[Guest], dom0: Dom0) -> t.Iterator[tuple[str, str, Facts, bool]]:
    """Name, UUID, facts and whether it is up, of declared guests and of the others that run."""
    for guest in guests:
        facts, up = facts_of(guest), guest.wish.state in UP
        if facts is not None and guest.new is not None and (up or guest.wish.described):
            yield guest.name, str(normal(guest.new).get("uuid") or ""), facts, up
    mine = {guest.name for guest in guests}
    for name, live in dom0.guests.items():
        if name not in mine and live.config:
            yield name, live.uuid, of_live(live.config), True


def check_clashes(guests: t.Sequence[Guest], dom0: Dom0) -> None:
    """ClusterError for a UUID, MAC or writable disk that two guests would have."""
    taken: dict[Claim, tuple[str, bool]] = {}
    for name, uuid, facts, up in _holders(guests, dom0):
        for claim, shared in _claims(uuid, facts, up):
            other, both = taken.get(claim, ("", True))
            if other and other != name and not (shared and both):
                raise ClusterError(
                    "guests %s and %s have the same %s %s" % (*sorted((other, name)), *claim),
                    "give each its own%s" % (", or both only read access" if claim[0] == "disk" else ""),
                )
            taken[claim] = (name, shared and both)


def check_paths(guests: t.Sequence[Guest]) -> None:
    """ClusterError for two guests with one file."""
    seen: dict[str, str] = {}
    for guest in guests:
        for path in (guest.wish.path, guest.wish.save_file):
            other = seen.setdefault(path, guest.name)
            if other != guest.name:
                raise ClusterError(
                    "guests %s and %s have the same file %s" % (other, guest.name, path), "give each its own"
                )


def _bridge(card: t.Mapping[str, str]) -> str:
    # Another domain's bridges cannot be seen from here; Open vSwitch has VLANs behind the name.
    return "" if card.get("backend") else re.split("[.:]", card.get("bridge", ""))[0]


def _needs(facts: Facts) -> t.Iterator[tuple[str, str, str]]:
    """What must be there for a start: path, what it is, the remedy."""
    if not facts.words["bootloader"]:
        for key in ("kernel", "ramdisk"):
            yield facts.words[key], "%s %s" % (key, facts.words[key]), "correct the path"
    for disk in facts.disks:
        if not disk.more:
            yield disk.target, "disk %s" % disk.target, "set image or size to make it, or correct target"
    for card in facts.cards:
        bridge = _bridge(card)
        yield "/sys/class/net/%s" % bridge if bridge else "", "bridge %s" % bridge, "make it with xen_bridge"


def _starts(guest: Guest) -> bool:
    return guest.does("create", "restore")


def _attaches(guest: Guest) -> bool:
    return any(argv[1] in ("block-attach", "network-attach") for _option, argv in guest.changes.hot)


def _wanted_paths(guest: Guest) -> t.Iterator[str]:
    facts = facts_of(guest)
    if facts is not None and (_starts(guest) or _attaches(guest)):
        yield from (path for path, _what, _hint in _needs(facts) if path.startswith("/"))
    for disk in guest.wish.entry.get("disks") or ():
        yield from (path for path in paths_of(disk) if path.startswith("/"))


def _made(guest: Guest, seen: t.Mapping[str, int], claimed: set[str]) -> tuple[list[Step], set[str]]:
    """Steps that make the guest's disks, and the targets that they make."""
    steps, targets = [], set()
    for disk in guest.wish.entry.get("disks") or ():
        target = str(disk.get("target") or "")
        argvs = plan_disk(guest.name, disk, seen) if target not in claimed else ()
        steps += [Step("make", argv) for argv in argvs]
        targets |= {target} if argvs else set()
    return steps, targets


def _check_there(guest: Guest, have: t.Container[str]) -> None:
    facts = facts_of(guest)
    if facts is None or not (_starts(guest) or _attaches(guest)):
        return
    for path, what, hint in _needs(facts):
        if path.startswith("/") and path not in have:
            raise ClusterError("%s: there is no %s" % (guest.what, what), hint)


def with_disks(guests: t.Sequence[Guest], host: Host) -> list[Guest]:
    """The guests with the steps that make their disks; ClusterError for what is missing. One look for all guests."""
    seen = look(host, (path for guest in guests for path in _wanted_paths(guest)))
    found: list[Guest] = []
    made: set[str] = set()
    for guest in guests:
        steps, targets = _made(guest, seen, made)
        made |= targets
        found.append(replace(guest, steps=(*steps, *guest.steps)))
    check_groups(host, map(group_of, made))
    for guest in found:
        _check_there(guest, {*seen, *made})
    return found


def check_memory(guests: t.Sequence[Guest], host: Host) -> None:
    """ClusterError when the guests that start need more memory than there is; one question, none without a start."""
    starting = {guest.name: facts_of(guest) for guest in guests if guest.does("create")}
    needed = {name: facts.memory for name, facts in starting.items() if facts is not None}
    if not needed:
        return
    info = hypervisor(host)
    # Without a fixed share dom0 gives some of its own.
    if "dom0_mem=" not in str(info.get("xen_commandline") or ""):
        return
    freed = sum(guest.live.row.memory_mb for guest in guests if guest.live and guest.does(*_FREES))
    free, most = int(info.get("free_memory") or 0) + freed, sum(needed.values())
    if most > free:
        raise ClusterError(
            "too little memory for %s: %d MiB are needed, %d are free" % (", ".join(sorted(needed)), most, free),
            "stop another guest, or give them less",
        )


def check_targets(guests: t.Sequence[Guest], host: Host) -> None:
    """ClusterError for a host to move to that does not answer or has the guest already; one question for each host."""
    for target in sorted({guest.wish.target for guest in guests if guest.wish.target}):
        if not re.match(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*\Z", target):
            raise ClusterError("%r is no name of a host" % target, "give a name or an address")
        # BatchMode: a question for a password would wait for ever.
        argv = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", target, "xl", "list"]
        done = host.run(argv, check=False)
        if done.rc:
            words = (done.stderr.strip().splitlines() or [""])[-1]
            raise ClusterError(
                "the host %s to move to does not answer: %s" % (target, words),
                "make ssh from here to it work for root without a password, and Xen run there",
            )
        there = {line.split()[0] for line in done.stdout.splitlines()[1:] if line.split()}
        for guest in guests:
            if guest.wish.target == target:
                _check_move(guest, there)


def _check_move(guest: Guest, there: t.Container[str]) -> None:
    if guest.live is None and guest.name not in there:
        raise ClusterError("%s runs neither here nor on %s" % (guest.what, guest.wish.target), "start it first")
    if guest.live is not None and guest.name in there:
        raise ClusterError("%s runs here and on %s" % (guest.what, guest.wish.target), "stop one of them")
