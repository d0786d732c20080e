# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot server's logs as streams of events that can be read on. This module util is private to the collection."""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Host
from .logs import KINDS, Event, parse_lines

_BLOCK = 1 << 20
_LINE_MAX = 1 << 16
_JOURNAL_MAX = 500000
_CURSOR = "-- cursor: "


@dataclass(frozen=True)
class Log:
    """Where one kind of lines comes from: a file, or the journal by unit or by identifier (program name).

    ``identifier`` may name several programs, with commas: one call of journalctl reads them all.
    """

    kind: str
    path: str = ""
    unit: str = ""
    identifier: str = ""


# By identifier rather than unit: the programs' names are the same on every distribution, the units' are not.
DEFAULT_LOGS = (
    Log("dhcp", identifier="dhcpd,kea-dhcp4,dnsmasq-dhcp"),
    Log("tftp", identifier="in.tftpd"),
    Log("http", path="/var/log/nginx/boot.log"),
    Log("phone", path="/var/log/nginx/phone-home.log"),
)


def parse_logs(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Log, ...]:
    """Logs from mappings {kind, path|unit|identifier}; ClusterError for one without a place or with two."""
    logs = []
    for item in items:
        log = Log(str(item.get("kind")), *(str(item.get(key) or "") for key in ("path", "unit", "identifier")))
        if log.kind not in KINDS:
            raise ClusterError("unknown kind of log %r" % log.kind, "one of %s" % ", ".join(KINDS))
        if sum(map(bool, (log.path, log.unit, log.identifier))) != 1:
            raise ClusterError("the %s log needs exactly one of path, unit, identifier" % log.kind, "name one place")
        logs.append(log)
    return tuple(logs)


class FileTail:
    """The lines that a file has gained since the last call; it starts over when the file was rotated."""

    def __init__(self, host: Host, path: str) -> None:
        self._host, self._path = host, path
        self._offset = 0
        self._rest = b""
        self.trouble = ""

    def _read(self, offset: int, limit: int) -> bytes | None:
        try:
            return self._host.read_from(self._path, offset, limit)
        except OSError as error:
            raise ClusterError("cannot read %s: %s" % (self._path, error.strerror), "name a log file in logs")

    def lines(self) -> t.Iterator[str]:
        if self._offset and not self._read(self._offset - 1, 1):
            self._offset, self._rest = 0, b""
        while True:
            block = self._read(self._offset, _BLOCK)
            self.trouble = "%s does not exist" % self._path if block is None else ""
            if not block:
                return
            self._offset += len(block)
            *whole, rest = (self._rest + block).split(b"\n")
            self._rest = rest[:_LINE_MAX]
            for line in whole:
                yield line.decode("utf-8", "replace")


class JournalTail:
    """The entries that the journal has gained since the last call, ``since`` (epoch, 0: all) at first.

    The cursor is always that of an entry that matches: journalctl 252 loses the next entry behind any other.
    """

    def __init__(self, host: Host, log: Log, since: float) -> None:
        self._host = host
        names = [word for name in log.identifier.split(",") for word in ("-t", name)]
        self._match = ["-u", log.unit] if log.unit else names
        self._where = ["--since", "@%d" % since] if since else []
        self._name = log.unit or log.identifier
        self.trouble = ""

    def lines(self) -> t.Iterator[str]:
        argv = ["journalctl", "-q", "--no-pager", "-o", "short-unix", "--show-cursor", "-n", str(_JOURNAL_MAX)]
        if self._host.which("journalctl") is None:
            self.trouble = "no journalctl here for the lines of %s" % self._name
            return
        done = self._host.run([*argv, *self._match, *self._where], check=False, env={"SYSTEMD_COLORS": "0"})
        self.trouble = ""
        if done.rc and (done.rc != 1 or done.stderr.strip()):  # 1 and silence: no such lines yet
            self.trouble = "journalctl gives no lines of %s (exit code %d) %s" % (
                self._name,
                done.rc,
                done.stderr.strip()[:200],
            )
            return
        for line in done.stdout.splitlines():
            if line.startswith(_CURSOR):
                self._where = ["--after-cursor", line[len(_CURSOR) :]]
            else:
                yield line


class Sources:
    """All logs merged into one stream in the order of time."""

    def __init__(self, host: Host, logs: t.Sequence[Log], since: float = 0.0) -> None:
        self._tails = [
            (log.kind, FileTail(host, log.path) if log.path else JournalTail(host, log, since)) for log in logs
        ]
        self._held: list[Event] = []

    def events(self, now: float, until: float = float("inf")) -> t.Iterator[Event]:
        """The new events up to the moment ``until``; later ones are held back for the next call.

        The logs are read one after the other, so without that limit a line of the last could pass one of the first.
        """
        held, self._held = self._held, []
        streams = [parse_lines(kind, tail.lines(), now) for kind, tail in self._tails]
        for event in heapq.merge(held, *streams, key=lambda event: event.when):
            if event.when <= until:
                yield event
            else:
                self._held.append(event)

    @property
    def troubles(self) -> list[str]:
        """What could not be read at the last call."""
        return [tail.trouble for _kind, tail in self._tails if tail.trouble]
