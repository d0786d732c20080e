# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The munge key: once, whole, and never shown."""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import munge
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from hypothesis import given
from hypothesis import strategies as st

KEY = bytes(range(64))
OTHER = bytes(range(100, 200))
OURS = {"stat": (0, "munge munge 400\n", "")}


def disk(key: bytes | None, script: t.Any = None) -> MemoryHost:
    return MemoryHost({} if key is None else {munge.PATH: key}, OURS if script is None else script)


def never(count: int) -> bytes:
    raise AssertionError("a key was made")


@pytest.mark.parametrize(
    ("now", "wanted", "script", "changed", "after"),
    [
        (None, None, OURS, True, b"r" * 128),
        (None, KEY, OURS, True, KEY),
        (KEY, None, OURS, False, KEY),
        (KEY, KEY, OURS, False, KEY),
        (KEY, OTHER, OURS, True, OTHER),
        # A run that died between writing and chown, and the key of Debian's package.
        (KEY, KEY, {"stat": (0, "root root 400\n", "")}, True, KEY),
        (KEY, None, {"stat": (0, "munge munge 600\n", "")}, True, KEY),
    ],
)
def test_plan(now: bytes | None, wanted: bytes | None, script: t.Any, changed: bool, after: bytes) -> None:
    host = disk(now, script)
    plan = munge.plan(host, wanted, lambda count: b"r" * count)
    assert plan.changed is changed
    munge.apply(plan, host)
    assert host.files[munge.PATH] == after
    if changed:
        assert host.actions == [["chown", "munge:munge", munge.PATH], ["chmod", "0400", munge.PATH]]
    if plan.key is not None:
        assert host.modes[munge.PATH] == 0o400
    assert not munge.plan(disk(after), wanted, never).changed


@pytest.mark.parametrize("size", [0, 31, 1025])
def test_a_key_that_munge_would_refuse(size: int) -> None:
    with pytest.raises(ClusterError, match="has %d bytes" % size):
        munge.plan(disk(b"x" * size), None, never)
    assert munge.plan(disk(b"x" * size), KEY, never).key == KEY
    with pytest.raises(ClusterError, match="has %d bytes" % size):
        munge.decode(munge.encode(b"x" * size))


@pytest.mark.parametrize("text", ["s3cret!", "é", "YWJj\n"])
def test_what_is_no_base64_is_not_shown(text: str) -> None:
    with pytest.raises(ClusterError) as caught:
        munge.decode(text)
    assert text.strip() not in str(caught.value)


@given(st.binary(min_size=32, max_size=1024))
def test_round_trip_and_silence(key: bytes) -> None:
    assert munge.decode(munge.encode(key)) == key
    told = str(munge.plan(disk(None), key, never).diff())
    assert base64.b64encode(key).decode() not in told and repr(key) not in told
