# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which commands bring a guest from the state that it is in to the one that is wanted. Private to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field, replace

from .._host.errors import ClusterError
from .._host.host import Host
from . import savefile
from .compare import Changes
from .config import Config
from .facts import normal, of_live
from .wish import Wish
from .xl import OFF, Live

Argv = t.Tuple[str, ...]
# Kinds of steps in the order in which they are done, for all guests each.
KINDS = (
    "make", "wake", "stop", "destroy", "save", "migrate", "unpause", "set", "pause", "create", "restore", "reboot",
    "trigger",
)  # fmt: skip
# In these states the guest is there afterwards.
UP = ("running", "paused", "restored", "resumed", "rebooted", "reset")
_AFTER = {"present": "", "saved": OFF, "stopped": OFF, "absent": OFF, "migrated": OFF, "paused": "paused"}


@dataclass(frozen=True)
class Step:
    """One command; ``kind`` is one of ``KINDS``."""

    kind: str
    argv: Argv


@dataclass(frozen=True)
class Guest:
    """One guest: ``old`` and ``new`` are its file before and after (None without one); ``text`` is to be written."""

    wish: Wish
    live: Live | None = None
    old: Config | None = None
    new: Config | None = None
    text: str | None = None
    exists: bool = False
    changes: Changes = field(default_factory=Changes)
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.wish.name

    @property
    def before(self) -> str:
        return self.live.state if self.live else OFF

    @property
    def after(self) -> str:
        """The state in one word when all is done."""
        return _AFTER.get(self.wish.state, "running") or self.before

    def does(self, *kinds: str) -> bool:
        return any(step.kind in kinds for step in self.steps)

    def comes_back(self, key: str) -> bool:
        """Whether xl starts the guest that runs again after that event, by what it was started with."""
        if self.live is None or not self.live.config:
            return False
        return of_live(self.live.config).words[key] not in ("destroy", "preserve", "coredump-destroy")

    @property
    def what(self) -> str:
        return "guest %s" % self.name


def _down(guest: Guest) -> list[Step]:
    live, name = guest.live, guest.name
    if live is None or live.state == "dying":
        return []
    if guest.wish.force or live.state in ("shutdown", "crashed") or _half(live):
        return [Step("destroy", ("xl", "destroy", name))]
    wake = [Step("wake", ("xl", "unpause", name))] if live.state == "paused" else []
    force = ("-F",) if live.kind == "hvm" else ()
    return [*wake, Step("stop", ("xl", "shutdown", *force, name))]


def _half(live: Live) -> bool:
    """A guest that a killed ``xl create`` left: paused, and xl knows nothing of it."""
    return live.state == "paused" and not live.config


def _create(guest: Guest, paused: bool = False) -> Step:
    if guest.new is None:
        raise ClusterError("%s cannot be started: there is no file %s" % (guest.what, guest.wish.path), "describe it")
    return Step("create", ("xl", "create", "-q", *(("-p",) if paused else ()), guest.wish.path))


def anew(guest: Guest, paused: bool = False) -> list[Step]:
    return [*_down(guest), _create(guest, paused)]


def _running(guest: Guest) -> list[Step]:
    live, paused = guest.live, guest.wish.state == "paused"
    if live is not None and _half(live):
        raise ClusterError(
            "%s was left half made by a killed xl create" % guest.what, "remove it by state: stopped, force: true"
        )
    if live is None or live.state in ("shutdown", "crashed", "dying"):
        return anew(guest, paused)
    if paused:
        return [] if live.state == "paused" else [Step("pause", ("xl", "pause", guest.name))]
    return [Step("unpause", ("xl", "unpause", guest.name))] if live.state == "paused" else []


def _saved(guest: Guest, saved: savefile.Saved | None, folder: bool) -> list[Step]:
    live, path = guest.live, guest.wish.save_file
    if live is None:
        if saved is None:
            raise ClusterError("%s does not run and has no save file %s" % (guest.what, path), "start it first")
        return []
    if live.state in ("shutdown", "crashed", "dying") or _half(live):
        raise ClusterError("%s is %s and cannot be saved" % (guest.what, live.state), "start it, or stop it")
    wake = [Step("wake", ("xl", "unpause", guest.name))] if live.state == "paused" else []
    make = [] if folder else [Step("save", ("mkdir", "-p", os.path.dirname(path)))]
    beside = path + ".new"
    save = [("xl", "save", guest.name, beside), ("mv", "-T", "--", beside, path)]
    return [*wake, *make, *(Step("save", argv) for argv in save)]


def _restored(guest: Guest, saved: savefile.Saved | None) -> list[Step]:
    if guest.live is not None and guest.live.state in ("running", "paused"):
        return _running(replace(guest, wish=replace(guest.wish, state="running")))
    if saved is None:
        raise ClusterError(
            "%s does not run and has no save file %s" % (guest.what, guest.wish.save_file), "start it by state running"
        )
    return [*_down(guest), Step("restore", ("xl", "restore", guest.wish.save_file))]


def _rebooted(guest: Guest) -> list[Step]:
    live = guest.live
    if live is None or live.state not in ("running", "paused") or _half(live):
        return anew(guest)
    wake = [Step("wake", ("xl", "unpause", guest.name))] if live.state == "paused" else []
    force = ("-F",) if live.kind == "hvm" else ()
    return [*wake, Step("reboot", ("xl", "reboot", *force, guest.name))]


def _reset(guest: Guest) -> list[Step]:
    live = guest.live
    if live is not None and live.kind == "hvm" and live.state == "running":
        return [Step("trigger", ("xl", "trigger", guest.name, "reset"))]
    return anew(replace(guest, wish=replace(guest.wish, entry={**guest.wish.entry, "force": True})))


def _migrated(guest: Guest) -> list[Step]:
    if guest.live is None:
        return []
    if guest.live.state != "running":
        raise ClusterError("%s is %s and cannot be moved" % (guest.what, guest.live.state), "start it first")
    return [Step("migrate", ("xl", "migrate", guest.name, guest.wish.target))]


def _check_saved(guest: Guest, saved: savefile.Saved | None) -> None:
    if saved is None:
        return
    path, hint = guest.wish.save_file, "name another save_file, or move that one away"
    if saved.name != guest.name:
        raise ClusterError("%s holds the guest %s, not %s" % (path, saved.name, guest.name), hint)
    mine = guest.live.uuid if guest.live else str(normal(guest.new).get("uuid") or "") if guest.new else ""
    if mine and saved.uuid and saved.uuid != mine:
        raise ClusterError("%s holds another guest %s, with the UUID %s" % (path, guest.name, saved.uuid), hint)


def steps_of(guest: Guest, host: Host) -> tuple[list[Step], list[str]]:
    """The steps of one guest, and warnings."""
    state, warnings = guest.wish.state, []
    saved = None
    if state in ("saved", "restored", "resumed"):
        saved = savefile.read(host, guest.wish.save_file)
        _check_saved(guest, saved)
    elif state in ("running", "paused") and guest.live is None and host.read_from(guest.wish.save_file, 0, 1):
        warnings.append("%s starts anew; what was saved in %s stays there" % (guest.what, guest.wish.save_file))
    makers: dict[str, t.Callable[[], list[Step]]] = {
        "present": list,
        "stopped": lambda: _down(guest),
        "absent": lambda: _down(guest),
        "saved": lambda: _saved(guest, saved, _folder(host, guest.wish.save_file)),
        "restored": lambda: _restored(guest, saved),
        "resumed": lambda: _restored(guest, saved),
        "rebooted": lambda: _rebooted(guest),
        "reset": lambda: _reset(guest),
        "migrated": lambda: _migrated(guest),
    }
    return makers.get(state, lambda: _running(guest))(), warnings


def _folder(host: Host, path: str) -> bool:
    return host.run(["test", "-d", os.path.dirname(path)], check=False).rc == 0
