# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import subprocess
import time

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import process


def start(pidfile: pathlib.Path) -> int:
    subprocess.run(["qemu-system-x86_64", "-pidfile", str(pidfile)], check=True)
    return int(pidfile.read_text())


def gone(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("text", [None, "", "\n", "none\n", "0\n", "12 13\n"])
def test_a_pid_file_without_a_pid_is_no_process(tmp_path: pathlib.Path, text: str | None) -> None:
    pidfile = tmp_path / "qemu.pid"
    if text is not None:
        pidfile.write_text(text)
    assert process.read_pid(str(pidfile)) is None
    assert not process.stop(str(pidfile))


def test_a_reused_pid_is_never_ours_and_never_hit(tmp_path: pathlib.Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pidfile = tmp_path / "qemu.pid"
        pidfile.write_text(f"{stranger.pid}\n")
        assert process.running_pid(str(pidfile)) is None
        assert not process.stop(str(pidfile))
        assert stranger.poll() is None
        assert not pidfile.exists()
    finally:
        stranger.kill()
        stranger.wait()


def test_start_and_stop(fake_qemu: pathlib.Path, tmp_path: pathlib.Path) -> None:
    pid = start(tmp_path / "qemu.pid")
    assert process.running_pid(str(tmp_path / "qemu.pid")) == pid
    assert process.stop(str(tmp_path / "qemu.pid"))
    assert gone(pid)
    assert not process.stop(str(tmp_path / "qemu.pid"))


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_a_process_that_will_not_hear_is_forced(
    fake_qemu: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, has_pidfd: bool
) -> None:
    monkeypatch.setenv("FAKE_QEMU_IS_DEAF", "1")
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    pid = start(tmp_path / "qemu.pid")
    begun = time.monotonic()
    assert process.stop(str(tmp_path / "qemu.pid"), grace=0.2)
    assert time.monotonic() - begun >= 0.2
    assert gone(pid)


def test_a_process_that_outlives_everything_is_an_error(
    fake_qemu: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path / "qemu.pid")
    with monkeypatch.context() as patch:
        patch.setattr(process, "_send", lambda *_: None)
        with pytest.raises(ClusterError, match="does not end"):
            process.stop(str(tmp_path / "qemu.pid"), grace=0.05)
    assert process.stop(str(tmp_path / "qemu.pid"))
