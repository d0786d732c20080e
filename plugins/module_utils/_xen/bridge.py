# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bridges of a dom0: files of systemd-networkd or ifupdown, and a switch that undoes itself. Private to the collection.

Formats: systemd.netdev(5), systemd.network(5) of systemd 252; interfaces(5) with bridge-utils-interfaces(5).
"""

from __future__ import annotations

import json
import re
import time
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, plan_files
from .._host.host import File, Host

MANAGERS = ("networkd", "ifupdown")
NETWORKD, IFUPDOWN = "/etc/systemd/network", "/etc/network/interfaces.d"
_HEAD = "# Managed by the module xtreemos.cluster.xen_bridge: changes made here are overwritten.\n"
# What the kernel takes as the name of an interface.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$")
_CIDR = re.compile(r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}$|[0-9a-f:]+/\d{1,3}$")


@dataclass(frozen=True)
class Bridge:
    """One bridge; ``address`` is a CIDR, ``dhcp`` or ``none``, ``interface`` the card in it (or empty)."""

    name: str
    interface: str = ""
    address: str = "none"
    gateway: str = ""
    dns: tuple[str, ...] = ()
    mtu: int = 0


@dataclass(frozen=True)
class BridgePlan:
    """Files to write; ``wrong`` says what of the running network does not fit."""

    files: FilePlan
    manager: str
    wrong: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.files.changed or bool(self.wrong)


def parse(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[Bridge]:
    """Bridges sorted by name; ClusterError names the wrong one."""
    bridges = sorted((_one(entry) for entry in entries), key=lambda bridge: bridge.name)
    names = [bridge.name for bridge in bridges] + [bridge.interface for bridge in bridges if bridge.interface]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClusterError("%s is used twice" % twice[0], "an interface is in one bridge, and a bridge listed once")
    return bridges


def _one(entry: t.Mapping[str, t.Any]) -> Bridge:
    fields = {key: value for key, value in entry.items() if value is not None}
    bridge = Bridge(**{**fields, "dns": tuple(fields.get("dns", ()))})
    for name in (bridge.name, bridge.interface or bridge.name):
        if not _NAME.match(name):
            raise ClusterError("%r is no name of an interface" % name, "at most 15 letters, digits, '.', '_' and '-'")
    if bridge.address not in ("none", "dhcp") and not _CIDR.match(bridge.address):
        raise ClusterError(
            "bridge %s: %r is no address" % (bridge.name, bridge.address), "write 10.0.1.2/24, dhcp or none"
        )
    return bridge


def _networkd(bridge: Bridge, mac: str) -> t.Iterator[tuple[str, str]]:
    mtu = "MTUBytes=%d\n" % bridge.mtu if bridge.mtu else ""
    # The card's own MAC, so that a lease and the neighbours' tables stay good.
    same = "MACAddress=%s\n" % mac if mac else ""
    yield "05-xtreemos-%s.netdev" % bridge.name, "[NetDev]\nName=%s\nKind=bridge\n%s%s" % (bridge.name, same, mtu)
    lines = ["[Match]", "Name=%s" % bridge.name, "", "[Network]", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    lines += ["ConfigureWithoutCarrier=yes"] if not bridge.interface else []
    if bridge.address == "dhcp":
        lines += ["DHCP=ipv4"]
    elif bridge.address != "none":
        lines += ["Address=%s" % bridge.address]
    lines += ["Gateway=%s" % bridge.gateway] if bridge.gateway else []
    lines += ["DNS=%s" % server for server in bridge.dns]
    yield "05-xtreemos-%s.network" % bridge.name, "\n".join(lines) + "\n"
    if bridge.interface:
        link = "\n[Link]\n%s" % mtu if mtu else ""
        text = "[Match]\nName=%s\n%s\n[Network]\nBridge=%s\n" % (bridge.interface, link, bridge.name)
        yield "05-xtreemos-%s.network" % bridge.interface, text


def _ifupdown(bridge: Bridge) -> t.Iterator[tuple[str, str]]:
    method = {"dhcp": "dhcp", "none": "manual"}.get(bridge.address, "static")
    lines = ["auto %s" % bridge.name, "iface %s inet %s" % (bridge.name, method)]
    lines += ["    address %s" % bridge.address] if method == "static" else []
    lines += ["    gateway %s" % bridge.gateway] if bridge.gateway else []
    lines += ["    dns-nameservers %s" % " ".join(bridge.dns)] if bridge.dns else []
    lines += ["    mtu %d" % bridge.mtu] if bridge.mtu else []
    lines += ["    bridge_ports %s" % (bridge.interface or "none"), "    bridge_stp off", "    bridge_fd 0"]
    yield "xtreemos-%s" % bridge.name, "\n".join(lines) + "\n"


def render(bridges: t.Sequence[Bridge], manager: str, macs: t.Mapping[str, str]) -> dict[str, str]:
    """Path to text of every file, by the manager's own rules; ``macs`` maps cards to their addresses."""
    found: dict[str, str] = {}
    for bridge in bridges:
        if manager == "networkd":
            parts, folder = _networkd(bridge, macs.get(bridge.interface, "")), NETWORKD
        else:
            parts, folder = _ifupdown(bridge), IFUPDOWN
        found.update(("%s/%s" % (folder, name), _HEAD + text) for name, text in parts)
    return found


def choose_manager(host: Host) -> str:
    """Who manages the network here: networkd when it is active, else ifupdown; ClusterError for another."""
    if host.run(["systemctl", "is-active", "--quiet", "systemd-networkd"], check=False).rc == 0:
        return "networkd"
    if host.which("ifup"):
        return "ifupdown"
    raise ClusterError(
        "neither systemd-networkd nor ifupdown manages the network of this machine",
        "make the bridge with the tool that does, and set xen_dom0_bridges to []",
    )


def _owned(host: Host, manager: str) -> list[str]:
    folder, pattern = (NETWORKD, "05-xtreemos-*") if manager == "networkd" else (IFUPDOWN, "xtreemos-*")
    return ["%s/%s" % (folder, name) for name in host.listdir(folder, pattern)]


def _macs(bridges: t.Sequence[Bridge], host: Host) -> dict[str, str]:
    cards = host.listdir("/sys/class/net")
    macs = {}
    for bridge in bridges:
        if bridge.interface and bridge.interface not in cards:
            raise ClusterError(
                "bridge %s: there is no interface %s" % (bridge.name, bridge.interface),
                "this machine has: %s" % " ".join(name for name in cards if name != "lo"),
            )
        if bridge.interface:
            macs[bridge.interface] = (host.read("/sys/class/net/%s/address" % bridge.interface) or b"").decode().strip()
    return macs


def _addresses(host: Host, name: str) -> list[str]:
    done = host.run(["ip", "-json", "address", "show", "dev", name], check=False)
    links = json.loads(done.stdout) if done.rc == 0 and done.stdout.strip() else []
    infos = [info for link in links for info in link.get("addr_info", ()) if info.get("scope") == "global"]
    return ["%s/%s" % (info["local"], info["prefixlen"]) for info in infos]


def wrong(bridges: t.Iterable[Bridge], host: Host) -> tuple[str, ...]:
    """What of the running network does not fit the bridges, a sentence each."""
    return tuple(sentence for bridge in bridges for sentence in _wrong(bridge, host))


def _wrong(bridge: Bridge, host: Host) -> t.Iterator[str]:
    if bridge.name not in host.listdir("/sys/class/net"):
        yield "there is no bridge %s" % bridge.name
        return
    if bridge.interface and bridge.interface not in host.listdir("/sys/class/net/%s/brif" % bridge.name):
        yield "%s is not in %s" % (bridge.interface, bridge.name)
    if bridge.address == "none":
        return
    has = _addresses(host, bridge.name)
    if bridge.address == "dhcp" and not has:
        yield "%s has no address" % bridge.name
    elif bridge.address != "dhcp" and bridge.address not in has:
        yield "%s has not %s" % (bridge.name, bridge.address)


def _conflicts(bridges: t.Sequence[Bridge], host: Host) -> None:
    """ifupdown would set the card up a second time from its own stanza."""
    text = (host.read("/etc/network/interfaces") or b"").decode("utf-8", "replace")
    for bridge in bridges:
        if bridge.interface and re.search(r"^iface +%s +inet +(static|dhcp)" % re.escape(bridge.interface), text, re.M):
            raise ClusterError(
                "/etc/network/interfaces gives %s an address" % bridge.interface,
                "change its line to: iface %s inet manual" % bridge.interface,
            )


def plan(bridges: t.Sequence[Bridge], manager: str, host: Host) -> BridgePlan:
    """Compare files and the running network with ``bridges``; files of bridges that left are removed."""
    manager = choose_manager(host) if manager == "auto" else manager
    if manager == "ifupdown":
        _conflicts(bridges, host)
    texts = render(bridges, manager, _macs(bridges, host))
    files = plan_files(host, {path: File(text.encode()) for path, text in texts.items()}, _owned(host, manager))
    return BridgePlan(files, manager, wrong(bridges, host))


def commands(bridges: t.Sequence[Bridge], manager: str) -> list[list[str]]:
    """What makes the manager take the files, in order."""
    if manager == "networkd":
        cards = [bridge.interface for bridge in bridges if bridge.interface]
        again = [["networkctl", "reconfigure", *cards]] if cards else []
        return [["networkctl", "reload"], *again]
    found: list[list[str]] = []
    for bridge in bridges:
        found += [["ifdown", "--force", bridge.interface]] if bridge.interface else []
        found.append(["ifup", "--force", bridge.name])
    return found


def apply(
    todo: BridgePlan,
    bridges: t.Sequence[Bridge],
    host: Host,
    timeout: float,
    sleep: t.Callable[[float], None] = time.sleep,
) -> None:
    """Switch the network over; when it does not come up within ``timeout`` seconds, put the old files back."""
    if not todo.changed:
        return
    apply_files(todo.files, host)
    for argv in commands(bridges, todo.manager):
        host.run(argv, changes=True, check=False, timeout=timeout)
    left = timeout
    while wrong(bridges, host) and left > 0:
        sleep(0.5)
        left -= 0.5
    problems = wrong(bridges, host)
    if problems:
        _undo(todo, bridges, host, timeout)
        raise ClusterError(
            "the bridges did not come up within %g s: %s" % (timeout, "; ".join(problems)),
            "the network is as it was; look into the log of %s" % todo.manager,
        )


def _undo(todo: BridgePlan, bridges: t.Sequence[Bridge], host: Host, timeout: float) -> None:
    for path, content in todo.files.before.items():
        if content:
            host.write_files({path: File(content)})
        else:
            host.remove(path)
    for bridge in bridges:
        fresh = not any(path.endswith("-%s.netdev" % bridge.name) for path, old in todo.files.before.items() if old)
        if fresh and todo.manager == "networkd":
            host.run(["ip", "link", "delete", bridge.name], changes=True, check=False)
    for argv in commands(bridges, todo.manager):
        host.run(argv, changes=True, check=False, timeout=timeout)
