# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until guests are up: their own drivers connected, or SSH answering. This module util is private.

``xenstore-ls -f /local/domain`` tells of all guests at once; a device of a guest is connected when its ``state`` is 4
(XenbusStateConnected of xen/io/xenbus.h), which the guest's own kernel writes.
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .normal import normal_ip, quiet
from .steps import Guest
from .wish import Settings
from .xl import read_states

_DEVICE = re.compile(r'^/local/domain/(\d+)/device/(?:vif|vbd)/\d+/state = "(\d+)"', re.MULTILINE)
_CONNECTED = "4"
_STARTED = ("running", "restored", "resumed", "rebooted", "reset")
_PAUSE = 1.0


def address_of(guest: Guest) -> str:
    """Where SSH of the guest answers: ``ssh_host``, else the IP of its metadata or of its first card, else nothing."""
    given = str(guest.wish.entry.get("ssh_host") or "")
    if given:
        return given
    metadata = guest.new.metadata if guest.new else {}
    words = [metadata.get(key, "").split("%")[0] for key in ("IP", "IP0")]
    words += re.findall(r"(?:^|,)ip=([^,]+)", str((guest.new.values.get("vif") or [""])[0]) if guest.new else "")
    return next((word for word in words if quiet(normal_ip, word)), "")


def check_addresses(guests: t.Iterable[Guest], settings: Settings) -> None:
    """ClusterError for a guest whose SSH is to be waited for and that nobody knows an address of."""
    for guest in guests:
        if settings.wait == "ssh" and guest.wish.state in _STARTED and not address_of(guest):
            raise ClusterError("%s has no address to wait for" % guest.what, "set ssh_host, or metadata: {IP0: ...}")


def connected(listing: str, domid: int) -> bool:
    """Whether every card and disk of a guest is connected, as ``xenstore-ls -f`` shows them; true without any."""
    return all(state == _CONNECTED for number, state in _DEVICE.findall(listing) if int(number) == domid)


def answering(host: Host, guests: t.Sequence[Guest], ports: t.Mapping[str, int]) -> set[str]:
    """Names of the guests whose SSH shows a key."""
    found = set()
    for guest in guests:
        argv = ["ssh-keyscan", "-T", "5", "-p", str(ports.get(guest.name) or 22), address_of(guest)]
        if host.run(argv, check=False).stdout.strip():
            found.add(guest.name)
    return found


def _up(host: Host, guests: t.Sequence[Guest]) -> set[str]:
    states = read_states(host)
    listing = host.run(["xenstore-ls", "-f", "/local/domain"], check=False).stdout
    found = set()
    for guest in guests:
        now = states.get(guest.name)
        if now is None or now.state in ("shutdown", "crashed"):
            raise ClusterError(
                "%s is %s soon after its start" % (guest.what, now.state if now else "gone"),
                "see xl dmesg and /var/log/xen/console",
            )
        if now.state == "running" and connected(listing, now.row.domid):
            found.add(guest.name)
    return found


def wait_ready(
    guests: t.Sequence[Guest],
    settings: Settings,
    host: Host,
    now: t.Callable[[], float],
    sleep: t.Callable[[float], None],
) -> None:
    """Wait for the guests that are to run; ClusterError names those that are not up in time."""
    waiting = [guest for guest in guests if guest.wish.state in _STARTED and settings.wait != "none"]
    ports = {guest.name: int(guest.wish.entry.get("ssh_port") or 22) for guest in waiting}
    end = now() + settings.wait_timeout
    while waiting:
        ready = _up(host, waiting)
        if settings.wait == "ssh":
            ready &= answering(host, [guest for guest in waiting if guest.name in ready], ports)
        waiting = [guest for guest in waiting if guest.name not in ready]
        if waiting and now() >= end:
            names = ", ".join(guest.name for guest in waiting)
            raise ClusterError("not up within %d s: %s" % (settings.wait_timeout, names), "see xl console of the guest")
        if waiting:
            sleep(_PAUSE)
