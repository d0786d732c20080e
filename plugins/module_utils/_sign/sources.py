# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the signatures of a run come from: a key, and what signs with it. This module util is private to us."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._errors import ClusterError
from .._host.host import Host
from .backends import ALGORITHMS, Backend, ByAgent, ByFile, RpmSign, Unsigned
from .home import Home, Passphrase, passphrase_path, read_passphrase
from .key import accepted, find_key, normal, opened
from .packet import SecretKey, public_part, secret_keys
from .plan import DEFAULT_DIGEST, Wanted

Params = t.Mapping[str, t.Any]


@dataclass
class Ready:
    """A backend that was tried, what it makes, and the public key that judges it (None: signatures go)."""

    backend: Backend
    wanted: Wanted
    after: tuple[str, ...] = ()
    pubkey: bytes | None = None
    warnings: tuple[str, ...] = ()


class Source(t.Protocol):
    """Where signatures come from. ``wanted`` costs little, ``ready`` is for runs that sign."""

    @property
    def wanted(self) -> Wanted: ...

    def ready(self) -> t.ContextManager[Ready]: ...


class NoKey:
    """state: absent"""

    wanted = Wanted()

    @contextlib.contextmanager
    def ready(self) -> t.Iterator[Ready]:
        yield Ready(Unsigned(), self.wanted)


def _line(algorithm: int, digest: str, fingerprint: str) -> tuple[str, ...]:
    return ("header %s %s %s" % (ALGORITHMS[algorithm], digest, fingerprint.upper()),)


class GpgKey:
    """A key in a folder of GnuPG."""

    def __init__(self, params: Params, host: Host) -> None:
        self._host, self._params = host, params
        self._secret = read_passphrase(host, params["passphrase_file"], params["passphrase"])
        self._home = Home(host, params["gnupg_home"], params["gpg_program"], params["lock_timeout"])
        self._key = find_key(self._home, params["key"])
        self._digest = params["digest"] or DEFAULT_DIGEST
        self.wanted = Wanted(accepted(self._key, params["key"]), params["digest"] or "")

    @contextlib.contextmanager
    def ready(self) -> t.Iterator[Ready]:
        """The key has signed once, so that its passphrase is right."""
        with contextlib.ExitStack() as stack:
            key = opened(self._key, self._params["key"], self._home, self._secret)
            socket, _agent, signer = stack.enter_context(key)
            idle = self._secret.value is not None and not signer.protected
            note = "key %s has no passphrase, the one that was given is not used" % signer.fingerprint
            # Of several parts of the key the one that signs is the wanted one now.
            wanted = Wanted(frozenset([signer.fingerprint.lower()]), self._digest)
            if self._params["backend"] == "agent":
                backend: Backend = ByAgent(self._home, socket, signer, self._digest, self._secret)
            else:
                path = stack.enter_context(passphrase_path(self._secret if not idle else Passphrase(None)))
                backend = RpmSign(self._host, self._home, signer.fingerprint, self._digest, path)
            after = _line(signer.algorithm, self._digest, signer.fingerprint)
            pubkey = self._home.export(self._key.fingerprint)
            yield Ready(backend, wanted, after, pubkey, (note,) if idle else ())


class FileKey:
    """An exported secret key without a passphrase."""

    def __init__(self, params: Params, host: Host) -> None:
        path = params["keyfile"]
        if not path or not params["throwaway"]:
            raise ClusterError(
                "backend keyfile reads an unprotected key from a file, which is for keys that are thrown away",
                "give keyfile and throwaway: true, or take backend: agent",
            )
        if params["passphrase_file"] or params["passphrase"] is not None:
            raise ClusterError("backend keyfile takes no passphrase", "use backend: agent for a protected key")
        data = host.read(path)
        if data is None:
            raise ClusterError("keyfile %s does not exist" % path, "gpg --export-secret-keys writes it")
        self._key = self._chosen(data, path, normal(params["key"]))
        self._pubkey = public_part(data)
        self._digest = params["digest"] or DEFAULT_DIGEST
        self.wanted = Wanted(frozenset([self._key.fingerprint.lower()]), params["digest"] or "")

    @staticmethod
    def _chosen(data: bytes, path: str, name: str) -> SecretKey:
        try:
            keys = secret_keys(data)
        except ValueError as error:
            raise ClusterError("keyfile %s: %s" % (path, error), "an exported RSA or Ed25519 key without passphrase")
        found = [key for key in keys.values() if key.fingerprint.endswith(name)]
        if len(found) != 1:
            raise ClusterError("keyfile %s does not hold key %s" % (path, name), "it holds " + ", ".join(sorted(keys)))
        return found[0]

    @contextlib.contextmanager
    def ready(self) -> t.Iterator[Ready]:
        key = self._key
        wanted = Wanted(self.wanted.fingerprints, self._digest)
        after = _line(key.algorithm, self._digest, key.fingerprint)
        yield Ready(ByFile(key, self._digest), wanted, after, self._pubkey)


def source_of(params: Params, host: Host) -> Source:
    """The one that the options name; ClusterError when they do not fit."""
    if params["state"] == "absent":
        return NoKey()
    if not params["key"]:
        raise ClusterError("state: present needs key", "the fingerprint of the key that signs")
    return FileKey(params, host) if params["backend"] == "keyfile" else GpgKey(params, host)
