# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result, with the real gpg."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import detached
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import PASSPHRASE, Keys, Result, contents

Call = t.Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "media_info"
    folder.mkdir()
    (folder / "MD5SUM").write_text("d41d8cd98f00b204e9800998ecf8427e  hdlist.cz\n")
    (folder / "repomd.xml").write_bytes(os.urandom(3 << 20))
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def sign(call: Call, keys: Keys, place: Path) -> Call:
    def run(name: str = "ed", **options: t.Any) -> Result:
        files = [str(place / one) for one in ("MD5SUM", "repomd.xml", "empty")]
        return call(
            "detached_sign", **{"files": files, "key": keys.names[name], "gnupg_home": str(keys.home), **options}
        )

    return run


def verified(keys: Keys, signature: Path, file: Path) -> str:
    """Fingerprint of the key by which gpg finds the signature good."""
    done = subprocess.run(
        ["gpg", "--homedir", str(keys.home), "--batch", "--status-fd", "1", "--verify", str(signature), str(file)],
        check=False,
        capture_output=True,
        text=True,
    )
    found = re.search(r"VALIDSIG (\w+)", done.stdout)
    return found.group(1) if found and done.returncode == 0 else ""


@pytest.mark.parametrize("suffix", ["asc", "sig", "gpg"])
@pytest.mark.parametrize(
    ("name", "more"),
    [("rsa", {}), ("ed", {"digest": "sha512"}), ("locked", {"passphrase": PASSPHRASE})],
)
def test_signed_and_removed(
    place: Path, keys: Keys, sign: Call, name: str, more: dict[str, t.Any], suffix: str
) -> None:
    before = contents(place)
    predicted = sign(name, check=True, diff=True, suffix=suffix, **more)
    assert contents(place) == before
    result = sign(name, diff=True, suffix=suffix, **more)
    assert result == predicted and result["changed"], result
    assert result["files"][str(place / "MD5SUM")] == {
        "changed": True,
        "signature": "%s/MD5SUM.%s" % (place, suffix),
        "state": "signed",
    }
    for file in before:
        signature = place / ("%s.%s" % (file, suffix))
        assert verified(keys, signature, place / file) == keys.names[name]
        assert (b"BEGIN PGP SIGNATURE" in signature.read_bytes()) == (suffix == "asc")
        assert signature.stat().st_mode & 0o777 == 0o644
    signed = contents(place)
    assert not sign(name, suffix=suffix, **more)["changed"] and contents(place) == signed
    assert sign(state="absent", suffix=suffix, check=True) == sign(state="absent", suffix=suffix)
    assert contents(place) == before and not sign(state="absent", suffix=suffix)["changed"]
    assert not keys.agent_runs()


@pytest.mark.parametrize("how", ["file", "garbage", "empty", "key", "armor", "other file"])
def test_signed_again_when_it_does_not_verify(place: Path, keys: Keys, sign: Call, how: str) -> None:
    sign("other" if how == "key" else "ed")
    signature = place / "MD5SUM.asc"
    if how == "file":
        with (place / "MD5SUM").open("a") as stream:
            stream.write("more\n")
    elif how == "garbage":
        signature.write_text("garbage")
    elif how == "empty":
        signature.write_text("")
    elif how == "armor":
        signature.write_bytes(detached.dearmor(signature.read_bytes()))
    elif how == "other file":
        signature.write_bytes((place / "empty.asc").read_bytes())
    result = sign()
    changed = {Path(path).name for path, row in result["files"].items() if row["changed"]}
    assert changed == ({"MD5SUM", "repomd.xml", "empty"} if how == "key" else {"MD5SUM"})
    assert verified(keys, signature, place / "MD5SUM") == keys.ed


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("locked", {}, "needs its passphrase"),
        ("locked", {"passphrase": "mistaken"}, "wrong passphrase"),
        ("expired", {}, "expired on 2020-01-31"),
        ("public", {}, "has no secret part"),
        ("ed", {"key": None}, "state: present needs key"),
        ("ed", {"key": "F" * 40}, "is not in"),
        ("ed", {"files": ["/etc"]}, "/etc is a folder"),
        ("ed", {"files": ["/nonexistent"]}, "/nonexistent does not exist"),
        ("ed", {"gnupg_home": "/nonexistent"}, "/nonexistent"),
        ("ed", {"gpg_program": "gpg-of-yesterday"}, "is not installed"),
    ],
)
def test_refused(
    place: Path, keys: Keys, sign: Call, name: str, options: dict[str, t.Any], told: str, check: bool
) -> None:
    before = contents(place)
    result = sign(name, check=check, **options)
    assert result.get("failed") and re.search(told, result["msg"]) and result["hint"], result
    assert contents(place) == before and not keys.agent_runs()


def test_a_signature_that_does_not_verify_is_not_put_in_place(
    place: Path, sign: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the file changes between reading and verifying."""
    plain = detached.make

    def meddle(agent: t.Any, signer: t.Any, path: str, *more: t.Any) -> bytes:
        made = plain(agent, signer, path, *more)
        if path.endswith("repomd.xml"):
            Path(path).write_bytes(b"changed")
        return made

    monkeypatch.setattr(detached, "make", meddle)
    result = sign()
    assert "the signature of %s/repomd.xml does not verify" % place in result["msg"]
    assert sorted(contents(place)) == ["MD5SUM", "empty", "repomd.xml"]


def test_no_files(sign: Call) -> None:
    assert sign(files=[])["changed"] is False
