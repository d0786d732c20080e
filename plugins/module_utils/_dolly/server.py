# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server of the chain dialect: calls the nodes, links them up, follows them to the end.

This module util is private to the collection. The server holds one control connection to every node and feeds the
first one; each node tells its state every second. When a node is lost, its predecessor is told to feed the next one,
which says the offset that it needs.
"""

from __future__ import annotations

import os
import time
import typing as t

from . import wire
from .contact import Contact, Outcome, PushOptions
from .dial import Route
from .feeder import Feeder, Source
from .link import Poller
from .session import Offer, render_offer

PORT_HINT = "open TCP port %d on the nodes (firewall) and see that the agent runs there"
_STRIKES = 3
_REST_SECONDS = 0.3
_SYNC_SECONDS = 600.0


class Image(t.NamedTuple):
    """The file to push."""

    path: str
    size: int
    sha256: str


class Push:
    """One push. :meth:`gather` and then :meth:`send`; or :meth:`gather` alone with ``query``."""

    def __init__(self, image: Image, nodes: t.Sequence[Route], options: PushOptions, query: bool = False) -> None:
        self.image, self.options, self.query = image, options, query
        self.poller = Poller()
        self.offer = Offer(os.urandom(16).hex(), image.sha256, image.size, options.silence)
        hello = dict(render_offer(self.offer), role="query" if query else "control")
        self.contacts = [Contact(self.poller, route, hello, options) for route in nodes]
        self.feeder: Feeder | None = None
        self._first: Contact | None = None
        self._source: Source | None = None
        self._until = time.monotonic() + options.deadline

    def _turn(self, seconds: float = 0.2) -> float:
        self.poller.wait(seconds)
        now = time.monotonic()
        for contact in self.contacts:
            contact.tick(now)
        return now

    def _in(self, *states: str) -> list[Contact]:
        return [contact for contact in self.contacts if contact.state in states]

    def gather(self, progress: t.Callable[[Push], None] | None = None) -> None:
        """Wait for the nodes, at most the deadline; then for those that read their target back."""
        late = self._until + max(self.options.timeout, _SYNC_SECONDS)
        now = self._turn(0)
        while (self._in("calling") and now < self._until + 1) or self._in("checking"):
            now = self._turn(0.05)
            if now > late:
                for contact in self._in("checking"):
                    contact.fail("still reading its target back after %.0f s" % (now - self._until))
            if progress is not None:
                progress(self)

    def lost(self) -> list[Contact]:
        """Absent and failed nodes, in the order of the chain."""
        return self._in("absent", "failed")

    def too_many(self) -> bool:
        return len(self.lost()) > self.options.max_fail

    def send(self, progress: t.Callable[[Push], None] | None = None) -> None:
        """Stream the image to the nodes that are ready, until each is ok or failed."""
        fd = os.open(self.image.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._source = Source(fd, self.image.size)
            # A node that knows no secret cannot call one that wants it: those come last.
            self.contacts.sort(key=lambda contact: not contact.authenticated)
            for contact in self.contacts:
                contact.moved = time.monotonic()
            while self._active():
                self._relink()
                now = self._turn()
                self._follow(now)
                if progress is not None:
                    progress(self)
        finally:
            self.close("the server stopped")
            os.close(fd)

    def _active(self) -> list[Contact]:
        return [contact for contact in self.contacts if contact.alive and contact.state != "ok"]

    def _relink(self) -> None:
        before: Contact | None = None
        for contact in self.contacts:
            if not contact.alive:
                continue
            if contact.state != "ok" and time.monotonic() >= contact.rest_until:
                self._link(before, contact)
            before = contact

    def _link(self, before: Contact | None, contact: Contact) -> None:
        if before is not None:
            if before.next is not contact:
                before.follow(contact)
                contact.moved = time.monotonic()
        elif self._first is not contact and self._source is not None:
            self._first = contact
            contact.moved = time.monotonic()
            if self.feeder is not None:
                self.feeder.drop()
            hello = render_offer(self.offer)
            self.feeder = Feeder(self.poller, self._source, contact.route, hello, self.options.secret)
            self.feeder.tick(time.monotonic())

    def _follow(self, now: float) -> None:
        if self.feeder is not None:
            self.feeder.tick(now)
            if self.feeder.state == "failed" and self._first is not None:
                first, self._first = self._first, None
                self._strike(first, "the server", self.feeder.reason)
        for contact in self.contacts:
            self._heed(contact)
        self._stalled(now)

    def _heed(self, contact: Contact) -> None:
        after, told = contact.next, contact.told
        if after is None or told.get("plan") != str(contact.plans) or told.get("next_state") != "failed":
            return
        contact.next = None
        self._strike(after, contact.route.name, told.get("next_reason", ""))

    def _strike(self, contact: Contact, who: str, reason: str) -> None:
        contact.strikes += 1
        # Its own word on what happened may still be on the way.
        contact.rest_until = time.monotonic() + _REST_SECONDS * contact.strikes
        if contact.alive and contact.state != "ok" and contact.strikes >= _STRIKES:
            contact.fail("%s cannot feed it: %s" % (who, reason))

    def _stalled(self, now: float) -> None:
        ahead = self.image.size
        for contact in self.contacts:
            if not contact.alive:
                continue
            limit = max(self.options.timeout, _SYNC_SECONDS) if contact.state == "syncing" else self.options.timeout
            if contact.state != "ok" and contact.bytes < ahead and now - contact.moved > limit:
                contact.fail("no progress for %.0f s at %d bytes" % (now - contact.moved, contact.bytes))
            ahead = contact.bytes

    def close(self, reason: str) -> None:
        """Tell every node the end and hang up: END to the complete ones, ABORT to the others."""
        for contact in self.contacts:
            if contact.phase == "open":
                good = contact.state in ("ok", "skipped") and not self.query
                contact.post(wire.END if good else wire.ABORT, {} if good else {"reason": reason})
        until = time.monotonic() + 2.0
        while any(c.link is not None and not c.link.idle for c in self.contacts) and time.monotonic() < until:
            self.poller.wait(0.05)
        for contact in self.contacts:
            contact.drop()
        if self.feeder is not None:
            self.feeder.drop()

    def outcomes(self) -> list[Outcome]:
        """Every node's end, sorted by name."""
        return sorted(contact.outcome() for contact in self.contacts)
