# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does to the versions of an image: pure decisions. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .manifest import Manifest


@dataclass(frozen=True)
class Plan:
    """``version``: the one that the run is about; ``build``: it has to be made; ``current``: where the link will
    lead; ``remove``: versions that go."""

    version: str
    build: bool
    current: str | None
    remove: tuple[str, ...] = ()


def prune(versions: t.Sequence[str], keep: int, spare: str) -> tuple[str, ...]:
    """The oldest versions beyond the newest ``keep``; the spared one always stays. Oldest first in and out."""
    return tuple(version for version in versions[: max(0, len(versions) - keep)] if version != spare)


def _find(versions: t.Sequence[Manifest], version: str) -> Manifest | None:
    return next((row for row in versions if row.version == version), None)


def require(versions: t.Sequence[Manifest], name: str, version: str) -> Manifest:
    """The version, or a ClusterError that names the ones there are."""
    row = _find(versions, version)
    if row is None:
        known = ", ".join(found.version for found in versions) or "none"
        raise ClusterError("image %s has no version %s" % (name, version), "there are: %s" % known)
    return row


def present(versions: t.Sequence[Manifest], version: str, digest: str, keep: int) -> Plan:
    """Build unless the version is there; it becomes current, the oldest go.

    A version is never built over: another input under the same name is an error.
    """
    wanted = version or digest[:12]
    row = _find(versions, wanted)
    if row is not None and row.input_digest != digest:
        raise ClusterError(
            "version %s was built from another input" % wanted, "give the new input a new version, or none at all"
        )
    names = [old.version for old in versions] + ([] if row else [wanted])
    return Plan(wanted, row is None, wanted, prune(names, keep, wanted))


def current(versions: t.Sequence[Manifest], name: str, version: str) -> Plan:
    """Switch to a version, the newest when none is named."""
    if not version and not versions:
        raise ClusterError("image %s has no version" % name, "build one with state present")
    wanted = require(versions, name, version or versions[-1].version).version
    return Plan(wanted, False, wanted)


def rolled_back(versions: t.Sequence[Manifest], name: str, version: str) -> Plan:
    """Switch to the version before the newest, or to a named one; twice is the same as once."""
    if version:
        return current(versions, name, version)
    if len(versions) < 2:
        raise ClusterError("image %s has no older version to roll back to" % name, "there are %d" % len(versions))
    return Plan(versions[-2].version, False, versions[-2].version)


def absent(versions: t.Sequence[Manifest], version: str, now: str | None) -> Plan:
    """Remove one version, or with none named the whole image; the version that nodes boot is not removed alone."""
    if not version:
        return Plan("", False, None, tuple(row.version for row in versions))
    if version == now:
        raise ClusterError("version %s is current: nodes boot it" % version, "switch to another version first")
    gone = (version,) if _find(versions, version) else ()
    return Plan(version, False, now, gone)


def next_serial(versions: t.Sequence[Manifest]) -> int:
    return max((row.serial for row in versions), default=0) + 1
