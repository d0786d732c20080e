# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection: what arrives in any pieces, what leaves in one segment, when poll() sleeps, and how it ends."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import classic, link, wire
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.contact import Contact, PushOptions
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.dial import Route
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError, LinkLost, WireError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.feeder import Feeder, Source
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.link import FileRange, Link, Poller
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import IMAGE, Rig
from .test_dolly_chain import Raw
from .test_dolly_chain import session as joined

SHA = "a" * 64


@contextlib.contextmanager
def pair() -> t.Iterator[tuple[Link, socket.socket]]:
    """(our end, the raw other end) of a TCP connection."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(1)
        other = socket.create_connection(door.getsockname())
        ours = Link(door.accept()[0], "the peer", 5.0)
    other.settimeout(5)
    try:
        yield ours, other
    finally:
        ours.close()
        other.close()


def heard(ours: Link, count: int) -> list[tuple[int, int, bytes]]:
    """The next ``count`` frames."""
    found: list[tuple[int, int, bytes]] = []
    poll = select.poll()
    poll.register(ours.fd, select.POLLIN)
    until = time.monotonic() + 5
    while len(found) < count and time.monotonic() < until:
        poll.poll(100)
        found.extend((frame.kind, frame.offset, bytes(frame.body)) for frame in ours.frames())
    return found


FRAMES = st.lists(
    st.one_of(
        st.tuples(st.just(wire.DATA), st.integers(0, 2**40), st.binary(max_size=3000)),
        st.tuples(st.sampled_from([wire.BEAT, wire.STATUS, wire.END]), st.just(0), st.just(b"a=b\n")),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(FRAMES, st.lists(st.integers(1, 900), min_size=1, max_size=12), st.integers(0, 5000))
def test_frames_in_any_pieces_and_with_any_guess(
    frames: list[tuple[int, int, bytes]], cuts: list[int], guess: int
) -> None:
    raw = b"".join(
        wire.pack_header(kind, len(body), offset, wire.checksum(kind, offset, body)) + body
        for kind, offset, body in frames
    )
    with pair() as (ours, other):
        ours.expect(guess)
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got: list[tuple[int, int, bytes]] = []
        place = 0
        for cut in cuts:
            other.sendall(raw[place : place + cut])
            place += cut
            got.extend((frame.kind, frame.offset, bytes(frame.body)) for frame in ours.frames())
        other.sendall(raw[place:])
        other.shutdown(socket.SHUT_WR)
        with pytest.raises(LinkLost, match="the peer closed the connection"):
            while True:
                got.extend((frame.kind, frame.offset, bytes(frame.body)) for frame in ours.frames())
                time.sleep(0.001)
        assert got == frames


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_give_frames_or_one_error(raw: bytes) -> None:
    with pair() as (ours, other):
        other.sendall(raw)
        other.shutdown(socket.SHUT_WR)
        try:
            while True:
                for frame in ours.frames():
                    assert raw.startswith(b"xd") and frame.kind
        except (LinkLost, WireError) as error:
            assert str(error)


def ready(ours: Link, milliseconds: int = 100) -> bool:
    poll = select.poll()
    poll.register(ours.fd, select.POLLIN)
    return bool(poll.poll(milliseconds))


def test_poll_sleeps_until_the_expected_frame_is_whole() -> None:
    frame = wire.pack_data(0, b"x" * 5000)
    with pair() as (ours, other):
        assert list(ours.frames()) == [] and not ours.guessing
        other.sendall(frame[:20])
        assert ready(ours)
        assert list(ours.frames()) == [] and not ready(ours), "the header is known: only the whole body wakes"
        other.sendall(frame[20:])
        assert [len(body) for _kind, _offset, body in heard(ours, 1)] == [5000]
        ours.expect(5000)
        assert list(ours.frames()) == [] and ours.guessing
        other.sendall(frame[:-1])
        assert not ready(ours), "one byte is missing"
        other.sendall(frame[-1:])
        assert ready(ours) and len(list(ours.frames())) == 1


def test_a_guess_that_is_too_high_still_reads_and_still_sees_the_end() -> None:
    with pair() as (ours, other):
        ours.expect(100_000)
        assert list(ours.frames()) == [] and ours.guessing
        other.sendall(wire.pack(wire.BEAT))
        assert not ready(ours)
        assert [frame.kind for frame in ours.frames()] == [wire.BEAT]
        other.close()
        assert ready(ours, 2000), "the end of the connection wakes whatever was expected"


def test_a_header_leaves_together_with_its_body(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"i" * 400)
    fd = os.open(tmp_path / "image", os.O_RDONLY)
    header = wire.pack_header(wire.DATA, 400, 0, wire.checksum(wire.DATA, 0, b"i" * 400))
    with pair() as (ours, other):
        ours.post_file(header, FileRange(fd, 0, 400))
        sent = []
        real = ours.sock.send

        class Spy:
            def __getattr__(self, name: str) -> t.Any:
                return getattr(real.__self__, name)

            def send(self, data: memoryview, flags: int = 0) -> int:
                sent.append((len(data), flags))
                return real(data, flags)

        ours.sock = t.cast("socket.socket", Spy())
        ours.flush()
        ours.post(wire.pack(wire.BEAT))
        ours.flush()
        assert sent == [(20, socket.MSG_MORE), (20, 0)], "a frame without a body of its own leaves at once"
        assert other.recv(440, socket.MSG_WAITALL) == header + b"i" * 400 + wire.pack(wire.BEAT)
    os.close(fd)


def test_a_full_socket_keeps_the_rest_in_order(tmp_path: Path) -> None:
    body = os.urandom(700_000)
    (tmp_path / "image").write_bytes(body)
    fd = os.open(tmp_path / "image", os.O_RDONLY)
    with pair() as (ours, other):
        wanted = b""
        for offset in range(0, len(body), 100_000):
            piece = body[offset : offset + 100_000]
            head = wire.pack_header(wire.DATA, len(piece), offset, wire.checksum(wire.DATA, offset, piece))
            ours.post_file(head, FileRange(fd, offset, len(piece)))
            wanted += head + piece
        got = b""
        while len(got) < len(wanted):
            ours.flush()
            got += other.recv(50_000)
        assert got == wanted and ours.idle
    os.close(fd)


def test_an_image_that_shrinks_under_sendfile(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"x" * 10)
    fd = os.open(tmp_path / "image", os.O_RDONLY)
    with pair() as (ours, _other):
        ours.post_file(b"h" * 20, FileRange(fd, 0, 11))
        ours.flush()
        with pytest.raises(LinkLost, match="the image became shorter while it was sent"):
            ours.flush()
    os.close(fd)


def test_a_peer_that_is_gone() -> None:
    with pair() as (ours, other):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        other.close()
        time.sleep(0.05)
        with pytest.raises(LinkLost, match="the peer: "):
            for _try in range(50):
                ours.post(b"x" * 100_000)
                ours.flush()
    with pair() as (ours, other):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        other.close()
        time.sleep(0.05)
        with pytest.raises(LinkLost, match="the peer: Connection reset"):
            list(ours.frames())


def test_silence_and_beats() -> None:
    with pair() as (ours, _other):
        ours.check(ours.heard + 5.0)
        with pytest.raises(LinkLost, match="the peer has been silent for 6 s"):
            ours.check(ours.heard + 6.0)
        ours.beat(ours.sent + 0.9, b"early")
        assert ours.idle
        ours.beat(ours.sent + 1.0, b"beat")
        ours.beat(ours.sent + 9.0, b"not while something waits")
        ours.flush()
        assert ours.idle and _other.recv(100) == b"beat"


def test_poller_handlers_that_remove_each_other() -> None:
    poller, called = Poller(), []
    with pair() as (one, other_one), pair() as (two, other_two):
        for mine, theirs in ((one, two), (two, one)):

            def handler(_mask: int, mine: Link = mine, theirs: Link = theirs) -> None:
                called.append(mine.peer)
                poller.remove(theirs.fd)

            poller.add(mine.fd, handler)
        other_one.sendall(b"x")
        other_two.sendall(b"x")
        time.sleep(0.05)
        poller.wait(1.0)
        assert len(called) == 1
        poller.remove(one.fd)
        poller.remove(two.fd)
        poller.remove(two.fd)
        poller.want_write(two.fd, True)
        before = time.monotonic()
        poller.wait(0.05)
        assert time.monotonic() - before >= 0.05


BAD_ADDRESSES = [("127.0.0.1", 70_000), ("a..b", 9995), ("x" * 300, 9995), ("127.0.0.1", 10**18), ("no\0dns", 1)]


@pytest.mark.parametrize(("address", "port"), BAD_ADDRESSES)
def test_addresses_that_cannot_be_called(address: str, port: int) -> None:
    with pytest.raises(LinkLost, match="port %d: " % port):
        link.connect(address, port)


@pytest.mark.parametrize(("address", "port"), BAD_ADDRESSES)
def test_addresses_that_classic_cannot_call(address: str, port: int) -> None:
    with pytest.raises(LinkLost, match="port %d: " % port):
        classic.dial(address, port, time.monotonic() + 0.05)


# What a node may say


def contact(poller: Poller) -> Contact:
    one = Contact(poller, Route("n1", "127.0.0.1"), {"sha256": SHA, "silence": "5000"}, PushOptions())
    one.phase = "open"
    return one


def status(**fields: object) -> wire.Frame:
    raw = wire.pack(wire.STATUS, fields)
    return wire.verify(wire.unpack_header(raw[:20]), memoryview(raw)[20:])


@pytest.mark.parametrize(
    ("fields", "state", "reason", "digest"),
    [
        ({"state": "ok", "bytes": 7, "ms": 2000, "digest": SHA}, "ok", "", SHA),
        ({"state": "skipped", "bytes": 7, "digest": SHA}, "skipped", "", SHA),
        ({"state": "failed", "bytes": 3, "reason": "disk full"}, "failed", "disk full", ""),
        ({"state": "receiving", "bytes": 3}, "receiving", "", ""),
        ({"state": "", "bytes": 3}, "", "", ""),
    ],
)
def test_what_a_node_says_of_itself(fields: dict[str, object], state: str, reason: str, digest: str) -> None:
    one = contact(Poller())
    one.frame(status(**fields))
    outcome = one.outcome()
    assert (outcome.state, outcome.reason, outcome.digest) == (state, reason, digest)
    assert outcome.mb_s == 0.0 and outcome.bytes == (0 if state == "skipped" else fields["bytes"])


@pytest.mark.parametrize("digest", ["", "b" * 64, SHA.upper()])
@pytest.mark.parametrize("state", ["ok", "skipped"])
def test_a_node_that_holds_something_else_is_not_ok(state: str, digest: str) -> None:
    one = contact(Poller())
    with pytest.raises(
        WireError, match=r"n1 \(127.0.0.1 port 9995\) says that it holds the image, with another digest"
    ):
        one.frame(status(state=state, bytes=7, digest=digest))
    assert one.outcome().state == "failed"


@pytest.mark.parametrize("count", ["\u00b2", "-1", "1e3", "9" * 20, "\u0663"])
def test_a_count_that_is_none(count: str) -> None:
    with pytest.raises(WireError, match="field bytes is not a number"):
        contact(Poller()).frame(status(state="receiving", bytes=count))


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_any_body_of_a_status_is_survived(body: bytes) -> None:
    one = contact(Poller())
    try:
        one.frame(wire.Frame(wire.STATUS, 0, memoryview(body), 0))
    except DollyError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("kind", "state", "after"),
    [(wire.END, "sending", None), (wire.BEAT, "sending", "sending"), (wire.STATUS, "sending", None)],
)
def test_what_a_successor_may_say(tmp_path: Path, kind: int, state: str, after: str | None) -> None:
    (tmp_path / "image").write_bytes(IMAGE)
    fd = os.open(tmp_path / "image", os.O_RDONLY)
    one = Feeder(Poller(), Source(fd, len(IMAGE)), Route("n2", "127.0.0.1"), {"silence": "5000"})
    one.state = state
    frame = wire.Frame(kind, 0, memoryview(b""), 0)
    if after is None:
        with pytest.raises(WireError, match="n2 .* sent an unexpected"):
            one.frame(frame)
    else:
        one.frame(frame)
        assert one.state == after
    with pytest.raises(WireError, match="asks for offset 99999999 of %d" % len(IMAGE)):
        one.opened({"offset": "99999999"})
    os.close(fd)


# A whole node whose guess is wrong


def test_a_smaller_frame_than_before_is_seen_within_a_tick(rig: Rig) -> None:
    node = rig.node(1)
    control, data = joined(rig)
    control.send(wire.PLAN, next_name="")
    data.sock.sendall(wire.pack_data(0, IMAGE[:100_000]))
    data.sock.sendall(wire.pack_data(100_000, IMAGE[100_000:100_100]))
    while control.state("receiving")["bytes"] != "100100":
        pass
    data.sock.close()
    again = Raw(rig)
    assert again.greet("data").fields["offset"] == "100100"
    for offset in range(100_100, len(IMAGE), 1 << 20):
        again.sock.sendall(wire.pack_data(offset, IMAGE[offset : offset + (1 << 20)]))
    again.send(wire.END)
    assert again.read().kind == wire.END
    control.state("ok")
    control.send(wire.END)
    assert node.end() == 0 and rig.whole(1)


def test_beats_behind_a_wrong_guess_keep_the_link(rig: Rig) -> None:
    rig.node(1)
    control, data = joined(rig)
    control.send(wire.PLAN, next_name="")
    data.sock.sendall(wire.pack_data(0, IMAGE[:100_000]))
    until = time.monotonic() + 4.2
    while time.monotonic() < until:
        data.send(wire.BEAT)
        control.send(wire.BEAT)
        time.sleep(0.5)
    data.sock.sendall(wire.pack_data(100_000, IMAGE[100_000:100_100]))
    while control.state("receiving")["bytes"] != "100100":
        pass


def test_a_plan_that_leads_nowhere_is_told_and_harms_nobody(rig: Rig) -> None:
    rig.node(1)
    control, data = joined(rig)
    control.send(wire.PLAN, plan=1, next_name="n2", next_address="a..b", next_port=99999)
    data.sock.sendall(wire.pack_data(0, IMAGE[:1000]))
    while control.state("receiving")["bytes"] != "1000":
        pass
