# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cluster_files from its options to its result, on real files."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import writers
from ansible_collections.xtreemos.cluster.plugins.modules import cluster_files

NODES = [{"name": "node%d" % n, "ip": "10.0.1.%d" % n, "node_id": n - 30, "mac": "x"} for n in (33, 31, 32)]
HEAD = {"name": "head", "ip": "10.0.1.1"}


class Caller:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        # Every file below the folder, under the name that it has in /etc.
        self.paths = {
            name: [str(folder / Path(path).relative_to("/")) for path in writers.paths_of(name, {})]
            for name in writers.NAMES
        }

    def __call__(self, check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
        base = {"nodes": NODES, "head": HEAD, "writers": writers.NAMES, "paths": self.paths}
        args = {**base, **options, "_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args(args), pytest.raises(SystemExit):
            cluster_files.main()
        return t.cast("dict[str, t.Any]", json.loads(self.capsys.readouterr().out))

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(tmp_path, capsys)


def test_choices_are_the_writers() -> None:
    assert sorted(writers.NAMES) == cluster_files.CHOICES


def test_all_of_them_and_again(call: Caller) -> None:
    predicted = call(check=True, diff=True)
    assert call.files() == {}
    done = call(diff=True)
    assert predicted == done and done["changed"]
    assert sorted(call.files()) == done["changed_paths"]
    assert done["hostlist"] == "node[31-33]"
    assert {path: hashlib.sha256(text).hexdigest() for path, text in call.files().items()} == done["sha256"]
    again = call(nodes=NODES[::-1])
    assert (again["changed"], again["changed_paths"]) == (False, [])
    assert set(map(tuple, again["writers"].values())) == {()}


def test_one_edit_changes_its_files_only(call: Caller) -> None:
    call()
    result = call(nodes=[dict(NODES[0], cpus=2), *NODES[1:]])
    assert [name for name, paths in result["writers"].items() if paths] == ["genders", "openmpi", "slurm"]


def test_hosts_keeps_the_rest(call: Caller) -> None:
    hosts = call.folder / "etc" / "hosts"
    hosts.parent.mkdir()
    hosts.write_bytes(b"127.0.0.1 localhost\n127.0.1.1 head\n192.168.7.7 printer # \xff\n")
    call(writers=["hosts"])
    text = hosts.read_bytes()
    assert text.startswith(b"127.0.0.1 localhost\n192.168.7.7 printer # \xff\n# BEGIN") and b"127.0.1.1" not in text


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"nodes": []}, "the node list is empty"),
        ({"nodes": [NODES[0], NODES[0]]}, "have the same name node33"),
        ({"head": None}, "the writer slurm needs the head"),
        ({"head": {"name": "node31", "ip": "10.0.1.1"}}, "have the same name node31"),
        ({"slurm": {"settings": {"NodeName": "x"}}}, "NodeName comes from the node list"),
        ({"writers": ["lsf"]}, "writers must be one or more of"),
        ({"paths": {"lsf": "/x"}}, "no writer is called lsf"),
    ],
)
def test_errors_write_nothing(call: Caller, options: dict[str, t.Any], what: str) -> None:
    result = call(**options)
    assert result["failed"] and what in result["msg"]
    assert call.files() == {}


def test_a_full_disk_is_one_error(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: t.Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    result = call(writers=["genders", "pdsh"])
    monkeypatch.undo()
    assert result["failed"] and "No space left on device (free space" in result["msg"]
    assert call.files() == {}
