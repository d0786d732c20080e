# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pathlib
import stat

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host import files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def tree(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("content", "mode"),
    [(b"", 0o644), (b"one line\n", 0o600), (b"\x00\xff" * 70000, 0o755)],
)
def test_write_batch_writes_content_and_mode(tmp_path: pathlib.Path, content: bytes, mode: int) -> None:
    target = tmp_path / "new" / "folder" / "file"
    files.write_batch([(str(target), content, mode)])
    assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert tree(tmp_path) == {"new/folder/file": content}


def test_write_batch_ignores_the_umask(tmp_path: pathlib.Path) -> None:
    old = os.umask(0o077)
    try:
        files.write_batch([(str(tmp_path / "file"), b"x", 0o644)])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_many_files_are_synced_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"sync": 0, "fsync": 0}
    monkeypatch.setattr(files.os, "sync", lambda: calls.__setitem__("sync", calls["sync"] + 1))
    monkeypatch.setattr(files.os, "fsync", lambda handle: calls.__setitem__("fsync", calls["fsync"] + 1))
    files.write_batch([(str(tmp_path / ("f%03d" % n)), b"x", 0o644) for n in range(200)])
    assert calls == {"sync": 1, "fsync": 1}, "one sync for all files, one fsync for the one folder"
    files.write_batch([(str(tmp_path / "single"), b"x", 0o644)])
    assert calls == {"sync": 1, "fsync": 3}, "a single file is synced by itself, then its folder"


def test_a_failure_leaves_every_target_as_it_was(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "inside").write_bytes(b"keeps the folder from being replaced")
    with pytest.raises(ClusterError, match=r"cannot write .*inside: File exists"):
        files.write_batch(
            [(str(tmp_path / "a"), b"new", 0o644), (str(tmp_path / "z" / "inside" / "nosuch"), b"new", 0o644)]
        )
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(tree(tmp_path)) == ["a", "z/inside"]


def test_a_full_disk_is_named_and_nothing_stays_beside(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(ClusterError) as caught:
        files.write_batch([(str(tmp_path / "a"), b"new", 0o644)])
    assert "No space left on device" in caught.value.message
    assert caught.value.hint == "free space on that file system"
    assert tree(tmp_path) == {}


def _die_before_rename(folder: str) -> None:
    files.os.replace = lambda *args: os._exit(9)  # type: ignore[assignment]
    files.write_batch([(folder + "/a", b"new", 0o644)])


def test_a_kill_before_the_rename_leaves_the_old_state(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    child = multiprocessing.get_context("fork").Process(target=_die_before_rename, args=(str(tmp_path),))
    child.start()
    child.join()
    assert child.exitcode == 9
    assert (tmp_path / "a").read_bytes() == b"old"
    files.write_batch([(str(tmp_path / "a"), b"new", 0o644)])
    assert (tmp_path / "a").read_bytes() == b"new"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.binary(max_size=200), max_size=8))
def test_what_is_written_is_what_is_read(tmp_path: pathlib.Path, wanted: dict[str, bytes]) -> None:
    files.write_batch([(str(tmp_path / name), content, 0o644) for name, content in wanted.items()])
    assert all((tmp_path / name).read_bytes() == content for name, content in wanted.items())


def test_sha256_file(tmp_path: pathlib.Path) -> None:
    data = os.urandom((1 << 20) + 17)
    (tmp_path / "f").write_bytes(data)
    assert files.sha256_file(str(tmp_path / "f")) == hashlib.sha256(data).hexdigest()


def test_a_lock_excludes_a_second_holder_and_is_given_back(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "sub" / "lock")
    with files.locked(path), pytest.raises(ClusterError, match="is locked by another run"), files.locked(path, 0.0):
        pass
    with files.locked(path, 0.0):
        pass


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (None, {"a", "b.new.x", "c.new", "d.new.1.gz", "folder"}),
        (("a",), {"a", "a.b.new.7", "b.new.12", "b.new.x", "c.new", "d.new.1.gz", "folder"}),
        ((), {"a", "a.new.12", "a.new.345", "a.b.new.7", "b.new.12", "b.new.x", "c.new", "d.new.1.gz", "folder"}),
    ],
)
def test_half_files_of_killed_writers(tmp_path: pathlib.Path, names: tuple[str, ...] | None, left: set[str]) -> None:
    for name in ("a", "a.new.12", "a.new.345", "a.b.new.7", "b.new.12", "b.new.x", "c.new", "d.new.1.gz"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    files.sweep(str(tmp_path), names)
    assert {path.name for path in tmp_path.iterdir()} == left
    files.sweep(str(tmp_path / "none"))
