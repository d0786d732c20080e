# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pxe_nodes as a whole: what is written, what stays, what is refused before anything is written."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.cmdline import parse_automatic, parse_cmdline
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.ipxe import parse as parse_ipxe
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.pxelinux import parse as parse_pxelinux
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules.pxe_nodes import work
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden" / "boot"
TFTP, HTTP, IMAGES, DHCP = "/srv/xtreemos/tftp", "/srv/xtreemos/http", "/srv/xtreemos/images", "/etc/dhcp/dhcpd.conf"
CFG, IPXE = TFTP + "/pxelinux.cfg/", HTTP + "/ipxe/"
DIGEST = "0123456789abcdef" * 4


def manifest(name: str = "node", version: str = "v1", **more: t.Any) -> dict[str, t.Any]:
    files = {"rootfs": "rootfs.sqfs", "kernel": "vmlinuz", "stage1": "stage1.img"}
    entries = {key: {"path": path, "size": 7, "sha256": DIGEST} for key, path in files.items()}
    return dict({"format": 1, "name": name, "version": version, "ram_needed_mb": 400, "files": entries}, **more)


def host_with(name: str = "node", version: str = "v1", **more: t.Any) -> MemoryHost:
    host = MemoryHost()
    add_image(host, name, version, **more)
    return host


def add_image(host: MemoryHost, name: str = "node", version: str = "v1", **more: t.Any) -> None:
    folder = "%s/%s/%s/" % (IMAGES, name, version)
    host.files.update(
        {folder + file: (name + version + file).encode() for file in ("rootfs.sqfs", "vmlinuz", "stage1.img")}
    )
    host.files[folder + "manifest.json"] = json.dumps(manifest(name, version, **more)).encode()
    host.links["%s/%s/current" % (IMAGES, name)] = version


def item(number: int, **more: t.Any) -> dict[str, t.Any]:
    plain = {"name": "node%d" % number, "mac": "52:54:00:0a:01:%02x" % number, "ip": "10.0.1.%d" % number}
    return dict(plain, node_id=number - 30, **more)


def options(*nodes: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {
        "nodes": list(nodes) or [item(31), item(32), item(33)],
        "allow_empty": False,
        "profiles": {"default": {"image": "node", "append": "console=ttyS0,115200"}},
        "server": {"address": "10.0.1.1", "port": 80},
        "transport": "http",
        "tftp_root": TFTP,
        "http_root": HTTP + "/",
        "images_root": IMAGES,
        "menu": {},
        "dhcp": {"subnets": [{"network": "10.0.1.0/24", "pools": ["10.0.1.100-10.0.1.199"], "routers": "10.0.1.1"}]},
    }
    return dict(plain, **more)


def text(host: MemoryHost, path: str) -> str:
    return host.files[path].decode()


def mac_file(number: int) -> str:
    return "01-52-54-00-0a-01-%02x" % number


def test_golden_files() -> None:
    host = host_with()
    result = work(options(menu={"text": "Rack 1"}), False, host)
    for path, name in (
        (CFG + mac_file(31), "node31.pxelinux"),
        (CFG + "default", "default.pxelinux"),
        (IPXE + mac_file(31) + ".ipxe", "node31.ipxe"),
        (IPXE + "boot.ipxe", "boot.ipxe"),
    ):
        assert text(host, path) == (GOLDEN / name).read_text(encoding="utf-8"), name
    assert result["changed"] and result["dhcp_changed"]
    assert result["changed_nodes"] == ["node31", "node32", "node33"]
    assert result["removed_nodes"] == []
    assert result["files"] == sorted(set(host.written) - {DHCP + ".candidate"})
    assert result["nodes"]["node32"] == {
        "changed": True,
        "mac": "52:54:00:0a:01:20",
        "ip": "10.0.1.32",
        "node_id": 2,
        "profile": "default",
        "method": "http",
        "image": "node",
        "version": "v1",
    }


def test_both_loaders_tell_the_kernel_the_same() -> None:
    host = host_with()
    work(options(item(31, kernel_options=["quiet"])), False, host)
    append = parse_pxelinux(text(host, CFG + mac_file(31))).labels[0].append
    script = parse_ipxe(text(host, IPXE + mac_file(31) + ".ipxe"))
    one, two = parse_cmdline(append), parse_cmdline(script.arguments)
    assert two.pop("BOOTIF") == mac_file(31)
    assert one.pop("initrd") == "http://10.0.1.1/images/node/v1/stage1.img" == script.initrd
    assert two.pop("initrd") == "stage1.img"
    assert one == two
    assert parse_automatic(one["automatic"]) == {"method": "http", "interface": "auto", "network": "dhcp"}
    assert one["image_sha256"] == DIGEST and one["image_size"] == "7" and one["quiet"] == ""
    assert one["image_url"] == "http://10.0.1.1/images/node/v1/rootfs.sqfs"
    assert one["phone_home"] == "http://10.0.1.1/phone-home" and one["node_id"] == "1"


@pytest.mark.parametrize("check_mode", [True, False])
def test_check_mode_predicts_and_writes_nothing(check_mode: bool) -> None:
    host, other = host_with(), host_with()
    predicted = work(options(), True, host)
    files = dict(host.files)
    assert DHCP not in files and not [path for path in files if path.startswith((TFTP, HTTP))]
    assert work(options(), check_mode, other) == predicted


def test_second_run_changes_nothing_and_asks_nobody() -> None:
    host = host_with()
    work(options(), False, host)
    host.written.clear()
    host.ran.clear()
    again = work(options(item(33), item(32), item(31)), False, host)
    assert not again["changed"] and not again["files"] and not again["diff"] and not again["changed_nodes"]
    assert host.written == [] and host.ran == []


def test_an_edit_touches_one_node() -> None:
    host = host_with()
    work(options(), False, host)
    host.written.clear()
    result = work(options(item(31), item(32, kernel_options=["quiet"]), item(33)), False, host)
    assert result["changed_nodes"] == ["node32"] and not result["dhcp_changed"]
    assert host.written == [IPXE + mac_file(32) + ".ipxe", CFG + mac_file(32)]
    assert [node["changed"] for node in result["nodes"].values()] == [False, True, False]


def test_a_new_address_is_a_change_of_its_node_only() -> None:
    host = host_with()
    work(options(), False, host)
    result = work(options(item(31), dict(item(32), ip="10.0.1.40"), item(33)), False, host)
    assert result["changed_nodes"] == ["node32"] and result["files"] == [DHCP]


def test_nodes_that_left_and_foreign_files() -> None:
    host = host_with()
    work(options(), False, host)
    foreign = [CFG + "01-02-00-00-00-00-01", CFG + "01-hand.made", IPXE + "01-02-00-00-00-00-01.ipxe", CFG + "0A0001"]
    host.files.update(dict.fromkeys(foreign, b"by hand\n"))
    result = work(options(item(31), item(33)), False, host)
    assert result["removed_nodes"] == ["node32"] and result["changed_nodes"] == []
    assert CFG + mac_file(32) not in host.files and IPXE + mac_file(32) + ".ipxe" not in host.files
    assert set(foreign) < set(host.files)
    assert "node32" not in text(host, DHCP)


def test_a_new_card_moves_the_files() -> None:
    host = host_with()
    work(options(), False, host)
    result = work(options(dict(item(31), mac="52:54:00:00:00:99"), item(32), item(33)), False, host)
    assert result["changed_nodes"] == ["node31"] and result["removed_nodes"] == []
    assert CFG + mac_file(31) not in host.files and CFG + "01-52-54-00-00-00-99" in host.files


def test_an_empty_list_only_when_meant() -> None:
    host = host_with()
    work(options(), False, host)
    with pytest.raises(ClusterError, match="node list is empty"):
        work(options(nodes=[]), False, host)
    result = work(options(nodes=[], allow_empty=True), False, host)
    assert result["removed_nodes"] == ["node31", "node32", "node33"]
    assert not [path for path in host.files if "/01-" in path]
    assert CFG + "default" in host.files


def test_a_new_image_version_changes_every_node() -> None:
    host = host_with()
    work(options(), False, host)
    add_image(host, version="v2")
    result = work(options(), False, host)
    assert len(result["changed_nodes"]) == 3 and not result["dhcp_changed"]
    assert result["nodes"]["node31"]["version"] == "v2"
    pinned = {"default": {"image": "node", "version": "v1", "append": "console=ttyS0,115200"}}
    assert work(options(profiles=pinned), True, host)["nodes"]["node31"]["version"] == "v1"


def test_transport_tftp_copies_what_its_profiles_use() -> None:
    host = host_with()
    add_image(host, "other")
    profiles = {"default": {"image": "node"}, "old": {"image": "other", "transport": "tftp"}}
    result = work(options(item(31), item(32, profile="old"), profiles=profiles), False, host)
    copies = sorted(path for path in host.files if path.startswith(TFTP + "/images/"))
    assert copies == [TFTP + "/images/other/v1/" + name for name in ("stage1.img", "vmlinuz")]
    assert set(copies) < set(result["files"])
    assert not [entry for entry in result["diff"] if "images" in entry["after_header"]]
    label = parse_pxelinux(text(host, CFG + mac_file(32))).labels[0]
    assert label.kernel == "images/other/v1/vmlinuz" and label.append.startswith("initrd=images/other/v1/stage1.img ")
    script = parse_ipxe(text(host, IPXE + mac_file(32) + ".ipxe"))
    assert script.kernel == "tftp://10.0.1.1/images/other/v1/vmlinuz"
    assert 'filename "lpxelinux.0"' in text(host, DHCP)

    add_image(host, "other", "v2")
    result = work(options(item(31), item(32, profile="old"), profiles=profiles), False, host)
    assert {path for path in result["files"] if "/images/" in path} == {
        TFTP + "/images/other/%s/%s" % (version, name) for version in ("v1", "v2") for name in ("stage1.img", "vmlinuz")
    }
    assert TFTP + "/images/other/v1/vmlinuz" not in host.files


def test_all_by_tftp_needs_no_http_loader() -> None:
    host = host_with()
    work(options(transport="tftp"), False, host)
    assert 'filename "pxelinux.0"' in text(host, DHCP) and "boot.ipxe" not in text(host, DHCP)


def automatic_of(host: MemoryHost, number: int = 31) -> dict[str, str]:
    return parse_automatic(
        parse_cmdline(parse_pxelinux(text(host, CFG + mac_file(number))).labels[0].append)["automatic"]
    )


@pytest.mark.parametrize(
    ("profile", "wanted"),
    [
        ({"method": "dolly"}, {"method": "dolly", "dolly_timeout": "100"}),
        (
            {"method": "dolly", "dolly_timeout": 9, "dolly_dialect": "classic", "interface": "node"},
            {"method": "dolly", "dolly_timeout": "9", "dolly_dialect": "classic", "interface": "eno1"},
        ),
        (
            {"method": "nfs"},
            {"method": "nfs", "server": "10.0.1.1", "directory": IMAGES + "/node/v1"},
        ),
        (
            {"method": "local", "disk": "sda1", "directory": "/img"},
            {"method": "local", "disk": "sda1", "directory": "/img"},
        ),
        (
            {"network": "static"},
            {
                "method": "http",
                "network": "static",
                "ip": "10.0.1.31",
                "netmask": "255.255.255.0",
                "gateway": "10.0.1.1",
            },
        ),
    ],
)
def test_profiles_reach_stage1(profile: dict[str, t.Any], wanted: dict[str, str]) -> None:
    host = host_with()
    work(options(item(31, interface="eno1"), profiles={"default": profile}), False, host)
    assert automatic_of(host) == dict({"interface": "auto", "network": "dhcp"}, **wanted)


def test_without_dhcp() -> None:
    host = host_with()
    result = work(options(dhcp={"backend": "none"}), False, host)
    assert DHCP not in host.files and not result["dhcp_changed"] and len(result["changed_nodes"]) == 3
    static = options(dhcp={"backend": "none"}, profiles={"default": {"network": "static"}})
    with pytest.raises(ClusterError, match="node31: a static network needs its subnet"):
        work(static, False, host)


def test_the_first_foreign_dhcp_configuration_is_kept() -> None:
    host = host_with()
    host.files[DHCP] = b"# by hand \xff\n"
    result = work(options(), False, host)
    assert host.files[DHCP + ".before-xtreemos"] == b"# by hand \xff\n"
    assert DHCP + ".before-xtreemos" in result["files"] and len(result["changed_nodes"]) == 3
    assert not work(options(), False, host)["changed"]


def test_the_tester_sees_the_candidate_and_refuses_before_anything_is_written() -> None:
    host = host_with()
    before = dict(host.files)
    host.script["/usr/bin/dhcpd"] = (1, "", "%s.candidate line 3: semicolon expected.\nlong text\n" % DHCP)
    with pytest.raises(ClusterError, match=r"dhcpd refuses /etc/dhcp/dhcpd.conf: .*line 3: semicolon expected"):
        work(options(), False, host)
    assert host.files == before
    assert host.ran == [["/usr/bin/dhcpd", "-4", "-t", "-q", "-cf", DHCP + ".candidate"]]


def test_a_tester_of_ones_own_or_none() -> None:
    host = host_with()
    dhcp = dict(options()["dhcp"], tester=["checker", "--file=%s"])
    work(options(dhcp=dhcp), False, host)
    assert host.ran == [["/usr/bin/checker", "--file=%s.candidate" % DHCP]]
    host = host_with()
    work(options(dhcp=dict(dhcp, validate=False)), False, host)
    assert host.ran == []


def test_a_missing_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    host = host_with()
    monkeypatch.setattr(host, "which", lambda program: None)
    assert work(options(), True, host)["changed"]
    with pytest.raises(ClusterError, match="dhcpd is not installed"):
        work(options(), False, host)
    assert DHCP not in host.files


def test_the_port_is_part_of_every_url() -> None:
    host = host_with()
    work(options(server={"address": "10.0.1.1", "port": 8080}), False, host)
    assert "http://10.0.1.1:8080/ipxe/boot.ipxe" in text(host, DHCP)
    assert "http://10.0.1.1/" not in text(host, CFG + mac_file(31))


def test_unknown_machines() -> None:
    host = host_with()
    menu = {"unknown": "retry", "unknown_text": "Who are you?", "prompt": True, "timeout": 0.5, "serial": ""}
    work(options(menu=menu), False, host)
    config = parse_pxelinux(text(host, CFG + "default"))
    assert (config.default, config.prompt, config.timeout, config.serial) == ("retry", 1, 5, "")
    assert config.display == "messages.unknown" and text(host, TFTP + "/messages.unknown") == "Who are you?\n"
    assert [label.name for label in config.labels] == ["retry", "local"]
    assert text(host, IPXE + "boot.ipxe").endswith("reboot\n")


MISSING = IMAGES + "/node/v1/"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda host: host.links.clear(), "image node has no current version"),
        (lambda host: host.files.pop(MISSING + "manifest.json"), "manifest.json is missing"),
        (lambda host: host.files.pop(MISSING + "vmlinuz"), "its kernel %svmlinuz is missing" % MISSING),
        (lambda host: host.files.pop(MISSING + "stage1.img"), "its stage1 %sstage1.img is missing" % MISSING),
        (lambda host: host.files.pop(MISSING + "rootfs.sqfs"), "its rootfs %srootfs.sqfs is missing" % MISSING),
        (lambda host: host.files.update({MISSING + "manifest.json": b"{"}), "is no JSON"),
        (lambda host: add_image(host, format=2), "has format 2"),
        (lambda host: add_image(host, files={}), "has no files.rootfs.path"),
        (lambda host: add_image(host, ram_needed_mb=None), "ram_needed_mb is None"),
        (lambda host: add_image(host, files={"rootfs": {"path": "../x"}}), "has no files.kernel.path"),
    ],
)
def test_images_that_cannot_boot(spoil: t.Callable[[MemoryHost], object], told: str) -> None:
    host = host_with()
    spoil(host)
    with pytest.raises(ClusterError) as caught:
        work(options(), False, host)
    assert told in str(caught.value) and caught.value.hint
    assert host.written == []


def test_check_mode_before_there_is_an_image() -> None:
    host, built = MemoryHost(), host_with(version="v9")
    predicted = work(options(pending={"node": "v9"}), True, host)
    assert host.files == {} and [IMAGES in line for line in predicted["warnings"]] == [True]
    assert "version v9 of image node" in predicted["warnings"][0]
    done = work(options(pending={"node": "v9"}), False, built)
    for key in ("changed", "changed_nodes", "removed_nodes", "dhcp_changed", "files", "nodes"):
        assert predicted[key] == done[key], key
    unknown = work(options(), True, host)
    assert unknown["files"] == done["files"] and unknown["nodes"]["node31"]["version"] == "not-built-yet"
    with pytest.raises(ClusterError, match="image node has no current version"):
        work(options(pending={"node": "v9"}), False, host)
    assert host.files == {}


def test_check_mode_predicts_the_version_that_would_be_current() -> None:
    host = host_with()
    work(options(), False, host)
    quiet = work(options(pending={"node": "v1", "other": "v3"}), True, host)
    assert not quiet["changed"] and quiet["warnings"] == []
    new = work(options(pending={"node": "v2"}), True, host)
    assert len(new["changed_nodes"]) == 3 and not new["dhcp_changed"] and len(new["warnings"]) == 1
    pinned = {"default": {"image": "node", "version": "v1", "append": "console=ttyS0,115200"}}
    assert not work(options(profiles=pinned, pending={"node": "v2"}), True, host)["changed"]
    add_image(host, version="v2")
    host.links[IMAGES + "/node/current"] = "v1"
    assert work(options(pending={"node": "v2"}), True, host)["warnings"] == []
    assert not work(options(pending={"node": "v2"}), False, host)["changed"]


def test_check_mode_copies_by_tftp_what_is_not_there_yet() -> None:
    predicted = work(options(transport="tftp", pending={"node": "v1"}), True, MemoryHost())
    assert predicted["files"] == work(options(transport="tftp"), False, host_with())["files"]


@pytest.mark.parametrize("pending", [{}, {"node": "v1"}])
def test_check_mode_still_refuses_what_is_damaged(pending: dict[str, str]) -> None:
    host = host_with()
    del host.files[MISSING + "vmlinuz"]
    with pytest.raises(ClusterError, match="its kernel %svmlinuz is missing" % MISSING):
        work(options(pending=pending), True, host)
    with pytest.raises(ClusterError, match="bad image name or version '../x'"):
        work(options(pending={"node": "../x"}), True, host)


@pytest.mark.parametrize(
    ("path", "told"),
    [("../vmlinuz", "a plain file name"), ("", "a plain file name")],
)
def test_a_manifest_may_not_lead_elsewhere(path: str, told: str) -> None:
    bad = manifest()
    bad["files"]["kernel"]["path"] = path
    host = host_with(files=bad["files"])
    with pytest.raises(ClusterError, match=told):
        work(options(), False, host)
    bad["files"]["kernel"]["path"], bad["files"]["rootfs"]["sha256"] = "vmlinuz", "beef"
    with pytest.raises(ClusterError, match=r"rootfs\.sha256 is 'beef'"):
        work(options(), False, host_with(files=bad["files"]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nodes": [item(31), item(31, name="x")]}, "the same MAC"),
        ({"nodes": [item(31, profile="big")]}, "node31: unknown profile 'big' (defined: default)"),
        (
            {"nodes": [item(31, memory_mb=256)]},
            "image node is too large for node31: it needs 400 MB, the node has 256 MB",
        ),
        ({"nodes": [item(31, kernel_options=["node_id=9"])]}, "node31: node_id=9 is set by pxe_nodes"),
        ({"nodes": [item(31, kernel_options=["x" * 2000])]}, "node31: the kernel command line has"),
        ({"nodes": [dict(item(31), ip="10.0.1.1")], "dhcp": {"backend": "none"}}, "boot server's address"),
        ({"profiles": {"default": {"method": "ftp"}}}, "profile default: unknown method 'ftp'"),
        ({"profiles": {"default": {"transport": "ftp"}}}, "profile default: unknown transport 'ftp'"),
        ({"profiles": {"default": {"network": "bootp"}}}, "profile default: unknown network 'bootp'"),
        ({"profiles": {"default": {"colour": "red"}}}, "profile default: unknown key colour"),
        ({"profiles": {"default": "node"}}, "profile default is 'node'"),
        ({"profiles": {"default": {"append": "root=x automatic=y"}}}, "automatic=y is set by pxe_nodes"),
        ({"profiles": {"default": {"image": "../x"}}}, "bad image name or version '../x'"),
        ({"profiles": {"default": {"method": "local"}}}, "profile default: automatic= has no disk"),
        ({"profiles": {"default": {"image": "other"}}}, "image other has no current version"),
        ({"profiles": {}}, "unknown profile 'default'"),
        ({"dhcp": {"backend": "udhcpd"}}, "unknown backend 'udhcpd'"),
        ({"dhcp": {"subnets": [{"network": "10.0.2.0/24"}]}}, "node31: 10.0.1.31 is outside the subnet"),
        ({"server": {"address": "head"}}, "malformed address 'head'"),
        ({"server": {"address": "10.0.1.1", "port": 0}}, "port is 0"),
        ({"menu": {"text": "a || b"}}, "menu.text"),
        ({"menu": {"unknown_text": "${net0/mac}"}}, "menu.unknown_text"),
        ({"menu": {"timeout": -1.0}}, "menu.timeout"),
        ({"menu": {"serial": "ttyS0"}}, "menu.serial"),
    ],
)
def test_bad_options_write_nothing(change: dict[str, t.Any], told: str) -> None:
    host = host_with()
    with pytest.raises(ClusterError) as caught:
        work(dict(options(), **copy.deepcopy(change)), False, host)
    assert told in str(caught.value) and caught.value.hint
    assert host.written == [] and host.actions == []


def test_unknown_memory_passes() -> None:
    assert work(options(item(31, memory_mb=400), item(32)), True, host_with())["changed"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 99), unique=True, min_size=1, max_size=12), st.randoms())
def test_any_rack_is_rendered_once_and_stays(numbers: list[int], shuffler: t.Any) -> None:
    host = host_with()
    nodes = [dict(item(number), node_id=number) for number in numbers]
    first = work(options(*nodes), False, host)
    assert len([path for path in first["files"] if "/01-" in path]) == 2 * len(nodes)
    shuffler.shuffle(nodes)
    assert not work(options(*nodes), False, host)["changed"]
    gone = nodes.pop()
    if nodes:
        result = work(options(*nodes), False, host)
        assert result["removed_nodes"] == [gone["name"]] and result["changed_nodes"] == []
        assert len(result["files"]) == 3
