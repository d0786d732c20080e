# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DHCP service, whatever server carries it out. This module util is private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, replace

from .._host.errors import ClusterError
from .node import Node, parse_int, parse_ip

Range = t.Tuple[str, str]
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_PATH = re.compile(r"[A-Za-z0-9_./:%-]*")

# Client architectures (RFC 4578, option 93) that a loader can be given for.
ARCHITECTURES: t.Mapping[str, tuple[int, ...]] = {"bios": (0,), "uefi_x64": (7, 9), "uefi_arm64": (11,)}


@dataclass(frozen=True)
class Subnet:
    """One subnet; addresses as dotted text, pools as (first, last), times in seconds."""

    network: str
    netmask: str
    pools: tuple[Range, ...] = ()
    routers: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    domain: str = ""
    next_server: str = ""
    known_only: bool = False

    @property
    def net(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network("%s/%s" % (self.network, self.netmask))


@dataclass(frozen=True)
class Reservation:
    """A fixed address for a network card."""

    name: str
    mac: str
    ip: str


@dataclass(frozen=True)
class DhcpConfig:
    """Everything a DHCP server has to know. ``loaders`` pairs an architecture with its boot file.

    ``interface`` is the only one to serve; ISC takes it from its service's environment, other servers from here.
    ``local_address`` binds the socket for unicast requests; '' listens on every address.

    ``ipxe_script`` is the URL for clients that are iPXE already; '' leaves a feature out. The pxelinux options are
    numbers 208 to 211 of RFC 5071.
    """

    subnets: tuple[Subnet, ...]
    interface: str = ""
    local_address: str = ""
    reservations: tuple[Reservation, ...] = ()
    next_server: str = ""
    authoritative: bool = True
    default_lease: int = 600
    max_lease: int = 7200
    loaders: tuple[tuple[str, str], ...] = ()
    etherboot_loader: str = ""
    ipxe_script: str = ""
    configfile: str = ""
    pathprefix: str = ""
    reboottime: int = 0


def _list(value: object) -> list[t.Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _parse_network(item: t.Mapping[str, t.Any], owner: str) -> ipaddress.IPv4Network:
    text = str(item.get("network") or "")
    if item.get("netmask") and "/" not in text:
        text = "%s/%s" % (text, item["netmask"])
    try:
        net = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ClusterError("%s: bad network %r: %s" % (owner, text, error), "as in 10.0.1.0/24")
    if net.prefixlen > 30 or "/" not in text:
        raise ClusterError("%s: network %r has no room for nodes" % (owner, text), "as in 10.0.1.0/24")
    return net


def _parse_pool(value: object, net: ipaddress.IPv4Network, owner: str) -> Range:
    if isinstance(value, t.Mapping):
        value = "%s-%s" % (value.get("first"), value.get("last"))
    first, dash, last = (part.strip() for part in str(value).partition("-"))
    if not dash:
        raise ClusterError("%s: bad pool %r" % (owner, value), "as in 10.0.1.100-10.0.1.199")
    low, high = (ipaddress.IPv4Address(parse_ip(part, owner, "pool address")) for part in (first, last))
    if low > high or low <= net.network_address or high >= net.broadcast_address:
        raise ClusterError("%s: pool %s-%s does not lie in %s" % (owner, low, high, net), "from low to high, inside")
    return str(low), str(high)


def _parse_subnet(item: object) -> Subnet:
    if not isinstance(item, t.Mapping):
        raise ClusterError("subnet %r" % (item,), "a mapping with network, netmask, pools")
    net = _parse_network(item, "subnet %s" % item.get("network"))
    owner = "subnet %s" % net
    domain = str(item.get("domain") or "")
    if domain and not _DOMAIN.fullmatch(domain):
        raise ClusterError("%s: bad domain %r" % (owner, domain), "as in cluster.example")
    server = item.get("next_server")
    return Subnet(
        network=str(net.network_address),
        netmask=str(net.netmask),
        pools=tuple(sorted(_parse_pool(value, net, owner) for value in _list(item.get("pools")))),
        routers=tuple(parse_ip(value, owner, "router") for value in _list(item.get("routers"))),
        dns=tuple(parse_ip(value, owner, "DNS server") for value in _list(item.get("dns"))),
        domain=domain,
        next_server=parse_ip(server, owner, "next_server") if server else "",
        known_only=bool(item.get("known_only", False)),
    )


def _file_name(value: object, what: str) -> str:
    text = str(value or "")
    if not _PATH.fullmatch(text) or len(text) > 127:
        raise ClusterError("dhcp: bad %s %r" % (what, value), "a path or URL of at most 127 characters")
    return text


def _interface(value: object) -> str:
    text = str(value or "")
    if not re.fullmatch(r"[A-Za-z0-9_.:@-]{0,15}", text):
        raise ClusterError("dhcp: bad interface %r" % value, "as in eth1")
    return text


def _parse_loaders(value: t.Mapping[str, t.Any]) -> tuple[tuple[str, str], ...]:
    for name in value:
        if name not in ARCHITECTURES:
            raise ClusterError("dhcp: unknown architecture %r" % name, "one of %s" % ", ".join(ARCHITECTURES))
    return tuple((name, _file_name(value[name], "loader")) for name in ARCHITECTURES if value.get(name))


def parse_subnets(items: object) -> tuple[Subnet, ...]:
    """Subnets from their mappings, sorted by address."""
    return tuple(sorted((_parse_subnet(each) for each in _list(items)), key=lambda subnet: subnet.net))


def parse_dhcp(item: t.Mapping[str, t.Any], nodes: t.Sequence[Node], address: str) -> DhcpConfig:
    """The model from the module's ``dhcp`` option, checked against the nodes; ``address`` is the boot server's."""
    subnets = parse_subnets(item.get("subnets"))
    if not subnets:
        raise ClusterError("dhcp: no subnet is given", "set dhcp.subnets, or dhcp.backend=none for a foreign server")
    server = parse_ip(item.get("next_server") or address, "dhcp", "next_server")
    default = parse_int(item.get("default_lease", 600), "dhcp", "default_lease", 30, 1 << 31)
    config = DhcpConfig(
        subnets=tuple(replace(s, next_server="") if s.next_server == server else s for s in subnets),
        interface=_interface(item.get("interface")),
        local_address=address if item.get("bind", True) else "",
        reservations=tuple(sorted((Reservation(n.name, n.mac, n.ip) for n in nodes), key=lambda r: r.name)),
        next_server=server,
        authoritative=bool(item.get("authoritative", True)),
        default_lease=default,
        max_lease=parse_int(item.get("max_lease", 7200), "dhcp", "max_lease (>= default_lease)", default, 1 << 31),
        loaders=_parse_loaders(item.get("loaders") or {}),
        etherboot_loader=_file_name(item.get("etherboot_loader"), "etherboot_loader"),
        ipxe_script=_file_name(item.get("ipxe_script"), "ipxe_script"),
        configfile=_file_name(item.get("configfile"), "configfile"),
        pathprefix=_file_name(item.get("pathprefix"), "pathprefix"),
        reboottime=parse_int(item.get("reboottime", 30), "dhcp", "reboottime", 0, 86400),
    )
    _check_subnets(subnets, address)
    _check_nodes(config, nodes, address)
    return config


def _number(address: str) -> int:
    return int(ipaddress.IPv4Address(address))


def _check_subnets(subnets: tuple[Subnet, ...], address: str) -> None:
    for one, two in zip(subnets, subnets[1:]):
        if one.net.overlaps(two.net):
            raise ClusterError("dhcp: subnets %s and %s overlap" % (one.net, two.net), "give each address one subnet")
    pools = sorted(((_number(a), _number(b), a + "-" + b) for s in subnets for a, b in s.pools))
    for one_pool, two_pool in zip(pools, pools[1:]):
        if two_pool[0] <= one_pool[1]:
            raise ClusterError("dhcp: pools %s and %s overlap" % (one_pool[2], two_pool[2]), "join them")
    for low, high, text in pools:
        if low <= _number(address) <= high:
            raise ClusterError("dhcp: pool %s holds the boot server's address %s" % (text, address), "shrink the pool")


def _check_nodes(config: DhcpConfig, nodes: t.Sequence[Node], address: str) -> None:
    ranges = [(int(s.net.network_address), int(s.net.broadcast_address), s) for s in config.subnets]
    pools = [(_number(a), _number(b), "%s-%s" % (a, b)) for s in config.subnets for a, b in s.pools]
    shown = ", ".join(str(s.net) for s in config.subnets)
    for node in nodes:
        number = _number(node.ip)
        if node.ip == address:
            raise ClusterError("%s has the boot server's address %s" % (node.name, node.ip), "give it another node_ip")
        if not any(low < number < high for low, high, _subnet in ranges):
            raise ClusterError(
                "%s: %s is outside the subnet %s" % (node.name, node.ip, shown), "mend node_ip or network"
            )
        for low, high, text in pools:
            if low <= number <= high:
                raise ClusterError(
                    "%s: its address %s lies in the pool %s" % (node.name, node.ip, text),
                    "move the pool: reservations and pools must not overlap",
                )
