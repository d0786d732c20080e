# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: story
type: aggregate
short_description: Adds the seconds of every task, the slowest tasks and the boot timeline to any output
version_added: 0.1.0
description:
  - Stands beside the stdout callbacks that people read and prints a few lines. Beside others, such as C(json) or
    P(xtreemos.cluster.ranks#callback), it prints nothing.
  - After each task that took long it prints the seconds.
  - In the recap it prints the slowest tasks, and one line per node as M(xtreemos.cluster.boot_timeline_info) returned
    them last.
requirements:
  - Enabled by C(callbacks_enabled = xtreemos.cluster.story) in C(ansible.cfg).
options:
  min_seconds:
    description: A task that took less than this is not worth a line.
    type: float
    default: 1.0
    env: [{name: XTREEMOS_STORY_MIN_SECONDS}]
    ini: [{section: callback_story, key: min_seconds}]
  slowest:
    description: How many of the slowest tasks the recap names. 0 for none.
    type: int
    default: 5
    env: [{name: XTREEMOS_STORY_SLOWEST}]
    ini: [{section: callback_story, key: slowest}]
  beside:
    description: The stdout callbacks beside which it prints, without their collection.
    type: list
    elements: str
    default: [default, debug, dense, yaml, unixy]
    env: [{name: XTREEMOS_STORY_BESIDE}]
    ini: [{section: callback_story, key: beside}]
author: The xtreemos.cluster developers (@xtreemos)
"""

import time
import typing as t

from ansible import constants
from ansible.plugins.callback import CallbackBase

TIMELINE = "xtreemos.cluster.boot_timeline_info"


def slowest(spent: t.Mapping[str, float], count: int, least: float) -> list[str]:
    """Lines of the ``count`` names with the most seconds, none below ``least``, slowest first."""
    worth = sorted(((seconds, name) for name, seconds in spent.items() if seconds >= least), reverse=True)[:count]
    return ["%8.1f s  %s" % item for item in worth]


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The clock of a run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "xtreemos.cluster.story"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = ""
        self._began = 0.0
        self._spent: dict[str, float] = {}
        self._boots: dict[str, str] = {}

    def set_options(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().set_options(*args, **kwargs)
        stdout = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))
        self.disabled = stdout.rpartition(".")[2] not in self.get_option("beside")

    def _end_task(self, say: bool = True) -> None:
        if not self._name:
            return
        seconds = time.monotonic() - self._began
        self._spent[self._name] = self._spent.get(self._name, 0.0) + seconds
        if say and seconds >= self.get_option("min_seconds"):
            self._display.display("  took %.1f s" % seconds, color="dark gray")
        self._name = ""

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._end_task()

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._end_task()
        self._name, self._began = task.get_name().strip(), time.monotonic()

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def _note_boots(self, result: t.Any) -> None:
        nodes = result._result.get("nodes") if result._task.resolved_action == TIMELINE else None
        if isinstance(nodes, dict):
            self._boots = {name: str(row.get("line", name)) for name, row in nodes.items()}

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._note_boots(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._note_boots(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._end_task(say=False)
        lines = slowest(self._spent, self.get_option("slowest"), self.get_option("min_seconds"))
        if lines:
            self._display.banner("SLOWEST TASKS")
            for line in lines:
                self._display.display(line)
        if self._boots:
            self._display.banner("BOOT TIMELINE")
            for name in sorted(self._boots):
                self._display.display(self._boots[name])
