# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SHOW: processors of all guests, and the memory of dom0's own system. This module util is private to the collection.

Formats: the table of ``xl vcpu-list`` of xl 4.17; ``/proc/meminfo``, in kB.
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .live import ask

_ROW = re.compile(
    r"(?P<label>.*?)\s+(?P<pid>\d+)\s+(?P<vcpu>\d+)\s+(?P<cpu>\d+|-)\s+(?P<state>\S{3})\s+(?P<seconds>\d+(?:\.\d+)?)"
    r"\s+(?P<hard>\S+) / (?P<soft>\S+)\s*\Z"
)
_MEMORY = {
    "memtotal_mb": "MemTotal",
    "memfree_mb": "MemFree",
    "memavailable_mb": "MemAvailable",
    "swaptotal_mb": "SwapTotal",
    "swapfree_mb": "SwapFree",
}


def parse_vcpus(text: str) -> list[dict[str, t.Any]]:
    """One mapping for each processor of each guest, Domain-0's too: ``label``, ``pid`` (domain id), ``vcpu``, ``cpu``
    (None while it is offline), ``state``, ``seconds``, and the affinities ``hard`` and ``soft``. ClusterError for a
    line that is none."""
    found: list[dict[str, t.Any]] = []
    for line in text.splitlines()[1:]:
        match = _ROW.match(line)
        if match is None:
            raise ClusterError("xl vcpu-list wrote a line that is no processor: %r" % line)
        row: dict[str, t.Any] = dict(match.groupdict())
        row.update(pid=int(row["pid"]), vcpu=int(row["vcpu"]), seconds=float(row["seconds"]))
        row["cpu"] = None if row["cpu"] == "-" else int(row["cpu"])
        found.append(row)
    return found


def parse_meminfo(text: str) -> dict[str, int]:
    """Memory in MiB; 0 for what the kernel does not tell."""
    values = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return {ours: int(values.get(theirs, 0)) // 1024 for ours, theirs in _MEMORY.items()}


def show(host: Host) -> dict[str, t.Any]:
    """Processors and memory now; one call of xl."""
    memory = (host.read("/proc/meminfo") or b"").decode("ascii", "replace")
    return {"vcpus": parse_vcpus(ask(host, ["xl", "vcpu-list"]).stdout), "memory": parse_meminfo(memory)}
