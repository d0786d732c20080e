# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node joins: files, key and services in one go, and nothing the second time."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import members, munge, slurmnode
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost

from .conftest import HEAD, rows

KEY = bytes(range(64))
CONF = b"ClusterName=xtreemos\n"
WANTED = slurmnode.Wanted(
    name="node31",
    members=members.parse_members(rows(), HEAD),
    head=members.parse_head(HEAD),
    key=KEY,
    conf_sha256=hashlib.sha256(CONF).hexdigest(),
)
NAMED = {"/proc/sys/kernel/hostname": b"node31\n", "/etc/hosts": b"127.0.0.1 localhost\n127.0.1.1 node31\n"}


class Node:
    """A node with systemd; ``active`` are the services that run."""

    def __init__(self, active: t.Iterable[str] = (), **files: bytes) -> None:
        self.active = set(active)
        script = {"systemctl": self.systemctl, "stat": self.stat, "chown": self.chown, "journalctl": (0, "why\n", "")}
        self.host = MemoryHost({**NAMED, **files}, script)
        self.owner = "root root"

    def stat(self, argv: list[str]) -> tuple[int, str, str]:
        return 0, "%s 400\n" % self.owner, ""

    def chown(self, argv: list[str]) -> tuple[int, str, str]:
        self.owner = "munge munge"
        return 0, "", ""

    def show(self, name: str) -> str:
        active = "active" if name in self.active else "inactive"
        values = "Id=%s\nLoadState=loaded\nActiveState=%s\nUnitFileState=enabled\nNeedDaemonReload=no\n"
        return values % (name, active)

    def systemctl(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[1] == "show":
            return 0, "\n".join(map(self.show, argv[4:])), ""
        if argv[1] in ("restart", "start"):
            self.active.add(argv[-1])
            if argv[-1] == "slurmd":
                # slurmd fetches the head's file, whatever it had before.
                self.host.files[slurmnode.CACHE] = CONF
        return 0, "", ""

    def join(self, wanted: slurmnode.Wanted = WANTED, check: bool = False) -> dict[str, t.Any]:
        plan = slurmnode.plan(wanted, self.host)
        if not check:
            slurmnode.apply(plan, self.host)
        return slurmnode.result(plan, slurmnode.run(plan, self.host, check))


def test_a_fresh_node() -> None:
    node = Node()
    result = node.join()
    assert result["changed_paths"] == ["/etc/default/slurmd", "/etc/hosts", munge.PATH, slurmnode.DROP_IN]
    assert result["services"] == {"munge": ["restart"], "slurmd": ["restart"]}
    files = node.host.files
    assert b'\nSLURMD_OPTIONS="--conf-server 10.0.1.1:6817"\n' in files[slurmnode.DEFAULTS]
    assert b"\nConditionPathExists=\n" in files[slurmnode.DROP_IN]
    assert files[munge.PATH] == KEY and node.host.modes[munge.PATH] == 0o400
    hosts = files["/etc/hosts"].decode()
    assert "127.0.1.1" not in hosts and "\n10.0.1.31 node31\n" in hosts and "\n10.0.1.1 head\n" in hosts
    verbs = [argv for argv in node.host.actions if argv[0] == "systemctl"]
    assert verbs == [["systemctl", "daemon-reload"], *(["systemctl", "restart", n] for n in ("munge", "slurmd"))]


def test_a_second_time_changes_nothing() -> None:
    node = Node()
    node.join()
    before = len(node.host.actions)
    result = node.join()
    assert (result["changed"], result["changed_paths"], result["diff"]) == (False, [], [])
    assert len(node.host.actions) == before


def test_check_mode_predicts_and_writes_nothing() -> None:
    node, twin = Node(), Node()
    predicted, done = node.join(check=True), twin.join()
    for key in ("changed", "changed_paths", "services", "diff"):
        assert predicted[key] == done[key]
    assert node.host.written == [] and node.host.actions == []


def test_check_mode_before_there_is_a_key() -> None:
    result = Node().join(replace(WANTED, key=None), check=True)
    assert result["changed"] and munge.PATH in result["changed_paths"]


def test_the_key_is_nowhere_to_be_seen() -> None:
    node = Node()
    result = node.join()
    assert munge.encode(KEY) not in str(result) and "\\x1f" not in str(result) and str(KEY) not in str(result)
    assert all(munge.encode(KEY) not in " ".join(argv) for argv in node.host.ran)


@pytest.mark.parametrize(
    ("change", "services"),
    [
        (replace(WANTED, conf_sha256="0" * 64), {"munge": [], "slurmd": ["restart"]}),
        (replace(WANTED, conf_sha256=""), {"munge": [], "slurmd": []}),
        (replace(WANTED, options=("-v",)), {"munge": [], "slurmd": ["restart"]}),
        (replace(WANTED, key=KEY[::-1]), {"munge": ["restart"], "slurmd": ["restart"]}),
        # A node more is a line of /etc/hosts; slurmd does not mind.
        (replace(WANTED, members=members.parse_members(rows((31, 32, 33, 34)))), {"munge": [], "slurmd": []}),
    ],
)
def test_only_what_a_change_needs_is_restarted(change: slurmnode.Wanted, services: dict[str, list[str]]) -> None:
    node = Node()
    node.join()
    assert node.join(change, check=True)["services"] == services
    assert node.join(change)["services"] == services


def test_a_dead_slurmd_is_started() -> None:
    node = Node()
    node.join()
    node.active.remove("slurmd")
    result = node.join()
    assert (result["changed"], result["changed_paths"]) == (True, [])
    assert result["services"] == {"munge": [], "slurmd": ["restart"]}


def test_a_run_that_died_after_the_files_is_repaired() -> None:
    node = Node()
    slurmnode.apply(slurmnode.plan(WANTED, node.host), node.host)
    assert node.join()["services"] == {"munge": ["restart"], "slurmd": ["restart"]}
    assert not node.join()["changed"]


@pytest.mark.parametrize(
    ("wanted", "files", "what"),
    [
        (replace(WANTED, name="node99"), {}, "node99 is not in the node list"),
        (WANTED, {"/proc/sys/kernel/hostname": b"(none)\n"}, r"node31 calls itself '\(none\)'.*own boot entry"),
        (WANTED, {"/proc/sys/kernel/hostname": b"node32\n"}, "node31 calls itself 'node32'"),
        (replace(WANTED, options=("-v; reboot",)), {}, "slurmd option '-v; reboot'"),
        (WANTED, {"/etc/hosts": b"10.0.1.77 node32\n"}, "/etc/hosts line 1 gives node32 the address 10.0.1.77"),
    ],
)
def test_refused_before_anything_is_written(wanted: slurmnode.Wanted, files: dict[str, bytes], what: str) -> None:
    node = Node(**files)
    with pytest.raises(ClusterError, match=what):
        node.join(wanted)
    assert node.host.written == [] and node.host.actions == []


@pytest.mark.parametrize(("program", "package"), [("slurmd", "slurmd"), ("munged", "munge")])
def test_missing_package(program: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    monkeypatch.setattr(node.host, "which", lambda name: None if name == program else "/usr/sbin/" + name)
    told = "node31: %s is not installed (add %s to the packages of the image)" % (program, package)
    with pytest.raises(ClusterError, match=re.escape(told)):
        node.join()
