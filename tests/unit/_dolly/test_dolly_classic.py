# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The classic dialect: a recorded conversation replayed against node and server, chains, and failures."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import classic, config, lobby
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.classic_node import ClassicNode
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.classic_server import ClassicPush
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.config import Config
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.contact import Outcome
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError, LinkLost
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.store import Store
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Target

from .conftest import IMAGE, Rig

# Recorded between real programs (dolly 0.63.3): a server, three clients, a file of 10000 bytes. The image path and the
# addresses are those of this test.
SERVER, FIRST, SECOND, THIRD = "127.0.0.1", "127.0.0.11", "127.0.0.12", "127.0.0.13"
TEXT = (
    "infile IMAGE\noutfile OUT\nserver %s\nfirstclient %s\nlastclient %s\nclients 3\n%s\n%s\n%s\nendconfig\n"
    % (SERVER, FIRST, THIRD, FIRST, SECOND, THIRD)
).encode()
SMALL = IMAGE[:10_000]
TOTAL = bytes.fromhex("1027000000000000")
BLOCKS = (4096, 4096, 1808)


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, "closed after %r" % data
        data += more
    return data


def listener(address: str, port: int) -> socket.socket:
    sock = socket.create_server((address, port))
    sock.settimeout(5)
    return sock


def accept(door: socket.socket) -> socket.socket:
    sock = door.accept()[0]
    sock.settimeout(5)
    return sock


def dial_parent(rig: Rig, number: int) -> tuple[socket.socket, socket.socket]:
    """Connect as a parent does: data first."""
    return rig.call(number, rig.ports[0]), rig.call(number, rig.ports[1])


def test_the_recorded_conversation_with_our_node_in_the_middle(rig: Rig) -> None:
    node = rig.classic(1, sha256=hashlib.sha256(SMALL).hexdigest())
    doors = [listener(SECOND, port) for port in rig.ports]
    data, control = dial_parent(rig, 1)
    control.sendall(TEXT)
    assert exactly(control, 34) == b"Host got parameters '127.0.0.11'.\n"
    child_data, child_control = (accept(door) for door in doors)
    assert exactly(child_control, len(TEXT)) == TEXT
    assert exactly(control, 25) == b"Host ready '127.0.0.11'.\n"
    for text in (
        b"Host got parameters '127.0.0.12'.\n",
        b"Host ready '127.0.0.12'.\n",
        b"Host got parameters '127.0.0.13'.\nHost ready '127.0.0.13'.\n",
    ):
        child_control.sendall(text)
        assert exactly(control, len(text)) == text
    start = 0
    for size in BLOCKS:
        data.sendall(SMALL[start : start + size])
        start += size
    control.sendall(TOTAL)
    data.shutdown(socket.SHUT_RDWR)
    assert exactly(child_control, 8) == TOTAL
    assert exactly(child_data, 10_000) == SMALL and child_data.recv(1) == b""
    child_control.sendall(TOTAL)
    assert exactly(control, 8) == TOTAL and control.recv(1) == b""
    assert node.end() == 0 and rig.target(1).read_bytes() == SMALL
    for sock in (*doors, data, control, child_data, child_control):
        sock.close()


def test_the_recorded_conversation_with_our_server(rig: Rig) -> None:
    rig.path.write_bytes(SMALL)
    wanted = config.parse(TEXT.decode())._replace(infile=str(rig.path))
    doors = [listener(FIRST, port) for port in rig.ports]
    push = ClassicPush(rig.image._replace(size=10_000), wanted, {}, 5.0, 5.0, ports=rig.ports)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.extend(push.run()), daemon=True)
    thread.start()
    data, control = (accept(door) for door in doors)
    text = TEXT.replace(b"IMAGE", str(rig.path).encode())
    assert exactly(control, len(text)) == text
    control.sendall(b"Host got parameters '127.0.0.11'.\n")
    control.sendall(b"Host ready '127.0.0.11'.\nHost got parameters '127.0.0.12'.\nHost ready '127.0.0.12'.\n")
    data.settimeout(0.2)
    with pytest.raises(socket.timeout):
        data.recv(1)
    control.sendall(b"Host got parameters '127.0.0.13'.\nHost ready '127.0.0.13'.\n")
    data.settimeout(5)
    assert exactly(data, 10_000) == SMALL and data.recv(1) == b""
    assert exactly(control, 8) == TOTAL
    control.sendall(TOTAL)
    thread.join(5)
    assert [(o.name, o.state, o.bytes) for o in outcomes] == [(a, "ok", 10_000) for a in (FIRST, SECOND, THIRD)]
    for sock in (*doors, data, control):
        sock.close()


def serve(rig: Rig, *numbers: int, **options: t.Any) -> dict[str, Outcome]:
    fanout = options.pop("fanout", 1)
    clients = tuple(rig.address(n) for n in numbers)
    wanted = Config(str(rig.path), "/dev/ram3", "head", clients, fanout=fanout)
    times = {"deadline": 4.0, "timeout": 4.0, **options}
    push = ClassicPush(rig.image, wanted, {}, ports=rig.ports, **times)
    return {outcome.name: outcome for outcome in push.run()}


@pytest.mark.parametrize("fanout", [1, 2, 3])
def test_our_server_and_our_nodes(rig: Rig, fanout: int) -> None:
    nodes = [rig.classic(n) for n in (1, 2, 3, 4)]
    outcomes = serve(rig, 1, 2, 3, 4, fanout=fanout)
    assert [outcome.state for outcome in outcomes.values()] == ["ok"] * 4
    assert [node.end() for node in nodes] == [0] * 4 and rig.whole(1, 2, 3, 4)


def test_a_node_survives_probes_and_garbage(rig: Rig) -> None:
    node = rig.classic(1)
    for port in rig.ports * 2:
        rig.call(1, port).close()
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"infile", b"\0" * 100, b"infile x\nendconfig\n"):
        sock = rig.call(1, rig.ports[1])
        sock.sendall(garbage)
        sock.close()
    assert serve(rig, 1)[rig.address(1)].state == "ok" and node.end() == 0 and rig.whole(1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace(b"clients 3", b"clients 2"), "lastclient is 127.0.0.13, the last name is 127.0.0.12"),
        (TEXT.replace(b"infile", b"compressed infile"), "'compressed' in dolly.cfg is not supported"),
        (TEXT.replace(b"127.0.0.11", b"127.0.0.99"), "is not in the dolly.cfg received"),
    ],
)
def test_a_node_turns_a_bad_config_down_and_waits_on(rig: Rig, text: bytes, said: str) -> None:
    node = rig.classic(1)
    data, control = dial_parent(rig, 1)
    control.sendall(text)
    with contextlib.suppress(OSError):
        assert b"ready" not in control.recv(100)
    assert any(said in line for line in node.said), node.said
    assert serve(rig, 1)[rig.address(1)].state == "ok" and node.end() == 0
    data.close()
    control.close()


def test_an_absent_first_node_is_left_out(rig: Rig) -> None:
    nodes = [rig.classic(n) for n in (2, 3)]
    outcomes = serve(rig, 1, 2, 3, deadline=0.3, max_fail=1)
    assert [outcome.state for outcome in outcomes.values()] == ["absent", "ok", "ok"]
    assert "Connection refused" in outcomes[rig.address(1)].reason
    assert [node.end() for node in nodes] == [0, 0] and rig.whole(2, 3)


def test_an_absent_first_node_stops_the_push_when_that_is_not_tolerated(rig: Rig) -> None:
    node = rig.classic(2, timeout=0.6)
    outcomes = serve(rig, 1, 2, deadline=0.3)
    assert [outcome.state for outcome in outcomes.values()] == ["absent", "failed"]
    assert "127.0.0.11 is absent: nothing was sent" in outcomes[rig.address(2)].reason
    assert node.end() == 3


def test_an_absent_later_node_is_named(rig: Rig) -> None:
    node = rig.classic(1, timeout=0.5)
    outcomes = serve(rig, 1, 2, deadline=2.0, max_fail=1)
    assert outcomes[rig.address(2)].state == "absent" and outcomes[rig.address(1)].state != "ok"
    assert node.end() == 1 and not rig.target(1).exists()
    assert any("127.0.0.12 port" in line for line in node.said)


def test_a_full_disk_is_named_and_the_others_finish(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Store.write

    def write(store: Store, block: memoryview) -> None:
        if store.target.path.endswith("out2") and store.written > 100_000:
            raise DollyError("No space left on device, are you ready?")
        honest(store, block)

    monkeypatch.setattr(Store, "write", write)
    nodes = [rig.classic(n) for n in (1, 2, 3)]
    outcomes = serve(rig, 1, 2, 3)
    assert [outcome.state for outcome in outcomes.values()] == ["ok", "failed", "ok"]
    assert outcomes[rig.address(2)].reason == "No space left on device, are you rdy?"
    assert [node.end() for node in nodes] == [0, 1, 0] and rig.whole(1, 3)


def test_a_wrong_digest_is_not_acknowledged(rig: Rig) -> None:
    nodes = [rig.classic(1), rig.classic(2, sha256="1" * 64)]
    outcomes = serve(rig, 1, 2)
    assert {outcome.state for outcome in outcomes.values()} == {"failed"}
    assert "acknowledgements are wrong" in outcomes[rig.address(2)].reason
    assert [node.end() for node in nodes] == [0, 1] and rig.whole(1) and not rig.target(2).exists()


@pytest.mark.parametrize("cut", ["data", "both"])
def test_a_parent_that_dies(rig: Rig, cut: str) -> None:
    node = rig.classic(1, timeout=1.0)
    text = TEXT.replace(b"clients 3", b"clients 1").replace(b"127.0.0.12\n127.0.0.13\n", b"")
    data, control = dial_parent(rig, 1)
    control.sendall(text.replace(b"lastclient 127.0.0.13", b"lastclient 127.0.0.11"))
    assert b"ready" in exactly(control, 59)
    data.sendall(IMAGE[:50_000])
    time.sleep(0.05)
    data.close()
    if cut == "both":
        control.close()
    else:
        control.sendall(classic.TOTAL.pack(len(IMAGE)))
    assert node.end() == 1 and not rig.target(1).exists()
    assert "state=writing" in (rig.folder / "out1.dolly").read_text()
    control.close()


def test_nobody_comes(rig: Rig) -> None:
    assert rig.classic(1, timeout=0.3).end() == 3


def test_a_node_without_a_digest_is_refused(rig: Rig) -> None:
    with pytest.raises(DollyError, match="no security of its own"):
        ClassicNode(lobby.ClassicOptions("n1", ""), Target(str(rig.target(1))), print)


def test_an_image_that_becomes_shorter(rig: Rig) -> None:
    node = rig.classic(1, timeout=0.5)
    push = ClassicPush(rig.image, Config("i", "o", "s", (rig.address(1),)), {}, 3.0, 3.0, ports=rig.ports)
    rig.path.write_bytes(IMAGE[:1_500_000])
    assert "the image became shorter" in push.run()[0].reason
    assert node.end() == 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Config("i", "o", "s", ("ready-1",)), "must not contain the word ready: ready-1"),
        (Config("i", "o", "s", ("a",), split_in=True), "'split'"),
        (Config("i", "o", "s", ("a",), add=config.Add("add", 1, ("-x",))), "'add'"),
        (Config("i", "o", "s", ("a",), compressed_out=True), "'compressed'"),
    ],
)
def test_what_our_server_does_not_do(rig: Rig, wanted: Config, message: str) -> None:
    with pytest.raises(DollyError, match=message):
        ClassicPush(rig.image, wanted, {})


@pytest.mark.parametrize(("length", "sent"), [(1447, 1447), (1448, 1449), (1449, 1449)])
def test_a_text_is_never_just_one_segment_long(length: int, sent: int) -> None:
    assert len(classic.wire_text("x" * length)) == sent


@pytest.mark.parametrize(
    ("buffer", "texts", "ack"),
    [
        (b"", b"", b""),
        (TOTAL, b"", TOTAL),
        (b"Host failed 'a': b\n" + TOTAL, b"Host failed 'a': b\n", TOTAL),
        (b"Host fai", b"", b"Host fai"),
        (b"Host a\nHost b\n" + TOTAL[:3], b"Host a\nHost b\n", TOTAL[:3]),
    ],
)
def test_acknowledgements_behind_texts(buffer: bytes, texts: bytes, ack: bytes) -> None:
    assert classic.split_ack(buffer) == (texts, ack)


def test_dialling_nobody_ends() -> None:
    began = time.monotonic()
    with pytest.raises(LinkLost, match="port 1: Connection refused"):
        classic.dial("127.0.0.1", 1, began + 0.2)
    assert time.monotonic() - began < 2


def test_own_place_among_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYNODENAME", "environment")
    monkeypatch.setenv("HOST", "shell")
    monkeypatch.setattr(socket, "gethostname", lambda: "kernel")
    ways = ["name", "10.0.0.1", "environment", "shell", "kernel"]
    while ways:
        wanted = Config("i", "o", "s", ("other", *reversed(ways)))
        assert wanted.clients[lobby.position(wanted, "name", "10.0.0.1")] == ways.pop(0)
    with pytest.raises(DollyError, match="not in the dolly"):
        lobby.position(wanted._replace(clients=("other",)), "name", "10.0.0.1")
