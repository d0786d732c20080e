# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands in a tree: what they see, and that nothing of it is left, whatever ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import enter
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.packages import enter as enter_argv
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.usage import usage
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import argv, needs_root, run, tiny_tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tree(tmp_path_factory.mktemp("chroot") / "tree")


def mounts() -> list[str]:
    """The host's mounts in folders of tests; others on the machine may come and go meanwhile."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "pytest-of-" in line]


def wait_gone(root: Path, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while usage(str(root)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not usage(str(root))


@needs_root
def test_what_a_command_sees(tree: Path) -> None:
    done = run(tree, "cat", "/proc/self/mountinfo")
    places = [line.split()[4] for line in done.stdout.splitlines()]
    wanted = ["/", "/proc", "/sys", "/dev", "/dev/null", "/dev/pts", "/dev/shm", "/run"]
    assert done.returncode == 0 and [place for place in places if place in wanted] == wanted
    assert "/dev/sda" not in places and not [place for place in places if place.startswith("/sys/")]
    rows = {line.split()[4]: line.split()[5] for line in done.stdout.splitlines()}
    assert "ro" in rows["/sys"].split(",") and {"nosuid", "nodev", "noexec"} <= set(rows["/proc"].split(","))
    if os.path.isfile("/etc/resolv.conf"):
        assert run(tree, "cat", "/etc/resolv.conf").stdout == Path("/etc/resolv.conf").read_text()
    shown = run(tree, "ls", "/dev").stdout.split()
    assert {"null", "zero", "ptmx", "pts", "fd", "shm"} <= set(shown) and len(shown) < 20


@needs_root
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -9 $$"), 137),
        (("nothing-like-it",), 127),
        (("sh", "-c", "sleep 60 & exit 0"), 0),
    ],
)
def test_exit_codes_and_no_mount_of_the_host_changes(tree: Path, command: tuple[str, ...], code: int) -> None:
    before = mounts()
    begun = time.monotonic()
    assert run(tree, *command).returncode == code
    assert mounts() == before and time.monotonic() - begun < 30
    wait_gone(tree)


@needs_root
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--user", "nobody-here"], "the tree has no user nobody-here"),
        (["--bind", "relative=/x"], "bad bind 'relative=/x'"),
        (["--bind", "/nowhere/at/all=/x"], "/nowhere/at/all"),
        (["--cwd", "/nowhere"], "/nowhere"),
    ],
)
def test_a_tree_that_cannot_be_entered(tree: Path, options: list[str], told: str) -> None:
    before = mounts()
    done = run(tree, "id", options=options)
    assert done.returncode == enter.CANNOT and told in done.stderr and "Traceback" not in done.stderr
    assert mounts() == before
    assert run(tree / "nothing", "id").returncode == enter.CANNOT


@needs_root
def test_a_user_of_the_tree(tree: Path) -> None:
    options = ["--user", "builder", "--env", "A=b c", "--cwd", "/home/builder"]
    done = run(tree, "sh", "-c", 'id -u; id -G; echo "$HOME $USER $A"; pwd', options=options)
    assert done.stdout.splitlines() == ["1234", "1235 1300", "/home/builder builder b c", "/home/builder"]
    # An environment of the host does not leak in.
    assert "PYTEST" not in run(tree, "env").stdout


@needs_root
def test_binds_and_the_log(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    log = tmp_path / "log"
    options = ["--bind", "%s=/job/here" % (tmp_path / "in"), "--bind-ro", "%s=/fixed" % tmp_path, "--log", str(log)]
    done = run(tree, "sh", "-c", "touch /job/here/made; touch /fixed/not; echo told; echo too >&2", options=options)
    assert (tmp_path / "in/made").exists() and not (tmp_path / "not").exists() and done.stdout == ""
    text = log.read_text()
    assert "Read-only file system" in text and "told\n" in text and "too\n" in text


@needs_root
def test_links_of_the_tree_do_not_lead_mounts_out(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path / "tree", ("sh", "cat", "ls"))
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("proc", "dev", "run"):
        (outside / name).mkdir()
        (tree / name).symlink_to("/../../.." + str(outside / name))
    (tree / "etc/resolv.conf").symlink_to("/../../../../" + str(outside / "resolv.conf"))
    assert run(tree, "ls", "/").returncode == 0
    assert sorted(path.name for path in outside.rglob("*")) == ["dev", "proc", "run"]
    # They were followed inside of the tree.
    assert (tree / str(outside).lstrip("/") / "dev").is_dir()


Starter = t.Callable[[Path], "subprocess.Popen[bytes]"]


def _direct(tree: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv(tree, "sh", "-c", "sleep 300 & sleep 300"))


def _below_a_parent(tree: Path) -> subprocess.Popen[bytes]:
    """As a module runs it: what is killed is the caller, not the program itself."""
    words = argv(tree, "sh", "-c", "sleep 300 & sleep 300", options=["--with-parent"])
    return subprocess.Popen([sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *words])


@needs_root
@pytest.mark.parametrize("start", [_direct, _below_a_parent], ids=["itself", "its caller"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_killed(tree: Path, start: Starter, number: signal.Signals) -> None:
    before = mounts()
    process = start(tree)
    end = time.monotonic() + 30
    while len([row for row in usage(str(tree)).processes if row[1] == "sleep"]) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert [row for row in usage(str(tree)).processes if row[1] == "sleep"]
    os.kill(process.pid, number)
    process.wait(timeout=30)
    wait_gone(tree)
    assert mounts() == before


@needs_root
def test_the_tree_can_be_removed_while_nothing_runs(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path / "tree", ("sh",))
    run(tree, "sh", "-c", "exit 0")
    os.rename(tree, tmp_path / "moved")
    assert not usage(str(tmp_path / "moved"))


def test_the_words_of_the_command_line() -> None:
    words = enter_argv("/p.py", "/t", ["id", "-u"], "builder", "/w", ("A=b",), [("/s", "/d")], log="/l")
    assert words[0] == sys.executable and words[1:] == [
        *("/p.py", "--with-parent", "--user", "builder", "--cwd", "/w", "--log", "/l", "--env", "A=b"),
        *("--bind", "/s=/d", "/t", "--", "id", "-u"),
    ]
    assert "--with-parent" not in enter_argv("/p.py", "/t", ["id"], with_parent=False)


def test_an_unknown_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enter, "_PIVOT", {})
    with pytest.raises(enter.Refused, match="unknown machine"):
        enter._pivot("/nowhere")
