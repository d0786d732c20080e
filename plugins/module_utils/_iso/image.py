# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of iso_image. This module util is private to the collection.

Beside ``NAME.iso`` stand ``NAME.idx`` (the packages), ``NAME.md5`` and its like, the bill of materials, and
``NAME.json``: what the image was made of, by which the next run knows that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, plan_files
from .._host.host import File, Host
from .._sign.copies import folder_lock
from .disc import SECTOR, Item, check_label, divide, parse_capacity, read_tree
from .sides import ENDS, FORMAT, ImagePlan, Volume, base_of, info_file, mark, read_info, side_files, side_paths
from .sums import file_sums
from .tree import demand_space
from .xorriso import beside_of, boot_words, demand_boot, predicted_size, volume_words, write_argv, write_image

Params = t.Mapping[str, t.Any]


def _key(params: Params, items: t.Sequence[Item], capacity: int) -> str:
    told = [FORMAT, params["label"], sorted(params["boot"]), params["epoch"], capacity, params["volumes"]]
    rows = [[item.path, item.size, item.mtime, item.mode, item.link] for item in items]
    return hashlib.sha256(json.dumps([told, rows]).encode()).hexdigest()


def _volumes(params: Params, items: list[Item], capacity: int, host: Host) -> list[Volume]:
    """The images; their sizes are those that xorriso predicts. ClusterError when they do not fit."""
    tree, epoch, label = params["tree"], params["epoch"], params["label"]
    boot = boot_words(params["boot"], demand_boot(items, params["boot"], host))
    words = volume_words(label, epoch, boot)
    whole = Volume(params["dest"], label, items, words)
    whole.size = predicted_size(words, tree, items, epoch, host)
    if not capacity or whole.size <= capacity:
        return [whole]
    if params["volumes"] < 2:
        raise ClusterError(
            "the disc would have %d bytes, %d more than its capacity" % (whole.size, whole.size - capacity),
            "take packages out, use a larger medium, or allow several volumes",
        )
    overhead = whole.size // SECTOR - sum(item.sectors for item in items) + 64
    found = []
    for number, part in enumerate(divide(items, capacity, params["volumes"], overhead), 1):
        name = "%s-%d.iso" % (base_of(params["dest"]), number)
        volume = Volume(name, "%s-%d" % (label, number), part, [])
        volume.words = volume_words(volume.label, epoch, boot if number == 1 else ())
        volume.size = predicted_size(volume.words, tree, part, epoch, host)
        found.append(volume)
    return found


def _is_current(info: t.Mapping[str, t.Any], key: str, folder: str) -> bool:
    rows = info.get("volumes") or {}
    return info.get("key") == key and all(mark(os.path.join(folder, name)) == row["mark"] for name, row in rows.items())


def _stale(base: str, keep: t.Collection[str], info: t.Mapping[str, t.Any], host: Host) -> list[str]:
    """Images of an earlier division, and side files that are not asked for any more."""
    folder = os.path.dirname(base)
    rows = [os.path.join(folder, name) for name in info.get("volumes") or {}]
    rows += [base + end for end in ENDS]
    return sorted(path for path in rows if path not in keep and host.read_from(path, 0, 1) is not None)


def _plan(params: Params, items: list[Item], host: Host) -> tuple[ImagePlan, dict[str, t.Any]]:
    capacity = parse_capacity(params["capacity"])
    check_label(params["label"], params["volumes"])
    base = base_of(params["dest"])
    info = read_info(base + ".json", host)
    plan = ImagePlan(_key(params, items, capacity), _volumes(params, items, capacity, host))
    plan.write = not _is_current(info, plan.key, os.path.dirname(base))
    plan.wanted_sums = sorted({"sha256", *params["checksums"]})
    if not plan.write:
        plan.known = {name: {k: row[k] for k in plan.wanted_sums if k in row} for name, row in info["volumes"].items()}
    keep = [*(volume.iso for volume in plan.volumes), *side_paths(params).values()]
    plan.stale = _stale(base, keep, info, host)
    return plan, info


def _make(plan: ImagePlan, params: Params, host: Host) -> None:
    """The images, and the sums that are not known yet."""
    for volume in plan.volumes if plan.write else ():
        write_image(volume.words, params["tree"], volume.items, volume.iso, params["epoch"], host)
        size = os.path.getsize(volume.iso)
        if size != volume.size:
            raise ClusterError("%s has %d bytes, not %d" % (volume.iso, size, volume.size), "was the tree written to?")
    for volume in plan.volumes:
        row = plan.known.setdefault(os.path.basename(volume.iso), {})
        missing = [kind for kind in plan.wanted_sums if kind not in row]
        row.update(file_sums(volume.iso, missing) if missing else {})


def _work(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    items = read_tree(params["tree"])
    plan, info = _plan(params, items, host)
    folder = os.path.dirname(params["dest"])
    if plan.write:
        demand_space(folder, sum(volume.size for volume in plan.volumes), "the image")
    base = base_of(params["dest"])
    before = _beside(params, plan, host)
    if check_mode:
        plan.files = _will_change(params, plan, items, info, host)
    else:
        _make(plan, params, host)
        sides = side_files(params, plan, items, info, host)
        plan.files = plan_files(host, {**sides, base + ".json": info_file(params, plan, items, sides)})
        apply_files(plan.files, host)
        for path in plan.stale:
            host.remove(path)
    return _result(params, plan, before)


def _lacks_sums(plan: ImagePlan) -> bool:
    return plan.write or any(kind not in row for row in plan.known.values() for kind in plan.wanted_sums)


def _will_change(
    params: Params, plan: ImagePlan, items: t.Sequence[Item], info: t.Mapping[str, t.Any], host: Host
) -> FilePlan:
    """The side files that change; with sums that are not known before there is an image, all of them."""
    path = base_of(params["dest"]) + ".json"
    if _lacks_sums(plan):
        return FilePlan({name: File(b"") for name in (*side_paths(params).values(), path)})
    sides = side_files(params, plan, items, info, host)
    return plan_files(host, {**sides, path: info_file(params, plan, items, sides)})


def _beside(params: Params, plan: ImagePlan, host: Host) -> list[str]:
    """Images and side files that are there."""
    base = base_of(params["dest"])
    names = {*(volume.iso for volume in plan.volumes), *side_paths(params).values(), base + ".json", *plan.stale}
    return sorted(path for path in names if host.read_from(path, 0, 1) is not None)


def _result(params: Params, plan: ImagePlan, before: t.Sequence[str]) -> dict[str, t.Any]:
    rows: dict[str, dict[str, t.Any]] = {}
    for volume in plan.volumes:
        sums = plan.known.get(os.path.basename(volume.iso), {})
        rows[volume.iso] = {"label": volume.label, "size": volume.size, "files": len(volume.items), "checksums": sums}
    after = sorted([*rows, *side_paths(params).values(), base_of(params["dest"]) + ".json"])
    sizes = ["%s %s, %d bytes\n" % (path, row["label"], row["size"]) for path, row in rows.items()]
    return {
        "changed": plan.changed,
        "images": rows,
        "written": plan.write,
        "files": after,
        "removed": plan.stale,
        "side_files": side_paths(params),
        "size": sum(volume.size for volume in plan.volumes),
        "capacity": parse_capacity(params["capacity"]),
        "diff": [
            {
                "before_header": params["dest"],
                "after_header": params["dest"],
                "before": "".join(path + "\n" for path in before),
                "after": "".join([*(path + "\n" for path in after), *(sizes if plan.write else [])]),
            }
        ],
        "actions": [write_argv(volume.words, beside_of(volume.iso)) for volume in plan.volumes] if plan.write else [],
    }


def run_iso_image(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Plan and, unless in check mode, write under the lock of the folder; the result in Ansible's form."""
    base_of(params["dest"])
    folder = os.path.dirname(params["dest"])
    if check_mode:
        return _work(params, True, host)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ClusterError("cannot make %s: %s" % (folder, error.strerror), "check its owner")
    with folder_lock(folder, params["lock_timeout"]):
        return _work(params, False, host)
