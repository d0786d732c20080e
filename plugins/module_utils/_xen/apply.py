# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan carried out: each kind of step for all guests, then a look whether it came about. Private to the collection.

Guests stop and boot again side by side: all are asked, then one ``xl list`` a second tells of all.
"""

from __future__ import annotations

import time
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files
from .._host.host import Host
from .lifecycle import Plan
from .ready import wait_ready
from .steps import KINDS, Guest, Step
from .wish import Settings
from .xl import Live, act, read_states

# Seconds that xl's own daemon has to clear away a guest that has shut down; without the daemon nobody does.
GRACE = 3.0
# The same when it has to start the guest again, which may read an image or dump a core before.
REBOOT_GRACE = 20.0
PAUSE = 0.5
# Seconds after which a command to a guest that does not answer is given up; xl itself waits for 60.
_LEAST_ASK = 5


class Clock:
    """Time, so that tests need not wait."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Runner:
    """One run of a plan."""

    def __init__(self, plan: Plan, settings: Settings, host: Host, clock: Clock) -> None:
        self.plan, self.settings, self.host, self.clock = plan, settings, host, clock

    def run(self) -> None:
        apply_files(FilePlan(self.plan.files.writes), self.host)
        for kind in KINDS:
            pairs = [(guest, step) for guest, step in self.plan.steps() if step.kind == kind]
            for guest, step in pairs:
                self.step(guest, step)
            self.settle(kind, list(dict.fromkeys(guest.name for guest, _step in pairs)))
        apply_files(FilePlan(removes=self.plan.files.removes), self.host)
        for path, target in sorted(self.plan.links.items()):
            self.host.symlink(target, path) if target else self.host.remove(path)
        wait_ready(self.plan.guests, self.settings, self.host, self.clock.now, self.clock.sleep)

    def step(self, guest: Guest, step: Step) -> None:
        if step.kind in ("stop", "reboot"):
            self.ask_guest(guest, step)
        elif step.kind == "make" or step.argv[0] != "xl":
            self.host.run(step.argv, changes=True)
        else:
            act(self.host, guest.name, step.argv, gone_is_fine=step.kind == "destroy")
        if step.kind == "restore":
            # The disks go on from here: memory of an earlier moment must never meet them again.
            self.host.remove(guest.wish.save_file)

    def ask_guest(self, guest: Guest, step: Step) -> None:
        """A request to the guest itself; one that does not answer is seen by its still being there."""
        limit = max(_LEAST_ASK, min(guest.wish.timeout, 70))
        try:
            self.host.run(step.argv, changes=True, check=False, timeout=limit)
        except ClusterError:
            pass

    def settle(self, kind: str, names: t.Sequence[str]) -> None:
        guests = [guest for guest in self.plan.guests if guest.name in names]
        if kind == "stop":
            self.stopped(guests)
        elif kind == "reboot":
            self.rebooted(guests)
        elif kind in ("destroy", "save", "migrate"):
            self.gone(guests)
        elif kind == "pause":
            self.gone([one for one in self.plan.guests if one.live and one.live.state == "dying"])

    def stopped(self, guests: t.Sequence[Guest]) -> None:
        """Wait until all are gone; what is not in time is destroyed, unless the user wants it kept."""
        for guest in self.poll(guests, self.is_gone, lambda guest: guest.wish.timeout):
            if guest.wish.entry.get("kill_after_timeout") is False:
                raise ClusterError(
                    "%s did not stop within %d s" % (guest.what, guest.wish.timeout),
                    "look at its console, or use force",
                )
            act(self.host, guest.name, ("xl", "destroy", guest.name), gone_is_fine=True)
        self.gone(guests)

    def is_gone(self, guest: Guest, now: Live | None, since: float) -> bool:
        """Gone, or shut down with nobody there to clear it away, or started again by its own on_poweroff."""
        if now is None:
            # Its daemon starts it again in a moment, and that one has to go too.
            return not guest.comes_back("on_poweroff")
        again = guest.live is not None and now.row.domid != guest.live.row.domid
        if again or (now.state in ("shutdown", "crashed") and self.clock.now() - since >= GRACE):
            act(self.host, guest.name, ("xl", "destroy", guest.name), gone_is_fine=True)
            return True
        return False

    def gone(self, guests: t.Sequence[Guest]) -> None:
        """What was destroyed, saved or moved has to leave the list before its name can be used again."""
        late = self.poll(guests, lambda _guest, now, _since: now is None, lambda _guest: 30)
        if late:
            raise ClusterError("%s is still there after 30 s" % late[0].what, "see xl list and xl dmesg")

    def rebooted(self, guests: t.Sequence[Guest]) -> None:
        """Wait for another domain id; a guest that nobody starts again is started here."""
        for guest in self.poll(guests, self.is_new, lambda guest: guest.wish.timeout):
            self.start_again(guest)

    def is_new(self, guest: Guest, now: Live | None, since: float) -> bool:
        left = now is not None and now.state in ("shutdown", "crashed") and self.clock.now() - since >= REBOOT_GRACE
        if left or (now is None and not guest.comes_back("on_reboot")):
            self.start_again(guest)
            return True
        # The new one is paused until xl has built it.
        is_up = now is not None and now.state == "running"
        return is_up and now is not None and guest.live is not None and now.row.domid != guest.live.row.domid

    def start_again(self, guest: Guest) -> None:
        if guest.new is None:
            raise ClusterError(
                "%s did not boot again within %d s" % (guest.what, guest.wish.timeout),
                "describe it, or use state reset",
            )
        act(self.host, guest.name, ("xl", "destroy", guest.name), gone_is_fine=True)
        self.gone([guest])
        act(self.host, guest.name, ("xl", "create", "-q", guest.wish.path))

    def poll(
        self,
        guests: t.Sequence[Guest],
        done: t.Callable[[Guest, t.Optional[Live], float], bool],
        limit: t.Callable[[Guest], float],
    ) -> list[Guest]:
        """Look until ``done`` holds for each guest; those for which it does not within their limit, in seconds.

        ``done`` gets the guest, what runs under its name, and since when it is no longer up (now when it still is).
        """
        begun = self.clock.now()
        waiting, late = list(guests), []
        down: dict[str, float] = {}
        while waiting:
            states = read_states(self.host)
            for guest in list(waiting):
                now = states.get(guest.name)
                up = now is not None and now.state not in ("shutdown", "crashed")
                since = self.clock.now() if up else down.setdefault(guest.name, self.clock.now())
                if done(guest, now, since):
                    waiting.remove(guest)
                elif self.clock.now() - begun >= limit(guest):
                    waiting.remove(guest)
                    late.append(guest)
            if waiting:
                self.clock.sleep(PAUSE)
        return late


def apply(plan: Plan, settings: Settings, host: Host, clock: Clock | None = None) -> None:
    """Carry the plan out; ClusterError names the guest that stood in the way, and says what to do."""
    Runner(plan, settings, host, clock or Clock()).run()
