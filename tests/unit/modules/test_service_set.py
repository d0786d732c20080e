# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""service_set: only services whose own files changed are restarted, and a run that died is repaired."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.services import STATE
from ansible_collections.xtreemos.cluster.plugins.modules.service_set import work


class Systemd:
    """Units as systemctl shows them; a verb changes them as systemd would."""

    def __init__(self, **units: str) -> None:
        # name -> "load active file-state"
        self.units = {name.replace("_", "-"): state.split() for name, state in units.items()}
        self.need_reload = "no"
        self.failing: set[str] = set()
        self.host = MemoryHost({"/etc/dhcpd.conf": b"1", "/etc/nginx.conf": b"1"}, {"systemctl": self.answer})
        self.host.script["journalctl"] = (0, "No subnet declaration for eth1\n\n", "")

    def show(self, name: str) -> str:
        load, active, state = self.units.get(name, ["not-found", "inactive", "-"])
        keys = ("Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")
        values = (name + ".service", load, active, state.replace("-", ""), self.need_reload)
        return "".join("%s=%s\n" % pair for pair in zip(keys, values))

    def answer(self, argv: list[str]) -> tuple[int, str, str]:
        verb, name = argv[1], argv[-1]
        if verb == "show":
            return 0, "\n".join(self.show(each) for each in argv[4:]), ""
        if verb == "is-enabled":
            return 0, "enabled\n" if name == "old-on" else "disabled\n", ""
        if verb == "daemon-reload":
            self.need_reload = "no"
        elif name in self.failing:
            return 1, "", "Job failed.\n"
        elif verb in ("enable", "disable"):
            self.units[name][2] = verb + "d"
        else:
            self.units[name][1] = "inactive" if verb == "stop" else "active"
        return 0, "", ""

    def run(self, *services: dict[str, t.Any], changed: t.Sequence[str] = (), check_mode: bool = False) -> t.Any:
        self.host.actions.clear()
        return work({"services": list(services), "changed_paths": list(changed)}, check_mode, self.host)


DHCPD = {"name": "dhcpd", "files": ["/etc/dhcpd.conf"]}
NGINX = {"name": "nginx", "files": ["/etc/nginx.conf"], "reload": True}


def test_first_run_starts_and_second_rests() -> None:
    systemd = Systemd(dhcpd="loaded failed disabled", nginx="loaded active enabled")
    predicted = systemd.run(DHCPD, NGINX, check_mode=True)
    assert systemd.host.actions == [] and systemd.host.written == []
    assert systemd.run(DHCPD, NGINX) == predicted
    assert predicted["services"] == {"dhcpd": ["enable", "restart"], "nginx": ["reload"]}
    assert predicted["actions"] == systemd.host.actions
    again = systemd.run(DHCPD, NGINX)
    assert not again["changed"] and again["actions"] == [] and again["services"] == {"dhcpd": [], "nginx": []}
    assert sorted(json.loads(systemd.host.files[STATE])) == ["dhcpd", "nginx"]


def test_only_the_service_whose_files_changed() -> None:
    systemd = Systemd(dhcpd="loaded active enabled", nginx="loaded active enabled")
    systemd.run(DHCPD, NGINX)
    systemd.host.files["/etc/dhcpd.conf"] = b"2"
    assert systemd.run(DHCPD, NGINX)["services"] == {"dhcpd": ["restart"], "nginx": []}
    assert not systemd.run(DHCPD, NGINX)["changed"]


def test_check_mode_trusts_the_paths_that_would_change() -> None:
    systemd = Systemd(dhcpd="loaded active enabled", nginx="loaded active enabled")
    systemd.run(DHCPD, NGINX)
    predicted = systemd.run(DHCPD, NGINX, changed=["/etc/nginx.conf", "/srv/x"], check_mode=True)
    assert predicted["services"] == {"dhcpd": [], "nginx": ["reload"]}


def test_a_run_that_died_before_the_restart_is_repaired() -> None:
    systemd = Systemd(dhcpd="loaded active enabled", nginx="loaded active enabled")
    systemd.run(DHCPD, NGINX)
    systemd.host.files["/etc/dhcpd.conf"] = b"2"
    systemd.failing = {"dhcpd"}
    with pytest.raises(ClusterError, match="systemctl restart dhcpd failed: No subnet declaration for eth1"):
        systemd.run(DHCPD, NGINX)
    systemd.failing = set()
    assert systemd.run(DHCPD, NGINX)["services"] == {"dhcpd": ["restart"], "nginx": []}


def test_what_came_before_a_failure_is_kept() -> None:
    systemd = Systemd(dhcpd="loaded inactive enabled", nginx="loaded inactive enabled")
    systemd.failing = {"dhcpd"}
    with pytest.raises(ClusterError):
        systemd.run(NGINX, DHCPD)
    assert list(json.loads(systemd.host.files[STATE])) == ["nginx"]


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"nginx": 1}'])
def test_a_spoiled_state_file_costs_one_restart(state: bytes) -> None:
    systemd = Systemd(nginx="loaded active enabled")
    systemd.host.files[STATE] = state
    assert systemd.run(NGINX)["services"] == {"nginx": ["reload"]}
    assert not systemd.run(NGINX)["changed"]


@pytest.mark.parametrize(
    ("unit", "wanted", "verbs"),
    [
        ("loaded active enabled", {"state": "stopped", "enabled": False}, ["disable", "stop"]),
        ("loaded inactive disabled", {"state": "stopped", "enabled": False}, []),
        ("loaded activating static", {}, ["restart"]),
        ("loaded activating enabled", {"state": "stopped"}, ["stop"]),
        ("loaded failed enabled", {}, ["restart"]),
        ("loaded inactive generated", {}, ["enable", "restart"]),
        # How systemd shows a unit file of ours over a generated one, until it reads its units again.
        ("loaded inactive enabled-runtime", {}, ["enable", "restart"]),
        ("not-found inactive -", {}, ["enable", "restart"]),
    ],
)
def test_states(unit: str, wanted: dict[str, t.Any], verbs: list[str]) -> None:
    systemd = Systemd(nginx=unit)
    result = systemd.run(dict({"name": "nginx"}, **wanted), check_mode=True)
    assert result["services"] == {"nginx": verbs}


def test_an_init_script_is_asked_by_its_own_tool() -> None:
    systemd = Systemd(old_on="loaded active generated")
    assert systemd.run({"name": "old-on"}, check_mode=True)["services"] == {"old-on": ["restart"]}


def test_a_unit_of_ours_in_place_of_an_init_script_is_enabled_at_once() -> None:
    systemd = Systemd(old_on="loaded active generated")
    unit = "/etc/systemd/system/old-on.service"
    result = systemd.run({"name": "old-on", "files": [unit]}, changed=[unit])
    assert result["actions"] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "old-on"],
        ["systemctl", "restart", "old-on"],
    ]


def test_changed_units_are_read_again() -> None:
    systemd = Systemd(nginx="loaded active enabled")
    systemd.run(NGINX)
    systemd.need_reload = "yes"
    assert systemd.run(NGINX)["actions"] == [["systemctl", "daemon-reload"]]
    assert not systemd.run(NGINX)["changed"]


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ([{"name": "a b"}], "bad service name 'a b'"),
        ([{"name": ""}], "bad service name ''"),
        ([{"name": "--now"}], "bad service name '--now'"),
        ([{"name": "nginx"}, {"name": "nginx"}], "service nginx is given twice"),
        ([{"name": "nosuch"}], "service nosuch does not exist"),
    ],
)
def test_bad_services(services: list[dict[str, t.Any]], told: str) -> None:
    systemd = Systemd(nginx="loaded active enabled")
    with pytest.raises(ClusterError) as caught:
        systemd.run(*services)
    assert told in str(caught.value) and caught.value.hint
    assert systemd.host.actions == []


def test_a_machine_without_systemd() -> None:
    host = MemoryHost(script={"systemctl": (0, "", "")})
    with pytest.raises(ClusterError, match="systemctl told of 1 services, not 2"):
        work({"services": [DHCPD, NGINX], "changed_paths": []}, False, host)
    assert work({"services": [], "changed_paths": []}, False, host)["changed"] is False


def test_a_service_of_ours_only_is_stopped_once_and_forgotten() -> None:
    systemd = Systemd(dhcpd="loaded inactive disabled", nginx="loaded active enabled")
    old = {"name": "dhcpd", "state": "stopped", "enabled": False, "ours": True}
    assert systemd.run(old)["services"] == {} and not systemd.host.actions
    systemd.run(DHCPD)
    predicted = systemd.run(old, NGINX, check_mode=True)
    assert predicted["services"]["dhcpd"] == ["disable", "stop"] and systemd.units["dhcpd"][1] == "active"
    assert systemd.run(old, NGINX)["services"]["dhcpd"] == ["disable", "stop"]
    assert sorted(json.loads(systemd.host.files[STATE])) == ["nginx"]
    systemd.units["dhcpd"] = ["loaded", "active", "enabled"]
    assert systemd.run(old, NGINX)["services"] == {"nginx": []}


def test_a_service_of_ours_that_is_gone_is_no_error() -> None:
    assert Systemd().run({"name": "kea", "state": "stopped", "enabled": False, "ours": True})["changed"] is False
