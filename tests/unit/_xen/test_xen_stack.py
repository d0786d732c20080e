# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stacks of hosts and guests stop from the inside out, each guest by its own method; Domain-0 never by accident."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter.xen_stack import FilterModule as Stack
from ansible_collections.xtreemos.cluster.plugins.filter.xen_stop import FilterModule as Stop
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import stack as sk
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.wish import STATES
from hypothesis import given
from hypothesis import strategies as st

from .fake_dom0 import FakeDom0, play

HOSTS: dict[str, dict[str, t.Any]] = {
    "outer": {},
    "inner": {"xen_dom0": "outer", "xen_stop": "save"},
    "leaf": {"xen_dom0": "inner", "xen_stop": "reboot"},
    "web": {"xen_pm": "outer.soho", "xen_label": "web1"},
    "other": {},
    "alone": {},
}
DOM0S = ["outer", "inner", "alone"]


def guest(host: str, dom0: str, method: str, name: str = "") -> dict[str, str]:
    return {"host": host, "name": name or host, "dom0": dom0, "method": method}


def test_the_innermost_stop_first() -> None:
    hosts = {**HOSTS, "leaf": {"xen_dom0": "inner", "xen_stop": "destroy"}}
    found = sk.layers(hosts, DOM0S)
    assert found == [
        {"dom0s": ["inner"], "guests": [guest("leaf", "inner", "destroy")], "hosts": ["inner", "leaf"]},
        {
            "dom0s": ["alone", "outer"],
            "guests": [guest("inner", "outer", "save"), guest("web", "outer", "poweroff", "web1")],
            "hosts": ["alone", "outer", "inner", "web"],
        },
    ]
    assert sk.told(found, "poweroff", ["outer"]) == [
        "1. on inner: leaf destroy, then all others that run",
        "2. on alone: then all others that run",
        "3. on outer: inner save, web1 poweroff, then all others that run",
        "4. outer itself: poweroff",
    ]
    assert [layer["dom0s"] for layer in sk.layers(hosts, DOM0S, ["inner"])] == [["inner"]]
    assert [layer["dom0s"] for layer in sk.layers(hosts, DOM0S, ["outer"])] == [["inner"], ["outer"]]
    assert sk.layers({}, []) == [] and sk.told([], "poweroff") == []


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"outer": {"xen_dom0": "inner"}}, {}, "inner on outer on inner|outer on inner on outer"),
        ({"outer": {"xen_dom0": "outer"}}, {}, "outer on outer"),
        ({"leaf": {"xen_dom0": "lost"}}, {}, "leaf runs on lost, which is no Xen host"),
        ({"leaf": {"xen_dom0": "inner", "xen_stop": "halt"}}, {}, "leaf: there is no method halt"),
        ({}, {"default": "x"}, "the default: there is no method x"),
        ({}, {"host_method": "halt"}, "no method halt for a Xen host"),
        ({}, {"tops": ["web"]}, "web is no Xen host"),
        # inner stops as a guest, so nothing on it can boot again.
        ({}, {}, "leaf would boot again while its host inner goes down"),
        (
            {"leaf": {}, "web": {"xen_dom0": "outer", "xen_stop": "reboot"}},
            {"host_method": "reboot"},
            "web would boot again while its host outer goes down",
        ),
    ],
)
def test_what_cannot_stop_in_order_is_refused(changes: t.Any, more: t.Any, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        sk.layers({**HOSTS, **changes}, DOM0S, **more)


def test_a_host_that_stays_lets_its_guests_boot_again() -> None:
    hosts = {**HOSTS, "inner": {"xen_dom0": "outer", "xen_stop": "keep"}}
    assert sk.layers(hosts, DOM0S)[0]["guests"] == [guest("leaf", "inner", "reboot")]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.randoms())
def test_nothing_stops_before_what_runs_on_it(parents: list[int], random: t.Any) -> None:
    """Each number below a host's own is what it runs on; all are Xen hosts."""
    names = ["h%d" % number for number in range(len(parents))]
    hosts = {
        name: {"xen_dom0": names[parent]} if parent < number else {}
        for number, (name, parent) in enumerate(zip(names, parents))
    }
    shuffled = list(hosts.items())
    random.shuffle(shuffled)
    found = sk.layers(dict(shuffled), names)
    assert found == sk.layers(hosts, names[::-1])
    at = {dom0: number for number, layer in enumerate(found) for dom0 in layer["dom0s"]}
    assert sorted(at) == sorted(names)
    assert all(at[name] < at[values["xen_dom0"]] for name, values in hosts.items() if values)


RUNNING = [
    {"label": "Domain-0", "pid": 0},
    {"label": "a", "pid": 1},
    {"label": "b", "pid": 2},
    {"label": "c", "pid": 3},
    {"label": "host0", "pid": 0},
]


@pytest.mark.parametrize(
    ("method", "entry"),
    [
        ("poweroff", {"state": "stopped"}),
        ("reboot", {"state": "rebooted"}),
        ("save", {"state": "saved"}),
        ("destroy", {"state": "stopped", "force": True}),
        ("keep", None),
    ],
)
def test_each_guest_by_its_method(method: str, entry: dict[str, t.Any] | None) -> None:
    found = sk.entries(RUNNING, [guest("b", "d", method)], "save", 7)
    others = [{"name": name, "timeout": 7, "state": "saved"} for name in ("a", "c")]
    wanted = [{"name": "b", "timeout": 7, **entry}] if entry is not None else []
    assert found == sorted([*others, *wanted], key=lambda one: str(one["name"]))
    assert entry is None or entry["state"] in STATES
    assert all(one["name"] not in ("Domain-0", "host0") for one in found)


def test_who_boots_again_by_itself_is_left_alone() -> None:
    guests = [guest("a", "d", "reboot"), guest("bhost", "d", "reboot", "b"), guest("c", "d", "poweroff")]
    found = sk.entries(RUNNING, guests, done=["bhost", "c"])
    assert [(one["name"], one["state"]) for one in found] == [("a", "rebooted"), ("c", "stopped")]
    assert sk.entries([], guests) == []


def test_the_filters_say_what_is_wrong() -> None:
    stack, stop = Stack().filters()["xen_stack"], Stop().filters()["xen_stop"]
    assert stack(["outer"], {"outer": {}, "w": {"xen_dom0": "outer"}})["order"] == [
        "1. on outer: w poweroff, then all others that run"
    ]
    nested = {"outer": {}, "inner": {"xen_dom0": "outer"}, "alone": {}}
    assert stack(list(nested), nested, ["alone", "inner"])["outer"] == ["alone", "inner"]
    assert stack(list(nested), nested)["outer"] == ["alone", "outer"] and stack([], {})["outer"] == []
    assert stop(RUNNING, [guest("a", "d", "keep")], "keep") == []
    with pytest.raises(AnsibleFilterError, match="no method x"):
        stack(["outer"], {"outer": {}}, default="x")
    with pytest.raises(AnsibleFilterError, match="no method x"):
        stop(RUNNING, [], "x")


def test_the_playbook_stops_a_stack(tmp_path: Path) -> None:
    outer = FakeDom0(tmp_path / "outer", ["inner", "web1", "stray"])
    inner = FakeDom0(tmp_path / "inner", ["leaf1", "leaf2"], stubborn=["leaf2"])
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "nobody"}
    inventory = {
        "xen_dom0s": {"hosts": {"outer": outer.variables(), "inner": {**inner.variables(), "xen_dom0": "outer"}}},
        "guests": {"hosts": {
            "web1": {**gone, "xen_dom0": "outer", "xen_stop": "reboot"},
            "leaf1": {**gone, "xen_dom0": "inner", "xen_stop": "poweroff"},
        }},
    }  # fmt: skip
    done = play(tmp_path, "stack_shutdown", inventory, "-e", "stack_shutdown_timeout=1", "-C")
    assert done.returncode == 0 and "1. on inner: leaf1 poweroff, then all" in done.stdout, done.stdout
    assert not outer.asked("shutdown", "reboot", "--no-block")
    done = play(tmp_path, "stack_shutdown", inventory, "-e", "stack_shutdown_timeout=1")
    assert done.returncode == 0 and "...ignoring" in done.stdout, done.stdout + done.stderr
    told = [line for line in (tmp_path / "order").read_text().splitlines() if " xl list" not in line]
    assert told == [
        "inner xl shutdown leaf1", "inner xl shutdown leaf2", "inner xl destroy leaf2",
        # inner's own system answers; the rest is the hypervisor's.
        "inner systemctl --no-block poweroff",
        "outer xl shutdown inner", "outer xl shutdown stray", "outer xl reboot web1",
    ]  # fmt: skip
    assert outer.guests() == ["web1"] and inner.guests() == []
