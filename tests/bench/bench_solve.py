# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Closure of 1,300 packages and installability of 12,000, against libsolv on the same pool.

    python tests/bench/bench_solve.py [--packages 12000] [--wanted 1300] [--asked 600]

libsolv (python3-solv of the system) is asked for each package alone, which takes long: ``--asked`` of them are timed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._media.synthesis import (
    Record,
    parse_synthesis,
    render_synthesis,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.closure import closure
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.duplicates import duplicates
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.installable import check
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.pool import pool_of


def make_records(count: int, chance: random.Random) -> list[Record]:
    """A distribution: few libraries that many need, ranges, virtual provides, conflicts, old builds, missing things."""
    records = []
    for number in range(count):
        name = "p%05d" % number
        low = max(1, number)
        needs = {"libc.so.6()(64bit)", "/bin/sh"}
        for _need in range(chance.randint(1, 7)):
            other = min(chance.randrange(low), chance.randrange(low)) if number else 0
            needs.add(chance.choice(["p%05d", "lib%05d.so()(64bit)", "p%05d[>= 1.0-1]", "virtual%05d[>= 1]"]) % other)
        if chance.random() < 0.0025:
            needs.add("missing-%d[> 3]" % number)
        lists = {
            b"provides": ["%s[== 1.0-1]" % name, "lib%05d.so()(64bit)" % number, "virtual%05d[== 1]" % number],
            b"requires": sorted(needs),
        }
        if number == 0:
            lists[b"provides"] += ["libc.so.6()(64bit)", "/bin/sh"]
        if chance.random() < 0.02:
            lists[b"conflicts"] = ["p%05d" % chance.randrange(count)]
        if chance.random() < 0.02:
            lists[b"obsoletes"] = ["p%05d[< 1.0]" % chance.randrange(count)]
        encoded = {tag: [item.encode() for item in items] for tag, items in lists.items()}
        records.append(Record(("%s-1.0-1.noarch" % name).encode(), encoded, b"A package", 1000, group=b"g"))
    return records


def timed(what: str, work: t.Callable[..., t.Any], make: t.Callable[[], t.Any] | None = None) -> tuple[t.Any, float]:
    """The last result and the best time; ``make`` prepares an argument that is not timed."""
    best, result, rounds = 1e9, None, 5
    for _round in range(rounds):
        made = [make()] if make else []
        start = time.process_time()
        result = work(*made)
        best = min(best, time.process_time() - start)
    print("%-52s %8.3f s CPU (best of %d)" % (what, best, rounds))
    return result, best


def libsolv(text: bytes, asked: int, total: int) -> tuple[set[str], set[str], float]:
    """Names asked for, those that are broken, seconds that all packages would take."""
    sys.path.append("/usr/lib/python3/dist-packages")
    import solv  # type: ignore[import-not-found]

    pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    pool.setarch("x86_64")
    repo = pool.add_repo("m")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthesis"
        path.write_bytes(text)
        with path.open("rb") as stream:
            repo.add_mdk(solv.xfopen_fd("x", stream.fileno()), 0)
    pool.addfileprovides()
    pool.createwhatprovides()
    every = max(1, total // asked)
    chosen = list(repo.solvables_iter())[::every]
    start = time.process_time()
    broken = {
        str(one)
        for one in chosen
        if pool.Solver().solve([pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE, one.id)])
    }
    return {str(one) for one in chosen}, broken, (time.process_time() - start) * total / len(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=12000)
    parser.add_argument("--wanted", type=int, default=1300)
    parser.add_argument("--asked", type=int, default=600)
    args = parser.parse_args()
    records = make_records(args.packages, random.Random(1300))
    text = render_synthesis(records)
    print("%d packages, synthesis of %.1f MB" % (len(records), len(text) / 1e6))
    parsed, _seconds = timed("parse the synthesis", lambda: parse_synthesis(text))
    _pool, _seconds = timed("pool", lambda: pool_of({"main": parsed}))
    wanted = list(range(5, args.packages, max(1, args.packages // args.wanted)))[: args.wanted]
    fresh = "closure of %d (a pool that was never asked)" % len(wanted)
    timed(fresh, lambda pool: closure(pool, wanted), lambda: pool_of({"main": parsed}))
    ready = pool_of({"main": parsed})
    closure(ready, wanted)
    found, _seconds = timed("closure of %d (the pool was asked before)" % len(wanted), lambda: closure(ready, wanted))
    print("  -> %d packages, %d missing, %d choices" % (len(found.packages), len(found.missing), len(found.choices)))
    report, seconds = timed("installability of all", lambda: check(ready))
    print(
        "  -> %d broken by %d causes, %d undecided" % (len(report.broken), len(report.causes()), len(report.undecided))
    )
    timed("duplicates", lambda: duplicates(ready))
    try:
        asked, broken, whole = libsolv(text, args.asked, args.packages)
    except ImportError:
        print("python3-solv is not installed: no comparison")
        return
    ours = {one.nvra for one in report.broken} & asked
    same = (
        "the same"
        if ours == broken
        else "ours only %s, libsolv only %s" % (sorted(ours - broken), sorted(broken - ours))
    )
    print(
        "libsolv, one solve per package: %.1f s for all, %.0f times ours; of %d asked, broken: %s (%d)"
        % (whole, whole / seconds, len(asked), same, len(broken))
    )


if __name__ == "__main__":
    main()
