# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VNC servers of guests, as xenstore names them. This module util is private to the collection.

``/local/domain/<id>/console/vnc-port`` and ``vnc-listen`` are written by the device model when it serves (libxl 4.17);
``xenstore-ls -f`` prints one ``path = "value"`` a line.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.host import Host

_LINE = re.compile(r'^/local/domain/(\d+)/console/vnc-(port|listen) = "([^"\n]*)"', re.MULTILINE)
_ANY = ("", "0.0.0.0", "::", "*")
FIRST_PORT = 5900


@dataclass(frozen=True)
class Vnc:
    """Where a guest's VNC server listens, seen from dom0."""

    port: int
    listen: str = "127.0.0.1"


def parse_vnc(listing: str) -> dict[int, Vnc]:
    """VNC servers by domain id; a server on all addresses is reached by the loopback one. Total: the rest is passed
    over."""
    found: dict[int, dict[str, str]] = {}
    for domid, key, value in _LINE.findall(listing):
        found.setdefault(int(domid), {})[key] = value.strip()
    ports = {domid: keys for domid, keys in found.items() if re.fullmatch(r"[0-9]{1,5}", keys.get("port", ""))}
    return {
        domid: Vnc(int(keys["port"]), "127.0.0.1" if keys.get("listen", "") in _ANY else keys["listen"])
        for domid, keys in ports.items()
        if 0 < int(keys["port"]) < 65536
    }


def may_serve(config: t.Mapping[str, t.Any]) -> bool:
    """Whether a guest of ``xl list -l`` may have a VNC server: one with a frame buffer, or with emulated devices."""
    return bool(config.get("vfbs")) or (config.get("c_info") or {}).get("type") == "hvm"


def read_vnc(host: Host, domid: int | None = None) -> dict[int, Vnc]:
    """The servers of all guests, or of one; one call of xenstore-ls. Nothing where xenstore does not answer."""
    place = "/local/domain" if domid is None else "/local/domain/%d/console" % domid
    return parse_vnc(host.run(["xenstore-ls", "-f", place], check=False).stdout)
