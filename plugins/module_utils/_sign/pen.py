# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of contents that are not written yet. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from .._errors import ClusterError
from .._host.host import File, Host
from .assuan import Agent
from .detached import Judge, judge, make_of, target
from .home import Home, read_passphrase
from .key import Signer, accepted, find_key, opened
from .scratch import scratch


class Pen:
    """One key, for armored signatures beside files. gpg-agent is asked only when there is something to sign.

    ``options`` are key, gnupg_home, gpg_program, passphrase_file, passphrase and digest, as of detached_sign.
    """

    def __init__(self, options: t.Mapping[str, t.Any], lock_timeout: float, host: Host) -> None:
        self._options, self._host = options, host
        self._secret = read_passphrase(host, options["passphrase_file"], options["passphrase"])
        self._home = Home(host, options["gnupg_home"], options["gpg_program"], lock_timeout)
        self._key = find_key(self._home, options["key"])
        self._stack = contextlib.ExitStack()
        self._open: tuple[Agent, Signer] | None = None

    def __enter__(self) -> Pen:
        self._judge: Judge = self._stack.enter_context(judge(self._home, self._home.export(self._key.fingerprint)))
        return self

    def __exit__(self, *_error: t.Any) -> None:
        self._stack.close()

    def fits(self, path: str) -> bool:
        """Whether the signature beside a file is right."""
        names = accepted(self._key, self._options["key"])
        return os.path.isfile(target(path, "asc")) and self._judge.fits(target(path, "asc"), path, names)

    def ready(self) -> tuple[Agent, Signer]:
        """ClusterError when the key cannot sign, or the passphrase is another one."""
        if self._open is None:
            key = opened(self._key, self._options["key"], self._home, self._secret)
            _socket, agent, signer = self._stack.enter_context(key)
            self._open = agent, signer
        return self._open

    def sign(self, content: bytes, path: str) -> bytes:
        """The signature of a content, judged by gpg; ``path`` is where it will be, for errors."""
        agent, signer = self.ready()
        digest = self._options["digest"]
        made = make_of(agent, signer, hashlib.new(digest, content), path, digest, "asc")
        with scratch("pen-") as folder:
            trial = os.path.join(folder, "content")
            self._host.write_files({trial: File(content, 0o600), target(trial, "asc"): File(made, 0o600)})
            if not self._judge.fits(target(trial, "asc"), trial, frozenset([signer.fingerprint.lower()])):
                raise ClusterError("the signature of %s does not verify" % path, "nothing was changed")
        return made
