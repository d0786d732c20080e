# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits of a root tree: names to drop, files to put. This module util is private to the collection."""

from __future__ import annotations

import io
import os
import tarfile
import typing as t
from dataclasses import dataclass, field

from .tree import Entry, Tree, normal

_BLOCK = 512
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Node:
    """A file, link or folder to put into the tree, owned by root. ``content`` is the target of a link."""

    content: bytes = b""
    mode: int = 0o644
    kind: str = "file"


def text(content: str, mode: int = 0o644) -> Node:
    """A text file."""
    return Node(content.encode("utf-8"), mode)


def link(target: str) -> Node:
    """A symbolic link."""
    return Node(target.encode("utf-8"), 0o777, "link")


def folder(mode: int = 0o755) -> Node:
    return Node(b"", mode, "dir")


@dataclass(frozen=True)
class Edit:
    """``drop``: names as the tree has them. ``put``: path to node; a put replaces what has the same name."""

    drop: frozenset[str] = frozenset()
    put: t.Mapping[str, Node] = field(default_factory=dict)


def removals(tree: Tree, patterns: t.Iterable[str]) -> frozenset[str]:
    """Every name that a declared list of paths or shell patterns covers, with all that lies under it.

    A trailing ``/*`` keeps the folder itself.
    """
    drop: set[str] = set()
    for pattern in patterns:
        for name in tree.glob(pattern):
            if name not in drop:
                drop.update(tree.below(name))
    return frozenset(drop)


def _header(path: str, node: Node, mtime: int) -> bytes:
    info = tarfile.TarInfo("./" + path)
    info.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "dir": tarfile.DIRTYPE}[node.kind]
    info.mode = node.mode
    info.mtime = mtime
    info.uname = info.gname = "root"
    if node.kind == "link":
        info.linkname = node.content.decode("utf-8")
    elif node.kind == "file":
        info.size = len(node.content)
    return info.tobuf(tarfile.PAX_FORMAT)


def _record(path: str, node: Node, mtime: int) -> bytes:
    if node.kind != "file":
        return _header(path, node, mtime)
    return _header(path, node, mtime) + node.content + b"\0" * (-len(node.content) % _BLOCK)


def _placed(tree: Tree, put: t.Mapping[str, Node]) -> dict[str, Node]:
    """The nodes at their real names, with the folders that are missing, parents first."""
    placed: dict[str, Node] = {}
    for path, node in put.items():
        real = tree.place(path)
        parts = real.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in tree.entries:
                placed.setdefault(parent, folder())
        placed[real] = node
    return dict(sorted(placed.items()))


def _promotions(tree: Tree, drop: t.AbstractSet[str]) -> dict[str, str]:
    """Hard links that outlive their first name: the first of them becomes the file. Dropped name to new name."""
    heirs: dict[str, str] = {}
    for entry in tree.entries.values():
        if entry.kind == "hard" and entry.target in drop and entry.path not in drop:
            heirs.setdefault(entry.target, entry.path)
    return heirs


def _relink(entry: Entry, heir: str, tree: Tree) -> bytes:
    origin = tree.entries[entry.target]
    if heir == entry.path:
        content = os.pread(tree.fileno(), origin.size, origin.data)
        return _record(entry.path, Node(content, origin.mode), 0)
    info = tarfile.TarInfo("./" + entry.path)
    info.type, info.linkname, info.mode = tarfile.LNKTYPE, "./" + heir, entry.mode
    return info.tobuf(tarfile.PAX_FORMAT)


def _copy(tree: Tree, out: t.BinaryIO, start: int, end: int) -> None:
    while start < end:
        piece = os.pread(tree.fileno(), min(_CHUNK, end - start), start)
        if not piece:
            raise OSError("%s ends too early" % tree.path)
        out.write(piece)
        start += len(piece)


def _pieces(tree: Tree, drop: t.AbstractSet[str]) -> t.Iterator[tuple[int, int] | bytes]:
    """Byte ranges to copy (neighbours joined) and records that replace hard links."""
    heirs = _promotions(tree, drop)
    start = end = 0
    for entry in tree.entries.values():
        relinked = entry.kind == "hard" and entry.target in heirs and entry.path not in drop
        if entry.path in drop or relinked or entry.start != end:
            if end > start:
                yield start, end
            start, end = entry.start, entry.start
        if relinked:
            yield _relink(entry, heirs[entry.target], tree)
        if entry.path in drop or relinked:
            start = end = entry.end
        else:
            end = entry.end
    if end > start:
        yield start, end


def write_tar(tree: Tree, edit: Edit, out: str, mtime: int = 0) -> None:
    """Write the edited tree as a new tar; kept records are copied byte for byte."""
    put = _placed(tree, {normal(path): node for path, node in edit.put.items()})
    drop = set(edit.drop) | {name for name, node in put.items() if name in tree.entries}
    with open(out, "wb") as stream:
        for piece in _pieces(tree, drop):
            if isinstance(piece, bytes):
                stream.write(piece)
            else:
                _copy(tree, stream, *piece)
        for path, node in put.items():
            stream.write(_record(path, node, mtime))
        stream.write(b"\0" * (2 * _BLOCK))


def tar_bytes(nodes: t.Mapping[str, Node]) -> bytes:
    """A small tree made of nodes only (tests, empty roots)."""
    out = io.BytesIO()
    for path, node in sorted(nodes.items()):
        out.write(_record(normal(path), node, 0))
    return out.getvalue() + b"\0" * (2 * _BLOCK)
