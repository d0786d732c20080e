# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bridges of a dom0: what is written, what is run, and that a switch that fails is undone."""

from __future__ import annotations

import configparser
import json
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import bridge as net
from ansible_collections.xtreemos.cluster.plugins.modules import xen_bridge

OUT = {"name": "xenbr0", "interface": "eth0", "address": "10.0.1.2/24", "gateway": "10.0.1.1", "dns": ["10.0.1.1"]}
IN = {"name": "xenbr1"}
MAC = "52:54:00:0a:01:02"


class Machine(MemoryHost):
    """A network that follows the commands of its manager, unless it is ``broken``."""

    def __init__(self, files: t.Mapping[str, bytes] | None = None, broken: bool = False) -> None:
        super().__init__(
            {"/sys/class/net/eth0/address": MAC.encode(), "/sys/class/net/lo/address": b"", **(files or {})}
        )
        self.broken = broken
        for command in ("networkctl reload", "networkctl reconfigure", "ifup", "ifdown"):
            self.script[command] = self._reload
        self.script["ip -json address show dev"] = self._show
        self.script["ip link delete"] = self._delete

    def _reload(self, argv: list[str]) -> tuple[int, str, str]:
        names = [path for path in self.files if path.endswith(".netdev") or "interfaces.d/" in path]
        for path in [] if self.broken else names:
            bridge = path.rpartition("xtreemos-")[2].replace(".netdev", "")
            self.files["/sys/class/net/%s/address" % bridge] = MAC.encode()
            if bridge == "xenbr0":
                self.files["/sys/class/net/xenbr0/brif/eth0"] = b""
        return 0, "", ""

    def _show(self, argv: list[str]) -> tuple[int, str, str]:
        info = {"scope": "global", "local": "10.0.1.2", "prefixlen": 24}
        return 0, json.dumps([{"addr_info": [{"scope": "link", "local": "fe80::1", "prefixlen": 64}, info]}]), ""

    def _delete(self, argv: list[str]) -> tuple[int, str, str]:
        self.files.pop("/sys/class/net/%s/address" % argv[-1], None)
        return 0, "", ""


def run(host: Machine, entries: list[dict[str, t.Any]], manager: str = "networkd") -> net.BridgePlan:
    bridges = net.parse(entries)
    todo = net.plan(bridges, manager, host)
    net.apply(todo, bridges, host, 2, sleep=lambda _seconds: None)
    return todo


@pytest.mark.parametrize(
    ("manager", "actions"),
    [
        ("networkd", [["networkctl", "reload"], ["networkctl", "reconfigure", "eth0"]]),
        ("ifupdown",
         [["ifdown", "--force", "eth0"], ["ifup", "--force", "xenbr0"], ["ifup", "--force", "xenbr1"]]),
    ],
)  # fmt: skip
def test_bridges_are_made_once(manager: str, actions: list[list[str]]) -> None:
    host = Machine()
    todo = run(host, [IN, OUT], manager)
    assert todo.wrong == ("there is no bridge xenbr0", "there is no bridge xenbr1")
    assert host.actions == actions == net.commands(net.parse([IN, OUT]), manager)
    again = run(host, [OUT, IN], manager)
    assert not again.changed and host.actions == actions


def test_files_of_networkd() -> None:
    files = net.render(net.parse([OUT, IN]), "networkd", {"eth0": MAC})
    assert sorted(files) == [
        "/etc/systemd/network/05-xtreemos-eth0.network",
        "/etc/systemd/network/05-xtreemos-xenbr0.netdev",
        "/etc/systemd/network/05-xtreemos-xenbr0.network",
        "/etc/systemd/network/05-xtreemos-xenbr1.netdev",
        "/etc/systemd/network/05-xtreemos-xenbr1.network",
    ]
    read = {}
    for path, text in files.items():
        parser = configparser.ConfigParser(delimiters="=")
        parser.optionxform = str  # type: ignore[assignment]
        parser.read_string(text)
        read[path.rpartition("xtreemos-")[2]] = {name: dict(parser[name]) for name in parser.sections()}
    assert read["xenbr0.netdev"] == {"NetDev": {"Name": "xenbr0", "Kind": "bridge", "MACAddress": MAC}}
    assert read["eth0.network"] == {"Match": {"Name": "eth0"}, "Network": {"Bridge": "xenbr0"}}
    shown = read["xenbr0.network"]["Network"]
    assert (shown["Address"], shown["Gateway"], shown["DNS"]) == ("10.0.1.2/24", "10.0.1.1", "10.0.1.1")
    assert "Address" not in read["xenbr1.network"]["Network"]
    assert read["xenbr1.network"]["Network"]["ConfigureWithoutCarrier"] == "yes"


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        (OUT, ["iface xenbr0 inet static", "    address 10.0.1.2/24", "    gateway 10.0.1.1", "    bridge_ports eth0"]),
        ({**OUT, "address": "dhcp"}, ["iface xenbr0 inet dhcp", "    bridge_ports eth0"]),
        ({**IN, "mtu": 9000}, ["iface xenbr1 inet manual", "    mtu 9000", "    bridge_ports none", "    bridge_fd 0"]),
    ],
)
def test_files_of_ifupdown(entry: dict[str, t.Any], lines: list[str]) -> None:
    (text,) = list(net.render(net.parse([entry]), "ifupdown", {}).values())
    assert set(lines) <= set(text.splitlines())


@pytest.mark.parametrize(("address", "line"), [("dhcp", "DHCP=ipv4"), ("fd00::2/64", "Address=fd00::2/64")])
def test_addresses_of_networkd(address: str, line: str) -> None:
    files = net.render(net.parse([{**OUT, "address": address}]), "networkd", {})
    assert line in files["/etc/systemd/network/05-xtreemos-xenbr0.network"].splitlines()


def test_mtu_reaches_bridge_and_card() -> None:
    files = net.render(net.parse([{**OUT, "mtu": 9000}]), "networkd", {})
    assert sum("MTUBytes=9000" in text for text in files.values()) == 2


def test_a_bridge_that_left_loses_its_files_only() -> None:
    host = Machine({"/etc/systemd/network/20-other.network": b"[Match]\n"})
    run(host, [OUT, IN])
    run(host, [OUT])
    left = host.listdir("/etc/systemd/network")
    assert left == [
        "05-xtreemos-eth0.network",
        "05-xtreemos-xenbr0.netdev",
        "05-xtreemos-xenbr0.network",
        "20-other.network",
    ]


def test_a_switch_that_fails_is_undone() -> None:
    old = {"/etc/systemd/network/05-xtreemos-eth0.network": b"[Match]\nName=eth0\n"}
    host = Machine(old, broken=True)
    with pytest.raises(ClusterError, match=r"did not come up within 2 s: there is no bridge xenbr0.*is as it was"):
        run(host, [OUT])
    assert {path: host.files[path] for path in host.files if path.startswith("/etc")} == old
    assert host.actions[-3:] == [
        ["ip", "link", "delete", "xenbr0"],
        ["networkctl", "reload"],
        ["networkctl", "reconfigure", "eth0"],
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([OUT, OUT], "eth0 is used twice"),
        ([OUT, {"name": "eth0"}], "eth0 is used twice"),
        ([OUT, {"name": "xenbr1", "interface": "eth0"}], "eth0 is used twice"),
        ([{"name": "a-name-that-is-too-long"}], "is no name of an interface"),
        ([{"name": "br/0"}], "'br/0' is no name"),
        ([{"name": "br0", "interface": "eth 0"}], "'eth 0' is no name"),
        ([{"name": "br0", "address": "10.0.1.2"}], "bridge br0: '10.0.1.2' is no address .write 10.0.1.2/24"),
        ([{"name": "br0", "address": "10.0.1.2/24\nX=1"}], "is no address"),
        ([{"name": "br0", "interface": "eth7"}], "there is no interface eth7 .this machine has: eth0"),
    ],
)
def test_bad_bridges_are_refused(entries: list[dict[str, t.Any]], message: str) -> None:
    host = Machine()
    with pytest.raises(ClusterError, match=message):
        run(host, entries)
    assert not host.written and not host.actions


def test_a_card_that_has_its_own_stanza_is_refused() -> None:
    host = Machine({"/etc/network/interfaces": b"auto eth0\niface eth0 inet dhcp\n"})
    with pytest.raises(ClusterError, match="gives eth0 an address .change its line to: iface eth0 inet manual"):
        run(host, [OUT], "ifupdown")


@pytest.mark.parametrize(("active", "manager"), [(0, "networkd"), (3, "ifupdown")])
def test_the_manager_is_found(active: int, manager: str) -> None:
    host = Machine()
    host.script["systemctl is-active"] = (active, "", "")
    assert net.plan(net.parse([OUT]), "auto", host).manager == manager


def test_an_unknown_manager_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Machine()
    host.script["systemctl is-active"] = (3, "", "")
    monkeypatch.setattr(host, "which", lambda _program: None)
    with pytest.raises(ClusterError, match="neither systemd-networkd nor ifupdown"):
        net.choose_manager(host)


def test_check_mode_says_what_the_run_does() -> None:
    options = {"bridges": [OUT, IN], "manager": "networkd", "timeout": 2}
    host = Machine()
    predicted, real = xen_bridge.work(options, True, Machine()), xen_bridge.work(options, False, host)
    assert predicted == real and real["changed"]
    assert real["actions"] == host.actions
    assert sorted(entry["after_header"] for entry in real["diff"]) == sorted(host.written)
    assert not xen_bridge.work(options, False, host)["changed"]
