# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file /etc/kerrighed_nodes in both grammars. This module util is private to the collection.

Lines: ``session=<1..9999>``, optional ``nbmin=<nodes to wait for>``, one line per node: ``name:id:device`` (2.x) or
``name:device`` (2006). Sources: kerrighed_nodes(5) and the reader in the kernel, kerrighed/hotplug/krginit.c of 3.0.

What that reader does, and why this parser is stricter:

- It reads the file only when session or node id are missing from the kernel command line, and needs /etc/hostname.
- Its buffer has 4096 bytes; a file of 4096 or more makes it write past the end. Such a file is refused here.
- A line counts when it starts with exactly ``session=``, ``nbmin=`` or ``<own host name>:``. Anything else is skipped
  without a word, so a leading blank loses a node. Here it is an error with its line number; ``#`` lines are comments.
- The first ``session=`` and the first own line count, but the last ``nbmin=``. Here each comes once.
- The id is the number right after ``<host name>:``. From ``node31:eth0`` every node reads the id 0, so that form works
  only with ``node_id=`` on each command line. The device is not read at all.
- An id outside of 0..127 (0..255 with CONFIG_KRG_AUTONODEID) is a kernel BUG, a missing session or id a panic.
- The command line beats the file for session and id, but ``nbmin`` of a file that is read beats ``nb_nodes_min=``.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

PATH = "/etc/kerrighed_nodes"
LIMIT = 4096
SESSIONS = (1, 9999)
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_DEVICE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_HINT = "lines are session=1, nbmin=3, node31:1:eth0 or node31:eth0, # comment; no blanks in front"


@dataclass(frozen=True)
class Node:
    """One line of a node; ``id`` is None in the two-field form."""

    name: str
    device: str = "eth0"
    id: int | None = None

    @property
    def line(self) -> str:
        return ":".join([self.name, *([] if self.id is None else [str(self.id)]), self.device])


@dataclass(frozen=True)
class NodesFile:
    """The whole file; ``session`` None where the command line has it."""

    session: int | None = None
    nbmin: int | None = None
    nodes: tuple[Node, ...] = ()


def _setting(text: str, place: str) -> int:
    key, _is, value = text.partition("=")
    if not _NUMBER.fullmatch(value):
        raise ClusterError("%s: %s is %r" % (place, key, value), "a number, without blanks")
    return int(value)


def _node(text: str, place: str) -> Node:
    fields = text.split(":")
    if len(fields) not in (2, 3):
        raise ClusterError("%s: cannot read %r" % (place, text), _HINT)
    if len(fields) == 3 and not _NUMBER.fullmatch(fields[1]):
        raise ClusterError("%s: the id of %s is %r" % (place, fields[0], fields[1]), "a number from 0 to 255")
    return Node(fields[0], fields[-1], int(fields[1]) if len(fields) == 3 else None)


def parse(text: str, path: str = PATH) -> NodesFile:
    """The file as a model, in the order of its lines; ClusterError names path and line of the first bad one."""
    settings: dict[str, int] = {}
    nodes: list[Node] = []
    for number, line in enumerate(text.split("\n"), 1):
        place = "%s line %d" % (path, number)
        if not line or line.startswith("#"):
            continue
        key = line.partition("=")[0]
        if key in ("session", "nbmin") and "=" in line:
            if key in settings:
                raise ClusterError("%s: %s comes a second time" % (place, key), "keep one")
            settings[key] = _setting(line, place)
            continue
        node = _node(line, place)
        _check_node(node, place, 255)
        nodes.append(node)
    _refuse_twins(nodes, path)
    return NodesFile(settings.get("session"), settings.get("nbmin"), tuple(nodes))


def _check_node(node: Node, place: str, max_id: int) -> None:
    if not _HOST.fullmatch(node.name):
        raise ClusterError(
            "%s: bad host name %r" % (place, node.name), "the short name as in /etc/hostname: letters, digits, hyphens"
        )
    if not _DEVICE.fullmatch(node.device):
        raise ClusterError("%s: bad device %r of %s" % (place, node.device, node.name), "as in eth0")
    if node.id is not None and not 0 <= node.id <= max_id:
        hint = "set max_id=255 when the kernel has CONFIG_KRG_AUTONODEID" if node.id <= 255 else "renumber the node"
        raise ClusterError("%s: the id of %s is %d, not 0 to %d" % (place, node.name, node.id, max_id), hint)


def _refuse_twins(nodes: t.Sequence[Node], place: str) -> None:
    names: dict[str, Node] = {}
    ids: dict[int, Node] = {}
    for node in nodes:
        if names.setdefault(node.name, node) is not node:
            raise ClusterError("%s: node %s comes twice" % (place, node.name), "keep one line per node")
        if node.id is not None and ids.setdefault(node.id, node) is not node:
            raise ClusterError(
                "%s: %s and %s have the same id %d" % (place, ids[node.id].name, node.name, node.id),
                "give each node its own id",
            )


def _check_form(nodes: t.Sequence[Node], place: str, cmdline_ids: bool) -> None:
    short = [node.name for node in nodes if node.id is None]
    if short and len(short) < len(nodes):
        raise ClusterError("%s: %s has no id, other nodes have one" % (place, short[0]), "use one form for all nodes")
    if short and not cmdline_ids:
        raise ClusterError(
            "%s: without an id in its line every node becomes node 0, %s first of all" % (place, short[0]),
            "give every node an id, or put node_id= on each kernel command line and set cmdline_ids=true",
        )


def check(file: NodesFile, max_id: int = 127, cmdline_ids: bool = False, place: str = PATH) -> None:
    """ClusterError for everything that a Kerrighed kernel would choke on; ``cmdline_ids``: node_id= is given there."""
    low, high = SESSIONS
    if file.session is None:
        raise ClusterError("%s: no session" % place, "give a session from %d to %d" % SESSIONS)
    if not low <= file.session <= high:
        raise ClusterError("%s: session is %d" % (place, file.session), "a number from %d to %d" % SESSIONS)
    if not file.nodes:
        raise ClusterError("%s: no nodes" % place, "give at least one")
    for node in file.nodes:
        _check_node(node, place, max_id)
    _refuse_twins(file.nodes, place)
    _check_form(file.nodes, place, cmdline_ids)
    if file.nbmin is not None and not 1 <= file.nbmin <= len(file.nodes):
        raise ClusterError(
            "%s: nbmin is %d, but there are %d nodes" % (place, file.nbmin, len(file.nodes)),
            "a number from 1 to the number of nodes; the cluster would never start",
        )
    size = len(render(file).encode())
    if size >= LIMIT:
        raise ClusterError(
            "%s: %d nodes make %d bytes, the kernel reads less than %d" % (place, len(file.nodes), size, LIMIT),
            "shorten names, or do without the file: put session_id= and node_id= of boot_args on the command lines",
        )


def render(file: NodesFile) -> str:
    """The text, nodes sorted by id then name."""
    rows = [] if file.session is None else ["session=%d" % file.session]
    rows += [] if file.nbmin is None else ["nbmin=%d" % file.nbmin]
    ordered = sorted(file.nodes, key=lambda node: (node.id is None, node.id or 0, node.name))
    return "".join(row + "\n" for row in [*rows, *(node.line for node in ordered)])


def merge(current: NodesFile, wanted: NodesFile) -> NodesFile:
    """``current`` with the nodes of ``wanted`` added, or replaced where the name is the same; its settings win."""
    nodes = {node.name: node for node in (*current.nodes, *wanted.nodes)}
    return NodesFile(
        current.session if wanted.session is None else wanted.session,
        current.nbmin if wanted.nbmin is None else wanted.nbmin,
        tuple(nodes.values()),
    )


def without(current: NodesFile, names: t.Iterable[str]) -> NodesFile:
    """``current`` less the nodes of these names."""
    gone = set(names)
    return NodesFile(current.session, current.nbmin, tuple(node for node in current.nodes if node.name not in gone))


def in_format(nodes: t.Iterable[Node], wanted: str) -> tuple[Node, ...]:
    """Nodes for ``legacy2`` (ids left out), ``v3`` (ids needed) or ``auto`` (v3 if every node has an id)."""
    found = tuple(nodes)
    short = [node.name for node in found if node.id is None]
    if wanted == "v3" and short:
        raise ClusterError("node %s has no id" % short[0], "format v3 needs the id of every node")
    if wanted == "legacy2" or (wanted == "auto" and short):
        return tuple(Node(node.name, node.device) for node in found)
    return found


def format_of(file: NodesFile) -> str:
    """``v3`` or ``legacy2``."""
    return "legacy2" if any(node.id is None for node in file.nodes) else "v3"


def boot_args(file: NodesFile, ids: t.Mapping[str, int]) -> dict[str, list[str]]:
    """Words for each node's kernel command line; ``ids`` by name, for the two-field form too."""
    known = {**{node.name: node.id for node in file.nodes if node.id is not None}, **ids}
    session = [] if file.session is None else ["session_id=%d" % file.session]
    least = [] if file.nbmin is None else ["nb_nodes_min=%d" % file.nbmin]
    return {
        node.name: [*session, *(["node_id=%d" % known[node.name]] if node.name in known else []), *least]
        for node in sorted(file.nodes, key=lambda node: node.name)
    }
