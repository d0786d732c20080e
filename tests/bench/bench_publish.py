# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishing ten packages into a medium of 5,000, against writing the metadata of that medium from nothing.

    python tests/bench/bench_publish.py [--packages 5000] [--runs 3]

The packages are written by the tests' own writer, with 24 files and 8 dependencies each. The peer, hdlist without any
state of an earlier run, is what a publisher that does not remember has to do; both run in the same process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.tests.unit._media.samples import run as hdlist
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import package, run, tree

TREE: dict[str, t.Any] = {"arches": ["x86_64"], "media": [{"name": "main", "sections": ["updates"]}], "sources": False}


def make(folder: Path, numbers: t.Iterable[int]) -> Path:
    for number in numbers:
        files = [b"/usr/share/lib%05d/file-%d.dat" % (number, at) for at in range(24)]
        needs = [(b"lib%05d" % (number // 2), 0, b"")] + [(b"lib%05d" % (number // at), 0, b"") for at in range(3, 10)]
        package(folder, "lib%05d" % number, arch="x86_64", files=files, requires=sorted(set(needs)))
    return folder


def marks(folder: Path) -> dict[Path, tuple[int, int]]:
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".rpm"))
    return {path: (one.st_ino, one.st_size) for path, one in found}


def timed(work: t.Callable[[], t.Any]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def one_round(top: Path, total: int, number: int) -> dict[str, tuple[float, float]]:
    given = tree(top / "mirror", **TREE)
    medium = top / "mirror/2.1/x86_64/media/main/updates"
    new = make(top / "new", range(total + 10 * number, total + 10 * number + 10))
    before = marks(top / "mirror")
    found = {"publish 10": timed(lambda: run(given, gate=["installable"], **{"from": str(new), "to": "main/updates"}))}
    written = sum(mark[1] for path, mark in marks(top / "mirror").items() if before.get(path) != mark)
    found["MB written"] = (written / 1e6, 0.0)
    found["unchanged"] = timed(lambda: run(given))
    copy = top / "copy"
    copy.mkdir()
    for path in medium.glob("*.rpm"):
        # A link would change a mark of the package, by which the publisher knows it.
        shutil.copy2(path, copy / path.name)
    found["hdlist, cold"] = timed(lambda: hdlist(copy))
    shutil.rmtree(copy)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as name:
        top = Path(name)
        first = make(top / "first", range(args.packages))
        wall, cpu = timed(lambda: run(tree(top / "mirror", **TREE), **{"from": str(first), "to": "main/updates"}))
        print("%d packages, %d CPUs, load %.1f" % (args.packages, os.cpu_count() or 1, os.getloadavg()[0]))
        print("%-16s %8.2f s wall %8.2f s CPU" % ("publish all", wall, cpu))
        rounds = [one_round(top, args.packages, number) for number in range(args.runs)]
        rows = {case: [statistics.median(one[case][at] for one in rounds) for at in (0, 1)] for case in rounds[0]}
        for case, (value, cpu) in rows.items():
            unit = "MB" if case.startswith("MB") else "s wall %8.2f s CPU" % cpu
            print("%-16s %8.2f %s" % (case, value, unit))
        print("publish 10: %.2f of hdlist, cold" % (rows["publish 10"][0] / rows["hdlist, cold"][0]))
        print("unchanged: %.2f of hdlist, cold" % (rows["unchanged"][0] / rows["hdlist, cold"][0]))


if __name__ == "__main__":
    main()
