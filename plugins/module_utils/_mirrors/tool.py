# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the timers of a mirror host run: ``python3 mirror-tools.pyz list|sync FILE``. Private to the collection.

FILE holds the options of the module mirror_list or mirror_sync as JSON.
"""

from __future__ import annotations

import json
import sys
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host, LocalHost
from .listing import run_list_job
from .sync import run_sync_job

USAGE = "usage: mirror-tools.pyz list|sync FILE\n"


def read_options(path: str, host: Host) -> dict[str, t.Any]:
    """The options in a file; ClusterError when there are none."""
    content = host.read(path)
    if content is None:
        raise ClusterError("%s does not exist" % path, "run the playbook mirror")
    try:
        options = json.loads(content)
    except ValueError as error:
        raise ClusterError("%s: %s" % (path, error), "run the playbook mirror")
    if not isinstance(options, dict):
        raise ClusterError("%s holds no options" % path, "run the playbook mirror")
    return options


def render_options(options: t.Mapping[str, t.Any]) -> bytes:
    """The text of such a file; options that are not set are left out."""
    kept = {key: value for key, value in options.items() if value is not None}
    return (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode()


def _list(options: t.Mapping[str, t.Any], host: Host) -> t.Iterator[str]:
    result = run_list_job(options, False, host)
    for dest, row in result["lists"].items():
        yield "%s: %d mirrors" % (dest, len(row["mirrors"]))
        yield from ("  added %s" % url for url in row["added"])
        yield from ("  dead %s: %s" % pair for pair in row["dead"].items())
    yield from ("warning: %s" % text for text in result["warnings"])


def _sync(options: t.Mapping[str, t.Any], host: Host) -> t.Iterator[str]:
    for name, row in run_sync_job(options, False, host)["syncs"].items():
        yield "%s: %d added, %d updated, %d deleted" % (name, row["added"], row["updated"], row["deleted"])


def main(argv: t.Sequence[str] | None = None, host: Host | None = None) -> int:
    """Run one job: 0 when all is well, 1 after an error, 2 when no mirror of a list is good or for wrong words."""
    words = list(sys.argv[1:] if argv is None else argv)
    verbs = {"list": _list, "sync": _sync}
    if len(words) != 2 or words[0] not in verbs:
        sys.stderr.write(USAGE)
        return 2
    host = host or LocalHost()
    code = 0
    try:
        for line in verbs[words[0]](read_options(words[1], host), host):
            code = 2 if line.startswith("warning: ") else code
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except ClusterError as error:
        sys.stderr.write("%s\n" % error)
        return 1
    return code
