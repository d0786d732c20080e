# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node listens and whom it lets in. This module util is private to the collection."""

from __future__ import annotations

import socket
import time
import typing as t

from . import wire
from .auth import Callee
from .errors import DollyError
from .link import Link
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
