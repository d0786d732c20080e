# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures: what rpmsign wrote is read, put in and taken out to the byte."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import read_rpm
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.signature import (
    Signature,
    header_tag,
    is_signed_by,
    parse_packet,
    signature_area,
    signatures,
    splice,
)
from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples
from hypothesis import given
from hypothesis import strategies as st

SIGNED = samples.GOLDEN / "signed"
RSA = "d7abaab9bb8f903634ee65f0a106c3bbd8823a4e"
ED = "0074617058b3b3fd6614954ec07776cb9b642bd4"
KINDS = [("rsa2048", 268, "rsa", RSA), ("ed25519", 267, "eddsa", ED)]


def packet(name: str, tag: int) -> bytes:
    return read_rpm(str(SIGNED / (name + ".rpm"))).signature.binary(tag)


@pytest.mark.parametrize(("name", "tag", "algorithm", "fingerprint"), KINDS)
def test_recorded_signatures(name: str, tag: int, algorithm: str, fingerprint: str) -> None:
    rpm = read_rpm(str(SIGNED / (name + ".rpm")))
    (found,) = signatures(rpm)
    assert found == Signature(tag, "header", algorithm, found.digest, fingerprint[-16:], fingerprint, found.created)
    assert found.digest == {"rsa": "sha512", "eddsa": "sha256"}[algorithm]
    assert 1790000000 < found.created < 1800000000 and header_tag(packet(name, tag)) == tag


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        (RSA, True),
        (RSA.upper(), True),
        ("0x" + RSA, True),
        (RSA[-16:], True),
        (RSA[-8:], True),
        (ED, False),
        (ED[-16:], False),
        ("0" * 24 + RSA[-16:], False),
        (RSA[-4:], False),
        ("", False),
    ],
)
def test_whose_signature(key: str, wanted: bool) -> None:
    assert is_signed_by(read_rpm(str(SIGNED / "rsa2048.rpm")), key) is wanted
    assert is_signed_by(read_rpm(str(samples.SIMPLE)), key) is False


@pytest.mark.parametrize(("name", "tag", "_algorithm", "_fingerprint"), KINDS)
def test_spliced_as_by_rpmsign_and_back(
    tmp_path: Path, name: str, tag: int, _algorithm: str, _fingerprint: str
) -> None:
    path = tmp_path / "a.rpm"
    shutil.copyfile(samples.SIMPLE, path)
    splice(str(path), read_rpm(str(path)), {tag: packet(name, tag)})
    assert path.read_bytes() == (SIGNED / (name + ".rpm")).read_bytes()
    splice(str(path), read_rpm(str(path)), {})
    assert path.read_bytes() == samples.SIMPLE.read_bytes()


def test_one_signature_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "a.rpm"
    shutil.copyfile(SIGNED / "rsa2048.rpm", path)
    splice(str(path), read_rpm(str(path)), {267: packet("ed25519", 267)})
    assert path.read_bytes() == (SIGNED / "ed25519.rpm").read_bytes()


@pytest.mark.parametrize("room", [0, 100, 160, 200])
def test_packages_without_enough_room(tmp_path: Path, room: int) -> None:
    reserve: dict[int, t.Any] = {1008: (samples.BINARY, b"\0" * room)} if room else {}
    path = tmp_path / "old.rpm"
    path.write_bytes(samples.rpm_bytes(samples.tags(), signature={62: (samples.BINARY, b"\0" * 16), **reserve}))
    before = path.read_bytes()
    rpm = read_rpm(str(path))
    area = signature_area(rpm, {267: packet("ed25519", 267)})
    assert len(area) % 8 == 0
    if 96 + len(area) == rpm.header_start:
        splice(str(path), rpm, {267: packet("ed25519", 267)})
    else:
        with pytest.raises(ClusterError, match="no room"):
            splice(str(path), rpm, {267: packet("ed25519", 267)})
        assert path.read_bytes() == before
        path.write_bytes(before[:96] + area + before[rpm.header_start :])
    again = read_rpm(str(path))
    assert signatures(again)[0].fingerprint == ED and again.header.body == rpm.header.body


def subpacket(kind: int, data: bytes) -> bytes:
    return bytes([len(data) + 1, kind]) + data


def version4(hashed: bytes, loose: bytes = b"", version: int = 4, width: int = 2) -> bytes:
    areas = b"".join(len(area).to_bytes(width, "big") + area for area in (hashed, loose))
    content = bytes([version, 0, 1, 10]) + areas + b"\0\0rest"
    return bytes([0x88, len(content)]) + content


KEY = bytes(range(20))
MADE = subpacket(2, (1234567890).to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("data", "key_id", "fingerprint", "created"),
    [
        (version4(MADE + subpacket(33, b"\4" + KEY)), KEY[-8:], KEY, 1234567890),
        (version4(MADE, subpacket(16, KEY[:8])), KEY[:8], b"", 1234567890),
        (version4(b"", b""), b"", b"", 0),
        (version4(subpacket(33, b"\6" + KEY + b"x" * 12), b"", 6, 4), KEY[:8], KEY + b"x" * 12, 0),
        (b"\xc2" + version4(MADE)[1:], b"", b"", 1234567890),
        (b"\x89\0\x13\3\5\0\x49\x96\x02\xd2" + KEY[:8] + b"\1\x02rest", KEY[:8], b"", 1234567890),
    ],
)
def test_packets(data: bytes, key_id: bytes, fingerprint: bytes, created: int) -> None:
    found = parse_packet(data)
    assert (found.key_id, found.fingerprint, found.created) == (key_id.hex(), fingerprint.hex(), created)
    assert found.algorithm == "rsa" and found.digest in ("sha1", "sha512")


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda rest: packet("rsa2048", 268)[:40] + rest))
def test_damaged_packets(data: bytes) -> None:
    """Whatever is no signature is refused as such."""
    try:
        parse_packet(data)
    except IndexError:
        with pytest.raises(ClusterError, match="not an OpenPGP signature"):
            header_tag(data)


def test_a_damaged_signature_names_the_package(tmp_path: Path) -> None:
    path = tmp_path / "a.rpm"
    path.write_bytes(samples.rpm_bytes(samples.tags(), signature={268: (samples.BINARY, b"garbage")}))
    with pytest.raises(ClusterError, match="a.rpm: its signature is damaged"):
        signatures(read_rpm(str(path)))
