# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sending half of a link: a source and the successor it feeds. This module util is private to the collection.

Server and nodes use the same code. A source is a file that may still grow (a node's own target), so a successor that
comes late or comes back is fed from what has already been written; nothing is kept in memory.
"""

from __future__ import annotations

import bisect
import os
import time
import typing as t

from . import wire
from .dial import Dial, Route
from .errors import DollyError, WireError
from .link import FileRange, Poller

# A frame is what the link carries in this time: a relay sends a frame on when it has all of it.
_FRAME_SECONDS = 0.004
_MIN_FRAME = 32 << 10
_FRAMES_PER_TURN = 16


class Source:
    """An image file: the server's. ``size`` bytes are there from the start."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size

    @property
    def available(self) -> int:
        """Bytes that can be sent."""
        return self.size

    def _crc(self, offset: int, length: int) -> int:
        data = os.pread(self.fd, length, offset)
        if len(data) != length:
            raise DollyError("the image became shorter while it was sent")
        return wire.checksum(wire.DATA, offset, data)

    def frame(self, offset: int, limit: int) -> tuple[int, int]:
        """(length, crc32) of the frame at ``offset``, at most ``limit`` bytes long."""
        length = min(limit, wire.MAX_BLOCK, self.available - offset)
        return length, self._crc(offset, length)


class GrowingSource(Source):
    """A target that is being written: frames go on exactly as they came, with the crc32 they came with."""

    def __init__(self, fd: int, size: int, written: int) -> None:
        super().__init__(fd, size)
        self._written = written
        self._starts: list[int] = []
        self._frames: list[tuple[int, int]] = []

    @property
    def available(self) -> int:
        return self._written

    def append(self, offset: int, length: int, crc: int) -> None:
        """A frame has been written."""
        self._starts.append(offset)
        self._frames.append((length, crc))
        self._written = offset + length

    def frame(self, offset: int, limit: int) -> tuple[int, int]:
        place = bisect.bisect_right(self._starts, offset) - 1
        if place >= 0 and self._starts[place] == offset:
            return self._frames[place]
        until = self._starts[place + 1] if place + 1 < len(self._starts) else self.available
        length = min(limit, wire.MAX_BLOCK, until - offset)
        return length, self._crc(offset, length)


class Pace:
    """How much a link carries in 4 ms, measured over quarters of a second."""

    def __init__(self) -> None:
        self.limit = 64 << 10
        self._since = time.monotonic()
        self._bytes = 0

    def note(self, count: int) -> None:
        self._bytes += count
        passed = time.monotonic() - self._since
        if passed >= 0.25:
            fit = int(self._bytes / passed * _FRAME_SECONDS) & ~4095
            self.limit = max(_MIN_FRAME, min(wire.MAX_BLOCK, fit))
            self._since += passed
            self._bytes = 0


class Feeder(Dial):
    """Feeds one successor. ``state`` is connecting, sending, done (it has the whole image) or failed (``reason``)."""

    def __init__(
        self, poller: Poller, source: Source, route: Route, hello: t.Mapping[str, object], secret: bytes = b""
    ) -> None:
        super().__init__(poller, route, dict(hello, role="data"), secret)
        self.source = source
        self.state = "connecting"
        self._offset = 0
        self._told_end = False
        self._pace = Pace()

    def opened(self, welcome: wire.Fields) -> None:
        self._offset = wire.number(welcome, "offset")
        if self._offset > self.source.size:
            raise WireError("%s asks for offset %d of %d" % (self.route, self._offset, self.source.size))
        self.state = "sending"

    def frame(self, frame: wire.Frame) -> None:
        if frame.kind == wire.END and self._told_end:
            self.state = "done"
        elif frame.kind != wire.BEAT:
            super().frame(frame)

    def ended(self, reason: str) -> None:
        if self.state != "done":
            self.state = "failed"

    @property
    def _pending(self) -> bool:
        return self.state == "sending" and self._offset < self.source.available

    def pump(self) -> None:
        """Send on what has become available, a few frames per turn."""
        link = self.link
        if link is None:
            return
        link.flush()
        for _frame in range(_FRAMES_PER_TURN):
            if not (self._pending and link.idle):
                break
            length, crc = self.source.frame(self._offset, self._pace.limit)
            link.post_file(
                wire.pack_header(wire.DATA, length, self._offset, crc), FileRange(self.source.fd, self._offset, length)
            )
            self._offset += length
            self._pace.note(length)
            link.flush()
        if self.state == "sending" and self._offset == self.source.size and not self._told_end:
            self._told_end = True
            link.post(wire.pack(wire.END))
            link.flush()
        self.poller.want_write(link.fd, self._pending or not link.idle)

    def feed(self) -> None:
        """The source has grown."""
        if self._pending and self.link is not None and self.link.idle:
            try:
                self.pump()
            except DollyError as error:
                self.close(str(error))
