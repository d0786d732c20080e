# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the media of trees, as a page for people and as JSON. This module util is private.

The page is one file that needs no other: no script, no picture, no font of elsewhere. The media come from
``_repo/report.py``; the same findings give the same bytes but for the time.
"""

from __future__ import annotations

import html
import json
import time
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, plan_files
from .._host.host import File, Host
from .._repo.report import run_check
from .._repo.spec import TREE
from .fill import fill

_STYLE = """\
body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .6em;border-bottom:1px solid #ccc}
td.n{text-align:right}.good{color:#060}.bad{color:#a00}li{overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}.good{color:#7c7}.bad{color:#f88}}
"""
_COLUMNS = (
    ("metadata", "metadata"),
    ("unsigned", "unsigned"),
    ("foreign", "foreign key"),
    ("uninstallable", "not installable"),
    ("older", "older builds"),
)
Report = t.Mapping[str, t.Any]


def _row(name: str, row: Report) -> str:
    cells = "".join('<td class="n%s">%d</td>' % (" bad" if row[key] else "", len(row[key])) for key, _head in _COLUMNS)
    return '<tr><td>%s</td><td class="n">%d</td>%s</tr>\n' % (html.escape(name), row["packages"], cells)


def _section(name: str, found: Report) -> str:
    head = "".join("<th>%s</th>" % text for text in ("medium", "packages", *(head for _key, head in _COLUMNS)))
    rows = "".join(_row(medium, row) for medium, row in sorted(found["media"].items()))
    # The report's first lines are the table again, its last one the sum.
    told = found["report"][len(found["media"]) : -1]
    lines = "".join("<li>%s</li>\n" % html.escape(line) for line in told)
    state = ("bad", "%d problems" % found["problems"]) if found["problems"] else ("good", "no problems")
    return '<h2>%s: <span class="%s">%s</span></h2>\n<table>\n<tr>%s</tr>\n%s</table>\n<ul>\n%s</ul>\n' % (
        html.escape(name),
        *state,
        head,
        rows,
        lines,
    )


def render_page(reports: t.Mapping[str, Report], title: str, when: str) -> str:
    """The page; ``when`` is ISO 8601."""
    body = "".join(_section(name, found) for name, found in sorted(reports.items()))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>%s</title>\n<style>\n%s</style>\n'
        "<h1>%s</h1>\n<p>Looked at <time>%s</time>.</p>\n%s</html>\n"
    ) % (html.escape(title), _STYLE, html.escape(title), when, body)


def _report(tree: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any], host: Host) -> Report:
    return run_check({"tree": tree, "paths": [], "arch": None, "checks": params["checks"], "keys": params["keys"]}, host)


def _name(tree: t.Mapping[str, t.Any]) -> str:
    return "%s %s" % (tree["distribution"], tree["version"])


def _same(path: str, reports: t.Mapping[str, Report], host: Host) -> bool:
    """Whether the JSON beside the page tells the same findings already."""
    try:
        return bool(json.loads(host.read(path) or b"{}").get("trees") == json.loads(json.dumps(reports)))
    except (ValueError, AttributeError):
        return False


def plan_page(params: t.Mapping[str, t.Any], host: Host, now: float) -> tuple[FilePlan, dict[str, Report]]:
    """Look, and say what has to be written: nothing while the findings stay, unless ``touch`` says so."""
    if not params["trees"]:
        raise ClusterError("no tree is named", "set trees")
    reports = {_name(tree): _report(tree, params, host) for tree in params["trees"]}
    dest = str(params["dest"])
    beside = dest.rpartition(".")[0] + ".json" if dest.endswith(".html") else dest + ".json"
    if not params["touch"] and _same(beside, reports, host) and host.read(dest) is not None:
        return FilePlan(), reports
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    data = json.dumps({"time": when, "trees": reports}, indent=1, sort_keys=True) + "\n"
    page = render_page(reports, params["title"], when)
    return plan_files(host, {dest: File(page.encode()), beside: File(data.encode())}), reports


def _is_made(tree: t.Mapping[str, t.Any], host: Host) -> bool:
    return bool(host.listdir("%s/%s" % (tree["path"], tree["version"])))


def run_page(params: t.Mapping[str, t.Any], check_mode: bool, host: Host) -> dict[str, t.Any]:
    """The result in Ansible's form. In check mode a tree that an earlier task would have made is a change."""
    trees = [fill(TREE, tree, "trees[%d]" % at) for at, tree in enumerate(params["trees"])]
    params = {**params, "trees": trees}
    if check_mode and not all(_is_made(tree, host) for tree in params["trees"]):
        return {"changed": True, "files": [str(params["dest"])], "problems": {}, "report": []}
    plan, reports = plan_page(params, host, time.time())
    if not check_mode:
        apply_files(plan, host)
    problems = {name: found["problems"] for name, found in reports.items()}
    lines = [line for found in reports.values() for line in found["report"]]
    return {"changed": plan.changed, "files": plan.paths, "problems": problems, "report": lines}
