# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""chroot_access: accounts and keys of a tree, and the sshd that reads them."""

from __future__ import annotations

import os
import socket
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import access
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.modules.chroot_access import ARGUMENTS
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import Builder, accounts, needs_root
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults

pytestmark = needs_root
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRfz41SGZ0dm1zdTOV0 admin"
USERS = [
    {"name": "root", "keys": [KEY]},
    {"name": "ann", "keys": [KEY], "shell": "/bin/sh"},
    {"name": "builder", "login": False},
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = accounts(tmp_path / "tree")
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/sshd").write_bytes(b"\x7fELF")
    return root


def run(tree: Path, host: Builder | None = None, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    given = {"path": str(tree), "users": USERS, "port": free(), **more}
    return access.run_access(defaults(ARGUMENTS, given), check, host or Builder())


def free() -> int:
    return 24 if access.listener(24) is None else 61024


def test_written_as_predicted_and_then_nothing(tree: Path) -> None:
    predicted = run(tree, check=True)
    assert not (tree / "etc/xtreemos").exists() and predicted["changed"]
    assert run(tree) == predicted
    assert predicted["uids"] == {"root": 0, "ann": 1000, "builder": 1234}
    again = run(tree)
    assert not again["changed"] and again["changed_paths"] == again["actions"] == again["diff"] == []
    home = (tree / "home/ann").stat()
    assert (home.st_uid, home.st_gid) == (1000, 1000)
    key = tree / "etc/xtreemos/ssh_host_ed25519_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and b"OPENSSH PRIVATE KEY" in key.read_bytes()
    config = (tree / "etc/xtreemos/sshd_config").read_text()
    assert "PasswordAuthentication no\n" in config and "AllowUsers root ann\n" in config and "UsePAM no\n" in config
    assert "PermitRootLogin without-password\n" in config and "ListenAddress 127.0.0.1\n" in config
    assert sorted(os.listdir(tree / "etc/xtreemos/authorized_keys")) == ["ann", "root"]


def test_secrets_do_not_show(tree: Path) -> None:
    (tree / "etc/shadow").write_text("root:$6$secret:19000::::::\nbuilder:*:1::::::\n")
    assert "$6$" not in str(run(tree)) and (tree / "etc/shadow").stat().st_mode & 0o777 == 0o640
    assert "$6$" not in (tree / "etc/shadow").read_text()


def test_who_is_no_longer_declared_cannot_log_in(tree: Path) -> None:
    run(tree)
    result = run(tree, users=USERS[:1])
    assert str(tree / "etc/xtreemos/authorized_keys/ann") in result["changed_paths"]
    assert os.listdir(tree / "etc/xtreemos/authorized_keys") == ["root"]
    assert "AllowUsers root\n" in (tree / "etc/xtreemos/sshd_config").read_text()
    assert "ann:x:1000" in (tree / "etc/passwd").read_text()


def test_accounts_alone(tree: Path) -> None:
    result = run(tree, users=USERS[2:], sshd=False)
    assert not result["changed"] and not (tree / "etc/xtreemos").exists()


def test_sshd_judges_before_anything_is_written(tree: Path) -> None:
    class Refusing(Builder):
        def _answer(self, words: list[str]) -> str:
            if "/usr/sbin/sshd" in words:
                self.fails[words[0]] = "/etc/xtreemos/sshd_config.candidate: line 2: Bad configuration option\n"
            return super()._answer(words)

    with pytest.raises(ClusterError, match="refuses its settings: .*Bad configuration option"):
        run(tree, Refusing())
    assert not (tree / "etc/xtreemos/sshd_config").exists() and "ann" not in (tree / "etc/passwd").read_text()
    assert not (tree / "etc/xtreemos/sshd_config.candidate").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"users": [{"name": "ann"}]}, "user ann has no key"),
        ({"users": USERS[2:]}, "nobody could log in to"),
        ({"port": 0}, "bad port 0"),
        ({"port": 70000}, "bad port 70000"),
        ({"path": "/nowhere/at/all"}, "there is no tree /nowhere/at/all"),
    ],
)
def test_bad_options(tree: Path, more: dict[str, t.Any], told: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    with pytest.raises(ClusterError) as caught:
        run(tree, **more)
    assert told in str(caught.value) and caught.value.hint
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


def test_a_tree_without_sshd_or_accounts(tree: Path) -> None:
    (tree / "etc/passwd").unlink()
    with pytest.raises(ClusterError, match="has no /etc/passwd"):
        run(tree)
    (tree / "usr/sbin/sshd").unlink()
    with pytest.raises(ClusterError, match="has no sshd"):
        run(tree)


def test_a_port_in_use_is_told_with_its_holder(tree: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        for check in (True, False):
            with pytest.raises(ClusterError, match=r"port %d is in use by .*, process %d" % (port, os.getpid())):
                run(tree, check=check, port=port)
    assert not (tree / "etc/xtreemos").exists()


def test_a_tree_that_is_not_there_yet_is_a_change(tmp_path: Path) -> None:
    assert run(tmp_path / "none", check=True)["changed"]
