# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slurm_ready: its options and its result."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules import slurm_ready

RESUME = [["scontrol", "update", "nodename=node32", "state=resume"]]


def controller(second: str = "IDLE") -> MemoryHost:
    rows = "NodeName=node31 State=MIXED\nNodeName=node32 State=%s\n"
    return MemoryHost({}, {"scontrol --oneliner show node": (0, rows % second, "")})


def call(host: MemoryHost, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    base = {"nodes": ["node[31-32].example.org"], "minimum": None, "timeout": 0, "resume": True}
    return slurm_ready.work({**base, **options}, check, host)


@pytest.mark.parametrize("check", [False, True])
def test_all_take_jobs(check: bool) -> None:
    result = call(controller(), check)
    assert (result["changed"], result["hostlist"], result["usable"]) == (False, "node[31-32]", ["node31", "node32"])
    assert result["nodes"]["node31"] == {"state": "mixed", "usable": True} and result["idle"] == ["node32"]


def test_check_mode_tells_what_would_be_resumed() -> None:
    host = controller("DOWN")
    result = call(host, True)
    assert (result["changed"], result["resumed"], result["actions"]) == (True, ["node32"], RESUME)
    assert host.actions == []
    assert call(host, minimum=1)["resumed"] == ["node32"] and host.actions == RESUME


def test_check_mode_before_there_is_a_controller() -> None:
    host = MemoryHost({}, {"scontrol": (1, "", "no"), "journalctl": (0, "", "")})
    result = call(host, True)
    assert (result["changed"], result["nodes"], result["hostlist"]) == (False, {}, "")
    with pytest.raises(ClusterError, match="controller does not answer: no"):
        call(host)


def test_check_mode_before_slurm_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    host = controller()
    monkeypatch.setattr(host, "which", lambda _program: None)
    assert call(host, True)["nodes"] == {} and host.ran == []


def test_minimum() -> None:
    host = controller("DOWN+NOT_RESPONDING")
    assert call(host, minimum=1)["usable"] == ["node31"]
    with pytest.raises(ClusterError, match="1 of 2 nodes take jobs, 2 are needed: node32 is down"):
        call(host)
    drained = call(controller("IDLE+DRAIN Reason=disk [root@x]"))
    assert drained["usable"] == ["node31"] and drained["nodes"]["node32"]["state"] == "idle+drain: disk"


def test_bad_list() -> None:
    with pytest.raises(ClusterError, match="a bracket is not closed"):
        call(controller(), nodes=["node[31-"])
