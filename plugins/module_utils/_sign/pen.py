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
from .cleartext import canonical, parse_clear, render_clear
from .detached import Judge, judge, make_of, target
from .home import Home, read_passphrase
from .key import Signer, accepted, find_key, opened
from .scratch import scratch


class Pen:
    """One key, for armored signatures beside files or in texts. gpg-agent is asked only when there is one to make.

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

    @property
    def _names(self) -> frozenset[str]:
        return accepted(self._key, self._options["key"])

    def fits(self, path: str) -> bool:
        """Whether the signature beside a file is right."""
        return os.path.isfile(target(path, "asc")) and self._judge.fits(target(path, "asc"), path, self._names)

    def fits_clear(self, path: str) -> bool:
        """Whether the signed text beside a file is the text of the file, and its signature right."""
        place = target(path, "asc")
        try:
            text, signature = parse_clear(self._host.read(place) or b"", place)
        except ClusterError:
            return False
        return text == self._host.read(path) and self._good(text[:-1], signature, self._names)

    def ready(self) -> tuple[Agent, Signer]:
        """ClusterError when the key cannot sign, or the passphrase is another one."""
        if self._open is None:
            key = opened(self._key, self._options["key"], self._home, self._secret)
            _socket, agent, signer = self._stack.enter_context(key)
            self._open = agent, signer
        return self._open

    def _good(self, content: bytes, signature: bytes, names: frozenset[str]) -> bool:
        with scratch("pen-") as folder:
            trial = os.path.join(folder, "content")
            self._host.write_files({trial: File(content, 0o600), target(trial, "asc"): File(signature, 0o600)})
            return self._judge.fits(target(trial, "asc"), trial, names)

    def _made(self, content: bytes, covered: bytes, path: str, text: bool) -> bytes:
        agent, signer = self.ready()
        digest = self._options["digest"]
        made = make_of(agent, signer, hashlib.new(digest, covered), path, digest, "asc", text)
        if not self._good(content, made, frozenset([signer.fingerprint.lower()])):
            raise ClusterError("the signature of %s does not verify" % path, "nothing was changed")
        return made

    def sign(self, content: bytes, path: str) -> bytes:
        """The signature of a content, judged by gpg; ``path`` is where it will be, for errors."""
        return self._made(content, content, path, False)

    def sign_clear(self, content: bytes, path: str) -> bytes:
        """A text and its signature as one file; ``content`` ends with a line end and has no blanks before one."""
        made = self._made(content[:-1], canonical(content), path, True)
        return render_clear(content, self._options["digest"], made)
