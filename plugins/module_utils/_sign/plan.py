# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages have to change, and what their signatures are then. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._rpm.signature import SIGNATURE_TAGS, Signature
from .select import Package, described

# New signatures; what is signed with a stronger one already is fine too.
DEFAULT_DIGEST = "sha256"
_WEAK = ("md5", "sha1", "ripemd160")


@dataclass(frozen=True)
class Wanted:
    """Signed by one of ``fingerprints`` (a key and its subkeys, small letters); empty for no signature at all.

    ``digest`` empty accepts every digest that is not weak.
    """

    fingerprints: frozenset[str] = frozenset()
    digest: str = ""


def _ours(signature: Signature, wanted: Wanted) -> bool:
    if signature.fingerprint:
        return signature.fingerprint in wanted.fingerprints
    return bool(signature.key_id) and any(name.endswith(signature.key_id) for name in wanted.fingerprints)


def _right(signature: Signature, wanted: Wanted) -> bool:
    digest = signature.digest == wanted.digest if wanted.digest else signature.digest not in _WEAK
    return _ours(signature, wanted) and digest


def is_right(signatures: t.Sequence[Signature], wanted: Wanted) -> bool:
    """Whether a package has the wanted signature and no other: one of a key that clients lack makes them refuse it."""
    if not wanted.fingerprints:
        return not signatures
    on_header = any(SIGNATURE_TAGS[one.tag] == "header" for one in signatures)
    return on_header and all(_right(one, wanted) for one in signatures)


@dataclass
class Plan:
    """Packages by path: those that change with their lines before and after, and those that stay."""

    todo: dict[str, Package] = field(default_factory=dict)
    kept: dict[str, Package] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.todo)

    def rows(self) -> dict[str, dict[str, t.Any]]:
        """What the module returns for each package."""
        rows = {}
        for path, package in (*self.todo.items(), *self.kept.items()):
            before = [described(one) for one in package.signatures]
            changes = path in self.todo
            rows[path] = {"changed": changes, "before": before, "after": list(self.after) if changes else before}
        return dict(sorted(rows.items()))

    def diff(self) -> list[dict[str, str]]:
        """One entry with a line per package that changes."""
        if not self.todo:
            return []
        rows = {path: [described(one) for one in package.signatures] for path, package in self.todo.items()}
        before = ["%s: %s\n" % (path, "; ".join(lines) or "not signed") for path, lines in rows.items()]
        after = ["%s: %s\n" % (path, "; ".join(self.after) or "not signed") for path in rows]
        names = {"before_header": "signatures", "after_header": "signatures"}
        return [{**names, "before": "".join(before), "after": "".join(after)}]


def plan_packages(packages: t.Mapping[str, Package], wanted: Wanted) -> Plan:
    plan = Plan()
    for path, package in packages.items():
        place = plan.kept if is_right(package.signatures, wanted) else plan.todo
        place[path] = package
    return plan


def batches(packages: t.Iterable[Package], most: int = 50, size: int = 256 << 20) -> list[list[str]]:
    """Paths in groups of limited number and bytes: what is on disk twice at a time."""
    found: list[list[str]] = []
    room = 0
    for package in packages:
        if not found or len(found[-1]) >= most or room + package.size > size:
            found.append([])
            room = 0
        found[-1].append(package.path)
        room += package.size
    return found
