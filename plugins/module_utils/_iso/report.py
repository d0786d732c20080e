# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to tell of a build, as data. This module util is private to the collection.

The order is that of the report of BCD: product, media, check, logs, image; then what fills the disc, what was left out,
and what has changed since the last report.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from .lock import Lock

FORMAT = 1
Data = t.Dict[str, t.Any]
_UNKNOWN = "UNKNOWN date"


def stamp(epoch: int) -> str:
    """As BCD writes it in names, without zeros in front: 2010_4_28-5h23-6 (UTC)."""
    now = time.gmtime(epoch)
    return "%d_%d_%d-%dh%d-%d" % now[:6]


def title(product: t.Mapping[str, t.Any]) -> str:
    return "-".join(str(product[key]) for key in ("nameid", "version", "arch") if product.get(key))


def packages_of(lock: Lock) -> dict[str, dict[str, list[t.Any]]]:
    """Medium to ``NAME.ARCH`` to version with release, and size."""
    found: dict[str, dict[str, list[t.Any]]] = {}
    for dest, rows in lock.packages.items():
        for row in rows:
            front, _dot, arch = row.nvra.rpartition(".")
            found.setdefault(dest, {})["%s.%s" % (row.name, arch)] = [front[len(row.name) + 1 :], row.size]
    return found


def difference(before: t.Mapping[str, t.Mapping[str, t.Any]], after: t.Mapping[str, t.Mapping[str, t.Any]]) -> Data:
    """Packages that came, went and changed their version, as lines."""
    old = {"%s/%s" % (dest, name): row[0] for dest, rows in before.items() for name, row in rows.items()}
    new = {"%s/%s" % (dest, name): row[0] for dest, rows in after.items() for name, row in rows.items()}
    both = [name for name in sorted(new) if old.get(name, new[name]) != new[name]]
    return {
        "added": ["%s %s" % (name, new[name]) for name in sorted(set(new) - set(old))],
        "removed": ["%s %s" % (name, old[name]) for name in sorted(set(old) - set(new))],
        "changed": ["%s %s → %s" % (name, old[name], new[name]) for name in both],
    }


def _previous(packages: t.Mapping[str, t.Any], key: str, before: t.Mapping[str, t.Any] | None) -> Data:
    """The difference to another report; that of the same plan hands on what it told itself."""
    if not before:
        return {"against": ""}
    if before.get("key") == key:
        return dict(before.get("previous") or {"against": ""})
    against = str(before.get("title") or "a report without title")
    return {"against": against, **difference(before["packages"], packages)}


def parse_report(data: bytes | None) -> Data | None:
    """An earlier report; None when there is none of this version."""
    try:
        found = json.loads(data or b"null")
        if not isinstance(found, dict) or found["format"] != FORMAT:
            return None
        return found if all(row[1] >= 0 for rows in found["packages"].values() for row in rows.values()) else None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _images(info: t.Mapping[str, t.Any], image: str, folder: str) -> list[Data]:
    rows = []
    for name, row in (info.get("volumes") or {}).items():
        href = os.path.relpath(os.path.join(os.path.dirname(image), name), folder)
        sums = {kind: row[kind] for kind in ("md5", "sha1", "sha256", "sha512") if kind in row}
        rows.append({"name": name, "href": href, "size": row["size"], "label": row["label"], "sums": sums})
    return rows


def _other_sizes(info: t.Mapping[str, t.Any], packages: int) -> dict[str, int]:
    """What is no package: folders and files at the top of the disc; below ``media`` all of it together."""
    found = {name: size for name, size in (info.get("sizes") or {}).items() if not name.startswith("media/")}
    metadata = sum((info.get("sizes") or {}).values()) - sum(found.values()) - packages
    return {**found, **({"metadata": metadata} if metadata > 0 else {})}


def make_report(
    lock: Lock, params: t.Mapping[str, t.Any], info: t.Mapping[str, t.Any], sides: t.Sequence[str], before: Data | None
) -> Data:
    """Everything that the page shows. ``info`` is NAME.json of the image, empty without one; ``sides`` its files."""
    product = dict(params["product"] or {})
    folder = os.path.dirname(params["dest"])
    packages = packages_of(lock)
    epoch = int(params["epoch"] or lock.epoch)
    sizes = {dest: sum(row[1] for row in rows.values()) for dest, rows in packages.items()}
    others = _other_sizes(info, sum(sizes.values()))
    return {
        "format": FORMAT,
        "key": lock.key,
        "title": "%s build at %s" % (title(product) or "disc", stamp(epoch)),
        "product": product,
        "synced": params["synced"] or _UNKNOWN,
        "conf": params["conf"] or "",
        "pubkey": params["pubkey"] or "",
        "media": lock.media,
        "check": {"broken": lock.broken, "notes": lock.notes},
        "choices": lock.choices,
        "logs": [os.path.relpath(path, folder) for path in params["logs"]],
        "images": _images(info, params["image"] or "", folder),
        "sides": [os.path.relpath(path, folder) for path in sides],
        "capacity": info.get("capacity", 0),
        "sizes": {**sizes, **others},
        "packages": packages,
        "skipped": lock.skipped,
        "excluded": lock.excluded,
        "previous": _previous(packages, lock.key, before),
    }


def render_report(data: Data) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
