# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The look of rshp2, by a fake play and by a real run."""

from __future__ import annotations

import os
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.callback import ranks

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("names", "want"),
    [
        ([], {}),
        (["node10", "node2", "node2"], {"node2": 1, "node10": 2}),
        (["10.0.1.33", "10.0.1.4", "head"], {"10.0.1.4": 1, "10.0.1.33": 2, "head": 3}),
        (["a", "1"], {"1": 1, "a": 2}),
    ],
)
def test_ranks(names: list[str], want: dict[str, int]) -> None:
    assert ranks.ranks_of(names) == want


@pytest.mark.parametrize(
    ("result", "want"),
    [
        ({"stdout": "a\nb\n", "stderr": "c"}, ["a", "b", "c"]),
        ({"stdout": "", "msg": "non-zero return code"}, []),
        ({"stdout": "", "msg": "no such file"}, ["no such file"]),
        ({"msg": ["a", 1]}, ["a", "1"]),
        ({"ping": "pong"}, []),
    ],
)
def test_spoken(result: dict[str, t.Any], want: list[str]) -> None:
    assert ranks.spoken(result) == want


class Screen:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str, color: str | None = None) -> None:
        self.lines.append(text)


def play(tasks: int, *hosts: str) -> t.Any:
    manager = types.SimpleNamespace(get_vars=lambda play: {"ansible_play_hosts_all": list(hosts)})
    blocks = [types.SimpleNamespace(block=[0] * tasks)]
    return types.SimpleNamespace(tasks=blocks, get_variable_manager=lambda: manager)


def result(name: str, **values: t.Any) -> t.Any:
    return types.SimpleNamespace(_host=types.SimpleNamespace(get_name=lambda: name), _result=values)


@pytest.fixture
def callback() -> t.Any:
    plugin = ranks.CallbackModule()
    plugin._display = Screen()
    return plugin


def test_lines(callback: t.Any) -> None:
    callback.v2_playbook_on_play_start(play(1, "n33", "n31", "n32"))
    callback.v2_playbook_on_task_start(types.SimpleNamespace(get_name=lambda: "Run"), False)
    callback.v2_runner_on_ok(result("n33", stdout="up 1\nup 2"))
    callback.v2_runner_on_failed(result("n31", rc=3, stdout="", msg="non-zero return code"))
    callback.v2_runner_on_failed(result("n32", msg="x"))
    callback.v2_runner_on_failed(result("n32"))
    callback.v2_runner_on_unreachable(result("n32", msg="no\nroute"))
    callback.v2_runner_on_unreachable(result("n34"))
    callback.v2_playbook_on_no_hosts_matched()
    assert callback._display.lines == [
        "<n33> [rank:3]: up 1",
        "<n33> [rank:3]: up 2",
        "<n31> [rank:1]: rc=3",
        "<n32> [rank:2]: x",
        "<n32> [rank:2]: failed",
        "<n32> [rank:2]: unreachable: no route",
        "<n34> [rank:4]: unreachable",
        "no hosts matched",
    ]


def test_several_tasks_are_named(callback: t.Any) -> None:
    callback.v2_playbook_on_play_start(play(2, "n1"))
    callback.v2_playbook_on_task_start(types.SimpleNamespace(get_name=lambda: " Two "), False)
    callback.v2_runner_on_ok(result("n1", stdout="x"))
    assert callback._display.lines == ["# Two", "<n1> [rank:1]: x"]


def test_a_real_run(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts"
    inventory.write_text("[nodes]\nn10 ansible_connection=local\nn9 ansible_connection=local\n")
    config = tmp_path / "ansible.cfg"
    config.touch()
    program = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory)]
    env = dict(
        os.environ,
        ANSIBLE_STDOUT_CALLBACK="xtreemos.cluster.ranks",
        ANSIBLE_CONFIG=str(config),
        ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
        ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"),
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        ANSIBLE_NOCOLOR="1",
    )
    playbook = str(ROOT / "playbooks" / "run_everywhere.yml")
    words = ["-e", '{"cmd": "echo hello; exit 3", "shell": "/bin/sh"}']
    done = subprocess.run([*program, playbook, *words], capture_output=True, text=True, env=env, check=False)
    assert sorted(done.stdout.split("\n")) == sorted(
        ["", *("<%s> [rank:%d]: %s" % (*who, line) for who in (("n9", 1), ("n10", 2)) for line in ("hello", "rc=3"))]
    )
    assert done.returncode == 2
