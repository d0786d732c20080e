# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All guests of a call as one plan: files, links, steps in their order, and what is told of each. Private."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, diff_files, plan_files
from .._host.host import File, Host
from .boot import is_dom0
from .checks import check_clashes, check_memory, check_paths, check_targets, with_disks
from .facts import of_live
from .plan import plan_guest
from .ready import check_addresses
from .steps import KINDS, Guest, Step
from .wish import Entry, Settings, resolve
from .xl import Dom0, read_dom0

_SECRET = re.compile(r'^(vncpasswd = )".*"$', re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """``links``: path to target, empty to remove; ``files`` are written before, removed after the steps."""

    guests: tuple[Guest, ...]
    files: FilePlan
    links: t.Mapping[str, str]

    def steps(self) -> t.Iterator[tuple[Guest, Step]]:
        """Every step in the order in which it is done."""
        for kind in KINDS:
            yield from ((guest, step) for guest in self.guests for step in guest.steps if step.kind == kind)

    @property
    def changed(self) -> bool:
        return self.files.changed or bool(self.links) or any(guest.steps for guest in self.guests)

    def actions(self) -> list[list[str]]:
        return [list(step.argv) for _guest, step in self.steps()]

    def warnings(self) -> list[str]:
        return [line for guest in self.guests for line in guest.warnings]


def _link(guest: Guest, host: Host, settings: Settings) -> t.Iterator[tuple[str, str]]:
    """The link that starts a guest with its host, when it has to change."""
    path = os.path.join(settings.autostart_dir, guest.name + ".cfg")
    wanted = False if guest.wish.state == "absent" else guest.wish.autostart
    if wanted is None or path == guest.wish.path:
        return
    now = host.readlink(path)
    if wanted and guest.new is None:
        raise ClusterError(
            "%s cannot start with the host: it has no file %s" % (guest.what, guest.wish.path), "describe it"
        )
    if wanted and now != guest.wish.path:
        yield path, guest.wish.path
    if not wanted and now is not None:
        yield path, ""


def _files(guests: t.Sequence[Guest], host: Host) -> FilePlan:
    # A file may hold the password of a console.
    texts = {guest.wish.path: File(guest.text.encode(), 0o600) for guest in guests if guest.text is not None}
    gone = [guest.wish.path for guest in guests if guest.wish.state == "absent" and guest.exists]
    return plan_files(host, texts, [*texts, *gone])


def needs_xl(entries: t.Iterable[Entry]) -> bool:
    """Whether an entry asks for more than a file."""
    return any((entry.get("state") or "running") != "present" for entry in entries)


def plan(entries: t.Sequence[Entry], settings: Settings, host: Host) -> Plan:
    """Everything that has to be done; asks xl twice for any number of guests. ClusterError comes before any change."""
    dom0 = Dom0()
    if needs_xl(entries):
        if not is_dom0(host):
            raise ClusterError(
                "this machine is no Xen dom0", "make it one with the role xen_dom0, and boot it into Xen"
            )
        dom0 = read_dom0(host)
    guests = [plan_guest(wish, dom0, host, settings) for wish in resolve(entries, settings, host, dom0)]
    check_paths(guests)
    check_clashes(guests, dom0)
    check_targets(guests, host)
    check_addresses(guests, settings)
    guests = with_disks(guests, host)
    check_memory(guests, host)
    links = dict(pair for guest in guests for pair in _link(guest, host, settings))
    return Plan(tuple(guests), _files(guests, host), links)


def _masked(text: str) -> str:
    return _SECRET.sub(r'\1"(hidden)"', text)


def diff(plan: Plan) -> list[dict[str, str]]:
    """Ansible's diff: files, without passwords, and what changes of the guests."""
    found = [{key: _masked(text) for key, text in entry.items()} for entry in diff_files(plan.files)]
    for guest in plan.guests:
        before, after = _state_lines(guest)
        if before != after:
            title = "guest %s" % guest.name
            found.append({"before_header": title, "after_header": title, "before": before, "after": after})
    for path, target in sorted(plan.links.items()):
        shown = {"before": "" if target else "link\n", "after": "link to %s\n" % target if target else ""}
        found.append({"before_header": path, "after_header": path, **shown})
    return found


def _state_lines(guest: Guest) -> tuple[str, str]:
    if guest.wish.state == "present":
        return "", ""
    before, after = ["state: %s" % guest.before], ["state: %s" % guest.after]
    after += ["%s" % " ".join(argv) for _option, argv in guest.changes.hot]
    again = [step.kind for step in guest.steps if step.kind in ("create", "reboot", "trigger", "restore")]
    if again and guest.before == guest.after:
        after.append("started anew")
    return "\n".join(before) + "\n", "\n".join(after) + "\n"


def _done(guest: Guest) -> list[str]:
    return list(dict.fromkeys(step.kind for step in guest.steps))


def _cards(guest: Guest) -> list[str]:
    from_live = of_live(guest.live.config).cards if guest.live and guest.live.config else ()
    rows = guest.new.values.get("vif", []) if guest.new else []
    cards = [re.search(r"mac=([^,]+)", str(row)) for row in (rows if isinstance(rows, list) else [rows])]
    return [found.group(1) for found in cards if found] or [card["mac"] for card in from_live]


def results(plan: Plan, settings: Settings) -> dict[str, dict[str, t.Any]]:
    """What is told of each guest, by name."""
    return {guest.name: _result(plan, guest, settings) for guest in sorted(plan.guests, key=lambda one: one.name)}


def _result(plan: Plan, guest: Guest, settings: Settings) -> dict[str, t.Any]:
    uuid = str(guest.new.values.get("uuid") or "") if guest.new else ""
    link = os.path.join(settings.autostart_dir, guest.name + ".cfg")
    config = guest.wish.path in plan.files.paths
    restarted = bool(guest.changes.restart) and guest.does("create")
    # Nobody asked whether it runs.
    told = "present" if guest.wish.state == "present" else ""
    return {
        "before": told or guest.before,
        "state": told or guest.after,
        "path": guest.wish.path,
        "uuid": uuid or (guest.live.uuid if guest.live else ""),
        "macs": _cards(guest),
        "changed": bool(guest.steps) or config or link in plan.links,
        "config_changed": config,
        "done": _done(guest),
        "changes": sorted({option for option, _argv in guest.changes.hot}),
        "needs_restart": [] if restarted else list(guest.changes.restart),
        "restarted_for": list(guest.changes.restart) if restarted else [],
    }
