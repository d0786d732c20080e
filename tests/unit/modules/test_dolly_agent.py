# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result: check mode, run, second run."""

from __future__ import annotations

import hashlib
import json
import socket
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.daemon import Daemon
from ansible_collections.xtreemos.cluster.plugins.modules import dolly_agent

IMAGE = b"an image " * 1000
SHA = hashlib.sha256(IMAGE).hexdigest()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


class Node:
    """The options of one node, and calls of the module with them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.target = folder / "out"
        self.daemon = Daemon(str(folder / "run"))
        self.options = {
            "target": str(self.target),
            "sha256": SHA,
            "size": len(IMAGE),
            "name": "node31",
            "timeout": 30,
            "bind": "127.0.0.31",
            "port": free_port(),
            "run_dir": str(folder / "run"),
            "state_dir": str(folder / "state"),
        }

    def __call__(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        given = {**self.options, "_ansible_check_mode": check, "_ansible_diff": True, **options}
        with patch_module_args(given), pytest.raises(SystemExit):
            dolly_agent.main()
        return t.cast("dict[str, t.Any]", json.loads(self._capsys.readouterr().out))


@pytest.fixture
def node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> t.Iterator[Node]:
    one = Node(tmp_path, capsys)
    yield one
    one.daemon.stop()


def test_start_twice_and_stop_twice(node: Node) -> None:
    foretold = node(check=True)
    assert foretold["changed"] and foretold["waiting"] and not node.daemon.pid()
    done = node()
    assert {key: done[key] for key in ("changed", "waiting", "holds", "resume_at", "actions", "diff")} == {
        key: foretold[key] for key in ("changed", "waiting", "holds", "resume_at", "actions", "diff")
    }
    assert (done["holds"], done["pid"], done["diff"]) == (
        None,
        node.daemon.pid(),
        {"before": "idle\n", "after": "waiting\n"},
    )
    again = node()
    assert (again["changed"], again["pid"], again["actions"]) == (False, done["pid"], [])
    assert (again["diff"]["before"], again["diff"]["after"]) == ("waiting\n", "waiting\n")
    for check in (True, False):
        stopped = node(check, state="stopped")
        assert stopped["changed"] and stopped["actions"] == [["kill", str(done["pid"])]]
    assert not node.daemon.pid() and not node(state="stopped")["changed"]


def test_other_options_start_another_agent(node: Node) -> None:
    first = node()
    second = node(server="10.0.1.1")
    assert second["changed"] and second["pid"] != first["pid"]
    assert second["actions"][0][-2:] == ["--state-dir", str(node.folder / "state")]
    assert "--server" in second["actions"][0] and "--server" not in first["actions"][0]


def test_a_node_that_holds_the_image(node: Node) -> None:
    node.target.write_bytes(IMAGE)
    for options in ({}, {"verify": True}, {"secret": "a secret of the push"}):
        result = node(**options)
        assert (result["changed"], result["waiting"], result["holds"], result["pid"]) == (False, False, SHA, 0)
    assert node(sha256=SHA.upper())["holds"] == SHA


def test_a_node_that_holds_another_image(node: Node) -> None:
    node.target.write_bytes(b"?" * len(IMAGE))
    assert node(check=True)["holds"] is None and node(check=True)["changed"]


def test_a_secret_in_place_of_a_digest(node: Node) -> None:
    result = node(sha256=None, size=0, secret="a secret of the push")
    assert result["changed"] and result["holds"] is None
    assert "a secret of the push" not in json.dumps(result) and "--secret-file" not in result["actions"][0]


@pytest.mark.parametrize(
    ("text", "runs", "holds"),
    [
        ("NODE_NAME=node31\nIMAGE_SHA256=%s\n" % SHA, SHA, SHA),
        ("IMAGE_SHA256='%s'\n" % ("a" * 64), "a" * 64, None),
        ("NODE_NAME=node31\n", None, None),
        (None, None, None),
    ],
)
def test_a_diskless_node_tells_what_it_booted(
    node: Node, text: str | None, runs: str | None, holds: str | None
) -> None:
    if text is not None:
        (node.folder / "boot.env").write_text(text)
    result = node(root=True, boot_env=str(node.folder / "boot.env"))
    assert (result["changed"], result["waiting"], result["runs"], result["holds"]) == (False, False, runs, holds)
    assert result["diff"] == {"before": "idle\n", "after": "idle\n"}


def test_the_classic_dialect_has_no_server_option(node: Node) -> None:
    assert "--server" not in node(check=True, dialect="classic", server="10.0.1.1")["actions"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sha256": None}, "nothing says which image may be written here (give sha256 or secret)"),
        ({"secret": "short"}, "the secret has less than 16 bytes"),
        ({"target": "/dev/no-such-disk"}, "there is no device /dev/no-such-disk"),
        ({"size": 1 << 60}, "has room for"),
        ({"bind": "203.0.113.7"}, "the agent did not start: dolly: cannot listen on TCP port"),
    ],
)
def test_errors(node: Node, options: dict[str, t.Any], message: str) -> None:
    result = node(**options)
    assert result["failed"] and message in result["msg"] and not node.daemon.pid()
