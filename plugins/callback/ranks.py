# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: ranks
type: stdout
short_description: Output of a command on many hosts as rshp2 printed it
version_added: 0.1.0
description:
  - "Prints every line that a host says as C(<host> [rank:n]: line), and nothing about plays, tasks and recaps."
  - Ranks count from 1 in the sorted order of the play's hosts, so that a host keeps its rank however fast it answers.
  - A command that fails ends with a line C(rc=n). A host that cannot be reached is named, which taktuk leaves out.
  - With more than one task a line names each task first.
requirements:
  - Set as stdout callback, for instance by E(ANSIBLE_STDOUT_CALLBACK=xtreemos.cluster.ranks).
author: The xtreemos.cluster developers (@xtreemos)
"""

EXAMPLES = r"""
# ANSIBLE_STDOUT_CALLBACK=xtreemos.cluster.ranks ansible-playbook xtreemos.cluster.run_everywhere -e cmd=uptime
# <node31> [rank:1]: 14:53:49 up 21 min, 1 user, load average: 0.02, 0.42, 0.42
# <node32> [rank:2]: 15:58:59 up 21 min, 1 user, load average: 0.02, 0.44, 0.43
"""

import re
import typing as t

from ansible.plugins.callback import CallbackBase

_DIGITS = re.compile(r"([0-9]+)")


def _natural(name: str) -> list[tuple[int, t.Any]]:
    """Sort key that puts node2 before node10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in _DIGITS.split(name) if part]


def ranks_of(names: t.Iterable[str]) -> dict[str, int]:
    """Rank of each name, from 1."""
    return {name: rank for rank, name in enumerate(sorted(set(names), key=_natural), 1)}


def spoken(result: t.Mapping[str, t.Any]) -> list[str]:
    """The lines of a result: what the command printed, errors behind the output; a module's message else."""
    lines: list[str] = []
    for key in ("stdout", "stderr"):
        text = result.get(key)
        if isinstance(text, str) and text:
            lines += text.splitlines()
    told = result.get("msg")
    if lines or told in (None, "", "non-zero return code"):
        return lines
    return [str(line) for line in told] if isinstance(told, list) else str(told).splitlines()


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One line of output per line of a host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "xtreemos.cluster.ranks"

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._ranks: dict[str, int] = {}
        self._play: t.Any = None
        self._several = False

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Ranks are given when the play is known; the hosts only with its variable manager, see :meth:`_rank`."""
        self._play = play
        self._ranks = {}
        self._several = sum(len(block.block) for block in play.tasks) > 1

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if self._several:
            self._display.display("# " + task.get_name().strip())

    def _rank(self, host: str) -> int:
        if not self._ranks and self._play is not None:
            manager = self._play.get_variable_manager()
            every = manager.get_vars(play=self._play).get("ansible_play_hosts_all") or [host]
            self._ranks = ranks_of(str(name) for name in every)
        return self._ranks.setdefault(host, len(self._ranks) + 1)

    def _say(self, result: t.Any, lines: t.Iterable[str], color: str | None = None) -> None:
        host = result._host.get_name()
        for line in lines:
            self._display.display("<%s> [rank:%d]: %s" % (host, self._rank(host), line), color=color)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._say(result, spoken(result._result))

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        told = spoken(result._result)
        self._say(result, told)
        if "rc" in result._result:
            self._say(result, ["rc=%s" % result._result["rc"]], "red")
        elif not told:
            self._say(result, ["failed"], "red")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        told = " ".join(str(result._result.get("msg") or "").split())
        self._say(result, ["unreachable" + (": " + told if told else "")], "red")

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._display.display("no hosts matched", color="red")
