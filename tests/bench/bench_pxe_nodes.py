# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CPU seconds of pxe_nodes for a large rack, and the ratio to one jinja2 template per node and file.

Run: python tests/bench/bench_pxe_nodes.py [NODES]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import typing as t

import jinja2
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules.pxe_nodes import work

NAIVE = """# {{ node.name }}
SERIAL 0 115200
DEFAULT {{ profile.name }}
PROMPT 0
TIMEOUT 50
LABEL {{ profile.name }}
  MENU LABEL {{ node.name }}: {{ image.name }} {{ image.version }}
  KERNEL http://{{ server }}/images/{{ image.name }}/{{ image.version }}/vmlinuz
  APPEND initrd=http://{{ server }}/images/{{ image.name }}/{{ image.version }}/stage1.img \
automatic=method:{{ profile.method }},interface:auto,network:dhcp node_id={{ node.node_id }} \
node_name={{ node.name }} boot_server={{ server }} image_sha256={{ image.sha256 }} {{ profile.append }}
  IPAPPEND 2
LABEL local
  LOCALBOOT 0
"""


def make_nodes(count: int) -> list[dict[str, t.Any]]:
    def octets(number: int) -> tuple[int, int, int]:
        return number >> 16, number >> 8 & 255, number & 255

    return [
        {
            "name": "node%05d" % number,
            "mac": "52:54:00:%02x:%02x:%02x" % octets(number),
            "ip": "10.%d.%d.%d" % octets(number + (1 << 16)),
            "node_id": number,
            "memory_mb": 4096,
        }
        for number in range(1, count + 1)
    ]


def make_image(root: str) -> None:
    folder = os.path.join(root, "images", "node", "v1")
    os.makedirs(folder)
    files = {"rootfs": "rootfs.sqfs", "kernel": "vmlinuz", "stage1": "stage1.img"}
    for name in files.values():
        with open(os.path.join(folder, name), "wb") as stream:
            stream.write(b"x")
    entries = {key: {"path": name, "size": 1, "sha256": "0" * 64} for key, name in files.items()}
    manifest = {"format": 1, "name": "node", "version": "v1", "ram_needed_mb": 700, "files": entries}
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as stream:
        json.dump(manifest, stream)
    os.symlink("v1", os.path.join(root, "images", "node", "current"))


def options(root: str, nodes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return {
        "nodes": nodes,
        "profiles": {"default": {"image": "node", "append": "console=ttyS0,115200"}},
        "server": {"address": "10.255.255.1", "port": 80},
        "transport": "http",
        "tftp_root": root + "/tftp",
        "http_root": root + "/http",
        "images_root": root + "/images",
        "menu": {},
        "dhcp": {
            "backend": "isc",
            "config_path": root + "/dhcpd.conf",
            "subnets": [{"network": "10.0.0.0/8", "pools": ["10.254.0.1-10.254.255.254"]}],
            "validate": False,
        },
    }


def measured(call: t.Callable[[], t.Any]) -> tuple[float, float, float, t.Any]:
    """CPU seconds (user and kernel), of them user, wall seconds, and the call's result."""
    before, wall = os.times(), time.monotonic()
    result = call()
    after = os.times()
    user = after.user - before.user
    return user + after.system - before.system, user, time.monotonic() - wall, result


def naive(root: str, nodes: list[dict[str, t.Any]]) -> int:
    """A loop over hosts at its best: a template compiled once, one render and one plain write per node and file."""
    template = jinja2.Environment().from_string(NAIVE)
    image = {"name": "node", "version": "v1", "sha256": "0" * 64}
    profile = {"name": "default", "method": "http", "append": "console=ttyS0,115200"}
    for folder in ("pxe", "ipxe"):
        os.makedirs(os.path.join(root, folder))
        for node in nodes:
            text = template.render(node=node, image=image, profile=profile, server="10.255.255.1")
            with open(os.path.join(root, folder, node["mac"]), "w", encoding="utf-8") as stream:
                stream.write(text)
    return 2 * len(nodes)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    nodes = make_nodes(count)
    with tempfile.TemporaryDirectory() as root:
        make_image(root)
        host = LocalHost()
        runs = {}
        for name in ("cold", "unchanged", "one edit", "one leaves"):
            if name == "one edit":
                nodes[count // 2]["kernel_options"] = ["quiet"]
            if name == "one leaves":
                nodes.pop()
            cpu, user, wall, result = measured(lambda: work(options(root, nodes), False, host))
            runs[name] = cpu
            sums = [len(result[key]) for key in ("files", "changed_nodes", "removed_nodes")]
            print("%-10s %d nodes: %.2f s CPU (user %.2f), %.2f s wall," % (name, count, cpu, user, wall), end=" ")
            print("%d files changed, %d nodes changed, %d removed" % tuple(sums))
        cpu, user, wall, written = measured(lambda: naive(os.path.join(root, "naive"), nodes))
        print(
            "%-10s %d nodes: %.2f s CPU (user %.2f), %.2f s wall, %d files"
            % ("jinja2", count, cpu, user, wall, written)
        )
        print("ratio jinja2/cold %.1f, jinja2/unchanged %.1f" % (cpu / runs["cold"], cpu / runs["unchanged"]))


if __name__ == "__main__":
    main()
