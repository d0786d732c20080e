# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rack for the writers."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import members, writers

HEAD = {"name": "head", "ip": "10.0.1.1"}


def rows(numbers: t.Iterable[int] = (31, 32, 33), **more: t.Any) -> list[dict[str, t.Any]]:
    """The node list as the filter returns it."""
    base: dict[str, t.Any] = {"interface": "eth0", "profile": "default", "kernel_options": [], "cpus": 1}
    return [
        dict(
            {**base, "memory_mb": None, "rack": None, **more},
            name="node%d" % n,
            mac="52:54:00:0a:01:%02x" % (n % 256),
            ip="10.0.%d.%d" % (1 + n // 256, n % 256),
            node_id=n - 30,
        )
        for n in numbers
    ]


@pytest.fixture
def rack() -> writers.Cluster:
    """Four nodes of two kinds in two racks, and a head."""
    nodes = rows((31, 32), rack="r.1", memory_mb=1024) + rows((33, 40), cpus=4, profile="big", rack="r2")
    return writers.Cluster(members.parse_members(nodes, HEAD), members.parse_head(HEAD))
