# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies below a folder of images, and what sets two versions apart. This module util is private."""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict

from .._host.errors import ClusterError
from .manifest import Manifest
from .store import Store

_FIELDS = ("version", "serial", "created", "arch", "kernel_version", "ram_needed_mb", "seconds", "firmware_missing")


def _names(root: str, wanted: t.Sequence[str]) -> list[str]:
    try:
        found = sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name)))
    except OSError as error:
        raise ClusterError("cannot read %s: %s" % (root, error.strerror), "build an image, or correct root")
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ClusterError("there is no image %s in %s" % (missing[0], root), "there are: %s" % ", ".join(found))
    return [name for name in found if name in wanted or (not wanted and not name.startswith("."))]


def _version(row: Manifest) -> dict[str, t.Any]:
    files = {key: asdict(info) for key, info in row.files.items()}
    return {**{key: getattr(row, key) for key in _FIELDS}, "packages": len(row.packages), "files": files}


def stored(root: str, wanted: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Images by name, as RETURN ``images`` of the module. ClusterError for a name that is not there."""
    stores = [Store(root, name) for name in _names(root, wanted)]
    return {
        store.name: {"current": store.current() or "", "versions": [_version(row) for row in store.versions()]}
        for store in stores
    }


def _meant(store: Store, word: str) -> Manifest:
    """The version that a word means; ClusterError with the ones that there are."""
    rows = store.versions()
    names = [row.version for row in rows]
    current = store.current()
    at = names.index(current) if current in names else -1
    index = {"current": at, "previous": at - 1}.get(word, names.index(word) if word in names else -1)
    if index < 0:
        known = ", ".join(names) or "none"
        raise ClusterError("image %s has no version %s" % (store.name, word), "there are: %s" % known)
    return rows[index]


def compare(old: Manifest, new: Manifest) -> dict[str, t.Any]:
    """Packages that came, went or changed, and files that differ with their sizes in bytes."""
    before, after = old.packages, new.packages
    both = sorted(set(before) & set(after))
    files = {info.path: [old.files[key].size, info.size] for key, info in new.files.items() if old.files[key] != info}
    return {
        "old": old.version,
        "new": new.version,
        "added": {name: after[name] for name in sorted(set(after) - set(before))},
        "removed": {name: before[name] for name in sorted(set(before) - set(after))},
        "changed": {name: [before[name], after[name]] for name in both if before[name] != after[name]},
        "files": files,
    }


def difference(root: str, names: t.Sequence[str], words: t.Sequence[str]) -> dict[str, t.Any]:
    """:func:`compare` for two words; ClusterError when they are not two, or of several images."""
    if len(words) != 2:
        raise ClusterError("compare wants two versions, old and new, not %d" % len(words), "as in [previous, current]")
    if len(names) != 1:
        raise ClusterError("compare is about one image, not %d" % len(names), "name one in names")
    store = Store(root, names[0])
    return compare(_meant(store, words[0]), _meant(store, words[1]))
