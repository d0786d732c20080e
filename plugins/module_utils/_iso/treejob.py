# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of iso_tree: the packages of the plan and what stands above the media. Private to the collection."""

from __future__ import annotations

import hashlib
import os
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, diff_files, plan_files
from .._host.host import File, Host
from .._media.distrib import CFG, FILE_DEPS, parse_file_deps
from .._media.mediacfg import GLOBAL, parse_mediacfg, render_mediacfg
from .lock import Lock, parse_lock
from .rpmsrate import clean_rpmsrate, parse_rpmsrate, render_rpmsrate
from .tree import Log, TreePlan, apply_tree, check_sources, demand_space, plan_tree

Params = t.Mapping[str, t.Any]
RPMSRATE, COMPSS_USERS = "rpmsrate", "compssUsers.pl"
_KEYS = ("version", "branch", "arch", "product", "vendor", "distribution", "type", "release")


def read_plan(path: str, host: Host) -> Lock:
    data = host.read(path)
    if data is None:
        raise ClusterError("%s does not exist" % path, "run package_set first")
    return parse_lock(data, path)


def render_media_cfg(dests: t.Iterable[str], product: t.Mapping[str, t.Any], titles: t.Mapping[str, t.Any]) -> str:
    """media.cfg of the tree, without the sizes, which the module hdlist adds."""
    lines = ["[%s]" % GLOBAL, "mediacfg_version=2"]
    lines += ["%s=%s" % (key, product[key]) for key in _KEYS if product.get(key)]
    for dest in dests:
        name = str(titles.get(dest) or dest.replace("/", " ").capitalize())
        lines += ["", "[%s]" % dest, "name=%s" % name]
    if any("\n" in line or line.endswith("\\") for line in lines):
        raise ClusterError("a value of media.cfg has a line end", "write product and titles on one line each")
    return "\n".join(lines) + "\n"


def _media_cfg(path: str, lock: Lock, params: Params, host: Host) -> bytes:
    """The file with the sizes that are there already."""
    cfg = parse_mediacfg(render_media_cfg(lock.packages, params["product"] or {}, params["titles"] or {}))
    data = host.read(path)
    if data is not None:
        try:
            old = parse_mediacfg(data.decode("utf-8", "replace"), path)
        except ClusterError:
            old = parse_mediacfg("")
        for section in cfg.sections:
            size = old.raw(section, "size")
            cfg = cfg.set(section, "size", size) if size else cfg
    return render_mediacfg(cfg).encode()


def _given(params: Params, option: str, host: Host) -> bytes | None:
    if not params[option]:
        return None
    data = host.read(params[option])
    if data is None:
        raise ClusterError("%s: %s does not exist" % (option, params[option]), "check the path, or leave it out")
    return data


def _wanted(params: Params, lock: Lock, host: Host) -> dict[str, File]:
    """Files of ``media/media_info`` by path."""
    folder = os.path.join(params["path"], "media", "media_info")
    found = {CFG: _media_cfg(os.path.join(folder, CFG), lock, params, host)}
    rates = _given(params, "rpmsrate", host)
    if rates is not None:
        rows = parse_rpmsrate(rates, params["rpmsrate"])
        found[RPMSRATE] = render_rpmsrate(clean_rpmsrate(rows, lock.names))
    users = _given(params, "compss_users", host)
    if users is not None:
        found[COMPSS_USERS] = users
    deps = _given(params, "file_deps", host)
    if deps is not None:
        found[FILE_DEPS] = b"".join(path + b"\n" for path in sorted(parse_file_deps(deps)))
    return {os.path.join(folder, name): File(content) for name, content in found.items()}


def _result(
    params: Params, plan: TreePlan, files: FilePlan, wanted: t.Mapping[str, File], lock: Lock
) -> dict[str, t.Any]:
    rows = {dest: medium.row() for dest, medium in plan.media.items()}
    shown = [
        {
            "before_header": medium.folder,
            "after_header": medium.folder,
            "before": "".join("%s\n" % name for name in sorted([*medium.kept, *medium.remove, *medium.replaced])),
            "after": "".join("%s\n" % name for name in sorted([*medium.kept, *medium.bring])),
        }
        for medium in plan.media.values()
        if medium.changed
    ]
    return {
        "changed": plan.changed or files.changed,
        "media": rows,
        "files": files.paths,
        "checksums": {path: hashlib.sha256(file.content).hexdigest() for path, file in sorted(wanted.items())},
        "removed_media": plan.stale,
        "epoch": lock.epoch,
        "diff": shown + diff_files(files),
        "actions": [],
    }


def run_iso_tree(params: Params, check_mode: bool, host: Host, log: Log) -> dict[str, t.Any]:
    """Plan and, unless in check mode, make the tree; the result in Ansible's form."""
    if params["signed"] and params["transfer"] == "hardlink":
        raise ClusterError(
            "packages that are going to be signed cannot be hard links",
            "signing makes another file of each; use transfer: copy, which shares blocks where the file system can",
        )
    lock = read_plan(params["lock"], host)
    plan = plan_tree(params["path"], lock)
    needed = check_sources(plan)
    wanted = _wanted(params, lock, host)
    files = plan_files(host, wanted)
    if params["transfer"] == "copy":
        demand_space(params["path"], needed, "the tree")
    if not check_mode:
        apply_tree(plan, params["transfer"], log)
        apply_files(files, host)
    return _result(params, plan, files, wanted, lock)
