# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log lines as events: tables of real forms, recorded files, and no input that raises."""

from __future__ import annotations

import collections
import json
import time
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.logs import (
    PARSERS,
    Event,
    normal_mac,
    parse_dhcp,
    parse_http,
    parse_lines,
    parse_phone,
    parse_tftp,
    stamped,
)
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[2] / "golden" / "timeline"
MAC = "52:54:00:0a:01:1f"
T = "1795253524.285836 head "
WHEN = 1795253524.285836
KEA = "WARN  [kea-dhcp4.leases/3.4] %%s [hwtype=1 %s], cid=[01:%s], tid=0xaa9b770: %%s" % (MAC, MAC)


def _golden(kind: str, name: str) -> list[Event]:
    return list(parse_lines(kind, (GOLDEN / name).read_text().splitlines()))


@pytest.mark.parametrize(
    ("message", "what", "mac", "ip", "text"),
    [
        ("DHCPDISCOVER from 52:54:00:0a:01:1f via eth1", "discover", MAC, "", ""),
        ("DHCPDISCOVER from 52:54:00:0a:01:1f (node31) via eth1", "discover", MAC, "", ""),
        ("7 DHCPDISCOVER(eth1) 52:54:00:0a:01:1f ", "discover", MAC, "", ""),
        ("DHCPDISCOVER(eth1) 10.0.1.9 52:54:00:0a:01:1f ", "discover", MAC, "10.0.1.9", ""),
        ("DHCPDISCOVER(eth1) 52:54:00:0a:01:1f no address available", "refused", MAC, "", "no address available"),
        ("DHCPOFFER(eth1) 10.0.1.31 52:54:00:0a:01:1f ", "offer", MAC, "10.0.1.31", ""),
        ("DHCPREQUEST(eth1) 10.0.1.31 52:54:00:0a:01:1f ", "request", MAC, "10.0.1.31", ""),
        ("DHCPACK(eth1) 10.0.1.31 52:54:00:0a:01:1f node31", "ack", MAC, "10.0.1.31", ""),
        ("DHCPNAK(eth1) 10.0.1.9 52:54:00:0a:01:1f wrong address", "nak", MAC, "10.0.1.9", "wrong address"),
        (KEA % ("DHCP4_LEASE_ADVERT", "lease 10.0.1.31 will be advertised"), "discover", MAC, "10.0.1.31", ""),
        (KEA % ("DHCP4_LEASE_ALLOC", "lease 10.0.1.31 has been allocated"), "ack", MAC, "10.0.1.31", ""),
        (
            KEA % ("ALLOC_ENGINE_V4_ALLOC_FAIL", "failed to allocate an IPv4 address after 1 attempt(s)"),
            "refused", MAC, "", "failed to allocate an IPv4 address after 1 attempt(s)",
        ),
        ("DHCPDISCOVER from 52:54:0:a:1:1f via eth1", "discover", MAC, "", ""),
        ("DHCPDISCOVER from 52:54:00:0A:01:1F via 10.0.2.1", "discover", MAC, "", ""),
        (
            "DHCPDISCOVER from 52:54:00:0a:01:1f via br0: network 10.0.1.0/24: no free leases",
            "refused", MAC, "", "network 10.0.1.0/24: no free leases",
        ),
        ("DHCPDISCOVER from 52:54:00:0a:01:1f via eth1: unknown client", "refused", MAC, "", "unknown client"),
        ("DHCPOFFER on 10.0.1.31 to 52:54:00:0a:01:1f via eth1", "offer", MAC, "10.0.1.31", ""),
        ("DHCPOFFER on 10.0.1.100 to 52:54:00:0a:01:1f (node31) via eth1", "offer", MAC, "10.0.1.100", ""),
        ("DHCPREQUEST for 10.0.1.31 (10.0.1.1) from 52:54:00:0a:01:1f via eth1", "request", MAC, "10.0.1.31", ""),
        ("DHCPREQUEST for 10.0.1.31 from 52:54:00:0a:01:1f (node31) via eth1", "request", MAC, "10.0.1.31", ""),
        (
            "DHCPREQUEST for 10.9.9.9 from 52:54:00:0a:01:1f via eth1: wrong network.",
            "refused", MAC, "10.9.9.9", "wrong network.",
        ),
        (
            "DHCPREQUEST for 10.0.1.99 (10.0.1.1) from 52:54:00:0a:01:1f via eth1: unknown lease 10.0.1.99.",
            "refused", MAC, "10.0.1.99", "unknown lease 10.0.1.99.",
        ),
        ("DHCPACK on 10.0.1.31 to 52:54:00:0a:01:1f via eth1", "ack", MAC, "10.0.1.31", ""),
        ("DHCPACK on 10.0.1.31 to 52:54:00:0a:01:1f (node31) via eth1", "ack", MAC, "10.0.1.31", ""),
        ("DHCPNAK on 10.9.9.9 to 52:54:00:0a:01:1f via eth1", "nak", MAC, "10.9.9.9", ""),
        ("DHCPDECLINE of 10.0.1.31 from 52:54:00:0a:01:1f (node31) via eth1: abandoned", "decline", MAC, "10.0.1.31",
         "abandoned"),
    ],
)  # fmt: skip
def test_a_dhcp_line(message: str, what: str, mac: str, ip: str, text: str) -> None:
    assert parse_dhcp(T + "dhcpd[412]: " + message) == Event(WHEN, "dhcp", what, mac, ip, text)


@pytest.mark.parametrize(
    "line",
    [
        "",
        T + "dhcpd[1]: DHCPACK to 10.0.1.31 (52:54:00:0a:01:1f) via eth1",  # the answer to an INFORM
        T + "dhcpd[1]: DHCPINFORM from 10.0.1.31 via eth1",
        T + "dhcpd[1]: DHCPRELEASE of 10.0.1.31 from 52:54:00:0a:01:1f via eth1 (found)",
        T + "dhcpd[1]: Listening on LPF/eth1/52:54:00:0a:01:01/10.0.1.0/24",
        "DHCPDISCOVER from 52:54:00:0a:01:1f via eth1",  # no stamp
        T + "7 tags: net1, known, pxe, bios, eth1",
        T + "DHCP, IP range 10.0.1.100 -- 10.0.1.199, lease time 10m",
        T + KEA % ("ALLOC_ENGINE_V4_ALLOC_FAIL_CLASSES", "failed"),
        T + KEA % ("DHCP4_LEASE_QUERY", "lease 10.0.1.31 is"),
        T + "dhcpd[1]: DHCPDISCOVER from 52:54:00:0a:01 via eth1",
    ],
)
def test_a_dhcp_line_that_says_nothing(line: str) -> None:
    assert parse_dhcp(line) is None


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ("RRQ from 10.0.1.31 filename pxelinux.0", Event(WHEN, "tftp", "get", ip="10.0.1.31", text="pxelinux.0")),
        ("RRQ from 10.0.1.31 filename a b.img", Event(WHEN, "tftp", "get", ip="10.0.1.31", text="a b.img")),
        ("RRQ from fd00::31 filename x", Event(WHEN, "tftp", "get", ip="fd00::31", text="x")),
        ("sending NAK (1, File not found) to 10.0.1.31", Event(WHEN, "tftp", "nak", ip="10.0.1.31",
                                                               text="File not found")),
        ("sending NAK (2, Only absolute filenames allowed) to 10.0.1.31",
         Event(WHEN, "tftp", "nak", ip="10.0.1.31", text="Only absolute filenames allowed")),
        ("client 10.0.1.31: read request refused", None),
        ("WRQ from 10.0.1.31 filename x", None),
        ("Client 10.0.1.31 timed out", None),
    ],
)  # fmt: skip
def test_a_tftp_line(message: str, event: Event | None) -> None:
    assert parse_tftp(T + "in.tftpd[99]: " + message) == event


def test_an_http_line() -> None:
    line = '1795253524.463 10.0.1.31 "GET /images/node/abc/stage1.img HTTP/1.1" 404 153 0.000'
    want = Event(1795253524.463, "http", "get", ip="10.0.1.31", text="/images/node/abc/stage1.img", status=404)
    assert parse_http(line) == want


@pytest.mark.parametrize(
    "line", ["", "-", "10.0.1.31 - - [x]", '1795253524.463 10.0.1.31 "GET / HTTP/1.1"', '1 x "" 200']
)
def test_an_http_line_that_says_nothing(line: str) -> None:
    assert parse_http(line) is None


def test_a_phone_line() -> None:
    query = "node=node31&id=1&boot=5f0c2a1e&uptime=12.34&mac=52-54-00-0A-01-1F&ip=10.0.1.31&image=3f1d&msg=a%20b%2C+c"
    event = parse_phone('1795253525.532 10.0.1.31 "GET /phone-home/failed?%s HTTP/1.1" 204' % query)
    assert event is not None
    assert event[:7] == (1795253525.532, "phone", "failed", MAC, "10.0.1.31", "a b, c", 0)
    assert (event.info["node"], event.info["boot"], event.info["image"]) == ("node31", "5f0c2a1e", "3f1d")


@pytest.mark.parametrize("path", ["/phone-home/", "/phone-home/reboot?node=a", "/phone-home/dhcp2", "", "/favicon.ico"])
def test_a_phone_line_of_no_known_stage(path: str) -> None:
    assert parse_phone('1795253525.532 10.0.1.31 "GET %s HTTP/1.1" 204' % path) is None


def test_a_message_keeps_no_control_characters_and_a_bounded_length() -> None:
    event = parse_phone(
        '1795253525.5 10.0.1.31 "GET /phone-home/failed?msg=%%1b[31mred%%0a%s HTTP/1.1" 204' % ("x" * 5000)
    )
    assert event is not None
    assert event.text.startswith("[31mred x") and len(event.text) <= 300


MESSAGE = "dhcpd[7]: DHCPDISCOVER from %s via eth1" % MAC
NOW = time.mktime((2027, 1, 2, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("1795253524 head " + MESSAGE, 1795253524.0),
        ("1795253524.285836 head " + MESSAGE, WHEN),
        ("2026-11-21T09:32:04.285836+00:00 head " + MESSAGE, WHEN),
        ("2026-11-21T10:32:04.285836+01:00 head " + MESSAGE, WHEN),
        ("2026-11-21T09:32:04Z head " + MESSAGE, 1795253524.0),
        ("2026-11-21T09:32:04.285836123+0000 head " + MESSAGE, WHEN),
        ("Jan  2 11:59:58 head " + MESSAGE, NOW - 2),
        ("<30>Jan  2 11:59:58 head " + MESSAGE, NOW - 2),
        ("Dec 31 23:59:00 head " + MESSAGE, time.mktime((2026, 12, 31, 23, 59, 0, 0, 0, -1))),
        (json.dumps({"__REALTIME_TIMESTAMP": "1795253524285836", "MESSAGE": MESSAGE}), WHEN),
        (json.dumps({"__REALTIME_TIMESTAMP": "1795253524285836", "MESSAGE": list(MESSAGE.encode())}), WHEN),
    ],
)
def test_every_stamp_is_understood(line: str, when: float) -> None:
    assert parse_dhcp(line, NOW) == Event(pytest.approx(when, abs=1e-3), "dhcp", "discover", MAC)


@pytest.mark.parametrize(
    "line",
    [
        "2026-13-41T09:32:04+00:00 head x",
        "0001-01-01T00:00:00+14:00 head x",
        "Xyz 12 09:32:04 head x",
        "Feb 31 99:99:99 head x",
        "{",
        "{}",
        "[" * 5000,
        "{" + '"a":{' * 5000,
        '{"__REALTIME_TIMESTAMP": "x", "MESSAGE": "DHCP"}',
        '{"__REALTIME_TIMESTAMP": "1", "MESSAGE": {}}',
        '{"__REALTIME_TIMESTAMP": "1", "MESSAGE": [999]}',
        '{"__REALTIME_TIMESTAMP": 1e999, "MESSAGE": "DHCP"}',
    ],
)
def test_a_broken_stamp_gives_nothing(line: str) -> None:
    assert stamped(line, NOW) is None or line.startswith("Feb")


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("52:54:00:0A:01:1F", MAC),
        ("52-54-0-a-1-1f", MAC),
        ("", ""),
        ("52:54:00:0a:01", ""),
        ("525400 0a011f", ""),
        ("zz:54:00:0a:01:1f", ""),
        (MAC + "\n", ""),
    ],
)
def test_a_mac_is_normal_or_empty(text: str, mac: str) -> None:
    assert normal_mac(text) == mac


def test_the_recorded_journal() -> None:
    dhcp = _golden("dhcp", "journal-short-unix.txt")
    assert collections.Counter(event.what for event in dhcp) == {
        "discover": 3, "offer": 3, "request": 3, "ack": 3, "refused": 4,
    }  # fmt: skip
    tftp = _golden("tftp", "journal-short-unix.txt")
    assert [event.text for event in tftp][:2] == ["pxelinux.0", "ldlinux.c32"] and len(tftp) == 8


def test_the_recorded_journal_with_refusals() -> None:
    tftp = _golden("tftp", "journal-vv-short-unix.txt")
    assert [(event.what, event.text) for event in tftp] == [
        ("get", "pxelinux.0"),
        ("get", "missing.img"),
        ("nak", "File not found"),
        ("get", "a b.img"),
        ("nak", "File not found"),
    ]


def test_the_recorded_nginx_logs() -> None:
    http = _golden("http", "nginx-boot.log")
    assert [event.status for event in http] == [200, 200, 404, 200, 200, 400]
    phone = _golden("phone", "nginx-phone-home.log")
    assert [event.what for event in phone] == ["dhcp", "fetch", "verify", "root", "up", "failed"]
    assert phone[-1].text == "needs 700 MB, have 512 MB"


PIECES = st.sampled_from(
    ["1795253524.5 ", "Nov 21 09:32:04 ", "2026-11-21T09:32:04Z ", "{", '"', "DHCP", "DHCPACK on ", "10.0.1.31",
     " to ", MAC, " via eth1", "RRQ from ", " filename ", "NAK", "GET /phone-home/up?", "node=%ff%", "&&=",
     " HTTP/1.1\" 204", "\0"]
)  # fmt: skip
LINES = st.one_of(st.text(max_size=80), st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=9).map("".join))


@given(LINES, st.floats(0, 4e9))
def test_no_line_raises(line: str, now: float) -> None:
    for parse in PARSERS.values():
        event = parse(line, now)
        assert event is None or (event.when >= -1e11 and event.kind in PARSERS)
