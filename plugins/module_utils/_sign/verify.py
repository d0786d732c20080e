# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages judged by rpm with one key in a database of its own. This module util is private to the collection.

``rpmkeys`` prints ``<path>: digests signatures OK`` for each package; nothing but that very line counts.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import ClusterError
from .._host.host import File, Host
from .scratch import scratch

_HINT = "install the package rpm"


class Verifier:
    """rpm with no key but ``pubkey`` (armored), or none at all; ``folder`` holds its database."""

    def __init__(self, host: Host, folder: str) -> None:
        self.host = host
        program = host.which("rpmkeys")
        if program is None:
            raise ClusterError("rpmkeys is not installed, nothing can be verified", _HINT)
        defines = ("_keyringpath %s/pubkeys" % folder, "_tmppath %s" % folder)
        words = [word for one in defines for word in ("--define", one)]
        self._argv = [program, "--dbpath", folder, *words]
        self._folder = folder

    def trust(self, pubkey: bytes) -> None:
        path = os.path.join(self._folder, "key.asc")
        self.host.write_files({path: File(pubkey, 0o600)})
        self.host.run([*self._argv, "--import", path])

    def _told(self, words: t.Sequence[str], paths: t.Sequence[str], fine: str) -> tuple[set[str], str]:
        done = self.host.run([*self._argv, *words, "--checksig", *paths], check=False)
        lines = set(done.stdout.splitlines())
        good = {path for path in paths if "%s: %s" % (path, fine) in lines}
        return good, "; ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[:3])

    def _check(self, words: t.Sequence[str], paths: t.Sequence[str], fine: str) -> dict[str, str]:
        good, _text = self._told(words, paths, fine)
        bad = {}
        for path in paths:
            if path not in good:
                # Alone, as a package that cannot be read garbles the line of the next one.
                alone, text = self._told(words, [path], fine)
                if not alone:
                    bad[path] = text.replace(path + ": ", "").replace(path, "it") or "rpmkeys says nothing"
        return bad

    def signed(self, paths: t.Sequence[str]) -> dict[str, str]:
        """Those that are damaged or not signed by the key: path to reason."""
        return self._check([], paths, "digests signatures OK")

    def intact(self, paths: t.Sequence[str]) -> dict[str, str]:
        """Those that are damaged, whoever signed them: path to reason."""
        return self._check(["--nosignature"], paths, "digests OK")


@contextlib.contextmanager
def verifier(host: Host, pubkey: bytes | None = None) -> t.Iterator[Verifier]:
    """A verifier whose database is gone afterwards."""
    with scratch("rpm-sign-") as folder:
        found = Verifier(host, folder)
        if pubkey is not None:
            found.trust(pubkey)
        else:
            # Makes the database, so that parallel checks do not.
            host.run([*found._argv, "-q", "gpg-pubkey"], check=False)
        yield found
