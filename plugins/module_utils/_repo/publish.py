# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of rpm_publish: lock, repair, plan, gates, transaction, result. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._host.errors import ClusterError
from .._host.files import locked
from .._host.host import Host
from .._sign.pen import Pen
from . import announce, gates
from .layout import Layout, parse_layout
from .memory import Memory
from .metadata import TIMESTAMP, Metadata, plan_metadata
from .plan import Moves, plan_publish, plan_withdraw
from .signing import SUMS, beside
from .transaction import Step, no_step, pending, publish, recover

Params = t.Mapping[str, t.Any]


def _moves(layout: Layout, params: Params, memory: Memory) -> Moves:
    if params["state"] == "absent":
        return plan_withdraw(layout, params, memory)
    return plan_publish(layout, params, memory) if params["from"] else Moves()


def _missing(moves: Moves, params: Params) -> list[str]:
    rows = ["%s: %s" % (source, what) for source, row in sorted(moves.rows.items()) for what in row.missing]
    if rows and params["missing"] == "fail":
        raise ClusterError("packages are incomplete: %s" % "; ".join(rows), "build the rest, or set missing: warn")
    return rows if params["missing"] == "warn" else []


def _pass_gates(layout: Layout, params: Params, moves: Moves, metadata: Metadata, host: Host) -> list[str]:
    wanted = params["gate"] if params["state"] == "present" else []
    if "signed" in wanted:
        default = [layout.options["pubkey"]] if layout.options["pubkey"] else []
        gates.signed(moves, params["pubkeys"] or default, params["keys"], host)
    told = gates.rpmlint(moves, host) if "rpmlint" in wanted else []
    if "installable" in wanted and moves.fresh:
        gates.installable(layout, params["to"], metadata, host)
    return told


def _files(layout: Layout, metadata: Metadata, mail: t.Sequence[str], signs: bool) -> list[str]:
    sums = layout.path(SUMS)
    signature = [beside(sums)] if signs else []
    return sorted({*metadata.files(), sums, *signature, layout.path(TIMESTAMP), *mail[:1]})


def _result(
    layout: Layout,
    moves: Moves,
    metadata: Metadata,
    mail: t.Sequence[str],
    repaired: str,
    sending: list[list[str]],
    signs: bool,
) -> dict[str, t.Any]:
    changed = moves.changed or metadata.changed or bool(repaired)
    rows = {source: row.result() for source, row in sorted(moves.rows.items())}
    before = sorted([*moves.drops, *moves.incoming])
    return {
        "changed": changed,
        "packages": rows,
        "media": metadata.rows(),
        "files": _files(layout, metadata, mail, signs) if changed else [],
        "repaired": repaired,
        "announcement": mail[1] if mail else "",
        "diff": {
            "before": "".join("%s\n" % path for path in before),
            "after": "".join("%s\n" % path for path in sorted(moves.adds)),
        },
        "actions": metadata.actions() + sending,
    }


def _pen(params: Params, host: Host) -> Pen:
    return Pen(params["sign"], params["lock_timeout"], host)


def run_publish(params: Params, check_mode: bool, host: Host, step: Step = no_step) -> dict[str, t.Any]:
    """The result in Ansible's form, with ``warnings``."""
    if not params["tree"]:
        raise ClusterError("tree is missing", "describe the repository: path, distribution, version, arches, media")
    layout = parse_layout(params["tree"])
    if params["announce"]:
        announce.check(params["announce"])
    with contextlib.ExitStack() as stack:
        if not check_mode:
            stack.enter_context(_lock(layout, params["lock_timeout"]))
        pen = stack.enter_context(_pen(params, host)) if params["sign"] else None
        repaired = pending(layout, host) if check_mode else recover(layout, host, pen)
        memory = Memory(layout, host)
        moves = _moves(layout, params, memory)
        warnings = _missing(moves, params)
        metadata = plan_metadata(layout, host, moves.adds, moves.drops, check_mode, pen)
        warnings += _pass_gates(layout, params, moves, metadata, host) + metadata.warnings()
        text = announce.render(layout, params["announce"], params["to"], moves) if params["announce"] else ""
        mail = [params["announce"]["dest"], text] if text else []
        send = bool(text) and params["announce"]["send"]
        if not check_mode and (moves.changed or metadata.changed):
            publish(moves, metadata, mail, layout, host, pen, step)
        if not check_mode:
            memory.save()
        if not check_mode and send:
            announce.send(params["announce"], text, host)
    sending = [list(params["announce"]["sendmail"])] if send else []
    return {**_result(layout, moves, metadata, mail, repaired, sending, pen is not None), "warnings": warnings}


@contextlib.contextmanager
def _lock(layout: Layout, timeout: float) -> t.Iterator[None]:
    try:
        os.makedirs(layout.work, exist_ok=True)
        lock = locked(os.path.join(layout.work, "lock"), timeout)
        lock.__enter__()
    except OSError as error:
        raise ClusterError("cannot write %s: %s" % (layout.work, error.strerror), "check its owner and the file system")
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
