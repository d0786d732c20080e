# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``hdlist.cz``: the whole header of every package of a medium. This module util is private to the collection.

A packdrake archive whose files are named NVRA and hold a merged header with its magic.
"""

from __future__ import annotations

import typing as t

from .._rpm.header import MAGIC, Header, body_counts
from .packdrake import damaged, parse_packdrake


def _split(content: bytes, name: str) -> t.Iterator[bytes]:
    at = 0
    while at < len(content):
        if content[at : at + 8] != MAGIC:
            raise damaged(name, "no header where one should begin")
        entries, size = body_counts(content[at + 8 : at + 16], name)
        end = at + 16 + 16 * entries + size
        yield content[at + 8 : end]
        at = end


def parse_hdlist(data: bytes, name: str = "hdlist.cz") -> t.Iterator[Header]:
    """Every header in the order of the file, as clients read them; ClusterError when the file is damaged.

    Headers that the table does not name are read too: tools of the past wrote such files.
    """
    archive = parse_packdrake(data, name)
    for block, size in archive.blocks():
        for body in _split(archive.unpack(block, size), name):
            yield Header(body, name)
