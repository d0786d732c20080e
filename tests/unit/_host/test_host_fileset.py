# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.fileset import (
    apply_files,
    diff_files,
    plan_files,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, MemoryHost
from hypothesis import given
from hypothesis import strategies as st

CONTENT = st.dictionaries(st.sampled_from([*"abcdef"]), st.binary(max_size=5))


@pytest.mark.parametrize(
    ("now", "wanted", "owned", "writes", "removes"),
    [
        ({}, {}, [], [], []),
        ({}, {"a": b"1"}, [], ["a"], []),
        ({"a": b"1"}, {"a": b"1"}, [], [], []),
        ({"a": b"0"}, {"a": b"1"}, ["a"], ["a"], []),
        ({"a": b"1", "b": b"2"}, {"a": b"1"}, ["a", "b"], [], ["b"]),
        ({"a": b"1", "stranger": b"2"}, {"a": b"1"}, ["a"], [], []),
        ({"a": b""}, {"a": b""}, [], [], []),
    ],
)
def test_plan(
    now: dict[str, bytes], wanted: dict[str, bytes], owned: list[str], writes: list[str], removes: list[str]
) -> None:
    plan = plan_files(MemoryHost(now), {path: File(content) for path, content in wanted.items()}, owned)
    assert (sorted(plan.writes), list(plan.removes)) == (writes, removes)
    assert plan.changed == bool(writes or removes)


@given(CONTENT, CONTENT)
def test_a_second_run_changes_nothing_and_strangers_stay(now: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    host = MemoryHost({**now, "stranger": b"s"})
    files = {path: File(content) for path, content in wanted.items()}
    apply_files(plan_files(host, files, owned=now), host)
    assert host.files == {**wanted, "stranger": b"s"}
    assert not plan_files(host, files, owned=host.listdir("") or now.keys() & wanted.keys()).changed


def test_the_diff_is_sorted_and_bounded() -> None:
    plan = plan_files(MemoryHost({"z": b"old\n"}), {"b": File(b"new\n"), "a": File(b"n\n")}, owned=["z"])
    assert [entry["after_header"] for entry in diff_files(plan)] == ["a", "b", "z"]
    assert diff_files(plan)[2] == {"before_header": "z", "after_header": "z", "before": "old\n", "after": ""}
    assert [entry["after"] for entry in diff_files(plan, limit=1)] == ["n\n", "2 more files\n"]


def test_bytes_that_are_no_text_still_show() -> None:
    plan = plan_files(MemoryHost(), {"a": File(b"\xff")})
    assert diff_files(plan)[0]["after"] == "\ufffd"
