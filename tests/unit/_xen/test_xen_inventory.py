# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests of several dom0s as hosts: from files that a play wrote, through Ansible's own inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import inventory as inv
from hypothesis import given
from hypothesis import strategies as st

A = {"pm": "lab00.soho", "label": "tst100", "tcp": "10.0.0.1", "vmstate": "ACTIVE", "dist": "CentOS", "vcpu": 2}
B = {"pm": "lab01.soho", "label": "b", "vmstate": "BACKUP", "id": "/b.cfg"}
C = {"pm": "lab01.soho", "label": "tst100", "vmstate": "BACKUP", "id": "/old.cfg"}
DOM0 = {"pm": "lab00.soho", "label": "Domain-0"}


def test_groups_and_variables_of_a_guest() -> None:
    assert inv.groups(A) == [
        "xen_guests", "xen_dom0_lab00_soho", "xen_state_active", "xen_label_tst100", "xen_dist_centos",
        "xen_os_centos"]  # fmt: skip
    assert inv.variables({**A, "uuid": ""}) == {
        "xen_pm": "lab00.soho", "xen_label": "tst100", "xen_tcp": "10.0.0.1", "xen_vmstate": "ACTIVE",
        "xen_dist": "CentOS", "xen_vcpu": 2, "ansible_host": "10.0.0.1"}  # fmt: skip
    assert "ansible_host" not in inv.variables(B)


@pytest.mark.parametrize(
    ("records", "field", "states", "names"),
    [
        ([A, B, DOM0], "label", ["ALL"], ["b", "tst100"]),
        ([A, C], "label", ["ACTIVE"], ["tst100"]),
        ([A, B, C], "tcp", ["ALL"], ["10.0.0.1"]),
        ([B, C], "id", ["ALL"], ["/b.cfg", "/old.cfg"]),
        ([], "label", ["ALL"], []),
    ],
)
def test_names_are_those_of_the_field(records: t.Any, field: str, states: list[str], names: list[str]) -> None:
    assert list(inv.hosts(records, field, states)) == names
    assert list(inv.hosts(records[::-1], field, states)) == names


def test_a_name_of_two_guests_is_told_with_both() -> None:
    with pytest.raises(ClusterError, match=r"name tst100: .*10\.0\.0\.1.* on lab00\.soho and .*/old\.cfg.* on lab01"):
        inv.hosts([A, C])


RUNS = {"pm": "lab00.soho", "label": "tst100", "uuid": "", "state": "running", "flags": "-b----", "pid": 4}
U = {"label": "u", "uuid": "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2", "id": "/u.cfg"}


@pytest.mark.parametrize(
    ("records", "live", "states"),
    [
        ([A, B], [RUNS], {"tst100": "running", "b": "stopped"}),
        ([], [RUNS], {"tst100": "running"}),
        ([U], [{**U, "label": "renamed", "state": "paused"}], {"u": "paused"}),
        ([U], [{"label": "u", "uuid": "", "state": "shutdown"}], {"u": "shutdown"}),
        ([A], [], {"tst100": "stopped"}),
    ],
)
def test_a_file_and_what_runs_are_one_guest(records: t.Any, live: t.Any, states: dict[str, str]) -> None:
    merged = inv.merge(records, live)
    assert {str(one["label"]): one["state"] for one in merged} == states


def test_another_uuid_is_another_guest() -> None:
    other = {**U, "uuid": U["uuid"][:-1] + "3", "state": "running"}
    assert [one["state"] for one in inv.merge([U], [other])] == ["stopped", "running"]
    with pytest.raises(ClusterError, match="name u"):
        inv.hosts(inv.merge([U], [other]))


def test_a_guest_that_runs_is_in_its_group() -> None:
    text = json.dumps({"records": [A], "live": [RUNS, DOM0]})
    found = inv.hosts(inv.read_records(text, "/x"))
    assert list(found) == ["tst100"]
    assert "xen_run_running" in inv.groups(found["tst100"])
    assert inv.variables(found["tst100"])["xen_pid"] == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"live": 1}',
        '{"live": [1]}',
        '{"records": [], "live": {}}',
        "7",
        '{"records": 1}',
        '{"x": []}',
        "[1]",
        "null",
    ],
)
def test_other_files_are_told_by_name(text: str) -> None:
    with pytest.raises(ClusterError, match="/c/x"):
        inv.read_records(text, "/c/x")


@given(st.text(max_size=60))
def test_any_text_gives_records_or_one_error(text: str) -> None:
    try:
        assert isinstance(inv.read_records(text, "/x"), list)
    except ClusterError as error:
        assert error.hint


def listed(folder: Path, **options: t.Any) -> subprocess.CompletedProcess[str]:
    path = folder / "guests.xen.yml"
    path.write_text(json.dumps({"plugin": "xtreemos.cluster.xen_domains", **options}))
    tool = str(Path(sys.executable).parent / "ansible-inventory")
    env = {**os.environ, "ANSIBLE_INVENTORY_ENABLED": "xtreemos.cluster.xen_domains", "ANSIBLE_HOME": str(folder)}
    env["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "true"
    argv = [tool, "-i", str(path), "--list"]
    return subprocess.run(argv, capture_output=True, text=True, env=env, cwd=folder, timeout=60, check=False)


def test_ansible_reads_the_guests_of_all_dom0s(tmp_path: Path) -> None:
    (tmp_path / "lab00.json").write_text(json.dumps({"changed": False, "records": [A, DOM0]}))
    (tmp_path / "lab01.json").write_text(json.dumps([B]))
    done = listed(
        tmp_path,
        records=["lab*.json", "lab00.json"],
        keyed_groups=[{"key": "xen_pm", "prefix": "on"}],
        compose={"twice": "xen_vcpu | default(1) * 2"},
        groups={"big": "xen_vcpu | default(1) > 1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found["xen_guests"]["hosts"]) == ["b", "tst100"]
    assert found["on_lab01_soho"]["hosts"] == ["b"] and found["big"]["hosts"] == ["tst100"]
    assert found["_meta"]["hostvars"]["tst100"]["twice"] == 4


def test_ansible_says_what_is_wrong(tmp_path: Path) -> None:
    assert "there is no file none.json" in " ".join(listed(tmp_path, records=["none.json"]).stderr.split())
