# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools from the media files or the packages themselves. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t

from .._errors import ClusterError
from .._host.host import Host
from .._media.compress import decompress
from .._media.synthesis import parse_synthesis, record_of, required_paths
from .._rpm import package as rpm
from .._rpm.header import Header, Rpm
from .pool import Pool, package_of, pool_of


def pool_from_media(folders: t.Mapping[str, str], host: Host) -> Pool:
    """Media by name, each the folder that holds ``media_info``; ClusterError names a synthesis that is no good."""
    records = {}
    for name, folder in folders.items():
        path = os.path.join(folder, "media_info", "synthesis.hdlist.cz")
        data = host.read(path)
        if data is None:
            raise ClusterError("medium %s: %s does not exist" % (name, path), "run the hdlist module on the folder")
        records[name] = parse_synthesis(decompress(data, path, host), path)
    return pool_of(records)


def pool_from_headers(media: t.Mapping[str, t.Iterable[Header]]) -> Pool:
    """From headers, of packages or of hdlist.cz: every file that something requires is found, in all media."""
    packages, lists = [], []
    required: set[bytes] = set()
    for name, headers in media.items():
        for header in headers:
            record = record_of(header, 0)
            required |= required_paths(record)
            packages.append(package_of(record, name))
            lists.append(rpm.file_paths(header))
    files: dict[str, list[int]] = {}
    for number, paths in enumerate(lists):
        for path in required.intersection(paths):
            files.setdefault(path.decode("utf-8", "replace"), []).append(number)
    return Pool(packages, files)


def pool_from_packages(media: t.Mapping[str, t.Iterable[Rpm]]) -> Pool:
    """From package files that were read."""
    return pool_from_headers({name: (one.header for one in found) for name, found in media.items()})
