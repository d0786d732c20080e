# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection that we open: connect, greet, try again. This module util is private to the collection."""

from __future__ import annotations

import select
import time
import typing as t

from . import wire
from .auth import Caller
from .errors import DollyError, LinkLost, WireError
from .link import Link, Poller, connect

GREETING_SECONDS = 10.0
_RETRY_SECONDS = 0.5


class Refused(DollyError):
    """The peer answered, with no."""


class Route(t.NamedTuple):
    """Whom to call: ``name`` is what the callee must answer to."""

    name: str
    address: str
    port: int = wire.PORT

    def __str__(self) -> str:
        return "%s (%s port %d)" % self


class Dial:
    """``phase`` is calling, open or closed; a subclass says what happens then."""

    def __init__(self, poller: Poller, route: Route, hello: t.Mapping[str, object], secret: bytes) -> None:
        self.poller, self.route, self.secret = poller, route, secret
        self.hello = dict(hello, to=route.name)
        self.silence = wire.number(t.cast(wire.Fields, hello), "silence", 20_000) / 1000
        self.phase, self.reason = "calling", ""
        self.allow_open = True
        self.give_up = time.monotonic() + GREETING_SECONDS
        self.link: Link | None = None
        self._caller: Caller | None = None
        self._answered = False
        self._answer_until = self._retry = 0.0

    # What a subclass adds

    def opened(self, welcome: wire.Fields) -> None:
        """The callee said WELCOME."""

    def frame(self, frame: wire.Frame) -> None:
        """A frame after WELCOME."""
        raise WireError("%s sent an unexpected %s" % (self.route, wire.NAMES[frame.kind]))

    def ended(self, reason: str) -> None:
        """Never opened before ``give_up``, refused, or lost."""

    def beat(self) -> bytes:
        """The frame for an idle second."""
        return wire.pack(wire.BEAT)

    # The connection

    def post(self, kind: int, fields: t.Mapping[str, object] | None = None) -> None:
        """Queue a frame and send what goes."""
        if self.link is not None:
            self.link.post(wire.pack(kind, fields))
            self.poller.want_write(self.link.fd, True)

    def drop(self) -> None:
        """Close without a word."""
        if self.link is not None:
            self.poller.remove(self.link.fd)
            self.link.close()
            self.link = None

    def close(self, reason: str) -> None:
        """Close for good."""
        self.drop()
        if self.phase != "closed":
            self.phase, self.reason = "closed", reason
            self.ended(reason)

    def _connect(self, now: float) -> None:
        self.link = Link(connect(self.route.address, self.route.port), str(self.route), self.silence)
        self._caller = Caller(self.hello, self.secret, self.allow_open)
        self._answered, self._answer_until = False, now + GREETING_SECONDS
        self.poller.add(self.link.fd, self._event)
        self.link.post(self._caller.start())
        self.poller.want_write(self.link.fd, True)

    def _trouble(self, error: Exception) -> None:
        now = time.monotonic()
        again = isinstance(error, (LinkLost, OSError)) and self.phase == "calling" and now < self.give_up
        if not again:
            return self.close(str(error))
        self.drop()
        self.reason, self._retry = str(error), now + _RETRY_SECONDS
        return None

    def _event(self, mask: int) -> None:
        link = self.link
        if link is None:
            return
        try:
            if mask & select.POLLOUT:
                link.flush()
            if mask & ~select.POLLOUT:
                for frame in link.frames():
                    self._on_frame(link, frame)
                    if self.link is not link:
                        return
            self.pump()
        except (DollyError, OSError) as error:
            self._trouble(error)

    def pump(self) -> None:
        """Send what waits."""
        if self.link is not None:
            self.link.flush()
            self.poller.want_write(self.link.fd, not self.link.idle)

    def _on_frame(self, link: Link, frame: wire.Frame) -> None:
        if frame.kind == wire.ABORT:
            raise Refused("%s refuses: %s" % (self.route, frame.fields.get("reason", "")))
        if self.phase == "open":
            return self.frame(frame)
        if self._caller is None:
            return None
        if not self._answered:
            self._answered = True
            return link.post(self._caller.answer(frame))
        welcome = self._caller.welcome(frame)
        self.phase, self.reason = "open", ""
        return self.opened(welcome)

    @property
    def authenticated(self) -> bool:
        """Both sides proved that they know the secret."""
        return self._caller is not None and self._caller.authenticated

    def tick(self, now: float) -> None:
        """Connect, beat, and notice silence. Call it several times a second."""
        if self.phase == "closed":
            return None
        try:
            if self.phase == "calling" and now >= self.give_up:
                return self.close(self.reason or "%s does not answer" % str(self.route))
            if self.link is None:
                return self._connect(now) if now >= self._retry else None
            if self.phase == "calling" and now >= self._answer_until:
                raise LinkLost("%s does not answer" % str(self.route))
            if self.phase == "open":
                self.link.check(now)
                self.link.beat(now, self.beat())
            self.pump()
        except (DollyError, OSError) as error:
            self._trouble(error)
