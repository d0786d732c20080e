# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switch of a folder: readers never see a mixture, wherever a run is killed."""

from __future__ import annotations

import errno
import os
import stat
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._media import switch as switching
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.switch import Switch, exchange
from ansible_collections.xtreemos.cluster.tests.unit._media import samples
from ansible_collections.xtreemos.cluster.tests.unit.killing import die_at


def no_exchange(_one: str, _other: str) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


def make(tmp_path: Path) -> tuple[Path, Switch]:
    folder = tmp_path / "media_info"
    folder.mkdir(mode=0o750)
    (folder / "kept").write_bytes(b"kept")
    (folder / "changed").write_bytes(b"old")
    (folder / "dropped").write_bytes(b"x")
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_bytes(b"deep")
    os.symlink("kept", folder / "link")
    return folder, Switch(str(folder), str(tmp_path / ".media_info"))


@pytest.mark.parametrize("swap", [exchange, no_exchange])
def test_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: t.Callable[[str, str], None]) -> None:
    monkeypatch.setattr(switching, "exchange", swap)
    folder, switch = make(tmp_path)
    kept = (folder / "kept").stat().st_ino
    switch.apply({"changed": b"new", "added": b"a"}, {"alias": "added"}, ["dropped"])
    assert sorted(os.listdir(folder)) == ["added", "alias", "changed", "kept", "link", "sub"]
    assert (folder / "changed").read_bytes() == b"new" and (folder / "alias").read_bytes() == b"a"
    assert (folder / "kept").stat().st_ino == kept and (folder / "sub" / "file").read_bytes() == b"deep"
    assert os.readlink(folder / "link") == "kept"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "added").stat().st_mode) == 0o644
    assert os.listdir(tmp_path / ".media_info") == []


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    Switch(str(tmp_path / "new"), str(tmp_path / "work")).apply({"a": b"1"})
    assert (tmp_path / "new" / "a").read_bytes() == b"1"


def test_copies_where_links_are_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: t.Any, **_more: t.Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    folder, switch = make(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    switch.apply({"changed": b"new"})
    assert (folder / "kept").read_bytes() == b"kept" and os.readlink(folder / "link") == "kept"


def state_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "free space on that file system"), (errno.EDQUOT, "free space"), (errno.EIO, "")],
)
@pytest.mark.parametrize("call", ["fsync", "link", "symlink"])
def test_errors_leave_the_old_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, hint: str
) -> None:
    def fail(*_args: t.Any, **_more: t.Any) -> None:
        raise OSError(number, os.strerror(number))

    folder, switch = make(tmp_path)
    before = state_of(folder)
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(ClusterError, match="cannot write %s: %s" % (folder, os.strerror(number))) as error:
            switch.apply({"changed": b"new"}, {"alias": "kept"})
    assert hint in error.value.hint and state_of(folder) == before
    assert os.listdir(tmp_path / ".media_info") == []
    switch.apply({"changed": b"new"})
    assert (folder / "changed").read_bytes() == b"new"


def check_set(folder: Path) -> int:
    """Number of packages of a medium whose files fit each other."""
    files = folder / "media_info"
    for name, digest in parse_md5sum((files / "MD5SUM").read_bytes()).items():
        assert md5((files / name).read_bytes()) == digest, name
    found = samples.records(files)
    assert found.keys() == samples.headers(files).keys()
    if (files / "info.xml.lzma").exists():
        assert found.keys() == samples.elements(files, "info").keys()
    return len(found)


@pytest.mark.parametrize("swap", [exchange, no_exchange])
def test_killed_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: t.Callable[[str, str], None]) -> None:
    """After a kill at any change of the disk the old set or the new one is there, and the next run completes it."""
    monkeypatch.setattr(switching, "exchange", swap)
    options = {"xml": "none", "xml_info": swap is exchange}
    folder = samples.medium(tmp_path / "m", names=["a-simple", "a-epoch-", "a-multi-1"])
    samples.run(folder, **options)
    (folder / "media_info" / "pubkey").write_bytes(b"by hand")
    old = samples.published(folder)
    extra = samples.medium(tmp_path / "extra", names=["a-config"])
    package = next(extra.iterdir())
    step, gaps, sets = 0, 0, set()
    while True:
        step += 1
        (folder / package.name).write_bytes(package.read_bytes())
        killed = die_at(step, lambda: samples.run(folder, **options), also={"exchange": switching})
        if (folder / "media_info").exists():
            sets.add(check_set(folder))
        else:
            gaps += 1
        samples.run(folder, **options)
        assert check_set(folder) == 4 and (folder / "media_info" / "pubkey").read_bytes() == b"by hand"
        assert sorted(os.listdir(folder / ".media_info")) == ["state.json"]
        if not killed:
            break
        (folder / package.name).unlink()
        samples.run(folder, **options)
        assert samples.published(folder) == old
    assert step > 15 and sets == {3, 4}
    assert bool(gaps) == (swap is no_exchange)


def test_readers_during_many_switches(tmp_path: Path) -> None:
    """A reader that opens the folder once sees files that fit each other, however often it is switched."""
    folder = tmp_path / "media_info"
    switch = Switch(str(folder), str(tmp_path / "work"))
    switch.apply({"a": b"0", "b": b"0"})
    stop = threading.Event()
    mixed: list[tuple[bytes, bytes]] = []
    reads = [0]

    def read() -> None:
        while not stop.is_set():
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                found = []
                for name in ("a", "b"):
                    with open(os.open(name, os.O_RDONLY, dir_fd=handle), "rb") as stream:
                        found.append(stream.read())
                reads[0] += 1
                if found[0] != found[1]:
                    mixed.append((found[0], found[1]))
            except FileNotFoundError:
                pass  # an old folder that is being removed is no mixture
            finally:
                os.close(handle)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(150):
        switch.apply({name: b"%d" % number for name in ("a", "b")})
    stop.set()
    reader.join()
    assert not mixed and reads[0]


class NoRename:
    """A C library of before 2014."""


@pytest.mark.parametrize("found", [OSError("no library"), NoRename()])
def test_a_system_that_cannot_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: t.Any) -> None:
    def load(*_args: t.Any, **_more: t.Any) -> t.Any:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(switching.ctypes, "CDLL", load)
    with pytest.raises(OSError, match="Function not implemented"):
        exchange(str(tmp_path), str(tmp_path))
    folder, switch = make(tmp_path)
    switch.apply({"changed": b"new"})
    assert (folder / "changed").read_bytes() == b"new" and os.listdir(tmp_path / ".media_info") == []


def test_an_exchange_that_fails_leaves_the_old_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_one: str, _other: str) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    with pytest.raises(OSError, match="No such file"):
        exchange(str(tmp_path / "none"), str(tmp_path))
    folder, switch = make(tmp_path)
    before = state_of(folder)
    monkeypatch.setattr(switching, "exchange", refuse)
    with pytest.raises(ClusterError, match="cannot write %s: Permission denied" % folder):
        switch.apply({"changed": b"new"})
    assert state_of(folder) == before and os.listdir(tmp_path / ".media_info") == []


@pytest.mark.parametrize("call", ["link", "fsync", "listdir"])
def test_a_set_of_somebody_else_that_cannot_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """createrepo_c made the new folder; what others put into the old one comes along, or nothing happens."""
    folder, switch = make(tmp_path)
    before = state_of(folder)

    def prepare() -> None:
        os.makedirs(switch.new)
        Path(switch.new, "changed").write_bytes(b"new")

    def full(*_args: t.Any, **_more: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    prepare()
    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(ClusterError, match="No space left on device .free space"):
            switch.take(["kept", "changed"])
    assert state_of(folder) == before and not os.path.exists(switch.new)
    prepare()
    switch.take(["kept", "changed"])
    switch.commit()
    assert state_of(folder) == {"kept": b"kept", "changed": b"new"}
