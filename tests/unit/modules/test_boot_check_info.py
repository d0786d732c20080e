# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""boot_check_info: a rack that pxe_nodes has written is whole; each fault that is put in is named, and no other."""

from __future__ import annotations

import hashlib
import json
import struct
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.parts import program_kind
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules import boot_check_info, pxe_nodes
from hypothesis import given
from hypothesis import strategies as st

IMAGES, TFTP, HTTP, LEASES = "/srv/xtreemos/images", "/srv/xtreemos/tftp", "/srv/xtreemos/http", "/etc/dhcp/dhcpd.conf"
VERSION = "node/v1"
KERNEL = b"\0" * 0x202 + b"HdrS" + b"\0" * 512
PARTS = {"kernel": ("vmlinuz", KERNEL), "stage1": ("stage1.img", b"stage1"), "rootfs": ("rootfs.sqfs", b"hsqs" * 9)}
NODES = [
    {"name": "node%d" % n, "mac": "52:54:00:0a:01:%02x" % n, "ip": "10.0.1.%d" % n, "node_id": n, "memory_mb": 1024}
    for n in (31, 32, 33)
]
NODE32 = "01-52-54-00-0a-01-20"
CARD = {"ifname": "eth1", "operstate": "UP", "flags": ["UP"], "addr_info": [{"local": "10.0.1.1"}]}
SERVICES = ["isc-dhcp-server", "tftpd-hpa", "nginx"]


def pe(machine: int) -> bytes:
    return b"MZ" + b"\0" * 0x3A + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<H", machine) + b"\0" * 64


def put(host: MemoryHost, path: str, content: bytes, mode: int = 0o644) -> None:
    host.write_files({path: File(content, mode)})


def image(host: MemoryHost, memory: int = 320) -> None:
    files = {}
    for key, (name, content) in PARTS.items():
        files[key] = {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        put(host, "%s/%s/%s" % (IMAGES, VERSION, name), content)
    row = {"format": 1, "name": "node", "version": "v1", "ram_needed_mb": memory, "files": files}
    put(host, "%s/%s/manifest.json" % (IMAGES, VERSION), json.dumps(row).encode())
    host.symlink("v1", IMAGES + "/node/current")


def options(**more: t.Any) -> dict[str, t.Any]:
    """Options with their defaults, as Ansible fills them in."""
    found = {key: spec.get("default") for key, spec in boot_check_info.ARGUMENTS.items()}
    for key in ("menu", "dhcp"):
        given_values = {name: spec.get("default") for name, spec in boot_check_info.ARGUMENTS[key]["options"].items()}
        found[key] = {**given_values, **more.pop(key, {})}
    subnets = [{"network": "10.0.1.0/24", "pools": ["10.0.1.100-10.0.1.199"]}]
    found["dhcp"].update(subnets=subnets, interface="eth1")
    return {**found, "nodes": NODES, "server": {"address": "10.0.1.1", "port": 80}, "services": SERVICES, **more}


def digest(host: MemoryHost) -> t.Callable[[t.Sequence[str]], tuple[int, str, str]]:
    return lambda argv: (0, "%s  %s\n" % (hashlib.sha256(host.files[argv[-1]]).hexdigest(), argv[-1]), "")


def ready(**more: t.Any) -> MemoryHost:
    """A boot server as pxe_nodes leaves it."""
    host = MemoryHost()
    host.script.update(
        {
            "sha256sum": digest(host),
            "systemctl is-active": (0, "active\n" * 3, ""),
            "ip -json": (0, json.dumps([CARD]), ""),
            "df": (0, "Avail Inodes IFree\n 9000 100 50\n", ""),
            "date": (0, "1000010\n", ""),
            "dhcpd": (0, "", ""),
        }
    )
    image(host)
    for name in ("lpxelinux.0", "ldlinux.c32"):
        put(host, "%s/%s" % (TFTP, name), b"\xfa code")
    pxe_nodes.work({**options(**more), "allow_empty": False, "pending": {}}, False, host)
    return host


def look(host: MemoryHost, **more: t.Any) -> dict[str, t.Any]:
    written = sorted(host.files)
    result = boot_check_info.work(options(**more), host)
    assert sorted(host.files) == written and not result["changed"] and host.actions == []
    return result


def test_a_rack_that_is_whole() -> None:
    result = look(ready(), now=1000000.0)
    assert result["good"] and result["server"] == [] and result["lines"] == ["3 of 3 nodes can boot"]
    assert result["nodes"]["node31"] == {"ok": True, "step": "", "reason": "", "remedy": ""}
    assert result["images"] == {VERSION: hashlib.sha256(PARTS["rootfs"][1]).hexdigest()}


def edit(host: MemoryHost, path: str, old: str, new: str) -> None:
    host.files[path] = host.files[path].replace(old.encode(), new.encode())


def drop_lease(host: MemoryHost) -> None:
    lines = host.files[LEASES].decode().splitlines(keepends=True)
    host.files[LEASES] = "".join(line for line in lines if not line.startswith("host node32 ")).encode()


Break = t.Callable[[MemoryHost], object]
ENTRY = "%s/pxelinux.cfg/%s" % (TFTP, NODE32)
# What is broken, the nodes that it hits, the step, the words of the reason.
FAULTS: dict[str, tuple[Break, str, str, str]] = {
    "no lease": (drop_lease, "32", "lease", "has no reservation for 52:54:00:0a:01:20"),
    "lease of another card": (
        lambda host: edit(host, LEASES, "52:54:00:0a:01:20", "52:54:00:0a:01:99"),
        "32", "lease", "gives 10.0.1.32 to 52:54:00:0a:01:99, not 10.0.1.32 to 52:54:00:0a:01:20",
    ),
    "no dhcpd.conf": (lambda host: host.remove(LEASES), "31 32 33", "lease", "has no reservation"),
    "no loader": (lambda host: host.modes.pop(TFTP + "/lpxelinux.0"), "31 32 33", "loader", "lpxelinux.0 is missing"),
    "loader for UEFI": (
        lambda host: put(host, TFTP + "/lpxelinux.0", pe(0x8664)),
        "31 32 33", "loader", "is a program for uefi_x64, and offered to bios machines",
    ),
    "no second file of pxelinux": (
        lambda host: host.modes.pop(TFTP + "/ldlinux.c32"), "31 32 33", "loader", "ldlinux.c32 is missing",
    ),
    "no file of a node": (
        lambda host: (host.files.pop(ENTRY), host.modes.pop(ENTRY)), "32", "entry", NODE32 + " is missing",
    ),
    "old file of a node": (lambda host: edit(host, ENTRY, "v1", "v0"), "32", "entry", "is not what the node list says"),
    "old script of a node": (
        lambda host: edit(host, "%s/ipxe/%s.ipxe" % (HTTP, NODE32), "v1", "v0"), "32", "entry", ".ipxe is not what",
    ),
    "permissions": (lambda host: host.modes.update({ENTRY: 0o600}), "32", "entry", "has the permissions 0600"),
    "permissions of a folder": (
        lambda host: host.modes.update({HTTP: 0o750}), "31 32 33", "entry", HTTP + " has the permissions 0750",
    ),
    "no kernel": (
        lambda host: host.files.pop("%s/%s/vmlinuz" % (IMAGES, VERSION)), "31 32 33", "kernel", "its kernel ",
    ),
    "no kernel in it": (
        lambda host: put(host, "%s/%s/vmlinuz" % (IMAGES, VERSION), b"<html>404"), "31 32 33", "kernel", "is no kernel",
    ),
    "damaged stage1": (
        lambda host: put(host, "%s/%s/stage1.img" % (IMAGES, VERSION), b"stage!"), "31 32 33", "stage1", "is damaged",
    ),
    "damaged image": (
        lambda host: put(host, "%s/%s/rootfs.sqfs" % (IMAGES, VERSION), b"hsqz" * 9), "31 32 33", "fetch", "is damaged",
    ),
    "no image": (lambda host: host.links.clear(), "31 32 33", "fetch", "image node has no current version"),
    "memory": (lambda host: image(host, 2000), "31 32 33", "entry fetch", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(FAULTS))
def test_each_fault_of_a_node_is_named(what: str) -> None:
    breaks, names, steps, words = FAULTS[what]
    host = ready()
    breaks(host)
    result = look(host)
    hit = {name: row for name, row in result["nodes"].items() if not row["ok"]}
    assert sorted(hit) == ["node" + number for number in names.split()] and not result["good"]
    assert all(row["step"] in steps.split() and words in row["reason"] and row["remedy"] for row in hit.values())
    assert result["lines"][-1] == "%d of 3 nodes can boot" % (3 - len(hit))
    if "permissions" in what:
        place = HTTP if "folder" in what else ENTRY
        assert {row["remedy"] for row in hit.values()} == {"chmod o+rX " + place}


@pytest.mark.parametrize(
    ("script", "more", "words"),
    [
        ({"systemctl is-active": (3, "active\ninactive\nfailed\n", "")}, {}, ["tftpd-hpa is inactive", "nginx is f"]),
        ({"systemctl is-active": (3, "active\n", "")}, {}, ["tftpd-hpa is unknown", "nginx is unknown"]),
        ({"ip -json": (0, json.dumps([{**CARD, "ifname": "eth0"}]), "")}, {}, ["1 is on eth0, but DHCP serves eth1"]),
        ({"ip -json": (0, "[]", "")}, {}, ["no card has the address 10.0.1.1"]),
        ({"ip -json": (0, json.dumps([{**CARD, "operstate": "DOWN"}]), "")}, {}, ["eth1 has no link"]),
        ({"df": (0, "Avail Inodes IFree\n 12 100 50\n", "")}, {}, ["has 12 MB left, 256 are wanted"] * 3),
        ({"df": (0, "Avail Inodes IFree\n 900 100 0\n", "")}, {}, ["has no inodes left"] * 3),
        ({"df": (0, "Avail Inodes IFree\n 900 0 0\n", "")}, {}, []),
        ({"df": (1, "", "No such file")}, {}, ["is missing"] * 3),
        ({"date": (0, "1003600\n", "")}, {"now": 1e6}, ["the clock is 3600 s ahead of the controller's"]),
        ({"date": (0, "990000\n", "")}, {"now": 1e6}, ["the clock is 10000 s behind the controller's"]),
        ({"date": (0, "990000\n", "")}, {}, []),
        ({}, {"changed_paths": ["/etc/b", "/etc/a"]}, ["/etc/a is not what the role writes", "/etc/b is not"]),
        ({"dhcpd": (1, "", "line 7: semicolon expected.")}, {}, ["dhcpd refuses it: line 7: semicolon expected."]),
    ],
)  # fmt: skip
def test_each_fault_of_the_server_is_named(script: dict[str, t.Any], more: dict[str, t.Any], words: list[str]) -> None:
    host = ready()
    host.script.update(script)
    result = look(host, **more)
    assert len(result["server"]) == len(words)
    assert all(word in row["reason"] and row["remedy"] for word, row in zip(words, result["server"]))
    assert result["good"] == (not words) and all(row["ok"] for row in result["nodes"].values())


def test_a_setting_of_the_rack_that_was_changed_by_hand() -> None:
    host = ready()
    edit(host, LEASES, "default-lease-time 600", "default-lease-time 60")
    edit(host, TFTP + "/messages", "boot server", "boat server")
    reasons = [row["reason"] for row in look(host)["server"]]
    assert reasons == [LEASES + " is not what the node list says", TFTP + "/messages is not what the options say"]


def test_a_foreign_configuration() -> None:
    host = ready()
    host.files[LEASES] = b"# mine\n"
    assert look(host)["server"][0]["reason"] == LEASES + " is not ours"


def test_without_digests_nothing_is_read() -> None:
    host = ready()
    put(host, "%s/%s/rootfs.sqfs" % (IMAGES, VERSION), b"hsqz" * 9)
    del host.script["sha256sum"]
    assert look(host, digests=False)["good"]


def test_the_first_fault_of_a_node_is_the_one_told() -> None:
    host = ready()
    drop_lease(host)
    host.files.pop(ENTRY)
    host.modes.pop(ENTRY)
    put(host, "%s/%s/rootfs.sqfs" % (IMAGES, VERSION), b"")
    rows = look(host)["nodes"]
    assert [rows[name]["step"] for name in sorted(rows)] == ["fetch", "lease", "fetch"]


def test_copies_for_tftp_count_too() -> None:
    tftp = {"profiles": {"default": {"image": "node", "method": "http", "transport": "tftp"}}}
    host = ready(**tftp, transport="tftp")
    put(host, TFTP + "/pxelinux.0", b"\xfa code")
    assert look(host, **tftp, transport="tftp")["good"]
    put(host, "%s/images/%s/vmlinuz" % (TFTP, VERSION), KERNEL + b"x")
    rows = look(host, **tftp, transport="tftp")["nodes"]
    assert {row["step"] for row in rows.values()} == {"kernel"} and TFTP in rows["node31"]["reason"]


def test_dhcp_of_another_server() -> None:
    host = ready()
    host.remove(LEASES)
    assert look(host, dhcp={"backend": "none"})["good"]


def test_many_nodes_with_one_fault_are_one_line() -> None:
    nodes = [{**NODES[0], "name": "n%02d" % n, "mac": "52:54:00:0a:02:%02x" % n, "ip": "10.0.1.%d" % n, "node_id": n}
             for n in range(2, 32)]  # fmt: skip
    host = ready(nodes=nodes)
    host.modes.pop(TFTP + "/ldlinux.c32")
    told = look(host, nodes=nodes)["lines"]
    assert len(told) == 2 and "n09 and 22 more: no loader: " in told[0]


def test_a_bad_node_list_is_one_error() -> None:
    with pytest.raises(ClusterError, match="node31"):
        boot_check_info.work(options(nodes=[NODES[0], NODES[0]]), ready())


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (pe(0x8664), "uefi_x64"),
        (pe(0xAA64), "uefi_arm64"),
        (pe(0x14C), "uefi_ia32"),
        (pe(0x1234), "uefi"),
        (b"\xea\x05\x00", "bios"),
        (b"MZ", "bios"),
        (b"MZ" + b"\xff" * 100, "bios"),
        (b"", "bios"),
    ],
)
def test_kinds_of_programs(head: bytes, kind: str) -> None:
    assert program_kind(head) == kind


@given(st.binary(max_size=200).map(lambda tail: b"MZ" + tail) | st.binary(max_size=200))
def test_any_bytes_have_a_kind(head: bytes) -> None:
    assert program_kind(head) in ("bios", "uefi", "uefi_x64", "uefi_arm64", "uefi_ia32")
