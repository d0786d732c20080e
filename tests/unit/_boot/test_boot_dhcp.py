# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DHCP: the neutral model, the files of each server against golden text, its own checker where it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.backends import BACKENDS, find_backend
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
PATHS = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
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
CONFIGS = {"plain": options(loaders={"bios": "lpxelinux.0"}, interface="eth1"), "full": FULL}
FILES = {"isc": "dhcpd-%s.conf", "kea": "kea-%s.json", "dnsmasq": "dnsmasq-%s.conf"}
EACH = [(backend, name) for backend in sorted(FILES) for name in sorted(CONFIGS)]


def golden(backend: str, name: str = "plain") -> str:
    return (GOLDEN / (FILES[backend] % name)).read_text(encoding="utf-8")


def test_every_backend_is_tested() -> None:
    assert set(FILES) == set(BACKENDS)


@pytest.mark.parametrize(("backend", "name"), EACH)
def test_golden_and_round_trip(backend: str, name: str) -> None:
    config = parse_dhcp(CONFIGS[name], rack(), SERVER)
    text = find_backend(backend).render(config)
    assert text == golden(backend, name)
    assert text.startswith(find_backend(backend).header + "\n")
    assert find_backend(backend).parse(text, name) == config


@pytest.mark.parametrize(("backend", "name"), EACH)
def test_the_server_itself_takes_the_golden_file(backend: str, name: str, tmp_path: Path) -> None:
    program, *words = find_backend(backend).tester
    found = shutil.which(program, path=PATHS)
    if not found:
        pytest.skip("%s is not installed" % program)
    # A copy: an AppArmor profile may keep the server out of the checkout. Kea wants a card that is there.
    file = tmp_path / name
    file.write_text(re.sub(r'"eth1(/[0-9.]+)?"', '"lo"', golden(backend, name)))
    done = subprocess.run([found, *(word.replace("%s", str(file)) for word in words)], capture_output=True, check=False)
    if b"ermission denied" in done.stderr:
        pytest.skip("%s may not read files here" % program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_shuffled_inventory_gives_the_same_bytes(name: str) -> None:
    backend = find_backend(name)
    one = backend.render(parse_dhcp(FULL, rack(31, 32, 33), SERVER))
    two = backend.render(parse_dhcp(dict(FULL, subnets=FULL["subnets"][::-1]), rack(33, 31, 32)[::-1], SERVER))
    assert one == two


@pytest.mark.parametrize("name", sorted(FILES))
def test_reservations_of_any_file(name: str) -> None:
    foreign = 'host foreign { fixed-address 10.0.1.9; }\ndhcp-host=10.0.1.9\n// {"hw-address": "1"}\n'
    found = find_backend(name).reservations(golden(name) + foreign)
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
def test_the_parser_of_isc_names_the_line(change: t.Callable[[str], str], told: str) -> None:
    text = change(golden("isc"))
    if not told:
        assert IscBackend().parse(text).reservations == ()
        return
    with pytest.raises(ClusterError) as caught:
        IscBackend().parse(text)
    assert re.search(told, str(caught.value)) and caught.value.hint


OTHERS: list[tuple[str, t.Callable[[str], str], str]] = [
    ("kea", lambda text: "\n" + text, "line 1: not written by pxe_nodes"),
    ("kea", lambda text: text.replace("Dhcp4", "Dhcp6"), "is not ours"),
    ("kea", lambda text: text[:-9], "is not ours"),
    ("kea", lambda text: text.replace('"type": "memfile"', '"type": "mysql"'), "is not as pxe_nodes writes it"),
    ("kea", lambda text: text.replace("10.0.1.0/24", "10.0.1.7/24"), "is not ours"),
    ("kea", lambda text: text.replace('"id": 1', '"id": 7'), "is not as pxe_nodes writes it"),
    ("dnsmasq", lambda text: "\n" + text, "line 1: not written by pxe_nodes"),
    ("dnsmasq", lambda text: text + "conf-dir=/etc/dnsmasq.d\n", "is not as pxe_nodes writes it"),
    (
        "dnsmasq",
        lambda text: text.replace("10.0.1.0,static,255.255.255.0", "10.0.1.7,static,255.255.255.0"),
        "not ours",
    ),
    ("dnsmasq", lambda text: text.replace("static", "proxy"), "is not ours"),
]


@pytest.mark.parametrize(("backend", "change", "told"), OTHERS)
def test_the_parsers_read_only_what_we_write(backend: str, change: t.Callable[[str], str], told: str) -> None:
    with pytest.raises(ClusterError, match=told) as caught:
        find_backend(backend).parse(change(golden(backend)))
    assert caught.value.hint


def test_no_client_of_kea_or_dnsmasq_fits_two_loaders() -> None:
    config = parse_dhcp(FULL, rack(), SERVER)
    kea = json.loads(find_backend("kea").render(config).partition("\n")[2])["Dhcp4"]["client-classes"]
    assert [one["name"] for one in kea] == ["ipxe_bios", "pxe_bios", "ipxe_uefi_x64", "pxe_uefi_x64", "etherboot"]
    for first, second in ((kea[0], kea[1]), (kea[2], kea[3])):
        assert second["test"] == first["test"].replace("option[77].hex == 'iPXE'", "not (option[77].hex == 'iPXE')")
    lines = [line.split(",") for line in find_backend("dnsmasq").render(config).splitlines() if "dhcp-boot" in line]
    tags = [{word.rpartition("tag:")[2] for word in line if "tag:" in word} for line in lines]
    for number, one in enumerate(tags):
        for other in tags[:number]:
            apart = [pair for pair in (("net1", "net2"), ("bios", "uefi_x64"), ("ipxe", "!ipxe"), ("pxe", "etherboot"))
                     if (pair[0] in one and pair[1] in other) or (pair[1] in one and pair[0] in other)]  # fmt: skip
            assert apart, (one, other)


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
    with pytest.raises(ClusterError, match=r"unknown backend 'udhcpd' \(available: dnsmasq, isc, kea, or none"):
        find_backend("udhcpd")
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
    lambda numbers: tuple(Reservation("n%03d" % n, "52:54:00:00:00:%02x" % n, address(n)) for n in sorted(numbers))
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
    for name in FILES:
        backend = find_backend(name)
        assert backend.parse(backend.render(config)) == config
        assert set(backend.reservations(backend.render(config)).values()) == set(hosts)


@pytest.mark.parametrize("name", sorted(FILES))
@given(text=st.text(), at=st.integers(0, 3000))
def test_any_text_gives_a_config_or_one_error(name: str, text: str, at: int) -> None:
    backend, whole = find_backend(name), golden(name)
    for candidate in (text, whole + text, whole[:at] + text + whole[at:], backend.header + "\n" + text):
        try:
            assert backend.render(backend.parse(candidate)) == candidate
        except ClusterError as error:
            assert error.message and error.hint
