# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rack in one process: nodes are threads on loopback addresses 127.0.0.11, .12, ..., all on one port."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import (
    chain,
    classic,
    classic_node,
    dial,
    door,
    feeder,
    lobby,
    session,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.contact import Outcome, PushOptions
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.dial import Route
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.server import Image, Push
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Target

IMAGE = random.Random(7).randbytes(3_000_017)


def free_ports(count: int) -> list[int]:
    """Ports that are free on every address."""
    socks = [socket.socket() for _number in range(count)]
    for sock in socks:
        sock.bind(("", 0))
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


class Runner(threading.Thread):
    """A node in a thread; ``code`` is its exit code."""

    def __init__(self, node: t.Any, target: Path, said: list[str]) -> None:
        super().__init__(daemon=True)
        self.node, self.target, self.said = node, target, said
        self.code: int | None = None
        self.start()

    def run(self) -> None:
        self.code = self.node.run()

    def end(self) -> int:
        """Wait for the end and give the exit code."""
        self.join(15)
        assert self.code is not None, "the node hangs: %s" % self.said
        return self.code

    def stop(self) -> None:
        """Let it end as soon as it looks."""
        self.node._done = 1
        self.node.options = self.node.options._replace(timeout=0.0)


class Rig:
    """Image, nodes and server of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "image"
        self.path.write_bytes(IMAGE)
        self.image = Image(str(self.path), len(IMAGE), hashlib.sha256(IMAGE).hexdigest())
        self.port, data, control = free_ports(3)
        self.ports = (data, control)
        self.runners: list[Runner] = []

    @staticmethod
    def address(number: int) -> str:
        return "127.0.0.%d" % (10 + number)

    def route(self, number: int) -> Route:
        return Route("n%d" % number, self.address(number), self.port)

    def target(self, number: int) -> Path:
        return self.folder / ("out%d" % number)

    def node(self, number: int, target: Target | None = None, **options: t.Any) -> Runner:
        """Start node ``number``."""
        said: list[str] = []
        wanted = {"sha256": self.image.sha256, "size": self.image.size, "timeout": 8.0, **options}
        settings = door.NodeOptions("n%d" % number, self.address(number), self.port, **wanted)
        where = target or Target(str(self.target(number)))
        return self._run(chain.Node(settings, where, said.append), number, said)

    def classic(self, number: int, **options: t.Any) -> Runner:
        """Start a node of the classic dialect; its name in dolly.cfg is its address."""
        said: list[str] = []
        wanted = {"sha256": self.image.sha256, "timeout": 6.0, "silence": 4.0, "ports": self.ports, **options}
        settings = lobby.ClassicOptions(self.address(number), bind=self.address(number), **wanted)
        target = Target(str(self.target(number)))
        return self._run(classic_node.ClassicNode(settings, target, said.append), number, said)

    def _run(self, node: t.Any, number: int, said: list[str]) -> Runner:
        runner = Runner(node, self.target(number), said)
        self.runners.append(runner)
        return runner

    def options(self, **options: t.Any) -> PushOptions:
        return PushOptions(**{"deadline": 5.0, "timeout": 5.0, "silence": 3.0, **options})

    def push(self, *numbers: int, hook: t.Callable[[Push], None] | None = None, **options: t.Any) -> dict[str, Outcome]:
        """A whole push to these nodes; outcomes by name."""
        push = Push(options.pop("image", self.image), [self.route(n) for n in numbers], self.options(**options))
        push.gather()
        if push.too_many():
            push.close("too many nodes are missing")
        else:
            push.send(hook)
        return {outcome.name: outcome for outcome in push.outcomes()}

    def whole(self, *numbers: int) -> bool:
        """These nodes have the image, with a marker that says so."""
        return all(
            self.target(n).read_bytes() == IMAGE and "state=complete" in Path("%s.dolly" % self.target(n)).read_text()
            for n in numbers
        )

    def call(self, number: int, port: int = 0) -> socket.socket:
        """A raw connection to a node."""
        until = time.monotonic() + 5
        while True:
            try:
                sock = socket.create_connection((self.address(number), port or self.port), timeout=5)
                sock.settimeout(5)
                return sock
            except ConnectionRefusedError:
                assert time.monotonic() < until
                time.sleep(0.01)

    def close(self) -> None:
        for runner in self.runners:
            runner.stop()
        for runner in self.runners:
            with contextlib.suppress(DollyError):
                runner.join(5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter waits than people need."""
    monkeypatch.setattr(session, "_STATUS_SECONDS", 0.05)
    monkeypatch.setattr(dial, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(classic, "_RETRY_SECONDS", 0.05)


@pytest.fixture
def rig(tmp_path: Path) -> t.Iterator[Rig]:
    one = Rig(tmp_path)
    yield one
    one.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server sends small frames with a pause before each, so that a push has a middle."""
    honest = feeder.Source.frame

    def frame(source: feeder.Source, offset: int, limit: int) -> tuple[int, int]:
        if source.__class__ is feeder.Source:
            time.sleep(0.008)
        return honest(source, offset, min(limit, 32768))

    monkeypatch.setattr(feeder.Source, "frame", frame)
