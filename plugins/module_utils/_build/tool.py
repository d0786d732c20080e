# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the timers of build and mirror hosts run: ``python3 build-tools.pyz build|check FILE``. Private module util.

FILE holds the options of the module rpm_build or media_check_page as JSON.
"""

from __future__ import annotations

import json
import sys
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host, LocalHost
from .nightly import run_build
from .page import run_page

USAGE = "usage: build-tools.pyz build|check FILE\n"


def read_options(path: str, host: Host) -> dict[str, t.Any]:
    """The options in a file; ClusterError when there are none."""
    content = host.read(path)
    try:
        options = json.loads(content or b"")
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise ClusterError("%s holds no options" % path, "run the playbook that installed the timer")
    return options


def render_options(options: t.Mapping[str, t.Any]) -> bytes:
    """The text of such a file; the timer installs nothing itself."""
    kept = {key: value for key, value in options.items() if key != "install"}
    return (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode()


def _build(options: t.Mapping[str, t.Any], host: Host) -> t.Iterator[str]:
    result = run_build(options, False, host)
    yield "%s %s: %s" % (options["name"], result["version"], "built" if result["built"] else "there already")
    yield from ("  %s" % step for step in result["steps"])
    yield from ("  removed %s" % name for name in result["pruned"])
    yield from ("warning: %s" % text for text in result["warnings"])


def _check(options: t.Mapping[str, t.Any], host: Host) -> t.Iterator[str]:
    yield from run_page({**options, "touch": True}, False, host)["report"]


def main(argv: t.Sequence[str] | None = None, host: Host | None = None) -> int:
    """Run one job: 0 when it is done, 1 after an error, 2 for wrong words."""
    words = list(sys.argv[1:] if argv is None else argv)
    verbs = {"build": _build, "check": _check}
    if len(words) != 2 or words[0] not in verbs:
        sys.stderr.write(USAGE)
        return 2
    host = host or LocalHost()
    try:
        for line in verbs[words[0]](read_options(words[1], host), host):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except ClusterError as error:
        sys.stderr.write("%s\n" % error)
        return 1
    return 0
