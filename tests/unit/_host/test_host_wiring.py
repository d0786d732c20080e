# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the result of a core package becomes that of a module."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.wiring import Result, run_module


class Ended(Exception):
    pass


class Module:
    """Notes what Ansible was told."""

    def __init__(self, diff: bool = True) -> None:
        self._diff = diff
        self.warned: list[str] = []
        self.told: dict[str, t.Any] = {}

    def warn(self, line: str) -> None:
        self.warned.append(line)

    def exit_json(self, **told: t.Any) -> None:
        self.told = told
        raise Ended

    def fail_json(self, **told: t.Any) -> None:
        self.told = {**told, "failed": True}
        raise Ended


def ran(module: Module, work: t.Callable[[LocalHost], Result]) -> Module:
    with pytest.raises(Ended):
        run_module(t.cast("t.Any", module), work)
    return module


@pytest.mark.parametrize(
    ("result", "diff", "told", "warned"),
    [
        ({"changed": True}, True, {"changed": True, "actions": []}, []),
        ({"changed": False, "actions": [["a"]]}, True, {"changed": False, "actions": [["a"]]}, []),
        ({"changed": True, "diff": 1}, True, {"changed": True, "diff": 1, "actions": []}, []),
        ({"changed": True, "diff": 1}, False, {"changed": True, "actions": []}, []),
        ({"changed": False, "warnings": ["b", "a"]}, False, {"changed": False, "actions": []}, ["b", "a"]),
        ({"changed": False, "warnings": []}, False, {"changed": False, "actions": []}, []),
    ],
)
def test_results(result: Result, diff: bool, told: Result, warned: list[str]) -> None:
    module = ran(Module(diff), lambda host: dict(result))
    assert (module.told, module.warned) == (told, warned)


def test_an_error_names_the_remedy() -> None:
    def work(host: LocalHost) -> Result:
        raise ClusterError("x is wrong", "mend it")

    module = ran(Module(), work)
    assert module.told["failed"] and module.told["hint"] == "mend it" and "x is wrong" in module.told["msg"]
    assert module.told["actions"] == [] and module.warned == []
