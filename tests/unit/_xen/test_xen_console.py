# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Consoles: which commands show them, which guest is meant, which windows are open; the playbook on two dom0s."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.action import xen_console as action
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import console as con
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import live as lv
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.console import Wanted, Way
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.vnc import Vnc, may_serve, parse_vnc, read_vnc
from ansible_collections.xtreemos.cluster.plugins.modules import xen_console as module
from hypothesis import given
from hypothesis import strategies as st

from .fake_dom0 import FakeDom0, play
from .standin import Dom0Host

DOM0 = Way("lab00", "root")
FAR = Way("lab00", "op", 2222, "/k", ("-o", "A=b"), ("sudo",))
HERE = Way()
VNC = Vnc(5901)
CONFIG = 'name = "%s"\ntype = "pvh"\nkernel = "/k"\nmemory = 64\n%s'
UUID = "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2"


@pytest.mark.parametrize(
    ("wanted", "way", "lines"),
    [
        (Wanted("t", "cli"), DOM0, ["ssh -t root@lab00 xl console t"]),
        (Wanted("t", "cli"), FAR, ["ssh -o A=b -i /k -p 2222 -t op@lab00 sudo xl console t"]),
        (Wanted("t", "cli"), HERE, ["xl console t"]),
        (Wanted("t", "xterm"), DOM0, ["xterm -T t -e ssh -t root@lab00 xl console t"]),
        (Wanted("t", "xterm", title="t on l"), HERE, ["xterm -T 't on l' -e xl console t"]),
        (Wanted("t", "xterm", "display"), DOM0, ["ssh -X root@lab00 xterm -T t -e xl console t"]),
        (Wanted("t", "xterm", "display"), HERE, ["xterm -T t -e xl console t"]),
        (Wanted("t", "gterm", program="mate-terminal"), HERE, ["mate-terminal --wait --title t -- xl console t"]),
        (Wanted("t", "vnc", "display"), DOM0, ["ssh -X root@lab00 vncviewer 127.0.0.1::5901"]),
        (Wanted("t", "vnc"), HERE, ["vncviewer 127.0.0.1::5901"]),
        (
            Wanted("t", "vnc", program="v"),
            DOM0,
            [
                "ssh -o ExitOnForwardFailure=yes -o BatchMode=yes -L 127.0.0.1:7001:127.0.0.1:5901 root@lab00 sleep 30",
                "v 127.0.0.1::7001",
            ],
        ),
        (Wanted("t", "none"), DOM0, []),
    ],
)
def test_commands(wanted: Wanted, way: Way, lines: list[str]) -> None:
    assert [shlex.join(argv) for argv in con.commands(wanted, way, VNC, 7001)] == lines


def test_a_server_that_is_not_known_yet_has_no_command() -> None:
    assert con.commands(Wanted("t", "vnc"), DOM0) == []
    assert "-L 127.0.0.1:5901:[::2]:5901" in con.shown(
        con.commands(Wanted("t", "vnc"), DOM0, Vnc(5901, "::2"))
    ).replace("'", "")


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20))
def test_any_name_reaches_xl_as_one_word(name: str) -> None:
    """The words after the host are read by a shell there; Emacs reads its own quotes."""
    argv = con.commands(Wanted(name, "cli"), DOM0)[0]
    assert shlex.split(" ".join(argv[argv.index("root@lab00") + 1 :])) == ["xl", "console", name]
    lisp = con.commands(Wanted(name, "emacs"), HERE)[0][-1]
    words = [
        re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', lisp, re.DOTALL)
    ]
    assert words == [name, "xl", "console", name]


def test_one_line_to_type_sends_the_tunnel_to_the_background() -> None:
    line = con.shown(con.commands(Wanted("t", "vnc"), DOM0, VNC, 7001))
    assert re.fullmatch(r"ssh .* sleep 30 & sleep 2; vncviewer 127\.0\.0\.1::7001", line)


@pytest.mark.parametrize(
    ("method", "user", "words"),
    [("sudo", "root", ("sudo",)), ("ansible.builtin.sudo", "xen", ("sudo", "-u", "xen")), ("doas", "", ("doas",))],
)
def test_become(method: str, user: str, words: tuple[str, ...]) -> None:
    assert con.become_words(method, user) == words


@pytest.mark.parametrize("method", ["su", "community.general.ksu", "runas", ""])
def test_become_that_cannot_be_written(method: str) -> None:
    with pytest.raises(ClusterError, match="use sudo or doas"):
        con.become_words(method, "root")


@pytest.mark.parametrize("kind", ["cli", "none"])
def test_no_window_no_display(kind: str) -> None:
    with pytest.raises(ClusterError, match="has no window"):
        con.check(kind, "display")


LISTING = """\
/local/domain/0/name = "Domain-0"
/local/domain/4/console/vnc-port = "5901"
/local/domain/4/console/vnc-listen = "127.0.0.1"
/local/domain/5/console/vnc-listen = "0.0.0.0"
/local/domain/5/console/vnc-port = "5902"
/local/domain/6/console/tty = "/dev/pts/0"
/local/domain/7/console/vnc-port = "none"
/local/domain/8/console/vnc-port = "99999"
/local/domain/9/console/vnc-port = "5903"
/local/domain/9/console/vnc-listen = "192.0.2.1"
"""


def test_servers_in_xenstore() -> None:
    assert parse_vnc(LISTING) == {4: Vnc(5901), 5: Vnc(5902), 9: Vnc(5903, "192.0.2.1")}


@given(st.text(alphabet='/localdomain0123 =vnc-port"listen\n', max_size=200))
def test_any_listing_is_read(text: str) -> None:
    assert all(0 < one.port < 65536 for one in parse_vnc(LISTING + text).values())


@pytest.mark.parametrize(
    ("config", "asked"),
    [({"vfbs": [{}]}, True), ({"c_info": {"type": "hvm"}}, True), ({"c_info": {"type": "pvh"}}, False), ({}, False)],
)
def test_who_may_serve(config: t.Mapping[str, t.Any], asked: bool) -> None:
    assert may_serve(config) is asked


def dom0(*names: str, vnc: str = "") -> Dom0Host:
    host = Dom0Host({"/etc/xen/%s.cfg" % name: (CONFIG % (name, "")).encode() for name in names})
    host.files["/etc/xen/u.cfg"] = (CONFIG % ("u", 'uuid = "%s"\n' % UUID)).encode()
    found = "\0".join(path for path in sorted(host.files) if path.endswith(".cfg"))
    host.script["find"] = (0, found, "")
    for name in names:
        host.start({"name": name, "type": "pvh", "memory": 64, "kernel": "/k"})
    host.script["xenstore-ls"] = (0, vnc, "")
    return host


def test_live_records_have_the_port_of_their_server() -> None:
    host = dom0("a", "b", vnc='/local/domain/2/console/vnc-port = "5902"\n')
    host.domains["b"].values["type"] = "hvm"
    found = {row["label"]: (row["cport"], row["display"]) for row in lv.live(host, "lab00")}
    assert found == {"Domain-0": ("", ""), "a": ("", ""), "b": (5902, ":2")}
    assert len([argv for argv in host.ran if argv[0] == "xenstore-ls"]) == 1
    quiet = dom0("a", "b")
    lv.live(quiet, "lab00")
    assert ["xl", "list"] in quiet.ran and not [argv for argv in quiet.ran if argv[0] == "xenstore-ls"]
    assert read_vnc(Dom0Host()) == {}


def options(address: t.Any, **more: t.Any) -> dict[str, t.Any]:
    return {**{key: spec.get("default") for key, spec in module.ARGUMENTS.items()}, "address": address, **more}


def work(host: Dom0Host, address: t.Any, dry: bool = False, **more: t.Any) -> dict[str, t.Any]:
    return module.work(options(address, **more), dry, host, lambda seconds: None)


@pytest.mark.parametrize("address", ["l:a", "a", {"path": "/etc/xen/a.cfg"}, "f:a.cfg"])
def test_a_guest_by_any_address(address: t.Any) -> None:
    found = work(dom0("a", "b"), address)
    assert (found["guest"]["name"], found["guest"]["domid"], found["changed"], found["vnc"]) == ("a", 1, False, {})


@pytest.mark.parametrize("dry", [True, False])
def test_reuse_starts_a_guest(dry: bool) -> None:
    host = dom0("a")
    found = work(host, "u:" + UUID, dry, connect="reuse")
    assert found["changed"] and host.actions == [["xl", "create", "-q", "/etc/xen/u.cfg"]]
    assert ("u" in host.domains, found["guest"]["domid"]) == ((False, None) if dry else (True, 2))


def test_vnc_of_a_guest_that_was_just_started_is_waited_for() -> None:
    host, asked = dom0(), []

    def late(argv: list[str]) -> tuple[int, str, str]:
        asked.append(argv)
        return 0, '/local/domain/1/console/vnc-port = "5900"\n' if len(asked) > 3 else "", ""

    host.script["xenstore-ls"] = late
    assert work(host, "l:u", type="vnc", connect="reuse")["vnc"] == {"listen": "127.0.0.1", "port": 5900}
    assert ["xenstore-ls", "-f", "/local/domain/1/console"] in asked


@pytest.mark.parametrize(
    ("address", "more", "words"),
    [
        ("l:none", {}, "there is no guest l:none"),
        ("l:u", {}, "guest u does not run.*connect: reuse"),
        ("l:Domain-0", {}, "is the host itself"),
        ("l:a", {"type": "vnc"}, "guest a has no VNC server.*vnc: true"),
        ("l:a,u:%s" % UUID, {}, "do not agree"),
        ("x:a", {}, "no key of an address"),
        ("l:a", {"type": "cli", "forward": "display"}, "no window to forward"),
    ],
)
def test_what_is_refused(address: str, more: dict[str, t.Any], words: str) -> None:
    with pytest.raises(ClusterError) as error:
        work(dom0("a"), address, **more)
    assert re.search(words, str(error.value), re.DOTALL)


def test_two_guests_that_fit_are_told() -> None:
    host = dom0("a")
    host.files["/etc/xen/copy.cfg"] = host.files["/etc/xen/a.cfg"]
    host.script["find"] = (0, "/etc/xen/a.cfg\0/etc/xen/copy.cfg", "")
    with pytest.raises(ClusterError, match="fits 2 guests.*copy.cfg"):
        work(host, "l:a")
    assert work(host, "l:a", match="first")["guest"]["path"] == "/etc/xen/a.cfg"


def test_a_guest_that_dies_at_once_is_told() -> None:
    host = dom0()
    host.script["xl create"] = (0, "", "")
    with pytest.raises(ClusterError, match="soon after its start|gone"):
        work(host, "l:u", connect="reuse")


# The controller.


@pytest.mark.parametrize(
    ("wanted", "way", "display", "words"),
    [
        (Wanted("t", "cli"), DOM0, ":1", "your own terminal"),
        (Wanted("t", "xterm"), DOM0, "", "has no X display.*cli"),
        (Wanted("t", "vnc"), DOM0, ":1", "vncviewer is not installed.*tigervnc-viewer"),
        (Wanted("t", "gterm", program="konsole"), DOM0, ":1", "konsole is not installed"),
        (Wanted("t", "xterm", "display"), DOM0, ":1", ""),
        (Wanted("t", "xterm", "display"), HERE, ":1", "xterm is not installed"),
    ],
)
def test_obstacles(wanted: Wanted, way: Way, display: str, words: str) -> None:
    found = action.obstacle(wanted, way, display, lambda name: None)
    assert bool(found) == bool(words) and re.search(words, str(found or ""))
    if wanted.kind != "cli":
        assert action.obstacle(wanted, way, ":1", lambda name: "/usr/bin/" + name) is None


def test_a_port_that_is_taken_is_left_alone() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert action.free_port(port) != port and action._listens(port)
    assert action.free_port(port) == port and not action._listens(port)


def sleeper(mark: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    made = subprocess.Popen(argv, env={**os.environ, action.MARK: mark}, stdout=subprocess.PIPE)
    assert made.stdout and made.stdout.readline()
    return made


def test_windows_are_known_by_their_mark() -> None:
    mark = "lab00/t%d/xterm" % os.getpid()
    one, other = sleeper(mark), sleeper(mark + "/tunnel")
    try:
        assert action.marked(mark) == [one.pid] and action.marked(mark + "/tunnel") == [other.pid]
        action.ActionModule._close(action.marked(mark))
        assert one.wait(10) == -signal.SIGTERM and action.marked(mark) == []
        action.ActionModule._close([one.pid])
    finally:
        other.kill()
        other.wait()
        one.wait()


@pytest.mark.parametrize(
    ("code", "ready", "words"),
    [
        ("import sys; sys.exit('no display')", None, "w ended at once: no display"),
        ("pass", lambda: False, "w ended at once: it said nothing"),
        ("import time; time.sleep(60)", lambda: False, "w was not there within"),
        ("import time; time.sleep(60)", None, ""),
        ("import time; time.sleep(60)", lambda: True, ""),
    ],
)
def test_a_window_that_does_not_live_says_why(code: str, ready: t.Any, words: str) -> None:
    with tempfile.TemporaryFile() as errors:
        made = action.spawn([sys.executable, "-c", code], os.environ, errors)
        seconds = 0.3 if "sleep" in code else 20
        try:
            action.wait(made, "w", seconds, ready, errors)
            said = ""
        except ClusterError as error:
            said = str(error)
        finally:
            made.kill()
            made.wait()
    assert said.startswith(words) if words else not said


def test_the_playbook_on_two_dom0s(tmp_path: Path) -> None:
    one, two = FakeDom0(tmp_path / "a", ["web1", "web2"]), FakeDom0(tmp_path / "b", ["db1"])
    two.config("web1")
    two.config("off1")
    one.serve_vnc("web1", 5907)
    inventory = {"xen_dom0s": {"hosts": {"lab00": one.variables(), "lab01": two.variables()}}}

    def console(*words: str) -> str:
        done = play(tmp_path, "console", inventory, "-e", "xen_guest=" + words[0], *words[1:], env={"DISPLAY": ""})
        return done.stdout + done.stderr

    found = console("l:web1", "-e", "xen_console_type=vnc")
    assert "vncviewer 127.0.0.1::5907" in found and "has no X display" in found and "failed=0" in found
    assert "changed: [lab01]" in console("l:off1", "-e", "xen_console_connect=reuse xen_console_type=cli")
    assert two.guests() == ["db1", "off1"] and one.guests() == ["web1", "web2"]
    assert "No host has a guest l:none" in console("l:none")


def test_the_waiting_does_not_outlast_a_lost_tunnel() -> None:
    with tempfile.TemporaryFile() as errors:
        begun = time.monotonic()
        made = action.spawn(["false"], os.environ, errors)
        with pytest.raises(ClusterError, match="tunnel ended"):
            action.wait(made, "tunnel", 20, lambda: False, errors)
        assert time.monotonic() - begun < 15
