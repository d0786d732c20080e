# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection and the poll loop under it. This module util is private to the collection.

Every socket is non-blocking; nothing here waits except :meth:`Poller.wait`, which always has a time limit.
"""

from __future__ import annotations

import collections
import errno
import os
import select
import socket
import time
import typing as t

from . import wire
from .errors import LinkLost

BEAT_SECONDS = 1.0
# Unsent bytes past this mark do not make a socket writable: beats stay close behind the data.
_LOW_WATER = 1 << 20
_HIGH_WATER = 128 << 10
_FRAMES_PER_TURN = 64
_MORE = getattr(socket, "MSG_MORE", 0)


class FileRange:
    """A piece of a file that waits to be sent."""

    __slots__ = ("count", "fd", "offset")

    def __init__(self, fd: int, offset: int, count: int) -> None:
        self.fd = fd
        self.offset = offset
        self.count = count


def tune(sock: socket.socket, silence: float) -> None:
    """Small frames leave at once; the kernel gives up on a peer that acknowledges nothing for ``silence`` seconds."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_USER_TIMEOUT", int(silence * 1000)), ("TCP_NOTSENT_LOWAT", _LOW_WATER)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Link:
    """A connected (or connecting) socket that speaks frames. ``peer`` is the text used in messages."""

    def __init__(self, sock: socket.socket, peer: str, silence: float) -> None:
        tune(sock, silence)
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.silence = silence
        self.heard = self.sent = time.monotonic()
        self._queue: collections.deque[memoryview | FileRange] = collections.deque()
        self._head = bytearray(wire.HEADER.size)
        self._body = bytearray(0)
        self._got = 0
        self._header: wire.Header | None = None
        self._mark = self._expected = 1

    @property
    def idle(self) -> bool:
        """Nothing waits to be sent."""
        return not self._queue

    def post(self, frame: bytes) -> None:
        """Queue a whole frame."""
        self._queue.append(memoryview(frame))

    def post_file(self, header: bytes, piece: FileRange) -> None:
        """Queue a DATA frame whose body is sent from a file."""
        self._queue.append(memoryview(header))
        self._queue.append(piece)

    def flush(self) -> None:
        """Send what the kernel takes; LinkLost when the peer is gone."""
        try:
            while self._queue:
                if not self._send_one(self._queue[0]):
                    return
                self._queue.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise LinkLost("%s: %s" % (self.peer, error.strerror))

    def _send_one(self, item: memoryview | FileRange) -> bool:
        if isinstance(item, FileRange):
            done = os.sendfile(self.fd, item.fd, item.offset, item.count)
            if done == 0:
                raise LinkLost("the image became shorter while it was sent")
            item.offset += done
            item.count -= done
            self.sent = time.monotonic()
            return item.count == 0
        # A header leaves in one segment with the body that follows it: a packet less, and the peer wakes up once.
        more = len(self._queue) > 1 and isinstance(self._queue[1], FileRange)
        done = self.sock.send(item, _MORE if more else 0)
        self._queue[0] = item[done:]
        self.sent = time.monotonic()
        return done == len(item)

    def expect(self, body: int) -> None:
        """The next frame probably has a body of ``body`` bytes: poll() may sleep until it is here.

        A guess that is too high delays a frame until :meth:`frames` is called for another reason, so whoever guesses
        also calls it now and then (:attr:`guessing`).
        """
        self._expected = wire.HEADER.size + body

    @property
    def guessing(self) -> bool:
        """poll() may sleep although something is there to read."""
        return self._header is None and self._mark > 1

    def _wake_at(self, count: int) -> None:
        """Let poll() sleep until ``count`` bytes are there instead of waking it for every segment."""
        if count != self._mark:
            self._mark = count
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def _fill(self, buffer: bytearray, length: int) -> bool:
        with memoryview(buffer) as view:
            while self._got < length:
                count = self.sock.recv_into(view[self._got : length])
                if count == 0:
                    raise LinkLost("%s closed the connection" % self.peer)
                self._got += count
                self.heard = time.monotonic()
        self._got = 0
        return True

    def _next_frame(self) -> wire.Frame:
        if self._header is None:
            self._fill(self._head, wire.HEADER.size)
            self._header = wire.unpack_header(bytes(self._head))
        head = self._header
        if len(self._body) < head.length:
            self._body = bytearray(head.length)
        self._fill(self._body, head.length)
        self._header = None
        return wire.verify(head, memoryview(self._body)[: head.length])

    def frames(self) -> t.Iterator[wire.Frame]:
        """The frames that have arrived, at most a turn's worth; LinkLost at the end of the connection."""
        for _count in range(_FRAMES_PER_TURN):
            try:
                frame = self._next_frame()
            except (BlockingIOError, InterruptedError):
                left = (self._expected if self._header is None else self._header.length) - self._got
                return self._wake_at(max(1, min(left, _HIGH_WATER)))
            except OSError as error:
                raise LinkLost("%s: %s" % (self.peer, error.strerror))
            yield frame

    def check(self, now: float) -> None:
        """LinkLost when the peer has been silent for too long."""
        if now - self.heard > self.silence:
            raise LinkLost("%s has been silent for %.0f s" % (self.peer, now - self.heard))

    def beat(self, now: float, frame: bytes) -> None:
        """Queue ``frame`` when nothing was sent for a second."""
        if self.idle and now - self.sent >= BEAT_SECONDS:
            self.post(frame)

    def close(self) -> None:
        self.sock.close()


class Poller:
    """poll() over links: each fd has a handler that is called with the event mask."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._masks: dict[int, int] = {}
        self._handlers: dict[int, t.Callable[[int], None]] = {}

    def add(self, fd: int, handler: t.Callable[[int], None]) -> None:
        self._handlers[fd] = handler
        self._masks[fd] = select.POLLIN
        self._poll.register(fd, select.POLLIN)

    def want_write(self, fd: int, wanted: bool) -> None:
        """Also wake up when ``fd`` can be written."""
        mask = select.POLLIN | (select.POLLOUT if wanted else 0)
        if self._masks.get(fd, mask) != mask:
            self._masks[fd] = mask
            self._poll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._masks.pop(fd)
            self._poll.unregister(fd)

    def wait(self, seconds: float) -> None:
        """Sleep until something happens, at most ``seconds``, and call the handlers."""
        for fd, mask in self._poll.poll(max(0, int(seconds * 1000 + 0.999))):
            handler = self._handlers.get(fd)
            if handler is not None:
                handler(mask)


def connect(address: str, port: int) -> socket.socket:
    """Begin a connection; the result of a failed one shows when the socket is used."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        error = sock.connect_ex((address, port))
    except (OSError, OverflowError, ValueError, TypeError) as problem:
        sock.close()
        raise LinkLost("%s port %d: %s" % (address, port, problem))
    if error not in (0, errno.EINPROGRESS):
        sock.close()
        raise LinkLost("%s port %d: %s" % (address, port, os.strerror(error)))
    return sock
