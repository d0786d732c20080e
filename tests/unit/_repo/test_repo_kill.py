# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A publication that is killed: readers see media that fit, and the next run ends where an undisturbed one would."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.publish import run_publish
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.transaction import Step
from ansible_collections.xtreemos.cluster.tests.unit._media.samples import records
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import files, make_unit, options, package, run, tree
from ansible_collections.xtreemos.cluster.tests.unit.killing import die_at

SMALL: dict[str, t.Any] = {"arches": ["x86_64"], "media": [{"name": "main", "sections": ["updates", "testing"]}]}


def prepared(folder: Path) -> Path:
    """An old build published, a new one waiting; the same bytes and times at every call."""
    make_unit(folder / "old", "1")
    package(make_unit(folder / "in", "2"), "other")
    for path in folder.rglob("*"):
        os.utime(path, (1700000000, 1700000000))
    for path in folder.rglob("*.i586.rpm"):
        path.unlink()
    run(tree(folder / "mirror", **SMALL), **{"from": str(folder / "old"), "to": "main/updates"})
    return folder


def request(folder: Path) -> dict[str, t.Any]:
    mail = {"dest": str(folder / "mail")}
    given = {"from": str(folder / "in"), "to": "main/updates", "announce": mail}
    return options(tree(folder / "mirror", **SMALL), **given)


def killed_at(folder: Path, number: int) -> str:
    """Publish in a process of its own that is killed at its step ``number``; the name of the step, or empty."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        left = [number]

        def step(name: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.write(writer, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            run_publish(request(folder), False, LocalHost(), step)
        finally:
            os._exit(0)
    os.close(writer)
    _pid, status = os.waitpid(child, 0)
    with os.fdopen(reader) as stream:
        name = stream.read()
    assert os.WIFSIGNALED(status) is bool(name)
    return name


def check_media(folder: Path) -> None:
    """What a reader sees: digests that fit, and a file for every package of the synthesis."""
    # What lies in hidden folders is work in progress.
    for sums in [path for path in folder.rglob("MD5SUM") if "/." not in str(path.relative_to(folder.parent))]:
        for name, digest in parse_md5sum(sums.read_bytes()).items():
            assert md5((sums.parent / name).read_bytes()) == digest
        if (sums.parent / "synthesis.hdlist.cz").exists() and sums.parent.parent.name != "media":
            there = {path.name[:-4].encode() for path in sums.parent.parent.glob("*.rpm")}
            assert set(records(sums.parent)) <= there


def test_every_kill_is_repaired(tmp_path: Path) -> None:
    whole = prepared(tmp_path / "whole")
    run_publish(request(whole), False, LocalHost())
    wanted = files(whole)
    seen = []
    for number in range(50):
        folder = prepared(tmp_path / str(number))
        name = killed_at(folder, number)
        check_media(folder / "mirror")
        result = run_publish(request(folder), False, LocalHost())
        found = files(folder)
        assert {p: m for p, m in found.items() if p != "mail"} == {p: m for p, m in wanted.items() if p != "mail"}, name
        assert "mail" in found, name
        assert result["repaired"] == outcome(name), name
        assert not (folder / "mirror/2.1/.publish/journal.json").exists()
        shutil.rmtree(folder)
        if not name:
            break
        seen.append(name)
    assert {"journal", "placed", "metadata", "settled"} <= set(seen)
    assert any(name.startswith("added ") for name in seen) and any(name.startswith("dropped ") for name in seen)
    assert number == len(seen)


# Together they are every change of the disk, of which there are some hundred.
@pytest.mark.parametrize("offset", range(1, 5))
def test_killed_between_the_steps_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    """At any single call that changes the disk: readers see media that fit, and the next run ends the same way."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
    template = prepared(tmp_path / "template")
    whole = Path(shutil.copytree(template, tmp_path / "whole"))
    run_publish(request(whole), False, LocalHost())
    wanted = {path: mark for path, mark in files(whole).items() if path != "mail"}
    step, repaired, killed = offset, set(), True
    while killed:
        folder = Path(shutil.copytree(template, tmp_path / "now"))
        killed = die_at(step, functools.partial(run_publish, request(folder), False, LocalHost()))
        check_media(folder / "mirror")
        repaired.add(run_publish(request(folder), False, LocalHost())["repaired"])
        found = files(folder)
        assert {path: mark for path, mark in found.items() if path != "mail"} == wanted, step
        assert "mail" in found and not (folder / "mirror/2.1/.publish/journal.json").exists(), step
        check_media(folder / "mirror")
        assert not list(folder.rglob(".new-*")) and not list(folder.rglob("*.new.*")), step
        shutil.rmtree(folder)
        step += 4
    assert step > 100 and repaired == {"", "undone", "finished"}


def outcome(name: str) -> str:
    """What the next run does: until every package is in place it undoes, and then it finishes."""
    if not name:
        return ""
    return "undone" if name == "journal" or name.startswith("added ") else "finished"


def test_check_mode_tells_that_something_is_to_be_repaired(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "a")
    assert killed_at(folder, 0) == "journal"
    before = files(folder, hidden=True)
    result = run_publish(request(folder), True, LocalHost())
    assert (result["changed"], result["repaired"]) == (True, "undone")
    assert files(folder, hidden=True) == before


@pytest.mark.parametrize("content", [b"", b"{", b'{"phase": "adding", "what": 1}'])
def test_a_damaged_journal_is_not_guessed_at(tmp_path: Path, content: bytes) -> None:
    folder = prepared(tmp_path / "a")
    journal = folder / "mirror/2.1/.publish/journal.json"
    journal.write_bytes(content)
    before = files(folder)
    with pytest.raises(ClusterError, match="journal.json is damaged .compare the tree with a mirror"):
        run_publish(request(folder), False, LocalHost())
    assert files(folder) == before


@pytest.mark.parametrize("where", ["journal", "added", "placed", "metadata", "dropped", "settled"])
def test_every_failure_that_is_noticed_is_undone(tmp_path: Path, where: str) -> None:
    """Up to the point where packages have left; from there on the next run finishes."""
    folder = prepared(tmp_path / "a")
    before = files(folder)

    def full(name: str) -> None:
        if name.startswith(where):
            raise OSError(28, "No space left on device")

    step: Step = full
    with pytest.raises(ClusterError, match="No space left on device .free some space"):
        run_publish(request(folder), False, LocalHost(), step)
    check_media(folder / "mirror")
    late = where in ("dropped", "settled")
    assert (files(folder) == before) is not late
    again = run_publish(request(folder), False, LocalHost())
    assert again["changed"] and again["repaired"] == ("finished" if late else "")
    check_media(folder / "mirror")
    assert len(list((folder / "mirror/2.1/x86_64/media/main/updates").glob("*-2-1.*.rpm"))) == 2
