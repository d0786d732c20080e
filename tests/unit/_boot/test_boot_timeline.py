# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boots from events: every order in which a boot goes, and every step at which one stops."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.logs import PHONE_STAGES, Event, parse_lines
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.report import has_reached, report, table
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.stages import RANK, STAGES, stage_of
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.timeline import Timeline
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden" / "timeline"
MAC, IP = "52:54:00:0a:01:1f", "10.0.1.31"
NODE = {"name": "node31", "mac": MAC, "ip": IP, "node_id": 1}
OTHER = {"name": "node32", "mac": "52:54:00:0a:01:20", "ip": "10.0.1.32", "node_id": 2}
CFG = "pxelinux.cfg/01-52-54-00-0a-01-1f"
IPXE = "/ipxe/01-52-54-00-0a-01-1f.ipxe"
KERNEL, STAGE1, ROOTFS = ("/images/node/abc/" + name for name in ("vmlinuz", "stage1.img", "rootfs.sqfs"))


def make(when: float, word: str) -> Event:
    """From a word: ``ack``, ``refused:why``, ``get:path`` (TFTP), ``200:path`` (HTTP), ``+up[:boot[:msg]]``."""
    head, _colon, rest = word.partition(":")
    if head in ("discover", "offer", "request", "ack", "refused", "decline"):
        return Event(when, "dhcp", head, MAC, "" if head in ("discover", "refused") else IP, rest)
    if head in ("get", "nak"):
        return Event(when, "tftp", head, "", IP, rest)
    if head.isdigit():
        return Event(when, "http", "get", "", IP, rest, int(head))
    boot, _colon, message = rest.partition(":")
    info = {"node": "node31", "boot": boot or "b1", "image": "abc", "msg": message}
    return Event(when, "phone", head[1:], "", IP, message, 0, info)


LEASE = "discover offer request ack"
TFTP_BOOT = "get:pxelinux.0 get:ldlinux.c32 get:%s 200:%s 200:%s" % (CFG, KERNEL, STAGE1)
IPXE_BOOT = "200:%s 200:%s 200:%s" % (IPXE, KERNEL, STAGE1)
PHONED = "+dhcp 200:%s +fetch +verify +root +up" % ROOTFS


def run(script: str, power_on: float = 0.0, start: float = 1000.0) -> Timeline:
    """One event a second from ``start`` on; ``@N`` sets the clock."""
    timeline = Timeline([NODE, OTHER], {"node31": power_on} if power_on else None)
    events, now = [], start
    for word in script.replace(" | ", " ").split(" "):
        if word.startswith("@"):
            now = float(word[1:])
            continue
        events.append(make(now, word.replace("_", " ")))
        now += 1
    timeline.feed(events)
    return timeline


def row(script: str, **how: float) -> dict[str, t.Any]:
    return report([NODE, OTHER], run(script, **how))["node31"]


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("pxelinux.0", "loader"),
        ("lpxelinux.0", "loader"),
        ("ldlinux.c32", "loader"),
        ("/X86PC/linux/linux.0", "loader"),
        ("undionly.kpxe", "loader"),
        ("/ipxe/boot.ipxe", "loader"),
        ("efi64/snponly.efi", "loader"),
        ("efi64/ldlinux.e64", "loader"),
        ("/etherboot/nbgrub", "loader"),
        (CFG, "entry"),
        ("X86PC/linux/" + CFG, "entry"),
        ("/srv/tftp/pxelinux.cfg/0A00011F", "entry"),
        ("pxelinux.cfg/0A0001", "entry"),
        (IPXE, "entry"),
        ("/ipxe/52:54:00:0a:01:1f", "entry"),
        ("grub/grub.cfg-01-52-54-00-0a-01-1f", "entry"),
        ("pxelinux.cfg/default", "default"),
        ("pxelinux.cfg/53bc02d9-5da5-4d9c-8ec8-2b5a7bd0cc7f", ""),
        (KERNEL, "kernel"),
        ("images/vmlinuz-2.6.11-krg0r1411", "kernel"),
        (STAGE1, "stage1"),
        (STAGE1 + "?v=2", "stage1"),
        ("images/kerrighed-2.6.11-krg0r1411.rdz", "stage1"),
        ("initrd", "stage1"),
        ("initrd.img-6.1.0", "stage1"),
        (ROOTFS, "image"),
        ("/images/node/abc/manifest.json", ""),
        ("messages", ""),
        ("", ""),
    ],
)
def test_a_path_tells_the_stage(path: str, stage: str) -> None:
    assert stage_of(path) == stage


@pytest.mark.parametrize("loader", [TFTP_BOOT, IPXE_BOOT, "get:undionly.kpxe | %s | %s" % (LEASE, IPXE_BOOT)])
def test_a_boot_that_comes_up(loader: str) -> None:
    found = row("%s | %s | %s | %s" % (LEASE, loader, "discover request ack", PHONED))
    assert found["up"] and found["state"] == "up" and not (found["missing"] or found["reason"] or found["remedy"])
    assert (found["image"], found["boot_id"], found["address"], found["started"]) == ("abc", "b1", IP, 1000.0)
    assert list(found["stages"]) == [stage for stage in STAGES if stage in found["stages"]]
    assert sum(found["stages"].values()) == pytest.approx(found["at"]["up"])


def test_the_recap_line() -> None:
    found = row("%s @1003.8 %s @1007 +dhcp +fetch @1009.4 +root @1013.7 +up" % (LEASE, IPXE_BOOT))
    assert found["line"] == "node31: dhcp 3.0 s, stage1 4.0 s, image 2.4 s, up 13.7 s"


def test_the_power_on_time_begins_the_boot_and_gives_the_firmware_stage() -> None:
    found = row("%s | %s | %s" % (LEASE, IPXE_BOOT, PHONED), power_on=990.5)
    assert found["started"] == 990.5
    assert (found["stages"]["firmware"], found["at"]["lease"]) == (9.5, 12.5)
    assert found["line"].startswith("node31: firmware 9.5 s, dhcp 3.0 s, ")


def test_the_clock_of_the_power_on_time_may_be_a_little_ahead() -> None:
    found = row(LEASE, power_on=1001.5)
    assert (found["started"], found["stages"]) == (1000.0, {"firmware": 0.0, "lease": 3.0})
    assert row(LEASE, power_on=1006.0)["reached"] == ""


def test_nothing_before_the_power_on_time_counts() -> None:
    found = row("%s | %s | %s @2000 discover" % (LEASE, IPXE_BOOT, PHONED), power_on=1990.0)
    assert (found["missing"], found["started"]) == ("lease", 1990.0)


UP = "%s | %s | %s" % (LEASE, TFTP_BOOT, PHONED)
RESET = "@2000 " + LEASE


@pytest.mark.parametrize(
    ("script", "started", "reached", "boot_id"),
    [
        ("%s %s %s" % (UP, RESET, TFTP_BOOT), 2000, "stage1", ""),
        ("%s %s %s +dhcp:b2" % (UP, RESET, TFTP_BOOT), 2000, "dhcp", "b2"),
        # switched off in the middle: the new boot begins with the DISCOVER before the loader
        ("%s | %s +dhcp %s get:pxelinux.0" % (LEASE, TFTP_BOOT, RESET), 2000, "loader", ""),
        ("%s | %s %s %s" % (LEASE, IPXE_BOOT, RESET, IPXE_BOOT), 2000, "stage1", ""),
        # DHCP on another server: the first sign of a new boot is the loader, or the entry
        ("%s @2000 get:pxelinux.0" % UP, 2000, "loader", ""),
        ("%s @2000 200:%s" % (UP, IPXE), 2000, "entry", ""),
        # only the phone lines are there
        ("+dhcp:b1 +up:b1 @2000 +dhcp:b2", 2000, "dhcp", "b2"),
        # a firmware that found no server and tries again after minutes
        ("discover @1010 discover @2000 discover offer request ack", 2000, "lease", ""),
        # repeated requests within one try
        ("discover @1004 discover @1012 discover offer request ack", 1000, "lease", ""),
        # the system that comes up asks for its address itself, before or after it is up
        ("%s | %s +dhcp +root discover offer request ack +up" % (LEASE, IPXE_BOOT), 1000, "up", "b1"),
        ("%s discover offer request ack" % UP, 1000, "up", "b1"),
        ("%s discover offer request ack %s %s" % (UP, RESET, IPXE_BOOT), 2000, "stage1", ""),
        # its lease ended while the server was away
        ("%s %s" % (UP, RESET), 1000, "up", "b1"),
        # reset, and no server answers
        ("%s @2000 discover discover refused:no_free_leases" % UP, 1000, "up", "b1"),
        ("%s @2000 discover discover refused:no_free_leases discover" % UP, 2000, "", ""),
        ("%s | %s +dhcp @2000 discover discover" % (LEASE, IPXE_BOOT), 1000, "dhcp", "b1"),
        ("%s | %s +dhcp @2000 discover discover discover discover" % (LEASE, IPXE_BOOT), 2000, "", ""),
        # the node that is up asks for its address again and reports the same boot: nothing new
        ("%s @2000 discover ack +up:b1" % UP, 1000, "up", "b1"),
        # renewals and files fetched by a node that is up change nothing
        ("%s @2000 request ack 200:%s 200:%s" % (UP, KERNEL, ROOTFS), 1000, "up", "b1"),
        # a line of the boot before comes late
        ("%s %s %s +up:b1" % (UP, RESET, TFTP_BOOT), 2000, "stage1", ""),
        # stage1 tries again within the same boot
        ("%s | %s +dhcp +failed:b1:no_image discover ack +dhcp +fetch" % (LEASE, TFTP_BOOT), 1000, "fetch", "b1"),
    ],
)
def test_where_a_boot_begins(script: str, started: float, reached: str, boot_id: str) -> None:
    found = row(script)
    assert (found["started"], found["reached"], found["boot_id"]) == (started, reached, boot_id)


GOT = "%s | %s" % (LEASE, TFTP_BOOT)
MISSING = [
    ("", "lease", "it asked for no address", "node_mac"),
    ("discover discover", "lease", "asked 2 times, got no offer", MAC),
    ("refused:network_10.0.1.0/24:_no_free_leases", "lease", "refused: network 10.0.1.0/24: no free leases", MAC),
    ("discover offer", "lease", "did not take the offered address", "second DHCP server"),
    ("discover offer decline", "lease", "DHCPDECLINE for 10.0.1.31", "second user"),
    (LEASE, "loader", "asked for no loader", "UDP port 69"),
    (LEASE + " get:pxelinux.bin get:linux.0 nak", "loader", "asked for linux.0, which is not there", "filename"),
    (LEASE + " get:pxelinux.0", "entry", "asked for no boot entry", "TFTP root"),
    (LEASE + " get:pxelinux.0 get:%s nak" % CFG, "entry", "asked for %s, which is not there" % CFG, "pxe_server"),
    (LEASE + " get:pxelinux.0 get:%s get:pxelinux.cfg/0A00011F get:pxelinux.cfg/default" % CFG, "entry",
     "pxelinux.cfg/0A00011F, which is not there", "pxe_server"),
    (LEASE + " get:pxelinux.0 get:pxelinux.cfg/default", "entry", "default entry", "node_mac"),
    (LEASE + " 404:" + IPXE, "entry", "asked for %s, which is not there" % IPXE, "no boot entry"),
    (LEASE + " get:pxelinux.0 get:" + CFG, "kernel", "took no kernel", "kernel path"),
    (LEASE + " get:pxelinux.0 get:%s get:vmlinuz nak" % CFG, "kernel", "asked for vmlinuz, which", "diskless"),
    (LEASE + " get:pxelinux.0 get:%s 404:%s" % (CFG, KERNEL), "kernel", "asked for %s" % KERNEL, "diskless"),
    (LEASE + " 200:%s 200:%s" % (IPXE, KERNEL), "stage1", "took no stage1", "initrd path"),
    (LEASE + " 200:%s 200:%s 404:%s" % (IPXE, KERNEL, STAGE1), "stage1", STAGE1, "diskless"),
    (GOT, "dhcp", "stage1 was sent but is silent", "driver"),
    (GOT + " discover", "dhcp", "silent; 1.0 s later it asked for an address again", "console"),
    (GOT + " +dhcp", "fetch", "no image", "image_url"),
    (GOT + " +dhcp 404:" + ROOTFS, "fetch", "asked for %s, which is not there" % ROOTFS, "pxe_server"),
    (GOT + " +dhcp 200:" + ROOTFS, "fetch", "did not arrive whole", "memory"),
    (GOT + " +dhcp +fetch", "verify", "not verified", "console"),
    (GOT + " +dhcp +fetch +verify", "root", "did not become the root", "console"),
    (GOT + " +dhcp +fetch +verify +root", "up", "did not report itself up", "sshd"),
    (GOT + " +dhcp +fetch +failed:b1:sha256_is_aa,_wanted_bb", "verify", "sha256 is aa, wanted bb", "diskless"),
    (GOT + " +dhcp +failed:b1:needs_700_MB,_have_512_MB", "fetch", "needs 700 MB, have 512 MB", "more memory"),
    (GOT + " +failed:b1:unknown_method_'foo'", "dhcp", "unknown method 'foo'", "profile"),
    (GOT + " +dhcp +failed:b1:dolly:_nobody_came_in_100_s", "fetch", "nobody came", "push"),
    (GOT + " +dhcp +failed:b1:server_says_404", "fetch", "server says 404", "publish"),
    (GOT + " +dhcp +failed:b1:got_5_bytes_of_the_image,_expected_7", "fetch", "got 5 bytes", "boot entry"),
    (GOT + " +dhcp +fetch +verify +failed:b1:the_image_has_no_/sbin/init", "root", "no /sbin/init", "cannot be a root"),
    (GOT + " +dhcp +fetch +failed:b1:the_image_does_not_match_its_SHA-256_aa", "verify", "does not match", "diskless"),
    (UP + " @2000 discover discover discover discover", "lease", "asked 4 times, got no offer", MAC),
    (GOT + " +failed:b1:eth0:_no_link", "dhcp", "no link", "cable"),
    (GOT + " +dhcp +fetch +verify +failed:b1:odd", "root", "odd", "console"),
    (GOT + " +failed", "dhcp", "no message", "console"),
    (GOT + " +dhcp +fetch +failed:b1:sha256_mismatch @2000 " + LEASE, "verify",
     "it booted again (reached: lease) after: sha256 mismatch",
     "diskless"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "missing", "reason", "remedy"), MISSING)
def test_the_step_that_is_missing(script: str, missing: str, reason: str, remedy: str) -> None:
    found = row(script) if script else report([NODE], Timeline([NODE]))["node31"]
    assert not found["up"]
    assert found["missing"] == missing, found["line"]
    assert reason in found["reason"] and remedy in found["remedy"], found["line"]
    assert found["line"].startswith("node31: no %s: " % missing)


def test_a_recorded_rack() -> None:
    """Three nodes at once; each system asks for its address two seconds after it reported itself up."""
    nodes = [NODE, OTHER, {"name": "node33", "mac": "52:54:00:0a:01:21", "ip": "10.0.1.33", "node_id": 3}]
    timeline = Timeline(nodes)
    logs = {"dhcp": "rack-journal.txt", "http": "rack-boot.log", "phone": "rack-phone-home.log"}
    events = [event for kind, name in logs.items() for event in parse_lines(kind, (GOLDEN / name).open())]
    timeline.feed(sorted(events, key=lambda event: event.when))
    rows = report(nodes, timeline)
    assert [found["line"] for found in rows.values()] == [
        "node31: dhcp 0.0 s, stage1 29.0 s, image 14.4 s, up 60.2 s",
        "node32: dhcp 0.0 s, stage1 25.8 s, image 15.3 s, up 58.8 s",
        "node33: dhcp 0.3 s, stage1 27.7 s, image 13.9 s, up 60.2 s",
    ]
    assert {found["image"] for found in rows.values()} == {"d9cf50459bf0"}
    assert len({found["host_key"] for found in rows.values()}) == 3
    assert not timeline.unknown


def test_a_file_that_was_absent_once_and_is_there_now_is_forgotten() -> None:
    found = row(LEASE + " get:pxelinux.0 get:%s get:vmlinuz nak get:vmlinuz" % CFG)
    assert (found["missing"], found["reason"]) == ("stage1", "it has the kernel but took no stage1")


def test_a_stranger_is_named_for_a_node_that_was_never_seen() -> None:
    timeline = Timeline([NODE])
    timeline.feed(Event(1.0 + n, "dhcp", "discover", "aa:aa:aa:aa:aa:%02x" % (n % 100)) for n in range(300))
    assert len(timeline.unknown) == 64 and timeline.unknown["aa:aa:aa:aa:aa:00"] == 3
    assert "aa:aa:aa:aa:aa:00, aa:aa:aa:aa:aa:01" in report([NODE], timeline)["node31"]["reason"]


def test_a_node_is_known_by_a_pool_address_by_the_name_it_phones_and_by_the_file_it_asks_for() -> None:
    timeline = Timeline([NODE, OTHER])
    timeline.feed([
        Event(1, "dhcp", "ack", MAC, "10.0.1.100"),
        Event(2, "tftp", "get", ip="10.0.1.100", text="pxelinux.0"),
        Event(3, "http", "get", ip="10.9.9.9", text="/ipxe/01-52-54-00-0a-01-20.ipxe", status=200),
        Event(4, "phone", "dhcp", ip="10.9.9.8", info={"node": "node32"}),
        Event(5, "phone", "dhcp", ip="10.9.9.8", info={"node": "nobody"}),
    ])  # fmt: skip
    rows = report([NODE, OTHER], timeline)
    assert (rows["node31"]["reached"], rows["node31"]["address"]) == ("loader", "10.0.1.100")
    assert rows["node32"]["reached"] == "dhcp"


def test_a_node_that_is_up_and_asks_again_much_later_is_noted() -> None:
    assert row(UP + " discover ack")["note"] == ""
    found = row(UP + " " + RESET)
    assert found["up"] and found["line"].endswith("up 14.0 s" + found["note"])
    assert found["note"].startswith(" (asked for an address again 986 s after that")
    assert row("%s %s @3000 request ack +up:b1" % (UP, RESET))["note"] == ""


def test_the_host_key_comes_with_the_last_stage() -> None:
    assert row("+up:b1:ssh-ed25519_AAAA")["host_key"] == "ssh-ed25519 AAAA"
    assert row("+up:b1:hello")["host_key"] == row("+failed:b1:ssh-x")["host_key"] == ""


def test_the_table_is_aligned_and_sorted() -> None:
    rows = report([OTHER, NODE], run(UP))
    assert table(rows) == [
        "node    state   version  dhcp  stage1  image  total  missing",
        "node31  up      abc      3.0   6.0     4.0    14.0",
        "node32  unseen  -        -     -       -      -      lease: it asked for no address",
    ]


def test_having_reached_a_stage() -> None:
    up, stuck, failed = row(UP), row(GOT), row(GOT + " +dhcp +fetch +failed:b1:sha256")
    assert [has_reached(up, stage) for stage in STAGES] == [True] * len(STAGES)
    assert has_reached(stuck, "stage1") and not has_reached(stuck, "dhcp")
    assert has_reached(failed, "fetch") and not has_reached(failed, "up")


WORDS = [
    *("discover", "offer", "ack", "refused:no", "decline", "get:pxelinux.0", "get:" + CFG, "get:pxelinux.cfg/default"),
    *("nak", "200:" + IPXE, "404:" + KERNEL, "200:" + KERNEL, "200:" + STAGE1, "200:" + ROOTFS, "404:" + ROOTFS),
    *("+%s:%s" % (stage, boot) for stage in PHONE_STAGES for boot in ("b1", "b2")),
]


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([0, 0.5, 5, 100])), max_size=40))
def test_any_order_of_events_gives_a_sound_row(script: list[tuple[str, float]]) -> None:
    timeline, now, events = Timeline([NODE]), 1000.0, []
    for word, step in script:
        now += step
        events.append(make(now, word))
    timeline.feed(events)
    found = report([NODE], timeline)["node31"]
    assert found["up"] == (found["state"] == "up") == (not found["missing"])
    assert found["up"] or (found["missing"] in RANK and found["reason"] and found["remedy"])
    assert all(seconds >= 0 for seconds in found["stages"].values())
    assert list(found["at"].values()) == sorted(found["at"].values())
    assert "\n" not in found["line"] and len(table({"node31": found})) == 2


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.integers(0, 30))
def test_feeding_in_two_parts_is_feeding_at_once(words: list[str], cut: int) -> None:
    events = [make(1000.0 + n, word) for n, word in enumerate(words)]
    whole, parts = Timeline([NODE]), Timeline([NODE])
    whole.feed(events)
    parts.feed(events[:cut])
    parts.feed(events[cut:])
    assert report([NODE], whole) == report([NODE], parts)
