# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slurm_node: its options and its result; what it does is in tests/unit/_cluster."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import munge
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules import slurm_node

KEY = munge.encode(bytes(range(64)))
OPTIONS: dict[str, t.Any] = {
    "name": "node31",
    "nodes": [{"name": "node31", "ip": "10.0.1.31"}],
    "head": {"name": "head", "ip": "10.0.1.1"},
    "munge_key": KEY,
    "conf_sha256": "",
    "options": [],
}
UNIT = "Id=x\nLoadState=loaded\nActiveState=%s\nUnitFileState=enabled\nNeedDaemonReload=no\n"


def node(active: str = "inactive") -> MemoryHost:
    show = (0, "\n".join([UNIT % active] * 2), "")
    script = {"systemctl show": show, "stat": (0, "munge munge 400\n", "")}
    return MemoryHost({"/proc/sys/kernel/hostname": b"node31\n"}, script)


def test_check_mode_tells_every_command() -> None:
    predicted, host = slurm_node.work(OPTIONS, True, node()), node()
    done = slurm_node.work(OPTIONS, False, host)
    assert predicted["actions"] == host.actions
    assert {key: predicted[key] for key in done} == done


def test_the_second_run() -> None:
    host = node()
    slurm_node.work(OPTIONS, False, host)
    host.script["systemctl show"] = node("active").script["systemctl show"]
    assert not slurm_node.work(OPTIONS, False, host)["changed"]


def test_another_port_and_options() -> None:
    host = node()
    options = {**OPTIONS, "head": {"name": "head", "ip": "10.0.1.1", "port": 7001}, "options": ["-v"]}
    slurm_node.work(options, False, host)
    assert b'"--conf-server 10.0.1.1:7001 -v"' in host.files["/etc/default/slurmd"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"munge_key": ""}, "the munge key is empty"),
        ({"munge_key": "abc"}, "the munge key is not base64"),
        ({"nodes": []}, "the node list is empty"),
        ({"name": "node99"}, "node99 is not in the node list"),
    ],
)
def test_refused(change: dict[str, t.Any], what: str) -> None:
    host = node()
    with pytest.raises(ClusterError, match=what):
        slurm_node.work({**OPTIONS, **change}, False, host)
    assert host.written == []


def test_the_key_is_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({**OPTIONS, "name": "no-such-node"}), pytest.raises(SystemExit):
        slurm_node.main()
    out = capsys.readouterr().out
    assert json.loads(out)["failed"] and KEY not in out
