# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the end-to-end tests."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

from .rack import ROOT, Rack, Wrong
from .steps import FAMILIES, ON_REQUEST, Step, Story, steps


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/e2e/run", description=__doc__)
    parser.add_argument("--nodes", type=int, default=3, help="number of nodes (at least 2)")
    parser.add_argument("--state", type=Path, default=ROOT / ".cache" / "e2e", help="state folder of the rack")
    parser.add_argument("--keep", action="store_true", help="leave the rack as it is in the end")
    parser.add_argument("steps", nargs="*", help="only these steps, in their order; xen is all of Xen's")
    return parser.parse_args()


def _one(name: str, work: Step) -> bool:
    begun = time.monotonic()
    try:
        work()
        word, passed = "passed", True
    except (Wrong, OSError) as error:
        word, passed = "FAILED: %s" % error, False
    except Exception:
        word, passed = "FAILED: %s" % traceback.format_exc(), False
    print("e2e %-12s %6.0f s  %s" % (name, time.monotonic() - begun, word), flush=True)
    return passed


def main() -> int:
    options = _options()
    options.state.parent.mkdir(parents=True, exist_ok=True)
    log = ROOT / "tests" / "output" / "e2e-rack.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    story = Story(Rack(options.state.resolve(), options.nodes, log))
    asked = [name for word in options.steps for name in FAMILIES.get(word, (word,))]
    every = steps(story, any(name in FAMILIES["xen"] for name in asked))
    names = asked or [name for name in every if name not in ON_REQUEST]
    wanted = {name: work for name, work in every.items() if name in names}
    begun, passed, failed = time.monotonic(), 0, 0
    try:
        for name, work in wanted.items():
            good = _one(name, work)
            passed, failed = passed + good, failed + (not good)
            if not good and name in ("up", "xen-up", "xen-image"):
                break
    finally:
        if not options.keep:
            story.rack.play("lab_down")
    for what, value in story.clock:
        print("%-32s %s" % (what, value))
    print("%d passed, %d failed in %.0fs (log: %s)" % (passed, failed, time.monotonic() - begun, log.relative_to(ROOT)))
    return 1 if failed else 0


sys.exit(main())
