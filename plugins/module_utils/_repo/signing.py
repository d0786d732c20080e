# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures that come into the tree together with what they are of. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from .._media.distrib import TopPlan
from .._media.mediainfo import MediaPlan
from .._media.options import MD5SUM, SIGNATURE
from .._media.repodata import REPOMD
from .._sign.detached import target
from .._sign.pen import Pen
from .layout import Layout

if t.TYPE_CHECKING:
    from .metadata import Metadata

SUMS = "SHA256SUMS"
_Plan = t.TypeVar("_Plan", MediaPlan, TopPlan)


def beside(path: str) -> str:
    """The file with the signature of a file of the tree."""
    return target(path, "asc")


def signature(pen: Pen, content: bytes, path: str) -> bytes:
    """The file :func:`beside` a file of the tree. That of SHA256SUMS is the text with its signature.

    Nobody has to fetch two files that change one after the other.
    """
    return pen.sign_clear(content, path) if os.path.basename(path) == SUMS else pen.sign(content, path)


def _is_signed(pen: Pen, path: str) -> bool:
    return pen.fits_clear(path) if os.path.basename(path) == SUMS else pen.fits(path)


def _signed(plan: _Plan, folder: str, pen: Pen, dry: bool) -> _Plan:
    """The plan with a signature of its MD5SUM, when that is new or has no good one."""
    path, content = os.path.join(folder, MD5SUM), plan.writes.get(MD5SUM)
    if content is None and (not os.path.isfile(path) or pen.fits(path)):
        return plan
    if content is None:
        with open(path, "rb") as stream:
            content = stream.read()
    pen.ready()
    writes = {**plan.writes, SIGNATURE: b"" if dry else pen.sign(content, path)}
    return replace(plan, writes=writes, drops=tuple(name for name in plan.drops if name != SIGNATURE))


def add_signatures(found: Metadata, layout: Layout, pen: Pen, dry: bool) -> None:
    """Put the signatures into the plans; files that stay and have no good one are in ``resign``."""
    for rel, plan in found.media.items():
        found.media[rel] = _signed(plan, plan.options.folder, pen, dry)
    for arch, top in found.tops.items():
        found.tops[arch] = _signed(top, top.tree.folder, pen, dry)
    places = ["%s/repodata/%s" % (rel, REPOMD) for rel in sorted(found.media) if not found.repodata.get(rel)]
    stay = [layout.path(place) for place in (*places, SUMS) if os.path.isfile(layout.path(place))]
    found.resign = [path for path in stay if not _is_signed(pen, path)]
    if found.resign:
        pen.ready()
