# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kea-dhcp4.conf of Kea 2. This module util is private to the collection.

Syntax as in the Kea Administrator Reference Manual, chapters "DHCPv4 Server" and "Client Classification"; option
numbers from RFC 4578 (93), RFC 3004 (77) and RFC 5071 (208-211). One reservation to a line, so that a diff shows nodes.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from .._host.errors import ClusterError
from .dhcp import ARCHITECTURES, DhcpConfig, Reservation, Subnet

HEADER = "// Managed by xtreemos.cluster.pxe_nodes: changes made here are overwritten."
LEASES = "/var/lib/kea/kea-leases4.csv"
Data = t.Dict[str, t.Any]

_PXELINUX = {"configfile": (209, "string"), "pathprefix": (210, "string"), "reboottime": (211, "uint32")}
_MAGIC = "F100747E"
# A card without link at the start: without this Kea runs on and hears nothing when the link comes. Milliseconds.
_PATIENCE = {"service-sockets-max-retries": 1000000, "service-sockets-retry-wait-time": 2000}
# No discovery, as sub-option 1 (mtftp-ip) alone says to a PXE ROM.
_VENDOR = "010400000000FF"
_HOST_LINE = re.compile(r'\{"hw-address": "(\S+)", "ip-address": "(\S+)", "hostname": "(\S+)"\}')


def _option(name: str, data: str, **more: t.Any) -> Data:
    return {"name": name, "data": data, **more}


def _definitions() -> list[Data]:
    magic = {"name": "pxelinux-magic", "code": 208, "type": "binary"}
    return [magic, *({"name": name, "code": code, "type": kind} for name, (code, kind) in _PXELINUX.items())]


def _pxelinux(config: DhcpConfig) -> list[Data]:
    """Options for every loader of syslinux; it does not always ask for them."""
    found = [_option("pxelinux-magic", _MAGIC, **{"csv-format": False, "always-send": True})]
    for name in _PXELINUX:
        value = getattr(config, name)
        if value:
            found.append(_option(name, str(value), **{"always-send": True}))
    return found


def _arch(name: str) -> str:
    return "(%s)" % " or ".join("option[93].hex == 0x%04x" % code for code in ARCHITECTURES[name])


def _class(name: str, test: str, loader: str) -> Data:
    found: Data = {"name": name, "test": test, "boot-file-name": loader}
    # UEFI takes an answer with a vendor class for one of a boot service, and asks that for the file.
    if name.endswith("_bios"):
        vendor = _option("vendor-encapsulated-options", _VENDOR, **{"csv-format": False})
        found["option-data"] = [_option("vendor-class-identifier", "PXEClient"), vendor]
    return found


def _classes(config: DhcpConfig) -> list[Data]:
    """One class for each kind of client; no client is in two of them."""
    pxe = "substring(option[60].hex, 0, 9) == 'PXEClient' and %s"
    found = []
    for name, loader in config.loaders:
        own = pxe % _arch(name)
        if config.ipxe_script:
            ipxe = own + " and option[77].hex == 'iPXE'"
            found.append(_class("ipxe_" + name, ipxe, config.ipxe_script))
            own += " and not (option[77].hex == 'iPXE')"
        found.append(_class("pxe_" + name, own, loader))
    if config.etherboot_loader:
        test = "substring(option[60].hex, 0, 13) == 'Etherboot-5.0'"
        found.append({"name": "etherboot", "test": test, "boot-file-name": config.etherboot_loader})
    return found


def _subnet(number: int, subnet: Subnet, hosts: t.Sequence[Reservation]) -> Data:
    options = []
    for name, values in (("routers", subnet.routers), ("domain-name-servers", subnet.dns)):
        if values:
            options.append(_option(name, ", ".join(values)))
    if subnet.domain:
        options.append(_option("domain-name", subnet.domain))
    known = {"client-class": "KNOWN"} if subnet.known_only else {}
    found: Data = {
        "id": number,
        "subnet": str(subnet.net),
        "pools": [{"pool": "%s - %s" % pool, **known} for pool in subnet.pools],
        "option-data": options,
    }
    if subnet.next_server:
        found["next-server"] = subnet.next_server
    found["reservations"] = [{"hw-address": host.mac, "ip-address": host.ip, "hostname": host.name} for host in hosts]
    return found


def _interfaces(config: DhcpConfig) -> list[str]:
    name = config.interface or "*"
    return ["%s/%s" % (name, config.local_address) if config.local_address and config.interface else name]


def _hosts(config: DhcpConfig) -> dict[Subnet, list[Reservation]]:
    """Reservations by the subnet that holds them."""
    numbers = [
        (int(subnet.net.network_address), int(subnet.net.broadcast_address), subnet) for subnet in config.subnets
    ]
    found: dict[Subnet, list[Reservation]] = {subnet: [] for subnet in config.subnets}
    for host in config.reservations:
        number = int(ipaddress.IPv4Address(host.ip))
        found[next(subnet for low, high, subnet in numbers if low <= number <= high)].append(host)
    return found


def _model(config: DhcpConfig) -> Data:
    hosts = _hosts(config)
    server = {
        "interfaces-config": {"interfaces": _interfaces(config), "dhcp-socket-type": "raw", **_PATIENCE},
        "lease-database": {"type": "memfile", "persist": True, "name": LEASES},
        "authoritative": config.authoritative,
        "valid-lifetime": config.default_lease,
        "max-valid-lifetime": config.max_lease,
        "next-server": config.next_server,
        "host-reservation-identifiers": ["hw-address"],
        "reservations-out-of-pool": True,
        "option-def": _definitions(),
        "option-data": _pxelinux(config),
        "client-classes": _classes(config),
        "subnet4": [_subnet(number, subnet, hosts[subnet]) for number, subnet in enumerate(config.subnets, 1)],
        "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
    }
    if config.local_address and not config.interface:
        server["user-context"] = {"local-address": config.local_address}
    return {"Dhcp4": server}


def _one_line(match: t.Match[str]) -> str:
    return re.sub(r"\s*\n\s*", " ", match.group(0)).replace("{ ", "{").replace(" }", "}")


class KeaBackend:
    """Kea. ``tester`` is the server itself, which reads the file and stops."""

    name: str = "kea"
    header: str = HEADER
    path: str = "/etc/kea/kea-dhcp4.conf"
    tester: tuple[str, ...] = ("kea-dhcp4", "-t", "%s")

    def render(self, config: DhcpConfig) -> str:
        """The whole kea-dhcp4.conf."""
        text = json.dumps(_model(config), indent=1)
        text = re.sub(
            r'\{\s*"hw-address": "[^"]*",\s*"ip-address": "[^"]*",\s*"hostname": "[^"]*"\s*\}', _one_line, text
        )
        return "%s\n%s\n" % (HEADER, text)

    def parse(self, text: str, name: str = "kea-dhcp4.conf") -> DhcpConfig:
        """The model of a file that :meth:`render` wrote; ClusterError for any other."""
        if not text.startswith(HEADER + "\n"):
            raise ClusterError("%s line 1: not written by pxe_nodes" % name, "it must begin with %r" % HEADER)
        try:
            config = _read(json.loads(text[len(HEADER) :])["Dhcp4"])
            same = self.render(config) == text
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
            raise ClusterError("%s is not ours: %r" % (name, error), "write it again with pxe_nodes")
        if not same:
            raise ClusterError("%s is not as pxe_nodes writes it" % name, "write it again with pxe_nodes")
        return config

    def reservations(self, text: str) -> dict[str, Reservation]:
        """The reservations of a file by name; those that we did not write are passed over."""
        return {m.group(3): Reservation(m.group(3), m.group(1), m.group(2)) for m in _HOST_LINE.finditer(text)}


def _data(options: t.Iterable[Data]) -> dict[str, str]:
    return {str(option["name"]): str(option["data"]) for option in options}


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()


def _read_subnet(item: Data) -> Subnet:
    net = ipaddress.IPv4Network(item["subnet"])
    options = _data(item["option-data"])
    pools = tuple(tuple(pool["pool"].split(" - ")) for pool in item["pools"])
    return Subnet(
        network=str(net.network_address),
        netmask=str(net.netmask),
        pools=t.cast("tuple[tuple[str, str], ...]", pools),
        routers=_split(options.get("routers", "")),
        dns=_split(options.get("domain-name-servers", "")),
        domain=options.get("domain-name", ""),
        next_server=str(item.get("next-server", "")),
        known_only=any("client-class" in pool for pool in item["pools"]),
    )


def _read(server: Data) -> DhcpConfig:
    interface, _slash, address = server["interfaces-config"]["interfaces"][0].partition("/")
    options = _data(server["option-data"])
    loaders = {one["name"]: str(one["boot-file-name"]) for one in server["client-classes"]}
    scripts = [loader for name, loader in loaders.items() if name.startswith("ipxe_")]
    hosts = [host for subnet in server["subnet4"] for host in subnet["reservations"]]
    rows = (Reservation(str(host["hostname"]), str(host["hw-address"]), str(host["ip-address"])) for host in hosts)
    return DhcpConfig(
        subnets=tuple(_read_subnet(item) for item in server["subnet4"]),
        interface="" if interface == "*" else interface,
        local_address=address or server.get("user-context", {}).get("local-address", ""),
        reservations=tuple(sorted(rows, key=lambda row: row.name)),
        next_server=str(server["next-server"]),
        authoritative=server["authoritative"] is True,
        default_lease=int(server["valid-lifetime"]),
        max_lease=int(server["max-valid-lifetime"]),
        loaders=tuple((arch, loaders["pxe_" + arch]) for arch in ARCHITECTURES if "pxe_" + arch in loaders),
        etherboot_loader=loaders.get("etherboot", ""),
        ipxe_script=scripts[0] if scripts else "",
        configfile=options.get("configfile", ""),
        pathprefix=options.get("pathprefix", ""),
        reboottime=int(options.get("reboottime", 0)),
    )
