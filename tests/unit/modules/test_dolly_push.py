# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result, against nodes in threads on loopback."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.chain import Node
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.door import NodeOptions
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Target
from ansible_collections.xtreemos.cluster.plugins.modules import dolly_push

IMAGE = bytes(range(256)) * 4000
SHA = hashlib.sha256(IMAGE).hexdigest()


class Rack:
    """An image, nodes on 127.0.0.31 and up, and calls of the module."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.image = folder / "image"
        self.image.write_bytes(IMAGE)
        with socket.socket() as sock:
            sock.bind(("", 0))
            self.port = int(sock.getsockname()[1])
        self.threads: list[threading.Thread] = []

    def nodes(self, *numbers: int, **more: t.Any) -> list[dict[str, t.Any]]:
        return [{"name": "node%d" % n, "ip": "127.0.0.%d" % n, "node_id": n, **more} for n in numbers]

    def start(self, number: int, timeout: float = 5.0, secret: bytes = b"") -> Path:
        target = self.folder / ("out%d" % number)
        options = NodeOptions("node%d" % number, "127.0.0.%d" % number, self.port, secret, SHA, timeout=timeout)
        node = Node(options, Target(str(target)), lambda _text: None)
        self.threads.append(threading.Thread(target=node.run, daemon=True))
        self.threads[-1].start()
        return target

    def __call__(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        given = {"image": str(self.image), "port": self.port, "deadline": 3, "timeout": 3, **options}
        given = {key: value for key, value in given.items() if value is not None}
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(
            SystemExit
        ):
            dolly_push.main()
        return t.cast("dict[str, t.Any]", json.loads(self._capsys.readouterr().out))


@pytest.fixture
def rack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> t.Iterator[Rack]:
    one = Rack(tmp_path, capsys)
    yield one
    for thread in one.threads:
        thread.join(10)
        assert not thread.is_alive()


def test_check_mode_run_and_second_run(rack: Rack) -> None:
    targets = [rack.start(n) for n in (31, 32)]
    nodes = rack.nodes(32, 31)
    foretold, done = rack(True, nodes=nodes), rack(nodes=nodes)
    for key in ("changed", "actions", "diff", "failed_nodes", "dialect", "image"):
        assert foretold[key] == done[key], key
    assert done["changed"] and done["actions"] == [["push", "chain", str(rack.image), "node31", "node32"]]
    assert list(done["nodes"]) == ["node31", "node32"] and done["image"]["sha256"] == SHA
    node31 = done["nodes"]["node31"]
    assert (node31["state"], node31["bytes"], node31["digest"], node31["reason"]) == ("ok", len(IMAGE), SHA, "")
    assert node31["seconds"] > 0 and node31["mb_s"] > 0 and foretold["nodes"]["node31"]["seconds"] == 0
    assert done["summary"][0].startswith("node31: ok, 1.0 MB in ") and foretold["summary"] == [
        "node31: ok",
        "node32: ok",
    ]
    assert done["diff"] == [
        {
            "before_header": "nodes",
            "after_header": "nodes",
            "before": "node31: -\nnode32: -\n",
            "after": "node31: %s\nnode32: %s\n" % (SHA, SHA),
        }
    ]
    assert all(target.read_bytes() == IMAGE for target in targets)
    agents = {"node31": {"holds": SHA}, "node32": {"holds": SHA, "waiting": False}}
    again = rack(nodes=nodes, agents=agents)
    assert (again["changed"], again["actions"], again["failed_nodes"]) == (False, [], [])
    assert {row["state"] for row in again["nodes"].values()} == {"skipped"} and "hint" not in again


def test_agents_tell_what_check_mode_may_expect(rack: Rack) -> None:
    agents = {"node31": {"holds": None, "waiting": True}, "node32": {"unreachable": True}}
    result = rack(True, nodes=rack.nodes(31, 32), agents=agents, deadline=0.1, max_fail=1)
    assert [row["state"] for row in result["nodes"].values()] == ["ok", "absent"] and result["changed"]


@pytest.mark.parametrize("max_fail", [0, 1])
def test_a_node_that_runs_another_image(rack: Rack, max_fail: int) -> None:
    target = rack.start(32, timeout=4.0 if max_fail else 0.3)
    agents = {"node31": {"holds": None, "runs": "f" * 64}, "node33": {"holds": SHA, "runs": SHA}}
    result = rack(nodes=rack.nodes(31, 32, 33), agents=agents, max_fail=max_fail)
    states = [row["state"] for row in result["nodes"].values()]
    assert states == ["failed", "ok" if max_fail else "failed", "skipped"] and target.exists() == bool(max_fail)
    assert result["nodes"]["node31"]["reason"].startswith("it runs the image ffffffffffff: restart it")
    assert result.get("failed", False) == (max_fail == 0)


def test_absent_nodes_fail_the_module_by_name(rack: Rack) -> None:
    rack.start(31, timeout=0.8)
    result = rack(nodes=rack.nodes(31, 32, 33), deadline=0.3, max_fail=1)
    assert result["failed"] and not result["changed"] and result["failed_nodes"] == ["node31", "node32", "node33"]
    assert result["msg"].startswith("3 of 3 nodes do not have the image: node31 failed: nothing was sent: too many")
    assert "node32 absent: node32 (127.0.0.32 port %d): Connection refused" % rack.port in result["msg"]
    assert "open TCP port %d on the nodes (firewall)" % rack.port in result["msg"]
    assert result["hint"] in result["msg"]


def test_tolerated_absence(rack: Rack) -> None:
    target = rack.start(31)
    result = rack(nodes=rack.nodes(31, 32), deadline=0.3, max_fail=1)
    assert not result.get("failed") and result["changed"] and result["failed_nodes"] == ["node32"]
    assert result["summary"][1].startswith("node32: absent, node32 (127.0.0.32 port") and target.read_bytes() == IMAGE


def test_addresses_ports_and_secrets(rack: Rack) -> None:
    rack.start(31, secret=b"a secret of the push")
    nodes = [{"name": "node31", "ip": "10.99.99.99", "address": "127.0.0.31", "port": rack.port}]
    (rack.folder / "secret").write_text("a secret of the push\n")
    result = rack(
        nodes=nodes, port=1, secret_file=str(rack.folder / "secret"), progress_file=str(rack.folder / "a" / "log")
    )
    assert result["nodes"]["node31"]["state"] == "ok" and (rack.folder / "a").is_dir()
    assert "a secret of the push" not in json.dumps(result)


def test_an_image_by_name(rack: Rack) -> None:
    version = rack.folder / "images" / "node" / "v1"
    version.mkdir(parents=True)
    (version / "rootfs.sqfs").write_bytes(IMAGE)
    nodes = rack.nodes(31, holds=SHA)
    result = rack(image=None, name="node", images_root=str(rack.folder / "images"), version="v1", nodes=nodes)
    assert result["image"] == {"path": str(version / "rootfs.sqfs"), "size": len(IMAGE), "sha256": SHA}
    assert not result["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_the_config_of_real_dolly(rack: Rack, check: bool) -> None:
    path = rack.folder / "dolly.cfg"
    options = {"dolly_cfg": str(path), "server_name": "head", "target": "/dev/ram3", "classic_names": True}
    result = rack(check, nodes=rack.nodes(31, 32, holds=SHA), **options)
    assert result["changed"] and result["diff"][0]["before_header"] == str(path) and path.exists() != check
    assert result["diff"][0]["after"] == (
        "infile %s\noutfile /dev/ram3\nserver head\nfirstclient node31\nlastclient node32\nclients 2\nnode31\nnode32\n"
        "endconfig\n" % rack.image
    )
    if not check:
        assert path.read_text() == result["diff"][0]["after"]
        assert not rack(nodes=rack.nodes(31, 32, holds=SHA), **options)["changed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": []}, "the list of nodes is empty"),
        ({"nodes": [{"name": "a"}]}, "node 'a' needs a name and an ip or address"),
        ({"nodes": [{"name": "a", "ip": "127.0.0.9"}] * 2}, "node name 'a' is empty or given twice"),
        ({"image": "/no/such/image"}, "cannot read the image /no/such/image: No such file"),
        ({"secret": "short"}, "the secret has less than 16 bytes"),
        ({"secret_file": "/no/such/file"}, "cannot read the secret file"),
        ({"classic_ports": [1]}, "classic_ports wants two numbers"),
        ({"dialect": "classic", "target": "/dev/ram 3"}, "a name with spaces"),
        ({"dolly_cfg": "/tmp/x", "server_name": "a b"}, "line 3: server 'a b' is empty or has a space"),
        ({"image": None}, "one of the following is required: image, name"),
        ({"name": "node"}, "parameters are mutually exclusive: image|name"),
    ],
)
def test_errors_come_before_anything_is_sent(rack: Rack, options: dict[str, t.Any], message: str) -> None:
    result = rack(**{"nodes": rack.nodes(31), **options})
    assert result["failed"] and message in result["msg"], result["msg"]


def test_a_chain_too_long_for_dolly(rack: Rack) -> None:
    result = rack(
        nodes=[{"name": "node%03d" % n, "ip": "10.0.%d.%d" % (n // 200, n % 200)} for n in range(400)],
        dialect="classic",
    )
    assert "dolly refuses 4096 or more" in result["msg"]
