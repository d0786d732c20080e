# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole push in either dialect. This module util is private to the collection."""

from __future__ import annotations

import errno
import os
import time
import typing as t

from . import classic
from .classic_server import PORT_HINT as CLASSIC_HINT
from .classic_server import ClassicPush, routes_config
from .config import Config
from .contact import Contact, Outcome, PushOptions
from .dial import Route
from .errors import DollyError
from .server import PORT_HINT, Image, Push


class Member(t.NamedTuple):
    """One node. ``holds``: the digest of the image that is known to be there; ``expected``: count it as present in
    check mode, because its agent would have been started by then; ``lost``: why it cannot take part."""

    route: Route
    holds: str = ""
    expected: bool = False
    lost: str = ""


class Request(t.NamedTuple):
    """What to do. ``dialect``: chain, classic or auto; ``by_name``: classic lists names instead of addresses."""

    image: Image
    target: str
    members: t.Sequence[Member]
    options: PushOptions
    dialect: str = "auto"
    server_name: str = ""
    by_name: bool = False
    ports: tuple[int, int] = (classic.DATA_PORT, classic.CONTROL_PORT)
    progress_file: str = ""

    def known(self, member: Member) -> Outcome | None:
        """The outcome of a node that need not be called."""
        if member.holds == self.image.sha256:
            return Outcome(member.route.name, "skipped", digest=self.image.sha256)
        return Outcome(member.route.name, "failed", member.lost) if member.lost else None

    def with_fewer(self, lost: int) -> Request:
        """The same with fewer failures to tolerate."""
        return self._replace(options=self.options._replace(max_fail=self.options.max_fail - lost))


class Report(t.NamedTuple):
    """What happened. ``sent``: data went out; ``outcomes`` are sorted by name."""

    dialect: str
    sent: bool
    seconds: float
    outcomes: tuple[Outcome, ...]
    hint: str

    def lost(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.state in ("absent", "failed")]


class Progress:
    """A line a second into a file, and the last one kept."""

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._size = size
        self._began = self._last = time.monotonic()

    def note(self, slowest: int, name: str, done: int, nodes: int) -> None:
        """``slowest``: bytes that the slowest node ``name`` has; ``done`` of ``nodes`` are complete."""
        now = time.monotonic()
        if not self._path or now - self._last < 1.0:
            return
        self._last = now
        with open(self._path, "a", encoding="utf-8") as stream:
            stream.write(progress_line(now - self._began, slowest, self._size, name, done, nodes) + "\n")


def progress_line(passed: float, slowest: int, size: int, name: str, done: int, nodes: int) -> str:
    """Seconds, bytes, rate and time left of the slowest node."""
    rate = slowest / passed if passed > 0 else 0.0
    left = "%.0f s" % ((size - slowest) / rate) if rate else "unknown"
    what = "%d of %d bytes (%.0f %%)" % (slowest, size, 100.0 * slowest / size)
    return "%.0f s: %s, %.1f MB/s, %s left, slowest %s, %d of %d nodes done" % (
        passed, what, rate / 1e6, left, name or "none", done, nodes,
    )  # fmt: skip


def classic_config(request: Request) -> Config:
    """The dolly.cfg of all nodes of the request."""
    routes = [member.route for member in request.members]
    return routes_config(request.image.path, request.target, request.server_name, routes, request.by_name)


def run(request: Request, check: bool = False) -> Report:
    """Push, or with ``check`` find out what a push would do without sending anything."""
    began = time.monotonic()
    settled = [outcome for outcome in map(request.known, request.members) if outcome is not None]
    todo = [member for member in request.members if request.known(member) is None]
    request = request.with_fewer(sum(outcome.state == "failed" for outcome in settled))
    dialect, sent = request.dialect, False
    outcomes: list[Outcome] = []
    if request.options.max_fail < 0:
        outcomes = [_settled(Outcome(member.route.name, "")) for member in todo]
        todo = []
    if todo and dialect != "classic":
        dialect, sent, outcomes = _chain(request, todo, check)
    if todo and dialect == "classic":
        sent, outcomes = _classic(request, todo, check)
    if dialect == "auto":
        dialect = "chain"
    hint = CLASSIC_HINT % request.ports if dialect == "classic" else PORT_HINT % _port(request)
    return Report(dialect, sent, time.monotonic() - began, tuple(sorted([*settled, *outcomes])), hint)


def _port(request: Request) -> int:
    return request.members[0].route.port if request.members else 0


def _chain(request: Request, todo: t.Sequence[Member], check: bool) -> tuple[str, bool, list[Outcome]]:
    present = [member for member in todo if not (check and member.expected)]
    ahead = [_predicted(request, member.route.name) for member in todo if check and member.expected]
    push = Push(request.image, [member.route for member in present], request.options, query=check)
    push.gather()
    if request.dialect == "auto" and not ahead and _nobody_speaks_chain(push):
        push.close("no node speaks the chain dialect")
        return "classic", False, []
    if check:
        push.close("only asked")
        return "chain", False, _foretold(request, push, ahead)
    sent = not push.too_many() and any(contact.alive for contact in push.contacts)
    if sent:
        progress = Progress(request.progress_file, request.image.size)
        push.send(lambda now: _note(progress, now))
    else:
        push.close("too many nodes are missing" if push.too_many() else "nothing to send")
    return "chain", sent, [_settled(outcome) for outcome in push.outcomes()]


def _nobody_speaks_chain(push: Push) -> bool:
    refused = os.strerror(errno.ECONNREFUSED)
    absent = all(contact.state == "absent" for contact in push.contacts)
    return absent and any(refused in contact.reason for contact in push.contacts)


def _settled(outcome: Outcome) -> Outcome:
    if outcome.state in ("ok", "skipped", "absent", "failed"):
        return outcome
    return outcome._replace(state="failed", reason=outcome.reason or "nothing was sent: too many nodes are missing")


def _predicted(request: Request, name: str) -> Outcome:
    return Outcome(name, "ok", "", request.image.size, 0.0, request.image.sha256)


def _foretold(request: Request, push: Push, ahead: list[Outcome]) -> list[Outcome]:
    if push.too_many():
        ahead = [outcome._replace(state="", bytes=0, digest="") for outcome in ahead]
        return [_settled(outcome) for outcome in [*ahead, *push.outcomes()]]
    asked = [_predicted(request, o.name) if o.state == "ready" else o for o in push.outcomes()]
    return [*ahead, *asked]


def _slowest(contacts: t.Sequence[Contact]) -> Contact | None:
    alive = [contact for contact in contacts if contact.alive]
    return min(alive, key=lambda contact: contact.bytes) if alive else None


def _note(progress: Progress, push: Push) -> None:
    slowest = _slowest(push.contacts)
    if slowest is not None:
        done = sum(contact.state in ("ok", "skipped") for contact in push.contacts)
        progress.note(slowest.bytes, slowest.route.name, done, len(push.contacts))


def _classic(request: Request, todo: t.Sequence[Member], check: bool) -> tuple[bool, list[Outcome]]:
    if check:
        return False, [_predicted(request, member.route.name)._replace(digest="") for member in todo]
    config = classic_config(request._replace(members=todo))
    names = {client: member.route.name for client, member in zip(config.clients, todo)}
    addresses = {client: member.route.address for client, member in zip(config.clients, todo)}
    options = request.options
    push = ClassicPush(
        request.image, config, addresses, options.deadline, options.timeout, options.max_fail, request.ports
    )
    progress = Progress(request.progress_file, request.image.size)
    outcomes = push.run(lambda now: progress.note(now.sent, "unknown", 0, len(config.clients)))
    return push.sent > 0, [outcome._replace(name=names[outcome.name]) for outcome in outcomes]


def check_members(members: t.Sequence[Member]) -> None:
    """DollyError for an empty list, a name or an address given twice."""
    if not members:
        raise DollyError("the list of nodes is empty", "give at least one node")
    for what, values in (
        ("name", [member.route.name for member in members]),
        ("address", ["%s port %d" % member.route[1:] for member in members]),
    ):
        for value in sorted(set(values)):
            if not value or values.count(value) > 1:
                raise DollyError("node %s %r is empty or given twice" % (what, value), "correct the list of nodes")
