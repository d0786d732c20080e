# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands beside an image, and what the next run knows it by. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.fileset import FilePlan
from .._host.host import File, Host
from .disc import Item, parse_capacity
from .sbom import read_component, render_sbom
from .sums import many_sums, render_sums

Params = t.Mapping[str, t.Any]
FORMAT = 1
_SBOM_END = {"spdx": ".spdx.json", "cyclonedx": ".cdx.json"}
ENDS = (".idx", ".md5", ".sha1", ".sha256", ".sha512", *_SBOM_END.values())


@dataclass
class Volume:
    """One image: where it goes, its files, the words for xorriso, its size in bytes."""

    iso: str
    label: str
    items: list[Item]
    words: list[str]
    size: int = 0


@dataclass
class ImagePlan:
    """``write`` tells whether the images are made anew; ``known`` are their sums by file name and kind."""

    key: str
    volumes: list[Volume]
    write: bool = True
    known: dict[str, dict[str, str]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    wanted_sums: list[str] = field(default_factory=list)
    files: FilePlan = field(default_factory=FilePlan)

    @property
    def changed(self) -> bool:
        return bool(self.write or self.stale or self.files.changed)


def base_of(dest: str) -> str:
    """``dest`` without its ending; ClusterError when that is not .iso."""
    if not dest.endswith(".iso") or os.path.basename(dest) == ".iso":
        raise ClusterError("dest: %s does not end with .iso" % dest, "as in /srv/iso/XtreemOS-2.1.1-x86_64.iso")
    return dest[: -len(".iso")]


def read_info(path: str, host: Host) -> dict[str, t.Any]:
    try:
        found = json.loads(host.read(path) or b"{}")
        return found if isinstance(found, dict) and found.get("format") == FORMAT else {}
    except ValueError:
        return {}


def mark(path: str) -> list[int]:
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _index(items: t.Iterable[Item]) -> bytes:
    """The packages of the disc, one a line, sorted: the list that BCD calls IDX."""
    names = sorted(os.path.basename(item.path)[: -len(".rpm")] for item in items if item.is_package)
    return "".join(name + "\n" for name in names).encode()


def _sbom(params: Params, items: t.Sequence[Item]) -> bytes:
    paths = [os.path.join(params["tree"], item.path) for item in items if item.is_package]
    digests = many_sums(paths)
    rows = [read_component(path, os.path.relpath(path, params["tree"]), digests[path]) for path in paths]
    name = os.path.basename(base_of(params["dest"]))
    return render_sbom(params["sbom"], name, params["epoch"], params["vendor"] or "", rows)


def side_paths(params: Params) -> dict[str, str]:
    base = base_of(params["dest"])
    found = {kind: "%s.%s" % (base, kind) for kind in params["checksums"]}
    found.update({"idx": base + ".idx"} if params["index"] else {})
    found.update({"sbom": base + _SBOM_END[params["sbom"]]} if params["sbom"] != "none" else {})
    return found


def side_files(
    params: Params, plan: ImagePlan, items: t.Sequence[Item], info: t.Mapping[str, t.Any], host: Host
) -> dict[str, File]:
    """Everything beside the images but NAME.json. A bill of materials that is there for this image is kept."""
    paths = side_paths(params)
    found = {
        paths[kind]: File(render_sums({name: row[kind] for name, row in plan.known.items()}))
        for kind in params["checksums"]
    }
    if "idx" in paths:
        found[paths["idx"]] = File(_index(items))
    if "sbom" in paths:
        old = host.read(paths["sbom"])
        same = old is not None and info.get("sbom") == [hashlib.sha256(old).hexdigest(), plan.key, params["vendor"]]
        found[paths["sbom"]] = File(old if same and old is not None else _sbom(params, items))
    return found


def info_file(params: Params, plan: ImagePlan, items: t.Sequence[Item], sides: t.Mapping[str, File]) -> File:
    media: dict[str, int] = {}
    for item in items:
        top = item.path.split("/")
        name = "/".join(top[:2]) if top[0] == "media" and len(top) > 2 else top[0]
        media[name] = media.get(name, 0) + item.size
    sbom = sides.get(side_paths(params).get("sbom", ""))
    data = {
        "format": FORMAT,
        "key": plan.key,
        "label": params["label"],
        "epoch": params["epoch"],
        "capacity": parse_capacity(params["capacity"]),
        "files": len(items),
        "sizes": media,
        "sbom": [hashlib.sha256(sbom.content).hexdigest(), plan.key, params["vendor"]] if sbom else None,
        "volumes": {
            os.path.basename(one.iso): {
                "label": one.label,
                "size": one.size,
                "mark": mark(one.iso),
                **plan.known.get(os.path.basename(one.iso), {}),
            }
            for one in plan.volumes
        },
    }
    return File((json.dumps(data, indent=1, sort_keys=True) + "\n").encode())
