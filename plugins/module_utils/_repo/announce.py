# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mail about what was published. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import textwrap
import time
import typing as t
from email.header import Header as MailHeader

from .._host.errors import ClusterError
from .._host.files import sha256_file
from .._host.host import Host
from .._rpm import package as rpm
from .layout import Layout
from .plan import Moves
from .units import Unit

Options = t.Mapping[str, t.Any]


def check(options: Options) -> None:
    """ClusterError when it could not be sent, before anything is published."""
    if options["send"] and not (options["sender"] and options["to"]):
        raise ClusterError("announce.send needs announce.sender and announce.to", "set them, or only write the file")
    for key in ("sender", "to", "subject"):
        if "\n" in (options[key] or ""):
            raise ClusterError("announce.%s has a line end" % key, "write it on one line")


def _filled(template: str, words: t.Mapping[str, str], option: str) -> str:
    try:
        return template.format(**words)
    except (KeyError, IndexError, ValueError):
        raise ClusterError(
            "announce.%s: %r cannot be filled in" % (option, template), "known words: {%s}" % "}, {".join(sorted(words))
        )


def _log(unit: Unit) -> list[str]:
    """The newest entry of the changelog."""
    header = unit.packages[0].rpm.header
    names, times, texts = (
        header.strings(rpm.CHANGE_NAMES),
        header.ints(rpm.CHANGE_TIMES),
        header.strings(rpm.CHANGE_TEXTS),
    )
    if not (names and times and texts):
        return []
    when = time.strftime("%Y-%m-%d", time.gmtime(times[0]))
    return [
        "%s %s" % (when, names[0].decode("utf-8", "replace")),
        *texts[0].decode("utf-8", "replace").splitlines(),
        "",
    ]


def _subject(text: str) -> str:
    return text if text.isascii() else MailHeader(text, "utf-8", 990).encode()


def _unit(unit: Unit) -> str:
    summary = unit.packages[0].rpm.header.string(rpm.SUMMARY).decode("utf-8", "replace")
    lines = [unit.source, textwrap.indent(summary, "  "), ""]
    lines += ["  %s" % line if line else "" for line in _log(unit)]
    lines += ["  %s  %s" % (sha256_file(one.path), one.file) for one in sorted(unit.packages, key=lambda one: one.file)]
    return "\n".join(lines) + "\n"


def render(layout: Layout, options: Options, to: str, moves: Moves) -> str:
    """The whole mail, headers first; empty when nothing was published."""
    if not moves.fresh:
        return ""
    words = {
        "distribution": layout.options["distribution"],
        "version": layout.options["version"],
        "to": to,
        "names": ", ".join(unit.source for unit in moves.fresh),
    }
    subject = _filled(options["subject"], words, "subject")
    body = [_filled(options["head"], words, "head"), "", *(_unit(unit) for unit in moves.fresh)]
    body += [_filled(options["foot"], words, "foot")] if options["foot"] else []
    text = "\n".join(body).rstrip() + "\n"
    mark = hashlib.sha256(text.encode()).hexdigest()[:24]
    heads = [
        ("From", options["sender"]),
        ("To", options["to"]),
        ("Subject", _subject(subject)),
    ]
    heads = [*heads, ("Message-ID", "<%s@%s>" % (mark, layout.options["version"])), ("MIME-Version", "1.0")]
    heads += [("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")]
    return "".join("%s: %s\n" % head for head in heads if head[1]) + "\n" + text


def send(options: Options, text: str, host: Host) -> None:
    host.run(options["sendmail"], changes=True, stdin=text.encode())
