# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network cards of a guest, as xl-network-configuration(5) writes them. Private to the collection."""

from __future__ import annotations

import hashlib
import re
import typing as t

from .._host.errors import ClusterError
from .normal import normal_mac, quiet

KEYS = ("mac", "bridge", "ip", "type", "model", "script", "vifname", "gatewaydev", "rate", "backend", "mtu", "vlan")


def mac_of(text: str, what: str) -> str:
    """A MAC in small letters with colons; ClusterError for what is none, or no card's own."""
    mac = quiet(normal_mac, text)
    if not mac or int(mac[:2], 16) & 1:
        raise ClusterError("%s: %r is no MAC of a card" % (what, text), "write it as 00:16:3e:00:00:01")
    return mac


def parse_vif(text: str) -> dict[str, str]:
    """``bridge=xenbr0,mac=...`` to a mapping; words without ``=`` are refused."""
    found: dict[str, str] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ClusterError("vif %r: %r is not key=value" % (text, word), "write: bridge=xenbr0,mac=00:16:3e:...")
        found[key.strip()] = value.strip()
    if "mac" in found:
        found["mac"] = mac_of(found["mac"], "vif %r" % text)
    return found


def vif_text(card: t.Mapping[str, t.Any]) -> str:
    """The string of xl.cfg, in a fixed order."""
    for key, value in card.items():
        if re.search(r"[,\s]", str(value)):
            raise ClusterError("vif: %s=%r has a comma or blank" % (key, value), "write one plain word")
    keys = [key for key in KEYS if card.get(key)] + sorted(key for key in card if key not in KEYS and card[key])
    return ",".join("%s=%s" % (key, card[key]) for key in keys)


def made_mac(seed: str, name: str, index: int) -> str:
    """A MAC from Xen's range that stays the same for this host, guest and card."""
    digest = hashlib.sha256(("%s\0%s\0%d" % (seed, name, index)).encode()).hexdigest()
    return "00:16:3e:%02x:%s:%s" % (int(digest[:2], 16) & 0x7F, digest[2:4], digest[4:6])
