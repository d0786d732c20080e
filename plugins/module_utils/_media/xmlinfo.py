# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``info.xml``, ``files.xml``, ``changelog.xml``: what clients show on demand. This module util is private.

One element per package, joined without separators, in the exact shape that urpmi's tools write.
"""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._rpm import package as rpm
from .._rpm.header import Header

KINDS = ("info", "files", "changelog")
HEAD = b'<?xml version="1.0" encoding="utf-8"?>\n<media_info>'
TAIL = b"</media_info>\n"
# Characters that XML 1.0 has no way to write.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def clean(text: bytes) -> bytes:
    """Valid UTF-8 without forbidden characters; bytes of older encodings are read as Latin-1."""
    try:
        shown = text.decode()
    except UnicodeDecodeError:
        shown = text.decode("latin-1")
    found = _FORBIDDEN.search(shown)
    return _FORBIDDEN.sub("?", shown).encode() if found else shown.encode()


def escape(text: bytes) -> bytes:
    return clean(text).replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def _attribute(text: bytes) -> bytes:
    """A quoted value: single quotes unless it has one itself; with both kinds the double ones are replaced."""
    text = escape(text)
    if b"'" not in text:
        return b"'%s'" % text
    return b'"%s"' % text.replace(b'"', b"''")


def info_element(header: Header, nvra: bytes) -> bytes:
    source, url = header.string(rpm.SOURCE_RPM), header.string(rpm.URL)
    return b'<info fn="%s"\n sourcerpm=%s\n url=%s\n license=%s>\n%s\n</info>' % (
        escape(nvra),
        _attribute(source),
        _attribute(url),
        _attribute(header.string(rpm.LICENSE)),
        escape(header.string(rpm.DESCRIPTION)),
    )


def files_element(header: Header, nvra: bytes) -> bytes:
    return b'<files fn="%s">\n%s</files>' % (escape(nvra), escape(b"".join(p + b"\n" for p in rpm.file_paths(header))))


def changelog_element(header: Header, nvra: bytes) -> bytes:
    """Empty when the package has no changelog."""
    times, names = header.ints(rpm.CHANGE_TIMES), header.strings(rpm.CHANGE_NAMES)
    if not times:
        return b""
    logs = b"".join(
        b'<log time="%d">\n<log_name>%s</log_name>\n<log_text>%s</log_text>\n</log>' % (when, escape(who), escape(what))
        for when, who, what in zip(times, names, header.strings(rpm.CHANGE_TEXTS))
    )
    return b'<changelogs fn="%s">\n%s</changelogs>' % (escape(nvra), logs)


ELEMENTS: dict[str, t.Callable[[Header, bytes], bytes]] = {
    "info": info_element,
    "files": files_element,
    "changelog": changelog_element,
}


_UNESCAPED = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&amp;", b"&"))


def split_xml(text: bytes) -> dict[bytes, bytes]:
    """The elements of a document of ours by NVRA, without looking into them."""
    start, end = text.find(b" fn="), text.rfind(TAIL)
    if start < 0:
        return {}
    start = text.rfind(b"<", 0, start)
    opening = text[start : text.find(b"fn=", start) + 4]
    found = {}
    for part in text[start + len(opening) : end].split(opening):
        nvra = part[: part.find(b'"')]
        for escaped, plain in _UNESCAPED:
            nvra = nvra.replace(escaped, plain)
        found[nvra] = opening + part
    return found


def render_xml(elements: t.Sequence[bytes]) -> bytes:
    """The document of a whole medium."""
    return b"".join((HEAD, *elements, TAIL))


@dataclass(frozen=True)
class XmlEntry:
    """One element: ``nvra``; ``attributes`` and ``text`` (info), ``paths`` (files) or ``changes`` (changelog).

    A change is (seconds since 1970, name, text).
    """

    nvra: str
    attributes: t.Mapping[str, str]
    text: str = ""
    paths: tuple[str, ...] = ()
    changes: tuple[tuple[int, str, str], ...] = ()


def _entry(node: ET.Element) -> XmlEntry:
    attributes = dict(node.attrib)
    nvra = attributes.pop("fn")
    text = node.text or ""
    if node.tag == "files":
        return XmlEntry(nvra, attributes, paths=tuple(line for line in text.split("\n") if line))
    if node.tag == "info":
        return XmlEntry(nvra, attributes, text=text[1:-1] if len(text) > 1 else "")
    logs = [(int(log.attrib["time"]), log.findtext("log_name") or "", log.findtext("log_text") or "") for log in node]
    return XmlEntry(nvra, attributes, changes=tuple(logs))


def parse_xml(text: bytes, name: str = "info.xml") -> list[XmlEntry]:
    """Every element of any of the three files; ClusterError names the file and the place of the error.

    Document types are refused: the format has none, and entities can be made to grow without end.
    """
    try:
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise ValueError("it declares a document type")
        root = ET.fromstring(text)
        if root.tag != "media_info":
            raise ValueError("it is a <%s>, not a <media_info>" % root.tag)
        return [_entry(node) for node in root]
    except (ET.ParseError, ValueError, KeyError) as error:
        raise ClusterError("%s: %s" % (name, error), "fetch or build the media_info again")
