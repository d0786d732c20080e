# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events as boots: which stage a node reached and when. This module util is private to the collection.

Pure and streaming: per node only the boot that runs and the one before it are kept, whatever the logs' length.
"""

from __future__ import annotations

import typing as t

from .logs import Event, normal_mac
from .stages import RANK, Boot, mac_of, stage_of

# A firmware that asks again after this many seconds without any progress began anew.
_QUIET = 90.0
# Requests without an answer after which a node that was further on must have been reset.
_DEAF = 3
# The clock that timed a node's power-on may be that of another machine, so many seconds ahead of the boot server's.
_SKEW = 2.0
_UNKNOWN_MAX = 64


class Track:
    """The boots of one node. ``power_on`` is when it was switched on, 0 when nobody knows."""

    def __init__(self, power_on: float = 0.0) -> None:
        self.power_on = power_on
        self.boot: Boot | None = None
        self.before: Boot | None = None
        self._last_get = ("", "")

    def _begin(self, when: float) -> Boot:
        self.before = self.boot
        boot = Boot(when, last=when)
        if self.before is None and 0 < self.power_on <= when + _SKEW:
            boot.start = min(self.power_on, when)
            boot.at["firmware"] = when
        self.boot, self._last_get = boot, ("", "")
        return boot

    def dhcp(self, event: Event) -> None:
        boot = self.boot
        if event.what in ("discover", "refused"):
            self._discover(event)
        elif event.what == "ack":
            self._ack(boot or self._begin(event.when), event)
        elif event.what == "offer" and boot:
            boot.offered, boot.refused, boot.unanswered = True, "", 0
        elif event.what in ("nak", "decline") and boot and boot.rank < RANK["lease"]:
            boot.refused = "DHCP%s for %s" % (event.what.upper(), event.ip)

    def _discover(self, event: Event) -> None:
        boot = self.boot
        if boot is None or self._is_reset(boot, event.when):
            asked = boot.asked if boot and boot.rank < RANK["lease"] else 0
            boot = self._begin(event.when)
            boot.asked = asked
        elif boot.unanswered >= _DEAF and boot.rank > RANK["loader"]:
            boot = self._begin(boot.asked_again)
            boot.asked = _DEAF
        if not boot.asked_again or event.when - boot.asked_last > _QUIET:
            boot.asked_again = event.when
        boot.asked += 1
        boot.unanswered += 1
        boot.asked_last, boot.refused = event.when, event.text
        if boot.rank < RANK["lease"]:
            boot.last = event.when

    @staticmethod
    def _is_reset(boot: Boot, when: float) -> bool:
        """Whether a DISCOVER alone means that the node began anew.

        A system that is up also asks: shortly after it came up, and when its lease ended while the server was away.
        """
        return boot.has_failed or (boot.rank <= RANK["loader"] and when - boot.last > _QUIET)

    def _ack(self, boot: Boot, event: Event) -> None:
        if boot.rank < RANK["lease"]:
            boot.reach("lease", event.when)
        boot.address, boot.unanswered = event.ip, 0

    def get(self, event: Event) -> None:
        """A file was asked for, by TFTP (any status) or HTTP (with its status)."""
        stage = stage_of(event.text)
        if event.status >= 400:
            self._absent(stage, event)
            return
        if stage in ("", "image"):
            if stage and self.boot:
                self.boot.image_sent, self.boot.last = True, event.when
            return
        boot = self._boot_for(stage, event.when)
        if boot is None:
            return
        if stage in ("entry", "default") and self._last_get[0] == "entry" and event.text != self._last_get[1]:
            self._undo(boot)  # pxelinux goes on to the next name only when the one before is not there
        boot.default_entry = stage == "default" or (boot.default_entry and stage != "entry")
        self._last_get = (stage if stage != "default" and stage not in boot.at else "", event.text)
        if stage != "default":
            boot.reach(stage, event.when)

    def _boot_for(self, stage: str, when: float) -> Boot | None:
        """The boot that a request belongs to: the running one, a new one, or none (a node that is up fetches files)."""
        boot = self.boot
        if boot is None:
            return self._begin(when)
        rank = RANK.get(stage, RANK["entry"])
        limit = {"loader": RANK["entry"], "entry": RANK["kernel"], "default": RANK["kernel"]}.get(stage, RANK["dhcp"])
        if boot.rank < limit and not boot.ended:
            return boot
        if rank > RANK["entry"] and not boot.asked_again:
            return None
        return self._begin(boot.asked_again or when)

    def _undo(self, boot: Boot) -> None:
        stage, path = self._last_get
        boot.at.pop(stage, None)
        boot.absent, boot.absent_stage = path, stage
        self._last_get = ("", "")

    def _absent(self, stage: str, event: Event) -> None:
        boot = self.boot
        if boot and stage and "up" not in boot.at:
            boot.absent, boot.absent_stage = event.text, "fetch" if stage == "image" else stage
            boot.last = event.when

    def refuse_get(self) -> None:
        """TFTP refused the last request."""
        if self.boot and self._last_get[0]:
            self._undo(self.boot)

    def phone(self, event: Event) -> None:
        boot_id = event.info.get("boot", "")
        boot = self._boot_of(boot_id, event.when)
        if boot is None:
            return
        boot.boot_id = boot_id or boot.boot_id
        boot.image = event.info.get("image") or boot.image
        if event.what == "failed":
            boot.failed, boot.has_failed, boot.last = event.text, True, event.when
        else:
            boot.failed, boot.has_failed = "", False
            boot.reach(event.what, event.when)
        if event.what == "up" and event.text.startswith("ssh-"):
            boot.host_key = event.text

    def _boot_of(self, boot_id: str, when: float) -> Boot | None:
        boot, before = self.boot, self.before
        if boot is None:
            return self._begin(when)
        if before and boot_id and boot_id == before.boot_id:
            if boot.rank > RANK["lease"]:
                return None  # a late line of the boot before
            self.boot, self.before = before, None
            return before
        if boot_id and boot.boot_id and boot_id != boot.boot_id:
            return self._begin(boot.asked_again or when)
        return boot


class Timeline:
    """Feed events in the order of time, read ``tracks`` at any moment.

    ``nodes`` are node dicts (name, mac, ip). ``power_on`` maps names to the moments when nodes were switched on;
    events before it, or before ``earliest`` for all nodes, are dropped.
    """

    def __init__(
        self,
        nodes: t.Iterable[t.Mapping[str, t.Any]],
        power_on: t.Mapping[str, float] | None = None,
        earliest: float = 0.0,
    ) -> None:
        self._power_on = dict(power_on or {})
        self._earliest = earliest
        self.tracks: dict[str, Track] = {}
        self.unknown: dict[str, int] = {}  # MACs that asked for an address and are no node's, with counts
        self._by_mac: dict[str, str] = {}
        self._by_ip: dict[str, str] = {}
        for node in nodes:
            name = str(node["name"])
            self.tracks[name] = Track(self._power_on.get(name, 0.0))
            self._by_mac[normal_mac(str(node.get("mac") or ""))] = name
            self._by_ip[str(node.get("ip") or "")] = name
        self._by_mac.pop("", None)
        self._by_ip.pop("", None)

    def feed(self, events: t.Iterable[Event]) -> None:
        """Take events in."""
        for event in events:
            name = self._name(event) if event.when >= self._earliest - _SKEW else ""
            if name and event.when >= self._power_on.get(name, self._earliest) - _SKEW:
                self._take(self.tracks[name], name, event)

    def _take(self, track: Track, name: str, event: Event) -> None:
        if event.kind == "dhcp":
            if event.what == "ack":
                self._by_ip[event.ip] = name
            track.dhcp(event)
        elif event.kind == "phone":
            track.phone(event)
        elif event.what == "nak":
            track.refuse_get()
        else:
            track.get(event)

    def _name(self, event: Event) -> str:
        if event.kind == "dhcp":
            return self._by_mac.get(event.mac) or self._stranger(event.mac)
        if event.kind == "phone" and event.info.get("node") in self.tracks:
            return event.info["node"]
        return self._by_ip.get(event.ip) or self._by_mac.get(event.mac or mac_of(event.text), "")

    def _stranger(self, mac: str) -> str:
        if mac in self.unknown or len(self.unknown) < _UNKNOWN_MAX:
            self.unknown[mac] = self.unknown.get(mac, 0) + 1
        return ""
