# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every DHCP server for real: our configuration, its own program, a client in a network namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.backends import BACKENDS, find_backend
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.dhcp import parse_dhcp
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.logs import parse_dhcp as read_line
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.node import parse_nodes
from ansible_collections.xtreemos.cluster.tests.integration.bootplace import DHCP, dhcp_conf

NODE, STRANGER = "52:54:00:0a:01:1f", "52:54:00:0a:01:99"
SCRIPT = "http://10.0.1.1/ipxe/boot.ipxe"
OPTIONS: dict[str, t.Any] = {
    "interface": "eth1",
    "loaders": {"bios": "lpxelinux.0", "uefi_x64": "snponly.efi"},
    "ipxe_script": SCRIPT,
    "subnets": [
        {
            "network": "10.0.1.0/24",
            "pools": ["10.0.1.100-10.0.1.109"],
            "routers": "10.0.1.1",
            "dns": ["10.0.1.2", "10.0.1.3"],
            "domain": "cluster.example",
        }
    ],
}
# What the client says of itself, and what it has to get; None for what must not be there.
PXE, IPXE = "PXEClient:Arch:%05d:UNDI:002001", ("-x", "0x4d:69505845")
ASKS: dict[str, tuple[str, tuple[str, ...], dict[str, str | None]]] = {
    "bios": (NODE, ("-V", PXE % 0, "-x", "0x5d:0000"), {"ip": "10.0.1.31", "file": "lpxelinux.0"}),
    "ipxe": (NODE, ("-V", PXE % 0, "-x", "0x5d:0000", *IPXE), {"ip": "10.0.1.31", "file": SCRIPT}),
    "uefi": (NODE, ("-V", PXE % 7, "-x", "0x5d:0007"), {"ip": "10.0.1.31", "file": "snponly.efi"}),
    "uefi, other number": (NODE, ("-V", PXE % 9, "-x", "0x5d:0009"), {"file": "snponly.efi"}),
    "arm": (NODE, ("-V", PXE % 11, "-x", "0x5d:000b"), {"ip": "10.0.1.31", "file": None}),
    "system": (NODE, (), {"ip": "10.0.1.31", "hostname": "node31", "router": "10.0.1.1", "dns": "10.0.1.2 10.0.1.3",
                          "domain": "cluster.example", "file": None}),
    "stranger": (STRANGER, (), {"ip": "10.0.1.1", "hostname": None, "router": "10.0.1.1"}),
}  # fmt: skip


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


class Wire:
    """A server and a client, each in its own network namespace, joined by one wire."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server, self.client = ("xt-%s-%d" % (who, os.getpid()) for who in ("srv", "cli"))
        self.process: subprocess.Popen[bytes] | None = None
        self.script = folder / "told"
        self.script.write_text('#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n')
        self.script.chmod(0o755)

    def lay(self) -> None:
        for name in (self.server, self.client):
            run("ip", "netns", "add", name)
        run(
            "ip",
            "link",
            "add",
            "eth1",
            "netns",
            self.server,
            "type",
            "veth",
            "peer",
            "name",
            "c0",
            "netns",
            self.client,
        )
        for words in (
            ("addr", "add", "10.0.1.1/24", "dev", "eth1"),
            ("link", "set", "lo", "up"),
            ("link", "set", "eth1", "up"),
        ):
            run("ip", "-n", self.server, *words)
        run("ip", "-n", self.client, "link", "set", "c0", "up")

    def start(self, backend: str, text: str) -> None:
        conf = self.folder / "dhcp.conf"
        conf.write_text(text)
        (self.folder / "leases").touch()
        with open(self.folder / "log", "wb") as log:
            argv = ["ip", "netns", "exec", self.server, *DHCP[backend](conf, self.folder)]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def ask(self, mac: str, *words: str) -> dict[str, str]:
        """What a client is told; an empty mapping when nobody answers in time."""
        run("ip", "-n", self.client, "link", "set", "c0", "down")
        run("ip", "-n", self.client, "link", "set", "c0", "address", mac)
        run("ip", "-n", self.client, "link", "set", "c0", "up")
        asks = ("busybox", "udhcpc", "-i", "c0", "-n", "-q", "-f", "-t", "10", "-T", "2", "-s", str(self.script))
        argv = ["ip", "netns", "exec", self.client, *asks, *words]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
        told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        told["file"] = told.get("boot_file") or told.get("bootfile") or ""
        return told if "ip" in told else {}

    def close(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@pytest.fixture(scope="module", params=sorted(BACKENDS))
def wire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Wire]:
    backend = find_backend(request.param)
    assert shutil.which(DHCP[request.param](Path(), Path())[0], path="/usr/sbin:/usr/bin"), request.param
    found = Wire(tmp_path_factory.mktemp("dhcp"))
    nodes = parse_nodes([{"name": "node31", "mac": NODE, "ip": "10.0.1.31", "node_id": 1}])
    try:
        found.lay()
        found.start(request.param, dhcp_conf(backend.render(parse_dhcp(OPTIONS, nodes, "10.0.1.1"))))
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("who", sorted(ASKS))
def test_each_client_gets_what_it_needs(wire: Wire, who: str) -> None:
    mac, words, wanted = ASKS[who]
    told = wire.ask(mac, *words)
    assert told, wire.log
    for key, value in wanted.items():
        if value is None:
            assert not told.get(key), (key, told)
        elif who == "stranger" and key == "ip":
            assert told[key].startswith("10.0.1.10"), told
        else:
            assert told[key] == value, (key, told)
    assert told["siaddr"] == "10.0.1.1" or not told["file"]


def test_the_timeline_reads_the_log(wire: Wire) -> None:
    assert wire.ask(NODE)
    time.sleep(0.2)
    events = [read_line("1795253524.5 head x[1]: " + line) for line in wire.log.splitlines()]
    told = [(event.what, event.ip) for event in events if event is not None and event.mac == NODE]
    assert "discover" in [what for what, _ip in told] and ("ack", "10.0.1.31") in told, wire.log
