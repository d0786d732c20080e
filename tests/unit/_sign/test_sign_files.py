# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages as files: which ones are meant, how they are copied and switched."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import read_rpm
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.signature import Signature, _laid_out, splice
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import copies, plan
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.progress import Progress
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.scratch import scratch
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.select import Package, read_packages, select
from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import contents

SIGNED = samples.GOLDEN / "signed"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.rpm", "b.rpm", ".hidden.rpm", "notes.txt", "sub/c.rpm", ".git/d.rpm", "sub/deep/e.src.rpm"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "linked").symlink_to("sub")
    (tmp_path / "z.rpm").symlink_to("a.rpm")
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "recurse", "wanted"),
    [
        (["."], False, ["a.rpm", "b.rpm"]),
        (["."], True, ["a.rpm", "b.rpm", "sub/c.rpm", "sub/deep/e.src.rpm"]),
        (["a.rpm", "./a.rpm", "."], False, ["a.rpm", "b.rpm"]),
        (["[ab].rpm"], False, ["a.rpm", "b.rpm"]),
        (["*"], False, ["a.rpm", "b.rpm", "linked/c.rpm"]),
        (["**/*.rpm"], False, ["a.rpm", "b.rpm", "linked/c.rpm", "linked/deep/e.src.rpm"]),
        (["z.rpm"], False, ["z.rpm"]),
        (["notes.txt"], False, ["notes.txt"]),
        (["sub", "linked"], False, ["sub/c.rpm"]),
        ([".hidden.rpm"], False, [".hidden.rpm"]),
        ([], False, []),
    ],
)
def test_which_packages(tree: Path, paths: list[str], recurse: bool, wanted: list[str]) -> None:
    found = select([str(tree / path) for path in paths], recurse)
    assert [str(Path(path).relative_to(tree)) for path in found] == wanted


@pytest.mark.parametrize("path", ["sub/deep/none", "*.deb"])
def test_nothing_there(tree: Path, path: str) -> None:
    with pytest.raises(ClusterError, match="does not exist|no packages behind"):
        select([str(tree / path)])


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no packages behind %s" % tmp_path):
        select([str(tmp_path)])
    assert select([str(tmp_path)], allow_empty=True) == []


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1].rpm").write_bytes(b"")
    assert select([str(tmp_path / "a[1].rpm")]) == [str(tmp_path / "a[1].rpm")]


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> t.NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ClusterError, match="cannot read %s: Permission denied" % tmp_path):
        select([str(tmp_path)])


def test_damaged_packages_are_named(folder: Path) -> None:
    whole = (folder / "a-simple-1.0-1mdv2009.0.noarch.rpm").read_bytes()
    bad = {
        "empty.rpm": (b"", "empty file"),
        "text.rpm": (b"not a package", "not an RPM package"),
        "cut.rpm": (whole[:3000], "truncated"),
        "short.rpm": (whole[:-1], "truncated"),
        "long.rpm": (whole + b"x", "too long"),
    }
    for name, (data, _told) in bad.items():
        (folder / name).write_bytes(data)
    (folder / "dangling.rpm").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.rpm")
    bad.update({"dangling.rpm": (b"", "No such file"), "pipe.rpm": (b"", "no regular file")})
    selection = read_packages(select([str(folder)]))
    assert len(selection.packages) == 5
    assert {Path(path).name for path in selection.bad} == set(bad)
    for path, why in selection.bad.items():
        assert path in why and bad[Path(path).name][1] in why


# Who signed.

ED, RSA = "ab" * 20, "cd" * 20


def by(key: str, digest: str = "sha256", tag: int = 267, covers: str = "header", whole: bool = True) -> Signature:
    return Signature(tag, covers, "eddsa", digest, key[-16:], key if whole else "", 0)


@pytest.mark.parametrize(
    ("signatures", "digest", "wanted"),
    [
        ([], "", False),
        ([by(ED)], "", True),
        ([by(RSA)], "", True),
        ([by(ED, "sha512")], "", True),
        ([by(ED, "sha512")], "sha256", False),
        ([by(ED, "sha512")], "sha512", True),
        ([by(ED, "sha1")], "", False),
        ([by(ED, "md5")], "", False),
        ([by("ef" * 20)], "", False),
        ([by(ED), by("ef" * 20, tag=268)], "", False),
        ([by(ED), by(RSA, tag=268)], "", True),
        ([by(ED, whole=False)], "", True),
        ([by("ef" * 20, whole=False)], "", False),
        ([by("ef" * 12 + ED[-16:])], "", False),
        ([by(ED, tag=1005)], "", False),
        ([by(ED), by(ED, tag=1005)], "", True),
    ],
)
def test_what_is_signed(signatures: list[Signature], digest: str, wanted: bool) -> None:
    assert plan.is_right(signatures, plan.Wanted(frozenset([ED, RSA]), digest)) is wanted
    assert plan.is_right(signatures, plan.Wanted()) is (signatures == [])


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [([], []), ([1, 1, 1], [2, 1]), ([10, 1], [1, 1]), ([4, 4, 4], [2, 1]), ([5, 5, 5], [1, 1, 1]), ([99], [1])],
)
def test_batches(sizes: list[int], wanted: list[int]) -> None:
    packages = [Package("/p/%d" % number, size, ()) for number, size in enumerate(sizes)]
    found = plan.batches(packages, most=2, size=9)
    assert [len(group) for group in found] == wanted
    assert [path for group in found for path in group] == [package.path for package in packages]


# Copies.


def no_reserve(source: Path, target: Path) -> None:
    """The package as builders before 4.14 made it: no space kept for signatures."""
    rpm = read_rpm(str(source))
    old = rpm.signature
    items = [(tag, *old.index[tag][:1], old.index[tag][2], old.data(tag)) for tag in old.index if tag not in (62, 1008)]
    area = samples.MAGIC + _laid_out(sorted(items))
    data = source.read_bytes()
    target.write_bytes(data[:96] + area + b"\0" * (-len(area) % 8) + data[rpm.header_start :])


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("payload", [0, 3 << 20])
def test_signed_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool, kernel: bool, payload: int
) -> None:
    """Also for packages without reserved space, whose payload has to move."""
    if not kernel:
        monkeypatch.delattr(os, "copy_file_range")
    path = tmp_path / "a.rpm"
    if payload:
        path.write_bytes(samples.rpm_bytes(samples.tags(), os.urandom(payload)))
    elif room:
        shutil.copyfile(samples.SIMPLE, path)
    else:
        no_reserve(samples.SIMPLE, path)
    before = path.read_bytes()
    packets = {267: read_rpm(str(SIGNED / "ed25519.rpm")).signature.binary(267)}
    copies.write_copy(read_rpm(str(path)), packets, str(tmp_path / "b"))
    assert path.read_bytes() == before
    signed = read_rpm(str(tmp_path / "b"))
    assert signed.signature.binary(267) == packets[267] and signed.header.body == read_rpm(str(path)).header.body
    if room and not payload:
        splice(str(path), read_rpm(str(path)), packets)
        assert path.read_bytes() == (tmp_path / "b").read_bytes()
    copies.write_copy(signed, {}, str(tmp_path / "c"))
    if payload:
        again = read_rpm(str(tmp_path / "c"))
        assert (tmp_path / "c").read_bytes()[again.header_start :] == before[read_rpm(str(path)).header_start :]
    else:
        assert (tmp_path / "c").read_bytes() == before


def made(folder: Path, number: int = 1) -> copies.Copy:
    source = sorted(folder.glob("*.rpm"))[0]
    return copies.copy_package(str(source), number, lambda _rpm: {})


def test_a_failed_copy_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = contents(folder)
    monkeypatch.setattr(copies, "_copy_rest", full)
    monkeypatch.setattr(copies, "_clone", lambda *_args: False)
    with pytest.raises(OSError, match="No space left"):
        made(folder)
    assert contents(folder) == before


@pytest.mark.parametrize("how", ["write", "replace", "remove"])
def test_a_package_that_changes_meanwhile(folder: Path, how: str) -> None:
    copy = made(folder)
    assert not copies.changed_meanwhile(copy)
    path = Path(copy.source)
    if how == "write":
        with path.open("ab") as stream:
            stream.write(b"x")
    elif how == "replace":
        shutil.copyfile(path, str(path) + ".new")
        os.replace(str(path) + ".new", path)
    else:
        path.unlink()
    assert copies.changed_meanwhile(copy)


def test_what_stays_and_what_does_not(folder: Path) -> None:
    """Mode, owner, attributes; not the time. Other names of the file keep the old bytes."""
    source = sorted(folder.glob("*.rpm"))[0]
    os.chmod(source, 0o640)
    os.utime(source, (1, 1))
    other = folder / "other"
    os.link(source, other)
    try:
        os.setxattr(source, "user.note", b"hello")
    except OSError:
        pytest.skip("no extended attributes here")
    copy = copies.copy_package(str(source), 1, lambda _rpm: {267: b"\xc2\x02xx"})
    copies.settle(copy)
    copies.switch([copy])
    found = source.stat()
    assert (found.st_mode & 0o7777, found.st_nlink, found.st_uid) == (0o640, 1, os.geteuid())
    assert os.getxattr(source, "user.note") == b"hello" and found.st_mtime > 1_000_000
    assert other.read_bytes() != source.read_bytes() and other.stat().st_mtime == 1


def test_a_link_becomes_a_file(tmp_path: Path, folder: Path) -> None:
    source = sorted(folder.glob("*.rpm"))[0]
    before = source.read_bytes()
    link = tmp_path / "l.rpm"
    link.symlink_to(source)
    copy = copies.copy_package(str(link), 1, lambda _rpm: {267: b"\xc2\x02xx"})
    copies.settle(copy)
    copies.switch([copy])
    assert not link.is_symlink() and link.read_bytes() != before == source.read_bytes()


def test_leftovers(folder: Path) -> None:
    made(folder)
    (folder / ".rpm.sign.1.2.XyZ").write_bytes(b"of rpmsign")
    (folder / ".rpmsign").write_bytes(b"not ours")
    assert len(copies.leftovers(str(folder))) == 2
    copies.clean(str(folder))
    assert copies.leftovers(str(folder)) == [] and (folder / ".rpmsign").exists()
    assert copies.leftovers(str(folder / "none")) == []


def test_the_lock(tmp_path: Path) -> None:
    place = str(tmp_path)
    second = copies.folder_lock(place, 0.1)
    with copies.folder_lock(place, 0), pytest.raises(ClusterError, match="locked by another run"):
        second.__enter__()
    with copies.folder_lock(place, 0):
        pass
    assert os.listdir(place) == []


def test_the_lock_on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder cannot be locked there, a file can."""
    monkeypatch.setattr(copies, "_flock", lambda *_args: False)
    second = copies.folder_lock(str(tmp_path), 0)
    with copies.folder_lock(str(tmp_path), 0), pytest.raises(ClusterError, match="locked by another run"):
        second.__enter__()
    assert copies.leftovers(str(tmp_path)) == []


def test_temporary_folders_of_killed_runs(tmp_path: Path) -> None:
    """Old ones that nobody holds go; new ones, those in use and those of others stay."""
    for name in ("x-killed", "x-young", "y-other", "x-used", "real"):
        (tmp_path / name / "sub").mkdir(parents=True)
    (tmp_path / "x-link").symlink_to("real")
    (tmp_path / "x-file").write_text("")
    for path in tmp_path.iterdir():
        if path.name != "x-young":
            os.utime(path, (1, 1), follow_symlinks=False)
    handle = os.open(tmp_path / "x-used", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with scratch("x-", str(tmp_path)) as folder:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        left = sorted(path.name for path in tmp_path.iterdir() if str(path) != folder)
    os.close(handle)
    assert left == ["real", "x-file", "x-link", "x-used", "x-young", "y-other"] and not os.path.exists(folder)
    assert (tmp_path / "real" / "sub").exists()


def test_progress(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "run" / "sign.log"
    progress = Progress(str(file), 120, "signed", told.append)
    for count in (50, 50, 20):
        progress.add(count)
    assert [line.split("  ")[1] for line in told] == ["50 of 120 signed", "100 of 120 signed", "120 of 120 signed"]
    assert [line.strip() for line in file.read_text().splitlines()] == told
    with pytest.raises(ClusterError, match="correct progress_file"):
        Progress(str(file / "x"), 1, "signed", told.append).add(1)


@pytest.mark.skipif(not shutil.which("rpmsign"), reason="no rpmsign")
def test_rpm_takes_signatures_away_too(tmp_path: Path) -> None:
    """Without reserved space both ways give the first bytes. With it only ours does: rpm 4.18 keeps what is left."""
    path = tmp_path / "a.rpm"
    no_reserve(samples.SIMPLE, path)
    before = path.read_bytes()
    packets = {267: read_rpm(str(SIGNED / "ed25519.rpm")).signature.binary(267)}
    copies.write_copy(read_rpm(str(path)), packets, str(tmp_path / "b.rpm"))
    subprocess.run(["rpmsign", "--delsign", str(tmp_path / "b.rpm")], check=True, capture_output=True)
    assert (tmp_path / "b.rpm").read_bytes() == before


def test_a_folder_that_is_none_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "none"):
        with pytest.raises(ClusterError, match="cannot read .*%s: " % name), copies.folder_lock(
            str(tmp_path / name), 0
        ):
            raise AssertionError("locked")


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """flock of a folder is refused there: a file is the lock."""

    def refuse(_handle: int, how: int) -> None:
        if how & fcntl.LOCK_EX and not hasattr(refuse, "used"):
            refuse.used = True  # type: ignore[attr-defined]
            raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with copies.folder_lock(str(tmp_path), 0):
        assert os.listdir(tmp_path) == [".rpm_sign.lock"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EXDEV, errno.EIO])
def test_a_kernel_that_does_not_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_args: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(copies, "_clone", lambda *_args: False)
    copies.write_copy(read_rpm(str(samples.SIMPLE)), {}, str(tmp_path / "a.rpm"))
    assert (tmp_path / "a.rpm").read_bytes() == samples.SIMPLE.read_bytes()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_kernel_that_finds_the_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_args: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(copies, "_clone", lambda *_args: False)
    with pytest.raises(OSError, match=os.strerror(number)):
        copies.write_copy(read_rpm(str(samples.SIMPLE)), {}, str(tmp_path / "a.rpm"))


def test_a_package_that_becomes_shorter_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.rpm"
    shutil.copyfile(samples.SIMPLE, path)
    rpm = read_rpm(str(path))
    os.truncate(path, rpm.payload_start)
    monkeypatch.setattr(copies, "_clone", lambda *_args: False)
    with pytest.raises(OSError, match="it became shorter"):
        copies.write_copy(rpm, {}, str(tmp_path / "b.rpm"))


def test_attributes_that_may_not_be_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Owner and extended attributes are kept where that is allowed; a package is signed all the same."""

    def refuse(*_args: t.Any, **_more: t.Any) -> t.NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    copy = made(folder)
    before = Path(copy.source).read_bytes()
    for name in ("chown", "listxattr"):
        monkeypatch.setattr(os, name, refuse)
    copies.settle(copy)
    copies.switch([copy])
    assert Path(copy.source).read_bytes() == before and copies.leftovers(str(folder)) == []
