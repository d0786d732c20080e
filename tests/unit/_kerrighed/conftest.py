# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine with Kerrighed: the fake krgadm as a program, and the files of its kernel."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._kerrighed.krgadm import Krgadm, detect

FAKE = Path(__file__).with_name("fake_krgadm.py")
SYS = {
    "/sys/kerrighed/node_id": b"1\n",
    "/sys/kerrighed/session_id": b"7\n",
    "/sys/kerrighed/max_nodes": b"256\n",
    "/proc/nodes/nrnodes": b"ONLINE:1\nPRESENT:3\nPOSSIBLE:256\n",
    "/proc/cmdline": b"root=/dev/nfs session_id=7 node_id=1\n",
}


class Machine(LocalHost):
    """This machine, but for the kernel's files."""

    def __init__(self, files: t.Mapping[str, bytes] | None = None) -> None:
        super().__init__()
        self.files = dict(SYS if files is None else files)

    def read(self, path: str) -> bytes | None:
        return self.files.get(path) if path.startswith(("/sys/", "/proc/")) else super().read(path)

    def listdir(self, path: str, pattern: str = "*") -> list[str]:
        if path.startswith("/sys/"):
            return sorted(name.rpartition("/")[2] for name in self.files if name.startswith(path + "/"))
        return super().listdir(path, pattern)


class Cluster:
    """The fake with its state; ``tick`` is called whenever the code under test sleeps."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "krgadm"
        # Named in full and without site-packages it starts in a fraction of the time.
        self.program.write_text("#!%s -SE\n%s" % (sys.executable, FAKE.read_text()))
        self.program.chmod(0o755)
        self.path = folder / "krgadm.state"
        self.now = 0.0
        self.ticks: list[dict[int, str]] = []
        self.host = Machine()

    def set(self, nodes: t.Mapping[int, str], **words: object) -> Cluster:
        rows = [*{"self": 1, **words}.items(), *nodes.items()]
        self.path.write_text("".join("%s %s\n" % row for row in rows))
        return self

    def nodes(self) -> dict[int, str]:
        pairs = (line.split() for line in self.path.read_text().splitlines())
        return {int(key): value for key, value in pairs if key.isdigit()}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.ticks:
            self.set({**self.nodes(), **self.ticks.pop(0)})

    def tool(self, **more: t.Any) -> Krgadm:
        return Krgadm(self.host, detect(self.host), str(self.program), lambda: self.now, self.sleep, **more)

    def run(self, *words: str) -> tuple[int, str, str]:
        done = subprocess.run([str(self.program), *words], capture_output=True, timeout=20, check=False)
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return done.returncode, out, err


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path).set({1: "online", 2: "present", 3: "present"})
