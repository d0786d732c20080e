# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The block in /etc/hosts, and everything around it."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import hosts
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster.members import Member
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st

MEMBERS = (Member("head", "10.0.1.1"), Member("node31.example.org", "10.0.1.31"))
BLOCK = "%s\n10.0.1.1 head\n10.0.1.31 node31.example.org node31\n%s\n" % (hosts.BEGIN, hosts.END)
OLD = "%s\n10.0.1.9 gone\n%s\n" % (hosts.BEGIN, hosts.END)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", BLOCK),
        ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n" + BLOCK),
        ("127.0.0.1 localhost", "127.0.0.1 localhost\n" + BLOCK),
        ("# a\n" + OLD + "::1 x\n", "# a\n" + BLOCK + "::1 x\n"),
        (OLD.rstrip("\n"), BLOCK),
        # Debian's installer and its like.
        ("127.0.0.1 localhost\n127.0.1.1 head\n", "127.0.0.1 localhost\n" + BLOCK),
        ("127.0.1.1 head.example.org head\n", "127.0.1.1 head.example.org\n" + BLOCK),
        ("127.0.1.1\tHEAD other # me\n", "127.0.1.1 other\n" + BLOCK),
        ("127.0.1.1 other\n", "127.0.1.1 other\n" + BLOCK),
        (OLD + "127.0.1.1 head\n", BLOCK),
        # The same address twice does no harm; a comment is none of our business.
        ("10.0.1.1 head gw\n", "10.0.1.1 head gw\n" + BLOCK),
        ("# 10.9.9.9 head\n", "# 10.9.9.9 head\n" + BLOCK),
    ],
)
def test_merge(text: str, want: str) -> None:
    assert hosts.merge(text, MEMBERS) == want
    assert hosts.merge(want, MEMBERS) == want


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10.9.9.9 head\n", "/etc/hosts line 1 gives head the address 10.9.9.9, the node list says 10.0.1.1"),
        (OLD + "# x\n10.9.9.9 node31\n", "line 5 gives node31 the address 10.9.9.9, the node list says 10.0.1.31"),
        ("::1 head\n", "gives head the address ::1"),
        (hosts.BEGIN + "\n", "line 1: the marks of the block do not match"),
        ("\n" + hosts.END + "\n" + hosts.BEGIN + "\n", "line 2: the marks"),
        (OLD + OLD, "line 1: the marks"),
    ],
)
def test_refused(text: str, what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        hosts.merge(text, MEMBERS)


lines = st.lists(st.text(alphabet="abc #.1", max_size=12), max_size=6)


@given(lines, lines)
def test_the_rest_stays(before: list[str], after: list[str]) -> None:
    head, tail = ("".join(line + "\n" for line in part) for part in (before, after))
    merged = hosts.merge(head + OLD + tail, MEMBERS)
    assert merged == head + BLOCK + tail
    assert hosts.merge(merged, MEMBERS[:1]) == head + hosts.render_block(MEMBERS[:1]) + tail
