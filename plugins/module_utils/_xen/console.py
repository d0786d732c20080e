# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that show a guest's console on the controller. This module util is private to the collection.

Pure: words in, argv lists out; who runs them decides the caller. Words after the host's name in an ssh command are read
by a shell there, so they are quoted for it.
"""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .vnc import Vnc

TYPES = ("cli", "xterm", "gterm", "emacs", "vnc", "none")
FORWARDS = ("connection", "display")
CONNECTS = ("connect", "reuse", "reconnect")
# Seconds that a tunnel waits for its viewer; with the viewer it ends.
PATIENCE = 30
PROGRAMS = {"xterm": "xterm", "gterm": "gnome-terminal", "emacs": "emacs", "vnc": "vncviewer"}
PACKAGES = {"xterm": "xterm", "gnome-terminal": "gnome-terminal", "emacs": "emacs", "vncviewer": "tigervnc-viewer"}
_BECOME = {"sudo": ("sudo",), "doas": ("doas",)}


@dataclass(frozen=True)
class Way:
    """How the controller reaches dom0; an empty ``host`` is the controller itself. ``become`` goes before xl."""

    host: str = ""
    user: str = ""
    port: int = 0
    key: str = ""
    options: tuple[str, ...] = ()
    become: tuple[str, ...] = ()

    def ssh(self, *flags: str) -> list[str]:
        """ssh to dom0 without a command."""
        words = ["ssh", *self.options]
        words += ["-i", self.key] if self.key else []
        words += ["-p", str(self.port)] if self.port and self.port != 22 else []
        return [*words, *flags, "%s@%s" % (self.user, self.host) if self.user else self.host]

    def there(self, argv: t.Sequence[str], *flags: str) -> list[str]:
        """``argv`` on dom0."""
        return [*self.ssh(*flags), *map(shlex.quote, argv)] if self.host else list(argv)


@dataclass(frozen=True)
class Wanted:
    """What to show: a guest of a dom0 by one type of console. ``program`` stands in for the usual one."""

    name: str
    kind: str
    forward: str = "connection"
    title: str = ""
    program: str = ""

    @property
    def runs(self) -> str:
        """The program of the window; none for the caller's own terminal."""
        return self.program or PROGRAMS.get(self.kind, "")


def become_words(method: str, user: str) -> tuple[str, ...]:
    """What goes before a command that needs root on dom0; ClusterError for a method that cannot be written so."""
    words = _BECOME.get(method.rpartition(".")[2])
    if not words:
        raise ClusterError("become method %s has no form for a console" % method, "use sudo or doas, or log in as root")
    return (*words, "-u", user) if user not in ("", "root") else words


def check(kind: str, forward: str) -> None:
    """ClusterError for words that do not go together."""
    if kind in ("cli", "none") and forward == "display":
        raise ClusterError("a console of type %s has no window to forward" % kind, "use forward: connection")


def _elisp(text: str) -> str:
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def _emacs(program: str, title: str, inner: t.Sequence[str]) -> list[str]:
    words = " ".join(map(_elisp, inner[1:]))
    lisp = "(progn (require 'term) (switch-to-buffer (make-term %s %s nil %s)) (term-mode) (term-char-mode))"
    return [program, "--title", title, "--eval", lisp % (_elisp(title), _elisp(inner[0]), words)]


def _window(wanted: Wanted, inner: t.Sequence[str]) -> list[str]:
    """A terminal window that runs ``inner``; it lives as long as its program."""
    title, program = wanted.title or wanted.name, wanted.runs
    if wanted.kind == "gterm":
        return [program, "--wait", "--title", title, "--", *inner]
    if wanted.kind == "emacs":
        return _emacs(program, title, inner)
    return [program, "-T", title, "-e", *inner]


def _terminal(wanted: Wanted, way: Way) -> list[list[str]]:
    xl = [*way.become, "xl", "console", wanted.name]
    if wanted.kind == "cli":
        return [way.there(xl, "-t")]
    if wanted.forward == "display":
        return [way.there(_window(wanted, xl), "-X")]
    return [_window(wanted, way.there(xl, "-t"))]


def bracketed(address: str) -> str:
    """An IPv6 address in brackets, others as they are."""
    return "[%s]" % address if ":" in address else address


def _picture(wanted: Wanted, way: Way, vnc: Vnc, port: int) -> list[list[str]]:
    viewer = [wanted.runs, "%s::%d" % (bracketed(vnc.listen), vnc.port)]
    if wanted.forward == "display" or not way.host:
        return [way.there(viewer, "-X")]
    hop = "127.0.0.1:%d:%s:%d" % (port, bracketed(vnc.listen), vnc.port)
    # ssh stays for the connections through the tunnel when its own command has ended, and goes with the last.
    tunnel = way.ssh("-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-L", hop)
    return [[*tunnel, "sleep", str(PATIENCE)], [wanted.runs, "127.0.0.1::%d" % port]]


def commands(wanted: Wanted, way: Way, vnc: Vnc | None = None, port: int = 0) -> list[list[str]]:
    """What shows the console: one command, or a tunnel to ``port`` of the controller and a viewer. None for type none,
    and for a VNC server that is not known yet."""
    check(wanted.kind, wanted.forward)
    if wanted.kind == "none" or (wanted.kind == "vnc" and vnc is None):
        return []
    if wanted.kind == "vnc" and vnc is not None:
        return _picture(wanted, way, vnc, port or vnc.port)
    return _terminal(wanted, way)


def shown(argvs: t.Sequence[t.Sequence[str]]) -> str:
    """The commands as one line to type: a tunnel goes to the background."""
    return " & sleep 2; ".join(" ".join(map(shlex.quote, argv)) for argv in argvs)


def local_program(wanted: Wanted, way: Way) -> str:
    """The program that has to be on the controller; empty when dom0 runs it."""
    return "" if wanted.forward == "display" and way.host else wanted.runs
