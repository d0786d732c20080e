# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans whose packages were linked or copied since they were made. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .mediainfo import MediaPlan
from .scan import Entry


def settled(plan: MediaPlan, entries: t.Sequence[Entry], moved: t.Collection[str]) -> MediaPlan | None:
    """The plan for files that are known to hold what it was made of; None when the folder holds something else.

    ``moved`` are files that were linked, copied or lost a link meanwhile: their other marks are new.
    """
    old = {**plan.state.packages, **plan.state.bad}
    news = {entry.file: entry for entry in entries}
    if len(old) != len(news) or any(not _same(entry, news.get(entry.file), moved) for entry in old):
        return None
    packages = {news[entry.file]: known for entry, known in plan.state.packages.items()}
    bad = {news[entry.file]: reason for entry, reason in plan.state.bad.items()}
    known = plan.known and packages == plan.state.packages and bad == plan.state.bad
    return replace(plan, state=replace(plan.state, packages=packages, bad=bad), known=known)


def _same(old: Entry, new: Entry | None, moved: t.Collection[str]) -> bool:
    return new is not None and (old == new or (old.file in moved and old[:3] == new[:3]))
