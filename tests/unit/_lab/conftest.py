# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A qemu that only waits: it goes to the background and writes its pid file as the real one does."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import fleet, process

FAKE = """#!%s -SE
import os, signal, sys
argv = sys.argv
if os.environ.get("FAKE_QEMU_FAILS"):
    sys.exit("qemu: no machine today")
if "-pidfile" not in argv:
    sys.exit(1)
pidfile = argv[argv.index("-pidfile") + 1]
reader, writer = os.pipe()
if os.fork():
    os.read(reader, 1)
    os._exit(0)
os.setsid()
if os.environ.get("FAKE_QEMU_IS_DEAF"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(pidfile, "w") as out:
    out.write("%%d\\n" %% os.getpid())
null = os.open("/dev/null", os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(null, number)
os.write(writer, b"x")
signal.pause()
"""


@pytest.fixture
def fake_qemu(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[pathlib.Path]:
    """A folder for a rack, with a stand-in for QEMU first in PATH; whatever still runs is ended."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "qemu-system-x86_64").write_text(FAKE % sys.executable)
    (programs / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (programs, os.environ["PATH"]))
    monkeypatch.setattr(fleet, "VM_TOOLS", ("qemu-system-x86_64",))
    rack = tmp_path / "rack"
    yield rack
    for pidfile in rack.glob("vms/*/qemu.pid"):
        pid = process.running_pid(str(pidfile))
        if pid:
            os.kill(pid, signal.SIGKILL)


RunModule = t.Callable[..., t.Dict[str, t.Any]]


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Call a module's ``main`` with options; returns its JSON result, failures included."""

    def run(main: t.Callable[[], None], **options: t.Any) -> dict[str, t.Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        return result

    return run
