# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets: markers, resuming, disks that refuse."""

from __future__ import annotations

import hashlib
import os
import resource
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import store as stores
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.store import Store
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Survey, Target, run_steps

IMAGE = bytes(range(256)) * 40
SHA = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture(params=["file", "device"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A file that is not there yet; a device (an ordinary file stands in for it) with old data in it."""
    path = tmp_path / "out"
    if request.param == "device":
        path.write_bytes(b"\xee" * (len(IMAGE) + 1000))
    return Target(str(path), str(tmp_path / "state"), block=request.param == "device")


def look(target: Target, sha256: str = SHA, size: int = len(IMAGE), verify: bool = False) -> Survey:
    return t.cast("Survey", run_steps(target.survey(sha256, size, verify)))


def fill(target: Target, upto: int = len(IMAGE), image: bytes = IMAGE, block: int = 1000) -> Store:
    """Write until ``upto`` and leave the store open."""
    store = Store(target, SHA, len(IMAGE), look(target), "s1")
    while store.written < upto:
        store.write(memoryview(image[store.written : min(upto, store.written + block)]))
    return store


def content(target: Target) -> bytes:
    return Path(target.path).read_bytes()[: len(IMAGE)]


def test_a_whole_image(target: Target) -> None:
    assert look(target)[:2] == ("", 0)
    store = fill(target)
    assert store.digest() == SHA and target.read_marker()["state"] == "writing"
    store.complete()
    store.close()
    assert content(target) == IMAGE and target.read_marker()["state"] == "complete"
    assert look(target).holds == look(target, verify=True).holds == SHA
    assert not os.path.exists(target.path + ".partial")
    assert look(target, hashlib.sha256(b"other").hexdigest()).holds == ""
    assert look(target, size=5).holds == ""


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old and longer than nothing")
    target = Target(str(path))
    store = fill(target)
    assert path.read_bytes() == b"old and longer than nothing"
    store.complete()
    store.close()
    assert path.read_bytes() == IMAGE and path.stat().st_mode & 0o777 == 0o644


def test_a_push_that_broke_off_is_resumed(target: Target) -> None:
    fill(target, 4321).pause()
    assert target.read_marker()["state"] == "writing" and target.read_marker()["offset"] == "4321"
    assert look(target)[:2] == ("", 4321)
    assert look(target, hashlib.sha256(b"other").hexdigest())[:2] == ("", 0)
    store = fill(target)
    store.complete()
    store.close()
    assert content(target) == IMAGE


def test_a_prefix_that_changed_is_not_resumed(target: Target) -> None:
    fill(target, 4000).pause()
    with open(target.data, "r+b") as stream:
        stream.seek(3999)
        stream.write(b"!")
    assert look(target)[:2] == ("", 0)
    os.truncate(target.data, 10)
    assert look(target)[:2] == ("", 0)


@pytest.mark.parametrize("offset", ["", "0", "99999", "-3"])
def test_a_marker_that_cannot_be_right_is_not_believed(target: Target, offset: str) -> None:
    fill(target, 4000).pause()
    target.write_marker(dict(target.read_marker(), offset=offset))
    assert look(target)[:2] == ("", 0)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"something else\nstate=complete\n", b"xtreemos dolly marker 1\nno"])
def test_a_damaged_marker_counts_as_none(target: Target, raw: bytes) -> None:
    fill(target, 4000).pause()
    Path(target.marker).write_bytes(raw)
    assert look(target)[:2] == ("", 0)


def test_checkpoints(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CHECKPOINT", 3000)
    store = fill(target, 7500)
    assert target.read_marker()["offset"] == "6000"
    assert target.read_marker()["prefix"] == hashlib.sha256(IMAGE[:6000]).hexdigest()
    store.close()  # as when the process is killed
    assert look(target).offset == 6000


def test_a_wrong_digest_leaves_a_marker_and_nothing_to_resume(target: Target) -> None:
    store = fill(target, image=b"?" + IMAGE[1:])
    with pytest.raises(DollyError, match="the digest of the received image is"):
        store.complete()
    store.close()
    assert (target.read_marker()["state"], look(target)[:2]) == ("writing", ("", 0))


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    target = Target(str(tmp_path / "out"))
    store = fill(target)
    store.complete()
    store.close()
    before = os.stat(target.path)
    Path(target.path).write_bytes(b"!" + IMAGE[1:])
    assert look(target).holds == ""
    os.utime(target.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert look(target).holds == SHA and look(target, verify=True).holds == ""


def test_a_file_without_a_marker_is_read(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(IMAGE)
    assert look(Target(str(tmp_path / "out"))).holds == SHA


def test_a_half_written_device_does_not_count_as_complete(target: Target) -> None:
    store = fill(target)
    store.complete()
    store.close()
    Store(target, SHA, len(IMAGE), Survey("", 0, hashlib.sha256()), "s2").close()
    assert look(target).holds == ("" if target.block else SHA)


def test_the_size_is_checked_before_the_first_byte(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Target, "room", lambda self: len(IMAGE) - 1)
    with pytest.raises(DollyError, match="has room for 10239 bytes, the image has 10240"):
        fill(target, 0)
    assert not os.path.exists(target.marker)


def test_room(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_bytes(bytes(5000))
    assert Target(str(device), block=True).room() == 5000
    assert Target(str(tmp_path / "not" / "yet" / "there")).room() > 1 << 20


def test_a_disk_that_is_full(target: Target) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
        with pytest.raises(DollyError, match=r"cannot write .* at 5000: File too large") as caught:
            fill(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.hint == "free space there"


def test_two_writers(target: Target) -> None:
    store = fill(target, 100)
    with pytest.raises(DollyError, match="another agent writes"):
        fill(target, 200)
    store.close()


def test_folders_are_made(tmp_path: Path) -> None:
    target = Target(str(tmp_path / "a" / "b" / "out"))
    store = fill(target)
    store.complete()
    store.close()
    assert content(target) == IMAGE


@pytest.mark.parametrize(
    ("path", "message"),
    [("/dev/no-such-disk", "there is no device"), ("/", "neither a file nor a block device"), ("/dev/null", "neither")],
)
def test_targets_that_cannot_be(path: str, message: str) -> None:
    with pytest.raises(DollyError, match=message):
        Target(path)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Target(str(tmp_path / "link")).path == str(tmp_path / "real")
