# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DHCP: the neutral model, ISC's file against golden text, ISC's own checker where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.backends import find_backend
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.dhcp import (
    DhcpConfig,
    Reservation,
    Subnet,
    parse_dhcp,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.isc import IscBackend
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import Node, parse_nodes
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden" / "boot"
DHCPD = shutil.which("dhcpd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
SERVER = "10.0.1.1"


def rack(*numbers: int) -> tuple[Node, ...]:
    return parse_nodes(
        [
            {"name": "node%d" % n, "mac": "52:54:00:0a:01:%02x" % n, "ip": "10.0.1.%d" % n, "node_id": n - 30}
            for n in numbers or (31, 32, 33)
        ]
    )


def options(**more: t.Any) -> dict[str, t.Any]:
    return dict({"subnets": [{"network": "10.0.1.0/24", "pools": ["10.0.1.100-10.0.1.199"]}]}, **more)


FULL: dict[str, t.Any] = {
    "interface": "eth1",
    "authoritative": False,
    "default_lease": 288000,
    "max_lease": 864000,
    "loaders": {"uefi_x64": "efi64/syslinux.efi", "bios": "X86PC/linux/linux.0"},
    "etherboot_loader": "etherboot/nbgrub",
    "ipxe_script": "http://10.0.1.1/ipxe/boot.ipxe",
    "configfile": "pxelinux.cfg/cluster",
    "pathprefix": "http://10.0.1.1/boot/",
    "reboottime": 60,
    "next_server": "10.0.1.2",
    "bind": False,
    "subnets": [
        {"network": "10.0.2.0", "netmask": "255.255.254.0", "next_server": "10.0.2.9", "routers": "10.0.2.1"},
        {
            "network": "10.0.1.0/24",
            "pools": ["10.0.1.200 - 10.0.1.209", {"first": "10.0.1.100", "last": "10.0.1.109"}],
            "routers": ["10.0.1.253"],
            "dns": ["10.0.1.253", "10.0.1.254"],
            "domain": "cluster.example",
            "known_only": True,
        },
    ],
}
CONFIGS = {"dhcpd-plain.conf": options(loaders={"bios": "lpxelinux.0"}, interface="eth1"), "dhcpd-full.conf": FULL}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_golden_and_round_trip(name: str) -> None:
    config = parse_dhcp(CONFIGS[name], rack(), SERVER)
    text = IscBackend().render(config)
    assert text == (GOLDEN / name).read_text(encoding="utf-8")
    assert IscBackend().parse(text, name) == config


@pytest.mark.skipif(not DHCPD, reason="dhcpd is not installed")
@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_dhcpd_itself_takes_the_golden_file(name: str, tmp_path: Path) -> None:
    # A copy: an AppArmor profile may keep dhcpd out of the checkout.
    file = tmp_path / name
    file.write_bytes((GOLDEN / name).read_bytes())
    tester = [DHCPD or "", *IscBackend().tester[1:]]
    done = subprocess.run([word.replace("%s", str(file)) for word in tester], capture_output=True, check=False)
    if b"ermission denied" in done.stderr:
        pytest.skip("dhcpd may not read files here")
    assert done.returncode == 0, done.stderr


def test_a_shuffled_inventory_gives_the_same_bytes() -> None:
    backend = IscBackend()
    one = backend.render(parse_dhcp(FULL, rack(31, 32, 33), SERVER))
    two = backend.render(parse_dhcp(dict(FULL, subnets=FULL["subnets"][::-1]), rack(33, 31, 32)[::-1], SERVER))
    assert one == two


def test_reservations_of_any_file() -> None:
    text = (GOLDEN / "dhcpd-plain.conf").read_text(encoding="utf-8")
    found = IscBackend().reservations(text + "host foreign { fixed-address 10.0.1.9; }\n")
    assert sorted(found) == ["node31", "node32", "node33"]
    assert found["node31"] == Reservation("node31", "52:54:00:0a:01:1f", "10.0.1.31")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("allow bootp;", "deny bootp;"), "line 7: 'deny bootp;' is not ours"),
        (lambda text: text + 'include "x";\n', "'include \"x\";' is not ours"),
        (lambda text: "\n" + text, "dhcpd.conf line 1: not written by pxe_nodes"),
        (lambda text: text[: text.index("host ")], ""),
        (lambda text: text[: text.index("option space pxelinux")], "ends after line"),
    ],
)
def test_the_parser_reads_only_what_we_write(change: t.Callable[[str], str], told: str) -> None:
    text = change((GOLDEN / "dhcpd-plain.conf").read_text(encoding="utf-8"))
    if not told:
        assert IscBackend().parse(text).reservations == ()
        return
    with pytest.raises(ClusterError) as caught:
        IscBackend().parse(text)
    assert re.search(told, str(caught.value)) and caught.value.hint


def test_bios_clients_only_get_bios_loaders() -> None:
    text = IscBackend().render(parse_dhcp(options(loaders={"bios": "lpxelinux.0"}), rack(), SERVER))
    assert text.count("filename ") == 1
    assert 'if option client-arch = 00:00 {\n    filename "lpxelinux.0";\n  }\n}' in text
    assert "00:07" not in text
    assert 'class "PXE"' not in IscBackend().render(parse_dhcp(options(), rack(), SERVER))


SUBNET: dict[str, t.Any] = {"network": "10.0.1.0/24"}


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({}, "dhcp: no subnet is given"),
        ({"subnets": ["10.0.1.0/24"]}, "a mapping with network"),
        ({"subnets": [{"network": "10.0.1.7/24"}]}, "bad network '10.0.1.7/24'"),
        ({"subnets": [{"network": "10.0.1.0"}]}, "has no room for nodes"),
        ({"subnets": [{"network": "10.0.1.0/31"}]}, "has no room for nodes"),
        ({"subnets": [{}]}, "bad network ''"),
        ({"subnets": [dict(SUBNET, pools=["10.0.1.100"])]}, "bad pool '10.0.1.100'"),
        ({"subnets": [dict(SUBNET, pools=["10.0.1.199-10.0.1.100"])]}, "from low to high"),
        ({"subnets": [dict(SUBNET, pools=["10.0.2.1-10.0.2.9"])]}, "does not lie in 10.0.1.0/24"),
        ({"subnets": [dict(SUBNET, pools=["10.0.1.100-x"])]}, "malformed pool address 'x'"),
        ({"subnets": [dict(SUBNET, pools=["10.0.1.1-10.0.1.9"])]}, "holds the boot server's address 10.0.1.1"),
        (
            {"subnets": [dict(SUBNET, pools=["10.0.1.30-10.0.1.40"])]},
            "node31: its address 10.0.1.31 lies in the pool 10.0.1.30-10.0.1.40",
        ),
        (
            {"subnets": [dict(SUBNET, pools=["10.0.1.100-10.0.1.120", "10.0.1.110-10.0.1.130"])]},
            "pools 10.0.1.100-10.0.1.120 and 10.0.1.110-10.0.1.130 overlap",
        ),
        ({"subnets": [SUBNET, {"network": "10.0.0.0/16"}]}, "subnets 10.0.0.0/16 and 10.0.1.0/24 overlap"),
        ({"subnets": [{"network": "10.0.2.0/24"}]}, "node31: 10.0.1.31 is outside the subnet 10.0.2.0/24"),
        ({"subnets": [dict(SUBNET, domain='a"b')]}, "bad domain"),
        ({"subnets": [dict(SUBNET, routers=["gw"])]}, "malformed router 'gw'"),
        ({"subnets": [dict(SUBNET, dns="1.2.3")]}, "malformed DNS server '1.2.3'"),
        (options(next_server="head"), "malformed next_server 'head'"),
        (options(default_lease=1), "default_lease is 1"),
        (options(default_lease=9000), "max_lease (>= default_lease) is 7200"),
        (options(loaders={"ia64": "x"}), "unknown architecture 'ia64'"),
        (options(loaders={"bios": 'a";'}), "bad loader"),
        (options(pathprefix="a b"), "bad pathprefix"),
        (options(ipxe_script="x" * 128), "at most 127 characters"),
        (options(interface="eth 1"), "bad interface"),
        (options(reboottime=-1), "reboottime is -1"),
    ],
)
def test_refused_options(item: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        parse_dhcp(item, rack(), SERVER)
    assert told in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("last", "told"), [(0, "outside the subnet"), (255, "outside the subnet"), (1, "boot server's")]
)
def test_addresses_that_no_node_can_have(last: int, told: str) -> None:
    nodes = parse_nodes([{"name": "n", "mac": "52:54:00:00:00:01", "ip": "10.0.1.%d" % last, "node_id": 1}])
    with pytest.raises(ClusterError, match=told):
        parse_dhcp(options(), nodes, SERVER)


def test_unknown_backend_names_those_there_are() -> None:
    with pytest.raises(ClusterError, match=r"unknown backend 'kea' \(available: isc, or none"):
        find_backend("kea")
    assert find_backend("isc").name == "isc"


def address(number: int) -> str:
    return "10.0.1.%d" % number


ADDRESS = st.integers(2, 250).map(address)
WORD = st.from_regex(r"[a-z0-9./-]{1,20}", fullmatch=True)
SUBNETS = st.builds(
    Subnet,
    st.just("10.0.1.0"),
    st.just("255.255.255.0"),
    st.lists(st.tuples(ADDRESS, ADDRESS), max_size=3, unique=True).map(tuple),
    st.lists(ADDRESS, max_size=2).map(tuple),
    st.lists(ADDRESS, max_size=2).map(tuple),
    st.just("") | st.from_regex(r"[a-z]{1,9}\.[a-z]{1,9}", fullmatch=True),
    st.just("") | st.just("10.0.9.9"),
    st.just(False),
)
HOSTS = st.lists(st.integers(2, 250), max_size=5, unique=True).map(
    lambda numbers: tuple(Reservation("n%d" % n, "52:54:00:00:00:%02x" % n, address(n)) for n in sorted(numbers))
)
LOADERS = st.dictionaries(st.sampled_from(["bios", "uefi_x64", "uefi_arm64"]), WORD).map(
    lambda pairs: tuple((name, pairs[name]) for name in ("bios", "uefi_x64", "uefi_arm64") if name in pairs)
)


@settings(max_examples=60)
@given(SUBNETS, HOSTS, LOADERS, st.booleans(), st.booleans(), WORD, st.integers(0, 600))
def test_round_trip_of_any_config(
    subnet: Subnet,
    hosts: tuple[Reservation, ...],
    loaders: tuple[tuple[str, str], ...],
    authoritative: bool,
    known: bool,
    word: str,
    number: int,
) -> None:
    config = DhcpConfig(
        subnets=(Subnet(**dict(subnet.__dict__, known_only=known and bool(subnet.pools))),),
        interface="eth1" if known else "",
        local_address=SERVER if authoritative else "",
        reservations=hosts,
        next_server=SERVER,
        authoritative=authoritative,
        default_lease=600 + number,
        loaders=loaders,
        etherboot_loader=word if known else "",
        ipxe_script="http://10.0.1.1/" + word if loaders and known else "",
        configfile=word if authoritative else "",
        pathprefix=word if known else "",
        reboottime=number,
    )
    assert IscBackend().parse(IscBackend().render(config)) == config


@given(st.text())
def test_any_text_gives_a_config_or_one_error(text: str) -> None:
    for candidate in (text, IscBackend().render(parse_dhcp(options(), rack(), SERVER)) + text):
        try:
            IscBackend().parse(candidate)
        except ClusterError as error:
            assert error.message and error.hint
