# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one model of a node. This module util is private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}")
_MAC = re.compile(r"([0-9a-f]{2})([:-]?)([0-9a-f]{2})(?:\2[0-9a-f]{2}){4}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}")
_OPTION = re.compile(r"[!-~]+")
MAX_NODE_ID = 65535

# Where the filter finds each field of a node among a host's variables.
VARIABLES: t.Mapping[str, tuple[str, ...]] = {
    "mac": ("node_mac",),
    "ip": ("node_ip", "ansible_host"),
    "node_id": ("node_id",),
    "interface": ("node_interface",),
    "profile": ("node_profile",),
    "kernel_options": ("node_kernel_options",),
    "cpus": ("node_cpus",),
    "memory_mb": ("node_memory_mb",),
    "rack": ("node_rack",),
}


@dataclass(frozen=True)
class Node:
    """One machine that boots over the network; ``mac`` in lower case with colons, ``memory_mb`` in MiB or None."""

    name: str
    mac: str
    ip: str
    node_id: int
    interface: str = "eth0"
    profile: str = "default"
    kernel_options: tuple[str, ...] = ()
    cpus: int = 1
    memory_mb: int | None = None
    rack: str | None = None

    @property
    def boot_name(self) -> str:
        """``01-aa-bb-cc-dd-ee-ff``: ARP type 1 and the MAC, the name under which a loader asks for its file."""
        return "01-" + self.mac.replace(":", "-")

    def as_dict(self) -> dict[str, t.Any]:
        """The plain form that the modules' ``nodes`` option takes."""
        return dict(self.__dict__, kernel_options=list(self.kernel_options))


_FIELDS = ("name", *VARIABLES)


def parse_mac(value: object, owner: str) -> str:
    """Lower case with colons from any usual notation; ClusterError names ``owner``."""
    text = str(value).strip().lower()
    if isinstance(value, int):
        raise ClusterError(
            "%s: MAC address was read as the number %s" % (owner, value),
            'quote it in the inventory: "52:54:00:12:34:56"',
        )
    digits = re.sub(r"[:.-]", "", text)
    if not _MAC.fullmatch(text) or len(digits) != 12:
        raise ClusterError(
            "%s: malformed MAC address %r" % (owner, value), "six octets in hex, as in 52:54:00:12:34:56"
        )
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        raise ClusterError(
            "%s: %s is no address of a network card" % (owner, text), "take the address printed by the card's boot ROM"
        )
    return ":".join(re.findall("..", digits))


def parse_ip(value: object, owner: str, what: str = "IP address") -> str:
    """A canonical dotted IPv4 address; ClusterError names ``owner``."""
    try:
        return str(ipaddress.IPv4Address(str(value).strip()))
    except ValueError:
        raise ClusterError("%s: malformed %s %r" % (owner, what, value), "an IPv4 address as in 10.0.1.31")


def parse_int(value: object, owner: str, what: str, low: int, high: int) -> int:
    """An integer in low..high, also from its decimal text; ClusterError names ``owner``."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise ClusterError("%s: %s is %r" % (owner, what, value), "an integer from %d to %d" % (low, high))
    return int(text)


def parse_words(value: object, owner: str, what: str) -> tuple[str, ...]:
    """Kernel command line words from a list or a blank-separated string."""
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise ClusterError("%s: %s is %r" % (owner, what, value), "a list of words such as ['quiet', 'panic=30']")
    for word in words:
        if not isinstance(word, str) or not _OPTION.fullmatch(word) or "${" in word or word in ("||", "&&"):
            raise ClusterError(
                "%s: %s holds %r" % (owner, what, word),
                "each entry is one word of printable ASCII, without blanks and ${",
            )
    return tuple(str(word) for word in words)


def _matching(value: object, pattern: t.Pattern[str], owner: str, what: str, hint: str) -> str:
    text = str(value)
    if not pattern.fullmatch(text):
        raise ClusterError("%s: bad %s %r" % (owner, what, value), hint)
    return text


def _name_of(item: object, position: int) -> str:
    if not isinstance(item, t.Mapping):
        raise ClusterError("node %d of the list is %r" % (position, item), "each node is a mapping with name, mac, ip")
    owner = "node %d of the list" % position
    if not item.get("name"):
        raise ClusterError("%s has no name" % owner, "give every node a name")
    name = _matching(item["name"], _NAME, owner, "name", "letters, digits and hyphens, as in node31")
    if len(name) > 253:
        raise ClusterError("%s: name %s... is too long" % (owner, name[:40]), "at most 253 characters")
    return name


def _required(item: t.Mapping[str, t.Any], key: str, owner: str) -> object:
    value = item.get(key)
    if value is None or value == "":
        names = " or ".join(VARIABLES[key])
        raise ClusterError("%s has no %s" % (owner, key), "set %s in the variables of host %s" % (names, owner))
    return value


def _optional(item: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in item.items() if value is not None and value != ""}


def parse_node(item: object, position: int = 1) -> Node:
    """One node from its mapping; ``position`` (from 1) names it while the name is unknown."""
    name = _name_of(item, position)
    values = _optional(t.cast("t.Mapping[str, t.Any]", item))
    unknown = sorted(set(values) - set(_FIELDS))
    if unknown:
        raise ClusterError("%s: unknown key %s" % (name, unknown[0]), "known keys: %s" % ", ".join(_FIELDS))
    memory = values.get("memory_mb")
    return Node(
        name=name,
        mac=parse_mac(_required(values, "mac", name), name),
        ip=parse_ip(_required(values, "ip", name), name),
        node_id=parse_int(_required(values, "node_id", name), name, "node_id", 0, MAX_NODE_ID),
        interface=_matching(values.get("interface", "eth0"), _INTERFACE, name, "interface", "as in eth0 or eno1"),
        profile=_matching(values.get("profile", "default"), _WORD, name, "profile", "a word as in default"),
        kernel_options=parse_words(values.get("kernel_options", ()), name, "kernel_options"),
        cpus=parse_int(values.get("cpus", 1), name, "cpus", 1, 65536),
        memory_mb=None if memory is None else parse_int(memory, name, "memory_mb", 1, 1 << 30),
        rack=None if values.get("rack") is None else _matching(values["rack"], _WORD, name, "rack", "a word as in r1"),
    )


_UNIQUE: t.Sequence[tuple[str, t.Callable[[Node], object]]] = (
    ("name", lambda node: node.name.lower()),
    ("MAC address", lambda node: node.mac),
    ("IP address", lambda node: node.ip),
    ("node_id", lambda node: node.node_id),
)


def _refuse_twins(nodes: t.Sequence[Node]) -> None:
    for what, key in _UNIQUE:
        seen: dict[object, Node] = {}
        for node in nodes:
            other = seen.setdefault(key(node), node)
            if other is not node:
                raise ClusterError(
                    "%s and %s have the same %s %s" % (other.name, node.name, what, key(node)),
                    "give each node its own %s" % what,
                )


def parse_nodes(items: t.Sequence[t.Any], allow_empty: bool = False) -> tuple[Node, ...]:
    """All nodes, sorted by node_id then name; ClusterError for the first bad one and for every kind of twin."""
    nodes = sorted(
        (parse_node(item, position) for position, item in enumerate(items, 1)),
        key=lambda node: (node.node_id, node.name),
    )
    if not nodes and not allow_empty:
        raise ClusterError(
            "the node list is empty", "check the group of the nodes; allow_empty=true removes every node"
        )
    _refuse_twins(nodes)
    return tuple(nodes)


def nodes_from_hostvars(names: t.Iterable[str], hostvars: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The node list of an inventory group as plain dicts; absent variables take the defaults of :class:`Node`."""
    items: list[dict[str, t.Any]] = []
    for name in sorted(names):
        if name not in hostvars:
            raise ClusterError("%s is no host of the inventory" % name, "give the filter a group's host names")
        values = hostvars[name]
        item: dict[str, t.Any] = {"name": str(name)}
        for key, variables in VARIABLES.items():
            found = next((values[v] for v in variables if v in values and values[v] not in (None, "")), None)
            if found is not None:
                item[key] = found
        items.append(item)
    return [node.as_dict() for node in parse_nodes(items, allow_empty=True)]
