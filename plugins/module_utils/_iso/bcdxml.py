# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configurations of BCD as variables of the role iso_builder. This module util is private to the collection.

Only a part of the elements is documented anywhere; those are mapped. Names that a report of BCD suggests are mapped
too, with a note. Everything else is kept as it is written and told. No file that a configuration names is ever read.
"""

from __future__ import annotations

import importlib
import posixpath
import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError

LIMIT = 1 << 20
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
# Element -> place in iso_builder_product.
_PRODUCT = {"nameid": "nameid", "version": "version", "arch": "arch", "based_on": "based_on"}
_PRODUCT_GUESSED = {"theme": "theme", "vendor": "vendor", "branch": "branch", "type": "type", "product": "product"}
_MEDIUM_GUESSED = {"name": "name", "desc": "description", "description": "description", "dest": "dest", "from": "from"}
_NOT_NEEDED = {
    "nb_fork": "packages are resolved in one process",
    "urpmqlogs": "the plan is kept in plan.lock.json",
}
_SECRETS = {
    "signature": "put the passphrase into a vault, as iso_builder_passphrase; the file was not read",
    "rpmrc": "name the key, as iso_builder_key; the file was not read",
}


@dataclass
class Imported:
    """Variables of the role; what was left over, by its place; what a reader should know."""

    variables: dict[str, t.Any] = field(default_factory=dict)
    unmapped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def result(self) -> dict[str, t.Any]:
        return {**self.variables, "_unmapped": self.unmapped, "_notes": self.notes}


def _parse(text: str, name: str) -> t.Any:
    """The root element. Entities are never resolved, and a document that defines some is refused."""
    try:
        etree = importlib.import_module("lxml.etree")
    except ImportError:
        raise ClusterError("lxml is not installed on the controller", "pip install lxml")
    # What the text was encoded in does not matter any more.
    data = _DECLARATION.sub("", text).encode("utf-8", "replace")
    if len(data) > LIMIT:
        raise ClusterError("%s has %d bytes" % (name, len(data)), "a configuration of BCD has a few thousand")
    if b"<!DOCTYPE" in data:
        raise ClusterError("%s has a DOCTYPE" % name, "remove it: BCD needs none, and it may hide entities")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ClusterError("%s is no XML: %s" % (name, error), "mend it at that place")
    if any(not isinstance(one.tag, str) for one in root.iter()):
        raise ClusterError("%s refers to an entity" % name, "write its text in its place")
    return root


def _verbatim(element: t.Any) -> str:
    etree = importlib.import_module("lxml.etree")
    return str(etree.tostring(element, encoding="unicode", with_tail=False)).strip()


def _place(element: t.Any) -> str:
    return str(element.getroottree().getpath(element))


class _Importer:
    def __init__(self, name: str) -> None:
        self.found = Imported()
        self.name = name
        self.product: dict[str, str] = {}
        self.media: list[dict[str, t.Any]] = []
        self.repo = ""

    def keep(self, element: t.Any) -> None:
        self.found.unmapped[_place(element)] = _verbatim(element)

    def note(self, text: str) -> None:
        self.found.notes.append(text)

    def guess(self, element: t.Any, what: str) -> None:
        self.note("%s was taken for %s, which no document of BCD tells" % (_place(element), what))

    def text(self, element: t.Any) -> str:
        """Its text; elements inside and attributes are kept as unmapped."""
        if len(element) or element.attrib:
            self.keep(element)
        return (element.text or "").strip()

    def top(self, root: t.Any) -> None:
        self.product["desc"] = str(root.get("desc") or "")
        for name in root.attrib:
            if name != "desc":
                self.found.unmapped["%s/@%s" % (_place(root), name)] = str(root.get(name))
        for element in root:
            tag = str(element.tag)
            if tag in _PRODUCT:
                self.product[_PRODUCT[tag]] = self.text(element)
            elif tag in _PRODUCT_GUESSED:
                self.guess(element, "iso_builder_product." + _PRODUCT_GUESSED[tag])
                self.product[_PRODUCT_GUESSED[tag]] = self.text(element)
            elif tag in _NOT_NEEDED or tag in _SECRETS:
                self.note("%s: %s" % (tag, _NOT_NEEDED.get(tag) or _SECRETS[tag]))
            elif tag == "repo":
                self.repository(element)
            elif tag == "workdir":
                self.found.variables["iso_builder_dir"] = self.text(element)
            elif tag == "media":
                self.medium(element)
            elif tag == "iso":
                self.iso(element)
            else:
                self.keep(element)

    def repository(self, element: t.Any) -> None:
        for inner in element:
            if inner.tag == "path" and not self.repo:
                self.repo = self.text(inner)
            else:
                self.keep(inner)

    def medium(self, element: t.Any) -> None:
        """A medium has lists; what else it has is guessed by the words of the report."""
        found: dict[str, t.Any] = {"lists": [], "exclude": []}
        for name, value in element.attrib.items():
            if name in _MEDIUM_GUESSED:
                found[_MEDIUM_GUESSED[name]] = str(value)
                self.note("%s/@%s was taken for its %s, which no document of BCD tells" % (_place(element), name, name))
            else:
                self.found.unmapped["%s/@%s" % (_place(element), name)] = str(value)
        for inner in element:
            tag = str(inner.tag)
            if tag == "list":
                found["lists"].append(self.text(inner))
            elif tag == "exclude":
                self.guess(inner, "an exclude list")
                found["exclude"].append(self.text(inner))
            elif tag in _MEDIUM_GUESSED:
                self.guess(inner, "the %s of the medium" % _MEDIUM_GUESSED[tag])
                found[_MEDIUM_GUESSED[tag]] = self.text(inner)
            else:
                self.keep(inner)
        self.media.append(found)

    def iso(self, element: t.Any) -> None:
        """ISO headers: kept, as their spelling is known and their meaning is not."""
        for inner in element:
            if inner.tag == "header":
                self.note(
                    "%s: a header of the ISO, %r; iso_builder_label is what discs show"
                    % (_place(inner), self.text(inner))
                )
            self.keep(inner)

    def finish(self) -> Imported:
        """Fill in what follows from the rest; ClusterError without what BCD demands."""
        missing = [tag for tag in ("nameid", "version", "arch") if not self.product.get(tag)]
        if missing:
            raise ClusterError("%s: no <%s>" % (self.name, ">, <".join(missing)), "BCD demands these elements")
        base = posixpath.join(self.repo or "/", self.product.get("based_on", ""), self.product["arch"], "media")
        sources = []
        for number, one in enumerate(self.media, 1):
            name = one.pop("name", "") or "media%d" % number
            path = posixpath.join(base, one.pop("from", "") or name)
            sources.append({"name": name, "path": path, "sections": ["release", "updates"], **one})
        if sources:
            self.note("sections of each medium are set to release and updates; check iso_builder_media")
        self.found.variables["iso_builder_product"] = {key: value for key, value in self.product.items() if value}
        self.found.variables["iso_builder_media"] = sources
        return self.found


def import_bcd(text: str, name: str = "the configuration") -> dict[str, t.Any]:
    """Variables of the role, ``_unmapped`` (place to XML) and ``_notes``; ClusterError for what is no configuration."""
    importer = _Importer(name)
    importer.top(_parse(text, name))
    return importer.finish().result()
