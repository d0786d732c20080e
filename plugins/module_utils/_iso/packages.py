# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of package_set. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import json
import posixpath
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import apply_files, plan_files
from .._host.host import File, Host
from .choose import Policy, Wishes, make_plan
from .lists import Line, read_lists
from .lock import FORMAT, Lock, kickstart, parse_lock, render_lock
from .rpmsrate import parse_rpmsrate
from .sources import Source, read_sources, scan_sources

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]


def _sources(params: Params) -> list[Source]:
    found: list[Source] = []
    for one in params["sources"]:
        dest = one["dest"] or one["name"]
        if posixpath.normpath(dest) != dest or dest.startswith(("/", "..")) or dest == ".":
            raise ClusterError(
                "source %s: bad destination %r" % (one["name"], dest), "a folder below media, as in main"
            )
        if one["name"] in [other.name for other in found] or not one["name"]:
            raise ClusterError("source %r is there twice or has no name" % one["name"], "give each a name of its own")
        found.append(Source(one["name"], posixpath.normpath(one["path"]), dest, tuple(one["sections"])))
    if not found:
        raise ClusterError("there is no source", "name at least one folder of packages")
    return found


def _wishes(params: Params, host: Host) -> Wishes:
    lists = {"": read_lists(params["lists"], params["packages"], "packages", host)}
    excludes = {"": read_lists(params["exclude"], params["exclude_packages"], "exclude_packages", host)}
    for one in params["sources"]:
        option = "source %s" % one["name"]
        lists[one["name"]] = read_lists(one["lists"], one["packages"], option + ": packages", host)
        excludes[one["name"]] = read_lists(one["exclude"], one["exclude_packages"], option + ": exclude_packages", host)
    if any(line.rate is not None for lines in excludes.values() for line in lines):
        raise ClusterError("an exclude list names a category", "categories can only be asked for")
    data = host.read(params["rpmsrate"]) if params["rpmsrate"] else None
    if params["rpmsrate"] and data is None:
        raise ClusterError("rpmsrate: %s does not exist" % params["rpmsrate"], "check the path, or leave it out")
    rates = None if data is None else parse_rpmsrate(data, params["rpmsrate"])
    return Wishes(lists, excludes, read_lists(params["protect"], (), "protect", host), rates)


def _policy(params: Params) -> Policy:
    given = params["policy"] or {}
    words = {key: value for key, value in given.items() if value is not None and key != "prefer"}
    return Policy(prefer=tuple(given.get("prefer") or ()), **words)


def _lines(lines: t.Iterable[Line]) -> list[str]:
    return [str(line) for line in lines]


def _key(params: Params, wishes: Wishes, policy: Policy, rows: t.Iterable[tuple[Source, str, t.Any]]) -> str:
    """Digest of everything that the plan depends on. Of packages the marks are enough to notice another one."""
    told = {
        "format": FORMAT,
        "policy": repr(policy),
        "arches": sorted(params["arches"]),
        "lists": {name: _lines(lines) for name, lines in wishes.lists.items()},
        "excludes": {name: _lines(lines) for name, lines in wishes.excludes.items()},
        "protect": _lines(wishes.protect),
        "rates": None if wishes.rates is None else [row.text for row in wishes.rates],
        "files": [[repr(source), folder, one.file, one.size, one.mtime] for source, folder, one in rows],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _media(params: Params, sources: t.Sequence[Source]) -> list[dict[str, t.Any]]:
    """What the report tells of each source."""
    return [
        {
            "name": one["name"],
            "description": one["description"] or "%s media" % one["name"],
            "from": source.path,
            "sections": list(source.sections),
            "dest": source.dest,
            "lists": list(one["lists"]),
            "exclude": list(one["exclude"]),
        }
        for one, source in zip(params["sources"], sources)
    ]


def _before(path: str, host: Host) -> Lock | None:
    data = host.read(path)
    try:
        return None if data is None else parse_lock(data, path)
    except ClusterError:
        # A plan of another version is made anew.
        return None


def _shown(lock: Lock | None) -> str:
    if lock is None:
        return ""
    return "".join("%s/%s %d\n" % (dest, row.nvra, row.size) for dest, rows in lock.packages.items() for row in rows)


def _result(lock: Lock, changed: bool) -> Result:
    return {
        "changed": changed,
        "key": lock.key,
        "epoch": lock.epoch,
        "packages": {dest: [row.nvra for row in rows] for dest, rows in lock.packages.items()},
        "count": len(lock.rows),
        "size": sum(row.size for row in lock.rows),
        "skipped": lock.skipped,
        "excluded": lock.excluded,
        "choices": lock.choices,
        "broken": lock.broken,
        "notes": lock.notes,
    }


def run_package_set(params: Params, check_mode: bool, host: Host) -> Result:
    """Plan and, unless in check mode, write the lock file; the result in Ansible's form."""
    sources, wishes, policy = _sources(params), _wishes(params, host), _policy(params)
    rows = scan_sources(sources)
    key = _key(params, wishes, policy, rows)
    before = _before(params["lock"], host)
    lock = before if before and before.key == key else None
    if lock is None:
        lock = make_plan(read_sources(rows, frozenset(params["arches"])), wishes, policy, key)
    lock.media = _media(params, sources)
    files = {params["lock"]: File(render_lock(lock))}
    if params["kickstart"]:
        files[params["kickstart"]] = File(kickstart(lock))
    plan = plan_files(host, files)
    if not check_mode:
        apply_files(plan, host)
    shown = {"before": _shown(before), "after": _shown(lock)}
    heads = {"before_header": params["lock"], "after_header": params["lock"]}
    return {**_result(lock, plan.changed), "diff": [{**heads, **shown}] if plan.changed else [], "actions": []}
