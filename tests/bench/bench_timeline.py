# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot timeline of a big rack: seconds of CPU and memory for 10,000 nodes and a million lines.

``python tests/bench/bench_timeline.py [NODES [BOOTS]]``; prints figures, judges nothing.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import Node
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.sources import Log, Sources
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.watch import Wait, watch
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost

EPOCH = 1795253524.0


def make_nodes(count: int) -> list[Node]:
    return [
        Node(
            "n%05d" % n,
            "52:54:00:%02x:%02x:%02x" % (n >> 16, n >> 8 & 255, n & 255),
            "10.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255),
            n,
        )
        for n in range(1, count + 1)
    ]


def _journal(node: Node, now: float) -> t.Iterator[tuple[float, str]]:
    for step, text in enumerate(
        [
            "dhcpd[412]: DHCPDISCOVER from %s via eth1" % node.mac,
            "dhcpd[412]: DHCPOFFER on %s to %s via eth1" % (node.ip, node.mac),
            "dhcpd[412]: DHCPREQUEST for %s (10.0.0.1) from %s via eth1" % (node.ip, node.mac),
            "dhcpd[412]: DHCPACK on %s to %s via eth1" % (node.ip, node.mac),
            "in.tftpd[999]: RRQ from %s filename pxelinux.0" % node.ip,
            "in.tftpd[999]: RRQ from %s filename ldlinux.c32" % node.ip,
            "in.tftpd[999]: RRQ from %s filename pxelinux.cfg/01-%s" % (node.ip, node.mac.replace(":", "-")),
        ]
    ):
        yield now + step * 0.1, "%.6f head %s\n" % (now + step * 0.1, text)


def _boot_log(node: Node, now: float) -> t.Iterator[tuple[float, str]]:
    for step, name in enumerate(["vmlinuz", "stage1.img", "rootfs.sqfs"], 1):
        line = '%.3f %s "GET /images/node/abc/%s HTTP/1.1" 200 1234567 0.100\n' % (now + step, node.ip, name)
        yield now + step, line


def _phone_log(node: Node, now: float, boot: int) -> t.Iterator[tuple[float, str]]:
    query = "node=%s&id=%d&boot=b%d&uptime=3.14&mac=%s&ip=%s&image=abc&msg=" % (
        *(node.name, node.node_id, boot),
        *(node.mac, node.ip),
    )
    for step, stage in enumerate(["dhcp", "fetch", "verify", "root", "up"], 2):
        line = '%.3f %s "GET /phone-home/%s?%s HTTP/1.1" 204\n' % (now + step, node.ip, stage, query)
        yield now + step, line


def write_logs(folder: Path, nodes: list[Node], boots: int) -> int:
    """Three logs of ``boots`` boots of all nodes in the order of time; the number of lines."""
    total = 0
    with open(folder / "journal", "w") as journal, open(folder / "boot", "w") as boot, open(
        folder / "home", "w"
    ) as home:
        for number in range(boots):
            start = EPOCH + number * 3600
            moments = [(node, start + index * 0.01) for index, node in enumerate(nodes)]
            for stream, lines in (
                (journal, [line for node, now in moments for line in _journal(node, now)]),
                (boot, [line for node, now in moments for line in _boot_log(node, now)]),
                (home, [line for node, now in moments for line in _phone_log(node, now, number)]),
            ):
                lines.sort()
                stream.writelines(text for _when, text in lines)
                total += len(lines)
    return total


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    boots = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    nodes = make_nodes(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = write_logs(folder, nodes, boots)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sources = Sources(
            LocalHost(),
            [
                Log("dhcp", path=str(folder / "journal")),
                Log("tftp", path=str(folder / "journal")),
                Log("http", path=str(folder / "boot")),
                Log("phone", path=str(folder / "home")),
            ],
        )
        began = time.process_time()
        rows, _timeline = watch(nodes, sources, Wait())
        cold = time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    up = sum(row["up"] for row in rows.values())
    print("timeline: %d nodes (%d up), %d lines: %.2f s CPU" % (len(rows), up, lines, cold))
    print(
        "timeline: %.1f us per line, peak memory %d MB (%d MB before)" % (cold / lines * 1e6, after >> 10, before >> 10)
    )


if __name__ == "__main__":
    main()
