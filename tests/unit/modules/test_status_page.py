# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""status_page: written once, predicted, and again only when something has happened."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules.status_page import ARGUMENTS, work

TIMES = {"started": 1.0, "stages": {"lease": 1.0}, "at": {"lease": 1.0, "up": 3.0}}
UP = {"up": True, "state": "up", "image": "v1", **TIMES, "missing": "", "reason": "", "remedy": "", "note": ""}


def options(**more: t.Any) -> dict[str, t.Any]:
    return {**{key: spec.get("default") for key, spec in ARGUMENTS.items()}, "path": "/srv/status.html", **more}


def test_predicted_written_and_then_nothing() -> None:
    host = MemoryHost()
    predicted = work(options(nodes={"a": UP}), True, host)
    assert predicted["changed"] and host.files == {}
    assert work(options(nodes={"a": UP}), False, host) == predicted
    assert predicted["states"] == {"up": 1, "booting": 0, "failed": 0, "unseen": 0}
    assert b"<h1>Cluster status</h1>" in host.files["/srv/status.html"]
    assert host.modes["/srv/status.html"] == 0o644
    again = work(options(nodes={"a": UP}), False, host)
    assert not again["changed"] and again["diff"] == []
    assert work(options(nodes={"a": UP}, title="Rack"), False, host)["changed"]


@pytest.mark.parametrize("wrong", [{"mode": "rw"}, {"nodes": {"a": {"up": True}}}])
def test_nothing_is_written_on_an_error(wrong: dict[str, t.Any]) -> None:
    host = MemoryHost()
    with pytest.raises(ClusterError):
        work(options(**wrong), False, host)
    assert host.files == {}
