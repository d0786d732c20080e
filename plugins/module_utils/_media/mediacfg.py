# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``media.cfg``: the media of a distribution tree. This module util is private to the collection.

An INI file: section ``media_info`` for the tree, one section per medium named by its path. Lines that nobody changes
are written back as they were read, comments included.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, replace

from .._host.errors import ClusterError

GLOBAL = "media_info"
_SECTION = re.compile(r"\s*\[\s*(.+?)\s*\]\s*")
_VALUE = re.compile(r"\s*([^=\s#;][^=]*?)\s*=\s*(.*?)\s*", re.S)
_VARIABLE = re.compile(r"([$%])\{([^}]*)\}")
_DEPTH = 15
# Sums of sizes are told in these units, rounded down.
_UNITS = " kmg"


class Line(t.NamedTuple):
    """A line (continuations joined) and what it says: its section, its key if it sets one."""

    text: str
    section: str
    key: str = ""
    value: str = ""


@dataclass(frozen=True)
class MediaCfg:
    """The file as lines; sections keep their order."""

    lines: tuple[Line, ...]
    name: str = "media.cfg"

    @property
    def sections(self) -> list[str]:
        """Every section but the global one, in file order."""
        return list(dict.fromkeys(line.section for line in self.lines if line.section not in ("", GLOBAL)))

    def raw(self, section: str, key: str) -> str | None:
        """A value as it is written; of lines outside of any section, the global one is meant."""
        names = (section, "") if section == GLOBAL else (section,)
        return next((line.value for line in self.lines if line.key == key and line.section in names), None)

    def get(self, section: str, key: str, default: str = "") -> str:
        """A value with its variables filled in (from version 3 of the format on); quotes are part of it."""
        found = self.raw(section, key)
        if found is None:
            return default
        return self._filled(section, found) if self.version >= 3 else found

    def _filled(self, section: str, text: str) -> str:
        for _round in range(_DEPTH):
            new = _VARIABLE.sub(
                lambda match: self.raw(GLOBAL if match.group(1) == "$" else section, match.group(2)) or "", text
            )
            if new == text:
                return text
            text = new
        raise ClusterError("%s: [%s]: variables refer to each other without end" % (self.name, section), "")

    @property
    def version(self) -> int:
        text = self.raw(GLOBAL, "mediacfg_version") or "1"
        return int(float(text)) if re.fullmatch(r"\d+(\.\d+)?", text) else 1

    def set(self, section: str, key: str, value: str) -> MediaCfg:
        """The file with another value; a new one goes behind the last line of its section that sets one."""
        lines = list(self.lines)
        new = Line("%s=%s" % (key, value), section, key, value)
        at = next((n for n, line in enumerate(lines) if (line.section, line.key) == (section, key)), -1)
        if at >= 0:
            if lines[at].value != value:
                lines[at] = new
        else:
            at = max((n for n, line in enumerate(lines) if line.section == section and line.text.strip()), default=-1)
            if at < 0:
                raise ClusterError("%s has no section [%s]" % (self.name, section), "")
            lines.insert(at + 1, new)
        return replace(self, lines=tuple(lines))


@dataclass(frozen=True)
class Medium:
    """One medium with its defaults filled in. ``folder`` is relative to the root of the tree."""

    section: str
    folder: str
    name: str
    hdlist: str
    synthesis: str
    pubkey: str
    noauto: bool = False
    xml_info: bool | None = None
    copied: bool = False


def parse_mediacfg(text: str, name: str = "media.cfg") -> MediaCfg:
    """The file; ClusterError names the line that is neither section, value, comment nor blank, or comes twice."""
    lines: list[Line] = []
    seen: set[tuple[str, str]] = set()
    section, start, joined = "", 0, ""
    for number, row in enumerate(text.split("\n"), 1):
        start, joined = (start, joined + "\n" + row) if joined else (number, row)
        if row.endswith("\\"):
            continue
        line = _line(joined, section, "%s line %d" % (name, start))
        section, joined = line.section, ""
        mark = (section, line.key)
        if (line.key or _SECTION.fullmatch(line.text)) and mark in seen:
            raise ClusterError("%s line %d: %s is there twice" % (name, start, line.text.strip()), "keep one")
        seen.add(mark if line.key or _SECTION.fullmatch(line.text) else ("", ""))
        lines.append(line)
    if joined:
        raise ClusterError("%s line %d: it is continued, but nothing follows" % (name, start), "end the line")
    return MediaCfg(tuple(lines), name)


def _line(text: str, section: str, where: str) -> Line:
    if not text.strip() or text.lstrip()[0] in "#;":
        return Line(text, section)
    match = _SECTION.fullmatch(text)
    if match:
        return Line(text, match.group(1))
    match = _VALUE.fullmatch(text)
    if match is None:
        raise ClusterError("%s: neither [section] nor key=value: %s" % (where, text.strip()[:80]), "mend the line")
    return Line(text, section, match.group(1), match.group(2).replace("\\\n", " "))


def render_mediacfg(cfg: MediaCfg) -> str:
    return "\n".join(line.text for line in cfg.lines)


def _slug(name: str) -> str:
    return re.sub(r"[/ ]+", "_", name).lower()


def media_of(cfg: MediaCfg) -> list[Medium]:
    """The media in file order; ClusterError when two share a folder or a file name."""
    found = [_medium(cfg, section) for section in cfg.sections]
    for what in ("folder", "name", "hdlist"):
        seen: dict[str, str] = {}
        for medium in found:
            value = getattr(medium, what)
            if value in seen:
                both = (cfg.name, seen[value], medium.section, what, value)
                raise ClusterError("%s: [%s] and [%s] have the same %s %s" % both, "give each its own")
            seen[value] = medium.section
    return found


def _medium(cfg: MediaCfg, section: str) -> Medium:
    name = cfg.get(section, "name") or re.sub(r"[/ ]", "_", section)
    hdlist = cfg.get(section, "hdlist") or "hdlist_%s.cz" % _slug(name)
    base = "media" if cfg.version >= 2 else "media/media_info"
    folder = posixpath.normpath(posixpath.join(base, section.lstrip("/") if cfg.version >= 2 else section))
    xml_info = cfg.get(section, "xml-info") or cfg.get(GLOBAL, "xml-info")
    return Medium(
        section,
        folder.lstrip("/"),
        name,
        hdlist,
        cfg.get(section, "synthesis") or "synthesis." + hdlist,
        cfg.get(section, "pubkey") or "pubkey_" + _slug(name),
        cfg.get(section, "noauto", "0") not in ("", "0"),
        xml_info not in ("0", "no") if xml_info else None,
        cfg.get(section, "use_copied_hdlist", "0") not in ("", "0"),
    )


def sized(size: int) -> str:
    """Bytes as media.cfg tells them: ``70k``, ``2m``; a blank stands for bytes."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size // 1024, unit + 1
    return "%d%s" % (size, _UNITS[unit].strip())
