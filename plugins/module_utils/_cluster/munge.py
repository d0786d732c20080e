# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The munge key: made once, delivered byte for byte, never shown. This module util is private to the collection.

munged takes keys of 32 to 1024 bytes (munged(8)); the file belongs to its own user and nobody else reads it.
"""

from __future__ import annotations

import base64
import binascii
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import File, Host

PATH = "/etc/munge/munge.key"
USER = "munge"
MODE = 0o400
_LEAST, _MOST, _NEW = 32, 1024, 128


@dataclass(frozen=True)
class KeyPlan:
    """``key`` is None when the file on disk is right already; ``reason`` says in words what changes."""

    path: str
    key: bytes | None = None
    owner: bool = False
    reason: str = ""

    @property
    def changed(self) -> bool:
        return self.key is not None or self.owner

    def diff(self) -> list[dict[str, str]]:
        """A diff that tells that something changes, and nothing of the key."""
        after = self.reason + "\n" if self.changed else ""
        return [{"before_header": self.path, "after_header": self.path, "before": "", "after": after}]


def decode(text: str) -> bytes:
    """A key from its base64 form; ClusterError, without the text, when it is none."""
    try:
        key = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, UnicodeError):
        raise ClusterError("the munge key is not base64", "give the value that munge_key returned on the head")
    if not _LEAST <= len(key) <= _MOST:
        raise ClusterError(
            "the munge key has %d bytes" % len(key), "munge takes keys of %d to %d bytes" % (_LEAST, _MOST)
        )
    return key


def encode(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _owned(path: str, host: Host) -> bool:
    wanted = "%s %s %o" % (USER, USER, MODE)
    return host.run(["stat", "-c", "%U %G %a", path], check=False).stdout.strip() == wanted


def plan(host: Host, wanted: bytes | None, random: t.Callable[[int], bytes], path: str = PATH) -> KeyPlan:
    """Compare with the host. Without ``wanted`` a key that is there is kept, whatever it is, and a missing one made."""
    now = host.read(path)
    if wanted is None and now is not None and not _LEAST <= len(now) <= _MOST:
        raise ClusterError(
            "%s has %d bytes" % (path, len(now)), "remove it, and a new one is made; the nodes get it by the same play"
        )
    if now is None:
        return KeyPlan(path, wanted or random(_NEW), True, "a key")
    if wanted is not None and now != wanted:
        return KeyPlan(path, wanted, True, "another key")
    owner = not _owned(path, host)
    return KeyPlan(path, None, owner, "owner munge, mode 0400" if owner else "")


def commands(plan: KeyPlan) -> list[list[str]]:
    """The commands that give the file to munge."""
    owner = "%s:%s" % (USER, USER)
    return [["chown", owner, plan.path], ["chmod", "%04o" % MODE, plan.path]] if plan.owner else []


def apply(plan: KeyPlan, host: Host) -> None:
    """Write the key, then give it to munge; a run that dies in between is repaired by the next."""
    if plan.key is not None:
        host.write_files({plan.path: File(plan.key, MODE)})
    for argv in commands(plan):
        host.run(argv, changes=True)
