# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of iso_report. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import apply_files, diff_files, plan_files
from .._host.host import File, Host
from .page import render_page
from .report import make_report, parse_report, render_report
from .sides import ENDS, base_of, read_info
from .treejob import read_plan

Params = t.Mapping[str, t.Any]


def _image(params: Params, host: Host) -> tuple[dict[str, t.Any], list[str]]:
    """What iso_image told of the image, and the files beside it."""
    if not params["image"]:
        return {}, []
    base = base_of(params["image"])
    folder, stem = os.path.split(base)
    names = host.listdir(folder)
    signatures = [stem + end + more for end in ENDS for more in (".asc", ".sig")]
    sides = [stem + end for end in ENDS] + signatures
    return read_info(base + ".json", host), [os.path.join(folder, name) for name in sides if name in names]


def run_iso_report(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Plan and, unless in check mode, write page and data; the result in Ansible's form."""
    dest = params["dest"]
    if not dest.endswith(".html"):
        raise ClusterError("dest: %s does not end with .html" % dest, "as in /srv/iso/report.html")
    beside = dest[: -len(".html")] + ".json"
    info, sides = _image(params, host)
    before = parse_report(host.read(params["previous"] or beside))
    data = make_report(read_plan(params["lock"], host), params, info, sides, before)
    plan = plan_files(host, {dest: File(render_page(data)), beside: File(render_report(data))})
    if not check_mode:
        apply_files(plan, host)
    return {
        "changed": plan.changed,
        "title": data["title"],
        "broken": len(data["check"]["broken"]),
        "previous": data["previous"],
        "files": [dest, beside],
        "diff": diff_files(plan),
        "actions": [],
    }
