# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The classic dolly wire protocol: what server and node share. This module util is private to the collection.

TCP 9998 carries the raw file, TCP 9997 the control texts. The parent connects data first, then control; it sends the
dolly.cfg text; the child answers ``Host got parameters 'NAME'.`` and, when its own children are connected, ``Host
ready 'NAME'.``; texts of children are copied upwards. The server starts when it has read "ready" once per client. At
the end the 8-byte total (native order, little endian on every machine that still runs dolly) goes down the control
links, and comes back up as the acknowledgement. There is no authentication and no checksum.
"""

from __future__ import annotations

import socket
import struct
import time

from .config import Config
from .errors import DollyError, LinkLost

DATA_PORT = 9998
CONTROL_PORT = 9997
TOTAL = struct.Struct("<Q")
BLOCK = 1 << 20
_BUFFER = 1 << 18
_RETRY_SECONDS = 0.5
# A real dolly reads until a read() returns something else than this many bytes.
_UNLUCKY = 1448


def wire_text(text: str) -> bytes:
    """dolly.cfg as it is sent: one send, and never exactly as long as one segment."""
    raw = text.encode("utf-8")
    return raw + b" " if len(raw) == _UNLUCKY else raw


def got_parameters(name: str) -> bytes:
    """The first answer of a child."""
    return ("Host got parameters '%s'.\n" % name).encode()


def ready(name: str) -> bytes:
    """The second answer: the child's own children are connected."""
    return ("Host ready '%s'.\n" % name).encode()


def failed(name: str, reason: str) -> bytes:
    """Ours only: a real dolly copies it upwards like any text. It must not contain the word that the server counts."""
    return ("Host failed '%s': %s\n" % (name, reason.replace("\n", " ").replace("ready", "rdy"))).encode()


def supported(config: Config) -> None:
    """DollyError when ``config`` asks for something that this implementation does not do."""
    wishes = (
        ("compressed", config.compressed_in or config.compressed_out),
        ("split", config.split_in or bool(config.split_out)),
        ("add", config.add is not None),
    )
    for word, wished in wishes:
        if wished:
            raise DollyError("'%s' in dolly.cfg is not supported" % word, "push one uncompressed file over one link")


def dial(address: str, port: int, until: float, segsize: int = 0) -> socket.socket:
    """Connect, trying again each half second until ``until`` (monotonic); LinkLost with the last reason."""
    reason = "no time left"
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise LinkLost("%s port %d: %s" % (address, port, reason))
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(left, 5.0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if segsize:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segsize)
            sock.connect((address, port))
            return sock
        except (OSError, OverflowError, ValueError, TypeError) as error:
            sock.close()
            reason = getattr(error, "strerror", "") or str(error)
            time.sleep(min(_RETRY_SECONDS, max(0.0, until - time.monotonic())))


class Child:
    """The two connections to a child."""

    def __init__(self, name: str, address: str, ports: tuple[int, int], until: float, segsize: int = 0) -> None:
        self.name = name
        self.data = dial(address, ports[0], until, segsize)
        try:
            self.control = dial(address, ports[1], until)
        except LinkLost:
            self.data.close()
            raise
        self.ack = b""

    def limit(self, seconds: float) -> None:
        """No send or receive waits longer; the kernel drops a peer that acknowledges nothing."""
        for sock in (self.data, self.control):
            sock.settimeout(seconds)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))

    def close(self) -> None:
        self.data.close()
        self.control.close()


def split_ack(buffer: bytes) -> tuple[bytes, bytes]:
    """(texts, acknowledgement) of what came from a child after the total went down; the second may be incomplete."""
    texts = b""
    while buffer.startswith(b"Host ") and b"\n" in buffer:
        line, _end, buffer = buffer.partition(b"\n")
        texts += line + b"\n"
    return texts, buffer[:8]


def receive(sock: socket.socket, size: int, who: str) -> bytes:
    """What has arrived, at most ``size`` bytes; LinkLost at the end of the connection."""
    try:
        data = sock.recv(size)
    except OSError as error:
        raise LinkLost("%s: %s" % (who, error.strerror or error))
    if not data:
        raise LinkLost("%s closed the connection" % who)
    return data
