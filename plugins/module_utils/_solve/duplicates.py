# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that are there more than once. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .pool import Pool, newest_first


@dataclass(frozen=True)
class Duplicate:
    """Builds of one name and architecture: the newest, the older ones, and media that hold an equal one again.

    Each is (NVRA, medium).
    """

    newest: tuple[str, str]
    older: tuple[tuple[str, str], ...] = ()
    again: tuple[tuple[str, str], ...] = ()


def duplicates(pool: Pool, names: t.Container[str] | None = None) -> dict[str, Duplicate]:
    """By NAME.ARCH, sorted; ``names`` restricts the search."""
    groups: dict[str, list[int]] = {}
    for number, package in enumerate(pool.packages):
        if names is None or package.name in names:
            groups.setdefault("%s.%s" % (package.name, package.arch), []).append(number)
    return {key: _one(pool, groups[key]) for key in sorted(groups) if len(groups[key]) > 1}


def _one(pool: Pool, numbers: t.Sequence[int]) -> Duplicate:
    rows = [pool.packages[number] for number in newest_first(numbers, pool.packages)]
    newest = rows[0]
    rest = [(package.nvra, package.medium) for package in rows[1:]]
    return Duplicate(
        (newest.nvra, newest.medium),
        tuple(row for row in rest if row[0] != newest.nvra),
        tuple(row for row in rest if row[0] == newest.nvra),
    )


def old_versions(pool: Pool) -> list[str]:
    """NVRAs of every build that is older than another one of its name and architecture, sorted."""
    return sorted({nvra for found in duplicates(pool).values() for nvra, _medium in found.older})
