# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""chroot_tree: made whole or not at all, extended, replaced, removed; killed at every step."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import run as run_module
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import tree
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.backends import Steps
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.usage import usage
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules.chroot_tree import ARGUMENTS, work
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import (
    Builder,
    accounts,
    argv,
    needs_root,
    tiny_tree,
)
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults

pytestmark = needs_root


def options(folder: Path, **more: t.Any) -> dict[str, t.Any]:
    rows = {"path": str(folder / "chroots/b"), "packages": ["rpm", "make"], "suite": "bookworm"}
    return defaults(ARGUMENTS, {**rows, "program": str(folder / "lib/enter.py"), **more})


def run(folder: Path, host: Builder | None = None, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    return work(options(folder, **more), check, host or Builder())


def names(folder: Path) -> list[str]:
    place = folder / "chroots"
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def both(folder: Path, **more: t.Any) -> dict[str, t.Any]:
    """Check mode and the run say the same."""
    predicted = run(folder, check=True, **more)
    result = run(folder, **more)
    assert {key: result[key] for key in predicted} == predicted
    return result


def test_made_and_then_nothing(tmp_path: Path) -> None:
    predicted = run(tmp_path, check=True)
    assert predicted["changed"] and not (tmp_path / "chroots").exists()
    result = both(tmp_path)
    assert result["made"] == "there is none" and [words[0] for words in result["actions"]] == ["mmdebstrap"]
    assert names(tmp_path) == [".b.lock", "b"]
    place = tmp_path / "chroots/b"
    assert (place / "usr/sbin/policy-rc.d").stat().st_mode & 0o777 == 0o755
    assert subprocess.run([place / "usr/sbin/policy-rc.d"], check=False).returncode == 101
    assert (tmp_path / "lib/enter.py").read_bytes() == run_module.program_source()
    again = both(tmp_path)
    assert not again["changed"] and again["actions"] == []


def test_the_sources_do_not_show_on_the_command_line(tmp_path: Path) -> None:
    host = Builder()
    run(tmp_path, host, mirrors=["deb https://user:secret@deb.example.org/debian bookworm main"])
    assert host.stdins == [b"deb https://user:secret@deb.example.org/debian bookworm main\n"]
    assert "secret" not in str(host.ran)


def test_packages_are_added_and_lists_are_read(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "list").write_text("gcc\nperl-doc # no\nmake\n")
    (tmp_path / "skip").write_text("perl-*\n")
    more = {"package_lists": [str(tmp_path / "list")], "skip_lists": [str(tmp_path / "skip")]}
    result = run(tmp_path, check=True, **more)
    assert result["added"] == ["gcc"] and result["made"] == ""
    update, install = result["actions"]
    assert update[-3:] == ["apt-get", "update", "-q"] and install[-1] == "gcc" and "--with-parent" in install
    assert run(tmp_path, **more)["added"] == ["gcc"]
    with pytest.raises(ClusterError, match="there is no list /nowhere"):
        run(tmp_path, package_lists=["/nowhere"])


def test_another_recipe_is_refused_and_then_made(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "chroots/b/old").touch()
    with pytest.raises(ClusterError, match="was made from something else: suite was bookworm, is trixie") as caught:
        run(tmp_path, suite="trixie")
    assert "rebuild: true" in caught.value.hint and (tmp_path / "chroots/b/old").exists()
    result = both(tmp_path, suite="trixie", rebuild=True)
    assert result["made"] == "suite was bookworm, is trixie" and not (tmp_path / "chroots/b/old").exists()
    assert not both(tmp_path, suite="trixie", rebuild=True)["changed"] and names(tmp_path) == [".b.lock", "b"]


FAILURES: list[tuple[dict[str, str], str]] = [
    ({"mmdebstrap": "E: Unable to locate package rpm"}, "there is no package rpm"),
    ({"mmdebstrap": "tar: x: Cannot write: No space left on device"}, "the disk is full while mmdebstrap"),
    ({"mmdebstrap": "boom"}, "mmdebstrap failed: boom"),
]


@pytest.mark.parametrize(("fails", "told"), FAILURES)
def test_a_failure_leaves_nothing(tmp_path: Path, fails: dict[str, str], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        run(tmp_path, Builder(fails))
    assert names(tmp_path) == [".b.lock"]


def test_a_failure_leaves_the_old_tree(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "chroots/b/old").touch()
    with pytest.raises(ClusterError, match="boom"):
        run(tmp_path, Builder({"mmdebstrap": "boom"}), suite="trixie", rebuild=True)
    assert (tmp_path / "chroots/b/old").exists() and not both(tmp_path)["changed"]


def test_a_missing_installer_is_named(tmp_path: Path) -> None:
    host = Builder()
    host.missing = {"mmdebstrap"}
    with pytest.raises(ClusterError, match="mmdebstrap is not installed"):
        run(tmp_path, host)
    assert names(tmp_path) == [".b.lock"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    accounts(tmp_path / "chroots/b")
    for more in ({}, {"state": "absent"}):
        with pytest.raises(ClusterError, match="not made by this module"):
            run(tmp_path, **more)
    assert (tmp_path / "chroots/b/etc/passwd").exists()


def test_only_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for more in ({}, {"state": "absent"}):
        with pytest.raises(ClusterError, match="only root"):
            run(tmp_path, check=True, **more)


# Tarballs.


def tarball(folder: Path, around: str = "xtreemos_chroot/") -> tuple[Path, str]:
    root = accounts(folder / "source")
    (root / "bin").mkdir(exist_ok=True)
    (root / "var/lib/dpkg").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").write_text("Package: rpm\nStatus: install ok installed\n\n")
    path = folder / "t.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        archive.add(root, around or ".")
    return path, hashlib.md5(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("around", ["xtreemos_chroot/", ""])
def test_a_tarball_whose_digest_fits(tmp_path: Path, around: str) -> None:
    path, digest = tarball(tmp_path, around)
    (tmp_path / "t.tar.xz.md5sum").write_text("%s  t.tar.xz\n" % digest)
    more = {"backend": "tarball", "tarball": str(path), "sums": str(path) + ".md5sum", "packages": ["rpm"], "suite": ""}
    result = both(tmp_path, **more)
    assert result["made"] and (tmp_path / "chroots/b/etc/passwd").exists()
    assert not both(tmp_path, **more)["changed"]
    path.unlink()
    assert not both(tmp_path, **more)["changed"]


def test_a_tarball_whose_digest_does_not_fit(tmp_path: Path) -> None:
    path, digest = tarball(tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    more: dict[str, t.Any] = {"backend": "tarball", "tarball": str(path), "digest": digest, "packages": []}
    for check in (True, False):
        with pytest.raises(ClusterError, match="its md5 is .*, not %s" % digest):
            run(tmp_path, check=check, **more)
    path.unlink()
    for check in (True, False):
        with pytest.raises(ClusterError, match="cannot read the tarball"):
            run(tmp_path, check=check, **more)
    with pytest.raises(ClusterError, match="no tarball is named"):
        run(tmp_path, backend="tarball")
    assert names(tmp_path) in ([], [".b.lock"])


def test_a_damaged_archive_with_a_right_digest(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    path.write_bytes(b"this is no archive" * 100)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ClusterError, match="tar failed"):
        run(tmp_path, backend="tarball", tarball=str(path), digest=digest, packages=[])
    assert names(tmp_path) == [".b.lock"]


# In use, and removed.


@contextlib.contextmanager
def in_use(folder: Path) -> t.Iterator[None]:
    place = folder / "chroots/b"
    process = subprocess.Popen(argv(place, "sleep", "300"))
    end = time.monotonic() + 30
    while "sleep" not in [row[1] for row in usage(str(place)).processes] and time.monotonic() < end:
        time.sleep(0.02)
    try:
        yield
    finally:
        process.kill()
        process.wait()
        while usage(str(place)) and time.monotonic() < end:
            time.sleep(0.02)


def test_a_tree_in_use_is_not_removed_and_says_by_whom(tmp_path: Path) -> None:
    run(tmp_path)
    tiny_tree(tmp_path / "chroots/b", ("sleep",))
    with in_use(tmp_path):
        for check in (True, False):
            with pytest.raises(ClusterError, match=r"in use, .*processes: .*\(sleep\)"):
                run(tmp_path, check=check, state="absent")
        with pytest.raises(ClusterError, match=r"in use, .*\(sleep\)"):
            run(tmp_path, suite="trixie", rebuild=True)
        assert (tmp_path / "chroots/b/etc/passwd").exists()
    assert both(tmp_path, state="absent")["changed"]


def test_a_mount_of_the_host_is_named(tmp_path: Path) -> None:
    """In a mount namespace of the test's own, so that the machine's table stays as it is."""
    run(tmp_path)
    proc = tmp_path / "chroots/b/proc"
    proc.mkdir()
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount -t tmpfs x "$1" && sleep 300', "x"]
    process = subprocess.Popen([*words, str(proc)], start_new_session=True)
    try:
        end = time.monotonic() + 30
        while not usage(str(proc.parent)).mounts and time.monotonic() < end:
            time.sleep(0.02)
        with pytest.raises(ClusterError, match="in use, mounts: %s" % proc):
            run(tmp_path, state="absent")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    while usage(str(proc.parent)):
        time.sleep(0.02)
    assert both(tmp_path, state="absent")["changed"]


def test_removed_and_then_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    assert both(tmp_path, state="absent")["changed"] and names(tmp_path) == [".b.lock"]
    assert not both(tmp_path, state="absent")["changed"]


# Killed.


class Killer(Builder):
    """Dies at its ``left``-th chance: every command, and every name that changes."""

    def __init__(self, left: int, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.left = left
        for name in ("rename", "unlink", "rmdir", "mkdir"):
            patch.setattr(os, name, self._before(getattr(os, name)))
        patch.setattr(shutil, "rmtree", self._before(shutil.rmtree))

    def _before(self, call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def instead(*words: t.Any, **options: t.Any) -> t.Any:
            self.chance()
            return call(*words, **options)

        return instead

    def chance(self) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def _tree(self, words: list[str]) -> None:
        super()._tree(words)
        self.chance()


def killed(folder: Path, number: int, **more: t.Any) -> bool:
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(BaseException):
            run(folder, Killer(number, patch), **more)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_an_installer_ends_with_its_caller_and_leaves_no_mount(tmp_path: Path) -> None:
    place, pids = tmp_path / "mounted", tmp_path / "pid"
    place.mkdir()
    script = 'mount -t tmpfs x "$1" && touch "$1/x" "$2" && cd "$1" && sleep 300'
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            tree.run_steps(Steps((("sh", "-c", script, "x", str(place), str(pids)),)), LocalHost())
        os._exit(0)
    end = time.monotonic() + 30
    while not pids.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert pids.exists() and usage(str(place)).mounts == (str(place),)
    assert str(place) not in Path("/proc/self/mountinfo").read_text()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while usage(str(place)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not usage(str(place)) and list(place.iterdir()) == []


@pytest.mark.parametrize(
    "more", [{"suite": "trixie", "rebuild": True}, {"state": "absent"}, {}], ids=["exchange", "removal", "first"]
)
def test_killed_at_every_step(tmp_path: Path, more: dict[str, t.Any]) -> None:
    count = 0
    while True:
        folder = tmp_path / str(count)
        if more:
            run(folder)
        if not killed(folder, count, **more):
            break
        count += 1
        place = folder / "chroots/b"
        whole = not place.exists() or (place / "etc/passwd").exists()
        assert whole, (count, names(folder))
        run(folder, **more)
        assert names(folder) == ([".b.lock"] if "state" in more else [".b.lock", "b"]), count
        assert not run(folder, **more)["changed"]
    assert count >= 4
