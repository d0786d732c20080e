# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host lists: what ClusterShell and Slurm read, and what neither does."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter import hostlist_expand, hostlist_fold
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hostlist
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("names", "want"),
    [
        ([], ""),
        (["head"], "head"),
        (["node31"], "node31"),
        (["node33", "node31", "node32"], "node[31-33]"),
        (["node31", "node31"], "node31"),
        (["node31", "node33"], "node[31,33]"),
        (["node9", "node10", "node11"], "node[9-11]"),
        (["node09", "node10"], "node[09-10]"),
        (["n008", "n009", "n010", "n9"], "n[008-009,9,010]"),
        (["n1", "n01"], "n[01,1]"),
        (["r1n1", "r1n2", "r2n1"], "r1n[1-2],r2n1"),
        (["head", "node1", "node2"], "head,node[1-2]"),
        (["node1-ib", "node2-ib"], "node1-ib,node2-ib"),
        (["7", "8"], "[7-8]"),
        (["10.0.1.31", "10.0.1.32"], "10.0.1.[31-32]"),
    ],
)
def test_fold(names: list[str], want: str) -> None:
    assert hostlist.fold(names) == want
    assert set(hostlist.expand(want) if want else []) == set(names)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("node31", ["node31"]),
        (" node[31-33] ", ["node31", "node32", "node33"]),
        ("node[3,1-2]", ["node3", "node1", "node2"]),
        ("node[08-11]", ["node08", "node09", "node10", "node11"]),
        ("n[099-101]", ["n099", "n100", "n101"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("node[1-2]-ib.x", ["node1-ib.x", "node2-ib.x"]),
        ("a, b,a", ["a", "b"]),
        ("node[1, 3]", ["node1", "node3"]),
    ],
)
def test_expand(text: str, want: list[str]) -> None:
    assert hostlist.expand(text) == want
    assert hostlist_expand.FilterModule().filters()["hostlist_expand"](text) == want


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the host list is ''"),
        ("  ", "the host list is '  '"),
        ("node[31-", "'node[31-': a bracket is not closed"),
        ("node31]", "'node31]': brackets do not match at character 7"),
        ("node[[1]]", "brackets do not match at character 6"),
        ("node[]", "'node[]': '' is no range"),
        ("node[1,]", "'' is no range"),
        ("node[3-1]", "'node[3-1]': the range '3-1' runs backwards"),
        ("node[a-b]", "'a-b' is no range"),
        ("node[1-2-3]", "'1-2-3' is no range"),
        ("a,,b", "'a,,b': an element is empty"),
        ("a,", "an element is empty"),
        ("no de", "'no de': 'no de' is no part of a host name"),
        ("a;b", "'a;b' is no part of a host name"),
        ("node[1-999999]", "'1-999999' is more than 100000 hosts"),
        ("n[1-1000]x[1-1000]", "is more than 100000 hosts"),
        ("n[1-60000],m[1-60000]", "is more than 100000 hosts"),
    ],
)
def test_expand_refuses(text: str, what: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(what)):
        hostlist.expand(text)
    with pytest.raises(AnsibleFilterError, match=re.escape(what)):
        hostlist_expand.hostlist_expand(text)


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a[1]", "é1"])
def test_fold_refuses(name: str) -> None:
    with pytest.raises(ClusterError, match="bad host name"):
        hostlist.fold(["node1", name])
    with pytest.raises(AnsibleFilterError, match="bad host name"):
        hostlist_fold.hostlist_fold([name])


def test_the_filters_take_what_they_should() -> None:
    assert hostlist_fold.FilterModule().filters()["hostlist_fold"](iter(["n1", "n2"])) == "n[1-2]"
    for bad in ("node1", 3):
        with pytest.raises(AnsibleFilterError, match="takes a list"):
            hostlist_fold.hostlist_fold(bad)  # type: ignore[arg-type]
    with pytest.raises(AnsibleFilterError, match="the host list is 3"):
        hostlist_expand.hostlist_expand(3)  # type: ignore[arg-type]


def test_fold_in_order_keeps_the_order() -> None:
    names = ["n3", "n1", "n2", "m1", "n4"]
    assert hostlist.fold_in_order(names) == ["n[3,1-2]", "m1", "n4"]
    assert hostlist.fold_in_order(["a", "a", "1", "b2"]) == ["a", "a", "1", "b2"]


def test_large_lists_are_small() -> None:
    assert hostlist.fold("node%d" % n for n in range(1, 10001)) == "node[1-10000]"


names = st.lists(st.from_regex(r"[a-z]{1,3}(-[0-9]{1,2}x)?[0-9]{0,3}", fullmatch=True), max_size=40)


@given(names)
def test_round_trip(some: list[str]) -> None:
    folded = hostlist.fold(some)
    back = hostlist.expand(folded) if folded else []
    assert sorted(back) == sorted(set(some))
    assert hostlist.fold(back) == folded
    assert hostlist.fold(reversed(some)) == folded


@given(names)
def test_round_trip_in_order(some: list[str]) -> None:
    unique = list(dict.fromkeys(some))
    folded = ",".join(hostlist.fold_in_order(unique))
    assert (hostlist.expand(folded) if folded else []) == unique


@given(st.text(alphabet="an019[],- ", max_size=16))
def test_expand_is_total(text: str) -> None:
    try:
        assert hostlist.expand(text)
    except ClusterError as error:
        assert error.hint
