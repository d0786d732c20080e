# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media made of the recorded packages, for the tests of _media and of the module."""

from __future__ import annotations

import os
import shutil
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.compress import decompress
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.mediainfo import (
    MediaPlan,
    apply_media,
    plan_media,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.options import Options
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.packdrake import parse_packdrake
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.previous import nvra_of
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.synthesis import split_records
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.xmlinfo import split_xml
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN

XML = ("info", "files", "changelog")
# The lines of the originals reach up to here.
THEIRS = 131071


def medium(folder: Path, source: str = "rpms", names: t.Iterable[str] = ()) -> Path:
    """A folder with the recorded packages whose names begin with one of ``names``, by default all."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = tuple(names)
    for path in sorted((GOLDEN / source).glob("*.rpm")):
        if not starts or path.name.startswith(starts):
            shutil.copyfile(path, folder / path.name)
    return folder


def tree(folder: Path) -> Path:
    """The recorded distribution, with its packages and without any media files but those made by hand."""
    top = folder / "media" / "media_info"
    top.mkdir(parents=True)
    for name in ("media.cfg", "file-deps"):
        shutil.copyfile(GOLDEN / "distrib" / "media" / "media_info" / name, top / name)
    for line in (GOLDEN / "distrib.rpmlist").read_text().splitlines():
        target = folder / line
        target.parent.mkdir(parents=True, exist_ok=True)
        source = "srpms" if line.endswith(".src.rpm") else "rpms"
        shutil.copyfile(GOLDEN / source / target.name, target)
    key = Path("media/main/release/media_info/pubkey")
    (folder / key).parent.mkdir()
    shutil.copyfile(GOLDEN / "distrib" / key, folder / key)
    return folder


def run(path: Path, **options: t.Any) -> MediaPlan:
    """Plan and apply."""
    plan = plan_media(Options(str(path), **options), LocalHost())
    apply_media(plan)
    return plan


def content(path: Path) -> bytes:
    """A media file without its compression."""
    return decompress(path.read_bytes(), str(path), LocalHost())


def records(folder: Path) -> dict[bytes, bytes]:
    """The records of a synthesis by NVRA."""
    return {nvra_of(text): text for text in split_records(content(folder / "synthesis.hdlist.cz"))}


def headers(folder: Path) -> dict[bytes, bytes]:
    """The members of hdlist.cz by name."""
    return {member.name: data for member, data in parse_packdrake((folder / "hdlist.cz").read_bytes())}


def elements(folder: Path, kind: str) -> dict[bytes, bytes]:
    """The elements of an XML file by NVRA."""
    return split_xml(content(folder / ("%s.xml.lzma" % kind)))


def published(folder: Path) -> dict[str, bytes]:
    """Every file of a medium that clients see, links as their target."""
    return {
        path.name: os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted((folder / "media_info").iterdir())
    }
