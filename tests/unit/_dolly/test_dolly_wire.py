# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Frames: golden bytes, round trips, damage."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import wire
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import WireError
from hypothesis import given
from hypothesis import strategies as st

FIELDS = st.dictionaries(
    st.text("abcdefghij_", min_size=1, max_size=12),
    st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40),
)
GOLDEN_HEX = {
    "BEAT": "786401090000000000000000000000009216ac1d",
    "END": "7864010700000000000000000000000068f0a0ad",
    "ABORT": "786401080000000a0000000000000000af3e6a91726561736f6e3d6e6f0a",
    "DATA": "78640106000000030000000000010000e59451a8616263",
    "STATUS": "7864010a00000011000000000000000096ad3ec973746174653d6f6b0a62797465733d370a",
}


def split(raw: bytes) -> tuple[wire.Header, memoryview]:
    return wire.unpack_header(raw[:20]), memoryview(raw)[20:]


@pytest.mark.parametrize(
    ("frame", "golden"),
    [
        (wire.pack(wire.BEAT), "BEAT"),
        (wire.pack(wire.END), "END"),
        (wire.pack(wire.ABORT, {"reason": "no"}), "ABORT"),
        (wire.pack_data(65536, b"abc"), "DATA"),
        (wire.pack(wire.STATUS, {"state": "ok", "bytes": 7}), "STATUS"),
    ],
)
def test_golden_bytes(frame: bytes, golden: str) -> None:
    assert frame.hex() == GOLDEN_HEX[golden]


@given(FIELDS)
def test_fields_round_trip(fields: dict[str, str]) -> None:
    assert wire.parse_fields(wire.render_fields(fields)) == fields


@given(st.sampled_from(range(wire.HELLO, wire.STATUS + 1)), st.integers(0, 2**64 - 1), st.binary(max_size=300))
def test_frame_round_trip(kind: int, offset: int, body: bytes) -> None:
    raw = wire.pack_header(kind, len(body), offset, wire.checksum(kind, offset, body)) + body
    frame = wire.verify(*split(raw))
    assert (frame.kind, frame.offset, bytes(frame.body)) == (kind, offset, body)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_every_flipped_bit_is_found(body: bytes, data: st.DataObject) -> None:
    raw = bytearray(wire.pack_data(4096, body))
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    with pytest.raises(WireError):
        head, rest = split(bytes(raw))
        wire.verify(head, rest[: head.length])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"GET / HTTP/1.1\r\nHost: x", "not the chain dialect"),
        (b"xd\x02" + bytes(17), "speaks version 2"),
        (b"xd\x01\x00" + bytes(16), "unknown frame kind 0"),
        (b"xd\x01\x0b" + bytes(16), "unknown frame kind 11"),
        (b"xd\x01\x06\x00\x10\x00\x01" + bytes(12), "DATA frame of 1048577 bytes is too long"),
        (b"xd\x01\x01\x00\x01\x00\x01" + bytes(12), "HELLO frame of 65537 bytes is too long"),
    ],
)
def test_bad_headers(raw: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        wire.unpack_header(raw[:20])


@pytest.mark.parametrize("body", [b"no equals sign\n", b"=value\n"])
def test_bad_fields(body: bytes) -> None:
    with pytest.raises(WireError, match="not a key=value line"):
        wire.parse_fields(body)


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "9" * 20, " 1"])
def test_bad_numbers(text: str) -> None:
    with pytest.raises(WireError, match="field size is not a number"):
        wire.number({"size": text}, "size")


def test_numbers() -> None:
    assert (wire.number({"a": "12"}, "a"), wire.number({}, "a", 3), wire.number({"a": ""}, "a")) == (12, 3, 0)


def test_line_ends_in_values_do_not_make_fields() -> None:
    assert wire.parse_fields(wire.render_fields({"reason": "one\ntwo=3\r\n"})) == {"reason": "one two=3"}
