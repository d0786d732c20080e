# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timer's program and its options, kept beside the module that does the same. Private to the collection."""

from __future__ import annotations

import typing as t

from .._host.fileset import FilePlan, plan_program
from .._host.host import Host
from .pyz import build
from .tool import render_options


def plan_install(install: t.Mapping[str, t.Any] | None, options: t.Mapping[str, t.Any], host: Host) -> FilePlan:
    """Files to write: ``install`` has the paths of ``program`` and ``options``; nothing without it."""
    return plan_program(host, install, build, lambda: render_options(options))
