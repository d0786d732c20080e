# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node listens and whom it lets in. This module util is private to the collection."""

from __future__ import annotations

import select
import socket
import time
import typing as t

from . import wire
from .auth import Callee
from .errors import DollyError, LinkLost
from .link import Link, Poller
from .session import Offer, Session

DONE, FAILED, NOBODY = 0, 1, 3
_GREETING_SECONDS = 10.0
MAX_GUESTS = 64

Log = t.Callable[[str], None]


class NodeOptions(t.NamedTuple):
    """How a node waits. ``timeout``: seconds without a push before it gives up; ``server``: the only address obeyed."""

    name: str
    bind: str = ""
    port: int = wire.PORT
    secret: bytes = b""
    sha256: str = ""
    size: int = 0
    server: str = ""
    timeout: float = 100.0


class Guest:
    """An accepted connection: greeting, then control, data or query."""

    def __init__(self, options: NodeOptions, sock: socket.socket, address: str) -> None:
        self.address = address
        self.link = Link(sock, address, 20.0)
        self.callee = Callee(options.name, options.secret)
        self.role = ""
        self.greeted = False
        self.session: Session | None = None
        self.give_up = time.monotonic() + _GREETING_SECONDS


def listen(address: str, port: int) -> socket.socket:
    """A listening socket; DollyError when the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address, port))
        sock.listen(64)
    except OSError as error:
        sock.close()
        raise DollyError("cannot listen on TCP port %d: %s" % (port, error.strerror), "stop the other agent there")
    sock.setblocking(False)
    return sock


def check_offer(options: NodeOptions, to: str, offer: Offer) -> None:
    """DollyError when this node must not take part in that push."""
    if to and options.name and to != options.name:
        raise DollyError("this is node %s, not %s" % (options.name, to), "correct the addresses of the nodes")
    if options.sha256 and offer.sha256 != options.sha256:
        raise DollyError("this node accepts only the image %s" % options.sha256)
    if options.size and offer.size != options.size:
        raise DollyError("this node accepts only an image of %d bytes" % options.size)


class Door:
    """Accepts guests and reads their frames; a subclass says what they mean."""

    def __init__(self, options: NodeOptions, log: Log) -> None:
        self.options, self.log = options, log
        self.poller = Poller()
        self.guests: dict[int, Guest] = {}
        self.last_reason = ""
        self.listener = listen(options.bind, options.port)
        self.poller.add(self.listener.fileno(), self._accept)

    def on_frame(self, guest: Guest, frame: wire.Frame) -> None:
        """A frame arrived; DollyError refuses the guest."""
        raise NotImplementedError

    def gone(self, guest: Guest) -> None:
        """The guest has been forgotten."""

    def close(self) -> None:
        """Close every socket."""
        for guest in list(self.guests.values()):
            self.hang_up(guest)
        self.poller.remove(self.listener.fileno())
        self.listener.close()

    def _accept(self, _mask: int) -> None:
        try:
            sock, address = self.listener.accept()
        except OSError:
            return
        if len(self.guests) >= MAX_GUESTS:
            sock.close()
            return
        guest = Guest(self.options, sock, str(address[0]))
        self.guests[guest.link.fd] = guest
        self.poller.add(guest.link.fd, lambda mask: self._event(guest, mask))

    def hang_up(self, guest: Guest) -> None:
        """Forget this connection."""
        if self.guests.pop(guest.link.fd, None) is None:
            return
        self.poller.remove(guest.link.fd)
        guest.link.close()
        self.gone(guest)

    def _event(self, guest: Guest, mask: int) -> None:
        try:
            if mask & ~select.POLLOUT:
                for frame in guest.link.frames():
                    self.on_frame(guest, frame)
                    if guest.link.fd not in self.guests:
                        return
            if guest.link.fd in self.guests:
                self.flush(guest)
        except LinkLost as error:
            self.lost(guest, str(error))
        except DollyError as error:
            self.refuse(guest, str(error))

    def flush(self, guest: Guest) -> None:
        """Send what waits for this guest."""
        guest.link.flush()
        self.poller.want_write(guest.link.fd, not guest.link.idle)

    def lost(self, guest: Guest, reason: str) -> None:
        """The connection broke."""
        if guest.role:
            self.log("%s link lost: %s" % (guest.role, reason))
            self.last_reason = reason
        self.hang_up(guest)

    def refuse(self, guest: Guest, reason: str) -> None:
        """Say why and hang up."""
        self.log("refused %s: %s" % (guest.address, reason))
        if guest.role:
            self.last_reason = reason
        try:
            guest.link.post(wire.pack(wire.ABORT, {"reason": reason}))
            guest.link.flush()
        except LinkLost:
            pass
        self.hang_up(guest)
