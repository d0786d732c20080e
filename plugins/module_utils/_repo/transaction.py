# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One publication as a transaction: a journal says what to finish or to undo. Private to the collection.

The order is what a reader of the tree may see: new packages are there before the metadata name them, and old ones go
after the metadata have forgotten them. Until every package is in place the journal says ``adding`` and a run that
finds it undoes; from then on it says ``switching``, when packages leave ``leaving``, and a run that finds it finishes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import typing as t
from dataclasses import asdict, dataclass, field

from .._host.errors import ClusterError
from .._host.files import sweep, sync_dir, sync_file
from .._host.host import File, Host
from .._sign.pen import Pen
from .layout import Layout
from .metadata import (
    TIMESTAMP,
    Metadata,
    apply_metadata,
    make_folders,
    plan_metadata,
    remember_metadata,
    remembered,
    settle_metadata,
    write_sums,
)
from .plan import Moves
from .signing import SUMS, beside

ADDING, SWITCHING, LEAVING, UNDOING = "adding", "switching", "leaving", "undoing"
Step = t.Callable[[str], None]


@dataclass
class Journal:
    """``adds`` and ``drops`` by path below PATH/VERSION; ``mail`` is path and text of the announcement."""

    phase: str
    adds: dict[str, str] = field(default_factory=dict)
    drops: dict[str, str] = field(default_factory=dict)
    incoming: list[str] = field(default_factory=list)
    mail: list[str] = field(default_factory=list)


def _path(layout: Layout) -> str:
    return os.path.join(layout.work, "journal.json")


def write_journal(journal: Journal, layout: Layout, host: Host) -> None:
    host.write_files({_path(layout): File(json.dumps(asdict(journal), sort_keys=True).encode())})


def read_journal(layout: Layout, host: Host) -> Journal | None:
    """What an earlier run left; ClusterError when it cannot be read, as guessing would lose packages."""
    data = host.read(_path(layout))
    if data is None:
        return None
    try:
        return Journal(**json.loads(data))
    except (ValueError, TypeError):
        raise ClusterError(
            "%s is damaged" % _path(layout), "compare the tree with a mirror, then remove this file and run again"
        )


def no_step(_name: str) -> None:
    """Called between the steps; tests end the process there."""


def _copy(source: str, dest: str) -> None:
    """Beside, synced, renamed; the time of the file stays, as the metadata tell it."""
    beside = os.path.join(os.path.dirname(dest), ".new-" + os.path.basename(dest))
    shutil.copyfile(source, beside)
    found = os.stat(source)
    os.utime(beside, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.chmod(beside, 0o644)
    sync_file(beside)
    os.replace(beside, dest)


def _place(source: str, dest: str, link: bool) -> None:
    if link:
        try:
            os.link(source, dest)
            os.chmod(dest, 0o644)
            return
        except OSError:
            pass
    _copy(source, dest)


def sweep_tree(layout: Layout) -> None:
    """Half written files of killed runs, apart from packages; the caller holds the lock of the tree."""
    sweep(layout.work)
    sweep(layout.root, (SUMS, beside(SUMS), TIMESTAMP))


def _clear_halves(layout: Layout) -> None:
    """Copies that a killed run did not finish."""
    for folder in layout.folders():
        place = layout.path(folder.rel)
        for name in os.listdir(place) if os.path.isdir(place) else ():
            if name.startswith(".new-") and name.endswith(".rpm"):
                os.unlink(os.path.join(place, name))


def _add(journal: Journal, layout: Layout, step: Step) -> None:
    placed: dict[str, str] = {}
    own = set(journal.incoming) | {layout.path(rel) for rel in journal.drops}
    for rel, source in journal.adds.items():
        dest = layout.path(rel)
        # A link to a file that stays with its owner would change with it.
        _place(placed.get(source, source), dest, link=source in placed or source in own)
        placed.setdefault(source, dest)
        step("added " + rel)
    for folder in {os.path.dirname(layout.path(rel)) for rel in journal.adds}:
        sync_dir(folder)


def _move(source: str, dest: str) -> None:
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    try:
        os.replace(source, dest)
    except OSError:
        _copy(source, dest)
        os.unlink(source)


def _drop(journal: Journal, layout: Layout, step: Step) -> None:
    gone = [(layout.path(rel), archive) for rel, archive in journal.drops.items()]
    for path, archive in [*gone, *((path, "") for path in journal.incoming)]:
        if os.path.exists(path):
            if archive:
                _move(path, archive)
            else:
                os.unlink(path)
            step("dropped " + os.path.basename(path))


def _finish(
    journal: Journal, layout: Layout, host: Host, step: Step, pen: Pen | None, planned: Metadata | None = None
) -> None:
    """From ``SWITCHING`` to the end. ``planned`` is what the run has planned itself, made anew where it is wrong."""
    moved = list(journal.adds)
    metadata = planned and settle_metadata(planned, layout, moved, journal.drops)
    metadata = metadata or plan_metadata(layout, host, {}, journal.drops, pen=pen)
    apply_metadata(metadata, host, pen)
    step("metadata")
    # From here on files are gone that an undo would need.
    journal.phase = LEAVING
    write_journal(journal, layout, host)
    _drop(journal, layout, step)
    # The links that are gone changed the marks by which the next run knows the packages.
    last = settle_metadata(remembered(metadata), layout, moved)
    if last is None:
        apply_metadata(plan_metadata(layout, host, {}, (), pen=pen), host, pen)
    else:
        remember_metadata(last)
    step("settled")
    write_sums(layout, host, time.time(), pen)
    if journal.mail:
        host.write_files({journal.mail[0]: File(journal.mail[1].encode())})
    host.remove(_path(layout))


def _undo(journal: Journal, layout: Layout, host: Host, pen: Pen | None) -> None:
    journal.phase = UNDOING
    write_journal(journal, layout, host)
    _clear_halves(layout)
    for rel in journal.adds:
        host.remove(layout.path(rel))
    apply_metadata(plan_metadata(layout, host, {}, (), pen=pen), host, pen)
    host.remove(_path(layout))


def recover(layout: Layout, host: Host, pen: Pen | None = None) -> str:
    """Finish or undo what a killed run left: ``finished``, ``undone``, or empty when there is nothing."""
    sweep_tree(layout)
    journal = read_journal(layout, host)
    if journal is None:
        return ""
    make_folders(layout)
    if journal.mail:
        sweep(os.path.dirname(journal.mail[0]), (os.path.basename(journal.mail[0]),))
    if journal.phase in (SWITCHING, LEAVING):
        _clear_halves(layout)
        _finish(journal, layout, host, no_step, pen)
        return "finished"
    _undo(journal, layout, host, pen)
    return "undone"


def pending(layout: Layout, host: Host) -> str:
    """What :func:`recover` would do."""
    journal = read_journal(layout, host)
    return "" if journal is None else "finished" if journal.phase in (SWITCHING, LEAVING) else "undone"


def publish(
    moves: Moves,
    metadata: Metadata,
    mail: t.Sequence[str],
    layout: Layout,
    host: Host,
    pen: Pen | None = None,
    step: Step = no_step,
) -> None:
    """Carry the moves out. A failure before packages leave undoes everything; after that the next run finishes."""
    journal = Journal(ADDING, moves.adds, moves.drops, moves.incoming, list(mail))
    make_folders(layout)
    write_journal(journal, layout, host)
    try:
        step("journal")
        _add(journal, layout, step)
        journal.phase = SWITCHING
        write_journal(journal, layout, host)
        step("placed")
        _finish(journal, layout, host, step, pen, metadata)
    except (OSError, ClusterError) as error:
        if journal.phase != LEAVING:
            # When this fails too, the journal stays, and the next run undoes.
            with contextlib.suppress(OSError, ClusterError):
                _undo(journal, layout, host, pen)
        if isinstance(error, ClusterError):
            raise
        raise ClusterError("cannot write %s: %s" % (error.filename or layout.root, error.strerror), "free some space")
