# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who makes the signatures: rpmsign, gpg-agent, or a key in a file. This module util is private to the collection.

Every backend takes packages to finished copies; none of them is trusted, what they made is verified afterwards.
"""

from __future__ import annotations

import hashlib
import itertools
import time
import typing as t

from .._errors import ClusterError
from .._host.host import Host
from .._rpm.header import Rpm
from .._rpm.signature import header_tag
from .assuan import Agent, AgentError
from .copies import Copy, copy_package, drop
from .home import Home, Passphrase
from .key import Signer, agent_sign
from .packet import DIGESTS, EDDSA, RSA, SecretKey, draft, finished

# For the list of actions: the real path is another one in each run.
PASSPHRASE_PLACE = "/proc/self/fd/passphrase"
_numbers = itertools.count()


class Failed(Exception):
    """The backend could not sign; ``args[0]`` tells why."""


class Backend(t.Protocol):
    """Makes signed copies; ClusterError or OSError when one of them does not work out, and none is left then."""

    def copies(self, paths: t.Sequence[str]) -> list[Copy]: ...

    def actions(self, paths: t.Sequence[str]) -> list[list[str]]: ...


def _all_copies(paths: t.Sequence[str], packets: t.Callable[[Rpm], t.Mapping[int, bytes]]) -> list[Copy]:
    made: list[Copy] = []
    try:
        for path in paths:
            made.append(copy_package(path, next(_numbers), packets))
    except BaseException:
        drop(made)
        raise
    return made


class Unsigned:
    """Takes signatures out."""

    def copies(self, paths: t.Sequence[str]) -> list[Copy]:
        return _all_copies(paths, lambda _rpm: {})

    def actions(self, paths: t.Sequence[str]) -> list[list[str]]:
        return []


def _macro(text: str) -> str:
    return text.replace("%", "%%")


class RpmSign:
    """rpm's own program over unsigned copies, many in one run. It calls gpg for each of them."""

    def __init__(self, host: Host, home: Home, fingerprint: str, digest: str, passphrase: str | None) -> None:
        program = host.which("rpmsign")
        if program is None:
            raise ClusterError("rpmsign is not installed", "install rpm (Fedora: rpm-sign), or use backend: agent")
        self._host = host
        self._home = home.use
        extra = ["--batch", "--no-tty", "--pinentry-mode", "loopback" if passphrase else "error"]
        extra += ["--passphrase-file", passphrase] if passphrase else []
        shown = [PASSPHRASE_PLACE if word == passphrase else word for word in extra]
        self._argv = self._words(program, home, home.use, fingerprint, digest, extra)
        self._shown = self._words(program, home, home.path, fingerprint, digest, shown)

    @staticmethod
    def _words(program: str, home: Home, path: str, key: str, digest: str, extra: t.Sequence[str]) -> list[str]:
        defines = {
            "__gpg": home.program,
            "_openpgp_sign": "gpg",
            "_openpgp_sign_id": key + "!",
            "_gpg_path": path,
            "_gpg_name": key + "!",
            "_gpg_digest_algo": digest,
            "_gpg_sign_cmd_extra_args": " ".join(extra),
        }
        words = [word for name, value in defines.items() for word in ("--define", "%s %s" % (name, _macro(value)))]
        return [program, *words, "--resign"]

    def copies(self, paths: t.Sequence[str]) -> list[Copy]:
        made = _all_copies(paths, lambda _rpm: {})
        # Without a terminal it complains once per package.
        env = {"GPG_TTY": "/dev/null", "GNUPGHOME": self._home}
        try:
            done = self._host.run([*self._argv, *(copy.path for copy in made)], check=False, env=env)
        except BaseException:
            drop(made)
            raise
        if done.rc != 0:
            drop(made)
            told = [line for line in done.stderr.splitlines() if line.strip()]
            raise Failed("rpmsign failed: %s" % " | ".join(told[:4]))
        return made

    def actions(self, paths: t.Sequence[str]) -> list[list[str]]:
        return [[*self._shown, *paths]]


Sign = t.Callable[[int, bytes], t.Sequence[bytes]]


def _header_digest(rpm: Rpm, digest: str) -> t.Any:
    """A hashlib object that has seen the main header as it lies in the file."""
    state = hashlib.new(digest)
    state.update(b"\x8e\xad\xe8\x01\0\0\0\0")
    state.update(rpm.header.body)
    return state


def packets_for(rpm: Rpm, algorithm: int, digest: str, fingerprint: str, sign: Sign) -> dict[int, bytes]:
    """A signature of the header, by tag."""
    one = draft(_header_digest(rpm, digest), algorithm, digest, fingerprint, int(time.time()))
    packet = finished(one, sign(DIGESTS[digest], one.value))
    return {header_tag(packet): packet}


class ByAgent:
    """gpg-agent signs, and may keep the key on a smartcard; the packets are made here."""

    def __init__(self, home: Home, socket: str, signer: Signer, digest: str, secret: Passphrase) -> None:
        self._connect: t.Callable[[], Agent] = lambda: home.connect(socket, secret)
        self._signer = signer
        self._digest = digest

    def copies(self, paths: t.Sequence[str]) -> list[Copy]:
        try:
            with self._connect() as agent:
                return _all_copies(paths, lambda rpm: self._packets(agent, rpm))
        except AgentError as error:
            raise Failed("gpg-agent: %s" % error)

    def _packets(self, agent: Agent, rpm: Rpm) -> dict[int, bytes]:
        signer = self._signer
        return packets_for(
            rpm,
            signer.algorithm,
            self._digest,
            signer.fingerprint,
            lambda kind, value: agent_sign(agent, signer, kind, value),
        )

    def actions(self, paths: t.Sequence[str]) -> list[list[str]]:
        return []


def file_signer(key: SecretKey) -> Sign:
    """Signs with a key in memory by the Python library cryptography; ClusterError without it."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils
    except ImportError:
        raise ClusterError(
            "backend keyfile needs the Python library cryptography",
            "install python3-cryptography on the host, or use backend: agent",
        )
    if key.algorithm == EDDSA:
        edwards: t.Any = ed25519.Ed25519PrivateKey.from_private_bytes(key.secrets[0].to_bytes(32, "big"))

        def by_edwards(_kind: int, value: bytes) -> list[bytes]:
            made = edwards.sign(value)
            return [made[:32], made[32:]]

        return by_edwards
    kinds = {8: hashes.SHA256(), 9: hashes.SHA384(), 10: hashes.SHA512()}
    (modulus, exponent), (secret, one, other, _inverse) = key.numbers, key.secrets
    numbers = rsa.RSAPrivateNumbers(
        p=one,
        q=other,
        d=secret,
        dmp1=secret % (one - 1),
        dmq1=secret % (other - 1),
        iqmp=rsa.rsa_crt_iqmp(one, other),
        public_numbers=rsa.RSAPublicNumbers(exponent, modulus),
    )
    private = numbers.private_key()
    return lambda kind, value: [private.sign(value, padding.PKCS1v15(), utils.Prehashed(kinds[kind]))]


class ByFile:
    """A key without protection in a file, for keys that are thrown away."""

    def __init__(self, key: SecretKey, digest: str) -> None:
        self._key = key
        self._digest = digest
        self._sign = file_signer(key)

    def copies(self, paths: t.Sequence[str]) -> list[Copy]:
        key = self._key
        return _all_copies(
            paths, lambda rpm: packets_for(rpm, key.algorithm, self._digest, key.fingerprint, self._sign)
        )

    def actions(self, paths: t.Sequence[str]) -> list[list[str]]:
        return []


ALGORITHMS = {RSA: "rsa", EDDSA: "eddsa"}
