# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controllers that come late, texts that are none, keys of every length."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import munge, ready
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from hypothesis import given
from hypothesis import strategies as st

SHOW = "scontrol --oneliner show node"


def waiting(answers: t.Sequence[tuple[int, str]], timeout: float = 10.0) -> tuple[ready.Wait, MemoryHost, list[float]]:
    """A wait on a controller that gives one answer after the other, the last one for ever; the naps it took."""
    left, naps = list(answers), [0.0]

    def answer(_argv: list[str]) -> tuple[int, str, str]:
        rc, text = left.pop(0) if len(left) > 1 else left[0]
        return rc, text, "connection refused" if rc else ""

    host = MemoryHost({}, {SHOW: answer})
    return ready.Wait(host, lambda: sum(naps), naps.append, timeout), host, naps


def row(state: str) -> str:
    return "NodeName=node31 State=%s\n" % state


def test_a_controller_that_comes_late() -> None:
    wait, _host, naps = waiting([(1, ""), (1, ""), (0, row("UNKNOWN")), (0, row("IDLE"))])
    states, resumed = wait.until_usable(["node31"])
    assert (states["node31"].base, resumed, sum(naps)) == ("IDLE", [], 3.0)


def test_a_controller_that_never_comes_ends_at_the_deadline() -> None:
    wait, _host, naps = waiting([(1, "")], timeout=5)
    with pytest.raises(ClusterError, match="does not answer: connection refused"):
        wait.until_usable(["node31"])
    assert sum(naps) == 5.0


def test_a_node_that_goes_down_again_is_resumed_once() -> None:
    wait, host, naps = waiting([(0, row("DOWN"))], timeout=4)
    states, resumed = wait.until_usable(["node31"])
    assert host.actions == [["scontrol", "update", "nodename=node31", "state=resume"]]
    assert (states["node31"].usable, resumed, sum(naps)) == (False, ["node31"], 4.0)


def test_nothing_is_resumed_when_not_asked() -> None:
    wait, host, _naps = waiting([(0, row("DOWN"))], timeout=0)
    wait.resume = False
    assert wait.until_usable(["node31"])[1] == [] and host.actions == []


def test_a_name_that_the_controller_does_not_know_is_told_at_once() -> None:
    wait, _host, naps = waiting([(0, row("IDLE"))])
    with pytest.raises(ClusterError, match="does not know node32"):
        wait.until_usable(["node31", "node32"])
    assert sum(naps) == 0


@given(st.text(max_size=200))
def test_any_text_is_states_or_one_error(text: str) -> None:
    try:
        states = ready.parse_nodes(text)
    except ClusterError as error:
        assert "line " in str(error)
    else:
        assert all(name == state.name and state.base for name, state in states.items())


@given(st.binary(min_size=0, max_size=1100))
def test_keys_of_every_length(key: bytes) -> None:
    if 32 <= len(key) <= 1024:
        assert munge.decode(munge.encode(key)) == key
    else:
        with pytest.raises(ClusterError, match="%d bytes" % len(key)) as caught:
            munge.decode(munge.encode(key))
        assert not key or munge.encode(key) not in str(caught.value)


@pytest.mark.parametrize("text", ["?", "a", "a b=", "\u00e9\u00e9\u00e9\u00e9", "YQ==YQ=="])
def test_what_is_not_base64_is_not_shown(text: str) -> None:
    with pytest.raises(ClusterError) as caught:
        munge.decode(text * 3)
    assert text * 3 not in str(caught.value)


def test_a_diff_never_shows_the_key() -> None:
    old, new = b"o" * 64, b"n" * 64
    plan = munge.plan(MemoryHost({munge.PATH: old}), new, bytes)
    assert plan.changed and "another key" in str(plan.diff())
    assert "nnn" not in str(plan.diff()) and "ooo" not in str(plan.diff())
