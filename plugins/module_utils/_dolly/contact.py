# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server knows of one node: the control connection. This module util is private to the collection."""

from __future__ import annotations

import time
import typing as t

from . import wire
from .dial import Dial, Route
from .errors import DollyError, WireError
from .link import Poller
from .session import SETTLED


class PushOptions(t.NamedTuple):
    """``deadline``: seconds to wait for the nodes; ``timeout``: seconds without progress; ``silence``: without a beat.

    ``max_fail``: absent and failed nodes that are tolerated; ``allow_open``: with a secret, also use nodes that know
    none.
    """

    deadline: float = 60.0
    timeout: float = 60.0
    silence: float = 20.0
    max_fail: int = 0
    secret: bytes = b""
    allow_open: bool = False


class Outcome(t.NamedTuple):
    """The end of one node. ``state``: ok, skipped, absent or failed."""

    name: str
    state: str
    reason: str = ""
    bytes: int = 0
    seconds: float = 0.0
    digest: str = ""

    @property
    def mb_s(self) -> float:
        return round(self.bytes / self.seconds / 1e6, 1) if self.seconds else 0.0

    def line(self) -> str:
        """For people."""
        if self.state == "ok" and self.seconds:
            how = self.bytes / 1e6, self.seconds, self.mb_s
            return "%s: ok, %.1f MB in %.1f s (%.1f MB/s)" % (self.name, *how)
        return "%s: %s%s" % (self.name, self.state, ", " + self.reason if self.reason else "")


class Contact(Dial):
    """The control connection to one node."""

    def __init__(self, poller: Poller, route: Route, hello: t.Mapping[str, object], options: PushOptions) -> None:
        super().__init__(poller, route, hello, options.secret)
        self.allow_open = options.allow_open
        self.give_up = time.monotonic() + options.deadline
        self.state = "calling"
        self.told: wire.Fields = {}
        self.bytes = 0
        self.moved = time.monotonic()
        self.next: Contact | None = None
        self.plans = 0
        self.strikes = 0
        self.rest_until = 0.0

    @property
    def alive(self) -> bool:
        """It can take and hand on data."""
        return self.phase == "open" and self.state in ("ready", "receiving", "syncing", "ok")

    def opened(self, welcome: wire.Fields) -> None:
        self.state = "checking"
        self.moved = time.monotonic()

    def frame(self, frame: wire.Frame) -> None:
        if frame.kind == wire.BEAT:
            return
        if frame.kind != wire.STATUS:
            super().frame(frame)
        self.told = frame.fields
        count, state = wire.number(self.told, "bytes"), self.told.get("state", "")
        if count != self.bytes or state != self.state:
            self.moved = time.monotonic()
        self.bytes, self.state = count, state
        if state == "failed":
            self.reason = self.told.get("reason", "")
        if state in ("ok", "skipped") and self.told.get("digest") != self.hello["sha256"]:
            self.state = "failed"
            raise WireError("%s says that it holds the image, with another digest" % str(self.route))

    def ended(self, reason: str) -> None:
        if self.state == "calling":
            self.state = "failed" if self._answered else "absent"
        elif self.state not in SETTLED:
            self.state = "failed"

    def follow(self, contact: Contact) -> None:
        """Tell this node whom to feed."""
        self.next, route = contact, contact.route
        self.plans += 1
        plan = {"plan": self.plans, "next_name": route.name, "next_address": route.address, "next_port": route.port}
        self.post(wire.PLAN, plan)

    def fail(self, reason: str) -> None:
        """The server gives up on this node."""
        if self.phase == "open" and self.link is not None:
            self.post(wire.ABORT, {"reason": reason})
            try:
                self.link.flush()
            except DollyError:
                pass
        self.close(reason)

    def outcome(self) -> Outcome:
        seconds = wire.number(self.told, "ms") / 1000
        digest = self.told.get("digest", "") if self.state in ("ok", "skipped") else ""
        reason = self.reason if self.state in ("failed", "absent") else ""
        count = 0 if self.state == "skipped" else self.bytes
        return Outcome(self.route.name, self.state, reason, count, seconds, digest)
