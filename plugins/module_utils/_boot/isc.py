# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dhcpd.conf of ISC DHCP 4. This module util is private to the collection.

Syntax as in dhcpd.conf(5), dhcp-options(5) and dhcp-eval(5); option numbers from RFC 4578 (93) and RFC 5071 (208-211).
One statement to a line and one reservation to a line, so that a diff shows nodes.
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .dhcp import ARCHITECTURES, DhcpConfig, Reservation, Subnet

HEADER = "# Managed by xtreemos.cluster.pxe_nodes: changes made here are overwritten."

_DEFINITIONS = """\
option client-arch code 93 = unsigned integer 16;
option space PXE;
option PXE.mtftp-ip code 1 = ip-address;
option PXE.mtftp-cport code 2 = unsigned integer 16;
option PXE.mtftp-sport code 3 = unsigned integer 16;
option PXE.mtftp-tmout code 4 = unsigned integer 8;
option PXE.mtftp-delay code 5 = unsigned integer 8;
option PXE.discovery-control code 6 = unsigned integer 8;
option PXE.discovery-mcast-addr code 7 = ip-address;
option space pxelinux;
option pxelinux.magic code 208 = string;
option pxelinux.configfile code 209 = text;
option pxelinux.pathprefix code 210 = text;
option pxelinux.reboottime code 211 = unsigned integer 32;
site-option-space "pxelinux";
option pxelinux.magic f1:00:74:7e;"""

_INTERFACE = "# Serves interface %s, which the service's defaults file names."
_HOST = 'host %s { hardware ethernet %s; fixed-address %s; option host-name "%s"; }'
_HOST_LINE = re.compile(r'host (\S+) \{ hardware ethernet (\S+); fixed-address (\S+); option host-name "(\S+)"; \}')


def _globals(config: DhcpConfig) -> t.Iterator[str]:
    yield HEADER
    if config.interface:
        yield _INTERFACE % config.interface
    yield "ddns-update-style none;"
    yield "authoritative;" if config.authoritative else "not authoritative;"
    if config.local_address:
        # Broadcasts still arrive: on Linux dhcpd reads them from a packet socket.
        yield "local-address %s;" % config.local_address
    yield "allow booting;"
    yield "allow bootp;"
    yield "default-lease-time %d;" % config.default_lease
    yield "max-lease-time %d;" % config.max_lease
    # Not in the classes: a class would win over its client's subnet.
    yield "next-server %s;" % config.next_server
    yield _DEFINITIONS
    if config.reboottime:
        yield "option pxelinux.reboottime %d;" % config.reboottime
    if config.configfile:
        yield 'option pxelinux.configfile "%s";' % config.configfile
    if config.pathprefix:
        yield 'option pxelinux.pathprefix "%s";' % config.pathprefix


def _etherboot(config: DhcpConfig) -> t.Iterator[str]:
    if not config.etherboot_loader:
        return
    yield 'class "Etherboot" {'
    yield '  match if substring(option vendor-class-identifier, 0, 13) = "Etherboot-5.0";'
    yield '  filename "%s";' % config.etherboot_loader
    yield "  option vendor-encapsulated-options 3c:09:45:74:68:65:72:62:6f:6f:74:ff;"
    yield '  option vendor-class-identifier "Etherboot-5.0";'
    yield "  vendor-option-space PXE;"
    yield "  option PXE.mtftp-ip 0.0.0.0;"
    yield "}"


def _arch_test(name: str) -> str:
    return " or ".join("option client-arch = 00:%02x" % code for code in ARCHITECTURES[name])


def _branches(config: DhcpConfig) -> t.Iterator[str]:
    word = "if"
    for name, loader in config.loaders:
        if config.ipxe_script:
            yield '  %s option user-class = "iPXE" and (%s) {' % (word, _arch_test(name))
            yield '    filename "%s";' % config.ipxe_script
            word = "} elsif"
        yield "  %s %s {" % (word, _arch_test(name))
        yield '    filename "%s";' % loader
        word = "} elsif"
    yield "  }"


def _pxe(config: DhcpConfig) -> t.Iterator[str]:
    if not config.loaders:
        return
    yield 'class "PXE" {'
    yield '  match if substring(option vendor-class-identifier, 0, 9) = "PXEClient";'
    # UEFI takes an answer with a vendor class for one of a boot service, and asks that for the file.
    yield "  if %s {" % _arch_test("bios")
    yield '    option vendor-class-identifier "PXEClient";'
    yield "    vendor-option-space PXE;"
    yield "    option PXE.mtftp-ip 0.0.0.0;"
    yield "  }"
    yield "  option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, d0, d1, d2, d3);"
    yield from _branches(config)
    yield "}"


def _subnet(subnet: Subnet, config: DhcpConfig) -> t.Iterator[str]:
    yield "subnet %s netmask %s {" % (subnet.network, subnet.netmask)
    yield "  option subnet-mask %s;" % subnet.netmask
    if subnet.routers:
        yield "  option routers %s;" % ", ".join(subnet.routers)
    if subnet.dns:
        yield "  option domain-name-servers %s;" % ", ".join(subnet.dns)
    if subnet.domain:
        yield '  option domain-name "%s";' % subnet.domain
    if subnet.next_server:
        yield "  next-server %s;" % subnet.next_server
    for first, last in subnet.pools:
        yield "  pool {"
        if subnet.known_only:
            yield "    deny unknown-clients;"
        yield "    range %s %s;" % (first, last)
        yield "  }"
    yield "}"


def _lines(config: DhcpConfig) -> t.Iterator[str]:
    yield from _globals(config)
    yield from _etherboot(config)
    yield from _pxe(config)
    for subnet in config.subnets:
        yield from _subnet(subnet, config)
    for host in config.reservations:
        yield _HOST % (host.name, host.mac, host.ip, host.name)


class IscBackend:
    """ISC dhcpd. ``tester`` is its own syntax check; it wants a real file, no pipe."""

    name: str = "isc"
    header: str = HEADER
    path: str = "/etc/dhcp/dhcpd.conf"
    tester: tuple[str, ...] = ("dhcpd", "-4", "-t", "-q", "-cf", "%s")

    def render(self, config: DhcpConfig) -> str:
        """The whole dhcpd.conf."""
        return "\n".join(_lines(config)) + "\n"

    def parse(self, text: str, name: str = "dhcpd.conf") -> DhcpConfig:
        """The model of a file that :meth:`render` wrote; ClusterError names the first line that is not ours."""
        config = _read(text, name)
        ours = self.render(config).splitlines()
        theirs = text.splitlines()
        for number, (own, line) in enumerate(zip(ours + [""] * len(theirs), theirs), 1):
            if own != line:
                raise ClusterError("%s line %d: %r is not ours" % (name, number, line), "expected %r" % own)
        if len(ours) != len(theirs):
            raise ClusterError("%s ends after line %d" % (name, len(theirs)), "write it again with pxe_nodes")
        return config

    def reservations(self, text: str) -> dict[str, Reservation]:
        """The reservations of a file by name; statements that we did not write are passed over."""
        found = (_HOST_LINE.fullmatch(line) for line in text.splitlines() if line.startswith("host "))
        return {m.group(1): Reservation(m.group(1), m.group(2), m.group(3)) for m in found if m}


def _one(pattern: str, text: str, default: str = "") -> str:
    found = re.search("^" + pattern + "$", text, re.M)
    return found.group(1) if found else default


def _read_subnet(body: str, network: str, netmask: str) -> Subnet:
    return Subnet(
        network=network,
        netmask=netmask,
        pools=tuple(t.cast("list[tuple[str, str]]", re.findall(r"^    range (\S+) (\S+);$", body, re.M))),
        routers=tuple(filter(None, _one(r"  option routers (.*);", body).split(", "))),
        dns=tuple(filter(None, _one(r"  option domain-name-servers (.*);", body).split(", "))),
        domain=_one(r'  option domain-name "(.*)";', body),
        next_server=_one(r"  next-server (\S+);", body),
        known_only="deny unknown-clients;" in body,
    )


def _read_subnets(text: str) -> tuple[Subnet, ...]:
    blocks = re.findall(r"^subnet (\S+) netmask (\S+) \{\n(.*?)^\}$", text, re.M | re.S)
    return tuple(_read_subnet(body, network, netmask) for network, netmask, body in blocks)


def _read(text: str, name: str) -> DhcpConfig:
    if not text.startswith(HEADER):
        raise ClusterError("%s line 1: not written by pxe_nodes" % name, "it must begin with %r" % HEADER)
    pxe = _one(r'(class "PXE" \{\n(?:  .*\n)*)\}', text)
    pairs = [
        (arch, _one(r"  (?:if|\} elsif) %s \{\n    filename \"(.*)\";" % _arch_test(arch), pxe))
        for arch in ARCHITECTURES
    ]
    return DhcpConfig(
        subnets=_read_subnets(text),
        interface=_one(_INTERFACE % r"(\S+)", text),
        local_address=_one(r"local-address (\S+);", text),
        reservations=tuple(IscBackend().reservations(text).values()),
        next_server=_one(r"next-server (\S+);", text),
        authoritative=not _one("(not authoritative;)", text),
        default_lease=int(_one(r"default-lease-time (\d+);", text, "0")),
        max_lease=int(_one(r"max-lease-time (\d+);", text, "0")),
        loaders=tuple((arch, loader) for arch, loader in pairs if loader),
        etherboot_loader=_one(r'class "Etherboot" \{\n.*\n  filename "(.*)";', text),
        ipxe_script=_one(r'  (?:if|\} elsif) option user-class = "iPXE" .*\{\n    filename "(.*)";', pxe),
        configfile=_one(r'option pxelinux.configfile "(.*)";', text),
        pathprefix=_one(r'option pxelinux.pathprefix "(.*)";', text),
        reboottime=int(_one(r"option pxelinux.reboottime (\d+);", text, "0")),
    )
