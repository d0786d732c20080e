# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of the boot server's logs as events. This module util is private to the collection.

Every parser is total: a line that says nothing about a boot gives None, no line raises.
Formats: ISC dhcpd 4.4, dnsmasq 2.90, Kea 2.2 and tftp-hpa 5.2 as they write to syslog, read through
``journalctl -o short-unix`` or ``-o json`` or from a syslog file (RFC 3339 or classic stamps); the nginx logs in the
formats of role pxe_server: ``$msec $remote_addr "$request" $status ...``.
"""

from __future__ import annotations

import datetime
import json
import re
import time
import typing as t
import urllib.parse

KINDS = ("dhcp", "tftp", "http", "phone")
PHONE_STAGES = ("dhcp", "fetch", "verify", "root", "up", "failed")
_TEXT_MAX = 300


class Event(t.NamedTuple):
    """One thing that happened. ``when`` is seconds since the epoch; unknown texts are empty.

    ``what`` is discover/offer/request/ack/nak/decline/refused (dhcp), get/nak (tftp), get (http, ``status`` set) or
    the stage (phone, ``info`` holds the query). ``text`` is the path, or the reason of a refusal.
    """

    when: float
    kind: str
    what: str
    mac: str = ""
    ip: str = ""
    text: str = ""
    status: int = 0
    info: t.Mapping[str, str] = {}


_UNIX = re.compile(r"(\d{9,11}(?:\.\d+)?) ", re.ASCII)
_RFC3339 = re.compile(r"(2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(Z|[+-]\d\d:?\d\d) ")
_CLASSIC = re.compile(r"(?:<\d+>)?([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ")
_MONTHS = {name: n for n, name in enumerate(re.findall("...", "JanFebMarAprMayJunJulAugSepOctNovDec"), 1)}
_OCTET = r"[0-9a-fA-F]{1,2}"
_MAC_TEXT = re.compile(r"%s(?:[:-]%s){5}" % (_OCTET, _OCTET))
_DHCP = re.compile(
    r"\bDHCP(DISCOVER|OFFER|REQUEST|ACK|NAK|DECLINE)(?: (?:on|for|of) ([0-9.]{7,15}))?(?: \([0-9.]+\))?"
    r" (?:from|to) (%s(?::%s){5})(?: \([^)]*\))?(?: via [^ :]+)?(?:: (.*))?" % (_OCTET, _OCTET)
)
# dnsmasq tells a name behind an answer, and a reason behind a request that it does not grant.
_DNSMASQ = re.compile(
    r"\bDHCP(DISCOVER|OFFER|REQUEST|ACK|NAK|DECLINE)\([^)]*\)(?: ([0-9.]{7,15}))? (%s(?::%s){5})(?: (.*))?"
    % (_OCTET, _OCTET)
)
# Kea tells of its decisions only: an offer stands for the question, too.
_KEA = re.compile(
    r"\b(DHCP4_LEASE_ADVERT|DHCP4_LEASE_ALLOC|ALLOC_ENGINE_V4_ALLOC_FAIL) \[hwtype=\d+ (%s(?::%s){5})\][^:]*?"
    r"(?:cid=\[[^\]]*\], )?tid=\w+: (.*)" % (_OCTET, _OCTET)
)
_KEA_LEASE = re.compile(r"lease ([0-9.]{7,15}) ")
_KEA_WHAT = {"DHCP4_LEASE_ADVERT": "discover", "DHCP4_LEASE_ALLOC": "ack", "ALLOC_ENGINE_V4_ALLOC_FAIL": "refused"}
_TFTP_GET = re.compile(r"\bRRQ from ([0-9a-fA-F.:]+) filename (.+)")
_TFTP_NAK = re.compile(r"\bsending NAK \(\d+, ([^)]*)\) to (\S+)")
_HTTP = re.compile(r'(\d{9,11}(?:\.\d+)?) (\S+) "(?:[A-Z]+ )?(\S*)[^"]*" (\d{3})')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def _clean(text: str) -> str:
    plain = text if text.isprintable() else _CONTROL.sub(" ", text)
    return plain[:_TEXT_MAX].strip()


def _classic_time(match: re.Match[str], now: float) -> float | None:
    """Classic stamps have no year: the latest year that does not lie in the future is meant."""
    month, day, hour, minute, second = match.groups()
    if month not in _MONTHS:
        return None
    year = time.localtime(now).tm_year
    for candidate in (year, year - 1):
        try:
            stamp = time.mktime((candidate, _MONTHS[month], int(day), int(hour), int(minute), int(second), 0, 0, -1))
        except (OverflowError, ValueError):
            continue
        if stamp <= now + 86400:
            return stamp
    return None


def _rfc3339_time(match: re.Match[str]) -> float | None:
    stamp, zone = match.groups()
    zone = "+0000" if zone == "Z" else zone.replace(":", "")
    form = "%Y-%m-%dT%H:%M:%S.%f%z" if "." in stamp else "%Y-%m-%dT%H:%M:%S%z"
    try:
        return datetime.datetime.strptime(stamp + zone, form).timestamp()
    except (ValueError, OverflowError):
        return None


def _from_json(line: str) -> tuple[float, str] | None:
    try:
        entry = json.loads(line)
        when = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        message = entry["MESSAGE"]
        if isinstance(message, list):
            message = bytes(message).decode("utf-8", "replace")
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    return (when, message) if isinstance(message, str) else None


def stamped(line: str, now: float) -> tuple[float, str] | None:
    """(seconds since the epoch, rest of the line) of a journal or syslog line; None without a stamp."""
    if line.startswith("{"):
        return _from_json(line)
    match = _UNIX.match(line)
    if match:
        return float(match.group(1)), line[match.end() :]
    match = _RFC3339.match(line)
    when = _rfc3339_time(match) if match else None
    if match is None:
        match = _CLASSIC.match(line)
        when = _classic_time(match, now) if match else None
    return None if match is None or when is None else (when, line[match.end() :])


def normal_mac(text: str) -> str:
    """The MAC with colons, lower case and two digits an octet (some writers drop leading zeros); "" when it is none."""
    if not _MAC_TEXT.fullmatch(text):
        return ""
    return ":".join(octet.zfill(2) for octet in text.lower().replace("-", ":").split(":"))


def parse_dhcp(line: str, now: float = 0.0) -> Event | None:
    """A DHCP line. A DISCOVER or REQUEST with a reason behind the last colon was refused by the server."""
    if "DHCP" not in line and "ALLOC_FAIL" not in line and not line.startswith("{"):
        return None
    found = stamped(line, now)
    if found is None:
        return None
    match = _DHCP.search(found[1]) or _DNSMASQ.search(found[1])
    if match is None:
        return _parse_kea(*found)
    what, ip, mac, why = match.groups("")
    # What dnsmasq writes behind an acknowledgement is a name.
    why = "" if what == "ACK" else _clean(why)
    refused = why and what in ("DISCOVER", "REQUEST")
    return Event(found[0], "dhcp", "refused" if refused else what.lower(), normal_mac(mac), ip, why)


def _parse_kea(when: float, text: str) -> Event | None:
    match = _KEA.search(text)
    if match is None:
        return None
    lease = _KEA_LEASE.search(match.group(3))
    why = "" if lease else _clean(match.group(3))
    return Event(
        when, "dhcp", _KEA_WHAT[match.group(1)], normal_mac(match.group(2)), lease.group(1) if lease else "", why
    )


def parse_tftp(line: str, now: float = 0.0) -> Event | None:
    """A line of in.tftpd: a read request, or the refusal of the last one (logged with ``--verbose`` twice)."""
    if "RRQ" not in line and "NAK" not in line and not line.startswith("{"):
        return None
    found = stamped(line, now)
    if found is None:
        return None
    match = _TFTP_GET.search(found[1])
    if match:
        return Event(found[0], "tftp", "get", ip=match.group(1), text=_clean(match.group(2)))
    match = _TFTP_NAK.search(found[1])
    return Event(found[0], "tftp", "nak", ip=match.group(2), text=_clean(match.group(1))) if match else None


def parse_http(line: str, now: float = 0.0) -> Event | None:
    """A line of the boot log; nginx writes it when the transfer has ended."""
    match = _HTTP.match(line)
    if match is None:
        return None
    when, ip, path, status = match.groups()
    return Event(float(when), "http", "get", ip=ip, text=_clean(path), status=int(status))


def parse_phone(line: str, now: float = 0.0) -> Event | None:
    """A line of the phone-home log; ``info`` has node, id, boot, uptime, mac, ip, image, msg as far as sent."""
    match = _HTTP.match(line)
    if match is None:
        return None
    when, ip, path, _status = match.groups()
    route, _mark, query = path.partition("?")
    what = route.rstrip("/").rpartition("/")[2]
    if what not in PHONE_STAGES:
        return None
    info: dict[str, str] = {}
    for pair in query.split("&")[:32]:
        key, _equals, value = pair.partition("=")
        info[key] = _clean(urllib.parse.unquote_plus(value) if "%" in value or "+" in value else value)
    mac = normal_mac(info.get("mac", ""))
    return Event(float(when), "phone", what, mac, ip, info.get("msg", ""), 0, info)


PARSERS: t.Mapping[str, t.Callable[[str, float], t.Optional[Event]]] = {
    "dhcp": parse_dhcp,
    "tftp": parse_tftp,
    "http": parse_http,
    "phone": parse_phone,
}


def parse_lines(kind: str, lines: t.Iterable[str], now: float = 0.0) -> t.Iterator[Event]:
    """The events of one log. ``now`` (epoch) resolves stamps without a year."""
    parse = PARSERS[kind]
    for line in lines:
        event = parse(line, now)
        if event is not None:
            yield event
