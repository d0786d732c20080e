# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.inventory import build
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.qemu import (
    Nic,
    Places,
    Vm,
    accel_args,
    parse_vm,
    parse_vms,
    render_argv,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.rack import make_rack

MAC = "52:54:00:0a:01:1f"
WIRE = {"kind": "segment", "mac": MAC, "port": 5000}
PLACES = Places("node31", "/s/vms/node31", "/s/run")


def option(argv: list[str], name: str) -> list[str]:
    return [argv[index + 1] for index, word in enumerate(argv) if word == name]


def test_a_node_is_blank_and_boots_from_its_card() -> None:
    argv = render_argv(parse_vm({"name": "node31", "nics": [{**WIRE, "boot": True}]}), PLACES, "tcg")
    assert argv[0] == "qemu-system-x86_64"
    assert option(argv, "-M") == ["pc"]
    assert option(argv, "-accel") == ["tcg,thread=multi"]
    assert option(argv, "-cpu") == ["max"]
    assert option(argv, "-netdev") == ["socket,id=n0,mcast=230.0.0.1:5000,localaddr=127.0.0.1"]
    assert f"virtio-net-pci,netdev=n0,mac={MAC},host_mtu=9000,bootindex=1" in option(argv, "-device")
    assert option(argv, "-pidfile") == ["/s/vms/node31/qemu.pid"]
    assert option(argv, "-qmp") == ["unix:/s/run/node31.qmp,server=on,wait=off"]
    assert not {"-kernel", "-drive", "-no-reboot"} & set(argv)


def test_the_head_boots_its_kernel_from_its_disk() -> None:
    head = parse_vm(build(make_rack("/srv/lab", ssh_port=2222, segment_port=5000)).hosts["head"]["lab_vm"])
    argv = render_argv(head, Places("head", "/f", "/r"), "kvm")
    assert (option(argv, "-M"), option(argv, "-smp"), option(argv, "-m")) == (["q35"], ["2"], ["1024"])
    assert option(argv, "-kernel") == ["/srv/lab/head/vmlinuz"]
    assert "root=/dev/vda" in option(argv, "-append")[0]
    assert option(argv, "-drive") == ["file=/srv/lab/head/disk.ext4,if=none,id=d0,format=raw,cache=unsafe"]
    assert option(argv, "-netdev")[0] == "user,id=n0,hostfwd=tcp:127.0.0.1:2222-:22"
    assert "bootindex" not in " ".join(argv)


@pytest.mark.parametrize(
    ("accel", "words"),
    [("kvm", ["-accel", "kvm", "-cpu", "host"]), ("tcg", ["-accel", "tcg,thread=multi", "-cpu", "max"])],
)
def test_accelerators(accel: str, words: list[str]) -> None:
    assert accel_args(accel) == words


def test_a_comma_in_a_path_does_not_end_an_option() -> None:
    argv = render_argv(Vm("n", disk="/a,b"), Places("n", "/f,g", "/r,s"), "tcg")
    assert option(argv, "-drive")[0].startswith("file=/a,,b,if=none")
    assert option(argv, "-chardev")[0].endswith("path=/f,,g/console.log")
    assert option(argv, "-qmp")[0].startswith("unix:/r,,s/n.qmp,")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": ""}, "'' is no name"),
        ({"name": "Node31"}, "'Node31' is no name"),
        ({"name": "../head"}, "is no name"),
        ({"name": "-x"}, "is no name"),
        ({"name": "a" * 64}, "is no name"),
        ({"name": "n", "nics": [{**WIRE, "mac": "52:54:00:0A:01:1F"}]}, "n: '52:54:00:0A:01:1F' is no MAC"),
        ({"name": "n", "nics": [{**WIRE, "mac": "52:54:00"}]}, "is no MAC"),
        ({"name": "n", "nics": [{"kind": "segment", "mac": MAC}]}, "n: port 0"),
        ({"name": "n", "nics": [{"kind": "user", "mac": MAC, "host_port": 80}]}, "n: port 80"),
    ],
)
def test_a_wrong_vm_is_named(entry: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message) as caught:
        parse_vm(entry)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"name": "a"}, "name a is used twice"),
        ({"name": "b", "nics": [WIRE]}, "MAC address %s is used twice" % MAC),
        (
            {"name": "b", "nics": [{"kind": "user", "mac": "52:54:00:00:00:09", "host_port": 2222}]},
            "port 2222 is used twice",
        ),
    ],
)
def test_nothing_is_used_twice(second: dict[str, t.Any], message: str) -> None:
    first = {"name": "a", "nics": [WIRE, {"kind": "user", "mac": "52:54:00:00:00:08", "host_port": 2222}]}
    with pytest.raises(ClusterError, match=message):
        parse_vms([first, second])


def test_vms_are_sorted_and_missing_values_fall_back() -> None:
    vms = parse_vms([{"name": "b", "kernel": None, "nics": None}, {"name": "a", "nics": [{**WIRE, "host_port": None}]}])
    assert [vm.name for vm in vms] == ["a", "b"]
    assert vms[1] == Vm("b")
    assert vms[0].nics == (Nic("segment", MAC, 5000),)


@pytest.mark.parametrize(("accel", "cpu"), [("tcg", "max,-smap"), ("kvm", "host")])
def test_dom0_starts_what_its_own_menu_says(accel: str, cpu: str) -> None:
    dom0 = parse_vm(build(make_rack("/srv/lab", dom0=True, dom0_ssh_port=2223)).hosts["dom0"]["lab_vm"])
    argv = render_argv(dom0, Places("dom0", "/f", "/r"), accel)
    assert (option(argv, "-cpu"), option(argv, "-m")) == ([cpu], ["2048"])
    assert (option(argv, "-cdrom"), option(argv, "-boot")) == (["/srv/lab/dom0/boot.iso"], ["order=d"])
    assert not {"-kernel", "-append"} & set(argv)
    assert "hostfwd=tcp:127.0.0.1:2223-:22" in option(argv, "-netdev")[0]
