# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of the chain dialect: waits on TCP 9995, takes part in a push, ends.

This module util is private to the collection. One thread and one poll loop. Strangers, port scans and garbage close
their own connection and nothing else.
"""

from __future__ import annotations

import select
import time

from . import wire
from .door import DONE, FAILED, NOBODY, Door, Guest, Log, NodeOptions, check_offer
from .errors import DollyError, LinkLost, WireError
from .session import SETTLED, Offer, Session, read_offer
from .target import Target

_TICK_SECONDS = 0.1


class Node(Door):
    """Run with :meth:`run`; ``session`` is the push it takes part in."""

    def __init__(self, options: NodeOptions, target: Target, log: Log) -> None:
        super().__init__(options, log)
        self.target = target
        self.session: Session | None = None
        self.control: Guest | None = None
        self.upstream: Guest | None = None
        self._done: int | None = None
        self._give_up = time.monotonic() + options.timeout

    def run(self) -> int:
        """Take part in pushes until one succeeds (0), one fails here (1) or nobody comes (3)."""
        try:
            tick, state = 0.0, ""
            while self._done is None:
                now = time.monotonic()
                if now >= tick or self._state() != state:
                    state = self._state()
                    self._tick(now)
                    tick = now + min([_TICK_SECONDS, *(session.patience for session in self._sessions())])
                self.poller.wait(max(0.0, tick - now))
            return self._done
        finally:
            self.close()

    def _state(self) -> str:
        return self.session.state if self.session is not None else ""

    def close(self) -> None:
        """Close every socket and the target."""
        super().close()
        if self.session is not None:
            self.session.drop_feeder()
            self.session.release()

    def gone(self, guest: Guest) -> None:
        if guest is self.control:
            self.control = None
        if guest is self.upstream:
            self.upstream = None

    def _sessions(self) -> list[Session]:
        found = [guest.session for guest in self.guests.values() if guest.session is not None]
        return found if self.session is None or self.session in found else [*found, self.session]

    # Frames

    def on_frame(self, guest: Guest, frame: wire.Frame) -> None:
        if guest.role == "data":
            self._on_data(guest, frame)
        elif guest.role:
            self._on_control(guest, frame)
        elif not guest.greeted:
            guest.link.post(guest.callee.challenge(frame))
            guest.greeted = True
        else:
            self._admit(guest, guest.callee.admit(frame))

    def _admit(self, guest: Guest, fields: wire.Fields) -> None:
        offer = read_offer(fields)
        check_offer(self.options, fields.get("to", ""), offer)
        guest.link.silence = offer.silence
        role = fields.get("role", "")
        if role == "data":
            return self._admit_data(guest, offer)
        if self.options.server and guest.address != self.options.server:
            raise DollyError("this node obeys only the server %s" % self.options.server)
        if role == "query":
            return self._welcome(guest, role, Session(offer, self.target, self.poller, b""))
        if role == "control":
            return self._admit_control(guest, offer)
        raise WireError("unknown role %r" % role[:20])

    def _welcome(self, guest: Guest, role: str, session: Session, offset: int = 0) -> None:
        guest.role, guest.session = role, session
        fields = {"name": self.options.name, "proof": guest.callee.proof(), "offset": offset}
        guest.link.post(wire.pack(wire.WELCOME, fields))

    def _admit_control(self, guest: Guest, offer: Offer) -> None:
        if self.session is not None:
            if self.control is not None and self.session.offer.session != offer.session:
                raise DollyError("this node takes part in another push", "wait for its end")
            self._end_session("another push began")
        self.log("push %s of image %s" % (offer.session[:8], offer.sha256[:12]))
        self.session = Session(offer, self.target, self.poller, self.options.secret)
        self.control = guest
        self._welcome(guest, "control", self.session)

    def _admit_data(self, guest: Guest, offer: Offer) -> None:
        session = self.session
        if session is None or session.offer[:3] != offer[:3]:
            raise DollyError("this node takes no part in that push")
        store = session.open()
        if self.upstream is not None:
            self.hang_up(self.upstream)
        self.upstream = guest
        self._welcome(guest, "data", session, store.written)

    def _on_data(self, guest: Guest, frame: wire.Frame) -> None:
        session = guest.session
        if session is None or session is not self.session:
            raise WireError("the push is over")
        if frame.kind == wire.DATA:
            count = len(frame.body)
            session.data(frame)
            # One waking for a frame instead of one for its header and one for its body.
            guest.link.expect(min(count, session.offer.size - session.written))
        elif frame.kind == wire.END:
            if session.written != session.offer.size:
                raise WireError("the stream ended at %d of %d" % (session.written, session.offer.size))
            guest.link.post(wire.pack(wire.END))
        elif frame.kind != wire.BEAT:
            raise WireError("unexpected %s" % wire.NAMES[frame.kind])

    def _on_control(self, guest: Guest, frame: wire.Frame) -> None:
        session = guest.session
        if session is None or frame.kind == wire.BEAT:
            return
        if frame.kind == wire.PLAN and guest is self.control:
            session.plan(frame.fields)
        elif frame.kind == wire.END:
            self._finish(guest)
        elif frame.kind == wire.ABORT:
            self._end_session(frame.fields.get("reason", "the server stopped the push"))
            self.hang_up(guest)
        else:
            raise WireError("unexpected %s" % wire.NAMES[frame.kind])

    # Time

    def _finish(self, guest: Guest) -> None:
        self.hang_up(guest)
        if self.session is not None and self.session.state in ("ok", "skipped"):
            self._done = DONE
        else:
            self._end_session("the server ended the push before this node was complete")

    def _end_session(self, reason: str) -> None:
        session, self.session = self.session, None
        if session is None:
            return
        if self.upstream is not None:
            self.hang_up(self.upstream)
        session.fail(reason)
        session.drop_feeder()
        session.release()
        self.last_reason = session.reason or reason
        self._give_up = time.monotonic() + self.options.timeout
        self.log("push %s: %s %s" % (session.offer.session[:8], session.state, self.last_reason))
        if session.fatal:
            self._done = FAILED
        elif session.state in ("ok", "skipped"):
            self._done = DONE

    def _tick(self, now: float) -> None:
        for session in self._sessions():
            session.tick(now)
        for guest in list(self.guests.values()):
            try:
                self._tick_guest(guest, now)
            except LinkLost as error:
                self.lost(guest, str(error))
        self._tick_session(now)
        if self.session is None and self._done is None and now > self._give_up:
            self._done = FAILED if self.last_reason else NOBODY

    def _tick_guest(self, guest: Guest, now: float) -> None:
        if not guest.role and now > guest.give_up:
            raise LinkLost("%s did not introduce itself" % guest.address)
        if guest.link.guessing:
            self._event(guest, select.POLLIN)
            if self.guests.get(guest.link.fd) is not guest:
                return
        guest.link.check(now)
        if guest.role in ("control", "query") and guest.session is not None:
            news = guest.session.news(now)
            if news is not None:
                guest.link.post(wire.pack(wire.STATUS, news))
        elif guest.role == "data" and guest.session is not None:
            guest.link.beat(now, wire.pack(wire.BEAT, {"bytes": guest.session.written}))
        self.flush(guest)

    def _tick_session(self, now: float) -> None:
        session = self.session
        if session is None:
            return
        if session.state == "failed" and self.upstream is not None:
            self.hang_up(self.upstream)
        if self.control is not None:
            return
        complete = session.state in ("ok", "skipped")
        feeding = session.feeder is not None and session.feeder.state not in ("done", "failed")
        if complete and not feeding:
            self._done = DONE
        elif not complete and session.state != "syncing" and (self.upstream is None or session.state in SETTLED):
            self._end_session(self.last_reason or "the server is gone")
