# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets: what we build is what the reader reads; damaged input is refused as such."""

from __future__ import annotations

import hashlib
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import read_rpm
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.signature import header_tag, parse_packet
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import packet
from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import PASSPHRASE, Keys
from hypothesis import given
from hypothesis import strategies as st

SIGNED = samples.GOLDEN / "signed"
NUMBERS = st.binary(min_size=1, max_size=600)


def seen(data: bytes, digest: str) -> t.Any:
    state = hashlib.new(digest)
    state.update(data)
    return state


@given(
    algorithm=st.sampled_from([packet.RSA, packet.EDDSA]),
    digest=st.sampled_from(sorted(packet.DIGESTS)),
    key=st.binary(min_size=20, max_size=20),
    created=st.integers(0, 2**32 - 1),
    values=st.lists(NUMBERS, min_size=1, max_size=2),
)
def test_built_packets_read_back(algorithm: int, digest: str, key: bytes, created: int, values: list[bytes]) -> None:
    one = packet.draft(seen(b"data", digest), algorithm, digest, key.hex(), created)
    data = packet.finished(one, values)
    found = parse_packet(data)
    name = {packet.RSA: "rsa", packet.EDDSA: "eddsa"}[algorithm]
    assert (found.algorithm, found.digest, found.created) == (name, digest, created)
    assert (found.fingerprint, found.key_id) == (key.hex(), key[-8:].hex())
    assert header_tag(data) == {"rsa": 268, "eddsa": 267}[name]
    ((kind, body),) = packet.packets(data)
    assert kind == 2 and body.startswith(one.hashed + one.unhashed + one.value[:2])
    rest = body[len(one.hashed + one.unhashed) + 2 :]
    for value in values:
        size = (int.from_bytes(rest[:2], "big") + 7) // 8
        assert int.from_bytes(rest[2 : 2 + size], "big") == int.from_bytes(value, "big")
        rest = rest[2 + size :]
    assert rest == b""


@pytest.mark.parametrize("name", ["rsa2048", "ed25519"])
def test_the_digest_is_that_of_rpmsign(name: str) -> None:
    """The recorded packet holds the first bytes of the digest that its hashed part leads to."""
    rpm = read_rpm(str(SIGNED / (name + ".rpm")))
    data = rpm.signature.binary(268 if name == "rsa2048" else 267)
    found = parse_packet(data)
    ((_kind, body),) = packet.packets(data)
    end = 6 + int.from_bytes(body[4:6], "big")
    document = (SIGNED / (name + ".rpm")).read_bytes()[rpm.header_start : rpm.payload_start]
    value = packet.covered(seen(document, found.digest), body[:end])
    after = end + 2 + int.from_bytes(body[end : end + 2], "big")
    assert value[:2] == body[after : after + 2]


@given(st.binary(max_size=3000), st.sampled_from(["SIGNATURE", "PUBLIC KEY BLOCK"]))
def test_armor(data: bytes, title: str) -> None:
    text = packet.armor(data, title)
    assert packet.dearmor(text) == data
    assert packet.dearmor(b"before\n" + text.replace(b"\n", b"\r\n") + b"after") == data
    assert max(map(len, text.splitlines())) <= 64


def test_armor_as_gpg_reads_it(keys: Keys) -> None:
    """The checksum too: gpg refuses another one."""
    data = (SIGNED / "pubkeys.asc").read_bytes()
    again = packet.armor(packet.dearmor(data), "PUBLIC KEY BLOCK")
    checksums = [[line for line in text.splitlines() if line.startswith(b"=")] for text in (data, again)]
    assert checksums[0] == checksums[1] and len(checksums[1]) == 1


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"\1\xff", b"\0\x09\1\xff"),
        (b"\0\0\x80", b"\0\x08\x80"),
        (b"\1", b"\0\1\1"),
        (b"\0", b"\0\0"),
        (b"", b"\0\0"),
    ],
)
def test_numbers(value: bytes, wanted: bytes) -> None:
    assert packet.mpi(value) == wanted


@pytest.mark.parametrize(("size", "head"), [(0, 2), (255, 2), (256, 3), (65535, 3), (65536, 5)])
def test_frames(size: int, head: int) -> None:
    data = packet.framed(6, b"x" * size)
    assert len(data) == head + size and list(packet.packets(data)) == [(6, b"x" * size)]


@given(st.binary(max_size=200))
def test_damaged_packets_are_refused(data: bytes) -> None:
    for read in (packet.secret_keys, packet.public_part, lambda one: list(packet.packets(one))):
        try:
            read(data)
        except ValueError:
            continue


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_secret_key(at: int, change: int) -> None:
    """One wrong byte gives an error or another key, never the same one."""
    body = b"\4\0\0\0\1\x16\x09" + bytes(range(9)) + packet.mpi(b"\x40" + bytes(range(1, 33))) + b"\0"
    secret = packet.mpi(bytes(range(1, 33)))
    body += secret + (sum(secret) & 0xFFFF).to_bytes(2, "big")
    whole = packet.framed(5, body)
    (fine,) = list(packet.secret_keys(whole).values())
    assert fine.secrets == (int.from_bytes(bytes(range(1, 33)), "big"),)
    damaged = bytearray(whole)
    damaged[at % len(whole)] ^= change
    try:
        assert list(packet.secret_keys(bytes(damaged)).values()) != [fine]
    except ValueError:
        pass


@pytest.mark.parametrize("name", ["rsa", "ed"])
@pytest.mark.parametrize("armored", [True, False])
def test_secret_keys_as_gpg_writes_them(tmp_path: Path, keys: Keys, name: str, armored: bool) -> None:
    file = tmp_path / "key"
    keys.gpg(*(["--armor"] if armored else []), "--output", str(file), "--export-secret-keys", keys.names[name])
    keys.stop()
    data = file.read_bytes()
    (found,) = list(packet.secret_keys(data).values())
    assert found.fingerprint == keys.names[name]
    public = packet.public_part(data)
    assert packet.dearmor(public) == packet.dearmor(keys.gpg("--armor", "--export", keys.names[name]).encode())
    (tmp_path / "pub").write_bytes(public)
    shown = subprocess.run(["gpg", "--show-keys", str(tmp_path / "pub")], check=True, capture_output=True, text=True)
    assert keys.names[name] in shown.stdout


def test_protected_and_public_keys_are_told(keys: Keys) -> None:
    locked = keys.gpg("--armor", "--passphrase", PASSPHRASE, "--export-secret-keys", keys.locked).encode()
    keys.stop()
    with pytest.raises(ValueError, match="protected by a passphrase"):
        packet.secret_keys(locked)
    with pytest.raises(ValueError, match="no secret key"):
        packet.secret_keys((SIGNED / "pubkeys.asc").read_bytes())
