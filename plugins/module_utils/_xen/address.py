# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machine addresses: which guest is meant: by label, path, file, uuid, mac, ip or record. Private to the collection.

Format: the address syntax of ctys 01.11, ``l:tst100,u:6842caf9...``: keys in any case and order, ``,`` between them,
``%`` inside a list. Values are compared exactly, never as patterns; all keys that are given have to agree.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, fields

from .._host.errors import ClusterError
from .normal import normal_ip, normal_mac, normal_uuid

MATCHES = ("unique", "first", "all")
# Every spelling of a key, in ctys and here.
_SPELLINGS = {
    "label": ("label", "l", "name"),
    "path": ("path", "id", "i", "pathname", "pname", "p"),
    "filename": ("filename", "fname", "f"),
    "search_paths": ("search_paths", "basepath", "base", "b"),
    "uuid": ("uuid", "u"),
    "mac": ("mac", "m"),
    "ip": ("ip", "tcp", "t"),
    "record": ("record", "dbrecord", "dbrec", "dr"),
}
_FIELD_OF = {word: field for field, words in _SPELLINGS.items() for word in words}
_SHORT = {"label": "l", "path": "p", "filename": "f", "search_paths": "b", "uuid": "u", "mac": "m", "ip": "t"}
_SHORT["record"] = "dr"
_LABEL = re.compile(r"[A-Za-z0-9_.+-]+\Z")
_BROKEN = re.compile(r"[\s,%;]")


@dataclass(frozen=True)
class Address:
    """One address; empty fields are not asked for. ``record`` counts from 1, 0 is none."""

    label: str = ""
    path: str = ""
    filename: str = ""
    search_paths: tuple[str, ...] = ()
    uuid: str = ""
    mac: str = ""
    ip: str = ""
    record: int = 0

    def given(self) -> dict[str, t.Any]:
        """The fields that are asked for; ``search_paths`` alone says where, not what."""
        return {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name)}


@dataclass(frozen=True)
class Entry:
    """What an address is compared with: one guest. ``uuid`` dashed, MACs and IPs normalised; ``origin`` is free."""

    label: str = ""
    path: str = ""
    uuid: str = ""
    macs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    origin: t.Any = None

    def __str__(self) -> str:
        parts = [self.label, self.path, self.uuid, " ".join(self.macs), " ".join(self.ips)]
        return "[%s]" % ", ".join(part for part in parts if part)


def _label(text: str) -> str:
    if not _LABEL.match(text):
        raise ClusterError("%r is no label of a guest" % text, "letters, digits and - _ . + only")
    return text


def _record(text: str) -> int:
    if not re.match(r"[1-9][0-9]{0,8}\Z", text):
        raise ClusterError("%r is no number of a record" % text, "records count from 1")
    return int(text)


def _place(text: str, home: str) -> str:
    """A path without doubled slashes and dots; ``$HOME`` and ``~`` become ``home``."""
    for word in ("$HOME", "~"):
        if text == word or text.startswith(word + "/"):
            text = home + text[len(word) :]
    parts = [part for part in text.split("/")[1:] if part not in ("", ".")]
    if ".." in parts or _BROKEN.search(text) or "\0" in text:
        raise ClusterError("%r is no path of an address" % text, "no blanks, commas, per cent signs and no ..")
    return "/".join([text.split("/")[0], *parts]) or "/"


def _path(text: str, home: str) -> str:
    place = _place(text, home)
    if not place.startswith(("/", "~")):
        raise ClusterError("the path %r is not absolute" % text, "write the whole path, or f:%s" % text)
    return place


def _base(text: str, home: str) -> str:
    # ctys looks below the home of the user for what has no root.
    rooted = text.startswith(("/", "~", "$HOME"))
    return _place(text if rooted else "%s/%s" % (home, text), home)


def _filename(text: str) -> str:
    return "/".join(part for part in _place("/" + text, "").split("/") if part)


def _bases(value: t.Any, home: str) -> tuple[str, ...]:
    words = value.split("%") if isinstance(value, str) else [str(word) for word in value]
    return tuple(_base(word, home) for word in words if word)


def _value(field: str, value: t.Any, home: str) -> t.Any:
    if field == "search_paths":
        return _bases(value, home)
    text = str(value).strip()
    if not text:
        raise ClusterError("the address has an empty %s" % field, "give a value, or leave the key out")
    if field == "path":
        return _path(text, home)
    plain: dict[str, t.Callable[[str], t.Any]] = {
        "label": _label,
        "filename": _filename,
        "uuid": normal_uuid,
        "mac": normal_mac,
        "ip": normal_ip,
        "record": _record,
    }
    return plain[field](text)


def _pairs(value: t.Any) -> list[tuple[str, t.Any]]:
    """Key and value of each part, as they are written."""
    if isinstance(value, t.Mapping):
        return [(str(key), one) for key, one in value.items() if one is not None]
    if not isinstance(value, str):
        raise ClusterError("%r is no address" % (value,), "write l:tst100, or a mapping with label: tst100")
    text = value.strip()
    if text and not re.search(r"[:,]", text):
        return [("label", text)]
    parts = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    return [(key, word) for key, _colon, word in parts]


def parse(value: t.Any, home: str = "~") -> Address:
    """An address from ctys' syntax, a lone label, or a mapping of its keys; ClusterError names the wrong part.

    ``home`` stands in for ``$HOME`` and ``~``; with the default they stay ``~`` for the machine that resolves them.
    """
    found: dict[str, t.Any] = {}
    for key, text in _pairs(value):
        field = _FIELD_OF.get(key.strip().lower())
        if field is None:
            raise ClusterError("%r is no key of an address" % key, "keys are %s" % ", ".join(sorted(_SPELLINGS)))
        if field in found:
            raise ClusterError("the address has two values for %s" % field, "keep one")
        found[field] = _value(field, text, home)
    address = Address(**found)
    if not set(address.given()) - {"search_paths"}:
        raise ClusterError("the address names no guest", "give label, path, filename, uuid, mac, ip or record")
    return address


def render(address: Address) -> str:
    """The address in ctys' syntax, keys in a fixed order; ``parse`` gives the same address back."""
    words = {field: "%".join(value) if field == "search_paths" else value for field, value in address.given().items()}
    return ",".join("%s:%s" % (_SHORT[field], value) for field, value in words.items())


def _below(path: str, bases: tuple[str, ...]) -> bool:
    return any(path == base or path.startswith(base.rstrip("/") + "/") for base in bases)


def _fits(field: str, wanted: t.Any, entry: Entry, number: int) -> bool:
    if field == "filename":
        return entry.path == "/" + wanted or entry.path.endswith("/" + wanted)
    if field == "search_paths":
        return not entry.path or _below(entry.path, wanted)
    if field in ("mac", "ip"):
        return wanted in (entry.macs if field == "mac" else entry.ips)
    return bool(wanted == (number if field == "record" else getattr(entry, field)))


def _disagree(address: Address, entry: Entry, number: int) -> list[str]:
    return [field for field, wanted in address.given().items() if not _fits(field, wanted, entry, number)]


def _listed(entries: t.Sequence[Entry], limit: int = 10) -> str:
    rest = ["and %d more" % (len(entries) - limit)] if len(entries) > limit else []
    return "; ".join([str(entry) for entry in entries[:limit]] + rest)


def _conflict(address: Address, entries: t.Sequence[Entry]) -> None:
    """No guest has it all: complain when one has a part."""
    asked = [field for field in address.given() if field != "search_paths"]
    for number, entry in enumerate(entries, 1):
        wrong = _disagree(address, entry, number)
        if "search_paths" not in wrong and set(wrong) & set(asked) != set(asked):
            raise ClusterError(
                "the keys of %s do not agree: %s has another %s" % (render(address), entry, ", ".join(wrong)),
                "correct the address, or leave keys out",
            )


def find(address: Address, entries: t.Sequence[Entry], match: str = "unique") -> list[Entry]:
    """The entries that have every key of ``address``, in their order.

    ``unique`` fails with the candidates when there are several, ``first`` takes the first, ``all`` takes every one
    and is content with none. ClusterError when there is none, or when keys belong to different guests.
    """
    if match not in MATCHES:
        raise ClusterError("%r is no way to match" % match, "one of %s" % ", ".join(MATCHES))
    found = [entry for number, entry in enumerate(entries, 1) if not _disagree(address, entry, number)]
    if not found:
        _conflict(address, entries)
        if match != "all":
            raise ClusterError("there is no guest %s" % render(address), "xen_domain_info lists all there are")
    if match == "unique" and len(found) > 1:
        raise ClusterError(
            "%s fits %d guests: %s" % (render(address), len(found), _listed(found)),
            "add a key such as path or uuid, or set match to first or all",
        )
    return found[:1] if match == "first" else found
