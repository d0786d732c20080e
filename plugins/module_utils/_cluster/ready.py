# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which nodes take jobs, and how to get the others to. This module util is private to the collection.

Source of the states: scontrol(1) and trials with Debian 12's Slurm 22.05.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Completed, Host
from .hostlist import fold

_USABLE = {"IDLE", "MIXED", "ALLOCATED"}
_HARMLESS = {"COMPLETING", "CLOUD", "DYNAMIC_NORM", "PLANNED", "RESERVED"}
_FIELD = re.compile(r"(?:^|\s)(\w+)=(\S*)")
_REASON = re.compile(r"\sReason=(.*?)(?: \[([^\s@\]]+)@[^\]]*\])?(?=\s+\w+=|\s*$)")


@dataclass(frozen=True)
class State:
    """Slurm's view of a node: ``base`` as IDLE or DOWN, ``flags`` as NOT_RESPONDING, who gave which reason."""

    name: str
    base: str
    flags: frozenset[str] = frozenset()
    reason: str = ""
    by: str = ""

    @property
    def text(self) -> str:
        words = "+".join([self.base, *sorted(self.flags)]).lower()
        return words + (": %s" % self.reason if self.reason else "")

    @property
    def usable(self) -> bool:
        return self.base in _USABLE and self.flags <= _HARMLESS

    @property
    def drained_by_admin(self) -> bool:
        """Taken out on purpose; that is not ours to undo."""
        return "DRAIN" in self.flags and self.by != "slurm"

    @property
    def resumable(self) -> bool:
        """The node answers, and only Slurm's memory of an earlier fault keeps jobs away."""
        kept_out = self.base == "DOWN" or ("DRAIN" in self.flags and self.by == "slurm")
        return kept_out and not self.drained_by_admin and not self.flags & {"NOT_RESPONDING", "INVALID_REG"}


def parse_nodes(text: str) -> dict[str, State]:
    """States by name from ``scontrol --oneliner show node``; ClusterError for a line that is none."""
    states: dict[str, State] = {}
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        fields = dict(_FIELD.findall(line))
        if "NodeName" not in fields or not fields.get("State"):
            raise ClusterError("scontrol show node, line %d: no node in %r" % (number, line[:60]))
        base, *flags = fields["State"].upper().rstrip("*~#!%$@^-").split("+")
        why = _REASON.search(line)
        states[fields["NodeName"]] = State(
            fields["NodeName"],
            base,
            frozenset(flags),
            why.group(1).strip() if why else "",
            (why.group(2) or "") if why else "",
        )
    return states


def _controller_error(done: Completed, host: Host) -> ClusterError:
    log = host.run(["journalctl", "-u", "slurmctld", "-n", "6", "--no-pager", "-o", "cat"], check=False).stdout
    lines = [line.strip() for line in (log or done.stderr).splitlines() if line.strip()]
    return ClusterError("the Slurm controller does not answer: " + " | ".join(lines), "see journalctl -u slurmctld")


def resume_argv(names: t.Sequence[str]) -> list[list[str]]:
    """The command that resumes nodes, in a list that is empty when there are none."""
    return [["scontrol", "update", "nodename=" + fold(names), "state=resume"]] if names else []


@dataclass
class Wait:
    """One wait for nodes. ``clock`` and ``sleep`` are time.monotonic and time.sleep, in seconds."""

    host: Host
    clock: t.Callable[[], float]
    sleep: t.Callable[[float], None]
    timeout: float = 60.0
    resume: bool = True

    def read(self) -> dict[str, State] | None:
        """States of all nodes, None while the controller does not answer."""
        self._last = self.host.run(["scontrol", "--oneliner", "show", "node"], check=False)
        return parse_nodes(self._last.stdout) if self._last.rc == 0 else None

    def _resume(self, states: t.Iterable[State], done: list[str]) -> None:
        names = [state.name for state in states if state.resumable and state.name not in done]
        if self.resume and names:
            # Once per node: one that goes down again has a fault that this does not mend.
            done.extend(names)
            self.host.run(resume_argv(names)[0], changes=True, check=False)

    def until_usable(self, names: t.Sequence[str]) -> tuple[dict[str, State], list[str]]:
        """Wait for ``names``, nodes that an admin drained excepted; states and the names that were resumed.

        ClusterError when the controller does not answer in time or does not know a node; nodes that do not come are
        for the caller to count.
        """
        end = self.clock() + self.timeout
        resumed: list[str] = []
        while True:
            states = self.read()
            if states is not None:
                chosen = pick(states, names)
                self._resume(chosen, resumed)
                if all(state.usable or state.drained_by_admin for state in chosen):
                    return {state.name: state for state in chosen}, sorted(resumed)
            if self.clock() >= end:
                if states is None:
                    raise _controller_error(self._last, self.host)
                return {state.name: state for state in pick(states, names)}, sorted(resumed)
            self.sleep(1.0)


def pick(states: t.Mapping[str, State], names: t.Sequence[str]) -> list[State]:
    """The states of ``names``, sorted; ClusterError for a name that the controller does not know."""
    unknown = sorted(set(names) - set(states))
    if unknown:
        raise ClusterError(
            "the Slurm controller does not know %s" % fold(unknown), "write slurm.conf from the same node list first"
        )
    return [states[name] for name in sorted(set(names))]


def demand(states: t.Mapping[str, State], minimum: int) -> None:
    """ClusterError that names every node that is missing when fewer than ``minimum`` take jobs."""
    usable = [state for state in states.values() if state.usable]
    if len(usable) < minimum:
        rest = ["%s is %s" % (state.name, state.text) for state in states.values() if not state.usable]
        raise ClusterError(
            "%d of %d nodes take jobs, %d are needed: %s" % (len(usable), len(states), minimum, "; ".join(rest)),
            "see journalctl -u slurmd on the node; a drain for low CPUs or memory means that node_cpus or "
            "node_memory_mb say more than it has",
        )
