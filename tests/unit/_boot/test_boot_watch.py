# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Following logs that grow, waiting for nodes, and the module around both."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.logs import Event
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import parse_nodes
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.sources import (
    DEFAULT_LOGS,
    FileTail,
    JournalTail,
    Log,
    Sources,
    parse_logs,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.watch import (
    Wait,
    complaint,
    late,
    parse_since,
    watch,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost

PHONE = "/var/log/nginx/phone-home.log"
BOOT = "/var/log/nginx/boot.log"
NODES = parse_nodes(
    [
        {"name": "node%d" % n, "mac": "52:54:00:0a:01:%02x" % n, "ip": "10.0.1.%d" % n, "node_id": n - 30}
        for n in (31, 32)
    ]
)


def phone(when: float, stage: str, n: int = 31, message: str = "") -> str:
    query = "node=node%d&boot=b&image=abc&msg=%s" % (n, message)
    return '%.3f 10.0.1.%d "GET /phone-home/%s?%s HTTP/1.1" 204\n' % (when, n, stage, query)


def journal(when: float, text: str) -> str:
    return "%.6f head dhcpd[1]: %s\n" % (when, text)


def test_a_file_is_read_on_and_half_a_line_waits() -> None:
    host = MemoryHost({"/log": b"one\ntw"})
    tail = FileTail(host, "/log")
    assert list(tail.lines()) == ["one"]
    host.files["/log"] += b"o\nthree\n"
    assert list(tail.lines()) == ["two", "three"]
    assert list(tail.lines()) == []
    host.files["/log"] = b"new\n"  # rotated
    assert list(tail.lines()) == ["new"]


def test_a_file_in_many_blocks_and_with_endless_lines() -> None:
    host = MemoryHost({"/log": b"x" * (3 << 20) + b"\n" + b"short\n" * 300000})
    lines = list(FileTail(host, "/log").lines())
    assert len(lines) == 300001 and lines[-1] == "short" and len(lines[0]) < (2 << 20)


def test_a_file_that_is_not_there_is_a_trouble_until_it_comes() -> None:
    host = MemoryHost()
    tail = FileTail(host, "/log")
    assert list(tail.lines()) == [] and tail.trouble == "/log does not exist"
    host.files["/log"] = b"\xff\n"
    assert list(tail.lines()) == ["\ufffd"] and not tail.trouble


def test_a_folder_is_no_log(tmp_path: t.Any) -> None:
    with pytest.raises(ClusterError, match=r"cannot read .*: Is a directory"):
        list(FileTail(LocalHost(), str(tmp_path)).lines())


def test_the_journal_is_read_on_from_its_cursor() -> None:
    host = MemoryHost(script={"journalctl": (0, "a\nb\n-- cursor: s=1;i=2\n", "")})
    tail = JournalTail(host, Log("dhcp", identifier="dhcpd"), 1000.7)
    assert list(tail.lines()) == ["a", "b"]
    assert host.ran[0][-4:] == ["-t", "dhcpd", "--since", "@1000"]
    host.script["journalctl"] = (0, "-- cursor: s=1;i=3\n", "")
    assert list(tail.lines()) == []
    assert host.ran[1][-4:] == ["-t", "dhcpd", "--after-cursor", "s=1;i=2"]
    assert not host.actions


def test_the_journal_by_unit_and_its_trouble() -> None:
    host = MemoryHost(script={"journalctl": (1, "", "No journal files were found.\n")})
    tail = JournalTail(host, Log("dhcp", unit="kea"), 0)
    assert list(tail.lines()) == [] and host.ran[0][-2:] == ["-u", "kea"]
    assert tail.trouble == "journalctl gives no lines of kea (exit code 1) No journal files were found."
    host.script["journalctl"] = (1, "", "")
    assert list(tail.lines()) == [] and not tail.trouble


def test_a_machine_without_a_journal() -> None:
    host = MemoryHost()
    host.which = lambda program: None  # type: ignore[method-assign, assignment]
    tail = JournalTail(host, Log("dhcp", unit="kea"), 0)
    assert list(tail.lines()) == [] and tail.trouble == "no journalctl here for the lines of kea"


def test_logs_are_merged_in_the_order_of_time_and_the_future_is_held_back() -> None:
    host = MemoryHost(
        {"/d": (journal(2, "") + journal(1000000002, "DHCPDISCOVER from 52:54:00:0a:01:1f via x")).encode()}
    )
    host.files[PHONE] = (phone(1000000001, "dhcp") + phone(1000000009, "up")).encode()
    sources = Sources(host, [Log("dhcp", path="/d"), Log("phone", path=PHONE)])

    def whats(until: float) -> list[str]:
        return [event.what for event in sources.events(0.0, until)]

    assert whats(1000000005) == ["dhcp", "discover"]
    assert whats(1000000005) == []
    assert whats(float("inf")) == ["up"]
    assert sources.troubles == []


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"kind": "dhcp"}, "exactly one of path, unit, identifier"),
        ({"kind": "dhcp", "path": "/x", "unit": "y"}, "exactly one of"),
        ({"kind": "smtp", "path": "/x"}, "unknown kind of log 'smtp'"),
        ({}, "unknown kind of log"),
    ],
)
def test_a_log_without_a_place(item: dict[str, str], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        parse_logs([item])


def test_logs_from_mappings() -> None:
    assert parse_logs([{"kind": "http", "path": "/x", "unit": None}]) == (Log("http", path="/x"),)
    assert {log.kind for log in DEFAULT_LOGS} == {"dhcp", "tftp", "http", "phone"}


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (None, (0.0, {})),
        ("", (0.0, {})),
        ({}, (0.0, {})),
        (12, (12.0, {})),
        ("1795253524.5", (1795253524.5, {})),
        ({"a": 5}, (0.0, {"a": 5.0})),
        ({"a": 5, "b": "3.5"}, (3.5, {"a": 5.0, "b": 3.5})),
    ],
)
def test_since(value: t.Any, want: t.Any) -> None:
    assert parse_since(value, ["a", "b"]) == want


@pytest.mark.parametrize("value", ["now", -1, True, [1], "nan", "inf", {"a": "x"}, {"c": 1}, 1e12])
def test_since_that_is_no_moment(value: t.Any) -> None:
    with pytest.raises(ClusterError, match="since"):
        parse_since(value, ["a", "b"])


class World:
    """A clock that moves when somebody sleeps, and lines that appear when their time has come."""

    def __init__(self, lines: t.Mapping[float, str]) -> None:
        self.now = 1000000000.0
        self.host = MemoryHost({PHONE: b"", BOOT: b""})
        self.lines = dict(lines)
        self.slept: list[float] = []
        self.sleep(0)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        for when in sorted(self.lines):
            if 1000000000 + when <= self.now:
                self.host.files[PHONE] += self.lines.pop(when).encode()


def lines(*steps: tuple[float, str, int]) -> dict[float, str]:
    return {when: phone(1000000000 + when, stage, n) for when, stage, n in steps}


def run(world: World, wait: Wait, since: t.Any = (0.0, {})) -> dict[str, t.Any]:
    sources = Sources(world.host, [Log("http", path=BOOT), Log("phone", path=PHONE)])
    return watch(NODES, sources, wait, since, world.clock, world.sleep)[0]


def test_waiting_ends_when_the_last_node_is_up() -> None:
    world = World(lines((3, "up", 31), (7.5, "up", 32)))
    rows = run(world, Wait("up", 60, 2))
    assert [row["up"] for row in rows.values()] == [True, True] and late(rows, "up") == []
    assert world.slept == [0, 2, 2, 2, 2]


def test_waiting_ends_at_the_deadline_and_names_who_is_late() -> None:
    world = World(lines((3, "up", 31), (4, "dhcp", 32), (90, "up", 32)))
    wait = Wait("up", 9, 4)
    rows = run(world, wait)
    assert world.slept == [0, 4, 4, 1] and late(rows, "up") == ["node32"]
    said = complaint(rows, wait)
    assert said.startswith("1 of 2 nodes did not reach up within 9 s: node32: no fetch: stage1 has an address but no")
    assert late(rows, "dhcp") == []


def test_one_look_without_waiting_and_a_stage_on_the_way() -> None:
    assert World({}).slept == [0]
    world = World(lines((0, "fetch", 31), (0, "dhcp", 32)))
    assert late(run(world, Wait()), "up") == ["node31", "node32"] and world.slept == [0]
    world = World(lines((0, "fetch", 31), (5, "dhcp", 32)))
    assert late(run(world, Wait("dhcp", 60, 1)), "dhcp") == []
    assert len(world.slept) == 6


def test_lines_before_the_moment_do_not_count() -> None:
    world = World(lines((-50, "up", 31), (-50.5, "up", 32)))
    world.sleep(0)
    assert late(run(world, Wait(), (999999990.0, {})), "up") == ["node31", "node32"]
    world = World(lines((-50, "up", 31), (-50.5, "up", 32)))
    rows = run(world, Wait(), (0.0, {"node31": 999999990.0}))
    assert late(rows, "up") == ["node31"]


def test_a_long_complaint_is_cut() -> None:
    rows = {"n%03d" % n: {"up": False, "line": "n%03d: no lease" % n, "reached": ""} for n in range(100)}
    said = complaint(rows, Wait("up", 5), shown=2)
    assert said == "100 of 100 nodes did not reach up within 5 s: n000: no lease; n001: no lease; and 98 more"


def test_events_have_no_shared_state() -> None:
    assert Event(1, "dhcp", "ack").info == {} and json.dumps(Event(1, "dhcp", "ack"))
