# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Membership of a Kerrighed cluster by its tool krgadm. This module util is private to the collection.

krgadm 3.0 returns 0 for words that it does not know, waits for ever for a node that is absent, and prints its lists
without an end, so garbage may follow. krgadm 2.x always returns 0. Hence: no exit code is believed, only nodes that are
present are added, every command has a time limit, and what counts is what ``krgadm nodes`` says afterwards.

Sources: tools and kernel of Kerrighed 3.0, tools of 2009-02 for 2.x. The digits that 2.x prints for states are read in
the order of 3.0's states; there is no recording of a 2.x cluster to prove it.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Completed, Host

STATES = ("invalid", "possible", "present", "online")
_STATE_LINE = re.compile(r"([0-9]+):(%s)" % "|".join(STATES))
_DIGITS = re.compile(r"\s*([0-9]{1,4}):([0-3])\s*")
_DONE = re.compile(r"\[([0-9,-]*)\].*done", re.DOTALL)
_UP = re.compile(r"status: up on ([0-9]+) nodes?")
# krgadm itself waits without end; this is long for adding, and short for an admin.
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Kerrighed:
    """What this machine has. ``version`` is ``3.0``, ``2.x`` or empty with the ``reason``."""

    version: str = ""
    reason: str = ""
    session_id: int | None = None
    node_id: int | None = None
    max_nodes: int | None = None

    @property
    def supported(self) -> bool:
        return bool(self.version)


def _number(host: Host, path: str) -> int | None:
    text = (host.read(path) or b"").decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def detect(host: Host) -> Kerrighed:
    """3.0 has /sys/kerrighed, 2.x only /proc/nodes; the order matters, both have the latter."""
    if host.listdir("/sys/kerrighed"):
        node, session, most = (
            _number(host, "/sys/kerrighed/" + name) for name in ("node_id", "session_id", "max_nodes")
        )
        return Kerrighed("3.0", "", session, node, most)
    if host.read("/proc/nodes/nrnodes") is not None:
        return Kerrighed("2.x", "", cmdline(host, "session_id"), cmdline(host, "node_id"))
    if host.which("modinfo") and host.run(["modinfo", "kerrighed"], check=False).rc == 0:
        return Kerrighed("", "the module kerrighed is there but not loaded")
    return Kerrighed("", "this kernel has no Kerrighed: no /sys/kerrighed, no /proc/nodes, no module kerrighed")


def cmdline(host: Host, key: str) -> int | None:
    """The number behind ``key=`` on the kernel command line, None without it."""
    words = (host.read("/proc/cmdline") or b"").decode("ascii", "replace").split()
    found = [word[len(key) + 1 :] for word in words if word.startswith(key + "=")]
    return int(found[-1]) if found and found[-1].isdigit() else None


def parse_nodes(text: str, version: str) -> dict[int, str]:
    """States by id from ``krgadm nodes``; nodes that are absent are not in it. ClusterError holds what is no state."""
    if version == "2.x":
        pairs = _DIGITS.findall(text)
        if _DIGITS.sub("", text).strip():
            raise ClusterError("krgadm nodes status printed %r" % text.strip()[:80], "is this a Kerrighed node?")
        return {int(number): STATES[int(digit)] for number, digit in pairs}
    states: dict[int, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _STATE_LINE.fullmatch(line)
        if not found:
            raise ClusterError("krgadm nodes printed %r" % line[:80], "expected lines as in 1:online")
        states[int(found.group(1))] = found.group(2)
    return states


def parse_cluster(text: str, version: str) -> bool:
    """Whether the cluster is up, from ``krgadm cluster``; ClusterError for anything unknown."""
    told = text.strip()
    if version == "2.x":
        if told == "No running cluster":
            return False
        if told and not _DIGITS.sub("", told).strip():
            return True
    elif _UP.fullmatch(told) or told == "status: down":
        return told != "status: down"
    raise ClusterError("krgadm cluster printed %r" % told[:80], "is this a Kerrighed node?")


def parse_done(text: str) -> list[int] | None:
    """Ids of ``Adding nodes [2,3]... done``; None when it did not say done. What follows the bracket may be garbage."""
    found = _DONE.search(text)
    if not found:
        return None
    ids: list[int] = []
    for part in filter(None, found.group(1).split(",")):
        first, _to, last = part.partition("-")
        if first and (last or not _to):
            ids.extend(range(int(first), int(last or first) + 1))
    return ids


@dataclass(frozen=True)
class MemberPlan:
    """Ids to add now, to remove now, and to wait for because they are not present yet."""

    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()
    wait: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        return not (self.add or self.remove or self.wait)


def plan(states: t.Mapping[int, str], members: t.Collection[int], exact: bool, own: int | None) -> MemberPlan:
    """Steps from ``states`` to ``members`` online (and with ``exact`` no others). Never removes the node it runs on."""
    online = {number for number, state in states.items() if state == "online"}
    missing = set(members) - online
    add = {number for number in missing if states.get(number) == "present"}
    remove = online - set(members) if exact else set()
    if own in remove:
        raise ClusterError(
            "node %s cannot remove itself from the cluster" % own, "add it to the members, or run this on another node"
        )
    return MemberPlan(tuple(sorted(add)), tuple(sorted(remove)), tuple(sorted(missing - add)))


@dataclass
class Krgadm:
    """The tool on one node. ``clock`` and ``sleep`` are time.monotonic and time.sleep, in seconds."""

    host: Host
    found: Kerrighed
    program: str
    clock: t.Callable[[], float]
    sleep: t.Callable[[float], None]
    call_seconds: float = CALL_SECONDS

    def _call(self, *words: str, changes: bool = False) -> Completed:
        return self.host.run([self.program, *words], changes=changes, check=False, timeout=self.call_seconds)

    def nodes(self) -> dict[int, str]:
        """States by id; ClusterError with what krgadm said when it cannot tell."""
        done = self._call("nodes", "status")
        if done.rc != 0:
            raise ClusterError("krgadm nodes: %s" % (done.stderr or done.stdout).strip(), "is Kerrighed running?")
        return parse_nodes(done.stdout, self.found.version)

    def up(self) -> bool:
        done = self._call("cluster", "status")
        if done.rc != 0:
            raise ClusterError("krgadm cluster: %s" % (done.stderr or done.stdout).strip(), "is Kerrighed running?")
        return parse_cluster(done.stdout, self.found.version)

    def argvs(self, plan: MemberPlan) -> list[list[str]]:
        """The commands of one round; single ids, because the syntax of ranges is not the same in all versions."""
        rounds = [("add", plan.add), ("del", plan.remove)]
        return [[self.program, "nodes", word, "-n", ",".join(map(str, ids))] for word, ids in rounds if ids]

    def _round(self, plan: MemberPlan) -> list[str]:
        """Run one round; what krgadm said where it did not say done."""
        said = []
        for argv in self.argvs(plan):
            done = self._call(*argv[1:], changes=True)
            text = (done.stdout + " " + done.stderr).strip()
            if parse_done(done.stdout) is None:
                said.append("%s: %s" % (" ".join(argv[1:]), " ".join(text.split())[:160]))
        return said

    def bring(self, members: t.Collection[int], exact: bool, timeout: float) -> dict[int, str]:
        """Add and remove until the states are as wanted; they are read anew after every round.

        ClusterError, after ``timeout`` seconds, names the ids that are not as wanted with their states.
        """
        if not self.up():
            raise ClusterError("the Kerrighed cluster is down", "start it on its boot node first (krgboot)")
        end = self.clock() + timeout
        said: list[str] = []
        while True:
            states = self.nodes()
            steps = plan(states, members, exact, self.found.node_id)
            if steps.done:
                return states
            if self.clock() >= end:
                raise _unfinished(states, steps, said)
            said = self._round(steps)
            if said or steps.wait:
                self.sleep(1.0)


def _unfinished(states: t.Mapping[int, str], steps: MemberPlan, said: t.Sequence[str]) -> ClusterError:
    late = ["node %d is %s" % (number, states.get(number, "absent")) for number in sorted({*steps.add, *steps.wait})]
    late += ["node %d is still online" % number for number in steps.remove]
    told = " (krgadm said: %s)" % "; ".join(said) if said else ""
    return ClusterError(
        "membership is not as wanted: %s%s" % (", ".join(late), told), "boot the absent nodes, then run again"
    )
