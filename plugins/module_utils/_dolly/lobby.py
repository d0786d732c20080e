# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a classic node waits for its parent. This module util is private to the collection.

Probes of the two ports and garbage are turned away; real dolly dies of them.
"""

from __future__ import annotations

import os
import select
import socket
import time
import typing as t

from . import classic
from .config import Config, parse
from .door import Log, listen
from .errors import DollyError, LinkLost

_GREETING_SECONDS = 10.0


class ClassicOptions(t.NamedTuple):
    """How a classic node waits; ``ports`` are data and control."""

    name: str
    sha256: str
    size: int = 0
    bind: str = ""
    timeout: float = 100.0
    silence: float = 60.0
    ports: tuple[int, int] = (classic.DATA_PORT, classic.CONTROL_PORT)


class Parent(t.NamedTuple):
    """The two accepted connections, the dolly.cfg that came over the second, and the own place in it."""

    data: socket.socket
    control: socket.socket
    text: str
    config: Config
    place: int


def position(config: Config, name: str, address: str) -> int:
    """Own place among the clients: by name, own address, environment, host name, in this order."""
    for known in (name, address, os.environ.get("MYNODENAME"), os.environ.get("HOST"), socket.gethostname()):
        if known in config.clients:
            return config.clients.index(str(known))
    raise DollyError("this node (%s, %s) is not in the dolly.cfg received" % (name, address))


def _looks_like_config(text: bytes) -> bool:
    begins = b"compressed infile ".startswith(text[:18]) or b"infile ".startswith(text[:7])
    return begins and len(text) <= 1 << 20


class Lobby:
    """Accepts connections until one address has both of them and has sent a whole dolly.cfg."""

    def __init__(self, options: ClassicOptions, log: Log) -> None:
        self.log, self._name = log, options.name
        self._doors = [listen(options.bind, port) for port in options.ports]
        self._data: dict[str, socket.socket] = {}
        self._texts: dict[socket.socket, tuple[str, bytes, float]] = {}

    def close(self) -> None:
        """Stop listening and hang up on everybody still here."""
        for sock in [*self._doors, *self._data.values(), *self._texts]:
            sock.close()
        self._data.clear()
        self._texts.clear()

    def wait(self, seconds: float) -> Parent | None:
        """One turn: accept, read, and perhaps a parent."""
        readable = select.select([*self._doors, *self._texts], [], [], seconds)[0]
        for door in self._doors:
            if door in readable:
                self._accept(door)
        for sock in [sock for sock in list(self._texts) if sock in readable]:
            self._read(sock)
        self._expire()
        return self._complete()

    def _accept(self, door: socket.socket) -> None:
        try:
            sock, (address, *_rest) = door.accept()
        except OSError:
            return
        sock.setblocking(False)
        if door is self._doors[0]:
            old = self._data.pop(address, None)
            if old is not None:
                old.close()
            self._data[address] = sock
        else:
            self._texts[sock] = (address, b"", time.monotonic() + _GREETING_SECONDS)

    def _read(self, sock: socket.socket) -> None:
        address, text, until = self._texts[sock]
        try:
            text += classic.receive(sock, 65536, address)
        except LinkLost as error:
            self.log("a probe of the control port: %s" % error)
            return self._drop(sock)
        if not _looks_like_config(text):
            self.log("garbage on the control port from %s" % address)
            return self._drop(sock)
        self._texts[sock] = (address, text, until)
        return None

    def _drop(self, sock: socket.socket) -> None:
        self._texts.pop(sock, None)
        sock.close()

    def _expire(self) -> None:
        for sock, (address, _text, until) in list(self._texts.items()):
            if time.monotonic() > until:
                self.log("%s sent no whole dolly.cfg" % address)
                self._drop(sock)

    def _complete(self) -> Parent | None:
        for sock, (address, text, _until) in list(self._texts.items()):
            if b"\nendconfig" not in text or address not in self._data:
                continue
            try:
                config, place = self._judge(text.decode("utf-8", "replace"), str(sock.getsockname()[0]))
            except DollyError as error:
                self.log(str(error))
                self._drop(sock)
                continue
            del self._texts[sock]
            return Parent(self._data.pop(address), sock, text.decode("utf-8", "replace"), config, place)
        return None

    def _judge(self, text: str, address: str) -> tuple[Config, int]:
        config = parse(text.rstrip(" "), "the dolly.cfg received")
        classic.supported(config)
        return config, position(config, self._name, address)
