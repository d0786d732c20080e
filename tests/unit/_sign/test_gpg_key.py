# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result, with the real gpg and python-gnupg."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.keyitem import parse_items, parse_new
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import PASSPHRASE, Keys, Result, need

Call = t.Callable[..., Result]
PUBKEYS = GOLDEN / "signed" / "pubkeys.asc"
RSA, ED = "D7ABAAB9BB8F903634EE65F0A106C3BBD8823A4E", "0074617058B3B3FD6614954EC07776CB9B642BD4"


@pytest.fixture
def home(tmp_path: Path) -> t.Iterator[Path]:
    need("gpg", "gpgconf")
    pytest.importorskip("gnupg")
    place = tmp_path / "home"
    yield place
    argv = ["gpg-connect-agent", "--homedir", str(place), "--no-autostart", "GETINFO pid", "/bye"]
    assert b"D " not in subprocess.run(argv, check=False, capture_output=True).stdout
    subprocess.run(["gpgconf", "--homedir", str(place), "--remove-socketdir"], check=False)


@pytest.fixture
def ring(call: Call, home: Path) -> Call:
    return lambda *keys, **options: call("gpg_key", **{"gnupg_home": str(home), "keys": list(keys), **options})


def fingerprints(result: Result) -> list[str]:
    return [key["fingerprint"] for key in result["keyring"]]


def test_import_and_list(home: Path, ring: Call) -> None:
    item = {"src": str(PUBKEYS), "trust": "full"}
    predicted = ring(item, check=True, diff=True)
    assert not home.exists()
    result = ring(item, diff=True)
    for key in ("changed", "keys", "actions", "diff"):
        assert result[key] == predicted[key]
    assert result["keys"][str(PUBKEYS)] == {"changed": True, "does": ["import", "trust"], "fingerprints": [RSA, ED]}
    assert [argv[-1] for argv in result["actions"]] == ["--import", "--import-ownertrust"]
    assert home.stat().st_mode & 0o777 == 0o700
    second = ring(item)
    assert (second["changed"], second["actions"]) == (False, [])
    assert second["keyring"] == result["keyring"] == ring()["keyring"]
    assert [(key["type"], key["bits"], key["trust"], key["secret"]) for key in second["keyring"]] == [
        ("ed25519", 255 if second["keyring"][0]["bits"] == 255 else 256, "f", False),
        ("rsa", 2048, "f", False),
    ]


def test_only_the_key_that_was_meant(tmp_path: Path, ring: Call, keys: Keys) -> None:
    file = tmp_path / "key"
    file.write_text(keys.gpg("--armor", "--export", keys.ed))
    assert ring({"src": str(file), "fingerprint": keys.ed})["changed"]
    result = ring({"src": str(file), "fingerprint": keys.rsa})
    assert "not key %s but %s was given" % (keys.rsa, keys.ed) in result["msg"]


def test_a_public_key_becomes_a_whole_one(home: Path, ring: Call, keys: Keys) -> None:
    public = keys.gpg("--armor", "--export", keys.locked)
    secret = keys.gpg("--armor", "--passphrase", PASSPHRASE, "--export-secret-keys", keys.locked)
    keys.stop()
    assert not ring({"content": public})["keyring"][0]["secret"]
    item = {"content": secret, "fingerprint": keys.locked}
    assert ring(item, check=True)["keys"][keys.locked]["does"] == ["import"]
    result = ring(item)
    assert result["keyring"][0]["secret"] and not ring(item)["changed"] and not ring({"content": public})["changed"]
    assert "PRIVATE KEY" not in json.dumps(result)
    refused = ring({"fingerprint": keys.locked, "state": "absent"})
    assert "has its secret part here" in refused["msg"]
    gone = {"fingerprint": keys.locked, "state": "absent", "secret": True}
    assert ring(gone, check=True)["changed"] and ring(gone)["keyring"] == []
    assert not ring(gone)["changed"] and not list((home / "private-keys-v1.d").iterdir())


def test_a_key_that_was_renewed(tmp_path: Path, ring: Call, keys: Keys) -> None:
    """The same fingerprint with another end is imported again."""
    keys.make("renewed", "ed25519", "", ends="30d")
    first = keys.gpg("--armor", "--export", keys.renewed)
    keys.gpg("--quick-set-expire", keys.renewed, "60d")
    second = keys.gpg("--armor", "--export", keys.renewed)
    keys.stop()
    export = str(tmp_path / "pub")
    ends = [
        ring({"content": text, "export": export, "fingerprint": keys.renewed})["keyring"][0]["expires"]
        for text in (first, second)
    ]
    assert ends[1] - ends[0] > 29 * 86400
    assert not ring({"content": second, "export": export})["changed"] and not ring({"content": first})["changed"]


@pytest.mark.parametrize(
    ("new", "kind", "bits"),
    [
        ({"email": "p@example.org", "passphrase": PASSPHRASE, "expires": "2y"}, "ed25519", (255, 256)),
        ({"type": "rsa", "bits": 2048, "comment": "test", "no_passphrase": True}, "rsa", (2048,)),
    ],
)
def test_a_key_is_made_once(
    tmp_path: Path, home: Path, ring: Call, call: Call, new: dict[str, t.Any], kind: str, bits: tuple[int, ...]
) -> None:
    export = tmp_path / "RPM-GPG-KEY"
    item = {"generate": {"name": "XtreemOS packages", **new}, "export": str(export), "trust": "ultimate"}
    predicted = ring(item, check=True, s2k_count=65536)
    assert not home.exists() and not export.exists()
    result = ring(item, s2k_count=65536)
    ((label, row),) = result["keys"].items()
    assert label.startswith("XtreemOS packages") and row["does"][0] == "generate" and row["does"][-1] == "export"
    assert predicted["actions"] == result["actions"] and predicted["keys"][label]["does"] == row["does"]
    (made,) = result["keyring"]
    assert (made["users"], made["type"], made["secret"], made["trust"]) == ([label], kind, True, "u")
    assert made["bits"] in bits and row["fingerprints"] == [made["fingerprint"]]
    assert bool(made["expires"]) == ("expires" in new)
    assert not ring(item)["changed"] and PASSPHRASE not in json.dumps(result)
    assert b"PUBLIC KEY" in export.read_bytes()
    export.write_text("garbage")
    assert ring(item)["keys"][label]["does"] == ["export"]
    options = {"files": [str(export)], "key": made["fingerprint"], "gnupg_home": str(home)}
    signed = call("detached_sign", **options, passphrase=new.get("passphrase"))
    assert signed["changed"], signed


def test_the_count_reaches_the_key(home: Path, ring: Call) -> None:
    ring({"generate": {"name": "XtreemOS", "passphrase": PASSPHRASE}}, s2k_count=131072)
    (file,) = (home / "private-keys-v1.d").iterdir()
    assert b'"131072"' in file.read_bytes()
    assert "65536 to 65011712" in ring(s2k_count=1)["msg"]


def test_no_library(ring: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gnupg", None)
    result = ring()
    assert "gnupg is not installed" in result["msg"] and "python3-gnupg" in result["hint"]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({}, "a key without src, content, generate or fingerprint"),
        ({"src": "/nonexistent"}, "/nonexistent is missing or empty"),
        ({"src": "/etc/passwd"}, "/etc/passwd holds no OpenPGP key"),
        ({"src": "/a", "content": "b"}, "src and content exclude each other"),
        ({"src": "/a", "state": "absent"}, "src and absent exclude each other"),
        ({"fingerprint": "abc"}, "is no fingerprint"),
        ({"fingerprint": RSA[-16:]}, "is no whole fingerprint"),
        ({"fingerprint": RSA}, "is not in the folder"),
        ({"generate": {"name": "XtreemOS"}}, "give either a passphrase or no_passphrase: true"),
        ({"generate": {"name": "XtreemOS"}, "fingerprint": RSA}, "either a passphrase|nobody knows"),
    ],
)
def test_refused(home: Path, ring: Call, item: dict[str, t.Any], told: str) -> None:
    for check in (True, False):
        result = ring(item, check=check)
        assert result.get("failed") and re.search(told, result["msg"]) and result["hint"], result
    assert not home.exists()


NAMED = {"name": "XtreemOS", "no_passphrase": True}


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({"name": "X"}, "5 characters or more"),
        ({"name": "1XtreemOS"}, "no digit first"),
        ({"name": "XtreemOS\n%commit"}, "bad name"),
        ({"name": "XtreemOS <x"}, "bad name"),
        ({"email": "a b"}, "bad email"),
        ({"comment": "a)"}, "bad comment"),
        ({"expires": "soon"}, "bad expires"),
        ({"bits": 1024}, "1024 bits"),
        ({"passphrase": "x"}, "give either a passphrase or no_passphrase"),
        ({"no_passphrase": False, "passphrase": " x"}, "cannot take this passphrase"),
        ({"no_passphrase": False, "passphrase": "a\tb"}, "cannot take this passphrase"),
    ],
)
def test_new_keys_that_gpg_would_not_make(new: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        parse_new({**NAMED, **new}, MemoryHost())


def test_parameters() -> None:
    rsa = {"name": "XtreemOS", "email": "p@example.org", "comment": "2026", "type": "rsa", "passphrase": "a b"}
    new = parse_new(rsa, MemoryHost())
    assert new.user == "XtreemOS (2026) <p@example.org>" and "a b" not in repr(new)
    assert new.parameters().splitlines() == [
        "Key-Type: RSA",
        "Key-Usage: sign",
        "Key-Length: 4096",
        "Name-Real: XtreemOS",
        "Name-Comment: 2026",
        "Name-Email: p@example.org",
        "Expire-Date: 0",
        "Passphrase: a b",
        "%commit",
    ]
    assert "%no-protection" in parse_new(NAMED, MemoryHost()).parameters()


def test_the_same_key_twice() -> None:
    with pytest.raises(ClusterError, match="is given twice"):
        parse_items([{"fingerprint": RSA}, {"fingerprint": RSA.lower()}], MemoryHost())


def test_several_keys_of_one_name(home: Path, ring: Call) -> None:
    """A name that has a key gets no second one, of whatever kind; where there are two, nobody can tell which it is."""
    new = {"generate": {"name": "XtreemOS packages", "no_passphrase": True}}
    assert ring(new)["changed"]
    other = {"generate": {**new["generate"], "type": "rsa", "bits": 2048}}
    assert not ring(other)["changed"] and len(ring()["keyring"]) == 1
    argv = ["gpg", "--homedir", str(home), "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*argv, "--quick-gen-key", "XtreemOS packages", "ed25519", "sign"], check=True, capture_output=True)
    Keys(home).stop()
    told = ring(new)["msg"]
    assert re.search("there are 2 keys of XtreemOS packages: [0-9A-F]{40}, [0-9A-F]{40}", told)
    name = ring()["keyring"][0]["fingerprint"]
    assert not ring({"fingerprint": name})["changed"]


@pytest.mark.parametrize(
    ("method", "does", "told"),
    [
        ("import_keys", {"src": str(PUBKEYS)}, "import of .*pubkeys.asc failed: gpg: broken"),
        ("gen_key", {"generate": {"name": "XtreemOS", "no_passphrase": True}}, "generate of XtreemOS failed"),
        ("export_keys", {"src": str(PUBKEYS), "export": "EXPORT"}, "cannot be exported"),
        ("delete_keys", {"fingerprint": ED, "state": "absent"}, "deleting of .* failed"),
    ],
)
def test_what_gpg_does_not_do_is_told(
    tmp_path: Path, ring: Call, monkeypatch: pytest.MonkeyPatch, method: str, does: dict[str, t.Any], told: str
) -> None:
    gnupg = pytest.importorskip("gnupg")

    class Nothing(str):
        fingerprints: t.ClassVar[list[str]] = []
        fingerprint = ""
        stderr = "gpg: broken\nmore"

    if method == "delete_keys":
        assert ring({"src": str(PUBKEYS)})["changed"]
    does = {key: str(tmp_path / "out") if value == "EXPORT" else value for key, value in does.items()}
    monkeypatch.setattr(gnupg.GPG, method, lambda *_args, **_more: Nothing(""))
    result = ring(does)
    assert result.get("failed") and re.search(told, result["msg"]), result
    assert result["hint"] and not (tmp_path / "out").exists()
