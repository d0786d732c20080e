# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers at odd moments: who hangs up, repeats, comes late or says a wrong thing, and what stays right all the same."""

from __future__ import annotations

import hashlib
import json
import socket
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import (
    classic,
    classic_node,
    door,
    lobby,
    server,
    source,
    wire,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.config import Config, parse, render
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError, LinkLost
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.server import Push
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Target
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import IMAGE, Rig
from .test_dolly_chain import Raw, abort_reason
from .test_dolly_chain import session as joined
from .test_dolly_classic import SMALL, TEXT, TOTAL, accept, dial_parent, exactly, listener


def feed(data: Raw, start: int, end: int = len(IMAGE)) -> None:
    for offset in range(start, end, 1 << 20):
        data.sock.sendall(wire.pack_data(offset, IMAGE[offset : min(end, offset + (1 << 20))]))


# The chain dialect


def test_a_second_predecessor_replaces_the_first_one(rig: Rig) -> None:
    node = rig.node(1)
    control, first = joined(rig)
    control.send(wire.PLAN, next_name="")
    feed(first, 0, 1 << 20)
    while control.state("receiving")["bytes"] != str(1 << 20):
        pass
    second = Raw(rig)
    assert second.greet("data").fields["offset"] == str(1 << 20)
    with pytest.raises((EOFError, ConnectionResetError)):
        first.read()
    feed(second, 1 << 20)
    second.send(wire.END)
    assert second.read().kind == wire.END
    control.state("ok")
    control.send(wire.END)
    assert node.end() == 0 and rig.whole(1)


def test_a_server_that_was_lost_may_come_back_with_another_push(rig: Rig) -> None:
    node = rig.node(1)
    control, data = joined(rig)
    control.send(wire.PLAN, next_name="")
    feed(data, 0, 1 << 20)
    while control.state("receiving")["bytes"] != str(1 << 20):
        pass
    control.sock.close()
    time.sleep(0.05)
    again = Raw(rig)
    image = rig.image
    again.send(
        wire.HELLO,
        role="control",
        session="def456",
        sha256=image.sha256,
        size=image.size,
        silence=3000,
        to="n1",
        nonce="1",
    )
    assert again.read().kind == wire.CHALLENGE
    again.send(wire.AUTH, proof="")
    assert again.read().kind == wire.WELCOME
    again.state("ready")
    with pytest.raises((EOFError, ConnectionResetError, BrokenPipeError)):
        while True:
            data.send(wire.BEAT)
            time.sleep(0.01)
            data.read()
    again.send(wire.ABORT, reason="enough")
    again.sock.close()
    outcome = rig.push(1)["n1"]
    assert outcome.state == "ok" and node.end() == 0 and rig.whole(1)


def test_a_server_that_ends_too_early(rig: Rig) -> None:
    node = rig.node(1, timeout=0.6)
    control, data = joined(rig)
    control.send(wire.PLAN, next_name="")
    feed(data, 0, 1 << 20)
    while control.state("receiving")["bytes"] != str(1 << 20):
        pass
    control.send(wire.END)
    assert node.end() == 1 and "before this node was complete" in node.node.last_reason
    assert not rig.target(1).exists() and "offset=%d" % (1 << 20) in (rig.folder / "out1.dolly").read_text()


@pytest.mark.parametrize("kind", [wire.HELLO, wire.WELCOME, wire.DATA, wire.STATUS, wire.CHALLENGE, wire.AUTH])
def test_a_server_that_says_the_wrong_thing(rig: Rig, kind: int) -> None:
    rig.node(1, timeout=2.0)
    control, _data = joined(rig)
    control.send(kind)
    assert abort_reason(control) == "unexpected %s" % wire.NAMES[kind]


def test_data_that_outlives_its_push(rig: Rig) -> None:
    rig.node(1, timeout=2.0)
    control, data = joined(rig)
    control.send(wire.ABORT, reason="stop")
    with pytest.raises((EOFError, ConnectionResetError, BrokenPipeError)):
        for _try in range(200):
            data.send(wire.BEAT)
            time.sleep(0.01)
        data.read()
    assert not rig.target(1).exists()


def test_a_complete_node_ends_when_its_server_is_gone(rig: Rig) -> None:
    node = rig.node(1)
    control, data = joined(rig)
    control.send(wire.PLAN, next_name="")
    feed(data, 0)
    data.send(wire.END)
    control.state("ok")
    control.sock.close()
    data.sock.close()
    assert node.end() == 0 and rig.whole(1)


def test_a_guest_that_does_not_introduce_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_GREETING_SECONDS", 0.2)
    node = rig.node(1)
    quiet = rig.call(1)
    assert quiet.recv(1) == b""
    assert rig.push(1)["n1"].state == "ok" and node.end() == 0


def test_a_node_that_reads_its_target_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SYNC_SECONDS", 0.2)

    def endless(self: Target, sha256: str, size: int, verify: bool = False) -> t.Iterator[None]:
        while True:
            time.sleep(0.01)
            yield

    monkeypatch.setattr(Target, "survey", endless)
    rig.node(1, timeout=1.0)
    push = Push(rig.image, [rig.route(1)], rig.options(deadline=0.3, timeout=0.2))
    push.gather()
    push.close("enough")
    assert "still reading its target back after" in push.outcomes()[0].reason


def test_plans_that_are_taken_back(rig: Rig) -> None:
    nodes = [rig.node(n) for n in (1, 2)]
    control, data = joined(rig)
    other = Push(rig.image, [rig.route(2)], rig.options())
    control.send(wire.PLAN, plan=1, next_name="n2", next_address=rig.address(2), next_port=rig.port)
    while control.read().fields.get("next") != "n2":
        pass
    control.send(wire.PLAN, plan=2, next_name="")
    while "next" in control.read().fields:
        pass
    feed(data, 0)
    data.send(wire.END)
    assert "next" not in control.state("ok")
    control.send(wire.END)
    assert nodes[0].end() == 0 and rig.whole(1)
    other.gather()
    other.send()
    assert other.outcomes()[0].state == "ok" and nodes[1].end() == 0 and rig.whole(2)


# The classic dialect


def leaf(address: str) -> bytes:
    text = "infile I\noutfile O\nserver s\nfirstclient %s\nlastclient %s\nclients 1\n%s\nendconfig\n"
    return (text % (address, address, address)).encode()


def test_a_classic_parent_that_falls_silent(rig: Rig) -> None:
    node = rig.classic(1, timeout=0.5, silence=0.4)
    data, control = dial_parent(rig, 1)
    control.sendall(leaf(rig.address(1)))
    assert b"ready" in exactly(control, 59)
    data.sendall(IMAGE[:1000])
    assert node.end() == 1 and "nothing heard for" in node.node.last_reason and "at 1000 bytes" in node.node.last_reason
    data.close()
    control.close()


def test_a_classic_target_that_cannot_be_written_relays_on(rig: Rig) -> None:
    (rig.folder / "out1").mkdir()
    said: list[str] = []
    with pytest.raises(DollyError, match="neither a file nor a block device"):
        Target(str(rig.target(1)))
    (rig.folder / "out1").rmdir()
    node = rig.classic(1, sha256=hashlib.sha256(SMALL).hexdigest(), size=1 << 62)
    data, control = dial_parent(rig, 1)
    control.sendall(leaf(rig.address(1)))
    answer = exactly(control, 34)
    while b"ready" not in answer:
        answer += control.recv(4096)
    assert b"Host failed '127.0.0.11': target " in answer and b"has room for" in answer
    data.sendall(SMALL)
    control.sendall(TOTAL)
    data.shutdown(socket.SHUT_RDWR)
    assert exactly(control, 8) == bytes(8), "the acknowledgement says that nothing is here"
    assert node.end() == 1 and "has room for" in node.node.last_reason and not said
    data.close()
    control.close()


def test_a_classic_child_that_dies_in_the_middle(rig: Rig) -> None:
    node = rig.classic(1, timeout=0.6, sha256=rig.image.sha256)
    doors = [listener(rig.address(2), port) for port in rig.ports]
    data, control = dial_parent(rig, 1)
    text = render(Config("I", "O", "s", (rig.address(1), rig.address(2))))
    control.sendall(text.encode())
    child_data, child_control = (accept(one) for one in doors)
    assert exactly(child_control, len(text)) == text.encode()
    child_control.sendall(b"Host got parameters 'x'.\nHost ready 'x'.\n")
    child_control.close()
    child_data.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _piece in range(300):
            data.sendall(IMAGE[:100_000])
            time.sleep(0.01)
    assert node.end() == 1 and rig.address(2) in node.node.last_reason and not rig.target(1).exists()
    for sock in (*doors, data, control):
        sock.close()


def test_a_classic_child_without_its_control_port(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic, "_RETRY_SECONDS", 0.02)
    data_door = listener(rig.address(2), rig.ports[0])
    with pytest.raises(LinkLost, match="port %d: Connection refused" % rig.ports[1]):
        classic.Child("x", rig.address(2), rig.ports, time.monotonic() + 0.2)
    accepted = accept(data_door)
    assert accepted.recv(1) == b"", "the data connection is given back"
    accepted.close()
    data_door.close()


def test_a_segment_size_is_asked_for(rig: Rig) -> None:
    door_ = listener(rig.address(2), rig.ports[0])
    sock = classic.dial(rig.address(2), rig.ports[0], time.monotonic() + 2, segsize=600)
    # The kernel takes 12 bytes of it for time stamps.
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 600
    sock.close()
    door_.close()


def test_a_config_that_never_ends_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "_GREETING_SECONDS", 0.2)
    node = rig.classic(1, timeout=3.0)
    control = rig.call(1, rig.ports[1])
    control.sendall(b"infile I\n")
    assert control.recv(1) == b""
    assert any("sent no whole dolly.cfg" in line for line in node.said)


def test_two_pushes_at_the_same_door(rig: Rig) -> None:
    node = rig.classic(1, sha256=hashlib.sha256(SMALL).hexdigest())
    stale = rig.call(1, rig.ports[0])
    data, control = dial_parent(rig, 1)
    assert stale.recv(1) == b"", "a second data connection from there takes the place of the first one"
    control.sendall(leaf(rig.address(1)))
    assert b"ready" in exactly(control, 59)
    data.sendall(SMALL)
    control.sendall(TOTAL)
    data.shutdown(socket.SHUT_RDWR)
    assert exactly(control, 8) == TOTAL and node.end() == 0
    for sock in (stale, data, control):
        sock.close()


NAME = st.from_regex(r"[a-z][a-z0-9.-]{0,12}", fullmatch=True)


@given(st.binary(max_size=120))
def test_acknowledgements_of_any_bytes(buffer: bytes) -> None:
    texts, ack = classic.split_ack(buffer)
    assert len(ack) <= 8 and (texts == b"" or texts.endswith(b"\n")) and buffer.startswith(texts)


@given(NAME, st.lists(st.text(max_size=9) | st.sampled_from(["ready", "rea", "dy", "\n", "already"])).map("".join))
def test_a_failure_is_one_line_that_no_server_counts(name: str, reason: str) -> None:
    line = classic.failed(name, reason)
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and b"ready" not in line.replace(name.encode(), b"")


@settings(max_examples=200)
@given(st.data())
def test_a_config_with_one_line_changed(data: st.DataObject) -> None:
    """Whatever one line becomes, the result is an error with the place or a config that renders to a parsable text."""
    lines = TEXT.decode().splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(["drop", "twice", "swap", "text"]))
    if how == "drop":
        del lines[place]
    elif how == "twice":
        lines.insert(place, lines[place])
    elif how == "swap":
        other = data.draw(st.integers(0, len(lines) - 1))
        lines[place], lines[other] = lines[other], lines[place]
    else:
        lines[place] = data.draw(st.text("ab 10.:/\tsplitclients", max_size=30))
    try:
        found = parse("\n".join(lines) + "\n", "cfg")
    except DollyError as error:
        assert str(error).startswith("cfg line ")
        return
    assert parse(render(found)) == found


@pytest.mark.parametrize(
    ("name", "address", "environment", "place"),
    [
        ("b", "10.0.0.1", {}, 1),
        ("", "10.0.0.9", {}, 2),
        ("zzz", "10.0.0.1", {"MYNODENAME": "a"}, 0),
        ("", "", {"HOST": "b"}, 1),
        ("", "", {"MYNODENAME": "a", "HOST": "b"}, 0),
        ("", "", {}, None),
    ],
)
def test_own_place(
    name: str, address: str, environment: dict[str, str], place: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("MYNODENAME", "HOST"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    wanted = Config("I", "O", "s", ("a", "b", "10.0.0.9"))
    if place is None:
        with pytest.raises(DollyError, match="is not in the dolly.cfg received"):
            lobby.position(wanted, name, address)
    else:
        assert lobby.position(wanted, name, address) == place


def test_a_classic_node_needs_a_digest(tmp_path: Path) -> None:
    with pytest.raises(DollyError, match="no security of its own"):
        classic_node.ClassicNode(lobby.ClassicOptions("a", ""), Target(str(tmp_path / "x")), print)


# Which image


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"size": "5", "sha256": "a" * 64}, "is damaged"),
        ({"size": None, "sha256": "a" * 64}, "is damaged"),
        ({"sha256": "a" * 64}, "is damaged"),
        ({"size": 4, "sha256": "a" * 63}, "is damaged"),
        ({"size": 4, "sha256": "a" * 64 + "\n"}, "is damaged"),
        ({"size": 5, "sha256": "a" * 64}, "has 4 bytes, its manifest says 5"),
        ({"size": 4, "sha256": "A" * 64}, None),
    ],
)
def test_what_a_manifest_notes(tmp_path: Path, entry: dict[str, t.Any], told: str | None) -> None:
    (tmp_path / "rootfs.sqfs").write_bytes(b"1234")
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"rootfs": {"path": "rootfs.sqfs", **entry}}}))
    if told is None:
        assert source.find_image(str(tmp_path / "rootfs.sqfs")).sha256 == "a" * 64
        return
    with pytest.raises(DollyError, match=told) as caught:
        source.find_image(str(tmp_path / "rootfs.sqfs"))
    assert caught.value.hint == "build the image again"


@pytest.mark.parametrize("sha256", ["abc", "g" * 64, "a" * 65, "a" * 64 + "\n"])
def test_a_digest_that_is_none(tmp_path: Path, sha256: str) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    with pytest.raises(DollyError, match="sha256 wants 64 hex digits"):
        source.find_image(str(tmp_path / "x"), sha256)


def test_an_image_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    monkeypatch.setattr(source.os.path, "getsize", lambda path: 9)
    with pytest.raises(DollyError, match="became shorter while it was read"):
        source.find_image(str(tmp_path / "x"))


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[" * 20_000])
def test_a_manifest_that_cannot_be_read(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    (tmp_path / "manifest.json").write_bytes(raw)
    with pytest.raises(DollyError, match="cannot read .*manifest.json"):
        source.find_image(str(tmp_path / "x"))
