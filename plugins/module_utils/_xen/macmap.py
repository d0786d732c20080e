# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, MACs and addresses from the files of DHCP servers. This module util is private to the collection.

Formats: ``host`` blocks of dhcpd.conf(5); ``dhcp-host=`` lines of dnsmasq(8) and lines of its hosts file;
``macmap.fdb`` of ctys, whose programs disagree on the order of its fields; ethers(5). Words are told by their
form, not their place.
"""

from __future__ import annotations

import re
import typing as t

from .normal import normal_ip, normal_mac, quiet
from .record import Record

_HOST = re.compile(r'\bhost\s+"?([^\s{}"]+)"?\s*\{([^{}]*)\}')
_HARDWARE = re.compile(r"\bhardware\s+\S+\s+([0-9A-Fa-f:]+)\s*;")
_FIXED = re.compile(r"\bfixed-address6?\s+([^;]+);")
_KIND = re.compile(r"[0-9A-Fa-f]{1,2}-(?=[0-9A-Fa-f]{2}:)")
_NAME = re.compile(r"(?=[^.]*[A-Za-z_])[A-Za-z0-9_][A-Za-z0-9_.-]*\Z|[0-9]+[A-Za-z_-][A-Za-z0-9_.-]*\Z")
_NO_NAME = re.compile(r"[0-9]+[smhdw]?\Z|infinite\Z|ignore\Z|deprecated\Z|\*\Z|.*:")

Row = t.Dict[str, str]


def _row(name: str, mac: str, ip: str) -> Row:
    return {"name": name, "mac": mac, "ip": ip}


def _blocks(text: str) -> list[Row]:
    plain = re.sub(r'("[^"\n]*")|#[^\n]*', lambda found: found.group(1) or "", text)
    rows = []
    for name, body in _HOST.findall(plain):
        macs = [quiet(normal_mac, word) for word in _HARDWARE.findall(body)]
        words = [word.strip() for part in _FIXED.findall(body) for word in part.split(",")]
        ips = [ip for ip in (quiet(normal_ip, word) for word in words) if ip] or [""]
        rows += [_row(name, mac, ip) for mac in macs if mac for ip in ips]
    return rows


def _mac(word: str) -> str:
    return quiet(normal_mac, _KIND.sub("", word)) if ":" in word or word.count("-") == 5 else ""


def _line(text: str) -> list[Row]:
    words = [word.strip("[]") for word in re.split(r"[,;\s]+", text.strip()) if word]
    macs = [mac for mac in map(_mac, words) if mac]
    rest = [word for word in words if not _mac(word)]
    ips = [ip for ip in (quiet(normal_ip, word) for word in rest) if ip] or [""]
    names = [word for word in rest if not quiet(normal_ip, word) and not _NO_NAME.match(word) and _NAME.match(word)]
    return [_row(names[0] if names else "", mac, ip) for mac in macs for ip in ips]


def parse_macmap(text: str) -> list[Row]:
    """Rows with name, MAC and address, empty where a file does not say it, each once, sorted. Total: lines without a
    MAC are passed over."""
    rows = _blocks(text)
    if not rows:
        for line in text.splitlines():
            line = line.partition("#")[0].strip()
            rows += _line(re.sub(r"^dhcp-host\s*=", "", line))
    return [dict(zip(("name", "mac", "ip"), row)) for row in sorted({(r["name"], r["mac"], r["ip"]) for r in rows})]


def with_addresses(records: t.Iterable[Record], rows: t.Iterable[Row]) -> list[Record]:
    """Records whose interfaces have the address of their MAC where their files name none."""
    known = {row["mac"]: row["ip"] for row in reversed(list(rows)) if row["ip"]}

    def filled(part: Record) -> Record:
        address = known.get(quiet(normal_mac, str(part.get("mac") or "")), "")
        return {**part, "tcp": address} if address and not part.get("tcp") else part

    found: list[Record] = []
    for record in records:
        one = dict(filled(record))
        if record.get("interfaces"):
            one["interfaces"] = [filled(part) for part in record["interfaces"]]
        found.append(one)
    return found
