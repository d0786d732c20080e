# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the verbs, run their steps, end with the sum."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .engine import Step, run_steps
from .steps import STEPS

VERBS = {
    "lint": "style and types: ruff, mypy, yamllint, shellcheck, ansible-lint",
    "units": "unit tests; further words go to pytest",
    "house": "the rules of the house only",
    "sanity": "ansible-test sanity in a copy of the tree; further words go to ansible-test",
    "build": "the tarball, and everything in it as a user would find it",
    "docs": "reference pages against the code",
    "molecule": "a scenario per role; further words choose scenarios",
    "dhcp": "every DHCP server for real, in network namespaces; further words go to pytest",
    "boot": "every boot path in QEMU, BIOS and UEFI, on request; further words go to pytest",
    "mirror": "a mirror on this machine, and dnf as its client; further words go to pytest",
    "iso": "discs that boot in QEMU, and dnf that installs from them; further words go to pytest",
    "nightly": "a build host on this machine: chroot, nightly builds, dnf as their client; further words go to pytest",
    "console": "consoles of Xen guests on a screen that nobody sees, on request",
    "guestboot": "an image of Xen guests is built and booted, on request",
    "e2e": "the virtual rack; further words go to tests/e2e/run",
    "bench": "figures; further words choose benchmarks",
    "check": "the fast subset: lint without ansible-lint, units without the slow ones (house rules included)",
    "all": "everything except bench and what is on request",
}


def _parse() -> argparse.Namespace:
    shown = "\n".join("  %-9s %s" % pair for pair in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="tests/run", epilog="verbs:\n" + shown, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show the output of every step")
    parser.add_argument("-k", "--skip", action="append", default=[], metavar="STEP", help="leave a step out")
    parser.add_argument("verb", choices=[*VERBS, *(step.name for step in STEPS if step.name not in VERBS)])
    parser.add_argument("args", nargs=argparse.REMAINDER, help="for the step's own tool")
    return parser.parse_args()


def _chosen(verb: str, skip: list[str]) -> list[Step]:
    by_verb = [step for step in STEPS if verb in step.verbs] or [step for step in STEPS if step.name == verb]
    return [step for step in by_verb if step.name not in skip]


def main() -> int:
    options = _parse()
    steps = _chosen(options.verb, options.skip)
    if options.args and len(steps) > 1:
        sys.exit("tests/run: %s has several steps, none of them takes %s" % (options.verb, " ".join(options.args)))
    with tempfile.TemporaryDirectory(prefix="xtreemos-cluster-") as temp:
        return run_steps(steps, Path(temp), options.verbose, options.args)


if __name__ == "__main__":
    sys.exit(main())
