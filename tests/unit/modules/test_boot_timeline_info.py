# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result, on recorded logs."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.modules import boot_timeline_info

GOLDEN = Path(__file__).parents[2] / "golden" / "timeline"
NODES = [
    {"name": "node%d" % n, "mac": "52:54:00:0a:01:%02x" % n, "ip": "10.0.1.%d" % n, "node_id": n - 30}
    for n in (31, 32, 33)
]
LOGS = [
    {"kind": "dhcp", "path": str(GOLDEN / "journal-short-unix.txt")},
    {"kind": "tftp", "path": str(GOLDEN / "journal-short-unix.txt")},
    {"kind": "http", "path": str(GOLDEN / "nginx-boot.log")},
    {"kind": "phone", "path": str(GOLDEN / "nginx-phone-home.log")},
]


def call(capsys: pytest.CaptureFixture[str], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    options = {"nodes": NODES, "logs": LOGS, "_ansible_check_mode": check, **options}
    with patch_module_args(options), pytest.raises(SystemExit):
        boot_timeline_info.main()
    return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("check", [False, True])
def test_the_recorded_boot(capsys: pytest.CaptureFixture[str], check: bool) -> None:
    result = call(capsys, check)
    assert (result["changed"], result["actions"], result["up"]) == (False, [], 0)
    assert result["unknown_macs"] == {"52:54:00:0a:01:4d": 4}
    assert list(result["nodes"]) == ["node31", "node32", "node33"]
    assert result["lines"] == [row["line"] for row in result["nodes"].values()] and len(result["table"]) == 4
    node31 = result["nodes"]["node31"]
    assert (node31["missing"], node31["reason"]) == ("fetch", "needs 700 MB, have 512 MB")
    assert (node31["image"], node31["state"], node31["reached"]) == ("3f1d0c2b9a88", "failed", "up")
    assert node31["started"] == 1795253524.438  # its loader was fetched a second time
    assert result["nodes"]["node32"]["stages"] == {"lease": 0.032}
    assert [result["nodes"][name]["missing"] for name in ("node32", "node33")] == ["loader", "lease"]


def test_waiting_fails_with_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    result = call(capsys, wait={"timeout": 0})
    assert result["failed"] and set(result["nodes"]) == {"node31", "node32", "node33"}
    assert result["msg"].startswith("3 of 3 nodes did not reach up within 0 s: node31: no fetch: needs 700 MB")


def test_check_mode_neither_waits_nor_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(boot_timeline_info.AnsibleModule, "warn", lambda _self, text: said.append(text))
    begun = time.monotonic()
    result = call(capsys, check=True, wait={"timeout": 600})
    assert time.monotonic() - begun < 60 and not result.get("failed") and set(result["nodes"]) >= {"node31"}
    assert [line for line in said if "3 of 3 nodes did not reach up" in line]


@pytest.mark.parametrize(
    "options",
    [
        {"wait": {"timeout": 0}, "fail": False},
        {"wait": {"timeout": 0, "stage": "lease"}, "nodes": NODES[:2]},
        {"wait": {"timeout": 0, "stage": "verify"}, "nodes": NODES[:1]},
    ],
)
def test_waiting_that_does_not_fail(capsys: pytest.CaptureFixture[str], options: dict[str, t.Any]) -> None:
    assert not call(capsys, **options).get("failed")


def test_a_moment_after_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert {row["state"] for row in call(capsys, since=1800000000)["nodes"].values()} == {"unseen"}
    rows = call(capsys, since={"node32": 1795253529})["nodes"]
    assert rows["node32"]["stages"]["firmware"] == 1.762


def test_a_log_that_is_missing_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(boot_timeline_info.AnsibleModule, "warn", lambda _self, text: said.append(text))
    call(capsys, logs=[{"kind": "phone", "path": "/nonexistent/phone-home.log"}])
    assert said == ["/nonexistent/phone-home.log does not exist"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nodes": []}, "the node list is empty"),
        ({"nodes": [NODES[0], dict(NODES[0], name="twin", node_id=9)]}, "same MAC"),
        ({"since": {"node99": 1}}, "node99"),
        ({"since": "yesterday"}, "since is 'yesterday'"),
        ({"logs": [{"kind": "http"}]}, "exactly one of path"),
        ({"logs": [{"kind": "pigeon", "path": "/x"}]}, "pigeon"),
        ({"wait": {"stage": "moon"}}, "moon"),
    ],
)
def test_bad_options_give_one_clear_error(
    capsys: pytest.CaptureFixture[str], options: dict[str, t.Any], said: str
) -> None:
    result = call(capsys, **options)
    assert result["failed"] and said in result["msg"] and "Traceback" not in result["msg"]
