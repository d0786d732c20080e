# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making a chroot with chroot_tree, against the mmdebstrap that it calls, run by hand.

    python tests/bench/bench_chroot.py [--runs 2] [--packages rpm,openssh-server]

Both take the packages from this machine's own apt configuration, in turns, so that network and disk are the same for
both; the first round, which fills caches, does not count. What chroot_tree adds is the questions to apt, the
synchronised disk, the state and the exchange; an unchanged second run and the entering of the tree are told as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import backends, run
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.packages import enter
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.recipe import parse_recipe
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules.chroot_tree import ARGUMENTS
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults

ENTRIES = 20


def timed(work: t.Callable[[], t.Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def by_hand(top: Path, packages: list[str]) -> None:
    """The command line that chroot_tree would run, in a folder that is there, with its files and input."""
    options = defaults(ARGUMENTS, {"path": str(top / "x/tree"), "packages": packages})
    steps = backends.MAKERS["mmdebstrap"](parse_recipe(options), LocalHost(), str(top))
    LocalHost().write_files(steps.files)
    subprocess.run(steps.argvs[0], input=steps.stdin, check=True, capture_output=True)


def ours(top: Path, packages: list[str]) -> None:
    path, program = str(top / "chroots/tree"), str(top / "enter.py")
    run.run_present(defaults(ARGUMENTS, {"path": path, "packages": packages, "program": program}), False, LocalHost())


def entering(top: Path) -> float:
    """Seconds per command in the tree."""
    words = enter(str(top / "enter.py"), str(top / "chroots/tree"), ["true"])
    return timed(lambda: [subprocess.run(words, check=True) for _time in range(ENTRIES)]) / ENTRIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--packages", default="rpm,openssh-server,python3-minimal")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("only root makes a chroot")
    packages = args.packages.split(",")
    rows: dict[str, list[float]] = {"mmdebstrap": [], "chroot_tree": [], "unchanged": [], "enter": []}
    print("%s, %d CPUs, load %.1f" % (args.packages, os.cpu_count() or 1, os.getloadavg()[0]))
    for number in range(args.runs + 1):
        with tempfile.TemporaryDirectory(prefix="bench-chroot-") as name:
            top = Path(name)
            (top / "hand").mkdir()
            found = {"mmdebstrap": timed(lambda top=top: by_hand(top / "hand", packages))}  # type: ignore[misc]
            found["chroot_tree"] = timed(lambda top=top: ours(top, packages))  # type: ignore[misc]
            found["unchanged"] = timed(lambda top=top: ours(top, packages))  # type: ignore[misc]
            found["enter"] = entering(top)
        for case, seconds in found.items() if number else ():
            rows[case].append(seconds)
    medians = {case: statistics.median(found) for case, found in rows.items()}
    for case, seconds in medians.items():
        print("%-12s %8.3f s" % (case, seconds))
    print("chroot_tree: %.2f of mmdebstrap" % (medians["chroot_tree"] / medians["mmdebstrap"]))


if __name__ == "__main__":
    main()
