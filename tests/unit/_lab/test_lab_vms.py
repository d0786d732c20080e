# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import signal
import socket
import time
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import fleet
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.process import running_pid
from ansible_collections.xtreemos.cluster.plugins.modules import lab_vms

RunModule = t.Callable[..., t.Dict[str, t.Any]]


def node(number: int, **more: t.Any) -> dict[str, t.Any]:
    nic = {"kind": "segment", "mac": "52:54:00:0a:01:%02x" % number, "port": 5000, "boot": True}
    return {"name": f"node{number}", "nics": [nic], **more}


@pytest.fixture
def call(fake_qemu: pathlib.Path, run_module: RunModule) -> t.Callable[..., dict[str, t.Any]]:
    def run(*vms: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        paths = {"folder": str(fake_qemu), "sockets": str(fake_qemu / "run")}
        return run_module(lab_vms.main, vms=list(vms), **{**paths, "accel": "tcg", **options})

    return run


Call = t.Callable[..., t.Dict[str, t.Any]]


def summary(result: dict[str, t.Any]) -> dict[str, str]:
    words = ("running", "started", "stopped")
    return {name: "".join(w[0] + w[2] for w in words if row[w]) for name, row in result["vms"].items()}


def alive(rack: pathlib.Path) -> list[str]:
    return sorted(p.parent.name for p in rack.glob("vms/*/qemu.pid") if running_pid(str(p)))


def test_first_and_second_call(call: Call, fake_qemu: pathlib.Path) -> None:
    first, second = call(node(31), node(32)), call(node(31), node(32))
    assert (first["changed"], second["changed"]) == (True, False)
    assert summary(first) == {"node31": "rnsa", "node32": "rnsa"}
    assert summary(second) == {"node31": "rn", "node32": "rn"}
    assert {n: r["pid"] for n, r in first["vms"].items()} == {n: r["pid"] for n, r in second["vms"].items()}
    assert [argv[2] for argv in first["actions"]] == ["node31", "node32"]
    assert (second["actions"], second["accel"]) == ([], {})
    assert first["accel"] == {"name": "tcg", "reason": "as asked"}
    assert (fake_qemu / "run").stat().st_mode & 0o777 == 0o700


def test_a_killed_machine_is_started_again_alone(call: Call, fake_qemu: pathlib.Path) -> None:
    pids = {n: r["pid"] for n, r in call(node(31), node(32))["vms"].items()}
    os.kill(pids["node32"], signal.SIGKILL)
    while "node32" in alive(fake_qemu):
        time.sleep(0.01)
    again = call(node(31), node(32))
    assert summary(again) == {"node31": "rn", "node32": "rnsa"}
    assert again["vms"]["node31"]["pid"] == pids["node31"]


@pytest.mark.parametrize(
    ("before", "after", "options", "rows", "left"),
    [
        ([31, 32], [31], {"exclusive": True}, {"node31": "rn", "node32": "so"}, ["node31"]),
        ([31, 32], [31], {}, {"node31": "rn"}, ["node31", "node32"]),
        ([31], [31], {"state": "stopped"}, {"node31": "so"}, []),
        ([], [31], {"state": "stopped"}, {"node31": ""}, []),
        ([31], [31], {"state": "restarted"}, {"node31": "rnsaso"}, ["node31"]),
        ([], [31], {"state": "restarted"}, {"node31": "rnsa"}, ["node31"]),
        ([31], [31], {"state": "absent"}, {"node31": "so"}, []),
        ([31, 32], [], {"state": "absent", "exclusive": True}, {"node31": "so", "node32": "so"}, []),
        ([], [], {"exclusive": True}, {}, []),
    ],
)
def test_states(
    call: Call,
    fake_qemu: pathlib.Path,
    before: list[int],
    after: list[int],
    options: dict[str, t.Any],
    rows: dict[str, str],
    left: list[str],
) -> None:
    call(*map(node, before))
    predicted = call(*map(node, after), **options, _ansible_check_mode=True, _ansible_diff=True)
    assert alive(fake_qemu) == [f"node{n}" for n in before]
    done = call(*map(node, after), **options, _ansible_diff=True)
    assert (summary(done), alive(fake_qemu)) == (rows, left)
    assert summary(predicted) == rows
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    if options.get("state") != "restarted":
        assert not call(*map(node, after), **options)["changed"]


def test_absent_leaves_no_folder(call: Call, fake_qemu: pathlib.Path) -> None:
    call(node(31), node(32))
    call(node(31), state="absent")
    assert [path.name for path in (fake_qemu / "vms").iterdir()] == ["node32"]


def test_the_console_log_says_when_the_power_came(call: Call) -> None:
    console = pathlib.Path(call(node(31))["vms"]["node31"]["console"])
    call(node(31), state="restarted")
    assert console.read_text().count("--- power on ") == 2


def test_check_mode_on_nothing_touches_nothing(call: Call, fake_qemu: pathlib.Path) -> None:
    result = call(node(31, kernel="/no/kernel"), _ansible_check_mode=True)
    assert result["changed"] and result["vms"]["node31"] == {
        "running": True,
        "started": True,
        "stopped": False,
        "pid": None,
        "since": None,
        "console": str(fake_qemu / "vms/node31/console.log"),
    }
    assert not fake_qemu.exists()


def test_a_failing_qemu_is_named_with_its_words(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU_FAILS", "1")
    result = call(node(31))
    assert result["failed"]
    assert "node31 does not start" in result["msg"] and "no machine today" in result["msg"]
    assert "console.log" in result["hint"]


def test_a_missing_program_names_its_package(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "VM_TOOLS", ("ssh-keygen", "unshare"))
    monkeypatch.setattr("shutil.which", lambda *_a, **_k: None)
    result = call(node(31), _ansible_check_mode=True)
    assert result["hint"] == "as root, run: apt-get install openssh-client util-linux"


def test_a_missing_disk_is_an_error_before_anything_starts(call: Call, fake_qemu: pathlib.Path) -> None:
    result = call(node(31), node(32, disk=str(fake_qemu / "no.ext4")))
    assert "node32: there is no " in result["msg"]
    assert alive(fake_qemu) == []


def test_a_taken_port_is_named(call: Call) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        head = {"name": "head", "nics": [{"kind": "user", "mac": "52:54:00:00:00:01", "host_port": port}]}
        result = call(head)
    assert f"head: port {port} of the loopback interface" in result["msg"]
    assert "LAB_SSH_PORT" in result["hint"]


def test_a_foreign_folder_for_sockets_is_refused(
    call: Call, fake_qemu: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fake_qemu / "run").mkdir(parents=True)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    assert "belongs to somebody else" in call(node(31))["msg"]
    assert alive(fake_qemu) == []


def test_the_ssh_master_of_a_dead_machine_is_hung_up(call: Call, fake_qemu: pathlib.Path) -> None:
    call(node(31))
    for name in ("node31.ssh", "node31.qmp"):
        (fake_qemu / "run" / name).write_text("")
    call(node(31), state="stopped")
    assert list((fake_qemu / "run").iterdir()) == []


def test_a_wrong_name_is_one_error(call: Call) -> None:
    assert call({"name": "../x"})["msg"].startswith("'../x' is no name for a VM")
