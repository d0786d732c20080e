# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user asks for, guest by guest: which guest, which file, which state. Private to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.host import Host
from .address import parse
from .enumerate import scan
from .guest import check_name, describes
from .inventory import merge
from .live import record
from .record import Record, select
from .xl import Dom0
from .xm import imported

STATES = (
    "present", "running", "stopped", "absent", "paused", "saved", "restored", "resumed", "rebooted", "reset",
    "migrated",
)  # fmt: skip
# States that a guest can be brought to by any address; the others describe it under its name.
_ALL = ("stopped", "saved")
_WRITES_FILE = ("present", "running", "paused", "stopped", "rebooted", "reset", "restored", "resumed")

Entry = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Settings:
    """What holds for all guests of a call. Times in seconds."""

    config_dir: str = "/etc/xen"
    autostart_dir: str = "/etc/xen/auto"
    save_dir: str = "/var/lib/xen/save"
    search_paths: tuple[str, ...] = ("/etc/xen",)
    vmstate: tuple[str, ...] = ("ALL",)
    match: str = "unique"
    restart: bool = False
    wait: str = "none"
    wait_timeout: int = 300
    home: str = "~"
    pm: str = ""
    seed: str = ""


@dataclass(frozen=True)
class Wish:
    """One guest and its wanted state; ``entry`` has the options that describe it, when ``described``."""

    name: str
    state: str
    path: str
    save_file: str
    entry: Entry = field(default_factory=dict)
    described: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def autostart(self) -> bool | None:
        return t.cast("t.Optional[bool]", self.entry.get("autostart"))

    @property
    def timeout(self) -> int:
        given = self.entry.get("timeout")
        return 60 if given is None else int(given)

    @property
    def force(self) -> bool:
        return bool(self.entry.get("force"))

    @property
    def target(self) -> str:
        return str(self.entry.get("target") or "")


def _absolute(path: str, what: str) -> str:
    if not path.startswith("/") or "\n" in path or ".." in path.split("/"):
        raise ClusterError("%s: %r is no absolute path" % (what, path), "write the whole path")
    return path


def _make(name: str, entry: Entry, settings: Settings, path: str = "", warnings: t.Sequence[str] = ()) -> Wish:
    what = "guest %s" % check_name(name)
    state = str(entry.get("state") or "running")
    if state not in STATES:
        raise ClusterError("%s: there is no state %s" % (what, state), "one of %s" % " ".join(STATES))
    described = describes(entry)
    if described and state not in _WRITES_FILE:
        raise ClusterError("%s: a guest that is %s is not described" % (what, state), "give only its name and state")
    if bool(entry.get("target")) != (state == "migrated"):
        raise ClusterError("%s: target and state migrated go together" % what, "set both, or none")
    path = _absolute(str(entry.get("path") or path or os.path.join(settings.config_dir, name + ".cfg")), what)
    save = str(entry.get("save_file") or os.path.join(settings.save_dir, name + ".save"))
    return Wish(name, state, path, _absolute(save, what), entry, described, tuple(warnings))


def _records(settings: Settings, host: Host, dom0: Dom0) -> list[Record]:
    """Every guest that an address can mean: files with what runs merged in, and what runs without a file."""
    live = [record(one.row, one.config, settings.pm) for one in dom0.guests.values()]
    places = sorted({settings.config_dir, *settings.search_paths})
    return merge(scan(host, places, settings.vmstate, settings.pm)[0], live)


def _addressed(entry: Entry, records: t.Sequence[Record], settings: Settings, dom0: Dom0) -> t.Iterator[Wish]:
    address = parse(entry["address"], settings.home)
    if address.label and address.label.lower() in (dom0.own.lower(), "domain-0", "dom0"):
        check_name("Domain-0")
    if describes(entry) or entry.get("import_config"):
        raise ClusterError(
            "a guest that is named by the address %s is not described" % entry["address"], "describe it under its name"
        )
    for found in select(address, records, settings.match):
        yield _make(str(found.get("label") or ""), entry, settings, str(found.get("id") or ""))


def _named(entry: Entry, settings: Settings, host: Host, dom0: Dom0) -> t.Iterator[Wish]:
    name = str(entry.get("name") or "")
    if name == dom0.own:
        check_name("Domain-0")
    if name == "*":
        if entry.get("state") not in _ALL or describes(entry):
            raise ClusterError("the name * is for the states %s only" % " and ".join(_ALL), "name the guests")
        yield from (_make(one, {**entry, "path": None, "save_file": None}, settings) for one in sorted(dom0.guests))
    elif entry.get("import_config"):
        merged, warnings = imported(host, entry)
        yield _make(str(merged["name"]), merged, settings, warnings=warnings)
    else:
        yield _make(name, entry, settings)


def _once(wishes: t.Sequence[Wish], all_matches: bool) -> list[Wish]:
    found: dict[str, Wish] = {}
    for wish in wishes:
        if wish.name in found and not (all_matches and wish.entry.get("address") is not None):
            raise ClusterError("guest %s is given twice" % wish.name, "keep one entry for each guest")
        found.setdefault(wish.name, wish)
    return list(found.values())


def resolve(entries: t.Iterable[Entry], settings: Settings, host: Host, dom0: Dom0) -> list[Wish]:
    """A wish for each guest that is meant, in the order of ``entries``; ClusterError names the entry.

    Files are searched at most once, and only when an entry has an address.
    """
    wishes: list[Wish] = []
    records: list[Record] | None = None
    for entry in entries:
        named, addressed = bool(entry.get("name")), entry.get("address") is not None
        if addressed == (named or bool(entry.get("import_config"))):
            raise ClusterError("an entry needs either a name or an address", "give one of them: %s" % _shown(entry))
        if addressed:
            records = _records(settings, host, dom0) if records is None else records
            wishes += _addressed(entry, records, settings, dom0)
        else:
            wishes += _named(entry, settings, host, dom0)
    return _once(wishes, settings.match == "all")


def _shown(entry: Entry) -> str:
    return ", ".join("%s=%s" % pair for pair in sorted(entry.items()) if pair[1] is not None) or "the entry is empty"
