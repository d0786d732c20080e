# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of guests and hosts with the field names of ctys 01.11, in small letters. Private to the collection.

A record is a mapping; ``interfaces`` in it is a list of mappings, one per interface, and its first has the same
``mac`` and ``tcp`` as the record itself.
"""

from __future__ import annotations

import typing as t

from .address import Address, Entry, find
from .normal import normal_ip, normal_mac, normal_uuid, quiet

Record = t.Mapping[str, t.Any]

# Columns of a MACHINE record by their number, counted from 1.
_LIST = (
    "pm type label id uuid mac tcp display cport sport pid uid gid cstype jobid ifname reserved contextstrg"
    " execpath hyperrelrun accelerator arch"
)
_ENUMERATE = (
    "pm type label id uuid mac tcp display cport sport vncbase dist distrel os osrel verno serno category vmstate"
    " hyperrel stackcap stackreq hwcap hwreq execlocation reloccap sshport netname hyperrelrun accelerator exepath"
    " index ifname ctysrelease netmask gateway relay arch platform vram vcpu contextstrg userstring uid gid hosts"
    " console"
)
LIST_FIELDS, ENUMERATE_FIELDS = tuple(_LIST.split()), tuple(_ENUMERATE.split())
FIELDS = {"list": LIST_FIELDS, "enumerate": ENUMERATE_FIELDS}
# What one interface may have of its own.
INTERFACE_FIELDS = ("mac", "tcp", "netmask", "relay", "ifname", "sshport", "gateway")


def known(field: str) -> bool:
    return field in LIST_FIELDS or field in ENUMERATE_FIELDS


def accelerator(kind: str) -> str:
    """What ctys calls a type of xl: PARA for pv, else the type in capitals."""
    return {"PV": "PARA"}.get(kind.upper(), kind.upper())


def per_interface(records: t.Iterable[Record]) -> list[dict[str, t.Any]]:
    """A record for each interface of each guest, as ctys keeps them."""
    found: list[dict[str, t.Any]] = []
    for record in records:
        rest = {key: value for key, value in record.items() if key != "interfaces"}
        for one in record.get("interfaces") or [{}]:
            found.append({**rest, **{key: one[key] for key in INTERFACE_FIELDS if key in one}})
    return found


def _values(record: Record, field: str, normal: t.Callable[[str], str]) -> tuple[str, ...]:
    words = [record.get(field), *(one.get(field) for one in record.get("interfaces") or ())]
    found = [quiet(normal, str(word)) for word in words if word]
    return tuple(dict.fromkeys(word for word in found if word))


def entry(record: Record) -> Entry:
    """What an address is compared with; the record is its ``origin``."""
    return Entry(
        label=str(record.get("label") or ""),
        path=str(record.get("id") or ""),
        uuid=quiet(normal_uuid, str(record.get("uuid") or "")),
        macs=_values(record, "mac", normal_mac),
        ips=_values(record, "tcp", normal_ip),
        origin=record,
    )


def select(address: Address, records: t.Iterable[Record], match: str = "unique") -> list[Record]:
    """The records that ``address`` means, by the rules of :func:`find`."""
    return [found.origin for found in find(address, [entry(record) for record in records], match)]
