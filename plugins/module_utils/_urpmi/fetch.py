# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What urpmi stores of a medium, fetched and proved. This module util is private to the collection.

urpmi takes whatever fits its MD5SUM; a synthesis is stored here only when every line of it can be read.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.host import Host
from .._media.compress import decompress
from .._media.md5sum import md5, parse_md5sum
from .._media.synthesis import parse_synthesis
from .._media.urpmicfg import Block
from .mirrors import expand, mirrors_of
from .source import READABLE, Source, is_local, local_path, scheme

STATE = "var/lib/urpmi"
SYNTHESIS = "synthesis.hdlist.cz"
XML = ("info.xml.lzma", "files.xml.lzma", "changelog.xml.lzma")
_HINT = "publish the medium again with the module hdlist"


@dataclass(frozen=True)
class Fetched:
    """New content of a folder in /var/lib/urpmi; no ``files`` when it is up to date. ``packages`` None: unknown."""

    folder: str
    files: t.Mapping[str, bytes] = field(default_factory=dict)
    packages: int | None = None


def folder_of(root: str, name: str) -> str:
    return os.path.join(root, STATE, name)


def has_synthesis(host: Host, root: str, name: str) -> bool:
    """Whether urpmi can read the medium: in its folder, or in the flat layout of old media."""
    return bool(
        host.listdir(folder_of(root, name), SYNTHESIS)
        or any(one == "synthesis.hdlist.%s.cz" % name for one in host.listdir(os.path.join(root, STATE)))
    )


def needs_none(block: Block) -> bool:
    """Media that urpmi keeps nothing of: local virtual ones; those whose synthesis it makes itself."""
    return ("virtual" in block.options and is_local(block.url)) or "no-media-info" in block.options


def readable(block: Block) -> bool:
    """Whether it can be read from Python; rsync, ssh and discs are left to urpmi."""
    return bool(block.options.get("mirrorlist")) or scheme(block.url) in (*READABLE, "path")


def places(block: Block, source: Source, host: Host, root: str) -> list[str]:
    """Where the folder of the packages can be, best first."""
    lists = block.options.get("mirrorlist")
    bases = mirrors_of(lists, source, host, root) if lists else [expand(block.url, host, root)]
    below = block.options.get("with-dir") or ""
    return [base.rstrip("/") + ("/" + below.strip("/") if below else "") for base in bases]


def check_synthesis(data: bytes, name: str, host: Host) -> int:
    """The number of packages; ClusterError unless the file is whole."""
    if not data:
        raise ClusterError("%s is empty" % name, _HINT)
    return len(parse_synthesis(decompress(data, name, host), name))


def _listed(block: Block, sums: t.Mapping[str, str], digest: str | None, place: str) -> dict[str, str | None]:
    """What has to be stored, with the digest that the medium tells; None where it tells none."""
    found = {SYNTHESIS: digest}
    if block.options.get("xml-info") == "always" and not is_local(place):
        found.update({name: sums[name] for name in XML if name in sums})
    return found


def _stored(host: Host, path: str, digest: str | None) -> bool:
    now = host.read(path) if digest is not None else None
    return now is not None and md5(now) == digest


def _one_place(place: str, block: Block, source: Source, host: Host, folder: str) -> Fetched:
    own = block.options.get("with_synthesis")
    synthesis = "%s/%s" % (place, own or "media_info/" + SYNTHESIS)
    told = None if own else source.read(os.path.dirname(synthesis) + "/MD5SUM")
    sums = parse_md5sum(told, os.path.dirname(synthesis) + "/MD5SUM") if told is not None else {}
    digest = sums.get(os.path.basename(synthesis))
    if digest is None and not own and not is_local(place):
        raise ClusterError("%s: no metadata found: no media_info/MD5SUM with %s" % (place, SYNTHESIS), _HINT)
    listed = _listed(block, sums, digest, place)
    missing = {name: one for name, one in listed.items() if not _stored(host, folder + "/" + name, one)}
    if not missing and host.read(folder + "/MD5SUM") == told:
        return Fetched(folder)
    files: dict[str, bytes] = {}
    for name, wanted in missing.items():
        files[name] = source.need(synthesis if name == SYNTHESIS else "%s/media_info/%s" % (place, name), place)
        if wanted is not None and md5(files[name]) != wanted:
            raise ClusterError("%s: %s does not fit its MD5SUM" % (place, name), "fetch again, or " + _HINT)
    packages = check_synthesis(files[SYNTHESIS], synthesis, host) if SYNTHESIS in files else None
    if told is not None:
        files["MD5SUM"] = told
    changed = {name: data for name, data in files.items() if host.read(folder + "/" + name) != data}
    return Fetched(folder, changed, packages)


def fetch(block: Block, source: Source, host: Host, root: str) -> Fetched:
    """What is new in a medium, from the first place that works; ClusterError tells what each place said."""
    told: list[str] = []
    hint = ""
    for place in places(block, source, host, root):
        try:
            return _one_place(place, block, source, host, folder_of(root, block.name))
        except ClusterError as error:
            told.append(error.message)
            hint = hint or error.hint
    raise ClusterError("; ".join(told), hint)


def fetch_all(blocks: t.Iterable[Block], source: Source, host: Host, root: str) -> dict[str, Fetched]:
    """By name; one ClusterError names every medium that fails."""
    found: dict[str, Fetched] = {}
    failed: list[ClusterError] = []
    for block in blocks:
        try:
            found[block.name] = fetch(block, source, host, root)
        except ClusterError as error:
            failed.append(ClusterError("medium %r: %s" % (block.name, error.message), error.hint))
    if failed:
        hints = dict.fromkeys(error.hint for error in failed if error.hint)
        raise ClusterError("; ".join(error.message for error in failed), "; ".join(hints))
    return found


def local_folder(block: Block) -> str:
    """The folder of a local medium, empty for others."""
    return local_path(block.url) if is_local(block.url) else ""
