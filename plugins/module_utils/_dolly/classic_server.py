# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server of the classic dialect. This module util is private to the collection.

A client that is not there cannot be found out without disturbing it, except the first one: the server tries the clients
in their order until one accepts. What is missing further down shows as a name that never says ready.
"""

from __future__ import annotations

import os
import re
import select
import socket
import time
import typing as t

from . import classic
from .config import Config, render
from .contact import Outcome
from .dial import Route
from .errors import DollyError, LinkLost
from .server import Image

PORT_HINT = "open TCP ports %d and %d on the nodes (firewall) and see that dolly waits there"
_LATER_SECONDS = 5.0
_ACK_SECONDS = 600.0
_READY = re.compile(rb"Host ready '([^'\n]*)'\.")
_FAILED = re.compile(rb"Host failed '([^'\n]*)': ([^\n]*)\n")


class ClassicPush:
    """One push. ``addresses`` maps the names of ``config.clients`` to what is dialled (default: the name itself)."""

    def __init__(
        self,
        image: Image,
        config: Config,
        addresses: t.Mapping[str, str],
        deadline: float = 60.0,
        timeout: float = 60.0,
        max_fail: int = 0,
        ports: tuple[int, int] = (classic.DATA_PORT, classic.CONTROL_PORT),
    ) -> None:
        classic.supported(config)
        for name in config.clients:
            if "ready" in name:
                raise DollyError("a client name must not contain the word ready: %s" % name, "list its address instead")
        self.image, self.config, self.addresses, self.ports = image, config, dict(addresses), ports
        self.timeout, self.max_fail = timeout, max_fail
        self.until = time.monotonic() + deadline
        self.deadline = deadline
        self.children: list[classic.Child] = []
        self.heard = b""
        self.sent = 0
        self.states: dict[str, tuple[str, str]] = {}
        self.seconds = 0.0

    def run(self, progress: t.Callable[[ClassicPush], None] | None = None) -> list[Outcome]:
        """Push; the outcome of every client, sorted by name."""
        try:
            self._connect()
            self._wait_ready()
            began = time.monotonic()
            self._send(progress)
            self._acks()
            self.seconds = time.monotonic() - began
        except (LinkLost, OSError) as error:
            self._all("failed", "the chain broke: %s" % error)
        except DollyError as error:
            self._all("failed", str(error))
        finally:
            for child in self.children:
                child.close()
        return sorted(self._outcome(name) for name in [*self.states, *self._open()])

    def _open(self) -> list[str]:
        return [name for name in self.config.clients if name not in self.states]

    def _all(self, state: str, reason: str) -> None:
        for name in self._open():
            self.states[name] = (state, reason)

    def _outcome(self, name: str) -> Outcome:
        state, reason = self.states.get(name, ("ok", ""))
        good = state == "ok"
        return Outcome(name, state, reason, self.sent if good else 0, self.seconds if good else 0.0)

    def _connect(self) -> None:
        """Connect to the server's own children; clients that do not answer are left out of the list."""
        for name in self.config.children(-1):
            try:
                child = self._child(name)
            except LinkLost as error:
                self._leave_out(name, str(error))
                return self._connect()
            self.children.append(child)
        text = classic.wire_text(render(self.config))
        for child in self.children:
            child.limit(self.timeout)
            child.control.sendall(text)
        return None

    def _child(self, name: str) -> classic.Child:
        known = [child for child in self.children if child.name == name]
        if known:
            self.children.remove(known[0])
            return known[0]
        until = max(self.until, time.monotonic() + _LATER_SECONDS) if self.states else self.until
        return classic.Child(name, self.addresses.get(name, name), self.ports, until, self.config.segsize)

    def _leave_out(self, name: str, reason: str) -> None:
        self.states[name] = ("absent", reason)
        rest = tuple(client for client in self.config.clients if client != name)
        if not rest or len(self.states) > self.max_fail:
            raise DollyError("%s is absent: nothing was sent" % name, PORT_HINT % self.ports)
        self.config = self.config._replace(clients=rest, first="")

    def _listen(self, seconds: float) -> None:
        controls = {child.control: child for child in self.children}
        for sock in select.select(list(controls), [], [], seconds)[0]:
            self.heard += classic.receive(sock, 4096, "client " + controls[sock].name)

    def _wait_ready(self) -> None:
        until = max(self.until, time.monotonic() + _LATER_SECONDS)
        while self.heard.count(b"ready") < len(self.config.clients):
            if time.monotonic() > until:
                return self._name_the_missing("it did not say ready within %.0f s" % self.deadline)
            try:
                self._listen(0.2)
            except LinkLost as error:
                return self._name_the_missing(str(error))
        return None

    def _name_the_missing(self, reason: str) -> None:
        ready = {match.decode("utf-8", "replace") for match in _READY.findall(self.heard)}
        missing = [name for name in self.config.clients if name not in ready]
        # A client reports only once its own children are connected, so the last one heard of names the gap.
        for name in missing:
            self.states[name] = ("absent", reason)
        raise DollyError("%s did not say ready: nothing was sent" % ", ".join(missing), PORT_HINT % self.ports)

    def _send(self, progress: t.Callable[[ClassicPush], None] | None) -> None:
        with open(self.image.path, "rb", buffering=0) as stream:
            while self.sent < self.image.size:
                count = min(classic.BLOCK, self.image.size - self.sent)
                for child in self.children:
                    if child.data.sendfile(stream, self.sent, count) != count:
                        raise DollyError("the image became shorter while it was sent")
                self.sent += count
                self._listen(0)
                if progress is not None:
                    progress(self)
        for child in self.children:
            child.control.sendall(classic.TOTAL.pack(self.sent))
            child.data.shutdown(socket.SHUT_RDWR)

    def _acks(self) -> None:
        total, wanted = classic.TOTAL.pack(self.sent), len(self.children)
        for child in self.children:
            child.control.settimeout(_ACK_SECONDS)
            while len(child.ack) < 8 or child.ack.startswith(b"Host "):
                child.ack += classic.receive(child.control, 4096, "client " + child.name)
                texts, child.ack = classic.split_ack(child.ack)
                self.heard += texts
        for name, reason in _FAILED.findall(self.heard):
            self.states[name.decode("utf-8", "replace")] = ("failed", reason.decode("utf-8", "replace"))
        bad = sum(child.ack != total for child in self.children)
        if bad and not any(state == "failed" for state, _reason in self.states.values()):
            self._all("failed", "%d of %d acknowledgements are wrong: some client lacks data" % (bad, wanted))


def routes_config(image: str, outfile: str, server: str, nodes: t.Sequence[Route], by_name: bool) -> Config:
    """The dolly.cfg for ``nodes`` in their order, listed by name or by address."""
    clients = tuple(node.name if by_name else node.address for node in nodes)
    return Config(os.path.abspath(image), outfile, server, clients)
