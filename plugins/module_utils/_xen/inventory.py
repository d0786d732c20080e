# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests as hosts of an inventory: names, variables, groups. This module util is private to the collection."""

from __future__ import annotations

import glob
import json
import os
import re
import typing as t

from .._host.errors import ClusterError
from .enumerate import check_states, state_fits
from .record import Record, entry

_GROUPS = (
    ("xen_dom0", "pm"),
    ("xen_state", "vmstate"),
    ("xen_run", "state"),
    ("xen_label", "label"),
    ("xen_dist", "dist"),
    ("xen_os", "dist"),
)


def _running(record: Record, live: t.Iterable[Record]) -> Record | None:
    """The live guest of a configuration file: by uuid when both have one, else by label."""
    uuid, label = record.get("uuid"), record.get("label")
    for one in live:
        if uuid and one.get("uuid"):
            if one["uuid"] == uuid:
                return one
        elif label and one.get("label") == label:
            return one
    return None


def merge(records: t.Iterable[Record], live: t.Iterable[Record]) -> list[Record]:
    """Records of files and of what runs on the same dom0 as one: a file's record gets ``state``, ``flags`` and ``pid``
    of its guest, or the state stopped; a guest without a file has its live record."""
    running, merged, used = list(live), [], set()
    for record in records:
        found = _running(record, running)
        now: Record = {"state": "stopped"}
        if found is not None:
            used.add(id(found))
            now = {key: found[key] for key in ("state", "flags", "pid") if key in found}
        merged.append({**record, **now})
    return [*merged, *(one for one in running if id(one) not in used)]


def read_records(text: str, path: str) -> list[Record]:
    """Records from JSON: a list, or the result of xen_domain_info with what runs merged in; ClusterError names the
    file."""
    hint = "write the result of xen_domain_info there"
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ClusterError("%s is no JSON: %s" % (path, error), hint)
    parts = found if isinstance(found, dict) else {"records": found}
    records, live = parts.get("records", []), parts.get("live")
    lists = [records] if live is None else [records, live]
    rows = all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in lists)
    if not rows or not {"records", "live"} & set(parts):
        raise ClusterError("%s holds no records of guests" % path, hint)
    return records if live is None else merge(records, live)


def _paths(words: t.Iterable[str], base: str) -> list[str]:
    names: list[str] = []
    for word in words:
        matching = sorted(glob.glob(os.path.join(base, word)))
        if not matching and not glob.has_magic(word):
            raise ClusterError("there is no file %s" % word, "write the result of xen_domain_info there")
        names += [name for name in matching if name not in names]
    return names


def read_files(words: t.Iterable[str], base: str) -> list[Record]:
    """Records from files or patterns of them, relative ones below ``base``; ClusterError names the file."""
    found: list[Record] = []
    for name in _paths(words, base):
        try:
            with open(name, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except OSError as error:
            raise ClusterError("cannot read %s: %s" % (name, error.strerror))
        found += read_records(text, name)
    return found


def groups(record: Record) -> list[str]:
    """Names of the groups of a guest; what is no letter, digit or underscore becomes one."""
    words = [(prefix, str(record.get(field) or "").lower()) for prefix, field in _GROUPS]
    return ["xen_guests", *(re.sub(r"[^a-z0-9_]", "_", "%s_%s" % pair) for pair in words if pair[1])]


def variables(record: Record) -> dict[str, t.Any]:
    """Variables of a guest, ``xen_<field>`` for what is known; its first address is where Ansible goes."""
    found = {"xen_%s" % key: value for key, value in record.items() if value not in ("", None)}
    return {**found, "ansible_host": record["tcp"]} if record.get("tcp") else found


def hosts(records: t.Iterable[Record], field: str = "label", states: t.Iterable[str] = ("ALL",)) -> dict[str, Record]:
    """Records by host name, those without a name left out; ClusterError for a name that two guests have."""
    wanted = check_states(states)
    found: dict[str, Record] = {}
    for record in records:
        name = str(record.get(field) or "")
        if not name or name == "Domain-0" or not state_fits(str(record.get("vmstate") or ""), wanted):
            continue
        if name in found:
            raise ClusterError(
                "two guests have the name %s: %s on %s and %s on %s"
                % (name, entry(found[name]), found[name].get("pm"), entry(record), record.get("pm")),
                "choose by vmstate, or name hosts by another field",
            )
        found[name] = record
    return dict(sorted(found.items()))
