# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chain dialect from end to end on loopback: every frame, every refusal, every way to break off."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import auth, feeder, server, wire
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.server import Image, Push
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.store import Store
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Survey, Target

from .conftest import IMAGE, Rig

SECRET = b"a secret of the push"


def states(outcomes: dict[str, t.Any]) -> list[str]:
    return [outcomes[name].state for name in sorted(outcomes)]


def test_three_nodes(rig: Rig) -> None:
    nodes = [rig.node(n) for n in (1, 2, 3)]
    outcomes = rig.push(1, 2, 3)
    assert [node.end() for node in nodes] == [0, 0, 0] and rig.whole(1, 2, 3)
    for outcome in outcomes.values():
        assert (outcome.state, outcome.bytes, outcome.digest) == ("ok", len(IMAGE), rig.image.sha256)
        assert outcome.seconds > 0 and outcome.mb_s > 0 and outcome.reason == ""


def test_nodes_that_hold_the_image_are_skipped(rig: Rig) -> None:
    rig.target(1).write_bytes(IMAGE)
    rig.target(2).write_bytes(b"?" * len(IMAGE))
    nodes = [rig.node(n) for n in (1, 2)]
    outcomes = rig.push(1, 2)
    assert states(outcomes) == ["skipped", "ok"] and outcomes["n1"].bytes == 0
    assert [node.end() for node in nodes] == [0, 0] and rig.target(2).read_bytes() == IMAGE


def test_asking_changes_nothing(rig: Rig) -> None:
    rig.target(1).write_bytes(IMAGE)
    nodes = [rig.node(n, timeout=0.9) for n in (1, 2)]
    push = Push(rig.image, [rig.route(n) for n in (1, 2, 3)], rig.options(deadline=0.3), query=True)
    push.gather()
    push.close("only asked")
    assert {outcome.name: outcome.state for outcome in push.outcomes()} == {
        "n1": "skipped",
        "n2": "ready",
        "n3": "absent",
    }
    assert sorted(os.listdir(rig.folder)) == ["image", "out1"]
    assert [node.end() for node in nodes] == [3, 3]


def test_absent_nodes_are_named_and_tolerated(rig: Rig) -> None:
    rig.node(1), rig.node(3)
    outcomes = rig.push(1, 2, 3, deadline=0.7, max_fail=1)
    assert states(outcomes) == ["ok", "absent", "ok"] and rig.whole(1, 3)
    assert outcomes["n2"].reason == "n2 (127.0.0.12 port %d): Connection refused" % rig.port


def test_nothing_is_sent_when_too_many_are_absent(rig: Rig) -> None:
    node = rig.node(1, timeout=0.7)
    outcomes = rig.push(1, 2, 3, deadline=0.5, max_fail=1)
    assert states(outcomes) == ["ready", "absent", "absent"]
    assert node.end() == 1 and not rig.target(1).exists() and not Path(str(rig.target(1)) + ".dolly").exists()


def test_nobody_comes(rig: Rig) -> None:
    assert rig.node(1, timeout=0.3).end() == 3


def test_a_late_node_is_waited_for(rig: Rig) -> None:
    push = Push(rig.image, [rig.route(1)], rig.options(deadline=5))
    push._turn(0.1)
    node = rig.node(1)
    push.gather()
    push.send()
    assert states({o.name: o for o in push.outcomes()}) == ["ok"] and node.end() == 0


# Refusals


def refused(rig: Rig, number: int = 1, **options: t.Any) -> str:
    outcomes = rig.push(number, deadline=2.0, **options)
    assert states(outcomes) == ["failed"]
    return str(outcomes["n%d" % number].reason)


def test_a_node_takes_only_its_image(rig: Rig) -> None:
    rig.node(1, sha256="0" * 64, timeout=2.0)
    assert "accepts only the image 0000" in refused(rig)


def test_a_node_takes_only_its_size(rig: Rig) -> None:
    rig.node(1, size=17, timeout=2.0)
    assert "accepts only an image of 17 bytes" in refused(rig)


def test_a_node_obeys_only_its_server(rig: Rig) -> None:
    rig.node(1, server="10.9.9.9", timeout=2.0)
    assert "obeys only the server 10.9.9.9" in refused(rig)


def test_a_node_with_another_name(rig: Rig) -> None:
    rig.node(2, timeout=2.0)
    route = rig.route(2)._replace(name="n7")
    push = Push(rig.image, [route], rig.options(deadline=1.0))
    push.gather()
    assert "this is node n2, not n7" in push.outcomes()[0].reason


def test_a_node_that_is_busy(rig: Rig) -> None:
    rig.node(1)
    first = Push(rig.image, [rig.route(1)], rig.options())
    first.gather()
    assert "takes part in another push" in refused(rig)
    first.send()
    assert first.outcomes()[0].state == "ok" and rig.whole(1)


@pytest.mark.parametrize(
    ("node", "push", "allow_open", "state"),
    [
        (SECRET, SECRET, False, "ok"),
        (b"", SECRET, True, "ok"),
        (b"", SECRET, False, "failed"),
        (SECRET, b"", False, "failed"),
        (SECRET, b"not the right secret", False, "failed"),
    ],
)
def test_secrets(rig: Rig, node: bytes, push: bytes, allow_open: bool, state: str) -> None:
    rig.node(1, secret=node, timeout=2.0)
    assert states(rig.push(1, secret=push, allow_open=allow_open, deadline=2.0)) == [state]
    assert rig.target(1).exists() == (state == "ok")


def test_nodes_without_a_secret_come_last(rig: Rig) -> None:
    rig.node(1), rig.node(2, secret=SECRET, sha256=""), rig.node(3, secret=SECRET)
    push = Push(rig.image, [rig.route(n) for n in (1, 2, 3)], rig.options(secret=SECRET, allow_open=True))
    push.gather()
    push.send()
    assert [contact.route.name for contact in push.contacts] == ["n2", "n3", "n1"] and rig.whole(1, 2, 3)


# Bytes by hand: the test is server, predecessor or stranger


class Raw:
    """A connection that speaks frames one by one."""

    def __init__(self, rig: Rig, number: int = 1) -> None:
        self.rig, self.sock = rig, rig.call(number)

    def send(self, kind: int, **fields: object) -> None:
        self.sock.sendall(wire.pack(kind, fields))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read(self) -> wire.Frame:
        """The next frame that is no beat."""
        while True:
            head = wire.unpack_header(self._exactly(20))
            frame = wire.verify(head, memoryview(self._exactly(head.length)))
            if frame.kind != wire.BEAT:
                return frame

    def greet(self, role: str, **fields: object) -> wire.Frame:
        """HELLO to the frame that follows AUTH."""
        image = self.rig.image
        hello = {"role": role, "session": "abc123", "sha256": image.sha256, "size": image.size, "silence": 3000}
        self.send(wire.HELLO, **dict(hello, to="n1", nonce="1", **fields))
        assert self.read().kind == wire.CHALLENGE
        self.send(wire.AUTH, proof="")
        return self.read()

    def state(self, wanted: str) -> wire.Fields:
        """Read STATUS frames until one has this state."""
        while True:
            frame = self.read()
            if frame.kind == wire.STATUS and frame.fields["state"] == wanted:
                return frame.fields


def session(rig: Rig) -> tuple[Raw, Raw]:
    """A node in a push: (control, data)."""
    control = Raw(rig)
    assert control.greet("control").fields["name"] == "n1"
    control.state("ready")
    data = Raw(rig)
    welcome = data.greet("data")
    assert (welcome.kind, welcome.fields["offset"]) == (wire.WELCOME, "0")
    return control, data


def test_every_frame_by_hand(rig: Rig) -> None:
    node = rig.node(1)
    control, data = session(rig)
    control.send(wire.PLAN, next_name="")
    half = len(IMAGE) // 2 // 4096 * 4096
    for offset in range(0, half, 1 << 20):
        data.sock.sendall(wire.pack_data(offset, IMAGE[offset : min(offset + (1 << 20), half)]))
    data.send(wire.BEAT, bytes=half)
    status = control.state("receiving")
    while status["bytes"] != str(half):
        status = control.state("receiving")
    data.sock.close()
    again = Raw(rig)
    assert again.greet("data").fields["offset"] == str(half)
    for offset in range(half, len(IMAGE), 1 << 20):
        again.sock.sendall(wire.pack_data(offset, IMAGE[offset : offset + (1 << 20)]))
    again.send(wire.END)
    assert again.read().kind == wire.END
    assert control.state("ok")["digest"] == rig.image.sha256
    control.send(wire.END)
    assert node.end() == 0 and rig.whole(1)


def abort_reason(raw: Raw) -> str:
    while True:
        frame = raw.read()
        if frame.kind == wire.ABORT:
            return frame.fields["reason"]


BAD_DATA = [
    (wire.pack_data(0, b"x" * 100)[:-1] + b"y", "crc32 of a DATA frame at offset 0 is wrong"),
    (wire.pack_data(4096, b"x" * 100), "data for offset 4096, expected 0"),
    (wire.pack_data(0, b""), "data for offset 0, expected 0"),
    (wire.pack(wire.END), "the stream ended at 0 of"),
    (wire.pack(wire.PLAN), "unexpected PLAN"),
    (b"garbage of more than twenty bytes", "not the chain dialect"),
]


@pytest.mark.parametrize(("raw", "reason"), BAD_DATA, ids=[reason for _raw, reason in BAD_DATA])
def test_a_bad_stream_costs_only_its_connection(rig: Rig, raw: bytes, reason: str) -> None:
    rig.node(1)
    control, data = session(rig)
    data.sock.sendall(raw)
    assert reason in abort_reason(data)
    better = Raw(rig)
    assert better.greet("data").fields["offset"] == "0"
    control.send(wire.ABORT, reason="enough")


@pytest.mark.parametrize(
    ("role", "fields", "reason"),
    [
        ("data", {}, "takes no part in that push"),
        ("control", {"sha256": "x"}, "names no SHA-256"),
        ("control", {"session": "../.."}, "no session id"),
        ("control", {"size": "0"}, "names no size"),
        ("control", {"size": "many"}, "field size is not a number"),
        ("queen", {}, "unknown role 'queen'"),
    ],
)
def test_a_stranger_is_refused(rig: Rig, role: str, fields: dict[str, str], reason: str) -> None:
    node = rig.node(1)
    frame = Raw(rig).greet(role, **fields) if not fields else _greet_with(rig, role, fields)
    assert frame.kind == wire.ABORT and reason in frame.fields["reason"]
    assert rig.push(1)["n1"].state == "ok" and node.end() == 0


def _greet_with(rig: Rig, role: str, fields: dict[str, str]) -> wire.Frame:
    raw, image = Raw(rig), rig.image
    hello = {"role": role, "session": "abc123", "sha256": image.sha256, "size": str(image.size), **fields}
    raw.send(wire.HELLO, **hello)
    raw.read()
    raw.send(wire.AUTH, proof="")
    return raw.read()


def test_another_session_cannot_join_the_stream(rig: Rig) -> None:
    rig.node(1)
    control, _data = session(rig)
    frame = _greet_with(rig, "data", {"session": "other"})
    assert frame.kind == wire.ABORT and "takes no part in that push" in frame.fields["reason"]
    control.send(wire.ABORT, reason="enough")


def test_probes_and_garbage(rig: Rig) -> None:
    node = rig.node(1)
    generator = random.Random(3)
    for number in range(30):
        sock = rig.call(1)
        if number % 3:
            sock.sendall(generator.randbytes(generator.randrange(1, 200)))
        sock.close()
    silent = [rig.call(1) for _number in range(5)]
    http = rig.call(1)
    http.sendall(b"GET / HTTP/1.1\r\nHost: node\r\n\r\n")
    assert rig.push(1)["n1"].state == "ok" and node.end() == 0 and rig.whole(1)
    for sock in [*silent, http]:
        sock.close()


def test_a_crowd_is_limited(rig: Rig) -> None:
    node = rig.node(1)
    crowd = [rig.call(1) for _number in range(80)]
    time.sleep(0.3)
    assert len(node.node.guests) <= 64
    for sock in crowd:
        sock.close()
    assert rig.push(1)["n1"].state == "ok"


# Failures on the way


def test_the_image_is_not_what_was_said(rig: Rig) -> None:
    for number in (1, 2):
        rig.node(number, timeout=1.0)
    lie = bytearray(IMAGE)
    lie[1_000_000] ^= 1
    rig.path.write_bytes(lie)
    outcomes = rig.push(1, 2)
    assert states(outcomes) == ["failed", "failed"]
    wrong = hashlib.sha256(lie).hexdigest()
    assert "the digest of the received image is %s, wanted %s" % (wrong, rig.image.sha256) in outcomes["n2"].reason
    assert not rig.target(1).exists() and "state=writing" in Path(str(rig.target(1)) + ".dolly").read_text()
    rig.path.write_bytes(IMAGE)


def test_the_image_becomes_shorter(rig: Rig) -> None:
    rig.node(1, timeout=1.0)
    with open(rig.path, "r+b") as stream:
        stream.truncate(1_500_000)
    outcomes = rig.push(1)
    assert "the image became shorter while it was sent" in outcomes["n1"].reason


@pytest.mark.parametrize("query", [True, False])
def test_a_target_that_is_too_small_is_known_before_the_start(
    rig: Rig, query: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "room", lambda target: 100)
    rig.node(1, timeout=0.5)
    push = Push(rig.image, [rig.route(1)], rig.options(deadline=2.0), query=query)
    push.gather()
    push.close("enough")
    outcome = push.outcomes()[0]
    assert (outcome.state, outcome.reason) == (
        "failed",
        "target %s has room for 100 bytes, the image has 3000017 (free space or name a larger target)" % rig.target(1),
    )
    assert not rig.target(1).exists()


def test_a_target_that_another_agent_writes(rig: Rig) -> None:
    node = rig.node(1)
    other = Store(Target(str(rig.target(1))), rig.image.sha256, 9, Survey("", 0, hashlib.sha256()))
    assert "another agent writes" in rig.push(1)["n1"].reason and node.end() == 1
    other.close()


class SmallTarget(Target):
    """A target on a disk that becomes full in the middle."""

    def room(self) -> int:
        return 1 << 40


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_full_disk_costs_only_that_node(rig: Rig, bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Store.write

    def write(store: Store, block: memoryview) -> None:
        if isinstance(store.target, SmallTarget) and store.written > 500_000:
            raise DollyError("cannot write it: No space left on device")
        honest(store, block)

    monkeypatch.setattr(Store, "write", write)
    nodes = {n: rig.node(n, SmallTarget(str(rig.target(n))) if n == bad else None) for n in (1, 2, 3)}
    outcomes = rig.push(1, 2, 3, max_fail=1)
    assert [name for name, outcome in outcomes.items() if outcome.state != "ok"] == ["n%d" % bad]
    assert outcomes["n%d" % bad].reason == "cannot write it: No space left on device"
    assert nodes[bad].end() == 1 and rig.whole(*({1, 2, 3} - {bad}))
    assert "state=writing" in Path("%s.dolly" % rig.target(bad)).read_text()


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_node_that_dies_is_cut_out_and_named(rig: Rig, bad: int, slow: None) -> None:
    nodes = {n: rig.node(n) for n in (1, 2, 3)}

    def hook(push: Push) -> None:
        if push.feeder is not None and push.feeder._offset > 600_000:
            nodes[bad].stop()

    outcomes = rig.push(1, 2, 3, max_fail=1, hook=hook)
    assert [name for name, outcome in outcomes.items() if outcome.state != "ok"] == ["n%d" % bad]
    assert "n%d (127.0.0.%d port" % (bad, 10 + bad) in outcomes["n%d" % bad].reason
    assert rig.whole(*({1, 2, 3} - {bad}))


def test_a_server_that_dies_leaves_markers_and_the_next_push_resumes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, slow: None
) -> None:
    nodes = [rig.node(n) for n in (1, 2)]

    class Killed(Exception):
        pass

    def hook(push: Push) -> None:
        if all(node.node.session is not None and node.node.session.written > 300_000 for node in nodes):
            raise Killed

    monkeypatch.setattr(Push, "close", lambda push, reason: [c.drop() for c in push.contacts] + [push.feeder.drop()])
    with pytest.raises(Killed):
        rig.push(1, 2, hook=hook)
    monkeypatch.undo()
    assert not rig.target(1).exists()
    until = time.monotonic() + 5
    while any(node.node.session is not None for node in nodes) and time.monotonic() < until:
        time.sleep(0.01)
    marker = Path(str(rig.target(1)) + ".dolly").read_text()
    assert "state=writing" in marker and "offset=0\n" not in marker
    outcomes = rig.push(1, 2)
    assert states(outcomes) == ["ok", "ok"] and [node.end() for node in nodes] == [0, 0] and rig.whole(1, 2)


def test_a_server_that_falls_silent(rig: Rig) -> None:
    node = rig.node(1, timeout=0.5)
    raw = Raw(rig)
    raw.sock.settimeout(10)
    image = rig.image
    hello = {"role": "control", "session": "abc", "sha256": image.sha256, "size": image.size, "silence": 1000}
    raw.send(wire.HELLO, **hello)
    raw.read()
    raw.send(wire.AUTH, proof="")
    assert node.end() == 1
    assert "silent" in node.node.last_reason


class Mute:
    """Accepts connections and says nothing."""

    def __init__(self, rig: Rig, number: int, frames: bytes = b"") -> None:
        self.sock = socket.create_server((rig.address(number), rig.port))

    def __enter__(self) -> Mute:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.sock.close()


def test_a_node_that_says_nothing_is_absent(rig: Rig) -> None:
    rig.node(1)
    with Mute(rig, 2):
        outcomes = rig.push(1, 2, deadline=1.0, max_fail=1)
    assert states(outcomes) == ["ok", "absent"]
    assert "does not answer" in outcomes["n2"].reason


def test_something_else_on_the_port(rig: Rig) -> None:
    with Mute(rig, 1) as other:
        push = Push(rig.image, [rig.route(1)], rig.options(deadline=1.0))
        push._turn(0.05)
        sock, _address = other.sock.accept()
        sock.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        push.gather()
        sock.close()
    assert "not the chain dialect" in push.outcomes()[0].reason and push.outcomes()[0].state == "absent"


def test_a_node_without_progress_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.node(1), rig.node(2)
    honest = feeder.Feeder.pump

    def pump(self: feeder.Feeder) -> None:
        if self.route.name != "n2" or self.state != "sending":
            honest(self)

    monkeypatch.setattr(feeder.Feeder, "pump", pump)
    outcomes = rig.push(1, 2, timeout=1.0, max_fail=1)
    assert states(outcomes) == ["ok", "failed"] and "no progress for 1 s at 0 bytes" in outcomes["n2"].reason


def test_the_time_spent_waiting_for_others_is_no_lack_of_progress(rig: Rig) -> None:
    rig.node(1), rig.node(2)
    assert states(rig.push(1, 2, 3, deadline=1.2, timeout=0.6, max_fail=1)) == ["ok", "ok", "absent"]


# Small parts


def test_frames_are_as_long_as_a_link_carries_in_4_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(feeder.time, "monotonic", lambda: clock[0])
    pace = feeder.Pace()
    for rate, limit in ((12_500_000, 49152), (125_000_000, 499712), (10**10, 1 << 20), (1000, 32768)):
        clock[0] += 0.3
        pace.note(int(rate * 0.3))
        assert pace.limit == limit


def test_a_growing_source_repeats_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(IMAGE[:10_000])
    fd = os.open(path, os.O_RDONLY)
    source = feeder.GrowingSource(fd, 20_000, 1000)
    for offset, length in ((1000, 3000), (4000, 6000)):
        source.append(offset, length, wire.checksum(wire.DATA, offset, IMAGE[offset : offset + length]))
    assert source.available == 10_000
    place, seen = 0, []
    while place < source.available:
        length, crc = source.frame(place, 700)
        assert crc == wire.checksum(wire.DATA, place, IMAGE[place : place + length])
        seen.append((place, length))
        place += length
    assert seen == [(0, 700), (700, 300), (1000, 3000), (4000, 6000)]
    assert source.frame(2000, 700)[0] == 700
    os.close(fd)


def test_push_of_nothing_useful(rig: Rig) -> None:
    push = Push(Image(str(rig.path), 5, "0" * 64), [], server.PushOptions())
    push.gather()
    push.send()
    assert push.outcomes() == [] and not push.too_many()


def test_proofs_differ_each_time() -> None:
    assert auth.nonce() != auth.nonce() and len(auth.nonce()) == 32
