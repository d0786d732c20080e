# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rack of its own beside the user's: playbooks, what they said, and what is left of it on this machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.process import running_pid
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.rack import make_rack

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK_LIMIT = 1800
_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)


class Wrong(Exception):
    """The rack did not do what it should; the text says what."""


def expect(condition: object, message: str) -> None:
    """A check whose message is for the person who reads the summary."""
    if not condition:
        raise Wrong(message)


@dataclass(frozen=True)
class Played:
    """A finished playbook: exit code, output, seconds, and the recap as host to counter to number."""

    rc: int
    output: str
    seconds: float
    recap: t.Mapping[str, t.Mapping[str, int]]

    def changed(self) -> dict[str, int]:
        """Hosts with changes and how many."""
        return {host: row["changed"] for host, row in self.recap.items() if row["changed"]}


def page_blocks(text: str) -> list[str]:
    """The shell blocks of a document in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def read_recap(output: str) -> dict[str, dict[str, int]]:
    """The PLAY RECAP of Ansible's default output."""
    found: dict[str, dict[str, int]] = {}
    for host, counters in _RECAP.findall(output):
        pairs = (word.split("=") for word in counters.split())
        found[host] = {name: int(number) for name, number in pairs}
    return found


class Rack:
    """Playbooks against one state folder. Everything printed also goes to ``log``."""

    def __init__(self, state: Path, nodes: int, log: Path) -> None:
        self.model = make_rack(str(state), nodes=nodes)
        self.state = state
        self.log = log
        self.names = [node.name for node in self.model.members()]
        self.env = {
            **os.environ,
            "LAB_STATE": str(state),
            "LAB_NODES": str(nodes),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, argv: t.Sequence[str], limit: float) -> tuple[int, str]:
        """Exit code and output of a command with the rack's environment, ended after ``limit`` seconds."""
        with subprocess.Popen(
            argv, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as proc:
            try:
                output = proc.communicate(timeout=limit)[0].decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                proc.send_signal(signal.SIGINT)
                output = proc.communicate(timeout=60)[0].decode("utf-8", "replace")
                output += "\n%s did not end within %d s\n" % (argv[0], limit)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write("$ %s\n%s\n" % (" ".join(argv), output))
        return proc.returncode, output

    def play(self, name: str, *args: str, fails: bool = False) -> Played:
        """Run a playbook of the collection; an exit code other than asked for is Wrong."""
        begun = time.monotonic()
        tool = str(Path(sys.executable).parent / "ansible-playbook")
        rc, output = self.run([tool, "playbooks/%s.yml" % name, *args], PLAYBOOK_LIMIT)
        played = Played(rc, output, time.monotonic() - begun, read_recap(output))
        expect(bool(rc) == fails, "playbook %s ended with exit code %d: %s" % (name, rc, _worst(output)))
        return played

    def call(self, host: str, module: str, limit: float = 180, **options: t.Any) -> str:
        """Output of one module call on a host or group."""
        tool = str(Path(sys.executable).parent / "ansible")
        words = ["-a", json.dumps(options)] if options else []
        rc, output = self.run([tool, host, "-m", module, *words], limit)
        expect(rc == 0, "%s on %s: %s" % (module, host, output.strip()[-300:]))
        return output

    def ask(self, host: str, *argv: str) -> str:
        """Output of a command on a machine, by ssh with the configuration that the rack has for people."""
        words = ["ssh", "-F", str(self.state / "ssh_config"), "-o", "ConnectTimeout=60", host, shlex.join(argv)]
        rc, output = self.run(words, 180)
        expect(rc == 0, "%s on %s: %s" % (" ".join(argv), host, output.strip()[-300:]))
        return output.strip()

    def type_page(self, page: Path) -> str:
        """Type the shell blocks of a document, as a reader would with this rack; what they printed."""
        blocks = page_blocks(page.read_text(encoding="utf-8"))
        expect(blocks, "%s has nothing to type" % page.name)
        told = []
        for block in blocks:
            words = block.replace(".lab/", "%s/" % self.state)
            rc, output = self.run(["bash", "-euo", "pipefail", "-c", words], PLAYBOOK_LIMIT)
            expect(rc == 0, "%s: %s: %s" % (page.name, block.splitlines()[0], _worst(output)))
            told.append(output)
        return "".join(told)

    def power(self, *names: str) -> None:
        """Switch machines on."""
        vms = ["{{ hostvars['%s'].lab_vm }}" % name for name in names]
        places = {"folder": str(self.state), "sockets": self.model.run_dir}
        self.call("rack", "xtreemos.cluster.lab_vms", vms=vms, **places)

    def pid(self, name: str) -> int | None:
        """The QEMU process of a machine."""
        return running_pid(str(self.state / "vms" / name / "qemu.pid"))

    def kill(self, *names: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Pull the plug of machines, or let them hang by SIGSTOP."""
        for name in names:
            pid = self.pid(name)
            expect(pid, "%s does not run" % name)
            os.kill(t.cast("int", pid), number)
        end = time.monotonic() + 10
        while number == signal.SIGKILL and any(map(self.pid, names)) and time.monotonic() < end:
            time.sleep(0.1)

    def leftovers(self) -> list[str]:
        """Processes, files and mounts that still speak of this rack."""
        return [*_processes(str(self.state)), *_mounts(str(self.state)), *self._files()]

    def _files(self) -> list[str]:
        return [str(path) for path in (self.state, Path(self.model.run_dir)) if path.exists()]


def _worst(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("fatal:", "ERROR", "[ERROR]"))]
    return (lines or output.strip().splitlines() or [""])[-1][:600]


def _processes(needle: str) -> t.Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if needle in words and int(entry.parent.name) != os.getpid():
            yield "process %s %s" % (entry.parent.name, words.replace("\0", " ")[:120])


def _mounts(needle: str) -> t.Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if needle in line:
            yield "mount %s" % line.split()[4]
