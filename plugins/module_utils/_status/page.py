# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a cluster as one page of HTML that needs nothing else. Private to the collection."""

from __future__ import annotations

import typing as t
from html import escape

from .._cluster import hostlist
from .._host.errors import ClusterError
from . import picture
from .cluster import STATES, Boot, Cluster, Row, clock, spread

# With more nodes than this the page shows a square for each, and bars for the slowest only.
MANY = 60
SLOWEST = 20
_STYLE = """\
:root { color-scheme: light dark; --ink: #1d2733; --back: #fff; --line: #d5dce3; --good: #1c7a45; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --back: #14191f; --line: #36414c; --good: #63c98d; --bad: #ff8a80 }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line) }
table { border-collapse: collapse; width: 100%; margin: .8rem 0 }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid var(--line) }
.wide { overflow-x: auto }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
td.n { white-space: nowrap }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
svg { width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
.tick { stroke: var(--line) } svg .t { text-anchor: middle; opacity: .75 }
.key i { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; border-radius: 2px }
.key i:first-child { margin-left: 0 }
.good { color: var(--good); font-weight: 600 } .bad { color: var(--bad); font-weight: 600 }
.big b { font-size: 1.6rem; margin-right: .3rem } .big span { margin-right: 1.6rem }
summary { cursor: pointer }
"""


class Cell(str):
    """Text that is HTML already."""


def number(value: object) -> Cell:
    return Cell('<td class="n">%s</td>' % escape(str(value)))


def _cell(value: object) -> str:
    return value if isinstance(value, Cell) else "<td>%s</td>" % escape(str(value))


def grid(head: t.Sequence[str], rows: t.Iterable[t.Sequence[object]]) -> str:
    """A table; cells are text, or a :class:`Cell`. A head that ends in ``#`` stands over numbers."""
    words = ['<th class="n">%s</th>' % escape(word[:-1]) if word[-1:] == "#" else "<th>%s</th>" % escape(word)
             for word in head]  # fmt: skip
    body = "".join("<tr>%s</tr>" % "".join(map(_cell, row)) for row in rows)
    return '<div class="wide"><table><tr>%s</tr>%s</table></div>' % ("".join(words), body)


def _key(colours: t.Mapping[str, str]) -> str:
    items = ['<i style="background: %s"></i>%s' % (colour, escape(word)) for word, colour in colours.items()]
    return '<p class="key">%s</p>' % "".join(items)


def _head(cluster: Cluster) -> str:
    counts = ["<span><b>%d</b>%s</span>" % (cluster.count(state), state) for state in STATES if cluster.count(state)]
    told = "<p>The last word of a node: %s</p>" % clock(cluster.newest) if cluster.newest else ""
    return '<h1>%s</h1>%s<p class="big">%s</p>' % (escape(cluster.title), told, "".join(counts))


def _troubles(cluster: Cluster) -> str:
    alike: dict[tuple[str, str, str], list[str]] = {}
    for boot in cluster.boots:
        if boot.total is None:
            alike.setdefault((boot.state, boot.trouble, boot.remedy), []).append(boot.name)
    if not alike:
        return ""
    rows = [(_folded(names), *told) for told, names in alike.items()]
    return '<h2 class="bad">Nodes that are not up</h2>' + grid(("nodes", "state", "what is missing", "remedy"), rows)


def _folded(names: t.Sequence[str]) -> Cell:
    try:
        text = hostlist.fold(names)
    except ClusterError:
        text = ", ".join(names)
    return Cell("<td>%s</td>" % escape(text).replace(",", ",<wbr>"))


def _speed(boots: t.Sequence[Boot]) -> str:
    up = [boot for boot in boots if boot.total is not None]
    if not up:
        return ""
    rows = []
    for phase in (*picture.PHASES, "up"):
        seconds = [boot.phases.get(phase) if phase != "up" else boot.total for boot in up]
        known = [value for value in seconds if value is not None]
        if known:
            rows.append((phase, *(number("%.1f s" % value) for value in spread(known))))
    return grid(("phase", "median#", "9 of 10#", "slowest#"), rows)


def _boots(cluster: Cluster) -> str:
    boots = cluster.boots
    if not boots:
        return ""
    parts = ["<h2>Boot</h2>"]
    if len(boots) > MANY:
        parts += [_key(picture.STATES), picture.squares(boots), _speed(boots), "<h3>The slowest</h3>"]
        slow = sorted(boots, key=lambda boot: -(boot.total or 0.0))[:SLOWEST]
        parts += [_key(picture.PHASES), picture.bars(slow)]
    else:
        parts += [_key(picture.PHASES), picture.bars(boots)]
    return "".join(parts) + _all(boots)


def _all(boots: t.Sequence[Boot]) -> str:
    phases = [phase for phase in picture.PHASES if any(phase in boot.phases for boot in boots)]
    rows = []
    for boot in boots:
        seconds = [number("%.1f" % boot.phases[phase] if phase in boot.phases else "") for phase in phases]
        total = number("%.1f" % boot.total if boot.total is not None else "")
        rows.append((boot.name, boot.state, Cell("<td><code>%s</code></td>" % escape(boot.image)), *seconds, total,
                     boot.note))  # fmt: skip
    head = ("node", "state", "image", *(phase + "#" for phase in phases), "up#", "note")
    return "<details><summary>All nodes, in seconds</summary>%s</details>" % grid(head, rows)


def _mb(size: object) -> Cell:
    return number("%.1f MB" % (int(str(size)) / 1e6))


def _images(cluster: Cluster) -> str:
    rows = []
    for name, image in sorted(cluster.images.items()):
        for version in reversed(image["versions"]):
            now = "current" if version["version"] == image["current"] else ""
            files = version["files"]
            sizes = (_mb(files["rootfs"]["size"]), _mb(files["stage1"]["size"]))
            nodes = number(cluster.running(version["version"]))
            rows.append((name, version["version"], now, version["created"], version["kernel_version"],
                         number(version["packages"]), *sizes, nodes))  # fmt: skip
    head = ("image", "version", "", "built", "kernel", "packages#", "root#", "stage1#", "nodes#")
    return "<h2>Images</h2>" + grid(head, rows) if rows else ""


def _medium(path: str, row: Row) -> tuple[object, ...]:
    broken = row["metadata"]
    state = Cell('<td class="bad">%s</td>' % escape("; ".join(broken))) if broken else Cell('<td class="good">fit</td>')
    return (path, number(row["packages"]), state, *(number(len(row[key])) for key in _FINDINGS))


_FINDINGS = ("unsigned", "foreign", "uninstallable", "older")


def _media(cluster: Cluster) -> str:
    rows = [_medium(path, row) for path, row in sorted(cluster.media.items())]
    head = ("medium", "packages#", "metadata", "unsigned#", "foreign key#", "not installable#", "several builds#")
    return "<h2>Media</h2>" + grid(head, rows) if rows else ""


def _guests(cluster: Cluster) -> str:
    rows = [
        (dom0, one["label"], one["state"], number(one["vram"]), number(one["vcpu"]), one["accelerator"], one["mac"])
        for dom0, found in sorted(cluster.guests.items())
        for one in found
    ]
    head = ("host", "guest", "state", "MiB#", "processors#", "type", "MAC")
    return "<h2>Xen</h2>" + grid(head, rows) if rows else ""


_PARTS = {"nodes": (_head, _troubles, _boots), "images": (_images,), "media": (_media,), "guests": (_guests,)}
_SOURCES = {"images": "diskless_image_info", "media": "media_check_info", "guests": "xen_domain_info"}


def _part(option: str, cluster: Cluster) -> str:
    try:
        return "\n".join(part(cluster) for part in _PARTS[option])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        module = _SOURCES.get(option, "boot_timeline_info")
        raise ClusterError("%s is no result of %s: %r" % (option, module, error), "give it unchanged")


def render_page(cluster: Cluster) -> bytes:
    """The page in UTF-8; equal data give equal bytes. ClusterError names the option that cannot be shown."""
    body = "\n".join(_part(option, cluster) for option in _PARTS)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    title = "<title>%s</title>" % escape(cluster.title)
    page = '<!DOCTYPE html>\n<html lang="en"><head>%s%s<style>\n%s</style></head>\n<body>\n%s\n</body></html>\n'
    return (page % (head, title, _STYLE, body)).encode()
