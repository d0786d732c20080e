# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on a dom0, from recorded output of a real xl."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import live
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.record import LIST_FIELDS
from ansible_collections.xtreemos.cluster.plugins.modules import xen_domain_info
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden" / "xl"
HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
OPTIONS = {"gather": ["list"], "search_paths": [], "vmstate": ["ALL"], "address": None, "match": "unique"}


def recorded(name: str) -> Completed:
    text = (GOLDEN / ("%s.txt" % name)).read_text()
    match = re.fullmatch(r"\$ ([^\n]*)\n(.*)--- stderr\n(.*)--- rc=(\d+) secs=\S+\n", text, re.DOTALL)
    assert match is not None, name
    return Completed(tuple(match.group(1).split()), int(match.group(4)), match.group(2), match.group(3))


class Dom0:
    """Answers from a list for each command; notes what was asked."""

    def __init__(self, **answers: list[Completed]) -> None:
        self.asked: list[list[str]] = []
        self.by_word = answers

    def run(self, argv: t.Sequence[str], check: bool = True) -> Completed:
        assert not check
        self.asked.append(list(argv))
        answers = self.by_word["long" if argv[-1] == "-l" else argv[1]]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def rack(**answers: list[Completed]) -> tuple[Dom0, Host]:
    dom0 = Dom0(**answers)
    return dom0, t.cast("Host", dom0)


def done(text: str = "", rc: int = 0, stderr: str = "") -> Completed:
    return Completed(("xl",), rc, text, stderr)


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("xl-list", {"Domain-0": "running"}),
        ("xl-list-1guest", {"Domain-0": "running", "pv1": "running"}),
        ("xl-list-paused", {"pv1": "paused"}),
        ("xl-list-last", {"Domain-0": "running", "pv2": "shutdown", "pv3": "running", "pvx": "running"}),
    ],
)
def test_rows_of_recorded_tables(name: str, states: dict[str, str]) -> None:
    rows = {row.name: live.word(row) for row in live.parse_table(recorded(name).stdout)}
    assert {key: rows[key] for key in states} == states


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ("r-----", "running"),
        ("-b----", "running"),
        ("------", "running"),
        ("--p---", "paused"),
        ("---s--", "shutdown"),
        ("---sr-", "shutdown"),
        ("---sc-", "crashed"),
        ("---s-d", "dying"),
        ("-----d", "dying"),
    ],
)
def test_a_state_in_one_word(flags: str, state: str) -> None:
    rows = live.parse_table(HEADER + "a b                  7   128     2     %s       3.7\n" % flags)
    assert rows == [live.Row("a b", 7, 128, 2, flags)]
    assert live.word(rows[0]) == state


@pytest.mark.parametrize("line", ["pv1", "pv1 x 1 1 r----- 1.0", "pv1 1 1 1 running 1.0", ""])
def test_a_line_that_is_no_guest(line: str) -> None:
    with pytest.raises(ClusterError, match="no guest"):
        live.parse_table(HEADER + line + "\n")


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", fullmatch=True),
            st.integers(0, 32767),
            st.integers(0, 10**7),
            st.integers(1, 512),
            st.sampled_from(["r-----", "-b----", "---sc-"]),
        )
    )
)
def test_tables_of_any_guests_are_read_back(rows: list[tuple[str, int, int, int, str]]) -> None:
    text = HEADER + "".join("%-40s %5d %5d %5d     %s %8.1f\n" % (*row, 1.5) for row in rows)
    assert live.parse_table(text) == [
        live.Row(name, domid, memory, vcpus, state) for name, domid, memory, vcpus, state in rows
    ]


@given(st.text())
def test_any_text_is_a_list_or_a_clear_error(text: str) -> None:
    for parse in (live.parse_table, live.parse_long):
        try:
            parse(text)
        except ClusterError as error:
            assert "xl list" in str(error)
    assert isinstance(live.parse_info(text), dict)


@pytest.mark.parametrize("text", ["{", '{"domid": 1}', "[1]", '[{"domid": 1}]', '[{"domid": 1, "config": 5}]', "5"])
def test_json_of_another_kind(text: str) -> None:
    with pytest.raises(ClusterError, match="no list of guests"):
        live.parse_long(text)


def test_records_have_every_field_and_what_xl_knows() -> None:
    table = HEADER + "Domain-0 0 768 1 r----- 72.2\npv1 1 128 1 -b---- 1.0\nother 9 64 1 -b---- 1.0\n"
    dom0, host = rack(list=[done(table)], long=[recorded("xl-list-l-all")])
    zero, one, other = live.live(host, "lab00")
    assert dom0.asked == [["xl", "list"], ["xl", "list", "-l"]]
    assert set(LIST_FIELDS) <= set(one)
    wanted = {
        "pm": "lab00", "type": "XEN", "label": "pv1", "pid": 1, "uuid": "f0b9fea0-62e0-44c4-b78b-6198b941a8be",
        "mac": "00:16:3e:00:00:01", "ifname": "eth0", "accelerator": "PARA", "state": "running", "vram": 128, "vcpu": 1,
        "id": "", "tcp": "",
    }  # fmt: skip
    assert {key: one[key] for key in wanted} == wanted
    assert one["interfaces"] == [{"mac": "00:16:3e:00:00:01", "tcp": "", "relay": "xenbr0", "ifname": "eth0"}]
    assert (zero["label"], zero["uuid"], zero["interfaces"]) == ("Domain-0", "", [])
    assert (other["label"], other["accelerator"], other["interfaces"]) == ("other", "", [])


@pytest.mark.parametrize("guests", [1, 100, 1000])
def test_two_calls_of_xl_for_any_number_of_guests(guests: int) -> None:
    table = HEADER + "".join("g%d %d 64 1 -b---- 1.0\n" % (number, number) for number in range(guests))
    items = [{"domid": n, "config": {"c_info": {"type": "pvh"}, "nics": [{"mac": "x"}]}} for n in range(guests)]
    dom0, host = rack(list=[done(table)], long=[done(json.dumps(items))])
    assert [one["accelerator"] for one in live.live(host, "")] == ["PVH"] * guests
    assert len(dom0.asked) == 2


def test_xl_that_aborts_is_asked_again() -> None:
    dom0, host = rack(list=[done(rc=-6), done(rc=134), done(HEADER)])
    assert live.ask(host, ["xl", "list"]).stdout == HEADER
    assert len(dom0.asked) == 3


@pytest.mark.parametrize(("rc", "times"), [(-6, 3), (1, 1)])
def test_xl_that_fails(rc: int, times: int) -> None:
    dom0, host = rack(list=[done(rc=rc, stderr="xencall: error: Could not obtain handle")])
    with pytest.raises(ClusterError, match="exit code %d: xencall: error: Could not.*dom0" % rc):
        live.ask(host, ["xl", "list"])
    assert len(dom0.asked) == times


def test_the_hypervisor_from_recorded_output() -> None:
    _dom0, host = rack(info=[recorded("xl-info")])
    found = live.hypervisor(host)
    wanted = {
        "host": "dom0", "xen_version": "4.17.7", "total_memory": 2047, "free_memory": 1256, "nr_cpus": 1,
        "cpu_mhz": "2596.141", "virt_caps": ["pv", "hvm", "hap", "gnttab-v1", "gnttab-v2"], "xen_changeset": "",
        "platform_params": "virt_start=0xffff800000000000",
    }  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    assert len(found["xen_caps"]) == 4


def test_a_hypervisor_without_a_version() -> None:
    _dom0, host = rack(info=[done("nr_cpus : 1\n")])
    with pytest.raises(ClusterError, match="no version of Xen"):
        live.hypervisor(host)


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, {"changed", "live"}),
        ({"gather": ["list", "host"]}, {"changed", "live", "host"}),
        ({"gather": []}, {"changed"}),
    ],
)
def test_the_module_returns_what_was_asked_for(options: dict[str, t.Any], keys: set[str]) -> None:
    _dom0, host = rack(list=[recorded("xl-list")], long=[recorded("xl-list-l")], info=[recorded("xl-info")])
    assert set(xen_domain_info.work({**OPTIONS, **options}, host)) == keys


def test_the_module_finds_a_live_guest_by_its_address() -> None:
    table = HEADER + "Domain-0 0 768 1 r----- 72.2\npv1 1 128 1 -b---- 1.0\n"
    _dom0, host = rack(list=[done(table)], long=[recorded("xl-list-l-all")])
    found = xen_domain_info.work({**OPTIONS, "address": "m:00:16:3e:00:00:01"}, host)["live"]
    assert [one["label"] for one in found] == ["pv1"]
