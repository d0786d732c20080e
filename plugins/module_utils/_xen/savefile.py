# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose memory a save file of xl holds. This module util is private to the collection.

Format, as xl 4.17 writes it: 32 bytes ``Xen saved domain, xl format\\n \\0 \\r``, four 32-bit numbers of the host's
byte order (0x01020304, mandatory flags, optional flags, length), then that many bytes of which the first four are the
length of the configuration and the rest the configuration: JSON when bit 0 of the mandatory flags is set.
"""

from __future__ import annotations

import json
import struct
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Host
from .normal import normal_uuid, tidy

MAGIC = b"Xen saved domain, xl format\n \0 \r"
# A configuration is some kilobytes; memory follows it.
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Saved:
    """What the file says: name and UUID of the guest, memory in MiB; empty and 0 where it does not tell."""

    name: str
    uuid: str = ""
    memory_mb: int = 0


def _config(head: bytes, path: str) -> dict[str, t.Any]:
    order = "<" if head[32:36] == b"\x04\x03\x02\x01" else ">"
    mandatory, _optional, length = struct.unpack(order + "III", head[36:48])
    if not mandatory & 1 or length < 4:
        raise ClusterError("the save file %s is older than Xen 4.5" % path, "restore it by hand with xl restore")
    text = head[52 : 48 + length].rstrip(b"\0")
    found = json.loads(text.decode("utf-8", "replace"))
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    return found


def parse(head: bytes, path: str) -> Saved:
    """From the first megabyte of a file; ClusterError when it is no save file of xl."""
    hint = "start the guest anew with state running, or name another save_file"
    if not head.startswith(MAGIC) or len(head) < 52:
        raise ClusterError("%s is no save file of xl" % path, hint)
    try:
        config = _config(head, path)
        about, build = config["c_info"], config.get("b_info") or {}
        memory = int(build.get("target_memkb") or build.get("max_memkb") or 0) // 1024
        return Saved(str(about["name"]), tidy(normal_uuid, str(about.get("uuid") or "")), memory)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError("the save file %s is damaged: %s" % (path, error), hint)


def read(host: Host, path: str) -> Saved | None:
    """What the file at ``path`` holds, None when there is none."""
    head = host.read_from(path, 0, _LONGEST)
    return None if head is None else parse(head, path)
