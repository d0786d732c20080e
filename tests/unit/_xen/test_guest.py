# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk strings, cards, and guests made from options."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import Config, parse, render
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.disk import from_options, parse_disk
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.guest import check_values, describes, wanted
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.vif import made_mac, parse_vif, vif_text
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("phy:sda1,sda1,w", "/dev/sda1,raw,sda1,rw"),
        ("phy:/dev/vg/a,xvda,r", "/dev/vg/a,raw,xvda,ro"),
        ("file:/a.img,xvda,w", "/a.img,raw,xvda,rw"),
        ("tap:aio:/a.img,xvda1,w", "/a.img,raw,xvda1,rw"),
        ("file:/a,ioemu:hda,w", "/a,raw,hda,rw"),
        ("tap:qcow:/a,xvda,w", "/a,qcow,xvda,rw"),
        ("qcow2:/a,xvda,w", "/a,qcow2,xvda,rw"),
        ("file:/c.iso,hdc:cdrom,r", "/c.iso,raw,hdc,cdrom"),
        (",hdc:cdrom,r", ",raw,hdc,cdrom"),
        ("/a.img,raw,xvda,rw", "/a.img,raw,xvda,rw"),
        ("/a.qcow2, qcow2, xvdb, w", "/a.qcow2,qcow2,xvdb,rw"),
        ("/a,,xvda", "/a,raw,xvda,rw"),
        ("/c.iso,raw,hdc,cdrom", "/c.iso,raw,hdc,cdrom"),
        ("format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/c.iso", "/c.iso,raw,hdc,cdrom"),
        ("vdev=xvda,backend=store,target=/a", "/a,raw,xvda,rw,backend=store"),
    ],
)
def test_disks(text: str, shown: str) -> None:
    assert parse_disk(text).text() == shown
    assert parse_disk(shown) == parse_disk(text) and parse_disk(shown).text() == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phy:/dev/a,xvda,w!", "forced sharing"),
        ("/dev/a,raw,xvda,!w", "forced sharing"),
        ("/dev/a,raw,xvda,x", "unknown access 'x'"),
        ("/dev/a,vmdk,xvda,w", "unknown format 'vmdk'"),
        ("/dev/a,raw,zz,w", "'zz' is no device of a guest"),
        ("/dev/a", "'' is no device"),
        (",raw,xvda,w", "has no target"),
        ("phy:a", "is not target,device,access"),
        ("", "is no device"),
    ],
)
def test_disks_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        parse_disk(text)


@given(st.text(max_size=30) | st.text("phyfile:,/xvda1rw!=cdom ", max_size=30))
def test_every_disk_string_ends_well(text: str) -> None:
    try:
        disk = parse_disk(text)
    except ClusterError:
        return
    assert parse_disk(disk.text()).vdev == disk.vdev


def test_cards() -> None:
    card = parse_vif("bridge=xenbr0, mac=00-16-3E-00-00-01,zz=1")
    assert card == {"bridge": "xenbr0", "mac": "00:16:3e:00:00:01", "zz": "1"}
    assert vif_text(card) == "mac=00:16:3e:00:00:01,bridge=xenbr0,zz=1"
    assert parse_vif(vif_text(card)) == card and parse_vif("") == {}
    assert made_mac("h", "a", 0) == made_mac("h", "a", 0)
    assert len({made_mac(seed, name, n) for seed in "hi" for name in "ab" for n in range(9)}) == 36


@pytest.mark.parametrize("text", ["xenbr0", "mac=00:16:3e:00:00", "mac=01:00:5e:00:00:01", "mac=zz:16:3e:00:00:01"])
def test_cards_that_are_refused(text: str) -> None:
    with pytest.raises(ClusterError, match="vif '%s'" % text):
        parse_vif(text)


BASE: dict[str, t.Any] = {"name": "n1", "memory": 128, "kernel": "/k"}
FULL = {
    **BASE, "type": "pv", "maxmem": 256, "vcpus": 1, "maxvcpus": 2, "vnc": True, "on_crash": "preserve",
    "disks": [{"target": "/a.img", "vdev": "xvda"}], "vifs": [{"bridge": "xenbr0"}],
    "options": {"tsc_mode": "native", "nomigrate": True}, "metadata": {"DIST": "Debian"},
}  # fmt: skip


def test_a_guest_becomes_a_file() -> None:
    config = wanted(FULL, None, "host")
    assert parse(render(config)) == config
    assert config.values["disk"] == ["/a.img,raw,xvda,rw"] and config.values["nomigrate"] == 1
    assert config == wanted(FULL, config, "another host"), "UUID and MAC stay"
    assert config.values["uuid"] != wanted(FULL, None, "another host").values["uuid"]
    check_values(config, "f")


def test_what_describes_a_guest() -> None:
    assert describes({"name": "a", "vnc": False}) and not describes({"name": "a", "state": "stopped", "memory": None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Domain-0"}, "Domain-0 is the host itself"),
        ({"name": "12"}, "'12' is no name"),
        ({"name": "a b"}, "'a b' is no name"),
        ({"name": "-a"}, "'-a' is no name"),
        ({"memory": None}, "guest n1 has no memory"),
        ({"memory": -1}, "memory is -1"),
        ({"kernel": None}, "neither kernel nor bootloader"),
        ({"bootloader": "pygrub"}, "both kernel and bootloader"),
        ({"type": "qemu"}, "type 'qemu'"),
        ({"maxmem": 64}, "maxmem is less than memory"),
        ({"vcpus": 2, "maxvcpus": 1}, "maxvcpus is less than vcpus"),
        ({"on_crash": "cry"}, "on_crash is 'cry'"),
        ({"uuid": "xyz"}, "'xyz' is no UUID"),
        ({"uuid": "11111111222233334444555555555555"}, "exists with the UUID 6842caf9"),
        ({"disks": [{"target": "/a"}, {"target": "/b"}]}, "two disks xvda"),
        ({"disks": [{"target": "a.img"}]}, "no absolute path"),
        ({"disks": [{"target": "/a,b"}]}, "comma"),
        ({"vifs": [{"mac": "00:16:3e:00:00:01"}] * 2}, "two cards 00:16:3e:00:00:01"),
        ({"vifs": [{"bridge": "a b"}]}, "comma or blank"),
        ({"options": {"memory": 3}}, "options sets memory"),
        ({"options": {"disk": []}}, "options sets disk"),
    ],
)
def test_guests_that_are_refused(change: dict[str, t.Any], message: str) -> None:
    old = Config({"uuid": "6842caf91e3e43249ed596b8b9f2c5c2"})
    with pytest.raises(ClusterError, match=message):
        wanted({**BASE, **change}, old)


@pytest.mark.parametrize(
    ("text", "message"),
    [("memory=1", "f has no name"), ('name="a"\ndisk=["x"]', "f: disk 'x'"), ('name="a"\nvif="x"', "f: vif 'x'")],
)
def test_files_that_are_no_guest(text: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        check_values(parse(text), "f")


def test_a_relative_target_of_options_is_refused() -> None:
    assert from_options({"target": "/d", "access": "ro", "vdev": "xvdb"}).text() == "/d,raw,xvdb,ro"
