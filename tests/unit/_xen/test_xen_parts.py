# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of xen_domain alone: save files, sizes, facts of a recorded ``xl list -l``, connected devices."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import facts, ready, savefile, storage, xl
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.compare import compare
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import Config, parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.live import parse_long
from ansible_collections.xtreemos.cluster.tests.unit._xen.standin import save_file
from ansible_collections.xtreemos.cluster.tests.unit._xen.test_xen_live import recorded
from hypothesis import given
from hypothesis import strategies as st

# The files of the guests of the recording xl-list-l-all.
PV1 = """\
name="pv1"
type="pv"
kernel="/boot/vmlinuz-domu"
ramdisk="/boot/initrd-domu.gz"
extra="console=hvc0 quiet node_id=1"
memory=128
vcpus=1
vif=["bridge=xenbr0,mac=00:16:3e:00:00:01"]
"""
PVH1 = """\
name="pvh1"
type="pvh"
kernel="/boot/vmlinuz-domu"
ramdisk="/boot/initrd-domu.gz"
extra="console=hvc0 quiet node_id=2"
memory=128
maxmem=192
vcpus=1
on_poweroff="destroy"
"""


@pytest.mark.parametrize(("domid", "text"), [(1, PV1), (3, PVH1)])
def test_a_recorded_guest_equals_its_file(domid: int, text: str) -> None:
    live = facts.of_live(parse_long(recorded("xl-list-l-all").stdout)[domid])
    found = compare("g", facts.of_file(parse(text)), live)
    assert (found.hot, found.restart) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "hot", "restart"),
    [
        ("memory=128", "memory=100", [["xl", "mem-set", "g", "100m"]], ()),
        ("memory=128", "memory=256", [], ("memory",)),
        ("vcpus=1", "vcpus=2", [], ("vcpus",)),
        ('"pv"', '"pvh"', [], ("type",)),
        ("quiet", "loud", [], ("cmdline",)),
        (',mac=00:16:3e:00:00:01"', '"', [], ()),
        ("xenbr0", "xenbr1", [["xl", "network-detach", "g", "00:16:3e:00:00:01"],
                              ["xl", "network-attach", "g", "mac=00:16:3e:00:00:01", "bridge=xenbr1"]], ()),
    ],
)  # fmt: skip
def test_a_recorded_guest_and_a_changed_file(
    old: str, new: str, hot: list[list[str]], restart: tuple[str, ...]
) -> None:
    live = facts.of_live(parse_long(recorded("xl-list-l-all").stdout)[1])
    found = compare("g", facts.of_file(parse(PV1.replace(old, new))), live)
    assert ([list(argv) for _option, argv in found.hot], found.restart) == (hot, restart)


def test_discs_of_an_hvm_guest_are_changed_and_ejected() -> None:
    live = facts.of_live(
        {
            "c_info": {"type": "hvm"},
            "disks": [{"pdev_path": "/a.iso", "vdev": "hdc", "is_cdrom": 1}],
            "on_reboot": "restart",
        }
    )
    for row, argv in (
        ("/b.iso,raw,hdc,cdrom", ("cd-insert", "g", "hdc", "/b.iso")),
        (",raw,hdc,cdrom", ("cd-eject", "g", "hdc")),
    ):
        found = compare("g", facts.of_file(Config({"type": "hvm", "disk": [row], "vcpus": 1})), live)
        assert found.hot == (("disks", ("xl", *argv)),)
    found = compare("g", facts.of_file(Config({"type": "hvm", "disk": ["/d,raw,hda,rw"]})), live)
    assert (found.hot, found.restart) == ((), ("disks",))


def test_what_a_save_file_holds() -> None:
    config = {"c_info": {"name": "pv1", "uuid": "6842CAF91E3E43249ED596B8B9F2C5C2"}, "b_info": {"target_memkb": 102400}}
    path = "/s"
    host = MemoryHost({path: save_file(config, {})})
    assert savefile.read(host, path) == savefile.Saved("pv1", "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2", 100)
    assert savefile.read(host, "/none") is None
    old = bytearray(host.files[path])
    old[36] = 2
    with pytest.raises(ClusterError, match="older than Xen 4.5"):
        savefile.parse(bytes(old), path)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_save_file_is_read_or_refused(tail: bytes, cut: int) -> None:
    whole = save_file({"c_info": {"name": "a"}}, {})
    for data in (tail, savefile.MAGIC + tail, whole[:cut] + tail, whole[:52] + tail + whole[52:]):
        try:
            assert savefile.parse(data, "/s").name
        except ClusterError as error:
            assert error.hint


@pytest.mark.parametrize(
    ("text", "size"),
    [("4G", 4 << 30), ("512M", 512 << 20), ("1 KiB", 1024), ("7", 7), ("2tb", 2 << 40), (9, 9)],
)
def test_sizes(text: t.Any, size: int) -> None:
    assert storage.bytes_of(text, "d") == size


@given(st.text(max_size=8))
def test_any_size_is_a_number_or_refused(text: str) -> None:
    try:
        assert storage.bytes_of(text, "d") > 0
    except ClusterError as error:
        assert error.hint


def test_values_that_are_no_numbers() -> None:
    for text in ('memory="much"', "vcpus=[1]"):
        with pytest.raises(ClusterError, match="write a number"):
            facts.of_file(parse(text + "\n"))
    assert facts.of_file(parse("memory='0x80'\n")).memory == 128


def test_connected_devices() -> None:
    listing = (
        '/local/domain/1/device/vif/0/state = "4"   (n1,r0)\n/local/domain/1/device/vbd/51712/state = "4"   (n1,r0)\n'
        '/local/domain/1/device/console/1/state = "1"   (n1,r0)\n/local/domain/11/device/vif/0/state = "1"   (n1,r0)\n'
        '/local/domain/0/backend/vif/1/0/state = "2"   (n0,r1)\n'
    )
    assert [ready.connected(listing, domid) for domid in (1, 11, 2)] == [True, False, True]


@given(st.text(max_size=200))
def test_any_error_text_has_a_meaning_or_none(text: str) -> None:
    found = xl.meaning(text)
    assert found is None or all(found)
