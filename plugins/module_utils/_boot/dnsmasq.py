# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration of dnsmasq that does DHCP only. This module util is private to the collection.

Syntax as in dnsmasq(8); option numbers from RFC 4578 (93) and RFC 5071 (208-211). One reservation to a line, so that a
diff shows nodes.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._host.errors import ClusterError
from .dhcp import ARCHITECTURES, DhcpConfig, Reservation, Subnet

HEADER = "# Managed by xtreemos.cluster.pxe_nodes: changes made here are overwritten."
_NO_MAX = "# dnsmasq has no longest lease; asked for were %d seconds"
_HOST_LINE = re.compile(r"dhcp-host=(\S+?),(\S+?),(\S+)")


def _globals(config: DhcpConfig) -> t.Iterator[str]:
    yield HEADER
    yield "port=0"
    yield "no-resolv"
    yield "no-hosts"
    # File and server in their own fields: old ROMs look nowhere else.
    yield "dhcp-no-override"
    if config.interface:
        yield "interface=%s" % config.interface
        yield "bind-dynamic"
    if config.local_address:
        # Broadcasts come by the interface; dnsmasq binds DHCP to no address.
        yield "# on %s" % config.local_address
    if config.authoritative:
        yield "dhcp-authoritative"
    yield _NO_MAX % config.max_lease
    yield "log-dhcp"


def _classes(config: DhcpConfig) -> t.Iterator[str]:
    if config.loaders:
        yield "dhcp-vendorclass=set:pxe,PXEClient"
    for name, _loader in config.loaders:
        for code in ARCHITECTURES[name]:
            yield "dhcp-match=set:%s,option:client-arch,%d" % (name, code)
    if config.ipxe_script:
        yield "dhcp-userclass=set:ipxe,iPXE"
    if config.etherboot_loader:
        yield "dhcp-vendorclass=set:etherboot,Etherboot-5.0"


def _pxelinux(config: DhcpConfig) -> t.Iterator[str]:
    """Options for every loader of syslinux; it does not always ask for them."""
    yield "dhcp-option-force=208,f1:00:74:7e"
    if config.configfile:
        yield "dhcp-option-force=209,%s" % config.configfile
    if config.pathprefix:
        yield "dhcp-option-force=210,%s" % config.pathprefix
    if config.reboottime:
        yield "dhcp-option-force=211,%di" % config.reboottime


def _boots(tag: str, server: str, config: DhcpConfig) -> t.Iterator[str]:
    """What each kind of client of a subnet boots; no client fits two lines."""
    for name, loader in config.loaders:
        if config.ipxe_script:
            yield "dhcp-boot=tag:%s,tag:pxe,tag:%s,tag:ipxe,%s,,%s" % (tag, name, config.ipxe_script, server)
            yield "dhcp-boot=tag:%s,tag:pxe,tag:%s,tag:!ipxe,%s,,%s" % (tag, name, loader, server)
        else:
            yield "dhcp-boot=tag:%s,tag:pxe,tag:%s,%s,,%s" % (tag, name, loader, server)
    if config.etherboot_loader:
        yield "dhcp-boot=tag:%s,tag:etherboot,%s,,%s" % (tag, config.etherboot_loader, server)


def _subnet(number: int, subnet: Subnet, config: DhcpConfig) -> t.Iterator[str]:
    tag, lease = "net%d" % number, config.default_lease
    # The static range is for reservations; without it dnsmasq would know no subnet for them.
    yield "dhcp-range=set:%s,%s,static,%s,%d" % (tag, subnet.network, subnet.netmask, lease)
    for first, last in subnet.pools:
        yield "dhcp-range=set:%s,%s,%s,%s,%d" % (tag, first, last, subnet.netmask, lease)
    if subnet.known_only:
        yield "dhcp-ignore=tag:%s,tag:!known" % tag
    # Without a value dnsmasq does not offer itself.
    yield ",".join(["dhcp-option=tag:%s" % tag, "option:router", *subnet.routers])
    if subnet.dns:
        yield ",".join(["dhcp-option=tag:%s" % tag, "option:dns-server", *subnet.dns])
    if subnet.domain:
        yield "dhcp-option=tag:%s,option:domain-name,%s" % (tag, subnet.domain)
    if subnet.next_server:
        yield "# %s fetches from %s" % (tag, subnet.next_server)
    yield from _boots(tag, subnet.next_server or config.next_server, config)


def _lines(config: DhcpConfig) -> t.Iterator[str]:
    yield from _globals(config)
    yield "# every other subnet fetches from %s" % config.next_server
    yield from _classes(config)
    yield from _pxelinux(config)
    for number, subnet in enumerate(config.subnets, 1):
        yield from _subnet(number, subnet, config)
    for host in config.reservations:
        yield "dhcp-host=%s,%s,%s" % (host.mac, host.ip, host.name)


class DnsmasqBackend:
    """dnsmasq. ``tester`` is the server itself, which reads the file and stops."""

    name: str = "dnsmasq"
    header: str = HEADER
    path: str = "/etc/xtreemos-dnsmasq.conf"
    tester: tuple[str, ...] = ("dnsmasq", "--test", "-C", "%s")

    def render(self, config: DhcpConfig) -> str:
        """The whole file."""
        return "\n".join(_lines(config)) + "\n"

    def parse(self, text: str, name: str = "dnsmasq.conf") -> DhcpConfig:
        """The model of a file that :meth:`render` wrote; ClusterError for any other."""
        if not text.startswith(HEADER + "\n"):
            raise ClusterError("%s line 1: not written by pxe_nodes" % name, "it must begin with %r" % HEADER)
        try:
            config = _read(text)
            same = self.render(config) == text
        except (ValueError, KeyError, IndexError) as error:
            raise ClusterError("%s is not ours: %s" % (name, error), "write it again with pxe_nodes")
        if not same:
            raise ClusterError("%s is not as pxe_nodes writes it" % name, "write it again with pxe_nodes")
        return config

    def reservations(self, text: str) -> dict[str, Reservation]:
        """The reservations of a file by name; those that we did not write are passed over."""
        found = (_HOST_LINE.fullmatch(line) for line in text.splitlines())
        return {m.group(3): Reservation(m.group(3), m.group(1), m.group(2)) for m in found if m}


def _one(pattern: str, text: str, default: str = "") -> str:
    found = re.search("^" + pattern + "$", text, re.M)
    return found.group(1) if found else default


def _values(tag: str, option: str, text: str) -> tuple[str, ...]:
    found = _one("dhcp-option=tag:%s,option:%s,(.*)" % (tag, option), text)
    return tuple(found.split(",")) if found else ()


def _read_subnet(tag: str, network: str, netmask: str, text: str) -> Subnet:
    ipaddress.IPv4Network("%s/%s" % (network, netmask))
    pools = re.findall(r"^dhcp-range=set:%s,(\S+?),(\d\S+?),\S+?,\d+$" % tag, text, re.M)
    return Subnet(
        network=network,
        netmask=netmask,
        pools=tuple(t.cast("list[tuple[str, str]]", pools)),
        routers=_values(tag, "router", text),
        dns=_values(tag, "dns-server", text),
        domain=_one("dhcp-option=tag:%s,option:domain-name,(.*)" % tag, text),
        next_server=_one(r"# %s fetches from (\S+)" % tag, text),
        known_only="dhcp-ignore=tag:%s,tag:!known" % tag in text.splitlines(),
    )


def _read_loaders(text: str) -> tuple[tuple[str, str], ...]:
    loader = r"dhcp-boot=tag:net1,tag:pxe,tag:%s,(?:tag:!ipxe,)?(?!tag:)(\S+?),,\S+"
    pairs = [(name, _one(loader % name, text)) for name in ARCHITECTURES]
    return tuple((name, found) for name, found in pairs if found)


def _read(text: str) -> DhcpConfig:
    subnets = re.findall(r"^dhcp-range=set:(net\d+),(\S+?),static,(\S+?),(\d+)$", text, re.M)
    return DhcpConfig(
        subnets=tuple(_read_subnet(tag, network, netmask, text) for tag, network, netmask, _lease in subnets),
        interface=_one(r"interface=(\S+)", text),
        local_address=_one(r"# on (\S+)", text),
        reservations=tuple(DnsmasqBackend().reservations(text).values()),
        next_server=_one(r"# every other subnet fetches from (\S+)", text),
        authoritative="dhcp-authoritative" in text.splitlines(),
        default_lease=int(subnets[0][3]),
        max_lease=int(_one(_NO_MAX.replace("%d", r"(\d+)"), text, "0")),
        loaders=_read_loaders(text),
        etherboot_loader=_one(r"dhcp-boot=tag:net1,tag:etherboot,(\S+?),,\S+", text),
        ipxe_script=_one(r"dhcp-boot=tag:net1,tag:pxe,tag:\w+,tag:ipxe,(\S+?),,\S+", text),
        configfile=_one(r"dhcp-option-force=209,(\S+)", text),
        pathprefix=_one(r"dhcp-option-force=210,(\S+)", text),
        reboottime=int(_one(r"dhcp-option-force=211,(\d+)i", text, "0")),
    )
