# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirrors, and the lists of them that urpmi reads. This module util is private to the collection.

One line per mirror, ``key=value`` fields with commas between: ``continent=EU,country=FR,...,type=distrib,url=...``.
urpmi takes lines with type=distrib and sorts them by distance, so the order of the lines says nothing.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

PLACE = ("continent", "zone", "country", "city", "latitude", "longitude")
_LIMITS = {"latitude": 90.0, "longitude": 180.0}
_URL = re.compile(r"https?://[^/\s,?#]+(/[^\s,?#]*)?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+~-]*")


@dataclass(frozen=True)
class Mirror:
    """A mirror: ``url`` without the slash at its end; ``place`` are (key, value) pairs in the order of PLACE."""

    url: str
    place: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class MirrorList:
    """A list to keep: the file ``dest`` for one architecture of ``folder/version`` below the URL of each mirror."""

    dest: str
    version: str
    arch: str
    folder: str = ""

    def base(self, mirror: Mirror) -> str:
        """Where the version is on a mirror, the place of its timestamp."""
        return "/".join(part for part in (mirror.url, self.folder, self.version) if part)

    def url(self, mirror: Mirror) -> str:
        """What clients take: the root of one architecture, which holds media/media_info/media.cfg."""
        return "%s/%s" % (self.base(mirror), self.arch)


def _place(url: str, item: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    for key in PLACE:
        value = item.get(key)
        if value is None or value == "":
            continue
        text = str(value)
        if not text.isprintable() or "," in text or "=" in text:
            raise ClusterError(
                "mirror %s: %s is %r" % (url, key, text), "no comma, '=' or line break: a field ends there"
            )
        limit = _LIMITS.get(key)
        if limit is not None and not (_is_number(text) and -limit <= float(text) <= limit):
            raise ClusterError("mirror %s: %s is %r" % (url, key, text), "degrees, from -%g to %g" % (limit, limit))
        yield key, text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text) is not None


def parse_mirrors(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Mirror, ...]:
    """The mirrors, sorted by URL; ClusterError names the one that is wrong."""
    found: dict[str, Mirror] = {}
    for item in items:
        url = str(item.get("url") or "").rstrip("/")
        if not _URL.fullmatch(url):
            raise ClusterError("bad URL of a mirror: %r" % url, "as in http://mirror.example.org/pub, without a query")
        if url in found:
            raise ClusterError("mirror %s is given twice" % url, "keep one")
        found[url] = Mirror(url, tuple(_place(url, item)))
    if not found:
        raise ClusterError("there are no mirrors", "give one at least: a list of none helps no client")
    return tuple(found[url] for url in sorted(found))


def _word(what: str, value: t.Any) -> str:
    text = str(value or "")
    if not _WORD.fullmatch(text):
        raise ClusterError("bad %s of a mirror list: %r" % (what, text), "letters, digits and ._+~-")
    return text


def parse_lists(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[MirrorList, ...]:
    """The lists, sorted by file; ClusterError names the one that is wrong."""
    found: dict[str, MirrorList] = {}
    for item in items:
        dest = str(item.get("dest") or "")
        if not dest.startswith("/") or not dest.endswith(".list"):
            raise ClusterError("%r is no place for a mirror list" % dest, "an absolute path that ends with .list")
        if dest in found:
            raise ClusterError("%s is given twice" % dest, "keep one")
        parts = [_word("folder", part) for part in str(item.get("folder") or "").split("/") if part]
        version, arch = _word("version", item.get("version")), _word("arch", item.get("arch"))
        found[dest] = MirrorList(dest, version, arch, "/".join(parts))
    return tuple(found[dest] for dest in sorted(found))


def render(wanted: MirrorList, mirrors: t.Iterable[Mirror]) -> str:
    """The text of a list; a shuffled input gives the same bytes."""
    lines = []
    for mirror in sorted(mirrors, key=lambda one: one.url):
        fields = [*mirror.place, ("version", wanted.version), ("arch", wanted.arch)]
        fields += [("type", "distrib"), ("url", wanted.url(mirror))]
        lines.append(",".join("%s=%s" % field for field in fields) + "\n")
    return "".join(lines)


def urls_of(text: str) -> list[str]:
    """The URLs in a list, for telling what was added and dropped."""
    return re.findall(r"(?m)(?:^|,)url=([^,\n]+)", text)
