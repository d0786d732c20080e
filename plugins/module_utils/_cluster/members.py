# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes as the writers need them. This module util is private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(r"%s(\.%s)*" % (_LABEL, _LABEL))
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class Member:
    """One node (or the head, with node_id None); ``memory_mb`` in MiB or None."""

    name: str
    ip: str
    node_id: int | None = None
    cpus: int = 1
    memory_mb: int | None = None
    profile: str = "default"
    rack: str | None = None

    @property
    def short(self) -> str:
        """The host name up to the first dot, as ``hostname -s`` prints it."""
        return self.name.partition(".")[0]


def _address(value: object, owner: str) -> str:
    try:
        return str(ipaddress.IPv4Address(str(value).strip()))
    except ValueError:
        raise ClusterError("%s: malformed IP address %r" % (owner, value), "an IPv4 address as in 10.0.1.31")


def _number(value: object, owner: str, what: str, low: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,10}", text) or int(text) < low:
        raise ClusterError("%s: %s is %r" % (owner, what, value), "an integer from %d" % low)
    return int(text)


def _word(value: object, owner: str, what: str) -> str:
    if not _WORD.fullmatch(str(value)):
        raise ClusterError("%s: bad %s %r" % (owner, what, value), "a word as in r1")
    return str(value)


def parse_member(item: object, position: int = 1) -> Member:
    """One node from its mapping; keys that no writer needs are ignored. ``position`` names a node without a name."""
    owner = "node %d of the list" % position
    if not isinstance(item, t.Mapping) or not item.get("name"):
        raise ClusterError("%s has no name" % owner, "each node is a mapping with name and ip")
    name = str(item["name"])
    if not _NAME.fullmatch(name):
        raise ClusterError("%s: bad name %r" % (owner, name), "letters, digits and hyphens, as in node31")
    values = {key: value for key, value in item.items() if value is not None and value != ""}
    if "ip" not in values:
        raise ClusterError("%s has no ip" % name, "set node_ip in the variables of host %s" % name)
    return Member(
        name=name,
        ip=_address(values["ip"], name),
        node_id=_number(values["node_id"], name, "node_id", 0) if "node_id" in values else None,
        cpus=_number(values.get("cpus", 1), name, "cpus", 1),
        memory_mb=_number(values["memory_mb"], name, "memory_mb", 1) if "memory_mb" in values else None,
        profile=_word(values.get("profile", "default"), name, "profile"),
        rack=_word(values["rack"], name, "rack") if "rack" in values else None,
    )


_UNIQUE: t.Sequence[tuple[str, t.Callable[[Member], object]]] = (
    ("name", lambda member: member.name.lower()),
    ("IP address", lambda member: member.ip),
    ("node_id", lambda member: member.node_id),
    ("short host name", lambda member: member.short.lower()),
)


def _refuse_twins(members: t.Sequence[Member]) -> None:
    for what, key in _UNIQUE:
        seen: dict[object, Member] = {}
        for member in members:
            value = key(member)
            if value is not None and seen.setdefault(value, member) is not member:
                raise ClusterError(
                    "%s and %s have the same %s %s" % (seen[value].name, member.name, what, value),
                    "give each node its own %s" % what,
                )


def parse_members(items: t.Sequence[t.Any], head: t.Mapping[str, t.Any] | None = None) -> tuple[Member, ...]:
    """All nodes sorted by node_id then name; ClusterError for the first bad one and for twins, the head included."""
    members = [parse_member(item, position) for position, item in enumerate(items, 1)]
    if not members:
        raise ClusterError("the node list is empty", "check the group of the nodes")
    _refuse_twins([*members, *([parse_head(head)] if head else [])])
    return tuple(sorted(members, key=lambda member: (member.node_id is None, member.node_id or 0, member.name)))


def parse_head(item: t.Mapping[str, t.Any]) -> Member:
    """The head from its name and its address on the boot network."""
    if not item.get("name") or not item.get("ip"):
        raise ClusterError("the head has no name or no ip", "give both, the address being that on the boot network")
    return parse_member({"name": item["name"], "ip": item["ip"]})
