# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timer's program and its options, kept beside the module that does the same. Private to the collection."""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, plan_files
from .._host.host import File, Host
from .pyz import build
from .tool import render_options


def plan_install(install: t.Mapping[str, t.Any] | None, options: t.Mapping[str, t.Any], host: Host) -> FilePlan:
    """Files to write: ``install`` has the paths of ``program`` and ``options``; nothing without it."""
    if not install:
        return FilePlan()
    for name in ("program", "options"):
        if not str(install.get(name) or "").startswith("/"):
            raise ClusterError("install.%s is no absolute path" % name, "give the whole path")
    # The options may name files that hold passwords, and hosts that need not be known.
    wanted = {install["program"]: File(build(), 0o755), install["options"]: File(render_options(options), 0o600)}
    return plan_files(host, wanted)
