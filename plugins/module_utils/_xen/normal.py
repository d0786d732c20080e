# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One form for uuids, MAC addresses and IP addresses of guests. This module util is private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._host.errors import ClusterError

_UUID = re.compile(r"[0-9a-f]{32}\Z")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")


def normal_uuid(text: str) -> str:
    """Dashed and in small letters, from either form; ClusterError for what is no uuid."""
    digits = text.strip().lower().replace("-", "")
    if not _UUID.match(digits):
        raise ClusterError("%r is no uuid" % text, "32 hexadecimal digits, with or without dashes")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def normal_mac(text: str) -> str:
    """Colons and small letters; ClusterError for what is no MAC address."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.match(mac):
        raise ClusterError("%r is no MAC address" % text, "six pairs of hexadecimal digits, as in 00:16:3e:00:00:01")
    return mac


def normal_ip(text: str) -> str:
    """The short form of an IPv4 or IPv6 address; ClusterError for what is none."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise ClusterError("%r is no IP address" % text, "as in 192.168.1.220, without a netmask")


def tidy(normal: t.Callable[[str], str], text: str) -> str:
    """``normal(text)``, and the text as it is where a foreign file holds nonsense."""
    return quiet(normal, text) or text


def quiet(normal: t.Callable[[str], str], text: str) -> str:
    """``normal(text)``, and an empty word where a foreign file holds nonsense."""
    try:
        return normal(text)
    except ClusterError:
        return ""
