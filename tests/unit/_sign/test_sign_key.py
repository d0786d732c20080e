# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which key signs, and whether it may: tables, and the real agent."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import home as homes
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import key as key_of
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.home import Home, Passphrase, read_passphrase
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.key import Key, Part
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import PASSPHRASE, Keys

A, B, C = "A" * 39 + "1", "B" * 39 + "2", "C" * 39 + "3"
NOW = 1_000_000.0
SECRET = Passphrase(PASSPHRASE.encode())

LISTING = """tru::1:1795777218:0:3:1:5
pub:-:4096:1:0000000000000001:1000:2000000:::::scESC:::::::
fpr:::::::::%s:
grp:::::::::GRIP1:
uid:-::::1000::X::A \\x3cB\\x3e <a@example.org>::::::::::0:
sub:-:255:22:0000000000000002:2000::::::s:::::ed25519::
fpr:::::::::%s:
grp:::::::::GRIP2:
pub:r:255:22:0000000000000003:3000::::::sc:::::ed25519::
fpr:::::::::%s:
""" % (A, B, C)


def test_listing() -> None:
    first, second = key_of.parse_colons(LISTING)
    assert (first.fingerprint, first.users) == (A, ["A <B> <a@example.org>"])
    assert first.fingerprints == {A.lower(), B.lower()}
    assert first.parts[1] == Part("sub", "-", 22, 2000, 0, "s", "ed25519", B, "GRIP2")
    assert (second.fingerprint, second.parts[0].validity) == (C, "r")
    assert key_of.parse_colons("") == key_of.parse_colons("fpr:::::::::%s:\nuid\nsub:\n" % A) == []


def part(fingerprint: str, **more: t.Any) -> Part:
    row = {"kind": "sub", "validity": "-", "algorithm": 22, "created": 10, "ends": 0, "can": "s", "curve": "ed25519"}
    return Part(**{**row, "fingerprint": fingerprint, **more})


@pytest.mark.parametrize(
    ("parts", "wanted", "names"),
    [
        ([part(A)], A, [A]),
        ([part(A, can="c"), part(B)], A, [B]),
        ([part(A, can="sc"), part(B), part(C, created=20)], A, [C, B, A]),
        ([part(A, can="sc"), part(B), part(C, created=20)], B, [B]),
        ([part(A), part(B, validity="e", ends=20)], A, [A]),
        ([part(A), part(B, validity="r")], A, [A]),
        ([part(A), part(B, can="e")], A, [A]),
        ([part(A, algorithm=17, curve=""), part(B)], A, [B]),
        ([part(A, algorithm=1, curve="")], A[-16:], [A]),
    ],
)
def test_the_part_that_signs(parts: list[Part], wanted: str, names: list[str]) -> None:
    assert [one.fingerprint for one in key_of.signers(Key(parts), wanted, NOW)] == names


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([part(A, validity="r")], "is revoked"),
        ([part(A, validity="e", ends=86400)], "expired on 1970-01-02"),
        ([part(A, ends=999_999)], "expired on 1970-01-12"),
        ([part(A, created=1_000_060)], "is from the future, 1970-01-12 13:47"),
        ([part(A, can="scD")], "is disabled"),
        ([part(A, can="c")], "is not made for signing"),
        ([part(A, algorithm=17)], "is neither RSA nor Ed25519"),
        ([part(A, curve="ed448")], "is neither RSA nor Ed25519"),
        ([part(A, can="c"), part(B, validity="e", ends=86400)], "expired on 1970-01-02"),
        ([part(A, validity="r"), part(B)], "is revoked"),
    ],
)
def test_keys_that_do_not_sign(parts: list[Part], told: str) -> None:
    with pytest.raises(ClusterError, match="key %s %s" % (A, told)):
        key_of.signers(Key(parts), A, NOW)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(A.lower(), A), ("0x" + A, A), (A + "!", A), (A[-16:], A[-16:]), (" ".join([A[:20], A[20:]]), A)],
)
def test_names(text: str, wanted: str) -> None:
    assert key_of.normal(text) == wanted


@pytest.mark.parametrize("text", ["", "a@example.org", A[:-1], "-" + A, "--help", A[:4], "*"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ClusterError, match="is no fingerprint"):
        key_of.normal(text)


def test_a_short_id_of_several_keys() -> None:
    twin = "F" * 32 + A[-8:]
    text = LISTING + LISTING.replace(A, twin)
    host = MemoryHost(script={"/usr/bin/gpg": (0, text, "")})
    with pytest.raises(ClusterError, match="may be any of 2 keys: %s, %s" % (A, twin)):
        key_of.find_key(Home(host, "/tmp"), A[-8:])
    assert key_of.find_key(Home(host, "/tmp"), A).fingerprint == A


def test_a_subkey_stands_for_its_key() -> None:
    host = MemoryHost(script={"/usr/bin/gpg": (0, LISTING, "")})
    key = key_of.find_key(Home(host, "/tmp"), B)
    assert key.fingerprint == A
    assert key_of.accepted(key, B) == {B.lower()} and key_of.accepted(key, A) == key.fingerprints


def open_with(keys: Keys, name: str, secret: Passphrase) -> tuple[key_of.Signer, int]:
    """Does what a run does before it changes anything; the signer, and how often the agent asked."""
    home = Home(LocalHost(), str(keys.home))
    key = key_of.find_key(home, keys.names[name])
    with home.agent() as path, home.connect(path, secret) as agent:
        signer = key_of.open_signer(agent, key, key_of.signers(key, keys.names[name], time.time()), home)
        key_of.try_signer(agent, signer, secret)
        key_of.forget(agent, signer)
        return signer, agent.asked


@pytest.mark.parametrize(
    ("name", "secret", "protected", "asked"),
    [
        ("rsa", Passphrase(None), False, 0),
        ("ed", Passphrase(None), False, 0),
        ("ed", Passphrase(b"whatever"), False, 0),
        ("locked", SECRET, True, 1),
    ],
)
def test_keys_that_open(keys: Keys, name: str, secret: Passphrase, protected: bool, asked: int) -> None:
    signer, count = open_with(keys, name, secret)
    assert (signer.fingerprint, signer.protected, signer.known) == (keys.names[name], protected, False)
    assert count == asked and not keys.agent_runs()


@pytest.mark.parametrize(
    ("name", "secret", "told"),
    [
        ("locked", Passphrase(None), "needs its passphrase, and gpg-agent does not know it"),
        ("locked", Passphrase(b"wrong"), "wrong passphrase for key"),
        ("locked", Passphrase(PASSPHRASE.encode() + b" "), "wrong passphrase for key"),
        ("public", SECRET, "has no secret part of key"),
        ("expired", SECRET, "expired on 2020-01-31"),
        ("revoked", SECRET, "is revoked"),
        ("curve", SECRET, "is neither RSA nor Ed25519"),
    ],
)
def test_keys_that_stay_closed(keys: Keys, name: str, secret: Passphrase, told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        open_with(keys, name, secret)
    assert not keys.agent_runs()


def test_an_agent_that_runs_already(keys: Keys) -> None:
    """What it knows is used; a wrong passphrase is noticed all the same; it keeps running and remembering."""
    try:
        keys.gpg("--passphrase", PASSPHRASE, "--local-user", keys.locked, "--detach-sign", stdin="x", text=False)
        assert open_with(keys, "locked", Passphrase(None))[0].known
        with pytest.raises(ClusterError, match="wrong passphrase"):
            open_with(keys, "locked", Passphrase(b"wrong"))
        assert open_with(keys, "locked", SECRET)[0].known
        assert keys.agent_runs()
    finally:
        keys.stop()


def test_an_agent_forgets_what_it_was_told_by_us(keys: Keys) -> None:
    try:
        keys.gpg("--list-secret-keys")
        open_with(keys, "locked", SECRET)
        assert keys.agent_runs()
        with pytest.raises(ClusterError, match="needs its passphrase"):
            open_with(keys, "locked", Passphrase(None))
    finally:
        keys.stop()


def test_one_run_at_a_time(keys: Keys) -> None:
    """Else the one that started the agent would end it for the other."""
    first, second = (Home(LocalHost(), str(keys.home), lock_timeout=0) for _one in "12")
    with first.agent(), first.locked(), first.agent():
        with pytest.raises(ClusterError, match="locked by another run"):
            second.agent().__enter__()
        assert keys.agent_runs()
    with second.agent():
        assert keys.agent_runs()
    assert not keys.agent_runs()


def test_a_folder_deep_down(tmp_path: Path, keys: Keys) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    (deep / "home").symlink_to(keys.home)
    home = Home(LocalHost(), str(deep / "home"))
    with home.agent() as path:
        assert len(path) < 108 and os.path.samefile(home.use, keys.home)
        # Where there is /run/user, gpg puts its sockets there and any path will do.
        place = os.path.dirname(home.use) if path.startswith(home.use) else "/nonexistent"
    assert home.use == home.path and not os.path.exists(place)


@pytest.mark.parametrize(("place", "told"), [("none", "does not exist"), ("empty", "is not in")])
def test_keys_that_are_not_there(tmp_path: Path, keys: Keys, place: str, told: str) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(ClusterError, match=told):
        key_of.find_key(Home(LocalHost(), str(tmp_path / place)), A)


def test_no_gpg() -> None:
    with pytest.raises(ClusterError, match="gpg-of-yesterday is not installed"):
        Home(LocalHost(), "/tmp", "gpg-of-yesterday")


# Passphrases.


@pytest.mark.parametrize(
    ("content", "wanted"),
    [(b"secret\n", b"secret"), (b"secret", b"secret"), (b" a b \r\nmore\n", b" a b "), (b"\xff\xfe\n", b"\xff\xfe")],
)
def test_the_first_line_of_a_file(content: bytes, wanted: bytes) -> None:
    assert read_passphrase(MemoryHost({"/p": content}), "/p", None).value == wanted


@pytest.mark.parametrize(
    ("files", "path", "text", "told"),
    [
        ({}, "/p", None, "/p is missing or empty"),
        ({"/p": b""}, "/p", None, "/p is missing or empty"),
        ({"/p": b"\nsecret"}, "/p", None, "the passphrase is empty"),
        ({}, None, "", "the passphrase is empty"),
        ({"/p": b"x"}, "/p", "y", "exclude each other"),
    ],
)
def test_passphrases_that_are_none(files: dict[str, bytes], path: str | None, text: str | None, told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        read_passphrase(MemoryHost(files), path, text)


def test_the_passphrase_for_children() -> None:
    """They read it as often as they like; it is in no file, and its text shows nothing."""
    with homes.passphrase_path(SECRET) as path:
        assert path is not None and "memfd" in os.readlink(path)
        for _time in range(2):
            read = subprocess.run(["cat", path], check=True, capture_output=True)
            assert read.stdout == SECRET.value + b"\n"
    with homes.passphrase_path(Passphrase(None)) as none:
        assert none is None
    assert PASSPHRASE not in repr(SECRET) + str(SECRET)
