# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows for real: console.yml opens xterm and a VNC viewer on a screen that nobody sees, through a real SSH server.

Only xl is a stand-in; ``tests/run console`` asks for the programs. Everything listens on loopback.
"""

from __future__ import annotations

import getpass
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.action.xen_console import ActionModule, marked
from ansible_collections.xtreemos.cluster.tests.unit._xen.fake_dom0 import FakeDom0, play

from .place import free_port, run

COLOUR = "#C02060"
PICTURES = Path(__file__).resolve().parents[1] / "output"
_SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
X11Forwarding yes
SetEnv PATH={path}
"""


class Screens:
    """The controller's X display and the screen of a guest, served by VNC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vnc_port = free_port()
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.display = self._server("Xvfb", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
        words = ("-SecurityTypes", "None", "-localhost", "-rfbport", str(self.vnc_port), "-geometry", "640x480")
        guest = self._server("Xtigervnc", *words, "-nolisten", "tcp")
        self.start("xterm", "-geometry", "80x24+0+0", "-bg", COLOUR, "-e", "cat", display=guest)

    def start(self, *argv: str, display: str = "") -> subprocess.Popen[bytes]:
        env = {**os.environ, **({"DISPLAY": display} if display else {})}
        quiet = subprocess.DEVNULL
        made = subprocess.Popen(argv, env=env, stdin=quiet, stdout=quiet, stderr=quiet)
        self._daemons.append(made)
        return made

    def _server(self, *argv: str) -> str:
        """Start an X server that chooses its number itself."""
        reading, writing = os.pipe()
        quiet = subprocess.DEVNULL
        words = [*argv, "-displayfd", str(writing)]
        self._daemons.append(subprocess.Popen(words, pass_fds=[writing], stdin=quiet, stdout=quiet, stderr=quiet))
        os.close(writing)
        with os.fdopen(reading) as stream:
            return ":" + stream.readline().strip()

    def sshd(self, path: str) -> dict[str, t.Any]:
        """An SSH server of the test's own; the variables of a host that is reached by it."""
        port, user = free_port(), getpass.getuser()
        for name in ("host_key", "user_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name)
        (self.folder / "sshd_config").write_text(_SSHD.format(port=port, folder=self.folder, path=path))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "sshd_config"))
        host_key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        (self.folder / "known").write_text("[127.0.0.1]:%d %s\n" % (port, host_key))
        options = "-F none -o UserKnownHostsFile=%s -o IdentitiesOnly=yes" % (self.folder / "known")
        key = str(self.folder / "user_key")
        return {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": port, "ansible_user": user,
                "ansible_ssh_private_key_file": key, "ansible_ssh_common_args": options}  # fmt: skip

    def picture(self, name: str) -> Path:
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / ("console-%s.png" % name)
        run("import", "-silent", "-window", "root", path, env={"DISPLAY": self.display})
        return path

    def titles(self) -> str:
        argv = ["xdotool", "search", "--onlyvisible", "--name", ".", "getwindowname", "%@"]
        done = subprocess.run(
            argv, capture_output=True, text=True, env={**os.environ, "DISPLAY": self.display}, check=False
        )
        return done.stdout

    def close(self) -> None:
        for one in reversed(self._daemons):
            one.terminate()
            one.wait(10)


def pixels(picture: Path, colour: str) -> int:
    """How many pixels have a colour."""
    words = ("-fill", "black", "+opaque", colour, "-fill", "white", "-opaque", colour, "-format", "%[fx:mean*w*h]")
    return round(float(run("convert", picture, *words, "info:")))


def until(what: t.Callable[[], t.Any], seconds: float = 40) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.5)
    return bool(what())


class Desk:
    """A controller with a display, and a dom0 behind an SSH server."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.screens = folder, Screens(folder)
        self.dom0 = FakeDom0(folder / "dom0", ["web1", "quiet1"])
        self.dom0.config("off1")
        self.dom0.serve_vnc("web1", self.screens.vnc_port)
        remote = self.screens.sshd("%s:%s" % (self.dom0.bin, os.environ["PATH"]))
        self.inventory = {"xen_dom0s": {"hosts": {"lab00": {**self.dom0.variables(), **remote}}}}

    def console(self, guest: str, *words: str) -> str:
        extra = ["-e", " ".join(["xen_guest=l:" + guest, *words])]
        done = play(self.folder, "console", self.inventory, *extra, env={"DISPLAY": self.screens.display})
        return done.stdout + done.stderr

    def close(self) -> None:
        for kind in ("xterm", "vnc", "vnc/tunnel"):
            for name in ("web1", "off1"):
                ActionModule._close(marked("lab00/%s/%s" % (name, kind)))
        self.screens.close()


@pytest.fixture
def desk(tmp_path: Path) -> t.Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


def test_windows_open_on_the_controller(desk: Desk) -> None:
    said = desk.console("off1", "xen_console_connect=reuse")
    assert "changed: [lab00]" in said and "failed=0" in said, said
    assert until(lambda: desk.dom0.asked("console")), said
    assert desk.dom0.asked("console") == ["xl console off1"] and desk.dom0.asked("create")
    assert until(lambda: "off1 on lab00" in desk.screens.titles()), desk.screens.titles()
    assert "changed=0" in desk.console("off1"), "a second window"
    first = marked("lab00/off1/xterm")
    assert "changed=1" in desk.console("off1", "xen_console_connect=reconnect")
    assert not set(first) & set(marked("lab00/off1/xterm")) and marked("lab00/off1/xterm")
    desk.screens.picture("xterm")

    before = pixels(desk.screens.picture("before"), COLOUR)
    said = desk.console("web1", "xen_console_type=vnc xen_console_open=always")
    assert "changed: [lab00]" in said and "failed=0" in said, said
    assert before == 0 and until(lambda: pixels(desk.screens.picture("vnc"), COLOUR) > 50_000)
    assert marked("lab00/web1/vnc") and marked("lab00/web1/vnc/tunnel")
    ActionModule._close(marked("lab00/web1/vnc"))
    assert until(lambda: not marked("lab00/web1/vnc/tunnel"), 60), "the tunnel outlives its viewer"


def test_what_cannot_be_shown_is_said(desk: Desk) -> None:
    said = " ".join(desk.console("quiet1", "xen_console_type=vnc").split())
    assert "guest quiet1 has no VNC server" in said and "vnc: true" in said
    said = " ".join(desk.console("web1", "xen_console_open=always xen_console_program=noterm").split())
    assert "noterm is not installed on the controller" in said
    said = " ".join(desk.console("web1", "xen_console_open=always xen_console_display=:4711").split())
    assert "xterm ended at once" in said and "Can't open display" in said
