# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The greeting: HMAC against the standard library, and every way to be refused."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import auth, wire
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError, WireError
from hypothesis import given
from hypothesis import strategies as st

SECRET, OTHER = b"a secret of the push", b"another secret here."


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_hmac_is_that_of_the_standard_library(key: bytes, message: bytes) -> None:
    assert auth.hmac_sha256(key, message) == hmac.new(key, message, hashlib.sha256).hexdigest()


def test_hmac_rfc_4231_case_2() -> None:
    golden = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert auth.hmac_sha256(b"Jefe", b"what do ya want for nothing?") == golden


@given(st.text("abc", max_size=4), st.text("abc", max_size=4))
def test_same(left: str, right: str) -> None:
    assert auth.same(left, right) == (left == right)


def frame(raw: bytes) -> wire.Frame:
    return wire.verify(wire.unpack_header(raw[:20]), memoryview(raw)[20:])


def greet(caller_secret: bytes, callee_secret: bytes, allow_open: bool = False) -> tuple[auth.Caller, wire.Fields]:
    """A whole greeting; the fields that the callee admits."""
    caller = auth.Caller({"role": "control", "session": "s1"}, caller_secret, allow_open)
    callee = auth.Callee("n1", callee_secret)
    answer = caller.answer(frame(callee.challenge(frame(caller.start()))))
    fields = callee.admit(frame(answer))
    caller.welcome(frame(wire.pack(wire.WELCOME, {"proof": callee.proof()})))
    return caller, fields


@pytest.mark.parametrize(
    ("ours", "theirs", "allow_open", "authenticated"),
    [(b"", b"", False, False), (SECRET, SECRET, False, True), (SECRET, b"", True, False)],
)
def test_greetings_that_succeed(ours: bytes, theirs: bytes, allow_open: bool, authenticated: bool) -> None:
    caller, fields = greet(ours, theirs, allow_open)
    assert caller.authenticated is authenticated
    assert (fields["role"], fields["session"], len(fields["nonce"])) == ("control", "s1", 32)


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (b"", SECRET, "wants the secret"),
        (SECRET, b"", "knows no secret"),
        (OTHER, SECRET, "does not know the secret"),
    ],
)
def test_greetings_that_fail(ours: bytes, theirs: bytes, message: str) -> None:
    with pytest.raises(DollyError, match=message):
        greet(ours, theirs)


def test_a_callee_with_another_secret_is_found_out() -> None:
    caller, callee = auth.Caller({"role": "data"}, SECRET), auth.Callee("n1", OTHER)
    caller.answer(frame(callee.challenge(frame(caller.start()))))
    with pytest.raises(DollyError, match="another secret"):
        caller.welcome(frame(wire.pack(wire.WELCOME, {"proof": callee.proof()})))


def test_a_proof_does_not_fit_another_hello() -> None:
    caller, callee = auth.Caller({"sha256": "good"}, SECRET), auth.Callee("n1", SECRET)
    answer = caller.answer(frame(callee.challenge(frame(caller.start()))))
    hello = dict(frame(caller.start()).fields, sha256="evil")
    replay = auth.Callee("n1", SECRET)
    replay.challenge(frame(wire.pack(wire.HELLO, hello)))
    with pytest.raises(DollyError, match="does not know"):
        replay.admit(frame(answer))


def test_frames_in_the_wrong_order() -> None:
    caller, callee, beat = auth.Caller({}), auth.Callee("n1"), frame(wire.pack(wire.BEAT))
    for step in (caller.answer, caller.welcome, callee.challenge, callee.admit):
        with pytest.raises(WireError, match=r"expected [A-Z]+, got BEAT"):
            step(beat)


def test_secret_files(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"  0123456789abcdef\n")
    assert auth.read_secret(str(path)) == b"0123456789abcdef"
    path.write_bytes(b"short\n")
    with pytest.raises(DollyError, match="less than 16 bytes"):
        auth.read_secret(str(path))
    with pytest.raises(DollyError, match="cannot read the secret file"):
        auth.read_secret(str(tmp_path / "none"))
