# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result."""

from __future__ import annotations

import fcntl
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5
from ansible_collections.xtreemos.cluster.plugins.modules import urpmi_media
from ansible_collections.xtreemos.cluster.tests.unit._media import samples
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from ansible_collections.xtreemos.cluster.tests.unit._urpmi.samples import serve

KEY = GOLDEN / "distrib" / "media" / "main" / "release" / "media_info" / "pubkey"
Result = t.Dict[str, t.Any]
Call = t.Callable[..., Result]
SYNTHESIS = "media_info/synthesis.hdlist.cz"
PLAIN = (GOLDEN / "a-plain" / SYNTHESIS).read_bytes()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two media; tests only read them."""
    folder = tmp_path_factory.mktemp("served")
    for name, package in (("one", "a-simple"), ("two", "a-epoch")):
        samples.run(samples.medium(folder / name, names=[package]))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "etc" / "urpmi").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, root: Path, tmp_path: Path
) -> t.Callable[..., Result]:
    told: list[str] = []
    # Ansible collects the warnings of a whole process.
    monkeypatch.setattr(urpmi_media.AnsibleModule, "warn", lambda _self, text: told.append(text))
    # An rpm that remembers nothing but the keys it was given.
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "rpm").write_text(
        '#!/bin/sh\n[ "$1" = --eval ] && exec echo /etc\n[ "$3" = -q ] && exec test -e "$2/key"\n: > "$2/key"\n'
    )
    (programs / "rpm").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (programs, os.environ["PATH"]))

    def run(check: bool = False, diff: bool = False, **options: t.Any) -> Result:
        options = {"root": str(root), "_ansible_check_mode": check, "_ansible_diff": diff, **options}
        with patch_module_args(options), pytest.raises(SystemExit):
            urpmi_media.main()
        result = json.loads(capsys.readouterr().out)
        result["warnings"] = list(told)
        told.clear()
        return t.cast("Result", result)

    return run


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def comparable(result: Result) -> Result:
    return {key: value for key, value in result.items() if key != "invocation"}


def cfg(root: Path) -> str:
    return (root / "etc/urpmi/urpmi.cfg").read_text()


# What is there before each case of the table below: by hand, with a comment and an option that nobody knows.
BEFORE = """# our media
{
}

old %(served)s/two {
  frobnicate
  key-ids: 11111111
}

far http://127.0.0.1:9/x {
  ignore
}
"""
OPTIONS: list[Result] = [
    {"media": [{"name": "new", "url": "%(served)s/one"}]},
    {"media": [{"name": "new", "url": "%(served)s/one/"}, {"name": "far", "state": "absent"}]},
    {"media": [{"name": "old", "url": "%(served)s/one"}]},
    {"media": [{"name": "old", "update": True}]},
    {"media": [{"name": "old", "ignore": True}]},
    {"media": [{"name": "old", "virtual": True}]},
    {"media": [{"name": "old", "xml_info": "always"}]},
    {"media": [{"name": "old", "verify_rpm": False}]},
    {"media": [{"name": "old", "key_ids": ["0xAAAABBBBCCCCDDDD", "4310025f"]}]},
    {"media": [{"name": "old", "key_ids": []}]},
    {"media": [{"name": "old", "pubkey": str(KEY)}]},
    {"media": [{"name": "old", "pubkey": "%(root)s/etc/key", "pubkey_content": KEY.read_text()}]},
    {"media": [{"name": "new", "url": "%(served)s", "with_dir": "one"}]},
    {"media": [{"name": "new", "mirrorlist": "%(served)s", "with_dir": "one"}]},
    {"media": [{"name": "old", "priority": 60}, {"name": "far", "priority": 10}], "fetch": False},
    {"media": [{"name": "new", "url": "https://u:geheim@h/x"}], "fetch": False},
    {"media": [{"name": "new", "url": "https://h/x", "username": "u", "password": "geheim"}], "fetch": False},
    {"media": [{"name": "old"}], "state": "latest"},
    {"media": [{"name": "old", "state": "latest"}], "fetch": False},
    {"media": [{"name": "old"}], "state": "absent"},
    {"media": [{"name": "new", "url": "%(served)s/one"}, {"name": "old"}], "exclusive": True},
    {"exclusive": True},
    {"options": {"downloader": "curl", "verify-rpm": False, "auto": True}},
    {"skip_list": ["/^kernel/", "glibc"]},
    {"inst_list": ["kernel"]},
    {"proxy": {"http": "proxy:3128"}},
    {"proxy": {"http": "proxy:3128", "ftp": "proxy:3128", "username": "u", "password": "geheim"}},
    {"media": [{"name": "far", "ignore": False, "url": "%(served)s/one"}]},
]


def filled(options: t.Any, served: Path) -> Result:
    return t.cast("Result", json.loads(json.dumps(options).replace("%(served)s", str(served))))


def label(options: t.Any) -> str:
    return json.dumps(options).replace("/", "_").replace(" ", "")[:70]


@pytest.mark.parametrize("options", OPTIONS, ids=label)
def test_check_mode_tells_what_a_run_does(call: Call, root: Path, served: Path, options: Result) -> None:
    (root / "etc/urpmi/urpmi.cfg").write_text(BEFORE % {"served": served})
    options = filled(json.loads(json.dumps(options).replace("%(root)s", str(root))), served)
    before = snapshot(root)
    predicted = call(check=True, diff=True, **options)
    assert snapshot(root) == before
    result = call(diff=True, **options)
    assert comparable(predicted) == comparable(result) and result.get("changed") is True, result
    after = snapshot(root)
    second = call(diff=True, **options)
    assert (second["changed"], second["actions"], second["diff"]) == (False, [], [])
    assert snapshot(root) == after
    assert "# our media" in cfg(root) and ("frobnicate" in cfg(root)) == ("old" in cfg(root))
    assert "geheim" not in json.dumps([predicted, result, second])
    secrets = [name for name, (content, _mode) in after.items() if b"geheim" in content]
    assert all(after[name][1] == 0o600 for name in secrets) and bool(secrets) == ("geheim" in json.dumps(options))


def test_the_first_medium(call: Call, root: Path, served: Path) -> None:
    result = call(media=[{"name": "Main Release", "url": "%s/one" % served, "key_ids": ["4310025f"]}])
    assert cfg(root) == "{\n}\n\nMain\\ Release %s/one {\n  key-ids: 4310025f\n}\n" % served
    assert result["media"] == {
        "Main Release": {
            "changed": True,
            "state": "added",
            "url": "%s/one" % served,
            "options": {"key-ids": "4310025f"},
            "files": ["MD5SUM", "synthesis.hdlist.cz"],
            "packages": 1,
        }
    }
    assert result["warnings"] == [] and result["files"] == ["%s/etc/urpmi/urpmi.cfg" % root]
    stored = root / "var/lib/urpmi/Main Release"
    assert (stored / "synthesis.hdlist.cz").read_bytes() == (served / "one" / SYNTHESIS).read_bytes()
    call(media=[{"name": "Main Release"}], state="absent")
    assert cfg(root) == "{\n}\n" and not stored.exists()


def test_nothing_asked_nothing_written(call: Call, root: Path) -> None:
    assert call()["changed"] is False
    assert [name for name in snapshot(root) if not name.endswith(".LOCK")] == []


def test_medium_without_key_is_told(call: Call, served: Path) -> None:
    (told,) = call(media=[{"name": "n", "url": "%s/one" % served}])["warnings"]
    assert told.startswith("no key is known for n: ")
    assert call(media=[{"name": "n", "verify_rpm": False}])["warnings"] == []


def test_distribution(call: Call, root: Path, tmp_path: Path) -> None:
    tree = samples.tree(tmp_path / "tree")
    entry = {"url": str(tree), "distrib": True}
    result = call(media=[entry], fetch=False)
    assert list(result["media"]) == ["Contrib", "Debug Main", "Main Release", "Main Updates", "Non-free"]
    assert "Main\\ Updates %s/media/main/updates {\n  update\n}" % tree in cfg(root)
    assert "Debug\\ Main %s/media/debug_main {\n  ignore\n}" % tree in cfg(root)
    assert call(media=[entry], fetch=False)["changed"] is False
    again = call(media=[{**entry, "name": "site", "sources": True, "ignore": True}])
    assert len(again["media"]) == 6 and "Sources (site)" in again["media"]
    (tree / "media/media_info/media.cfg").unlink()
    gone = call(media=[entry], state="absent")
    assert len(gone["media"]) == 11 and cfg(root) == "{\n}\n"


def test_refresh(call: Call, root: Path, tmp_path: Path) -> None:
    folder = samples.medium(tmp_path / "m", names=["a-simple"])
    samples.run(folder)
    call(media=[{"name": "m", "url": str(folder)}])
    samples.run(samples.medium(folder, names=["a-epoch"]))
    assert call(media=[{"name": "m"}])["changed"] is False
    result = call(media=[{"name": "m"}], state="latest")
    assert (result["media"]["m"]["state"], result["files"]) == ("refreshed", [])
    assert call(media=[{"name": "m"}], state="latest")["changed"] is False
    # A run that was killed between the two files, and one whose file was damaged afterwards.
    stored = root / "var/lib/urpmi/m"
    for name in ("MD5SUM", "synthesis.hdlist.cz"):
        (stored / name).write_bytes(b"x" * 40)
        assert call(media=[{"name": "m"}], state="latest")["media"]["m"]["files"] == [name]
    (stored / "MD5SUM").unlink()
    assert call(media=[{"name": "m"}], state="latest")["changed"] is True


def _break(folder: Path, data: bytes, md5sum: bytes) -> None:
    (folder / "media_info").mkdir(parents=True)
    (folder / SYNTHESIS).write_bytes(data)
    (folder / "media_info/MD5SUM").write_bytes(md5sum)


BAD: list[tuple[Result, str]] = [
    ({"name": "a/b", "url": "/x"}, "medium 'a/b': such a name"),
    ({"name": "..", "url": "/x"}, "medium '..': such a name"),
    ({"url": "/x"}, "medium '': such a name"),
    ({"name": "n"}, "medium 'n' is new and has no url"),
    ({"name": "n", "url": "media/main"}, "medium 'n': bad url 'media/main'"),
    ({"name": "n", "url": "gopher://h/x"}, "medium 'n': bad url 'gopher://h/x'"),
    ({"name": "n", "url": "/x", "xml_info": "sometimes"}, "xml_info must be one of: never, on-demand"),
    ({"name": "n", "url": "/x", "mirrorlist": "/y.list"}, "medium 'n' has url and mirrorlist"),
    ({"name": "n", "url": "/x", "key_ids": ["xyz"]}, "medium 'n': 'xyz' is no key id"),
    ({"name": "n", "url": "/x", "username": "u"}, "username is for http, https and ftp"),
    ({"name": "n", "url": "/x", "pubkey": "%(served)s/none"}, "none does not exist"),
    ({"name": "n", "url": "/x", "pubkey": "%(served)s/one/media_info/MD5SUM"}, "MD5SUM is no armored OpenPGP"),
    ({"name": "n", "url": "/x", "pubkey_content": "x"}, "medium 'n': pubkey_content has no place"),
    ({"name": "n", "url": "/x", "pubkey": "/k", "pubkey_content": "x"}, "/k is no armored OpenPGP"),
    ({"name": "n", "url": "%(served)s"}, "medium 'n': %(served)s: there is no synthesis.hdlist.cz"),
    ({"name": "n", "url": "http://127.0.0.1:9/x"}, "medium 'n': http://127.0.0.1:9/x/media_info/MD5SUM cannot be"),
    ({"name": "n", "mirrorlist": "http://127.0.0.1:9/m.list"}, "http://127.0.0.1:9/m.list cannot be reached"),
    ({"name": "n", "mirrorlist": "%(served)s/m.list"}, "m.list is not there"),
    ({"name": "n", "url": "http://h/x", "username": "u", "password": "a\tz"}, "h holds a blank"),
    ({"url": "%(served)s", "distrib": True}, "%(served)s holds no distribution"),
    ({"distrib": True}, "one of url and mirrorlist"),
]  # fmt: skip


@pytest.mark.parametrize(("medium", "message"), BAD, ids=[message for _medium, message in BAD])
def test_bad_input_is_named_and_nothing_written(
    call: Call, root: Path, served: Path, medium: Result, message: str
) -> None:
    (root / "etc/urpmi/urpmi.cfg").write_text(BEFORE % {"served": served})
    before = snapshot(root)
    # A medium that is well does not hide it.
    options = filled({"media": [{"name": "good", "url": "%(served)s/one"}, medium]}, served)
    options["fetch"] = "password" not in medium
    for check in (True, False):
        result = call(check=check, **options)
        assert result["failed"] and message.replace("%(served)s", str(served)) in result["msg"], result["msg"]
    assert {name: row for name, row in snapshot(root).items() if not name.endswith(".LOCK")} == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n}\nfrob\n", "urpmi.cfg:3: syntax error"),
        ("a /x {\n}\na /y {\n}\n", "urpmi.cfg:3: medium 'a' is defined twice"),
        ("a /x {\n}\nb /y {\n", "urpmi.cfg:3: the block has no }"),
    ],
)
def test_a_damaged_file_is_never_written(call: Call, root: Path, text: str, message: str) -> None:
    (root / "etc/urpmi/urpmi.cfg").write_text(text)
    for options in ({"exclusive": True}, {"media": [{"name": "n", "url": "/x"}], "fetch": False}):
        result = call(**options)
        assert message in result["msg"] and result["hint"] and cfg(root) == text


GOOD = b"@info@a-1-1.noarch@0@1@G\n"


@pytest.mark.parametrize(
    ("data", "digest", "message"),
    [
        (GOOD, "0" * 32, "does not fit its MD5SUM"),
        (GOOD + b"garbage\n", "", "bad line 2: garbage"),
        (GOOD[:-1], "", "cut off in line 1"),
        (b"\x1f\x8b\x08garbage", "", "damaged gzip data"),
        (b"\xfd7zXZ\x00\x00\x04", "", "damaged xz data"),
        (b"", "", "is empty"),
    ],
)
def test_a_damaged_synthesis_is_refused(
    call: Call, root: Path, tmp_path: Path, data: bytes, digest: str, message: str
) -> None:
    line = "%s  synthesis.hdlist.cz\n" % (digest or md5(data))
    _break(tmp_path / "m", data, line.encode())
    for state in ("present", "latest"):
        result = call(media=[{"name": "m", "url": str(tmp_path / "m")}], state=state)
        assert message in result["msg"] and "medium 'm'" in result["msg"]
    assert not (root / "var/lib/urpmi/m").exists() and not (root / "etc/urpmi/urpmi.cfg").exists()


NOISE = bytes(value * 37 % 251 for value in range(1000))
# What urpmi.addmedia 8.102 was given and what became of it, at each row's end.
DAMAGE: list[tuple[bytes | None, bool, str]] = [
    (NOISE, False, "does not fit its MD5SUM"),  # refused
    (NOISE, True, "synthesis.hdlist.cz"),  # accepted; "bad line" later
    (PLAIN[:2000], True, "damaged xz data"),  # accepted, without a package
    (b"x\n", True, "bad line 1: x"),  # refused
    (PLAIN, True, ""),  # accepted
]


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(("data", "fits", "message"), DAMAGE)
def test_what_was_done_to_a_recorded_medium(
    call: Call, root: Path, tmp_path: Path, data: bytes, fits: bool, message: str, remote: bool
) -> None:
    line = "%s  synthesis.hdlist.cz\n" % (md5(data) if fits else "0" * 32)
    _break(tmp_path / "m", data, line.encode())
    with serve(tmp_path) as url:
        medium = {"name": "m", "url": url + "/m" if remote else str(tmp_path / "m")}
        result = call(media=[medium])
        if message:
            assert message in result["msg"] and "medium 'm'" in result["msg"] and result["hint"]
            assert not (root / "var/lib/urpmi/m").exists() and not (root / "etc/urpmi/urpmi.cfg").exists()
        else:
            assert result["media"]["m"]["packages"] == 42
        # Without an MD5SUM a local medium is read, and one of a server is not: nobody vouches for what came.
        (tmp_path / "m/media_info/MD5SUM").unlink()
        (tmp_path / "m" / SYNTHESIS).write_bytes(PLAIN)
        result = call(media=[{**medium, "name": "n"}])
        assert ("no metadata found" in result["msg"]) if remote else (result["media"]["n"]["packages"] == 42)


def test_every_failure_is_told(call: Call, tmp_path: Path) -> None:
    media = [{"name": name, "url": str(tmp_path / name)} for name in ("x", "y")]
    message = call(media=media)["msg"]
    assert "medium 'x'" in message and "medium 'y'" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"options": {"frob": 1}}, "urpmi knows no option 'frob'"),
        ({"options": {"verify-rpm": "maybe"}}, "verify-rpm cannot be 'maybe'"),
        ({"options": {"downloader": "a\nb"}}, "downloader cannot be"),
        ({"skip_list": ["/(/"]}, "/(/ is no regular expression"),
        ({"inst_list": [""]}, "inst_list: '' is no expression"),
        ({"proxy": {"http": "a b"}}, "proxy: a value holds a blank"),
        ({"root": "/nowhere/at/all"}, "/nowhere/at/all is no folder"),
        ({"media": [{"name": "n", "url": "/x"}, {"name": "n", "url": "/y"}]}, "'n' is there twice"),
    ],
)
def test_bad_options(call: Call, options: Result, message: str) -> None:
    assert message in call(**options)["msg"]


def test_another_urpmi_holds_the_lock(call: Call, root: Path) -> None:
    (root / "var/lib/urpmi").mkdir(parents=True)
    with (root / "var/lib/urpmi/.LOCK").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "locked by another run" in call(options={"auto": True}, lock_timeout=0)["msg"]


def test_a_login_goes_with_its_medium(call: Call, root: Path) -> None:
    netrc = root / "etc/urpmi/netrc"
    netrc.write_text("# ours\nmachine other login a password b\n")
    netrc.chmod(0o644)
    media = [{"name": name, "url": "http://u:geheim@h:81/%s" % name} for name in ("x", "y")]
    result = call(media=media, fetch=False, diff=True)
    assert netrc.read_text().endswith("b\nmachine h:81 login u password geheim\n") and "b\n" in netrc.read_text()
    assert netrc.stat().st_mode & 0o777 == 0o600 and "x http://u@h:81/x {" in cfg(root)
    assert "geheim" not in json.dumps(result)
    call(media=[{"name": "x"}], state="absent")
    assert "geheim" in netrc.read_text()
    call(media=[{"name": "y"}], state="absent")
    assert netrc.read_text() == "# ours\nmachine other login a password b\n"


def test_exclusive_order(call: Call, root: Path) -> None:
    media: list[Result] = [{"name": name, "url": "http://h/" + name} for name in "abc"]
    call(media=media, fetch=False)
    call(media=[media[2], media[0], {**media[1], "priority": 1}], fetch=False, exclusive=True)
    assert [line.split()[0] for line in cfg(root).splitlines() if " http" in line] == ["b", "c", "a"]
    assert cfg(root).count("\n\n") == 3
