# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of pxe_nodes to a rack. This module util is private to the collection."""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .backends import Backend, find_backend
from .dhcp import DhcpConfig, Subnet, parse_dhcp, parse_subnets
from .entry import Menu, Server
from .node import Node, parse_int, parse_ip, parse_nodes
from .profile import Profile, parse_profiles, used_profiles
from .rack import Rack

_TEXT = re.compile(r"[ -~\n]*")


def _message(value: object, what: str) -> str:
    text = str(value or "")
    if not _TEXT.fullmatch(text) or any(mark in text for mark in ("${", "||", "&&")):
        raise ClusterError("menu.%s: %r" % (what, text[:60]), "printable ASCII without ${, || and &&")
    return text


def _menu(item: t.Mapping[str, t.Any]) -> Menu:
    menu = Menu(**{key: item[key] for key in Menu.__dataclass_fields__ if item.get(key) is not None})
    _message(menu.text, "text")
    _message(menu.unknown_text, "unknown_text")
    if not 0 <= menu.timeout <= 3590:
        raise ClusterError("menu.timeout: %g seconds" % menu.timeout, "0 to 3590")
    if not re.fullmatch(r"(\d+( \d+)?)?", menu.serial):
        raise ClusterError("menu.serial: %r" % menu.serial, "port and speed as in '0 115200', or empty")
    return menu


def _server(options: t.Mapping[str, t.Any]) -> Server:
    item = options["server"]
    return Server(
        address=parse_ip(item.get("address"), "server", "address"),
        port=parse_int(item.get("port", 80), "server", "port", 1, 65535),
        images_root=options["images_root"].rstrip("/"),
    )


def _dhcp(
    item: t.Mapping[str, t.Any], nodes: tuple[Node, ...], profiles: t.Iterable[Profile], server: Server
) -> tuple[DhcpConfig | None, Backend | None]:
    if item.get("backend") == "none":
        return None, None
    backend = find_backend(str(item.get("backend", "isc")))
    by_http = any(profile.transport == "http" for profile in profiles)
    values = dict(item)
    if values.get("loaders") is None:
        values["loaders"] = {"bios": "lpxelinux.0" if by_http else "pxelinux.0"}
    values["ipxe_script"] = server.url("ipxe/boot.ipxe") if by_http and item.get("ipxe", True) else ""
    return parse_dhcp(values, nodes, server.address), backend


def _subnets(config: DhcpConfig | None, item: t.Mapping[str, t.Any]) -> tuple[Subnet, ...]:
    return config.subnets if config else parse_subnets(item.get("subnets"))


def _check_static(nodes: t.Iterable[Node], profiles: t.Mapping[str, Profile], subnets: tuple[Subnet, ...]) -> None:
    for node in nodes:
        if profiles[node.profile].network == "static" and not subnets:
            raise ClusterError(
                "%s: a static network needs its subnet" % node.name, "set dhcp.subnets, also without DHCP"
            )


def rack_from_options(options: t.Mapping[str, t.Any]) -> tuple[Rack, tuple[str, ...]]:
    """The rack and the DHCP tester's argv (empty for none); ClusterError for any bad option."""
    nodes = parse_nodes(options["nodes"], bool(options.get("allow_empty")))
    profiles = parse_profiles(options["profiles"], options["transport"])
    server = _server(options)
    item = options["dhcp"]
    used = used_profiles(nodes, profiles) or profiles
    config, backend = _dhcp(item, nodes, used.values(), server)
    subnets = _subnets(config, item)
    _check_static(nodes, profiles, subnets)
    rack = Rack(
        nodes=nodes,
        profiles=profiles,
        server=server,
        tftp_root=options["tftp_root"].rstrip("/"),
        http_root=options["http_root"].rstrip("/"),
        menu=_menu(options["menu"]),
        subnets=subnets,
        dhcp=config,
        backend=backend,
        dhcp_path=item.get("config_path") or (backend.path if backend else Rack.dhcp_path),
    )
    tester = tuple(item.get("tester") or (backend.tester if backend else ()))
    return rack, tester if item.get("validate", True) else ()
