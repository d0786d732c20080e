# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user wants of the keys in a folder of GnuPG. This module util is private to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import ClusterError
from .._host.host import Host
from .home import Passphrase, read_passphrase
from .key import normal

# As in gpg --export-ownertrust.
TRUST = {"undefined": 2, "never": 3, "marginal": 4, "full": 5, "ultimate": 6}
_EXPIRES = re.compile(r"0|\d+[dwmy]?|\d{4}-\d\d-\d\d")
_NEW = {"ed25519": ("Key-Type: EDDSA", "Key-Curve: ed25519"), "rsa": ("Key-Type: RSA",)}


@dataclass(frozen=True)
class NewKey:
    """A key to be made: ``user`` as gpg shows it, ``secret`` its passphrase (None: it gets none)."""

    name: str
    email: str
    comment: str
    kind: str
    bits: int
    expires: str
    secret: Passphrase

    @property
    def user(self) -> str:
        return " ".join(
            part
            for part in (self.name, self.comment and "(%s)" % self.comment, self.email and "<%s>" % self.email)
            if part
        )

    def parameters(self) -> str:
        """The text that gpg makes a key from without questions; it holds the passphrase."""
        names = {"Name-Real": self.name, "Name-Comment": self.comment, "Name-Email": self.email}
        lines = [*_NEW[self.kind], "Key-Usage: sign"]
        lines += ["Key-Length: %d" % self.bits] if self.kind == "rsa" else []
        lines += ["%s: %s" % row for row in names.items() if row[1]]
        lines += ["Expire-Date: %s" % self.expires]
        secret = self.secret.value
        lines += ["%no-protection"] if secret is None else ["Passphrase: %s" % secret.decode()]
        return "\n".join([*lines, "%commit", ""])


@dataclass(frozen=True)
class KeyItem:
    """One wanted key: imported from ``data``, made as ``new``, or there already under ``fingerprint``."""

    label: str
    absent: bool = False
    fingerprint: str = ""
    data: bytes = b""
    new: NewKey | None = None
    trust: str = ""
    export: str = ""
    secret: bool = False


def _plain(value: str, what: str, bad: str = "") -> str:
    if re.search(r"[\x00-\x1f\x7f]", value) or value != value.strip() or any(char in value for char in bad):
        raise ClusterError("%s: bad %s" % (value.strip() or "a key", what), "one line without %s" % (bad or "controls"))
    return value


def _secret(item: t.Mapping[str, t.Any], user: str, host: Host) -> Passphrase:
    secret = read_passphrase(host, item.get("passphrase_file"), item.get("passphrase"))
    if (secret.value is None) != bool(item.get("no_passphrase")):
        raise ClusterError(
            "%s: give either a passphrase or no_passphrase: true" % user, "a key without one is said to be so"
        )
    if secret.value is not None:
        try:
            text = secret.value.decode()
        except ValueError:
            text = "\0"
        if re.search(r"[\x00-\x1f\x7f]", text) or text != text.strip():
            raise ClusterError("%s: gpg cannot take this passphrase" % user, "no blanks at its ends, UTF-8")
    return secret


def parse_new(item: t.Mapping[str, t.Any], host: Host) -> NewKey:
    """ClusterError names the user id."""
    name = _plain(str(item.get("name") or ""), "name", "<>()")
    if len(name) < 5 or name[0].isdigit():
        raise ClusterError("%r: gpg wants a name of 5 characters or more, no digit first" % name, "the project's name")
    email = _plain(str(item.get("email") or ""), "email", "<>() ")
    comment = _plain(str(item.get("comment") or ""), "comment", "<>()")
    expires = str(item.get("expires") or "0")
    if not _EXPIRES.fullmatch(expires):
        raise ClusterError("%s: bad expires %r" % (name, expires), "as in 2y, 18m, 2030-12-31, or 0 for never")
    bits = int(item.get("bits") or 4096)
    if not 2048 <= bits <= 4096:
        raise ClusterError("%s: %d bits" % (name, bits), "2048 to 4096")
    return NewKey(name, email, comment, str(item.get("type") or "ed25519"), bits, expires, _secret(item, name, host))


def _data(item: t.Mapping[str, t.Any], host: Host) -> bytes:
    if item.get("content"):
        return str(item["content"]).encode()
    if not item.get("src"):
        return b""
    found = host.read(item["src"])
    if not found:
        raise ClusterError("%s is missing or empty" % item["src"], "gpg --armor --export writes a key")
    return found


def _item(item: t.Mapping[str, t.Any], host: Host) -> KeyItem:
    ways = [way for way in ("src", "content", "generate") if item.get(way)]
    fingerprint = normal(item["fingerprint"]) if item.get("fingerprint") else ""
    absent = item.get("state") == "absent"
    if len(ways) > 1 or (absent and ways):
        raise ClusterError("%s exclude each other" % " and ".join([*ways, *(["absent"] * absent)]), "keep one")
    if not ways and not fingerprint:
        raise ClusterError("a key without src, content, generate or fingerprint", "tell which key is meant")
    if fingerprint and len(fingerprint) < 40:
        raise ClusterError("%s is no whole fingerprint" % fingerprint, "40 hex digits")
    new = parse_new(item["generate"], host) if item.get("generate") else None
    if new and fingerprint:
        raise ClusterError("%s: nobody knows its fingerprint beforehand" % new.user, "leave it out")
    label = fingerprint or (new.user if new else str(item.get("src") or "content"))
    more: dict[str, t.Any] = {
        "trust": item.get("trust") or "",
        "export": item.get("export") or "",
        "secret": bool(item.get("secret")),
    }
    return KeyItem(label, absent, fingerprint, _data(item, host), new, **more)


def parse_items(items: t.Iterable[t.Mapping[str, t.Any]], host: Host) -> list[KeyItem]:
    """The wanted keys in their order; ClusterError names the key."""
    found = [_item(item, host) for item in items]
    labels = [item.label for item in found]
    for label in labels:
        if labels.count(label) > 1:
            raise ClusterError("%s is given twice" % label, "keep one, with its fingerprint")
    return found
