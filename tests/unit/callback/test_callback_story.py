# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback beside a run: seconds, slowest tasks, boot lines."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.callback import story


@pytest.mark.parametrize(
    ("spent", "count", "least", "want"),
    [
        ({}, 5, 1.0, []),
        ({"a": 0.5}, 5, 1.0, []),
        ({"a": 1.5, "b": 12.25, "c": 3.0}, 2, 1.0, ["    12.2 s  b", "     3.0 s  c"]),
        ({"a": 1.5}, 0, 1.0, []),
    ],
)
def test_the_slowest(spent: dict[str, float], count: int, least: float, want: list[str]) -> None:
    assert story.slowest(spent, count, least) == want


class Screen:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str, **_how: t.Any) -> None:
        self.lines.append(text)

    def banner(self, text: str, **_how: t.Any) -> None:
        self.lines.append("## " + text)


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    plugin = story.CallbackModule()
    plugin._display = Screen()
    plugin.get_option = {"min_seconds": 1.0, "slowest": 5}.__getitem__
    ticks = iter(range(0, 1000, 7))
    monkeypatch.setattr(story.time, "monotonic", lambda: float(next(ticks)))
    return plugin


@pytest.mark.parametrize(
    ("stdout", "disabled"),
    [
        ("default", False),
        ("ansible.builtin.default", False),
        ("xtreemos.cluster.ranks", True),
        ("json", True),
    ],
)
def test_it_keeps_out_of_output_that_programs_read(
    monkeypatch: pytest.MonkeyPatch, stdout: str, disabled: bool
) -> None:
    plugin = story.CallbackModule()
    monkeypatch.setattr(story.constants.config, "get_config_value", lambda _name, *_rest, **_more: stdout)
    monkeypatch.setattr(story.CallbackBase, "set_options", lambda _self: None)
    monkeypatch.setattr(plugin, "get_option", {"beside": ["default", "yaml"]}.__getitem__)
    plugin.set_options()
    assert plugin.disabled is disabled


def _task(name: str) -> t.Any:
    return types.SimpleNamespace(get_name=lambda: name)


def _result(action: str, **result: t.Any) -> t.Any:
    return types.SimpleNamespace(_task=types.SimpleNamespace(resolved_action=action), _result=result)


def test_a_run(callback: t.Any) -> None:
    callback.v2_playbook_on_task_start(_task("Build"), False)
    callback.v2_playbook_on_handler_task_start(_task("Restart"))
    callback.v2_runner_on_ok(_result("ansible.builtin.debug", nodes={"x": {"line": "no"}}))
    callback.v2_runner_on_ok(_result(story.TIMELINE, nodes={"n2": {"line": "n2: up"}, "n1": {}}))
    callback.v2_playbook_on_play_start(None)
    callback.v2_playbook_on_stats(None)
    assert callback._display.lines == [
        "  took 7.0 s",
        "  took 7.0 s",
        "## SLOWEST TASKS",
        "     7.0 s  Restart",
        "     7.0 s  Build",
        "## BOOT TIMELINE",
        "n1",
        "n2: up",
    ]


def test_the_lines_of_a_wait_that_failed_and_a_run_of_nothing(callback: t.Any) -> None:
    callback.v2_playbook_on_stats(None)
    assert callback._display.lines == []
    callback.v2_runner_on_failed(_result(story.TIMELINE, nodes={"n1": {"line": "n1: no lease"}}))
    callback.v2_runner_on_failed(_result(story.TIMELINE, msg="no nodes here"))
    callback.v2_playbook_on_stats(None)
    assert callback._display.lines == ["## BOOT TIMELINE", "n1: no lease"]
