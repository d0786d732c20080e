# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as tables, machine records and JSON, and the filters over them."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter.xen_address import FilterModule as Addresses
from ansible_collections.xtreemos.cluster.plugins.filter.xen_table import FilterModule as Tables
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import record as rec
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import table
from hypothesis import given
from hypothesis import strategies as st

RECORDS: list[dict[str, t.Any]] = [
    {"pm": "lab00.soho", "type": "XEN", "label": "Domain-0", "pid": 0, "cstype": "S"},
    {
        "pm": "lab00.soho",
        "type": "XEN",
        "label": "tst100",
        "cport": 5900,
        "mac": "00:50:56:13:11:40",
        "pid": 12,
        "interfaces": [{"mac": "00:50:56:13:11:40", "tcp": ""}],
        "cstype": "S",
    },
    {
        "pm": "lab00.soho",
        "type": "XEN",
        "label": "tst101",
        "cport": 5902,
        "mac": "00:50:56:13:11:41",
        "pid": 9,
        "tcp": "192.168.1.9",
        "id": "/etc/xen/tst101.cfg",
        "cstype": "S",
        "interfaces": [
            {"mac": "00:50:56:13:11:41", "tcp": "192.168.1.9", "ifname": "eth0"},
            {"mac": "00:50:56:13:11:42", "tcp": "192.168.1.10", "ifname": "eth1"},
        ],
    },
]
CPORT = """\
Label    | stype | cport | PM         | MAC                | TCP
---------+-------+-------+------------+--------------------+----------------
Domain-0 | XEN   |       | lab00.soho |                    |
tst100   | XEN   | 5900  | lab00.soho | 00:50:56:13:11:40  |
tst101   | XEN   | 5902  | lab00.soho | 00:50:56:13:11:41  | 192.168.1.9"""


def test_the_table_of_the_ports_is_built_in() -> None:
    assert table.render(RECORDS, "TAB_CPORT") == CPORT
    assert table.render(RECORDS, "tab_cport", kind="enumerate") == CPORT


def test_the_default_table_has_the_widths_of_ctys() -> None:
    lines = table.render(RECORDS).splitlines()
    assert [len(part) - (2 if 0 < n < 6 else 1) for n, part in enumerate(lines[1].split("+"))] == [
        17, 17, 20, 8, 1, 10, 10]  # fmt: skip
    assert lines[4].split(" | ")[:3] == ["lab00.soho".ljust(17), "192.168.1.9".ljust(17), "tst101".ljust(20)]


def test_field_numbers_are_those_of_ctys() -> None:
    wanted = {"list": {1: "pm", 9: "cport", 11: "pid", 14: "cstype", 22: "arch"}}
    wanted["enumerate"] = {4: "id", 11: "vncbase", 19: "vmstate", 30: "accelerator", 35: "netmask", 47: "console"}
    for kind, numbers in wanted.items():
        assert {number: rec.FIELDS[kind][number - 1] for number in numbers} == numbers
    assert [len(fields) for fields in (rec.LIST_FIELDS, rec.ENUMERATE_FIELDS)] == [22, 47]


@pytest.mark.parametrize(
    ("fields", "kind", "wanted"),
    [
        (["label", "CPORT"], "list", [("label", "label", 0, "R"), ("cport", "cport", 0, "R")]),
        ("label, uuid", "list", [("label", "label", 0, "R"), ("uuid", "uuid", 0, "R")]),
        ("tab_gen:3_Label_5%%4_ID_10_L", "list", [("label", "Label", 5, "R"), ("id", "ID", 10, "L")]),
        ("TAB_GEN:19_state_9_b", "enumerate", [("vmstate", "state", 9, "B")]),
        ("TAB_GEN:19_path_9", "list", [("execpath", "path", 9, "R")]),
    ],
)
def test_columns_are_named_in_three_ways(fields: t.Any, kind: str, wanted: list[tuple[str, str, int, str]]) -> None:
    assert [(c.field, c.title, c.width, c.fit) for c in table.columns(fields, kind)] == wanted


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"fields": "colour"}, "no field 'colour'"),
        ({"fields": []}, "no column"),
        ({"fields": "TAB_NONE"}, "no table TAB_NONE"),
        ({"fields": "tab_gen:0_a_1"}, "no column"),
        ({"fields": "tab_gen:23_a_1"}, "numbers 1 to 22"),
        ({"fields": "tab_gen:3_a_x"}, "no column"),
        ({"fields": "tab_gen:"}, "no column"),
        ({"form": "xml"}, "'xml' is no form"),
        ({"kind": "show", "fields": "label"}, "no kind"),
        ({"sort": ["size"]}, "no field 'size'"),
    ],
)
def test_wrong_tables_are_told(how: dict[str, t.Any], what: str) -> None:
    with pytest.raises(ClusterError, match=what) as caught:
        table.render(RECORDS, **how)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("fit", "wanted"),
    [("", ["/etc"]), ("_L", [".cfg"]), ("_B", ["/etc", "/xen", "/tst", "101.", "cfg"])],
)
def test_long_words_are_cut_or_broken(fit: str, wanted: list[str]) -> None:
    assert table.render(RECORDS[2:], "tab_gen:4_ID_4" + fit, title=False).splitlines() == wanted


@pytest.mark.parametrize(
    ("field", "values", "wanted"),
    [
        ("pid", [10, 9, None, 100], [9, 10, 100, None]),
        ("tcp", ["10.0.0.10", "10.0.0.9", "", "fe80::1"], ["10.0.0.9", "10.0.0.10", "fe80::1", ""]),
        ("label", ["b", "a2", "\u00b2", "10"], ["10", "a2", "b", "\u00b2"]),
    ],
)
def test_sorting_is_by_value(field: str, values: list[t.Any], wanted: list[t.Any]) -> None:
    rows = [{field: value} for value in values]
    assert [row[field] for row in table.arrange(rows, [field])] == wanted
    assert [row[field] for row in table.arrange(rows, [field], reverse=True)] == wanted[::-1]
    assert [row[field] for row in table.arrange(rows)] == values


def test_each_interface_can_have_its_line() -> None:
    shown = table.render(RECORDS, ["label", "mac", "tcp", "ifname"], "machine", title=False, interfaces=True)
    assert shown.splitlines() == [
        "Domain-0;;;",
        "tst100;00:50:56:13:11:40;;",
        "tst101;00:50:56:13:11:41;192.168.1.9;eth0",
        "tst101;00:50:56:13:11:42;192.168.1.10;eth1",
    ]


def test_same_lines_are_shown_once() -> None:
    assert table.render(RECORDS, "pm,type", "machine", unique=True) == "pm;type\nlab00.soho;XEN"
    assert json.loads(table.render(RECORDS, "pm", "json", unique=True)) == [{"pm": "lab00.soho"}]


def test_json_keeps_types() -> None:
    assert json.loads(table.render(RECORDS, "label,cport", "json"))[1] == {"label": "tst100", "cport": 5900}


@pytest.mark.parametrize(
    ("text", "what"),
    [("lab00;XEN;tst100", "no title line"), ("pm;type\na;b;c", "line 2 has 3 fields, the title 2")],
)
def test_machine_records_need_their_title(text: str, what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        table.parse_machine(text)


TEXTS = st.dictionaries(st.sampled_from(["pm", "label", "id"]), st.text(min_size=1, max_size=9), min_size=3)


@given(st.lists(TEXTS, max_size=4))
def test_machine_records_come_back_whole(rows: list[dict[str, str]]) -> None:
    assert table.parse_machine(table.render(rows, ["pm", "label", "id"], "machine")) == rows


@given(st.lists(st.fixed_dictionaries({"label": st.text(max_size=9)}), max_size=4), st.sampled_from("RLB"))
def test_a_table_has_a_line_for_each_record(rows: list[dict[str, str]], fit: str) -> None:
    spec = "tab_gen:3_x_9" + ("" if fit == "R" else "_" + fit)
    assert table.render(rows, spec, title=False).count("\n") == max(0, len(rows) - 1)


@given(st.text(max_size=40))
def test_any_columns_are_taken_or_refused(text: str) -> None:
    for prefix in ("", "TAB_", "tab_gen:"):
        try:
            assert table.columns(prefix + text)
        except ClusterError as error:
            assert error.hint


# The filters.
find = Addresses().filters()["xen_address"]
show = Tables().filters()["xen_table"]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("l:tst100,m:00-50-56-13-11-40", {"label": "tst100", "mac": "00:50:56:13:11:40"}),
        ("f:a.conf,b:/x%/y", {"filename": "a.conf", "search_paths": ["/x", "/y"]}),
        ({"label": "tst100", "ip": "10.0.0.1"}, "l:tst100,t:10.0.0.1"),
    ],
)
def test_the_filter_gives_the_other_form(value: t.Any, wanted: t.Any) -> None:
    assert find(value) == wanted
    assert find(find(wanted)) == wanted


@pytest.mark.parametrize(
    ("value", "number"),
    [("l:tst100", 1), ("t:192.168.1.10", 2), ("m:00:50:56:13:11:42", 2), ({"path": "/etc/xen/tst101.cfg"}, 2)],
)
def test_the_filter_finds_a_record(value: t.Any, number: int) -> None:
    assert find(value, RECORDS) == [RECORDS[number]]


def test_errors_of_users_are_errors_of_filters() -> None:
    for call in (
        lambda: find("x:1"),
        lambda: find("l:nosuch", RECORDS),
        lambda: show(RECORDS, "colour"),
        lambda: show("text"),
        lambda: show(RECORDS, color=True),
    ):
        with pytest.raises(AnsibleFilterError):
            call()
    assert find("l:nosuch", RECORDS, match="all") == []


def test_the_filter_shows_a_table() -> None:
    assert show(RECORDS, "TAB_CPORT", sort=["label"]) == CPORT
