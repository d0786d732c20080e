# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the media files need to know of a package header. This module util is private to the collection."""

from __future__ import annotations

import typing as t

from .header import Header

NAME, VERSION, RELEASE, EPOCH, SUMMARY, DESCRIPTION = 1000, 1001, 1002, 1003, 1004, 1005
SIZE, LONG_SIZE, LICENSE, GROUP, URL, ARCH = 1009, 5009, 1014, 1016, 1020, 1022
SOURCE_RPM, SOURCE_PACKAGE = 1044, 1106
OLD_FILES, DIR_INDEXES, BASE_NAMES, DIR_NAMES = 1027, 1116, 1117, 1118
CHANGE_TIMES, CHANGE_NAMES, CHANGE_TEXTS = 1080, 1081, 1082

# Tags of names, flags, versions.
DEPENDENCIES = {
    "provides": (1047, 1112, 1113),
    "requires": (1049, 1048, 1050),
    "conflicts": (1054, 1053, 1055),
    "obsoletes": (1090, 1114, 1115),
    "recommends": (5046, 5048, 5047),
}
# A requirement that has to be there before a script of the package runs: PREREQ, pre, post, preun, postun.
PRE_FLAGS = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12
MISSING_OK = 1 << 19

Dependency = t.Tuple[bytes, int, bytes]


def is_source(header: Header) -> bool:
    return SOURCE_RPM not in header


def arch(header: Header) -> bytes:
    """Architecture; ``src`` for a source package, whose own tag names that of the build host."""
    return b"src" if is_source(header) else header.string(ARCH)


def nvra(header: Header) -> bytes:
    """NAME-VERSION-RELEASE.ARCH."""
    return b"%s-%s-%s.%s" % (header.string(NAME), header.string(VERSION), header.string(RELEASE), arch(header))


def dependencies(header: Header, kind: str) -> list[Dependency]:
    """Name, sense flags and version of each, in header order; ClusterError when the three lists do not fit."""
    names_tag, flags_tag, versions_tag = DEPENDENCIES[kind]
    names = header.strings(names_tag)
    flags = header.ints(flags_tag) or (0,) * len(names)
    versions = header.strings(versions_tag) or [b""] * len(names)
    if not len(names) == len(flags) == len(versions):
        raise header.damaged(names_tag)
    return list(zip(names, flags, versions))


def file_paths(header: Header) -> list[bytes]:
    """Every path of the package in header order: files, folders, links, ghosts."""
    names = header.strings(BASE_NAMES)
    if not names:
        return header.strings(OLD_FILES)
    folders, indexes = header.strings(DIR_NAMES), header.ints(DIR_INDEXES)
    if len(indexes) != len(names) or max(indexes) >= len(folders):
        raise header.damaged(BASE_NAMES)
    return [folders[at] + name for at, name in zip(indexes, names)]
