# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result."""

from __future__ import annotations

import fcntl
import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.modules import hdlist
from ansible_collections.xtreemos.cluster.tests.unit._media import samples
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN, write

KEY = GOLDEN / "distrib" / "media" / "main" / "release" / "media_info" / "pubkey"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    # Tests of controller plugins in the same process would make warnings go to the screen instead of the result.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False, raising=False)

    def run(path: Path, check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
        options = {"path": str(path), "_ansible_check_mode": check, "_ansible_diff": diff, **options}
        with patch_module_args(options), pytest.raises(SystemExit):
            hdlist.main()
        return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))

    return run


Call = t.Callable[..., t.Dict[str, t.Any]]


def snapshot(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def comparable(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in result.items() if key != "invocation"}


OPTIONS: list[dict[str, t.Any]] = [
    {},
    {"xml_info": False},
    {"hdlist": False},
    {"compression": {"synthesis": "xz", "xml_info": "gzip"}},
    {"compression": {"synthesis": "zstd"}},
    {"file_deps": ["/usr/share/a-simple/data"]},
    {"pubkey": str(KEY)},
    {"weak_dependencies": "recommends"},
    {"line_limit": 131071},
    {"versioned": True},
    {"state": "absent"},
    {"bad_packages": "skip"},
    {"repodata": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "defaults")
def test_check_mode_tells_what_a_run_does(
    tmp_path: Path, call: Call, options: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a medium that is there already, so that each option shows its own change; then nothing is left to do."""
    # Links of a versioned medium carry the second of the run: the clock must not move between the two.
    gmtime = time.gmtime
    monkeypatch.setattr(time, "gmtime", lambda *given: gmtime(*(given or (1700000000,))))
    folder = samples.medium(tmp_path, names=["a-simple", "a-recommends", "a-manyprov"])
    call(folder)
    samples.medium(folder, names=["a-epoch0"])
    before = snapshot(folder)
    predicted = call(folder, check=True, diff=True, **options)
    assert snapshot(folder) == before
    result = call(folder, diff=True, **options)
    assert comparable(predicted) == comparable(result) and result["changed"] is True
    second = call(folder, **options)
    assert (second["changed"], second["actions"]) == (False, []) and "diff" not in second
    assert set(result) >= {"changed", "diff", "actions", "media", "files"}


def test_result(tmp_path: Path, call: Call) -> None:
    folder = samples.medium(tmp_path, names=["a-simple", "a-manyprov"])
    result = call(folder, diff=True)
    row = result["media"][str(folder)]
    assert row["added"] == ["a-manyprov-1.0-1mdv2009.0.noarch", "a-simple-1.0-1mdv2009.0.noarch"]
    assert (row["packages"], row["removed"], row["updated"], row["skipped"]) == (2, [], [], {})
    assert row["files"] == sorted(samples.published(folder)) and row["path"] == str(folder)
    assert "62 of 3001 provides left out" in json.dumps(result["warnings"])
    (shown,) = result["diff"]
    assert shown["before"] == "" and shown["after"].count("\n") == 2
    assert "deprecations" not in result


def test_the_public_key(tmp_path: Path, call: Call) -> None:
    folder = samples.medium(tmp_path / "m", names=["a-simple"])
    call(folder, pubkey=str(KEY))
    assert samples.published(folder)["pubkey"] == KEY.read_bytes()
    assert not call(folder)["changed"]
    (tmp_path / "garbage").write_text("garbage")
    assert "no armored OpenPGP public key" in call(folder, pubkey=str(tmp_path / "garbage"))["msg"]
    assert "missing does not exist" in call(folder, pubkey=str(tmp_path / "missing"))["msg"]
    call(folder, state="absent")
    assert list(samples.published(folder)) == ["pubkey"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_folder_that_is_not_there(tmp_path: Path, call: Call, state: str) -> None:
    result = call(tmp_path / "none", state=state)
    if state == "absent":
        assert result["changed"] is False
    else:
        assert result["failed"] and "none is no folder" in result["msg"] and result["hint"]


def test_bad_packages_fail_with_their_names(tmp_path: Path, call: Call) -> None:
    write(tmp_path)
    (tmp_path / "bad.rpm").write_bytes(b"x")
    result = call(tmp_path)
    assert (
        result["failed"] and "bad.rpm: not an RPM package" in result["msg"] and not (tmp_path / "media_info").exists()
    )
    skipped = call(tmp_path, bad_packages="skip")
    assert list(skipped["media"][str(tmp_path)]["skipped"]) == ["bad.rpm"]


def test_another_run_holds_the_lock(tmp_path: Path, call: Call) -> None:
    write(tmp_path)
    (tmp_path / ".media_info").mkdir()
    with (tmp_path / ".media_info" / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "locked by another run" in call(tmp_path, lock_timeout=0)["msg"]
        assert call(tmp_path, check=True, lock_timeout=0)["changed"] is True
    assert call(tmp_path, lock_timeout=0)["changed"] is True


def test_a_folder_that_cannot_be_written(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)

    def refuse(path: str, *_args: t.Any, **_more: t.Any) -> t.NoReturn:
        raise OSError(30, "Read-only file system", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "makedirs", refuse)
        result = call(tmp_path)
    assert "cannot write %s/.media_info: Read-only file system" % tmp_path in result["msg"]


def test_tree(tmp_path: Path, call: Call) -> None:
    root = samples.tree(tmp_path)
    predicted, result = call(root, check=True, distrib=True), call(root, distrib=True)
    assert comparable(predicted) == comparable(result)
    assert len(result["media"]) == 6 and result["media"]["SRPMS"]["packages"] == 6
    assert call(root, distrib=True)["changed"] is False
