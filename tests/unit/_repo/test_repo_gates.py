# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate ``signed`` with the real rpmkeys, several publishers at once, and disks that are not one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo import transaction
from ansible_collections.xtreemos.cluster.tests.unit._media.samples import records
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import files, make_unit, package, packages, run, tree
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN, SIMPLE

SIGNED = GOLDEN / "signed"
RSA, ED = "D7ABAAB9BB8F903634EE65F0A106C3BBD8823A4E", "0074617058B3B3FD6614954EC07776CB9B642BD4"
NAME = "a-simple-1.0-1mdv2009.0.noarch.rpm"
UPDATES = "x86_64/media/main/updates"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    if not shutil.which("rpmkeys") or not shutil.which("gpg"):
        pytest.fail("rpmkeys or gpg is missing: make packages-test")
    return tmp_path / "mirror"


def only_rsa(tmp_path: Path) -> str:
    """A file with one of the two public keys."""
    home = Path(tempfile.mkdtemp(dir=tmp_path, prefix="g"))
    base = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-autostart"]
    subprocess.run([*base, "--import", str(SIGNED / "pubkeys.asc")], check=True, capture_output=True)
    subprocess.run([*base, "--armor", "--output", str(tmp_path / "other.asc"), "--export", RSA], check=True)
    shutil.rmtree(home)
    return str(tmp_path / "other.asc")


def incoming(tmp_path: Path, what: str) -> Path:
    """A package as it is, signed, or changed after it was signed."""
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    data = bytearray((SIMPLE if what == "unsigned" else SIGNED / (what.split()[0] + ".rpm")).read_bytes())
    if what.endswith("payload"):
        data[-20] ^= 1
    elif what.endswith("header"):
        data[data.index(b"GPL")] ^= 1
    (folder / NAME).write_bytes(data)
    return folder


CASES: list[tuple[str, dict[str, t.Any], str]] = [
    ("ed25519", {}, ""),
    ("rsa2048", {}, ""),
    ("rsa2048", {"keys": [RSA]}, ""),
    ("ed25519", {"keys": [RSA, ED.lower()]}, ""),
    ("ed25519", {"keys": [ED[-16:]]}, ""),
    ("unsigned", {}, "%s is not signed" % NAME),
    ("unsigned", {"keys": [ED]}, "%s is not signed" % NAME),
    ("ed25519", {"keys": [RSA]}, "%s is signed by %s" % (NAME, ED[-16:].lower())),
    ("ed25519", {"pubkeys": ["none"]}, "pubkeys: none does not exist"),
    ("ed25519", {"pubkeys": ["other"]}, "%s: .*NOT OK|NOKEY" % NAME),
    ("ed25519 payload", {}, "%s: .*NOT OK" % NAME),
    ("rsa2048 header", {}, "%s: .*NOT OK" % NAME),
]


@pytest.mark.parametrize(("what", "more", "told"), CASES)
@pytest.mark.parametrize("check", [True, False])
def test_signatures_that_pass(
    place: Path, tmp_path: Path, what: str, more: dict[str, t.Any], told: str, check: bool
) -> None:
    run(tree(place))
    folder = incoming(tmp_path, what)
    if more.get("pubkeys") == ["other"]:
        more = {**more, "pubkeys": [only_rsa(tmp_path)]}
    given = {"gate": ["signed"], "pubkeys": [str(SIGNED / "pubkeys.asc")], **more, "from": str(folder)}
    before = files(tmp_path)
    if told:
        with pytest.raises(ClusterError, match=told):
            run(tree(place), check, to="main/updates", **given)
    else:
        assert run(tree(place), check, to="main/updates", **given)["changed"]
    assert (files(tmp_path) == before) is (check or bool(told))


def test_an_unsigned_package_is_not_promoted(place: Path, tmp_path: Path) -> None:
    """It came into testing without the gate, or before there was one."""
    given = tree(place, pubkey=str(SIGNED / "pubkeys.asc"))
    run(given, **{"from": str(incoming(tmp_path, "unsigned")), "to": "main/testing"})
    before = files(place)
    promote = {"from": "main/testing", "to": "main/updates", "gate": ["signed", "installable"]}
    for check in (True, False):
        with pytest.raises(ClusterError, match="do not pass the gate signed: .*testing/%s is not signed" % NAME):
            run(given, check, **promote)
        assert files(place) == before
    assert run(given, **{**promote, "gate": []})["changed"]


def test_many_complaints_are_told_shortly(place: Path, tmp_path: Path) -> None:
    for number in range(25):
        package(tmp_path / "in", "p%02d" % number)
    given = {"gate": ["signed"], "pubkeys": [str(SIGNED / "pubkeys.asc")]}
    with pytest.raises(ClusterError, match="p00-1-1.noarch.rpm is not signed; .*; and 5 more"):
        run(tree(place), to="main/updates", **given, **{"from": str(tmp_path / "in")})


def test_nothing_new_needs_no_key(place: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    given = {"from": str(tmp_path / "in"), "to": "main/updates", "gate": ["signed", "installable", "rpmlint"]}
    run(tree(place), **given)
    assert not run(tree(place), **given)["changed"]


def test_publishers_at_the_same_time(place: Path, tmp_path: Path) -> None:
    """Four processes, each with a package of its own: all of them end well, one after the other."""
    run(tree(place))
    children = []
    for number in range(4):
        folder = package(tmp_path / str(number), "p%d" % number).parent
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(tree(place), to="main/updates", gate=["installable"], **{"from": str(folder)})
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    names = {"p%d-1-1.noarch" % number for number in range(4)}
    assert {name.decode() for name in records(place / "2.1" / UPDATES / "media_info")} == names
    assert not run(tree(place))["changed"]


@pytest.mark.parametrize("broken", ["archive", "link", "both"])
def test_files_travel_between_file_systems(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Where neither link nor rename works packages are copied, with their times."""
    archive = Path(tempfile.mkdtemp(dir="/dev/shm")) if broken != "link" else tmp_path / "archive"
    real = os.replace

    def replace(source: str, dest: str) -> None:
        if str(dest).startswith(str(archive)) and not str(source).startswith(str(archive)):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, dest)

    def refuse(*_args: t.Any, **_more: t.Any) -> t.NoReturn:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    try:
        if broken != "link":
            monkeypatch.setattr(transaction.os, "replace", replace)
        if broken != "archive":
            monkeypatch.setattr(transaction.os, "link", refuse)
        given = tree(place, archive=str(archive))
        for version in ("1", "2"):
            folder = make_unit(tmp_path / version, version)
            for path in folder.iterdir():
                os.utime(path, (1_600_000_000, 1_600_000_000))
            run(given, **{"from": str(folder), "to": "main/updates"})
        assert {path.rpartition("-")[0].rpartition("-")[2] for path in packages(archive)} == {"1"}
        there = [place / "2.1" / path for path in packages(place / "2.1")] + [
            archive / path for path in packages(archive)
        ]
        assert len(there) == 14 and {path.stat().st_mtime for path in there} == {1_600_000_000}
        assert {path.stat().st_mode & 0o777 for path in there} == {0o644}
        assert not run(given)["changed"]
    finally:
        if broken != "link":
            shutil.rmtree(archive)
