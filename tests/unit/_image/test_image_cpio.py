# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The newc archive: bytes, round trip, damage."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import cpio
from hypothesis import given
from hypothesis import strategies as st

MEMBERS = [
    cpio.directory("bin"),
    cpio.file("bin/a", b"hello", 0o755),
    cpio.symlink("bin/b", "a"),
    cpio.Member("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1)),
    cpio.Member("init", stat.S_IFREG | 0o755, b"#!", mtime=1700000000),
]


def test_round_trip() -> None:
    data = cpio.render(MEMBERS)
    assert cpio.parse(data) == MEMBERS
    assert len(data) % 512 == 0


def test_the_first_header_byte_for_byte() -> None:
    head = b"070701" + b"00000001000041ED0000000000000000000000020000000000000000"
    head += b"00000000" * 4 + b"0000000400000000" + b"bin\0" + b"\0\0"
    assert cpio.render([cpio.directory("bin")]).startswith(head)


def test_the_trailer_ends_the_archive() -> None:
    assert b"TRAILER!!!\0" in cpio.render([])
    assert cpio.parse(cpio.render([])) == []


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio here")
def test_the_real_cpio_reads_it(tmp_path: Path) -> None:
    argv = ["cpio", "-t", "--quiet"]
    done = subprocess.run(argv, input=cpio.render(MEMBERS), capture_output=True, check=True)
    assert done.stdout.decode().split() == [member.path for member in MEMBERS]


def test_parents_come_first_and_once() -> None:
    members = cpio.with_parents([cpio.file("a/b/c", b""), cpio.file("a/d", b""), cpio.directory("a", 0o700)])
    assert [member.path for member in members] == ["a", "a/b", "a/b/c", "a/d"]
    assert members[0].mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "no newc header at byte 0"),
        (lambda data: b"\x1f\x8b" + data, "no newc header at byte 0"),
        (lambda data: data[:200], "no newc header|cut off"),
        (lambda data: data[:6] + b"zzzzzzzz" + data[14:], "bad number in the newc header at byte 0"),
        (lambda data: cpio.render([cpio.file("a", b"x" * 900)])[:400], "a is cut off"),
    ],
)
def test_damage(damage: object, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        cpio.parse(damage(cpio.render(MEMBERS)))  # type: ignore[operator]


NAME = st.text(alphabet="abcäß. -_", min_size=1, max_size=12).filter(lambda name: name != "TRAILER!!!")


@given(st.lists(st.builds(cpio.file, NAME, st.binary(max_size=300), st.integers(0, 0o7777)), max_size=5))
def test_any_files_come_back(members: list[cpio.Member]) -> None:
    assert cpio.parse(cpio.render(members)) == members
    assert cpio.render(members) == cpio.render(list(members))
