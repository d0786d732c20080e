# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of mirrors. This module util is private to the collection.

A line per mirror, ``key=value`` pairs with commas between them. Read by our own client: the one of urpmi loses the
query of the URL on current systems.
"""

from __future__ import annotations

import os
import re

from .._host.errors import ClusterError
from .._host.host import Host
from .source import READABLE, Source, scheme

_LIST = re.compile(r"\.list(\?|$)")
_DEFAULT = "http://mirrors.mageia.org/api/mageia.%s.%s.list"
_RELEASE = re.compile(r"release (\d+\.?\d?).*for (\w+)")


def expand(url: str, host: Host, root: str) -> str:
    """The URL with ``$MIRRORLIST``, ``$RELEASE`` and ``$ARCH`` filled in from /etc/release below ``root``."""
    if "$" not in url:
        return url
    path = os.path.join(root, "etc/release")
    match = _RELEASE.search((host.read(path) or b"").decode("utf-8", "replace"))
    if match is None:
        raise ClusterError("%s: %s does not tell release and architecture" % (url, path), "give the URL of the list")
    url = url.replace("$MIRRORLIST", _DEFAULT % match.groups())
    return url.replace("$RELEASE", match.group(1)).replace("$ARCH", match.group(2))


def parse_mirrors(text: str) -> list[str]:
    """URLs of the distributions in a list that can be read, http first, otherwise in the order of the list."""
    rows = [dict(pair.split("=", 1) for pair in line.split(",") if "=" in pair) for line in text.splitlines()]
    urls = [row["url"].strip().rstrip("/") for row in rows if row.get("type") == "distrib" and row.get("url")]
    urls = [url for url in urls if scheme(url) in (*READABLE, "path")]
    return sorted(urls, key=lambda url: not url.startswith("http"))


def mirrors_of(lists: str, source: Source, host: Host, root: str) -> list[str]:
    """Every mirror of the lists (separated by blanks); a URL that is no list is the mirror itself."""
    found: list[str] = []
    for url in expand(lists, host, root).split():
        if not _LIST.search(url):
            found.append(url.rstrip("/"))
            continue
        data = source.read(url)
        if data is None:
            raise ClusterError("the mirror list %s is not there" % url, "check the URL")
        found += parse_mirrors(data.decode("utf-8", "replace"))
    if not found:
        raise ClusterError("no mirror in %s" % lists, "check the list")
    return found
