# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bill of materials of a disc: SPDX 2.3 or CycloneDX 1.5, as JSON. This module util is private to the collection.

Everything comes from the headers of the packages; the same packages give the same bytes.
"""

from __future__ import annotations

import json
import re
import time
import typing as t
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from .._rpm import package as rpm
from .._rpm.header import read_rpm

KINDS = ("spdx", "cyclonedx")
_ID = re.compile(r"[^A-Za-z0-9.-]")
_VENDOR = 1011


@dataclass(frozen=True)
class Component:
    """A package. ``evr`` without its epoch, ``license`` in the words of the package."""

    name: str
    evr: str
    epoch: int
    arch: str
    license: str
    vendor: str
    summary: str
    url: str
    sha256: str
    file: str

    @property
    def nvra(self) -> str:
        return "%s-%s.%s" % (self.name, self.evr, self.arch)

    def purl(self, namespace: str) -> str:
        """The address of the package, https://github.com/package-url/purl-spec."""
        words = ["arch=%s" % quote(self.arch)] + (["epoch=%d" % self.epoch] if self.epoch else [])
        space = quote(namespace.lower(), safe="") + "/" if namespace else ""
        return "pkg:rpm/%s%s@%s?%s" % (space, quote(self.name, safe=""), quote(self.evr, safe=""), "&".join(words))


def read_component(path: str, file: str, sha256: str) -> Component:
    header = read_rpm(path).header

    def text(tag: int) -> str:
        return header.string(tag).decode("utf-8", "replace")

    evr = "%s-%s" % (text(rpm.VERSION), text(rpm.RELEASE))
    arch = rpm.arch(header).decode("utf-8", "replace")
    words = (text(rpm.LICENSE), text(_VENDOR), text(rpm.SUMMARY), text(rpm.URL))
    return Component(text(rpm.NAME), evr, header.number(rpm.EPOCH), arch, *words, sha256, file)


def _when(epoch: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def _url(text: str) -> str:
    return text if re.fullmatch(r"(https?|ftp)://[!-~]+", text) else ""


def _spdx_package(one: Component, number: int, licence: str, namespace: str) -> dict[str, t.Any]:
    found = {
        "SPDXID": "SPDXRef-%d-%s" % (number, _ID.sub("-", one.nvra)),
        "name": one.name,
        "versionInfo": ("%d:" % one.epoch if one.epoch else "") + one.evr,
        "packageFileName": one.file,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": one.sha256}],
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": one.purl(namespace),
            }
        ],
    }
    found.update({"supplier": "Organization: %s" % one.vendor} if one.vendor else {})
    found.update({"homepage": _url(one.url)} if _url(one.url) else {})
    found.update({"summary": one.summary} if one.summary else {})
    return found


def spdx(name: str, epoch: int, namespace: str, components: t.Sequence[Component]) -> dict[str, t.Any]:
    """Licences in the words of RPM are no SPDX expressions: each text becomes a reference of its own."""
    texts = sorted({one.license for one in components if one.license})
    refs = {text: "LicenseRef-%d" % number for number, text in enumerate(texts, 1)}
    packages = [
        _spdx_package(one, number, refs.get(one.license, "NOASSERTION"), namespace)
        for number, one in enumerate(components, 1)
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": "urn:uuid:%s" % _uuid(name, epoch, components),
        "creationInfo": {"created": _when(epoch), "creators": ["Tool: xtreemos.cluster"]},
        "packages": packages,
        "hasExtractedLicensingInfos": [
            {"licenseId": ref, "extractedText": text, "name": text} for text, ref in refs.items()
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": one["SPDXID"],
            }
            for one in packages
        ],
    }


def _uuid(name: str, epoch: int, components: t.Iterable[Component]) -> str:
    seed = "\n".join([name, str(epoch), *("%s %s" % (one.nvra, one.sha256) for one in components)])
    return str(uuid.uuid5(uuid.NAMESPACE_URL, seed))


def cyclonedx(name: str, epoch: int, namespace: str, components: t.Sequence[Component]) -> dict[str, t.Any]:
    rows = []
    for one in components:
        row: dict[str, t.Any] = {
            "type": "library",
            "bom-ref": "%s#%s" % (one.purl(namespace), one.file),
            "name": one.name,
            "version": ("%d:" % one.epoch if one.epoch else "") + one.evr,
            "purl": one.purl(namespace),
            "hashes": [{"alg": "SHA-256", "content": one.sha256}],
        }
        row.update({"licenses": [{"license": {"name": one.license}}]} if one.license else {})
        row.update({"description": one.summary} if one.summary else {})
        row.update({"supplier": {"name": one.vendor}} if one.vendor else {})
        rows.append(row)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "urn:uuid:%s" % _uuid(name, epoch, components),
        "version": 1,
        "metadata": {"timestamp": _when(epoch), "component": {"type": "operating-system", "name": name}},
        "components": rows,
    }


def render_sbom(kind: str, name: str, epoch: int, namespace: str, components: t.Iterable[Component]) -> bytes:
    ordered = sorted(components, key=lambda one: one.file)
    made = (spdx if kind == "spdx" else cyclonedx)(name, epoch, namespace, ordered)
    return (json.dumps(made, indent=1, sort_keys=True) + "\n").encode()
