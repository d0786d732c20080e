# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file is pushed. This module util is private to the collection; the node agent does not need it."""

from __future__ import annotations

import json
import os
import re
import typing as t

from .errors import DollyError
from .server import Image
from .target import hash_file, run_steps

MANIFEST = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _manifest(folder: str) -> dict[str, t.Any]:
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DollyError("cannot read %s: %s" % (path, error), "build the image again")
    return found if isinstance(found, dict) else {}


def image_path(images_root: str, name: str, version: str) -> str:
    """The root image of ``name`` in the layout of diskless_image."""
    return os.path.join(images_root, name, version, "rootfs.sqfs")


def _noted(path: str) -> tuple[str, int]:
    """(sha256, size) of ``path`` in the manifest beside it, ("", 0) when it has none."""
    files = _manifest(os.path.dirname(path)).get("files")
    for entry in files.values() if isinstance(files, dict) else ():
        if isinstance(entry, dict) and os.path.basename(str(entry.get("path"))) == os.path.basename(path):
            sha256, size = str(entry.get("sha256", "")).lower(), entry.get("size")
            if not _SHA256.fullmatch(sha256) or not isinstance(size, int):
                raise DollyError("the manifest beside %s is damaged" % path, "build the image again")
            return sha256, size
    return "", 0


def find_image(path: str, sha256: str = "") -> Image:
    """The image at ``path`` with its digest: the one given, else that of the manifest beside it, else computed."""
    real = os.path.realpath(path)
    try:
        size = os.path.getsize(real)
    except OSError as error:
        raise DollyError("cannot read the image %s: %s" % (path, error.strerror), "build it or correct its path")
    if size == 0 or not os.path.isfile(real):
        raise DollyError("the image %s is empty or no regular file" % path)
    noted, noted_size = _noted(real)
    if noted and noted_size != size:
        raise DollyError(
            "the image %s has %d bytes, its manifest says %d" % (path, size, noted_size), "build the image again"
        )
    wanted = sha256.lower()
    if wanted and not _SHA256.fullmatch(wanted):
        raise DollyError("sha256 wants 64 hex digits, not %r" % sha256[:80])
    if wanted and noted and wanted != noted:
        raise DollyError("sha256 of %s in its manifest is %s, asked for %s" % (path, noted, wanted))
    if not (wanted or noted):
        hasher = run_steps(hash_file(real, size))
        if hasher is None:
            raise DollyError("the image %s became shorter while it was read" % path, "wait until it is whole")
        wanted = hasher.hexdigest()
    return Image(real, size, wanted or noted)
