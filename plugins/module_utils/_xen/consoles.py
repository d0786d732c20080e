# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest whose console is wanted, on its dom0: found, perhaps started, with its VNC server. Private."""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .address import parse, render
from .apply import apply
from .enumerate import scan
from .inventory import merge
from .lifecycle import plan
from .live import live
from .record import Record, select
from .vnc import Vnc, read_vnc
from .wish import Settings

_PAUSE = 0.5
Sleep = t.Callable[[float], None]


def find_guest(value: t.Any, settings: Settings, host: Host) -> Record:
    """The one record that an address means, of files and of what runs; ClusterError for none, several, Domain-0."""
    address = parse(value, settings.home)
    places = sorted({settings.config_dir, *settings.search_paths})
    records = merge(scan(host, places, settings.vmstate, settings.pm)[0], live(host, settings.pm))
    found = select(address, records, settings.match)
    if len(found) != 1:
        raise ClusterError("%s fits %d guests" % (render(address), len(found)), "set match to unique or first")
    if found[0].get("pid") == 0 or found[0].get("label") == "Domain-0":
        raise ClusterError("Domain-0 is the host itself and has no console", "log in to it by ssh")
    return found[0]


def runs(guest: Record) -> bool:
    return guest.get("state") in ("running", "paused")


def start(guest: Record, connect: str, settings: Settings, host: Host, dry: bool) -> Record:
    """The guest as it runs: as it was, or started when ``connect`` allows that. In a dry run only the commands are
    noted in the host's actions."""
    if runs(guest):
        return guest
    name = str(guest.get("label") or "")
    if connect == "connect":
        raise ClusterError("guest %s does not run" % name, "start it with xen_domain, or set connect: reuse")
    todo = plan([{"name": name, "path": str(guest.get("id") or ""), "state": "running"}], settings, host)
    if dry:
        host.actions.extend(todo.actions())
        return guest
    apply(todo, settings, host)
    again = [one for one in live(host, settings.pm) if one["label"] == name]
    if not again:
        raise ClusterError("guest %s is gone soon after its start" % name, "see xl dmesg and /var/log/xen/console")
    return {**guest, **{key: again[0][key] for key in ("pid", "state", "flags")}}


def find_vnc(guest: Record, host: Host, patience: float, sleep: Sleep) -> Vnc:
    """The guest's VNC server, waited for up to ``patience`` seconds; ClusterError when it has none."""
    domid = int(guest["pid"])
    while True:
        found = read_vnc(host, domid).get(domid)
        if found:
            return found
        if patience <= 0:
            break
        sleep(_PAUSE)
        patience -= _PAUSE
    raise ClusterError(
        "guest %s has no VNC server" % guest.get("label"),
        "set vnc: true for it in xen_domain and start it anew, or use type xterm",
    )


def told(guest: Record) -> dict[str, t.Any]:
    """What the module returns of a guest."""
    words = {key: str(guest.get(key) or "") for key in ("uuid", "state")}
    path = str(guest.get("id") or "")
    return {"name": str(guest.get("label") or ""), "domid": guest.get("pid"), "path": path, **words}
