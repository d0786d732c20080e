# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is a mirror alive, and how old is what it has? This module util is private to the collection."""

from __future__ import annotations

import calendar
import http.client
import re
import socket
import time
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .model import Mirror, MirrorList

LARGEST = 1 << 20
# A mirror whose clock or source is ahead by more than this is as wrong as one that is late.
AHEAD = 3600
_STAMP = re.compile(r"\s*(\d{9,11})\b")
_ISO = re.compile(r"\s*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(Z|\+00:00)")
_SECTION = re.compile(rb"(?m)^\[(?!media_info\])[^\]\r\n]+\]")


class Unreachable(Exception):
    """A file was not delivered; the text says why."""


Fetch = t.Callable[[str, float], bytes]


@dataclass(frozen=True)
class Probe:
    """What was found: ``reason`` is empty for a mirror that is good; ``age`` in seconds where it is known."""

    reason: str = ""
    age: int | None = None


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return "status %d" % error.code
    cause = getattr(error, "reason", None)
    if isinstance(cause, BaseException):
        return _reason(cause)
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(cause or error) or type(error).__name__


def fetch(url: str, timeout: float) -> bytes:
    """A small file by HTTP, whole within ``timeout`` seconds however slowly it drips; Unreachable says why not."""
    end = time.monotonic() + timeout
    request = urllib.request.Request(url, headers={"User-Agent": "xtreemos-mirror-check", "Cache-Control": "no-cache"})
    content = b""
    try:
        with urllib.request.build_opener().open(request, timeout=timeout) as answer:
            while True:
                block = answer.read1(65536)
                if not block:
                    break
                content += block
                if len(content) > LARGEST:
                    raise Unreachable("it is larger than %d bytes" % LARGEST)
                if time.monotonic() > end:
                    raise Unreachable("no answer in time")
            missing = answer.length
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unreachable(_reason(error))
    if missing:
        raise Unreachable("the answer broke off")
    return content


def read_stamp(text: str) -> int | None:
    """Seconds since 1970 of a timestamp file (a number, or a time of UTC in the form of ISO 8601), or None."""
    number = _STAMP.match(text)
    if number:
        return int(number.group(1))
    moment = _ISO.match(text)
    if not moment:
        return None
    try:
        return calendar.timegm(time.strptime(moment.group(1), "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None


@dataclass(frozen=True)
class Prober:
    """How mirrors are asked: seconds, ``tries`` per file, and where bytes and time come from."""

    max_age: int
    timeout: float = 10.0
    tries: int = 2
    fetch: Fetch = fetch
    now: t.Callable[[], float] = time.time

    def get(self, url: str) -> bytes:
        """A file, asked for several times where asking again may help."""
        for left in range(self.tries - 1, -1, -1):
            try:
                return self.fetch(url, self.timeout)
            except Unreachable as error:
                if not left or str(error) in ("status 404", "status 403", "status 410"):
                    raise
        raise Unreachable("never asked")

    def probe(self, wanted: MirrorList, mirror: Mirror) -> Probe:
        """One mirror for one list: media.cfg is one, and the timestamp is young enough."""
        what = "media.cfg"
        try:
            if not _SECTION.search(self.get(wanted.url(mirror) + "/media/media_info/media.cfg")):
                return Probe("media.cfg names no medium")
            what = "timestamp"
            stamp = read_stamp(self.get(wanted.base(mirror) + "/timestamp").decode("utf-8", "replace"))
        except Unreachable as error:
            return Probe("%s: %s" % (what, error))
        if stamp is None:
            return Probe("timestamp: it holds no time")
        age = int(self.now()) - stamp
        if age > self.max_age:
            return Probe("timestamp: %s old, the limit is %s" % (span(age), span(self.max_age)), age)
        return Probe("timestamp: it is %s ahead" % span(-age) if age < -AHEAD else "", age)

    def all(
        self, lists: t.Sequence[MirrorList], mirrors: t.Sequence[Mirror], jobs: int = 16
    ) -> dict[str, dict[str, Probe]]:
        """Every mirror for every list, side by side: file of the list to URL of the mirror to what was found."""
        pairs = [(wanted, mirror) for wanted in lists for mirror in mirrors]
        with ThreadPoolExecutor(max_workers=max(1, min(jobs, len(pairs)))) as pool:
            found = list(pool.map(lambda pair: self.probe(*pair), pairs))
        result: dict[str, dict[str, Probe]] = {wanted.dest: {} for wanted in lists}
        for (wanted, mirror), probe in zip(pairs, found):
            result[wanted.dest][mirror.url] = probe
        return result


def span(seconds: int) -> str:
    """A length of time for people."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return "%d %s" % (seconds // size, unit)
    return "%d seconds" % seconds
