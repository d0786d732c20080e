# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kerrighed_nodes: file and membership, with the fake krgadm as a real program."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._kerrighed import krgadm
from ansible_collections.xtreemos.cluster.plugins.modules import kerrighed_nodes

from .._kerrighed.conftest import Cluster, Machine

NODES = [{"name": "node%d" % n, "node_id": n - 30, "mac": "x", "interface": "eth0"} for n in (33, 31, 32)]
DEFAULTS = {name: spec.get("default") for name, spec in kerrighed_nodes.ARGUMENTS.items()}
V3 = "session=1\nnbmin=3\nnode31:1:eth0\nnode32:2:eth0\nnode33:3:eth0\n"
SEED = "session=1\nnbmin=3\nnode31:eth0\nnode32:eth0\nnode33:eth0\n"
NONE = Machine({"/proc/cmdline": b"quiet"})


class Resource:
    """The module on one file and one machine."""

    def __init__(self, folder: Path, host: Machine) -> None:
        self.path, self.host = folder / "kerrighed_nodes", host
        self.program = str(folder / "krgadm")

    def __call__(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        base = {"path": str(self.path), "session": 1, "nbmin": 3, "nodes": NODES, "krgadm_path": self.program}
        self.host.actions = []
        found = krgadm.detect(self.host)
        return kerrighed_nodes.work({**DEFAULTS, **base, **options}, check, self.host, found)

    @property
    def text(self) -> str | None:
        return self.path.read_text() if self.path.exists() else None


@pytest.fixture
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resource:
    host = Machine({"/proc/cmdline": b"quiet"})
    monkeypatch.setattr(host, "which", lambda _name: None)
    return Resource(tmp_path, host)


@pytest.fixture
def node1(tmp_path: Path) -> Resource:
    cluster = Cluster(tmp_path).set({1: "online", 2: "present", 3: "present"})
    resource = Resource(tmp_path, cluster.host)
    resource.cluster = cluster  # type: ignore[attr-defined]
    return resource


# The file, on a machine without Kerrighed.


def test_the_file_works_anywhere(anywhere: Resource) -> None:
    predicted = anywhere(check=True)
    assert anywhere.text is None
    done = anywhere()
    assert predicted == done and anywhere.text == V3
    assert (done["supported"], done["format"], done["cluster_up"], done["nodes"]) == (False, "v3", None, {})
    assert done["boot_args"]["node32"] == ["session_id=1", "node_id=2", "nb_nodes_min=3"]
    again = anywhere(nodes=NODES[::-1])
    assert (again["changed"], again["diff"]) == (False, [])


def test_the_form_of_the_old_documents(anywhere: Resource) -> None:
    with pytest.raises(ClusterError, match="every node becomes node 0.*cmdline_ids"):
        anywhere(format="legacy2")
    assert anywhere.text is None
    result = anywhere(format="legacy2", cmdline_ids=True)
    assert (anywhere.text, result["format"]) == (SEED, "legacy2")
    assert result["boot_args"]["node31"] == ["session_id=1", "node_id=1", "nb_nodes_min=3"]
    # A node that was booted by our boot entries has node_id= on its command line.
    anywhere.host.files["/proc/cmdline"] = b"quiet node_id=1"
    assert not anywhere(format="legacy2")["changed"]
    with pytest.raises(ClusterError, match="becomes node 0"):
        anywhere(format="legacy2", cmdline_ids=False)


def test_merge(anywhere: Resource) -> None:
    anywhere()
    anywhere(mode="merge", session=None, nbmin=None, nodes=[{"name": "node40", "id": 10}])
    assert anywhere.text == V3 + "node40:10:eth0\n"
    anywhere(mode="merge", state="absent", nodes=[{"name": "node40"}, {"name": "node50"}])
    assert anywhere.text == V3
    with pytest.raises(ClusterError, match="nbmin is 3, but there are 2 nodes"):
        anywhere(mode="merge", state="absent", nodes=[{"name": "node33"}])
    anywhere.path.write_text("session=1\n node31:1:eth0\n")
    with pytest.raises(ClusterError, match="kerrighed_nodes line 2: .*bad host name"):
        anywhere(mode="merge")


def test_absent(anywhere: Resource) -> None:
    assert not anywhere(state="absent")["changed"]
    anywhere()
    assert anywhere(check=True, state="absent")["changed"] and anywhere.text == V3
    result = anywhere(state="absent")
    assert (result["changed"], anywhere.text, result["format"], result["boot_args"]) == (True, None, "", {})
    anywhere()
    anywhere(mode="merge", state="absent")
    assert anywhere.text is None


LONG = [{"name": "%s%d" % ("x" * 50, n), "id": n} for n in range(100)]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"session": None}, "no session"),
        ({"session": 10000}, "session is 10000"),
        ({"nbmin": 4}, "nbmin is 4, but there are 3 nodes"),
        ({"nodes": [], "nbmin": None}, "no nodes"),
        ({"nodes": [{"id": 1}]}, "node 1 of the list has no name"),
        ({"nodes": [{"name": "a", "id": "x"}]}, "a: the id is 'x'"),
        ({"nodes": [{"name": "a", "id": 200}], "nbmin": 1}, "is 200, not 0 to 127"),
        ({"nodes": [{"name": "a", "id": 200}], "format": "legacy2"}, "is 200, not 0 to 127"),
        ({"nodes": [{"name": "a", "id": 1}, {"name": "b", "id": 1}]}, "a and b have the same id 1"),
        ({"nodes": [*NODES, NODES[0]]}, "node node33 comes twice"),
        ({"nodes": [{"name": "a.b", "id": 1}]}, "bad host name 'a.b'"),
        ({"nodes": [{"name": "a", "id": 1}, {"name": "b"}]}, "a has no id, other nodes have one|b has no id"),
        ({"nodes": LONG}, r"100 nodes make 6\d+ bytes, the kernel reads less than 4096"),
        ({"membership": "online"}, "no membership without Kerrighed: this kernel has no Kerrighed"),
    ],
)
def test_refused_before_anything_is_written(anywhere: Resource, options: dict[str, t.Any], what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        anywhere(**options)
    assert anywhere.text is None


def test_a_larger_id_may_be_told(anywhere: Resource) -> None:
    anywhere(nodes=[{"name": "a", "id": 255}], nbmin=1, max_id=255)
    assert anywhere.text == "session=1\nnbmin=1\na:255:eth0\n"


def test_failure_says_supported_false(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = {"path": str(tmp_path / "x"), "session": 1, "nodes": NODES, "membership": "online"}
    with patch_module_args(args), pytest.raises(SystemExit):
        kerrighed_nodes.main()
    result = json.loads(capsys.readouterr().out)
    assert (result["failed"], result["supported"]) == (True, False) and result["reason"] in result["msg"]
    assert not (tmp_path / "x").exists()


# Membership, on node 1 of a cluster.


def test_online(node1: Resource) -> None:
    predicted = node1(check=True, membership="online")
    assert node1.text is None and predicted["nodes"]["2"] == "present"
    done = node1(membership="online")
    assert predicted["actions"] == done["actions"] == [[node1.program, "nodes", "add", "-n", "2,3"]]
    assert done["nodes"] == {"1": "online", "2": "online", "3": "online"}
    assert (done["supported"], done["session_id"], done["node_id"], done["cluster_up"]) == (True, 7, 1, True)
    assert predicted["diff"] == done["diff"] and done["diff"][-1]["after"] == "add 2\nadd 3\n"
    again = node1(membership="online")
    assert (again["changed"], again["actions"]) == (False, [])


def test_exact(node1: Resource) -> None:
    node1(membership="online")
    done = node1(membership="exact", members=[1, 3])
    assert done["nodes"] == {"1": "online", "2": "present", "3": "online"}
    assert done["actions"] == [[node1.program, "nodes", "del", "-n", "2"]]
    with pytest.raises(ClusterError, match="node 1 cannot remove itself"):
        node1(membership="exact", members=[2, 3])


def test_an_absent_member(node1: Resource) -> None:
    assert node1(check=True, membership="online", members=[1, 9])["changed"]
    with pytest.raises(ClusterError, match="node 9 is absent"):
        node1(membership="online", members=[1, 9], timeout=0)


@pytest.mark.parametrize(
    ("nodes", "members", "what"),
    [({1: "present"}, [1], "the Kerrighed cluster is down"), ({1: "online"}, [], "no members are given")],
)
def test_no_cluster_no_file(node1: Resource, nodes: dict[int, str], members: list[int], what: str) -> None:
    node1.cluster.set(nodes)  # type: ignore[attr-defined]
    with pytest.raises(ClusterError, match=what):
        node1(membership="online", members=members)
    assert node1.text is None
