# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a target, killed at every call of the system, and what the next push makes of it."""

from __future__ import annotations

import builtins
import contextlib
import gc
import hashlib
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import session, store, target
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.link import Poller
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.session import Offer, Session
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.store import Store
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Survey, Target, run_steps
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.wire import Frame, pack_data
from hypothesis import given, settings
from hypothesis import strategies as st

NEW = bytes(range(251)) * 8
OLD = b"the image of last week" * 100
SHA = hashlib.sha256(NEW).hexdigest()
CALLS = ("open", "pwrite", "fsync", "replace", "ftruncate", "fchmod", "makedirs")


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


class Fate:
    """Counts calls of the system; the one numbered ``last`` kills, before or after it has done its work."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int, after: bool) -> None:
        self.count, self.last, self.after = 0, last, after
        for name in CALLS:
            patch.setattr(os, name, self._wrap(getattr(os, name)))
        patch.setattr(builtins, "open", self._wrap(builtins.open))

    def _wrap(self, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **words: t.Any) -> t.Any:
            self.count += 1
            if self.count != self.last:
                return real(*args, **words)
            if self.after:
                with contextlib.suppress(OSError):
                    real(*args, **words)
            raise Killed

        return call


def look(where: Target) -> Survey:
    return t.cast("Survey", run_steps(where.survey(SHA, len(NEW))))


def push(where: Target) -> None:
    """From the survey to the last rename."""
    found = look(where)
    if found.holds:
        return
    one = Store(where, SHA, len(NEW), found, "s1")
    try:
        while one.written < len(NEW):
            one.write(memoryview(NEW[one.written : one.written + 333]))
        one.complete()
    finally:
        one.close()


def fresh(folder: Path, block: bool) -> Target:
    (folder / "out").write_bytes(OLD)
    return Target(str(folder / "out"), str(folder / "state"), block=block)


def calls_of_a_push(folder: Path, block: bool) -> int:
    where = fresh(folder, block)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "CHECKPOINT", 700)
        fate = Fate(patch, -1, False)
        push(where)
    return fate.count


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("block", [False, True], ids=["file", "device"])
def test_killed_anywhere_and_pushed_again(tmp_path: Path, block: bool, after: bool) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    total = calls_of_a_push(whole, block)
    assert total > 25
    for last in range(1, total + 1):
        folder = tmp_path / str(last)
        folder.mkdir()
        where = fresh(folder, block)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "CHECKPOINT", 700)
            Fate(patch, last, after)
            with pytest.raises(Killed):
                push(where)
        gc.collect()
        now = Path(where.path).read_bytes()
        if not block:
            assert now in (OLD, NEW), "call %d left half an image under its name" % last
        elif now != OLD:
            state = where.read_marker().get("state")
            assert state in ("writing", "complete"), "call %d left a device without a marker" % last
            assert state == "writing" or now[: len(NEW)] == NEW
        found = look(where)
        assert found.holds in ("", SHA) and (not found.holds or now[: len(NEW)] == NEW)
        push(where)
        assert Path(where.path).read_bytes()[: len(NEW)] == NEW and look(where).holds == SHA
        assert where.read_marker().get("state", "complete") != "" and not os.path.exists(where.path + ".partial")


def test_a_push_continues_behind_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHECKPOINT", 700)
    where = fresh(tmp_path, False)
    one = Store(where, SHA, len(NEW), look(where), "s1")
    while one.written < 1500:
        one.write(memoryview(NEW[one.written : one.written + 333]))
    os.close(one.fd)
    # 999 is where the third block passed 700, and 1332 is not yet past 999 + 700.
    assert look(where).offset == 999 and os.path.getsize(where.data) == 1665


@pytest.mark.parametrize("offset", ["12x", "\u00b2", "1" * 30, "0x10", "1.5", " 7", "\u0663"])
def test_an_offset_that_is_no_number_begins_anew(tmp_path: Path, offset: str) -> None:
    where = fresh(tmp_path, False)
    one = Store(where, SHA, len(NEW), look(where), "s1")
    one.write(memoryview(NEW[:333]))
    one.pause()
    assert look(where).offset == 333
    where.write_marker(dict(where.read_marker(), offset=offset))
    assert look(where)[:2] == ("", 0)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_marker_is_survived(tmp_path_factory: pytest.TempPathFactory, raw: bytes, ours: bool) -> None:
    folder = tmp_path_factory.mktemp("m")
    where = fresh(folder, False)
    Path(where.marker).write_bytes(b"xtreemos dolly marker 1\n" * ours + raw)
    assert look(where)[:2] == ("", 0)
    push(where)
    assert look(where).holds == SHA


@given(st.dictionaries(st.text("abcdef_", min_size=1), st.text(st.characters(min_codepoint=32, max_codepoint=126))))
def test_a_marker_comes_back(tmp_path_factory: pytest.TempPathFactory, fields: dict[str, str]) -> None:
    where = fresh(tmp_path_factory.getbasetemp(), False)
    where.write_marker(fields, durable=False)
    assert where.read_marker() == fields


# The state machine of a node, without a network


def taking_part(where: Target, size: int = len(NEW), sha256: str = SHA) -> Session:
    one = Session(Offer("s1", sha256, size, 5.0), where, Poller(), b"")
    while one.state == "checking":
        one.tick(time.monotonic())
    return one


def block(offset: int, body: bytes) -> Frame:
    return Frame(6, offset, memoryview(body), int.from_bytes(pack_data(offset, body)[16:20], "big"))


def settled(one: Session) -> str:
    while one.state == "syncing":
        one.tick(time.monotonic())
    return one.state


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), DollyError("no"), OSError(28, "No space left")])
def test_a_completion_that_fails_is_never_ok(
    tmp_path: Path, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete(_store: Store) -> None:
        raise trouble

    monkeypatch.setattr(Store, "complete", complete)
    one = taking_part(fresh(tmp_path, False))
    one.open()
    one.data(block(0, NEW))
    assert settled(one) == "failed" and str(trouble) in one.reason and one.status()["digest"] == ""


def test_a_wrong_image_is_not_ok_even_when_its_marker_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = taking_part(fresh(tmp_path, False))
    one.open()

    def full(_target: Target, _fields: object, durable: bool = True) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Target, "write_marker", full)
    one.data(block(0, NEW[:-1] + b"?"))
    assert settled(one) == "failed" and "the digest of the received image is" in one.reason
    assert (tmp_path / "out").read_bytes() == OLD


def test_a_thread_that_dies_of_anything_leaves_no_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(session.threading.Thread, "join", lambda self, timeout=None: None)
    one = taking_part(fresh(tmp_path, False))
    one.open()
    one.data(block(0, NEW))
    assert settled(one) == "failed" and one.reason == "the target was not completed"


def test_a_fresh_completion_is_ok(tmp_path: Path) -> None:
    one = taking_part(fresh(tmp_path, False))
    one.open()
    one.data(block(0, NEW))
    assert settled(one) == "ok" and one.status()["digest"] == SHA and (tmp_path / "out").read_bytes() == NEW


@pytest.mark.parametrize(
    ("given_offset", "size", "message"),
    [(1, 10, "data for offset 1, expected 0"), (0, 0, "data for offset 0"), (0, len(NEW) + 1, "data for offset 0")],
)
def test_data_at_the_wrong_place(tmp_path: Path, given_offset: int, size: int, message: str) -> None:
    one = taking_part(fresh(tmp_path, False))
    one.open()
    with pytest.raises(DollyError, match=message):
        one.data(block(given_offset, b"x" * size))
    assert one.written == 0 and one.state == "receiving"


def test_data_before_and_after_its_time(tmp_path: Path) -> None:
    one = taking_part(fresh(tmp_path, False))
    with pytest.raises(DollyError, match="data while the node is ready"):
        one.data(block(0, b"x"))
    one.fail("enough")
    with pytest.raises(DollyError, match=r"not ready for data \(failed\)"):
        one.open()
    one.fail("again")
    assert one.reason == "enough"


def test_a_target_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str, _size: int) -> t.Iterator[None]:
        yield from ()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(target, "hash_file", refuse)
    where = fresh(tmp_path, False)
    Path(where.path).write_bytes(b"?" * len(NEW))
    one = taking_part(where)
    assert (one.state, one.fatal) == ("failed", True) and "cannot read the target" in one.reason


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [(16, "Device or resource busy", "unmount it"), (13, "Permission denied", ""), (30, "Read-only file system", "")],
)
def test_a_target_that_cannot_be_opened(
    tmp_path: Path, number: int, message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, where = os.open, fresh(tmp_path, True)

    def refuse(path: str, flags: int, mode: int = 0o777) -> int:
        if path == where.data and flags & os.O_RDWR:
            raise OSError(number, message)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DollyError, match="cannot open target .*" + message) as caught:
        Store(where, SHA, len(NEW), look(where))
    assert caught.value.hint == hint


def test_a_refused_target_leaves_no_open_file(tmp_path: Path) -> None:
    where = fresh(tmp_path, False)
    first = Store(where, SHA, len(NEW), look(where))
    before = os.listdir("/proc/self/fd")
    for _try in range(3):
        with pytest.raises(DollyError, match="another agent writes"):
            Store(where, SHA, len(NEW), look(where))
    assert os.listdir("/proc/self/fd") == before
    first.close()


@pytest.mark.parametrize("what", ["mark", "rename", "folder"])
def test_disks_that_refuse_late(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = fresh(tmp_path, False)
    one = Store(where, SHA, len(NEW), look(where))
    one.write(memoryview(NEW))

    def refuse(*_args: object, **_words: object) -> None:
        raise OSError(30, "Read-only file system")

    places = {"mark": (Target, "write_marker"), "rename": (os, "replace"), "folder": (store, "sync_folder")}
    monkeypatch.setattr(*places[what], refuse)
    with pytest.raises(DollyError, match="cannot finish .*/out: Read-only file system"):
        one.complete()
    one.pause()
    assert (tmp_path / "out").read_bytes() == (OLD if what == "rename" else NEW)
