# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One node's part in one push. This module util is private to the collection.

States: checking (reading back what the target holds), ready, receiving, syncing, then ok, skipped or failed.
"""

from __future__ import annotations

import threading
import time
import typing as t

from . import wire
from .dial import Route
from .errors import DollyError, WireError
from .feeder import Feeder, GrowingSource
from .link import Poller
from .store import Store
from .target import Survey, Target

SETTLED = ("ok", "skipped", "failed")
_STEP_SECONDS = 0.05
_STATUS_SECONDS = 1.0


class Offer(t.NamedTuple):
    """What a HELLO says about the push."""

    session: str
    sha256: str
    size: int
    silence: float


def read_offer(fields: wire.Fields) -> Offer:
    """Check the HELLO of a server or predecessor."""
    session, sha256 = fields.get("session", ""), fields.get("sha256", "")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise WireError("the push names no SHA-256 of its image")
    if not 0 < len(session) <= 64 or not session.isalnum():
        raise WireError("the push has no session id")
    size = wire.number(fields, "size")
    if size == 0:
        raise WireError("the push names no size of its image")
    return Offer(session, sha256, size, max(1.0, wire.number(fields, "silence", 20_000) / 1000))


def render_offer(offer: Offer) -> dict[str, str]:
    """The fields of a HELLO for this push."""
    silence = str(int(offer.silence * 1000))
    return {"session": offer.session, "sha256": offer.sha256, "size": str(offer.size), "silence": silence}


class Session:
    """The state machine; the node feeds it with frames and calls :meth:`tick`."""

    def __init__(self, offer: Offer, target: Target, poller: Poller, secret: bytes) -> None:
        self.offer, self.target, self.poller, self.secret = offer, target, poller, secret
        self.state, self.reason = "checking", ""
        self.fatal = False
        self.feeder: Feeder | None = None
        self.store: Store | None = None
        self._source: GrowingSource | None = None
        self._survey = Survey("", 0, None)
        self._steps = iter(target.survey(offer.sha256, offer.size))
        self._syncing: threading.Thread | None = None
        # Only a completion that came to its end takes this away.
        self._sync_error = "the target was not completed"
        self._began = self._ended = 0.0
        self._plan = ""
        self._told: wire.Fields = {}
        self._told_at = 0.0

    @property
    def patience(self) -> float:
        """Seconds that the poll loop may sleep."""
        if self.state == "checking":
            return 0.0
        return 0.01 if self.state == "syncing" else 1.0

    @property
    def written(self) -> int:
        return self.store.written if self.store is not None else self._survey.offset

    def fail(self, reason: str, fatal: bool = False) -> None:
        """This node's part is over; the target keeps what it has, with a marker."""
        if self.state in SETTLED:
            return
        self._ended = time.monotonic()
        self.state, self.reason, self.fatal = "failed", reason, fatal
        self.drop_feeder()
        self.release()

    def release(self) -> None:
        """Close the target; when it is not complete, a later push resumes."""
        if self._syncing is not None:
            self._syncing.join()
        if self.store is not None:
            if self.store.written == self.offer.size or self.state == "ok":
                self.store.close()
            else:
                self.store.pause()
            self.store = None

    def drop_feeder(self) -> None:
        if self.feeder is not None:
            self.feeder.drop()
            self.feeder = None

    def open(self) -> Store:
        """The open target; the first call marks and opens it."""
        if self.state == "checking" or (self.state in SETTLED and self.store is None):
            raise DollyError("this node is not ready for data (%s)" % self.state)
        if self.store is None:
            offer = self.offer
            try:
                self.store = Store(self.target, offer.sha256, offer.size, self._survey, offer.session)
            except DollyError as error:
                self.fail(str(error), fatal=True)
                raise
            self._source = GrowingSource(self.store.fd, offer.size, self.store.written)
            self.state = "receiving"
            self._complete_when_full()
        return self.store

    def plan(self, fields: wire.Fields) -> None:
        """The server's PLAN: whom to feed (nobody when ``next_name`` is empty)."""
        self.drop_feeder()
        self._plan = fields.get("plan", "")
        try:
            self.open()
        except DollyError:
            return None
        if not fields.get("next_name") or self._source is None:
            return None
        route = Route(fields["next_name"], fields.get("next_address", ""), wire.number(fields, "next_port", wire.PORT))
        self.feeder = Feeder(self.poller, self._source, route, render_offer(self.offer), self.secret)
        return self.feeder.tick(time.monotonic())

    def data(self, frame: wire.Frame) -> None:
        """A verified DATA frame from the predecessor."""
        if self.store is None or self.state != "receiving" or self._source is None:
            raise WireError("data while the node is %s" % self.state)
        if frame.offset != self.store.written or frame.offset + len(frame.body) > self.offer.size or not frame.body:
            raise WireError("data for offset %d, expected %d" % (frame.offset, self.store.written))
        self._began = self._began or time.monotonic()
        try:
            self.store.write(frame.body)
        except DollyError as error:
            return self.fail(str(error), fatal=True)
        self._source.append(frame.offset, len(frame.body), frame.crc)
        if self.feeder is not None:
            self.feeder.feed()
        return self._complete_when_full()

    def _complete_when_full(self) -> None:
        if self.store is None or self.store.written < self.offer.size or self._syncing is not None:
            return
        self.state = "syncing"
        self._syncing = threading.Thread(target=self._finish, args=(self.store,), daemon=True)
        self._syncing.start()
        self._syncing.join(0.02)

    def _finish(self, store: Store) -> None:
        try:
            store.complete()
            self._sync_error = ""
        except (DollyError, OSError) as error:
            self._sync_error = str(error)

    def tick(self, now: float) -> None:
        """Everything that time drives."""
        if self.state == "checking":
            self._check(now)
        if self._syncing is not None and self.state == "syncing" and not self._syncing.is_alive():
            if self._sync_error:
                self.fail(self._sync_error)
            else:
                self.state, self._ended = "ok", now
        if self.feeder is not None:
            self.feeder.tick(now)

    def _check(self, now: float) -> None:
        try:
            while time.monotonic() - now < _STEP_SECONDS:
                next(self._steps)
        except StopIteration as end:
            self._surveyed(end.value)
        except (OSError, DollyError) as error:
            self.fail("cannot read the target: %s" % error, fatal=True)

    def _surveyed(self, survey: Survey) -> None:
        self._survey = survey
        if survey.holds:
            self.state = "skipped"
            return
        try:
            self.target.check_room(self.offer.size)
            self.state = "ready"
        except DollyError as error:
            self.fail(str(error), fatal=True)

    def status(self) -> wire.Fields:
        """The fields of a STATUS frame."""
        ended = self._ended or time.monotonic()
        fields = {
            "state": self.state,
            "bytes": str(self.offer.size if self.state == "skipped" else self.written),
            "ms": str(int((ended - self._began) * 1000) if self._began else 0),
            "digest": self.offer.sha256 if self.state in ("ok", "skipped") else "",
            "reason": self.reason,
        }
        if self.feeder is not None:
            fields.update(
                plan=self._plan,
                next=self.feeder.route.name,
                next_state=self.feeder.state,
                next_reason=self.feeder.reason,
            )
        return fields

    def news(self, now: float) -> wire.Fields | None:
        """The status when a second has passed or something but the figures has changed."""
        fields = self.status()
        same = all(fields.get(key) == self._told.get(key) for key in ("state", "reason", "plan", "next_state"))
        if same and now - self._told_at < _STATUS_SECONDS:
            return None
        self._told, self._told_at = fields, now
        return fields
