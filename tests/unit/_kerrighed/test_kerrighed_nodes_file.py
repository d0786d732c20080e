# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""/etc/kerrighed_nodes: both grammars, and everything that a kernel would choke on."""

from __future__ import annotations

import re

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._kerrighed import nodes_file as nf
from hypothesis import given
from hypothesis import strategies as st

# From the old documents, and from the manual page of 2.x.
SEED = "session=1\nnbmin=3\nnode31:eth0\nnode32:eth0\nnode33:eth0\n"
MANUAL = "session=1\nnode1:0:eth0\nnode2:1:eth0\n"
THREE = tuple(nf.Node("node%d" % n, "eth0", n - 30) for n in (31, 32, 33))


def test_the_file_of_the_old_documents() -> None:
    file = nf.parse(SEED)
    assert file == nf.NodesFile(1, 3, tuple(nf.Node("node%d" % n) for n in (31, 32, 33)))
    assert (nf.render(file), nf.format_of(file)) == (SEED, "legacy2")


def test_the_file_of_the_manual() -> None:
    file = nf.parse(MANUAL)
    assert file.nodes == (nf.Node("node1", "eth0", 0), nf.Node("node2", "eth0", 1))
    assert (nf.render(file), nf.format_of(file)) == (MANUAL, "v3")
    nf.check(file)


def test_order_and_comments() -> None:
    text = "# ours\n\nnode33:3:eth1\nsession=12\nnode31:1:eth0\n"
    assert nf.render(nf.parse(text)) == "session=12\nnode31:1:eth0\nnode33:3:eth1\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (" session=1\n", 1, "cannot read ' session=1'"),
        ("session=1\n node31:eth0\n", 2, "bad host name ' node31'"),
        ("session=one\n", 1, "session is 'one'"),
        ("session=\n", 1, "session is ''"),
        ("nbmin= 3\n", 1, "nbmin is ' 3'"),
        ("session=1\nsession=2\n", 2, "session comes a second time"),
        ("nbmin=1\nnbmin=2\n", 2, "nbmin comes a second time"),
        ("node31\n", 1, "cannot read 'node31'"),
        ("a:1:eth0:x\n", 1, "cannot read"),
        ("node31:x:eth0\n", 1, "the id of node31 is 'x'"),
        ("node31:-1:eth0\n", 1, "the id of node31 is '-1'"),
        ("node31:256:eth0\n", 1, "is 256, not 0 to 255"),
        ("node31:1:\n", 1, "bad device ''"),
        ("node31:\n", 1, "bad device ''"),
        (":1:eth0\n", 1, "bad host name ''"),
        ("node31.example.org:1:eth0\n", 1, "bad host name"),
        ("timeout=3\n", 1, "cannot read 'timeout=3'"),
        ("session=1\r\n", 1, "session is"),
    ],
)
def test_bad_lines(text: str, line: int, what: str) -> None:
    with pytest.raises(ClusterError, match="^/x line %d: .*%s" % (line, re.escape(what))):
        nf.parse(text, "/x")


@pytest.mark.parametrize(
    ("text", "what"), [("a:1:eth0\na:2:eth0\n", "node a comes twice"), ("a:1:eth0\nb:1:eth0\n", "same id 1")]
)
def test_twins(text: str, what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        nf.parse(text)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (nf.NodesFile(None, None, THREE), "no session"),
        (nf.NodesFile(0, None, THREE), "session is 0"),
        (nf.NodesFile(10000, None, THREE), "session is 10000"),
        (nf.NodesFile(1, 4, THREE), "nbmin is 4, but there are 3 nodes"),
        (nf.NodesFile(1, 0, THREE), "nbmin is 0"),
        (nf.NodesFile(1, None, ()), "no nodes"),
        (nf.NodesFile(1, None, (nf.Node("a", "eth0", 128),)), "is 128, not 0 to 127.*max_id=255"),
        (nf.NodesFile(1, None, (nf.Node("a", "eth0", 256),)), "is 256, not 0 to 127.*renumber"),
        (nf.NodesFile(1, None, (*THREE, nf.Node("node34"))), "node34 has no id, other nodes have one"),
        (nf.NodesFile(1, None, (nf.Node("node31"),)), "every node becomes node 0.*node_id= on each"),
        (nf.NodesFile(1, None, (nf.Node("a b", "eth0", 1),)), "bad host name"),
        (nf.NodesFile(1, None, (nf.Node("a", "eth 0", 1),)), "bad device"),
    ],
)
def test_what_a_kernel_chokes_on(file: nf.NodesFile, what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        nf.check(file)


def test_ids_may_be_told_and_larger() -> None:
    nf.check(nf.NodesFile(9999, 1, (nf.Node("a", "eth0", 255),)), max_id=255)
    nf.check(nf.NodesFile(1, 1, (nf.Node("a"),)), cmdline_ids=True)


def many(count: int, name: str = "n%d") -> nf.NodesFile:
    return nf.NodesFile(1, None, tuple(nf.Node(name % n, "eth0", n) for n in range(count)))


def test_4096_bytes() -> None:
    """The kernel's buffer: 4095 bytes fit, 4096 do not."""
    most = 250
    size = len(nf.render(many(most)))
    pad = "p" * 50
    nodes = list(many(most).nodes)
    at = 0
    while size + 50 <= nf.LIMIT - 1:
        nodes[at] = nf.Node(nodes[at].name + pad, "eth0", at)
        size, at = size + 50, at + 1
    nodes[at] = nf.Node(nodes[at].name + "p" * (nf.LIMIT - 1 - size), "eth0", at)
    fits = nf.NodesFile(1, None, tuple(nodes))
    assert len(nf.render(fits)) == 4095
    nf.check(fits, max_id=255)
    over = nf.NodesFile(10, None, tuple(nodes))
    with pytest.raises(ClusterError, match="250 nodes make 4096 bytes, the kernel reads less than 4096"):
        nf.check(over, max_id=255)


def test_merge_and_without() -> None:
    now = nf.NodesFile(1, 2, THREE)
    wanted = nf.NodesFile(None, None, (nf.Node("node31", "eth1", 1), nf.Node("node40", "eth0", 10)))
    merged = nf.merge(now, wanted)
    assert (merged.session, merged.nbmin) == (1, 2)
    assert [node.line for node in merged.nodes] == [
        "node31:1:eth1",
        "node32:2:eth0",
        "node33:3:eth0",
        "node40:10:eth0",
    ]
    assert nf.merge(now, nf.NodesFile(5, 3)) == nf.NodesFile(5, 3, THREE)
    assert nf.without(now, ["node32", "node99"]).nodes == (THREE[0], THREE[2])


@pytest.mark.parametrize(
    ("nodes", "wanted", "lines"),
    [
        (THREE[:1], "auto", ["node31:1:eth0"]),
        (THREE[:1], "v3", ["node31:1:eth0"]),
        (THREE[:1], "legacy2", ["node31:eth0"]),
        ((THREE[0], nf.Node("b")), "auto", ["node31:eth0", "b:eth0"]),
    ],
)
def test_formats(nodes: tuple[nf.Node, ...], wanted: str, lines: list[str]) -> None:
    assert [node.line for node in nf.in_format(nodes, wanted)] == lines


def test_v3_needs_ids() -> None:
    with pytest.raises(ClusterError, match="node b has no id"):
        nf.in_format((nf.Node("b"),), "v3")


def test_boot_args() -> None:
    file = nf.NodesFile(1, 2, nf.in_format(THREE, "legacy2"))
    assert nf.boot_args(file, {"node31": 1, "node32": 2}) == {
        "node31": ["session_id=1", "node_id=1", "nb_nodes_min=2"],
        "node32": ["session_id=1", "node_id=2", "nb_nodes_min=2"],
        "node33": ["session_id=1", "nb_nodes_min=2"],
    }
    assert nf.boot_args(nf.NodesFile(None, None, THREE[:1]), {}) == {"node31": ["node_id=1"]}


names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@st.composite
def files(draw: st.DrawFn) -> nf.NodesFile:
    """Files that a kernel can read, nodes in the order of rendering."""
    known = draw(st.lists(names, min_size=1, max_size=20, unique=True))
    short = draw(st.booleans())
    ids = draw(st.lists(st.integers(0, 127), min_size=len(known), max_size=len(known), unique=True))
    nodes = [nf.Node(name, "eth%d" % (n % 3), None if short else n) for name, n in zip(known, sorted(ids))]
    if short:
        nodes.sort(key=lambda node: node.name)
    return nf.NodesFile(draw(st.integers(1, 9999)), draw(st.none() | st.integers(1, len(known))), tuple(nodes))


@given(files())
def test_round_trip(file: nf.NodesFile) -> None:
    nf.check(file, cmdline_ids=True)
    text = nf.render(file)
    assert nf.parse(text) == file
    assert nf.merge(file, file) == file


@given(files())
def test_the_kernel_would_read_the_same(file: nf.NodesFile) -> None:
    """krginit.c: first session, last nbmin, own line by exact start, id by strtoul behind the colon."""
    lines = nf.render(file).splitlines()
    assert int(next(line for line in lines if line.startswith("session="))[8:]) == file.session
    assert [int(line[6:]) for line in lines if line.startswith("nbmin=")][-1:] == ([file.nbmin] if file.nbmin else [])
    for node in file.nodes:
        own = next(line for line in lines if line.startswith(node.name + ":"))[len(node.name) + 1 :]
        digits = re.match(r"\d*", own)
        assert digits and int(digits.group() or 0) == (node.id or 0)


@given(st.text(alphabet="session=nbmi:01 #\n\r-.é", max_size=80))
def test_parse_is_total(text: str) -> None:
    try:
        nf.render(nf.parse(text))
    except ClusterError as error:
        assert "line" in error.message or "twice" in error.message or "same id" in error.message
