# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts with their signature in one file: as gpg writes and reads them, and nothing that only looks like one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.cleartext import (
    canonical,
    is_clear,
    parse_clear,
    render_clear,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.pen import Pen
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import PASSPHRASE, Keys
from hypothesis import given
from hypothesis import strategies as st

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n=abcd\n-----END PGP SIGNATURE-----\n"
GOOD = render_clear(b"one\n- two\n", "sha256", SIGNATURE)
LINE = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b"").rstrip(b" \t"))


@given(st.lists(LINE, min_size=1, max_size=6))
def test_any_text_is_read_back(lines: list[bytes]) -> None:
    text = b"".join(line + b"\n" for line in lines)
    assert parse_clear(render_clear(text, "sha512", SIGNATURE), "x") == (text, SIGNATURE)
    assert canonical(text) == b"\r\n".join(lines)


@pytest.mark.parametrize(
    ("text", "covered"),
    [(b"a\n", b"a"), (b"a", b"a"), (b"a\n\n", b"a\r\n"), (b"a \t\nb\r\n", b"a\r\nb"), (b"\n", b""), (b"", b"")],
)
def test_what_is_signed(text: bytes, covered: bytes) -> None:
    assert canonical(text) == covered


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"one\n",
        SIGNATURE,
        b"hello\n" + GOOD,
        GOOD + b"hello\n",
        GOOD + GOOD,
        GOOD[:-20],
        GOOD.replace(b"Hash: SHA256\n", b"Comment: see below\n"),
        GOOD.replace(b"Hash: SHA256\n\n", b"Hash: SHA256\n"),
        GOOD.replace(b"- - two", b"- two").replace(b"one", b"-one"),
        GOOD.replace(b"one\n", b"one\n-----BEGIN PGP MESSAGE-----\n"),
        GOOD.replace(SIGNATURE, b""),
        GOOD.replace(b"=abcd\n", b"-----BEGIN PGP SIGNATURE-----\n"),
    ],
)
def test_what_only_looks_like_one(data: bytes) -> None:
    """Nothing around the text, nothing that gpg would take for its end."""
    with pytest.raises(ClusterError, match="sums is no signed text"):
        parse_clear(data, "sums")


@given(st.binary(max_size=80), st.integers(0, len(GOOD)))
def test_any_bytes_give_a_text_or_one_error(noise: bytes, at: int) -> None:
    for data in (noise, GOOD[:at] + noise + GOOD[at:], GOOD[:at]):
        try:
            text, signature = parse_clear(data, "sums")
        except ClusterError:
            continue
        assert is_clear(data) and text.endswith((b"\n", b"")) and signature.startswith(b"-----BEGIN PGP SIGNATURE")


@pytest.mark.parametrize("text", [b"a\n", b"- a\n-----b\n\nc d\n", b"\xc3\xa9\n" * 300, b"a\n\n"])
@pytest.mark.parametrize("name", ["ed", "rsa", "locked"])
def test_gpg_takes_what_we_write(keys: Keys, tmp_path: Path, name: str, text: bytes) -> None:
    options = {"key": keys.names[name], "gnupg_home": str(keys.home), "gpg_program": None, "passphrase_file": None}
    options.update(passphrase=PASSPHRASE if name == "locked" else None, digest="sha512")
    path, signed = tmp_path / "sums", tmp_path / "sums.asc"
    path.write_bytes(text)
    with Pen(options, 5, LocalHost()) as pen:
        assert not pen.fits_clear(str(path))
        signed.write_bytes(pen.sign_clear(text, str(path)))
        assert pen.fits_clear(str(path)) and not pen.fits(str(path))
        path.write_bytes(text + b"x\n")
        assert not pen.fits_clear(str(path))
    told = keys.gpg("--no-autostart", "--status-fd", "1", "--output", str(tmp_path / "out"), "--decrypt", str(signed))
    assert " GOODSIG " in told and keys.names[name] in told
    assert (tmp_path / "out").read_bytes() == text


def test_we_read_what_gpg_writes(keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "sums"
    text = b"one  \n- two\n\nthree\n"
    path.write_bytes(text)
    keys.gpg("--local-user", keys.ed, "--output", str(tmp_path / "sums.asc"), "--clear-sign", str(path))
    keys.stop()
    found, signature = parse_clear((tmp_path / "sums.asc").read_bytes(), "sums")
    assert found == b"one\n- two\n\nthree\n"
    (tmp_path / "text").write_bytes(found[:-1])
    (tmp_path / "signature").write_bytes(signature)
    argv = ["gpg", "--homedir", str(keys.home), "--no-autostart", "--verify"]
    subprocess.run([*argv, str(tmp_path / "signature"), str(tmp_path / "text")], check=True, capture_output=True)
