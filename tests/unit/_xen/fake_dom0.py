# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dom0s of playbook tests: the stand-in of xl as programs in folders of their own, with their state in files.

Beside the folders a file ``order`` has the commands of all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import asdict
from pathlib import Path

from .standin import Dom0Host, Domain

ROOT = Path(__file__).resolve().parents[3]
_PROGRAM = """\
#!%s
import os, sys
os.environ["PYTHONDONTWRITEBYTECODE"] = sys.dont_write_bytecode = "1"
from ansible_collections.xtreemos.cluster.tests.unit._xen.fake_dom0 import answer
sys.exit(answer(%r, [%r, *sys.argv[1:]]))
"""
# Python of a fake dom0: its own PATH, and the one file that tells a dom0.
_PYTHON = """\
#!/bin/sh
PATH='%s':$PATH PYTHONPATH='%s' exec '%s' "$@"
"""
_SYSTEMCTL = """\
#!/bin/sh
echo systemctl "$@" >> '%s/log'
echo %s systemctl "$@" >> '%s/order'
"""
_SITE = """\
import builtins
_open = builtins.open
def _instead(path, *words, **more):
    return _open(%r if path == "/proc/xen/capabilities" else path, *words, **more)
builtins.open = _instead
"""


class FakeDom0:
    """A folder with ``bin/xl`` and ``bin/xenstore-ls``, configuration files in ``etc``, guests in ``state``."""

    def __init__(self, folder: Path, guests: t.Sequence[str] = (), stubborn: t.Sequence[str] = ()) -> None:
        self.folder, self.bin, self.etc = folder, folder / "bin", folder / "etc"
        for place in (self.bin, self.etc):
            place.mkdir(parents=True)
        for name in ("xl", "xenstore-ls"):
            program = self.bin / name
            program.write_text(_PROGRAM % (sys.executable, str(folder), name))
            program.chmod(0o755)
        (folder / "capabilities").write_text("control_d\n")
        (folder / "kernel").write_text("kernel")
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(_SITE % str(folder / "capabilities"))
        python, systemctl = self.bin / "python3", self.bin / "systemctl"
        python.write_text(_PYTHON % (self.bin, folder / "site", sys.executable))
        # Never the one of this machine.
        systemctl.write_text(_SYSTEMCTL % (folder, folder.name, folder.parent))
        for program in (python, systemctl):
            program.chmod(0o755)
        host = Dom0Host()
        host.stubborn = set(stubborn)
        for name in guests:
            host.start(self.config(name))
        _store(folder, host)

    def config(self, name: str, **more: t.Any) -> dict[str, t.Any]:
        """Values of a guest, written to its file."""
        values: dict[str, t.Any] = {
            "name": name,
            "type": "pvh",
            "kernel": str(self.folder / "kernel"),
            "memory": 64,
            **more,
        }
        text = "".join("%s = %s\n" % (key, json.dumps(value)) for key, value in values.items())
        (self.etc / (name + ".cfg")).write_text(text)
        return values

    def serve_vnc(self, name: str, port: int) -> None:
        """The guest has a VNC server at a port of loopback."""
        ports = {**self.vnc(), name: port}
        (self.folder / "vnc.json").write_text(json.dumps(ports))

    def vnc(self) -> dict[str, int]:
        path = self.folder / "vnc.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def guests(self) -> list[str]:
        return sorted(_load(self.folder).domains)

    def asked(self, *verbs: str) -> list[str]:
        """The commands that were run, those of some verbs only, in order."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.split()[1] in verbs]

    def variables(self) -> dict[str, t.Any]:
        """Variables of the dom0 in an inventory."""
        python = str(self.bin / "python3")
        return {"ansible_connection": "local", "ansible_python_interpreter": python, "xen_guests_dirs": [str(self.etc)]}


def _load(folder: Path) -> Dom0Host:
    state = json.loads((folder / "state").read_text())
    host = Dom0Host({str(path): path.read_bytes() for path in (folder / "etc").glob("*")})
    host.files[str(folder / "kernel")] = b"kernel"
    host.domains = {name: Domain(**values) for name, values in state["domains"].items()}
    host.next, host.stubborn = state["next"], set(state["stubborn"])
    return host


def _store(folder: Path, host: Dom0Host) -> None:
    domains = {name: asdict(one) for name, one in host.domains.items()}
    state = {"domains": domains, "next": host.next, "stubborn": sorted(host.stubborn)}
    (folder / "state").write_text(json.dumps(state))


def answer(folder: str, argv: list[str]) -> int:
    """What a program of a fake dom0 does."""
    place = Path(folder)
    with (place / "log").open("a") as log:
        log.write(" ".join(argv) + "\n")
    with (place.parent / "order").open("a") as log:
        log.write(" ".join([place.name, *argv]) + "\n")
    known = _load(place)
    if argv[0] == "xenstore-ls":
        dom0 = FakeDom0.__new__(FakeDom0)
        dom0.folder = place
        for name, port in dom0.vnc().items():
            if name in known.domains:
                print('/local/domain/%d/console/vnc-port = "%d"' % (known.domains[name].domid, port))
        return 0
    if argv[1] == "console":
        print("the console of %s" % argv[-1], flush=True)
        sys.stdin.read()
        return 0
    done = known.run(argv, check=False)
    _store(place, known)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.rc


def play(
    folder: Path,
    name: str,
    inventory: t.Mapping[str, t.Any],
    *words: str,
    env: t.Mapping[str, str] | None = None,
    seconds: float = 240,
) -> subprocess.CompletedProcess[str]:
    """A playbook of the collection with an inventory, output on stdout."""
    path = folder / "hosts.yml"
    path.write_text(json.dumps(inventory))
    tool = str(Path(sys.executable).parent / "ansible-playbook")
    argv = [tool, "-i", str(path), str(ROOT / "playbooks" / (name + ".yml")), *words]
    around = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(folder / "home"),
    }
    around.update({"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", **(env or {})})
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        env=around,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
    )
