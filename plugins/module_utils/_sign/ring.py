# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a folder of GnuPG, and in exported keys. This module util is private to the collection."""

from __future__ import annotations

import os
import tempfile
import typing as t
from dataclasses import dataclass, field

from .._host.host import Host
from .home import Home
from .key import Key, parse_colons
from .packet import public_part


@dataclass
class Ring:
    """What is in the folder: keys and owner trust by fingerprint, and which of them have a secret part."""

    keys: dict[str, Key] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    trust: dict[str, int] = field(default_factory=dict)


def read_ring(home: Home) -> Ring:
    if not os.path.isdir(home.path):
        return Ring()
    keys = parse_colons(home.gpg(["--with-colons", "--list-keys"], check=False).stdout)
    held = parse_colons(home.gpg(["--with-colons", "--list-secret-keys"], check=False).stdout)
    lines = home.gpg(["--export-ownertrust"], check=False).stdout.splitlines()
    rows = [line.split(":") for line in lines if line and not line.startswith("#")]
    trust = {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
    return Ring({key.fingerprint: key for key in keys}, frozenset(key.fingerprint for key in held), trust)


class Scanner:
    """Looks into exported keys, in a folder of its own."""

    def __init__(self, host: Host, program: str, folder: str) -> None:
        self._folder = folder
        self._home = Home(host, self._folder, program)
        self._more: list[Home] = []

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *_error: t.Any) -> None:
        for home in (*self._more, self._home):
            home.discard()

    def keys(self, data: bytes) -> list[Key]:
        words = ["--no-autostart", "--with-colons", "--show-keys"]
        return parse_colons(self._home.gpg(words, check=False, stdin=data).stdout)

    def news(self, have: bytes, data: bytes) -> bool:
        """Whether importing ``data`` over the public key ``have`` would change it; older copies of a key do not."""
        home = Home(self._home.host, tempfile.mkdtemp(dir=self._folder), self._home.program)
        self._more.append(home)
        words = ["--no-autostart", "--status-fd", "1", "--import"]
        home.gpg(words, check=False, stdin=have)
        try:
            data = public_part(data)
        except ValueError:
            pass
        lines = home.gpg(words, check=False, stdin=data).stdout.splitlines()
        rows = [line.split() for line in lines if line.startswith("[GNUPG:] IMPORT_OK ")]
        return any(row[2] != "0" for row in rows)


def marks(key: Key) -> set[tuple[str, int, bool]]:
    """What an import would change."""
    parts = {(part.fingerprint, part.ends, part.validity == "r") for part in key.parts}
    return parts | {(user, 0, False) for user in key.users}
