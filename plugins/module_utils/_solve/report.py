# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with some media, as data and as text. This module util is private to the collection."""

from __future__ import annotations

import typing as t

from .duplicates import Duplicate, duplicates
from .installable import check
from .pool import Pool

# Packages shown per cause.
_SHOWN = 5


def media_report(pool: Pool, budget: int = 5000) -> dict[str, t.Any]:
    """Findings in plain types: ``broken`` (NVRA to medium and chain), ``causes`` (cause to NVRAs), ``undecided``,
    ``older`` (NAME.ARCH to the newest build and the older ones), ``again`` (NVRA to the media that hold it)."""
    report = check(pool, budget)
    found = duplicates(pool)
    return {
        "packages": len(pool.packages),
        "broken": {one.nvra: {"medium": one.medium, "chain": list(one.chain)} for one in report.broken},
        "causes": report.causes(),
        "undecided": list(report.undecided),
        "older": {key: _older(one) for key, one in found.items() if one.older},
        "again": _again(found),
    }


def _older(one: Duplicate) -> dict[str, t.Any]:
    return {"newest": one.newest[0], "older": ["%s (%s)" % row for row in one.older]}


def _again(found: t.Mapping[str, Duplicate]) -> dict[str, list[str]]:
    return {
        one.newest[0]: [one.newest[1], *(medium for _nvra, medium in one.again)] for one in found.values() if one.again
    }


def report_lines(report: t.Mapping[str, t.Any]) -> list[str]:
    """The findings for a reader, causes first."""
    lines = ["%d packages, %d cannot be installed" % (report["packages"], len(report["broken"]))]
    for cause, names in report["causes"].items():
        more = " and %d more" % (len(names) - _SHOWN) if len(names) > _SHOWN else ""
        lines.append("%s: breaks %s%s" % (cause, ", ".join(names[:_SHOWN]), more))
    lines += ["%s: not decided" % nvra for nvra in report["undecided"]]
    lines += ["%s: older builds %s" % (row["newest"], ", ".join(row["older"])) for row in report["older"].values()]
    lines += ["%s: in several media, %s" % (nvra, ", ".join(media)) for nvra, media in report["again"].items()]
    return lines
