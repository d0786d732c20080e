# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one page of HTML that needs nothing else. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from html import escape
from urllib.parse import quote

from .report import Data
from .treemap import colour_of, render_treemap, size_text

# Packages that get a box of their own.
_BOXES = 120
_STYLE = """\
:root {
  color-scheme: light dark;
  --ink: #1d2733; --back: #fff; --soft: #f1f4f7; --line: #d5dce3; --good: #1c7a45; --bad: #b3261e; --link: #1f5f99;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --back: #14191f; --soft: #1e252d; --line: #36414c; --good: #63c98d; --bad: #ff8a80;
    --link: #8ec5ff; }
}
body {
  font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
}
a { color: var(--link) }
h1 { font-size: 1.5rem }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin-bottom: .3rem }
table { border-collapse: collapse; width: 100%; margin-top: .8rem }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid var(--line) }
th { font-weight: 600; white-space: nowrap }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .3rem 0 }
dt { opacity: .75 }
dd { margin: 0; min-width: 0 }
dd ul, dd p { margin: 0 }
code, .mono { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
.map { width: 100%; height: auto; background: var(--soft); border-radius: 4px }
.map text { fill: #fff; font: 11px sans-serif }
.key i { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; border-radius: 2px }
.key i:first-child { margin-left: 0 }
.good, .bad { font-weight: 600 }
.good { color: var(--good) }
.bad { color: var(--bad) }
.bar { height: .9rem; margin-bottom: .8rem; background: var(--soft); border-radius: 4px; overflow: hidden }
.bar b { display: block; height: 100%; background: #2f6690 }
details { margin: .4rem 0 }
summary { cursor: pointer }
ul { margin: .3rem 0; padding-left: 1.2rem }
"""


def _link(href: str, text: str = "") -> str:
    return '<a href="%s">%s</a>' % (escape(quote(href, safe="/.-_~")), escape(text or href.rpartition("/")[2]))


def _path(text: str) -> str:
    return "<code>%s</code>" % escape(text)


def _list(rows: t.Iterable[str]) -> str:
    """Items that are HTML already."""
    items = "".join("<li>%s</li>" % row for row in rows)
    return "<ul>%s</ul>" % items if items else "<p>none</p>"


def _folded(head: str, rows: t.Sequence[str]) -> str:
    if not rows:
        return ""
    return "<details><summary>%s (%d)</summary>%s</details>" % (escape(head), len(rows), _list(rows))


def _pairs(rows: t.Iterable[tuple[str, str]]) -> str:
    return "<dl>%s</dl>" % "".join("<dt>%s</dt><dd>%s</dd>" % (escape(name), value) for name, value in rows)


def _head(data: Data) -> str:
    product = data["product"]
    conf = data["conf"]
    shown = [
        ("Date of the synchronisation", escape(data["synced"])),
        ("Configuration", _path(conf) if conf else "none"),
        ("Architecture", escape(str(product.get("arch") or "unknown"))),
        ("Distribution based on", escape(str(product.get("based_on") or "unknown"))),
        ("Version", escape(str(product.get("version") or "unknown"))),
        ("Theme used", escape(str(product.get("theme") or "none"))),
    ]
    return "<h1>%s</h1>%s" % (escape(data["title"]), _pairs(shown))


def _media(data: Data) -> str:
    parts = ["<h2>Media list</h2>"]
    for one in data["media"]:
        origin = [_path(one["from"]), escape(", ".join(one["sections"]))]
        rows = [
            ("Name", escape(one["name"])),
            ("Description", escape(one["description"])),
            ("From which dir", " ".join(origin)),
            ("Destination dir", _path(one["dest"])),
            ("Pubkey", _path(data["pubkey"]) if data["pubkey"] else "none"),
            ("Input files", _list(map(_path, one["lists"]))),
            ("Exclude files", _list(map(_path, one["exclude"]))),
        ]
        parts.append("<h3>Media %s</h3>%s" % (escape(one["name"]), _pairs(rows)))
    return "".join(parts)


def _check(data: Data) -> str:
    broken, notes = data["check"]["broken"], data["check"]["notes"]
    if broken:
        rows = [_path(nvra) + ": " + escape("; ".join(chain)) for nvra, chain in broken.items()]
        counts = (len(broken), sum(map(len, data["packages"].values())))
        told = '<p class="bad">ERROR: %d of %d packages cannot be installed</p>' % counts + _list(rows)
    else:
        told = '<p class="good">OK: every package can be installed from this set</p>'
    return "<h2>RPMCHECK status</h2>%s%s" % (told, _folded("Notes", [escape(note) for note in notes]))


def _logs(data: Data) -> str:
    choices = ["%s: %s" % (_path(text), escape(what)) for text, what in data["choices"].items()]
    links = _list(map(_link, data["logs"]))
    return "<h2>Logs</h2>%s%s" % (links, _folded("Requirements with a choice", choices))


def _images(data: Data) -> str:
    parts = ["<h2>ISO, IDX and checksums</h2>"]
    if not data["images"]:
        return parts[0] + "<p>No ISO available</p>"
    for one in data["images"]:
        sums = [(kind.upper(), '<span class="mono">%s</span>' % escape(value)) for kind, value in one["sums"].items()]
        rows = [
            ("Size", "%d bytes (%s)" % (one["size"], size_text(one["size"]))),
            ("Label", escape(one["label"])),
            *sums,
        ]
        parts.append("<h3>%s</h3>%s" % (_link(one["href"], one["name"]), _pairs(rows)))
    return "".join(parts) + _list(map(_link, data["sides"]))


def _capacity(data: Data) -> str:
    if not data["capacity"] or not data["images"]:
        return ""
    share = min(100.0, 100.0 * max(one["size"] for one in data["images"]) / data["capacity"])
    told = "%.1f %% of %s used" % (share, size_text(data["capacity"]))
    return '<p>%s</p><div class="bar"><b style="width: %.1f%%"></b></div>' % (told, share)


def _boxes(data: Data) -> list[tuple[str, int, str]]:
    """The largest packages of each medium, the others of it together, and what is no package."""
    rows = [(name, row[1], dest) for dest, found in data["packages"].items() for name, row in found.items()]
    rows.sort(key=lambda row: (-row[1], row))
    shown = rows[:_BOXES]
    for dest in data["packages"]:
        rest = [row[1] for row in rows[_BOXES:] if row[2] == dest]
        shown += [("%d more" % len(rest), sum(rest), dest)] if rest else []
    shown += [(name, size, "other files") for name, size in data["sizes"].items() if name not in data["packages"]]
    return shown


def _sizes(data: Data) -> str:
    boxes = _boxes(data)
    groups = list(dict.fromkeys(group for _name, _size, group in boxes))
    key = "".join('<i style="background: %s"></i>%s' % (colour_of(groups, one), escape(one)) for one in groups)
    rows = "".join(
        '<tr><th>%s</th><td class="n">%s</td><td class="n">%s</td></tr>'
        % (escape(name), len(data["packages"][name]) if name in data["packages"] else "", size_text(size))
        for name, size in sorted(data["sizes"].items(), key=lambda row: -row[1])
    )
    table = '<table><tr><th>Place</th><td class="n">packages</td><td class="n">size</td></tr>%s</table>' % rows
    return '<h2>What fills the disc</h2>%s%s<p class="key">%s</p>%s' % (
        _capacity(data),
        render_treemap(boxes),
        key,
        table,
    )


def _left_out(data: Data) -> str:
    skipped = [_path(path) + " " + escape(why) for path, why in data["skipped"].items()]
    excluded = [_path(path) + " " + escape(why) for path, why in data["excluded"].items()]
    told = _folded("Older builds and kernels", skipped) + _folded("Excluded", excluded)
    return "<h2>Left out</h2>%s" % (told or "<p>nothing</p>")


def _changes(data: Data) -> str:
    previous = data["previous"]
    if not previous["against"]:
        return "<h2>Changes</h2><p>This is the first report.</p>"
    parts = [
        _folded(word.capitalize(), [escape(row) for row in previous[word]]) for word in ("added", "removed", "changed")
    ]
    told = "".join(parts) or "<p>the same packages</p>"
    return "<h2>Changes</h2><p>since %s</p>%s" % (escape(previous["against"]), told)


def render_page(data: Data) -> bytes:
    parts = (_head, _media, _check, _logs, _images, _sizes, _left_out, _changes)
    body = "\n".join(part(data) for part in parts)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    title = "<title>%s</title>" % escape(data["title"])
    page = '<!DOCTYPE html>\n<html lang="en"><head>%s%s<style>\n%s</style></head>\n<body>\n%s\n</body></html>\n'
    return (page % (head, title, _STYLE, body)).encode()
