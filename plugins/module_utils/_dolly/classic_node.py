# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of the classic dialect. This module util is private to the collection.

Unlike dolly it survives probes of its ports, has deadlines everywhere, writes only its own target (the outfile of the
received dolly.cfg is ignored) and verifies the digest. A node whose disk fails goes on relaying for the others.
"""

from __future__ import annotations

import select
import socket
import time

from . import classic
from .door import DONE, FAILED, NOBODY, Log
from .errors import DollyError, LinkLost
from .lobby import ClassicOptions, Lobby, Parent
from .store import Store
from .target import Survey, Target, hash_none

_GREETING_SECONDS = 10.0


class ClassicNode:
    """Run with :meth:`run`: waits for a parent, relays, verifies."""

    def __init__(self, options: ClassicOptions, target: Target, log: Log) -> None:
        if not options.sha256:
            raise DollyError("the classic dialect has no security of its own", "give --sha256")
        self.options, self.target, self.log = options, target, log
        self.lobby = Lobby(options, log)
        self.last_reason = ""

    def run(self) -> int:
        """0: the image is here; 1: failed; 3: nobody came within the timeout."""
        until = time.monotonic() + self.options.timeout
        try:
            while time.monotonic() < until:
                parent = self.lobby.wait(0.2)
                if parent is None:
                    continue
                try:
                    if Relay(self, parent).run():
                        return DONE
                    return FAILED
                except (LinkLost, OSError) as error:
                    self.last_reason = str(error)
                    self.log("the push ended early: %s" % error)
                    until = time.monotonic() + self.options.timeout
                except DollyError as error:
                    self.last_reason = str(error)
                    self.log(self.last_reason)
            return FAILED if self.last_reason else NOBODY
        finally:
            self.lobby.close()


class Relay:
    """One push through this node."""

    def __init__(self, node: ClassicNode, parent: Parent) -> None:
        self.node, self.parent = node, parent
        self.options = node.options
        self.config = parent.config
        self.children: list[classic.Child] = []
        self.name = ""
        self.received = 0
        self.total: int | None = None
        self._total_bytes = b""
        self._drained = False
        self.reason = ""
        self.heard = time.monotonic()
        self.store: Store | None = None

    def run(self) -> bool:
        """True when the image is here and verified; LinkLost when the push broke off."""
        try:
            self._greet()
            while self.total is None or self.received < self.total:
                self._turn()
            return self._end()
        finally:
            self._close()

    def _say(self, text: bytes) -> None:
        try:
            self.parent.control.sendall(text)
        except OSError as error:
            raise LinkLost("the parent: %s" % (error.strerror or error))

    def _greet(self) -> None:
        self.parent.control.settimeout(self.options.silence)
        self.parent.data.settimeout(self.options.silence)
        self.name = self.config.clients[self.parent.place]
        self._say(classic.got_parameters(self.name))
        try:
            self.store = Store(self.node.target, self.options.sha256, self.options.size, Survey("", 0, hash_none()))
        except DollyError as error:
            self._broken(str(error))
        until = time.monotonic() + self.options.timeout
        text = classic.wire_text(self.parent.text)
        for name in self.config.children(self.parent.place):
            child = classic.Child(name, name, self.options.ports, until, self.config.segsize)
            self.children.append(child)
            child.limit(self.options.silence)
            child.control.sendall(text)
        self._say(classic.ready(self.name))
        self.heard = time.monotonic()

    def _broken(self, reason: str) -> None:
        self.reason = reason
        self.node.log("failed, relaying on: %s" % reason)
        self._say(classic.failed(self.name, reason))

    def _turn(self) -> None:
        parent = [self.parent.data] * (not self._drained) + [self.parent.control] * (self.total is None)
        if not parent:
            raise LinkLost("the parent's data link ended at %d of %s" % (self.received, self.total))
        sockets = [*parent, *(child.control for child in self.children)]
        readable = select.select(sockets, [], [], 1.0)[0]
        now = time.monotonic()
        if readable:
            self.heard = now
        elif now - self.heard > self.options.silence:
            raise LinkLost("nothing heard for %.0f s at %d bytes" % (now - self.heard, self.received))
        for child in self.children:
            if child.control in readable:
                self._from_child(child)
        if self.parent.data in readable:
            self._data()
        if self.parent.control in readable and self.total is None:
            self._control()

    def _from_child(self, child: classic.Child) -> None:
        data = classic.receive(child.control, 4096, child.name)
        if self.total is None:
            self._say(data)
        else:
            child.ack += data

    def _data(self) -> None:
        try:
            data = self.parent.data.recv(classic.BLOCK)
        except OSError as error:
            raise LinkLost("the parent's data link: %s" % (error.strerror or error))
        # The server closes its data link while the total may still be on its way.
        self._drained = not data
        self.received += len(data)
        for child in self.children:
            self._feed(child, data)
        if self.store is not None and not self.reason:
            try:
                self.store.write(memoryview(data))
            except DollyError as error:
                self._broken(str(error))

    def _feed(self, child: classic.Child, data: bytes) -> None:
        try:
            child.data.sendall(data)
        except OSError as error:
            raise LinkLost("client %s: %s" % (child.name, error.strerror or error))

    def _control(self) -> None:
        self._total_bytes += classic.receive(self.parent.control, 8 - len(self._total_bytes), "the parent")
        if len(self._total_bytes) == 8:
            self.total = classic.TOTAL.unpack(self._total_bytes)[0]
            for child in self.children:
                child.control.sendall(self._total_bytes)

    def _end(self) -> bool:
        # A real dolly that waits for a full block of 4096 bytes sees only by this that the last one is shorter.
        for child in self.children:
            child.data.shutdown(socket.SHUT_WR)
        if self.store is not None and not self.reason:
            self.store.size = self.total or 0
            try:
                self.store.complete()
            except DollyError as error:
                self.reason = str(error)
        acks = [self._ack(child) for child in self.children]
        own = 0 if self.reason else self.received
        self._say(classic.TOTAL.pack(min([own, *acks])))
        self.node.last_reason = self.reason
        return not self.reason

    def _ack(self, child: classic.Child) -> int:
        child.control.settimeout(600.0)
        while len(child.ack) < 8 or child.ack.startswith(b"Host "):
            child.ack += classic.receive(child.control, 4096, child.name)
            child.ack = classic.split_ack(child.ack)[1]
        return int(classic.TOTAL.unpack(child.ack[:8])[0])

    def _close(self) -> None:
        for child in self.children:
            child.close()
        self.parent.data.close()
        self.parent.control.close()
        if self.store is not None:
            self.store.close()
