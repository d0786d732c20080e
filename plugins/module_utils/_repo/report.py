# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the media of a tree, as data and as text. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .._media.compress import decompress
from .._media.md5sum import md5, parse_md5sum
from .._media.options import MD5SUM, SYNTHESIS
from .._media.synthesis import parse_synthesis
from .._rpm import package as rpm
from .._rpm.header import Rpm, read_rpm
from .._rpm.signature import is_signed_by, signatures
from .._solve.duplicates import duplicates
from .._solve.installable import check
from .._solve.pool import Pool
from .gates import pool_of_folders
from .layout import BINARY, Layout, parse_layout

CHECKS = ("metadata", "signatures", "installable", "duplicates")
Params = t.Mapping[str, t.Any]
Row = t.Dict[str, t.Any]


def _folders(params: Params) -> dict[str, str]:
    """Media to look at: name to folder."""
    found = {path: path for path in params["paths"]}
    if params["tree"]:
        layout = parse_layout(params["tree"])
        if params["arch"] and params["arch"] not in layout.arches:
            raise ClusterError("arch: the tree has no %s" % params["arch"], "it has: %s" % ", ".join(layout.arches))
        wanted = ("SRPMS", params["arch"]) if params["arch"] else ("SRPMS", *layout.arches)
        found.update((one.rel, layout.path(one.rel)) for one in layout.folders() if one.arch in wanted)
    for path in found.values():
        if not os.path.isdir(path):
            raise ClusterError("%s is no folder" % path, "run rpm_publish or mirror.yml, or correct the path")
    return found


def _listed(folder: str, host: Host) -> tuple[set[str], list[str]]:
    """The NVRAs of the synthesis, and what is wrong with the media files."""
    place = os.path.join(folder, "media_info")
    told = []
    sums = host.read(os.path.join(place, MD5SUM))
    if sums is None:
        return set(), ["no media_info/MD5SUM"]
    names: set[str] = set()
    try:
        for name, digest in parse_md5sum(sums, MD5SUM).items():
            content = host.read(os.path.join(place, name))
            if content is None or md5(content) != digest:
                told.append("MD5SUM does not fit %s" % name if content is not None else "%s is missing" % name)
        text = decompress(host.read(os.path.join(place, SYNTHESIS)) or b"", SYNTHESIS, host)
        names = {record.nvra.decode("utf-8", "replace") for record in parse_synthesis(text, SYNTHESIS)}
    except ClusterError as error:
        told.append(error.message)
    return names, told


def _packages(folder: str) -> tuple[list[Rpm], list[str]]:
    found, bad = [], []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".rpm") and not name.startswith("."):
            try:
                found.append(read_rpm(os.path.join(folder, name)))
            except ClusterError as error:
                bad.append(error.message)
    return found, bad


def _metadata(names: set[str], packages: t.Iterable[Rpm], told: list[str]) -> list[str]:
    there = {rpm.nvra(one.header).decode("utf-8", "replace") for one in packages}
    lost = ["%s is in the metadata, its file is not there" % nvra for nvra in sorted(names - there)]
    return [*told, *lost, *("%s is not in the metadata" % nvra for nvra in sorted(there - names))]


def _signatures(packages: t.Iterable[Rpm], keys: t.Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Files without signature, and those of other keys with the key ids."""
    unsigned, foreign = [], {}
    for one in packages:
        found, name = signatures(one), os.path.basename(one.path)
        if not found:
            unsigned.append(name)
        elif keys and not any(is_signed_by(one, key) for key in keys):
            foreign[name] = ", ".join(sorted({signature.key_id for signature in found}))
    return unsigned, foreign


def _row(folder: str, params: Params, host: Host) -> Row:
    names, told = _listed(folder, host)
    packages, bad = _packages(folder)
    row: Row = {
        "packages": len(packages),
        "metadata": [],
        "unsigned": [],
        "foreign": {},
        "uninstallable": {},
        "older": {},
    }
    if "metadata" in params["checks"]:
        row["metadata"] = _metadata(names, packages, told) + bad
    if "signatures" in params["checks"]:
        row["unsigned"], row["foreign"] = _signatures(packages, params["keys"])
    return row


def _groups(params: Params, folders: t.Mapping[str, str]) -> list[dict[str, str]]:
    """Media that clients use together: those of an architecture; given folders are one group."""
    groups = [{name: folders[name] for name in params["paths"]}] if params["paths"] else []
    if params["tree"]:
        layout: Layout = parse_layout(params["tree"])
        for arch in layout.arches:
            mine = {one.rel for one in layout.of_arch(arch) if one.kind == BINARY}
            groups.append({name: path for name, path in folders.items() if name in mine})
    return [group for group in groups if group]


def _solved(pool: Pool, params: Params, rows: dict[str, Row], causes: dict[str, list[str]]) -> None:
    media = {str(package): package.medium for package in pool.packages}
    if "installable" in params["checks"]:
        report = check(pool)
        for one in report.broken:
            rows[one.medium or media[one.nvra]]["uninstallable"][one.nvra] = list(one.chain)
        for cause, names in report.causes().items():
            causes.setdefault(cause, []).extend(names)
    if "duplicates" in params["checks"]:
        for medium in sorted(set(media.values())):
            _older(Pool([one for one in pool.packages if one.medium == medium]), rows[medium])


def _older(pool: Pool, row: Row) -> None:
    """Builds of one medium that are older than another one of the same medium."""
    for key, found in duplicates(pool).items():
        row["older"][key] = {"newest": found.newest[0], "older": [nvra for nvra, _medium in found.older]}


def _count(row: Row) -> int:
    return sum(len(row[key]) for key in ("metadata", "unsigned", "foreign", "uninstallable", "older"))


def _line(name: str, row: Row) -> str:
    words = ["%d packages" % row["packages"]]
    for key, text in (
        ("metadata", "%d faults of the metadata"),
        ("unsigned", "%d unsigned"),
        ("foreign", "%d signed by others"),
        ("uninstallable", "%d not installable"),
        ("older", "%d with older builds"),
    ):
        words += [text % len(row[key])] if row[key] else []
    return "%s   %s" % (name, ", ".join(words))


def _details(name: str, row: Row) -> t.Iterator[str]:
    yield from ("%s: %s" % (name, line) for line in row["metadata"])
    yield from ("%s: %s is not signed" % (name, file) for file in row["unsigned"])
    yield from ("%s: %s is signed by %s" % (name, file, key) for file, key in sorted(row["foreign"].items()))
    for nvra, chain in sorted(row["uninstallable"].items()):
        yield "%s: %s: %s" % (name, nvra, "; ".join(chain))
    for _key, found in sorted(row["older"].items()):
        yield "%s: %s is there, and older: %s" % (name, found["newest"], ", ".join(found["older"]))


def run_check(params: Params, host: Host) -> dict[str, t.Any]:
    """The findings in Ansible's form."""
    folders = _folders(params)
    rows = {name: _row(path, params, host) for name, path in folders.items()}
    causes: dict[str, list[str]] = {}
    if {"installable", "duplicates"} & set(params["checks"]):
        for group in _groups(params, folders):
            whole = {name: path for name, path in group.items() if _readable(path, host)}
            _solved(pool_of_folders(whole, host, {}), params, rows, causes)
    problems = sum(_count(row) for row in rows.values())
    report = [_line(name, row) for name, row in rows.items()]
    report += [line for name, row in rows.items() for line in _details(name, row)]
    return {
        "changed": False,
        "media": dict(sorted(rows.items())),
        "causes": {cause: sorted(names) for cause, names in sorted(causes.items())},
        "problems": problems,
        "report": [*report, "%d problems" % problems if problems else "no problems"],
    }


def _readable(path: str, host: Host) -> bool:
    """A synthesis that does not parse is among the findings already."""
    try:
        parse_synthesis(decompress(host.read(os.path.join(path, "media_info", SYNTHESIS)) or b"", path, host), path)
        return True
    except ClusterError:
        return False
