# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests brought to their states on a stand-in for xl: steps, check mode, second runs, and what is refused."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import apply as carry
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import lifecycle
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.arguments import (
    ARGUMENTS,
    DISK,
    DOMAIN,
    VIF,
    settings,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.xl import failure
from ansible_collections.xtreemos.cluster.plugins.modules import xen_domain
from ansible_collections.xtreemos.cluster.tests.unit._xen.standin import EXISTS, GOLDEN, Dom0Host, save_file
from ansible_collections.xtreemos.cluster.tests.unit._xen.test_xen_live import recorded
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

Options = t.Dict[str, t.Any]
BASE: Options = {"name": "a", "memory": 128, "kernel": "/k"}
UUID = "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2"


class Clock(carry.Clock):
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def filled(spec: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> Options:
    """What Ansible makes of given options: defaults, and None for the rest."""
    unknown = set(given) - set(spec)
    assert not unknown, unknown
    found: Options = {key: given.get(key, row.get("default")) for key, row in spec.items()}
    for key, sub in (("domains", DOMAIN), ("disks", DISK), ("vifs", VIF)):
        if key in spec and found[key] is not None:
            found[key] = [filled(sub, one) for one in found[key]]
    return found


def call(host: Dom0Host, *domains: Options, check: bool = False, **options: t.Any) -> Options:
    """One call of the module."""
    host.actions.clear()
    host.ran.clear()
    return xen_domain.work(filled(ARGUMENTS, {"domains": list(domains), **options}), check, host)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(carry, "Clock", lambda: made)
    return made


def both(host: Dom0Host, *domains: Options, again: bool = False, **options: t.Any) -> Options:
    """A call in check mode, the same for real, and once more: all three have to agree."""
    before = copy.deepcopy((host.files, host.links, host.domains))
    told = call(host, *domains, check=True, **options)
    assert (host.files, host.links, host.domains) == before and not host.actions, "check mode changed something"
    done = call(host, *domains, **options)
    assert told.pop("actions") == host.actions
    assert told == done
    once_more = call(host, *domains, check=True, **options)
    assert once_more["changed"] is again, once_more
    return {**done, "actions": list(host.actions) if again else told.get("actions", done)}


def started(*domains: Options, **files: bytes) -> Dom0Host:
    host = Dom0Host(files)
    call(host, *(domains or (BASE,)))
    return host


def kinds(host: Dom0Host, *domains: Options, **options: t.Any) -> list[str]:
    """The subcommands of xl that a call would run."""
    return [argv[1] if argv[0] == "xl" else argv[0] for argv in call(host, *domains, check=True, **options)["actions"]]


def test_a_guest_is_described_started_and_left_alone() -> None:
    host = Dom0Host()
    done = both(host, {**BASE, "vifs": [{"bridge": "xenbr0"}], "metadata": {"DIST": "Debian"}, "autostart": True})
    one = done["domains"]["a"]
    assert (one["before"], one["state"], one["done"], one["config_changed"]) == ("off", "running", ["create"], True)
    assert host.links == {"/etc/xen/auto/a.cfg": "/etc/xen/a.cfg"} and host.modes["/etc/xen/a.cfg"] == 0o600
    config = parse(host.files["/etc/xen/a.cfg"].decode())
    assert config.metadata == {"DIST": "Debian"} and config.values["uuid"] == one["uuid"]
    assert one["macs"] == [host.domains["a"].cards[0]["mac"]]
    assert [entry["after_header"] for entry in done["diff"]] == ["/etc/xen/a.cfg", "guest a", "/etc/xen/auto/a.cfg"]


# Every state from every state: what xl is told to do.
STATES = ("off", "running", "paused", "shutdown", "crashed")
FROM = {
    "running": ("create", "", "unpause", "destroy create", "destroy create"),
    "paused": ("create", "pause", "", "destroy create", "destroy create"),
    "stopped": ("", "shutdown", "unpause shutdown", "destroy", "destroy"),
    "absent": ("", "shutdown", "unpause shutdown", "destroy", "destroy"),
    "rebooted": ("create", "reboot", "unpause reboot", "destroy create", "destroy create"),
    "reset": ("create", "destroy create", "destroy create", "destroy create", "destroy create"),
    "migrated": ("ClusterError", "migrate", "ClusterError", "ClusterError", "ClusterError"),
    "saved": ("ClusterError", "save mv", "unpause save mv", "ClusterError", "ClusterError"),
    "restored": ("ClusterError", "", "unpause", "ClusterError", "ClusterError"),
}


def made(now: str) -> Dom0Host:
    """A host whose guest ``a`` is in a state."""
    host = started()
    one = host.domains["a"]
    if now == "off":
        del host.domains["a"]
    one.paused, one.shutdown = now == "paused", {"shutdown": "-", "crashed": "c"}.get(now, "")
    return host


@pytest.mark.parametrize("wanted", sorted(FROM))
@pytest.mark.parametrize("now", STATES)
def test_states(wanted: str, now: str) -> None:
    host = made(now)
    expected = FROM[wanted][STATES.index(now)]
    entry = {"name": "a", "state": wanted, **({"target": "lab01"} if wanted == "migrated" else {})}
    if expected == "ClusterError":
        with pytest.raises(ClusterError, match="guest a") as caught:
            call(host, entry)
        assert caught.value.hint
        return
    assert kinds(host, entry) == expected.split()
    done = both(host, entry, again=wanted in ("rebooted", "reset"))
    after = host.domains["a"].state() if "a" in host.domains else "off"
    assert after == {"paused": "--p---", "stopped": "off", "absent": "off", "migrated": "off", "saved": "off"}.get(
        wanted, "-b----"
    )
    assert done["domains"]["a"]["before"] == now
    assert ("/etc/xen/a.cfg" in host.files) is (wanted != "absent")


def test_present_writes_the_file_and_asks_no_xl() -> None:
    host = Dom0Host({"/proc/xen/capabilities": b""})
    done = both(host, {**BASE, "state": "present"})
    assert done["changed"] and not [argv for argv in host.ran if argv[0] == "xl"]
    assert done["domains"]["a"]["state"] == "present"


def test_stop_of_a_guest_that_does_not_react(clock: Clock) -> None:
    host = started(BASE, {**BASE, "name": "b"})
    host.stubborn = {"a", "b"}
    call(host, {"name": "a", "state": "stopped", "timeout": 20}, {"name": "b", "state": "stopped", "timeout": 0})
    assert not host.domains and 20 <= clock.time < 25, "they wait side by side"
    assert host.actions == [
        ["xl", "shutdown", "a"], ["xl", "shutdown", "b"], ["xl", "destroy", "b"], ["xl", "destroy", "a"],
    ] or host.actions[2:] == [["xl", "destroy", "a"], ["xl", "destroy", "b"]]  # fmt: skip


def test_stop_that_must_not_destroy() -> None:
    host = started()
    host.stubborn = {"a"}
    with pytest.raises(ClusterError, match="guest a did not stop within 5 s"):
        call(host, {"name": "a", "state": "stopped", "timeout": 5, "kill_after_timeout": False})
    assert "a" in host.domains


def test_force_destroys_at_once(clock: Clock) -> None:
    host = started()
    host.stubborn = {"a"}
    both(host, {"name": "a", "state": "stopped", "force": True})
    assert clock.time == 0


def test_a_guest_that_nobody_clears_away_is_destroyed(clock: Clock) -> None:
    host = started()

    def down(argv: list[str]) -> tuple[int, str, str]:
        host.domains["a"].shutdown = "-"
        return 0, "", ""

    host.script["xl shutdown"] = down
    call(host, {"name": "a", "state": "stopped"})
    assert host.actions == [["xl", "shutdown", "a"], ["xl", "destroy", "a"]] and clock.time < 10


class Away:
    """A guest that is gone after a command, and back as another domain some seconds later."""

    def __init__(self, host: Dom0Host, clock: Clock, command: str, seconds: float) -> None:
        self.host, self.clock, self.until = host, clock, seconds
        host.script[command] = self.leave
        host.script["xl list"] = self.list

    def leave(self, argv: list[str]) -> tuple[int, str, str]:
        self.one, self.until = self.host.domains.pop("a"), self.until + self.clock.time
        return 0, "", ""

    def list(self, argv: list[str]) -> tuple[int, str, str]:
        if hasattr(self, "one") and self.clock.time >= self.until:
            self.host.start(self.one.values)
            del self.one
        return self.host._list(argv)


@pytest.mark.parametrize("seconds", [0, 2, 9])
def test_a_guest_that_starts_itself_again_is_stopped(clock: Clock, seconds: float) -> None:
    host = started({**BASE, "on_poweroff": "restart"})
    Away(host, clock, "xl shutdown", seconds)
    call(host, {"name": "a", "state": "stopped", "timeout": 30})
    assert not host.domains and host.actions[-1] == ["xl", "destroy", "a"]
    assert seconds <= clock.time < seconds + 2


@pytest.mark.parametrize(("action", "seconds", "ends", "created"), [
    ("restart", 9, 9, False), ("restart", 99, 60, True), ("destroy", 99, 0, True), ("coredump-destroy", 99, 0, True),
])  # fmt: skip
def test_reboot_waits_for_who_starts_the_guest_again(
    clock: Clock, action: str, seconds: float, ends: float, created: bool
) -> None:
    host = started({**BASE, "on_reboot": action})
    Away(host, clock, "xl reboot", seconds)
    call(host, {"name": "a", "state": "rebooted"})
    assert (["xl", "create", "-q", "/etc/xen/a.cfg"] in host.actions) is created and "a" in host.domains
    assert ends <= clock.time < ends + 1


def test_reboot_waits_until_the_new_one_is_built(clock: Clock) -> None:
    host = started()

    def building(argv: list[str]) -> tuple[int, str, str]:
        host.domains["a"].paused = clock.time < 5
        return host._list(argv)

    def reboot(argv: list[str]) -> tuple[int, str, str]:
        host.domains["a"].domid = 9
        host.script["xl list"] = building
        return 0, "", ""

    host.script["xl reboot"] = reboot
    call(host, {"name": "a", "state": "rebooted"})
    assert 5 <= clock.time < 6


def test_reboot_of_a_guest_that_nobody_starts_again(clock: Clock) -> None:
    host = started()

    def down(argv: list[str]) -> tuple[int, str, str]:
        host.domains["a"].shutdown = "r"
        return 0, "", ""

    host.script["xl reboot"] = down
    call(host, {"name": "a", "state": "rebooted"})
    assert (
        host.actions[1:] == [["xl", "destroy", "a"], ["xl", "create", "-q", "/etc/xen/a.cfg"]] and 20 <= clock.time < 22
    )


def test_save_and_restore() -> None:
    host = started()
    both(host, {"name": "a", "state": "saved"})
    assert "/var/lib/xen/save/a.save" in host.files and not host.domains
    both(host, {"name": "a", "state": "restored"})
    assert "/var/lib/xen/save/a.save" not in host.files, "memory of an earlier moment must not meet the disks again"
    assert list(host.domains) == ["a"]
    both(host, {"name": "a", "state": "saved", "save_file": "/srv/x"})
    told = call(host, {"name": "a", "save_file": "/srv/x"}, check=True)
    assert "starts anew" in told["warnings"][0]
    both(host, {"name": "a", "state": "resumed", "save_file": "/srv/x"})


def test_a_save_that_fails_leaves_the_old_file() -> None:
    host = started(**{"/var/lib/xen/save/a.save": b""})
    host.files["/var/lib/xen/save/a.save"] = old = save_file(host.domains["a"].config(), {})
    host.script["xl save"] = (1, "", "libxl: error: no space left on device\n")
    with pytest.raises(ClusterError, match="guest a: xl save"):
        call(host, {"name": "a", "state": "saved"})
    assert host.files["/var/lib/xen/save/a.save"] == old


# What changes while a guest runs, and what waits.
LIVE: Options = {
    **BASE, "type": "pv", "memory": 128, "maxmem": 256, "vcpus": 1, "maxvcpus": 2, "cmdline": "quiet",
    "vifs": [{"mac": "00:16:3e:00:00:01", "bridge": "xenbr0"}], "disks": [{"target": "/d1", "vdev": "xvda"}],
    "on_crash": "destroy", "options": {"tsc_mode": "native"},
}  # fmt: skip
FILES = {"/d1": b"", "/d2": b"", "/k2": b"", "/r": b"", "/sys/class/net/br2": b""}
CARD2 = {"mac": "00:16:3e:00:00:02", "bridge": "xenbr0"}
CHANGES: list[tuple[Options, list[list[str]], list[str]]] = [
    ({"memory": 200}, [["xl", "mem-set", "a", "200m"]], []),
    ({"memory": 96}, [["xl", "mem-set", "a", "96m"]], []),
    ({"memory": 300, "maxmem": 300}, [], ["maxmem", "memory"]),
    ({"maxmem": 300}, [], ["maxmem"]),
    ({"vcpus": 2}, [["xl", "vcpu-set", "--ignore-host", "a", "2"]], []),
    ({"vcpus": 3, "maxvcpus": 3}, [], ["maxvcpus", "vcpus"]),
    ({"maxvcpus": 3}, [], ["maxvcpus"]),
    ({"vifs": []}, [["xl", "network-detach", "a", "00:16:3e:00:00:01"]], []),
    ({"vifs": [LIVE["vifs"][0], CARD2]},
     [["xl", "network-attach", "a", "mac=00:16:3e:00:00:02", "bridge=xenbr0"]], []),
    ({"vifs": [{"mac": "00:16:3e:00:00:01", "bridge": "br2"}]},
     [["xl", "network-detach", "a", "00:16:3e:00:00:01"],
      ["xl", "network-attach", "a", "mac=00:16:3e:00:00:01", "bridge=br2"]], []),
    ({"vifs": [{"bridge": "xenbr0"}]}, [], []),
    ({"disks": []}, [["xl", "block-detach", "a", "xvda"]], []),
    ({"disks": [*LIVE["disks"], {"target": "/d2", "vdev": "xvdb", "access": "ro"}]},
     [["xl", "block-attach", "a", "/d2,raw,xvdb,ro"]], []),
    ({"disks": [{"target": "/d2"}]}, [], ["disks"]),
    ({"disks": [{"target": "/d1", "access": "ro"}]}, [], ["disks"]),
    ({"cmdline": "loud"}, [], ["cmdline"]),
    ({"kernel": "/k2"}, [], ["kernel"]),
    ({"ramdisk": "/r"}, [], ["ramdisk"]),
    ({"type": "pvh"}, [], ["type"]),
    ({"kernel": None, "bootloader": "pygrub"}, [], ["bootloader"]),
    ({"on_poweroff": "preserve"}, [], ["on_poweroff"]),
    ({"on_reboot": "destroy"}, [], ["on_reboot"]),
    ({"on_crash": "rename-restart"}, [], ["on_crash"]),
    ({"options": {"tsc_mode": "default"}}, [], ["tsc_mode"]),
    ({"options": {}}, [], ["tsc_mode"]),
    ({"vnc": True}, [], ["vnc"]),
    ({"vnclisten": "127.0.0.1"}, [], ["vnclisten"]),
    ({"cpus": "0"}, [], ["cpus"]),
    ({"bootloader_args": ["-q"]}, [], ["bootloader_args"]),
    ({"metadata": {"DIST": "Debian"}}, [], []),
    ({"autostart": True}, [], []),
]  # fmt: skip


@pytest.mark.parametrize(("change", "commands", "restart"), CHANGES, ids=[str(row[0])[:60] for row in CHANGES])
def test_every_option_of_a_guest_that_runs(change: Options, commands: list[list[str]], restart: list[str]) -> None:
    host = started(LIVE, **FILES)
    entry = {**LIVE, **change}
    told = call(host, entry, check=True)
    assert (told["actions"], told["domains"]["a"]["needs_restart"]) == (commands, restart)
    domid = host.domains["a"].domid
    done = both(host, entry)
    assert host.domains["a"].domid == domid
    assert done["changed"] == (change != {"vifs": [{"bridge": "xenbr0"}]})
    # What waits is told by the next run as well, as far as libxl tells it.
    seen = call(host, entry, check=True)["domains"]["a"]["needs_restart"]
    assert seen == [option for option in restart if option in DOMAIN and option not in HIDDEN]


HIDDEN = ("vnc", "vnclisten", "cpus", "bootloader_args")


@pytest.mark.parametrize(("change", "commands", "restart"), CHANGES, ids=[str(row[0])[:60] for row in CHANGES])
def test_restart_on_change_brings_it_in(change: Options, commands: list[list[str]], restart: list[str]) -> None:
    host = started(LIVE, **FILES)
    domid = host.domains["a"].domid
    done = both(host, {**LIVE, **change}, restart="on_change")
    assert done["domains"]["a"]["restarted_for"] == restart and not done["domains"]["a"]["needs_restart"]
    assert (host.domains["a"].domid != domid) is bool(restart)


def test_cards_of_a_file_without_macs_are_matched_to_those_that_run() -> None:
    host = Dom0Host({"/etc/xen/a.cfg": b'name="a"\nmemory=128\nkernel="/k"\nvif=["bridge=xenbr0", ""]\n'})
    call(host, {"name": "a"})
    for number, card in enumerate(host.domains["a"].cards):
        card["mac"] = "00:16:3e:00:00:0%d" % number
    assert not call(host, {"name": "a"}, check=True)["changed"]


def test_the_first_file_of_a_guest_keeps_its_uuid_and_macs() -> None:
    host = Dom0Host()
    host.start(
        {"name": "a", "type": "pvh", "uuid": UUID, "memory": 128, "kernel": "/k", "vif": ["mac=00:16:3e:00:00:07"]}
    )
    done = both(host, {**BASE, "vifs": [{"bridge": "xenbr0"}]})
    one = done["domains"]["a"]
    assert (one["uuid"], one["macs"], one["needs_restart"]) == (UUID, ["00:16:3e:00:00:07"], [])


def test_a_file_that_means_the_same_is_not_written_again() -> None:
    text = (
        b"memory = '128'; name='a'\nkernel=\"/k\"\ntype='pvh'\nuuid='6842CAF91E3E43249ED596B8B9F2C5C2'\n"
        b"disk=['file:/d1,xvda,w']\n"
    )
    host = Dom0Host({"/etc/xen/a.cfg": text, "/d1": b""})
    both(host, {**BASE, "disks": [{"target": "/d1"}]})
    assert host.files["/etc/xen/a.cfg"] == text


def test_addresses_name_guests_to_stop() -> None:
    host = started(
        {
            **BASE,
            "uuid": UUID,
            "vifs": [{"mac": "00:16:3e:00:00:01"}],
            "metadata": {"MAGICID-XEN": "", "IP0": "10.0.0.1"},
        },
        {**BASE, "name": "ab"},
    )
    host.script["find"] = (0, "\0".join(path for path in host.files if path.endswith(".cfg")), "")
    for address in (
        "l:a",
        "u:" + UUID.replace("-", ""),
        "m:00:16:3e:00:00:01",
        "t:10.0.0.1",
        "f:a.cfg",
        {"path": "/etc/xen/a.cfg"},
    ):
        assert kinds(host, {"address": address, "state": "stopped"}) == ["shutdown"], address
    assert kinds(host, {"address": "b:/etc/xen,l:a", "state": "saved"}) == ["save", "mv"]
    with pytest.raises(ClusterError, match="there is no guest l:x"):
        call(host, {"address": "l:x", "state": "stopped"})
    assert kinds(host, {"name": "*", "state": "stopped"}) == ["shutdown", "shutdown"]


@pytest.mark.parametrize("guests", [1, 10, 50])
def test_xl_is_asked_twice_for_any_number_of_guests(guests: int) -> None:
    entries = [{**BASE, "name": "g%d" % number, "memory": 32} for number in range(guests)]
    host = started(*entries)
    call(host, *entries)
    assert [argv for argv in host.ran if argv[0] == "xl"] == [["xl", "list"], ["xl", "list", "-l"]]
    call(host, *({"name": one["name"], "state": "stopped"} for one in entries))
    assert len([argv for argv in host.ran if argv[:2] == ["xl", "list"]]) <= 6


DISKS: list[tuple[Options, dict[str, bytes], list[str]]] = [
    ({"image": "/i"}, {"/i": b"1234"},
     ["cp --reflink=auto --sparse=always -- /i /s/a.img.new", "chmod", "sync", "mv -n"]),
    ({"image": "/i", "size": "1M"}, {"/i": b""}, ["cp", "truncate --size=1048576 /s/a.img.new", "chmod", "sync", "mv"]),
    ({"size": "4G"}, {}, ["truncate --size=4294967296", "chmod", "sync", "mv"]),
    ({"size": "1G", "filesystem": "ext4"}, {}, ["truncate", "mkfs.ext4 -q -F /s/a.img.new", "chmod", "sync", "mv"]),
    ({"size": "1G", "filesystem": "swap"}, {"/s/a.img.new": b""},
     ["rm -f", "truncate", "mkswap", "chmod", "sync", "mv"]),
    ({"size": "1G", "format": "qcow2"}, {}, ["qemu-img create -q -f qcow2", "chmod", "sync", "mv"]),
    ({"size": "1G", "format": "qcow2", "image": "/i"}, {"/i": b""}, ["cp", "qemu-img resize", "chmod", "sync", "mv"]),
    ({"target": "/dev/vg0/a", "size": "1G"}, {}, ["lvcreate --yes", "lvrename vg0 a.new a"]),
    ({"target": "/dev/vg0/a", "image": "/i"}, {"/i": b"1", "/dev/vg0/a.new": b""},
     ["lvremove", "lvcreate", "dd", "lvrename"]),
]  # fmt: skip


@pytest.mark.parametrize(("disk", "files", "commands"), DISKS)
def test_disks_are_made_beside_and_once(disk: Options, files: dict[str, bytes], commands: list[str]) -> None:
    host = Dom0Host({"/s/other": b"", **files})
    host.script["lvrename"] = lambda argv: (host.files.update({"/dev/vg0/a": b""}), (0, "", ""))[1]
    entry = {**BASE, "disks": [{"target": "/s/a.img", **disk}]}
    lines = [" ".join(argv) for argv in call(host, entry, check=True)["actions"]]
    assert [line.startswith(word) for line, word in zip(lines, commands)] == [True] * len(commands), lines
    assert lines[len(commands) :] == ["xl create -q /etc/xen/a.cfg"]
    both(host, entry)


@pytest.mark.parametrize("target", ["/s/a.img", "/dev/vg0/a"])
def test_a_disk_that_is_there_is_never_touched(target: str) -> None:
    host = Dom0Host({target: b"mine", "/i": b"theirs"})
    call(host, {**BASE, "disks": [{"target": target, "image": "/gone", "size": "1K", "filesystem": None}]})
    assert host.files[target] == b"mine" and [argv[0] for argv in host.actions] == ["xl"]


def test_migration() -> None:
    host = started()
    done = both(host, {"name": "a", "state": "migrated", "target": "lab01"})
    assert done["domains"]["a"]["done"] == ["migrate"] and host.target == ["a"]


def test_wait_until_the_drivers_are_connected_and_ssh_answers(clock: Clock) -> None:
    host, looks = Dom0Host(), []

    def xenstore(argv: list[str]) -> tuple[int, str, str]:
        looks.append(clock.time)
        state = 4 if clock.time >= 3 else 1
        return (
            0,
            '/local/domain/1/device/vif/0/state = "%d"   (n0,r0)\n/local/domain/9/device/vbd/51712/state = "1"\n'
            % state,
            "",
        )

    host.script["xenstore-ls"] = xenstore
    host.script["ssh-keyscan"] = lambda argv: (0, "10.0.0.1 ssh-ed25519 AAAA\n" if clock.time >= 5 else "", "")
    entry = {**BASE, "vifs": [{"ip": "10.0.0.1"}], "ssh_port": 24}
    call(host, entry, wait="ssh")
    assert clock.time == 5 and next(argv for argv in host.ran if argv[0] == "ssh-keyscan")[3:] == [
        "-p",
        "24",
        "10.0.0.1",
    ]
    host.script["xenstore-ls"] = (0, '/local/domain/1/device/vbd/51712/state = "3"\n', "")
    with pytest.raises(ClusterError, match="not up within 7 s: a"):
        call(host, entry, wait="up", wait_timeout=7)
    host.domains["a"].shutdown = "c"
    host.script["xl create"] = lambda argv: (0, "", "")
    host.script["xl destroy"] = lambda argv: (0, "", "")
    with pytest.raises(ClusterError, match="still there|crashed soon"):
        call(host, entry, wait="up")


# What is refused, before anything is touched.
def files(**more: str) -> dict[str, bytes]:
    return {path: text.encode() for path, text in more.items()}


OTHER = {"name": "b", "memory": 64, "kernel": "/k"}
REFUSED: list[tuple[str, list[Options], Options, dict[str, bytes], str]] = [
    ("unknown", [{"name": "x", "state": "stopped"}], {}, {}, "guest x neither runs nor has a file /etc/xen/x.cfg"),
    ("twice", [BASE, BASE], {}, {}, "guest a is given twice"),
    ("no name", [{"memory": 1}], {}, {}, "either a name or an address"),
    ("two names", [{"name": "a", "address": "l:a", "state": "stopped"}], {}, {}, "either a name or an address"),
    ("all run", [{"name": "*"}], {}, {}, r"the name \* is for the states stopped and saved only"),
    ("bad line", [{"name": "a"}], {}, files(**{"/etc/xen/a.cfg": 'name="a"\nmemory=\n'}), "/etc/xen/a.cfg, line 2"),
    ("CRLF", [{"name": "a"}], {}, files(**{"/etc/xen/a.cfg": 'name="a"\r\n'}), "line 1: the line ends in CR LF"),
    ("Python", [{"name": "a"}], {}, files(**{"/etc/xen/a.cfg": "import os\n"}),
     "looks like Python code.*import_config"),
    ("other file", [{"name": "a"}], {}, files(**{"/etc/xen/a.cfg": 'name="z"\n'}), "is the file of guest z, not a"),
    ("kernel", [{**BASE, "kernel": "/none"}], {}, {}, "guest a: there is no kernel /none"),
    ("ramdisk", [{**BASE, "ramdisk": "/none"}], {}, {}, "guest a: there is no ramdisk /none"),
    ("disk", [{**BASE, "disks": [{"target": "/none"}]}], {}, {}, "there is no disk /none.*set image or size"),
    ("bridge", [{**BASE, "vifs": [{"bridge": "br9"}]}], {}, {}, "there is no bridge br9.*xen_bridge"),
    ("memory", [{**BASE, "memory": 4000}, {**OTHER, "memory": 97}], {}, {},
     "memory for a, b: 4097 MiB are needed, 4096 are free"),
    ("uuid", [{**BASE, "uuid": UUID.replace("6", "7")}], {"live": {**BASE, "uuid": UUID}}, {},
     "guest a runs with the UUID 6842.*|exists with the UUID"),
    ("same uuid", [{**BASE, "uuid": UUID}, {**OTHER, "uuid": UUID}], {}, {}, "guests a and b have the same UUID"),
    ("same mac", [{**BASE, "vifs": [CARD2]}], {"live": {**OTHER, "vifs": [CARD2]}}, {},
     "guests a and b have the same MAC"),
    ("same disk", [{**BASE, "disks": [{"target": "/d1"}]}],
     {"live": {**OTHER, "disks": [{"target": "/d1", "access": "ro"}]}}, FILES, "guests a and b have the same disk /d1"),
    ("same path", [{**BASE, "path": "/etc/xen/b.cfg"}, OTHER], {}, {}, "guests a and b have the same file"),
    ("other save", [{"name": "a", "state": "restored"}], {},
     {"/var/lib/xen/save/a.save": save_file({"c_info": {"name": "z", "uuid": UUID}}, {})}, "holds the guest z, not a"),
    ("save uuid", [{"name": "a", "state": "restored"}], {},
     {"/etc/xen/a.cfg": b'name="a"\nuuid="11111111222233334444555555555555"\n',
      "/var/lib/xen/save/a.save": save_file({"c_info": {"name": "a", "uuid": UUID}}, {})},
     "holds another guest a, with the UUID"),
    ("no save", [{"name": "a", "state": "restored"}], {}, {}, "has no save file /var/lib/xen/save/a.save"),
    ("bad save", [{"name": "a", "state": "restored"}], {}, {"/var/lib/xen/save/a.save": b"x" * 99},
     "is no save file of xl"),
    ("half save", [{"name": "a", "state": "restored"}], {},
     {"/var/lib/xen/save/a.save": save_file({"c_info": {"name": "a"}}, {})[:70]}, "is damaged"),
    ("not Xen", [BASE], {}, {"/proc/xen/capabilities": b""}, "this machine is no Xen dom0"),
    ("dom0", [{"name": "Domain-0", "state": "stopped"}], {}, {}, "Domain-0 is the host itself"),
    ("dom0 id", [{"name": "0", "state": "stopped"}], {}, {}, "0 is the host itself"),
    ("dom0 address", [{"address": "l:Domain-0", "state": "stopped"}], {}, {}, "Domain-0 is the host itself"),
    ("dom0 reboot", [{"name": "dom0", "state": "rebooted"}], {}, {}, "dom0 is the host itself"),
    ("described by address", [{"address": "l:a", "memory": 1}], {}, {}, "is not described"),
    ("described saved", [{**BASE, "state": "saved"}], {}, {}, "a guest that is saved is not described"),
    ("no target", [{"name": "a", "state": "migrated"}], {"live": BASE}, {}, "target and state migrated go together"),
    ("bad target", [{"name": "a", "state": "migrated", "target": "-oProxy=x"}], {"live": BASE}, {},
     "is no name of a host"),
    ("no image", [{**BASE, "disks": [{"target": "/s", "image": "/none"}]}], {}, {}, "there is no image /none"),
    ("small", [{**BASE, "disks": [{"target": "/s", "image": "/i", "size": "1K"}]}], {}, {"/i": b"1" * 2000},
     "less than its image"),
    ("size", [{**BASE, "disks": [{"target": "/s", "size": "big"}]}], {}, {}, "'big' is no size"),
    ("filesystem", [{**BASE, "disks": [{"target": "/s", "image": "/i", "filesystem": "ext4"}]}], {}, {"/i": b""},
     "cannot be made"),
    ("group", [{**BASE, "disks": [{"target": "/dev/vg9/s", "size": "1G"}]}], {}, {}, "there is no volume group vg9"),
    ("device", [{**BASE, "disks": [{"target": "/dev/sdz9", "size": "1G"}]}], {}, {}, "only logical volumes"),
    ("path", [{**BASE, "path": "a.cfg"}], {}, {}, "'a.cfg' is no absolute path"),
    ("import", [{"name": "a", "import_config": "/none"}], {}, {}, "there is no configuration /none to import"),
    ("autostart", [{"name": "a", "state": "stopped", "autostart": True}], {"foreign": "a"}, {},
     "cannot start with the host"),
    ("no address", [BASE], {"wait": "ssh"}, {}, "has no address to wait for"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "around", "there", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_refused(
    entries: list[Options], around: Options, there: dict[str, bytes], message: str, check: bool
) -> None:
    around = dict(around)
    host = started(around.pop("live"), **there) if "live" in around else Dom0Host(there)
    if "foreign" in around:
        host.start({"name": around.pop("foreign"), "memory": 1, "kernel": "/k"})
    before = copy.deepcopy((host.files, host.links, host.domains))
    with pytest.raises(ClusterError, match=message) as caught:
        call(host, *entries, check=check, **around)
    assert caught.value.hint and not host.actions
    assert (host.files, host.links, host.domains) == before


def test_a_target_that_cannot_be_reached_or_has_the_guest() -> None:
    host = started()
    entry = {"name": "a", "state": "migrated", "target": "lab01"}
    host.target = None
    with pytest.raises(ClusterError, match="lab01 to move to does not answer: .*No route to host"):
        call(host, entry)
    host.target = ["a"]
    with pytest.raises(ClusterError, match="runs here and on lab01"):
        call(host, entry)


def test_a_half_made_guest_is_told_and_can_be_removed() -> None:
    host = started()
    host.domains["a"].foreign, host.domains["a"].paused = True, True
    with pytest.raises(ClusterError, match="left half made by a killed xl create"):
        call(host, BASE)
    assert kinds(host, {"name": "a", "state": "stopped"}) == ["destroy"]


# Errors of the recorded texts.
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xl-create-existing", "a guest pv1 runs already"),
        ("xl-create-bad-kernel", "its kernel or ramdisk /boot/nosuch cannot be read"),
        ("xl-create-bad-mem", "too little free memory"),
        ("xl-create-bad-disk", "its disk xvda failed to stat: /dev/nosuch"),
        ("xl-create-bad-bridge", "there is no bridge nosuchbr"),
        ("xl-create-bad-syntax", "xl cannot read it: /etc/xen/lab/bad-syntax.cfg:3"),
        ("xl-create-bad-noname", "its configuration has no name"),
        ("xl-create-hvm-noqemu", "cannot run hvm guests"),
        ("xl-create-nosuchfile", "there is no file /etc/xen/lab/nosuchfile.cfg"),
        ("xl-restore-existing", "a guest pv1 runs already"),
        ("xl-restore-missing", "its save file cannot be read"),
        ("xl-destroy-nosuch", "there is no such guest"),
        ("xl-save-nosuch", "there is no such guest"),
        ("xl-vcpu-set", "the host has only 1 processors"),
        ("xl-unpause-unpaused", "Unpausing domain: Invalid argument"),
        ("xl-shutdown-all", "the guest does not answer"),
        ("xl-create-pv1", ""),
        ("xl-create-pvh1-b", ""),
        ("xl-save-pv1", ""),
        ("xl-restore-pv1", ""),
        ("xl-shutdown-pv1", ""),
        ("xl-reboot-pv2", ""),
        ("xl-mem-set", ""),
    ],
)
def test_recorded_errors_have_a_meaning(name: str, message: str) -> None:
    error = failure("g", recorded(name))
    assert bool(error) is bool(message)
    assert error is None or (message in error.message and error.hint and error.message.startswith("guest g"))


def test_an_abort_and_an_unknown_error() -> None:
    assert "aborted" in str(failure("g", Completed(("xl", "create"), -6)))
    assert "exit code 9: odd" in str(failure("g", Completed(("xl", "x"), 9, "", "Parsing config from f\nodd\n")))


def test_an_error_of_xl_names_the_guest() -> None:
    host = Dom0Host()
    host.script["xl create"] = (3, "", EXISTS % "a")
    with pytest.raises(ClusterError, match="guest a: a guest a runs already"):
        call(host, BASE)


def test_passwords_are_not_shown() -> None:
    host = Dom0Host()
    done = call(host, {**BASE, "options": {"vncpasswd": "secret"}})
    assert "secret" not in str(done) and b"secret" in host.files["/etc/xen/a.cfg"]


def test_import_of_an_old_configuration() -> None:
    text = b'name="old"\nmemory=64\nkernel="/k"\nroot="/dev/sda1 ro"\ndhcp="dhcp"\ndisk=["file:/d1,sda1,w"]\n'
    host = Dom0Host({"/xm/old": text, "/d1": b""})
    done = both(host, {"import_config": "/xm/old", "memory": 96})
    assert "dhcp: gone" in " ".join(done["warnings"])
    values = parse(host.files["/etc/xen/old.cfg"].decode()).values
    assert (values["memory"], values["type"], values["disk"]) == (96, "pv", ["/d1,raw,sda1,rw"])
    assert values["cmdline"] == "root=/dev/sda1 ro ip=:127.0.255.255::::eth0:dhcp"


def test_keys_that_xl_ignores_are_told() -> None:
    host = Dom0Host({"/etc/xen/a.cfg": b'name="a"\nmemory=64\nkernel="/k"\ndhcp="dhcp"\nhostname="a"\n'})
    assert call(host, {"name": "a"})["warnings"] == [
        "/etc/xen/a.cfg: xl ignores dhcp, hostname; import_config translates it"
    ]


# Any order of states, with check mode and a second run after each.
STEP = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]),
        "state": st.sampled_from(["running", "paused", "stopped", "saved", "resumed"]),
    },
)
MORE = st.fixed_dictionaries(
    {},
    optional={
        "memory": st.integers(16, 64),
        "vcpus": st.integers(1, 3),
        "maxvcpus": st.integers(3, 4),
        "cmdline": st.sampled_from(["a", "b"]),
        "vifs": st.lists(st.sampled_from([{"bridge": "xenbr0"}, {"bridge": "br2"}]), max_size=2),
        "disks": st.sampled_from([[], [{"target": "/d1", "access": "ro"}], [{"target": "/d2", "access": "ro"}]]),
    },
)


@how(max_examples=60, deadline=None)
@given(st.lists(st.tuples(STEP, MORE), max_size=6), st.sampled_from(["never", "on_change"]))
def test_any_life_of_two_guests(life: list[tuple[Options, Options]], restart: str) -> None:
    host = started({**BASE, "memory": 64, "name": "a"}, {**BASE, "memory": 64, "name": "b"}, **FILES)
    for step, more in life:
        described = {"memory": 64, "kernel": "/k", **more} if step["state"] in ("running", "paused") else {}
        saved = "/var/lib/xen/save/%s.save" % step["name"] in host.files
        try:
            both(host, {**step, **described}, restart=restart)
        except ClusterError as error:
            assert step["name"] not in host.domains and not saved, error


def test_settings_follow_from_the_machine() -> None:
    one, two = ({"/etc/machine-id": b"%d\n" % number} for number in (1, 2))
    found = [settings(filled(ARGUMENTS, {"domains": []}), Dom0Host(files), "h", "/root").seed for files in (one, two)]
    assert found == ["1/h", "2/h"]
    assert not lifecycle.needs_xl([{"state": "present"}]) and lifecycle.needs_xl([{"state": "present"}, {}])


def test_the_golden_folder_is_there() -> None:
    assert (GOLDEN / "xl-list-l-all.txt").is_file()
