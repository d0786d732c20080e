# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine of a boot server: services, card, space, clock. This module util is private to the collection.

Formats: ``ip -json address`` of iproute2, ``df --output`` of coreutils, ``systemctl is-active``.
"""

from __future__ import annotations

import json
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .parts import Fault

# Seconds by which the clock of the server may be ahead of or behind the controller's.
DRIFT = 60.0


def services(host: Host, names: t.Sequence[str]) -> list[Fault]:
    """Services that do not run."""
    if not names:
        return []
    states = host.run(["systemctl", "is-active", "--", *names], check=False).stdout.split()
    told = "systemctl status %s tells why; then run the pxe_server playbook"
    return [
        Fault("server", "%s is %s" % (name, state), told % name)
        for name, state in zip(names, states + ["unknown"] * len(names))
        if state != "active"
    ]


def settings(paths: t.Iterable[str]) -> list[Fault]:
    """Files of the services that somebody changed."""
    told = "%s is not what the role writes"
    return [Fault("server", told % path, "run the pxe_server playbook") for path in sorted(paths)]


def _cards(host: Host) -> list[dict[str, t.Any]]:
    text = host.run(["ip", "-json", "-4", "address", "show"]).stdout
    try:
        return [dict(card) for card in json.loads(text or "[]")]
    except (ValueError, TypeError) as error:
        raise ClusterError("ip -json address wrote no list of cards: %s" % error)


def card(host: Host, address: str, interface: str) -> list[Fault]:
    """The server's address has to be on the card that DHCP serves, with a link."""
    cards = _cards(host)
    owner = next((c for c in cards if any(a.get("local") == address for a in c.get("addr_info", ()))), None)
    if owner is None:
        return [Fault("server", "no card has the address %s" % address, "bring the boot interface up")]
    name = str(owner.get("ifname"))
    if interface and name != interface:
        told = "%s is on %s, but DHCP serves %s" % (address, name, interface)
        return [Fault("server", told, "correct pxe_server_interface or pxe_server_address")]
    if owner.get("operstate") == "DOWN" or "NO-CARRIER" in owner.get("flags", ()):
        return [Fault("server", "%s has no link" % name, "check cable and switch")]
    return []


def space(host: Host, folders: t.Iterable[str], needed_mb: int) -> list[Fault]:
    """Folders whose file system has less than ``needed_mb`` MiB, or no inodes, left."""
    found = []
    for folder in folders:
        done = host.run(["df", "--block-size=1M", "--output=avail,itotal,iavail", "--", folder], check=False)
        words = done.stdout.split()[-3:]
        if done.rc or not all(word.isdigit() for word in words[:1]):
            found.append(Fault("server", "%s is missing" % folder, "run the pxe_server playbook"))
        elif int(words[0]) < needed_mb:
            told = "%s has %s MB left, %d are wanted" % (folder, words[0], needed_mb)
            found.append(Fault("server", told, "free space on that file system"))
        elif words[1] not in ("0", "-") and words[2] == "0":
            found.append(Fault("server", "%s has no inodes left" % folder, "remove files on that file system"))
    return found


def clock(host: Host, now: float) -> list[Fault]:
    """How far the clock is from ``now``, seconds since the epoch as the controller has them; 0 looks at nothing."""
    if not now:
        return []
    ahead = float(host.run(["date", "+%s"]).stdout) - now
    if abs(ahead) <= DRIFT:
        return []
    told = "the clock is %.0f s %s the controller's" % (abs(ahead), "ahead of" if ahead > 0 else "behind")
    return [Fault("server", told, "set it, by chrony or systemd-timesyncd: leases and certificates depend on it")]
