# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who takes jobs: Slurm's states as recorded, and waiting for them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import ready
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden" / "cluster"
NAMES = ["node31", "node32", "node33"]


def test_recorded_drain_and_down() -> None:
    states = ready.parse_nodes((GOLDEN / "scontrol-drained.txt").read_text())
    assert {name: state.text for name, state in states.items()} == {
        "node31": "idle",
        "node32": "idle+drain: bad disk, sda",
        "node33": "down+not_responding: x",
    }
    assert [state.usable for state in states.values()] == [True, False, False]
    assert (states["node32"].by, states["node32"].drained_by_admin) == ("root", True)
    assert not any(state.resumable for state in states.values())


def test_recorded_wrong_processors() -> None:
    state = ready.parse_nodes((GOLDEN / "scontrol-invalid.txt").read_text())["node31"]
    assert state.text == "unknown+drain+invalid_reg: Low socket*core*thread count, Low CPUs"
    assert (state.by, state.usable, state.resumable, state.drained_by_admin) == ("slurm", False, False, False)


@pytest.mark.parametrize(
    ("text", "usable", "resumable", "admin"),
    [
        ("IDLE", True, False, False),
        ("IDLE+COMPLETING", True, False, False),
        ("MIXED", True, False, False),
        ("ALLOCATED+RESERVED", True, False, False),
        ("IDLE*", True, False, False),
        ("IDLE+NOT_RESPONDING", False, False, False),
        ("UNKNOWN+NOT_RESPONDING", False, False, False),
        ("DOWN", False, True, False),
        ("DOWN+NOT_RESPONDING", False, False, False),
        ("DOWN+DRAIN Reason=disk [root@2026-11-21T10:25:22]", False, False, True),
        ("IDLE+DRAIN Reason=disk [alice@2026-11-21T10:25:22]", False, False, True),
        ("IDLE+DRAIN", False, False, True),
        ("IDLE+DRAIN Reason=Low CPUs [slurm@2026-11-21T10:25:22]", False, True, False),
        ("UNKNOWN+DRAIN+INVALID_REG Reason=Low CPUs [slurm@2026-11-21T10:25:22]", False, False, False),
        ("IDLE+MAINT", False, False, False),
    ],
)
def test_states(text: str, usable: bool, resumable: bool, admin: bool) -> None:
    state = ready.parse_nodes("NodeName=n1 Arch=x State=%s\n" % text)["n1"]
    assert (state.usable, state.resumable, state.drained_by_admin) == (usable, resumable, admin)


@pytest.mark.parametrize("text", ["slurm_load_node error\n", "NodeName=n1\n", "State=IDLE\n"])
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(ClusterError, match="scontrol show node, line 1"):
        ready.parse_nodes(text)


@given(st.text(max_size=60))
def test_parse_is_total(text: str) -> None:
    try:
        ready.parse_nodes("NodeName=n State=%s\n%s" % (text, text))
    except ClusterError:
        pass


class Controller:
    """A controller that shows one row of states after the other; ``state=resume`` sets what is down to idle."""

    def __init__(self, *rows: str | None, resumes: bool = True) -> None:
        self.rows = list(rows)
        self.resumes = resumes
        self.now = 0.0
        script = {"scontrol --oneliner show node": self.show, "scontrol update": self.update, "journalctl": self.log}
        self.host = MemoryHost({}, script)

    def show(self, _argv: list[str]) -> tuple[int, str, str]:
        row = self.rows[0]
        if row is None:
            return 1, "", "slurm_load_node error: Unable to contact slurm controller\n"
        return 0, "".join("NodeName=%s State=%s\n" % pair for pair in zip(NAMES, row.split("|"))), ""

    def update(self, _argv: list[str]) -> tuple[int, str, str]:
        if self.resumes:
            self.rows = [row and row.replace("DOWN", "IDLE") for row in self.rows]
        return 0, "", ""

    def log(self, _argv: list[str]) -> tuple[int, str, str]:
        return 0, "fatal: CLUSTER NAME MISMATCH.\n\n", ""

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if len(self.rows) > 1:
            self.rows.pop(0)

    def wait(self, names: t.Sequence[str] = tuple(NAMES), **more: t.Any) -> tuple[dict[str, ready.State], list[str]]:
        return ready.Wait(self.host, lambda: self.now, self.sleep, 10, **more).until_usable(names)


def test_no_waiting_when_all_are_there() -> None:
    slurm = Controller("IDLE|MIXED|ALLOCATED")
    states, resumed = slurm.wait()
    assert (slurm.now, resumed, slurm.host.actions) == (0, [], [])
    ready.demand(states, 3)


def test_nodes_come_one_by_one() -> None:
    slurm = Controller(None, "UNKNOWN+NOT_RESPONDING|IDLE|IDLE", "IDLE|IDLE|IDLE")
    assert all(state.usable for state in slurm.wait()[0].values())
    assert slurm.now == 2


def test_a_node_that_is_down_but_answers_is_resumed_once() -> None:
    slurm = Controller("DOWN|IDLE|DOWN", "IDLE|IDLE|IDLE")
    assert slurm.wait()[1] == ["node31", "node33"]
    assert slurm.host.actions == [["scontrol", "update", "nodename=node[31,33]", "state=resume"]]
    stubborn = Controller("DOWN|IDLE|IDLE", resumes=False)
    states, resumed = stubborn.wait()
    assert (len(stubborn.host.actions), resumed, stubborn.now) == (1, ["node31"], 10)
    with pytest.raises(ClusterError, match="2 of 3 nodes take jobs, 3 are needed: node31 is down"):
        ready.demand(states, 3)


def test_resume_may_be_forbidden() -> None:
    slurm = Controller("DOWN|IDLE|IDLE")
    assert slurm.wait(resume=False)[1] == [] and slurm.host.actions == []


def test_a_node_that_an_admin_drained_is_left_alone() -> None:
    slurm = Controller("IDLE+DRAIN Reason=disk [root@x]|IDLE|IDLE")
    states, resumed = slurm.wait()
    assert (slurm.now, resumed, slurm.host.actions) == (0, [], [])
    assert states["node31"].drained_by_admin


def test_only_the_named_nodes_count() -> None:
    slurm = Controller("IDLE|DOWN+NOT_RESPONDING|IDLE")
    assert sorted(slurm.wait(["node33", "node31"])[0]) == ["node31", "node33"] and slurm.now == 0


@pytest.mark.parametrize(
    ("rows", "names", "what"),
    [
        ([None], NAMES, "controller does not answer: fatal: CLUSTER NAME MISMATCH"),
        (["IDLE|IDLE|IDLE"], ["node31", "node98", "node99"], r"does not know node\[98-99\]"),
    ],
)
def test_errors(rows: list[str | None], names: list[str], what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        Controller(*rows).wait(names)
