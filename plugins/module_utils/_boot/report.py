# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline as results, recap lines and a table. This module util is private to the collection."""

from __future__ import annotations

import typing as t

from .missing import why_missing
from .stages import RANK, Boot
from .timeline import Timeline, Track

Row = t.Dict[str, t.Any]

# The columns of recap and table: several stages each, because an admin thinks in these.
PHASES: t.Mapping[str, tuple[str, ...]] = {
    "firmware": ("firmware",),
    "dhcp": ("lease",),
    "stage1": ("loader", "entry", "kernel", "stage1", "dhcp"),
    "image": ("fetch", "verify", "root"),
}
# The system's own DHCP client asks about when the node reports itself up.
_SETTLE = 60.0
SECONDS = ("dhcp", "stage1", "image")  # the columns of the table that hold seconds


def spent(boot: Boot) -> tuple[dict[str, float], dict[str, float]]:
    """(seconds spent to reach each stage from the one before, seconds from the start), stages in order."""
    took: dict[str, float] = {}
    after: dict[str, float] = {}
    now = 0.0
    for stage in sorted(boot.at, key=RANK.__getitem__):
        since_start = max(now, round(boot.at[stage] - boot.start, 3))
        took[stage] = round(since_start - now, 3)
        after[stage] = now = since_start
    return took, after


def phases_of(took: t.Mapping[str, float]) -> dict[str, float]:
    """Seconds per phase from seconds per stage; phases of which nothing is known are left out."""
    found = {}
    for phase, stages in PHASES.items():
        seconds = [took[stage] for stage in stages if stage in took]
        if seconds:
            found[phase] = sum(seconds)
    return found


def _state(boot: Boot | None) -> str:
    if boot is None:
        return "unseen"
    if boot.has_failed:
        return "failed"
    return "up" if "up" in boot.at else "booting"


def _line(name: str, row: Row) -> str:
    parts = ["%s %.1f s" % item for item in phases_of(row["stages"]).items()]
    if row["up"]:
        return "%s: %s%s" % (name, ", ".join([*parts, "up %.1f s" % row["at"]["up"]]), row["note"])
    text = "%s: no %s: %s. Remedy: %s" % (name, row["missing"], row["reason"], row["remedy"])
    return "%s (%s)" % (text, ", ".join(parts)) if parts else text


def row_of(node: t.Mapping[str, t.Any], track: Track, strangers: t.Sequence[str] = ()) -> Row:
    """The result of one node; the keys are those of RETURN of module boot_timeline_info."""
    boot = track.boot
    took, after = spent(boot) if boot else ({}, {})
    mac = str(node.get("mac") or "no MAC")
    missing, reason, remedy = why_missing(boot, mac, track.before, strangers)
    row: Row = {
        "up": not missing,
        "state": _state(boot),
        "image": boot.image if boot else "",
        "boot_id": boot.boot_id if boot else "",
        "address": boot.address if boot else "",
        "host_key": boot.host_key if boot else "",
        "started": round(boot.start, 3) if boot else None,
        "reached": boot.reached if boot else "",
        "stages": took,
        "at": after,
        "missing": missing,
        "reason": reason,
        "remedy": remedy,
    }
    row["note"] = _note(boot) if boot and not missing else ""
    row["line"] = _line(str(node["name"]), row)
    return row


def _note(boot: Boot) -> str:
    later = boot.asked_again - boot.at["up"]
    if later < _SETTLE:
        return ""
    return " (asked for an address again %.0f s after that; if it does not answer, it was reset)" % later


def report(nodes: t.Iterable[t.Mapping[str, t.Any]], timeline: Timeline) -> dict[str, Row]:
    """Rows by node name, sorted."""
    strangers = sorted(timeline.unknown)
    ordered = sorted(nodes, key=lambda node: str(node["name"]))
    return {str(node["name"]): row_of(node, timeline.tracks[str(node["name"])], strangers) for node in ordered}


def has_reached(row: Row, stage: str) -> bool:
    """Whether a row got as far as a stage; ``up`` also means that no failure was reported since."""
    if stage == "up":
        return bool(row["up"])
    return bool(row["reached"]) and RANK[row["reached"]] >= RANK[stage]


def table(rows: t.Mapping[str, Row]) -> list[str]:
    """The rows as lines of aligned text, head first."""
    head = ("node", "state", "version", *SECONDS, "total", "missing")
    cells = [head, *(_cells(name, row) for name, row in rows.items())]
    widths = [max(len(line[n]) for line in cells) for n in range(len(head))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells]


def _cells(name: str, row: Row) -> tuple[str, ...]:
    phases = phases_of(row["stages"])
    times = ["%.1f" % phases[phase] if phase in phases else "-" for phase in SECONDS]
    total = "%.1f" % max(row["at"].values()) if row["at"] else "-"
    missing = "" if row["up"] else "%s: %s" % (row["missing"], row["reason"])
    return (name, row["state"], row["image"] or "-", *times, total, missing)
