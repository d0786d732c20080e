# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines ``#@#KEY = "value"`` in configuration files: comments to xl, knowledge to ctys. Private to the collection."""

from __future__ import annotations

import re

from .._host.errors import ClusterError

_META = re.compile(r"[ \t]*#@#[ \t]*([A-Za-z][A-Za-z0-9_-]*)[ \t]*(?:=[ \t]*(.*))?$")


def parse_metadata(text: str) -> dict[str, str]:
    """The ``#@#`` lines of any text; the first of equal keys wins, as in ctys."""
    found: dict[str, str] = {}
    for line in text.splitlines() if "#@#" in text else ():
        match = _META.match(line)
        if match:
            value = re.match(r'"*([^"]*)', (match.group(2) or "").replace("'", '"').strip())
            found.setdefault(match.group(1), value.group(1) if value else "")
    return found


def metadata_line(key: str, value: str) -> str:
    """One line; ClusterError for what ctys could not read back."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key) or re.search(r"[\"'\n\r]", value):
        raise ClusterError("metadata %s=%r cannot be written" % (key, value), "use no quotes and no line ends in it")
    return '#@#%s = "%s"' % (key, value) if value or not key.startswith("MAGICID") else "#@#%s" % key
