# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which key signs: found by gpg, judged here. This module util is private to the collection.

Format: doc/DETAILS of GnuPG, colon listings. Field 2 validity, 4 algorithm, 6 and 7 creation and end, 12 capabilities,
17 curve; ``fpr`` and ``grp`` lines follow the key or subkey that they belong to.
"""

from __future__ import annotations

import contextlib
import re
import time
import typing as t
from dataclasses import dataclass, field

from .._errors import ClusterError
from .assuan import BAD_PASSPHRASE, NO_PINENTRY, Agent, AgentError, signature_values
from .home import Home, Passphrase
from .packet import EDDSA, RSA

NAMES = {RSA: "rsa", EDDSA: "eddsa"}
_HEX = re.compile(r"(?:0x)?([0-9A-Fa-f]{8}|[0-9A-Fa-f]{16}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?")


@dataclass
class Part:
    """A primary key or a subkey; ``ends`` 0 for never."""

    kind: str
    validity: str
    algorithm: int
    created: int
    ends: int
    can: str
    curve: str
    fingerprint: str = ""
    grip: str = ""


@dataclass
class Key:
    """A primary key with its subkeys and user ids."""

    parts: list[Part] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return self.parts[0].fingerprint

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of every part, small letters as in a signature."""
        return frozenset(part.fingerprint.lower() for part in self.parts)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def parse_colons(text: str) -> list[Key]:
    """The keys of a colon listing."""
    keys: list[Key] = []
    for line in text.splitlines():
        row = [*line.split(":"), *[""] * 20][:20]
        if row[0] in ("pub", "sec"):
            keys.append(Key())
        if row[0] in ("pub", "sec", "sub", "ssb") and keys:
            times = (_number(row[5]), _number(row[6]))
            keys[-1].parts.append(Part(row[0], row[1], _number(row[3]), *times, row[11], row[16]))
        elif keys and row[0] == "fpr" and not keys[-1].parts[-1].fingerprint:
            keys[-1].parts[-1].fingerprint = row[9]
        elif keys and row[0] == "grp":
            keys[-1].parts[-1].grip = row[9]
        elif keys and row[0] == "uid":
            keys[-1].users.append(re.sub(r"\\x([0-9a-f]{2})", lambda one: chr(int(one.group(1), 16)), row[9]))
    return keys


def normal(wanted: str) -> str:
    """A fingerprint or key id in capital letters; ClusterError when it is none."""
    found = _HEX.fullmatch(wanted.replace(" ", ""))
    if not found:
        raise ClusterError("%r is no fingerprint" % wanted, "gpg --list-keys shows it: 40 hex digits")
    return found.group(1).upper()


def find_key(home: Home, wanted: str) -> Key:
    """The one key with this fingerprint or id, or with such a subkey; ClusterError when there is none or several."""
    home.demand()
    name = normal(wanted)
    listing = home.gpg(["--with-colons", "--with-keygrip", "--list-keys", "0x" + name], check=False).stdout
    keys = [key for key in parse_colons(listing) if any(part.fingerprint.endswith(name) for part in key.parts)]
    if not keys:
        raise ClusterError("key %s is not in %s" % (name, home.path), "import it with gpg_key, or name gnupg_home")
    if len(keys) > 1:
        told = ", ".join(sorted(key.fingerprint for key in keys))
        raise ClusterError("%s may be any of %d keys: %s" % (name, len(keys), told), "give the whole fingerprint")
    return keys[0]


def accepted(key: Key, wanted: str) -> frozenset[str]:
    """Fingerprints that a signature may have: those of the whole key, or of the one subkey that was named."""
    name = normal(wanted)
    exact = [part.fingerprint.lower() for part in key.parts[1:] if part.fingerprint.endswith(name)]
    return frozenset(exact) or key.fingerprints


def _complaint(part: Part, now: float) -> str:
    if part.validity == "r":
        return "is revoked"
    if part.validity == "e" or 0 < part.ends <= now:
        return "expired on %s" % time.strftime("%Y-%m-%d", time.gmtime(part.ends))
    if part.created > now:
        return "is from the future, %s" % time.strftime("%Y-%m-%d %H:%M", time.gmtime(part.created))
    if "D" in part.can:
        return "is disabled"
    if part.algorithm not in NAMES or (part.algorithm == EDDSA and part.curve not in ("", "ed25519")):
        return "is neither RSA nor Ed25519"
    return ""


def signers(key: Key, wanted: str, now: float) -> list[Part]:
    """The parts that may sign, best first: the newest subkey as gpg does, then the key itself.

    The fingerprint of a subkey means that subkey. ClusterError tells why none may.
    """
    why = _complaint(key.parts[0], now)
    if why and why != "is neither RSA nor Ed25519":
        raise ClusterError("key %s %s" % (key.fingerprint, why), "sign with another key, or renew it")
    name = normal(wanted)
    exact = [part for part in key.parts[1:] if part.fingerprint.endswith(name)]
    order = exact or [*sorted(key.parts[1:], key=lambda part: -part.created), key.parts[0]]
    able = [part for part in order if "s" in part.can]
    good = [part for part in able if not _complaint(part, now)]
    if good:
        return good
    told = _complaint(able[0], now) if able else "is not made for signing"
    raise ClusterError("key %s %s" % (key.fingerprint, told), "RPM packages need an RSA or Ed25519 key that signs")


@dataclass(frozen=True)
class Signer:
    """The part that signs; ``protected`` when it has a passphrase, ``known`` when the agent had it already."""

    fingerprint: str
    grip: str
    algorithm: int
    protected: bool = False
    known: bool = False


def open_signer(agent: Agent, key: Key, parts: t.Sequence[Part], home: Home) -> Signer:
    """The first part whose secret the agent has."""
    for part in parts:
        try:
            (status,) = agent.command("KEYINFO " + part.grip).status
        except (AgentError, ValueError):
            continue
        row = [*status.split(), *"-" * 8]
        # KEYINFO grip type serial id cached protection
        return Signer(part.fingerprint, part.grip, part.algorithm, row[6] == "P", row[5] == "1")
    raise ClusterError(
        "%s has no secret part of key %s" % (home.path, key.fingerprint), "import the secret key with gpg_key"
    )


def agent_sign(agent: Agent, signer: Signer, digest: int, value: bytes) -> list[bytes]:
    """The numbers of a signature of ``value``, a digest of kind ``digest``; AgentError when the key does not sign."""
    if agent.selected != signer.grip:
        agent.command("SIGKEY " + signer.grip)
        agent.selected = signer.grip
    agent.command("SETHASH %d %s" % (digest, value.hex().upper()))
    try:
        return signature_values(agent.command("PKSIGN").data)
    except ValueError as error:
        raise AgentError(0, "gpg-agent gave %s" % error)


def try_signer(agent: Agent, signer: Signer, secret: Passphrase) -> None:
    """One signature of nothing, so that a wrong passphrase is told before anything is changed."""
    if secret.value is None and signer.protected and not signer.known:
        raise ClusterError(
            "key %s needs its passphrase, and gpg-agent does not know it" % signer.fingerprint,
            "give passphrase_file or passphrase",
        )
    try:
        if secret.value is not None:
            # Else the agent would take the one that it remembers, right or wrong.
            agent.command("OPTION use-cache-for-signing=0")
        agent_sign(agent, signer, 8, bytes(32))
        agent.command("OPTION use-cache-for-signing=1")
    except AgentError as error:
        if error.code == BAD_PASSPHRASE:
            raise ClusterError("wrong passphrase for key %s" % signer.fingerprint, "nothing was changed")
        hint = "see allow-loopback-pinentry in gpg-agent.conf" if error.code == NO_PINENTRY else "nothing was changed"
        raise ClusterError("key %s does not sign: %s" % (signer.fingerprint, error), hint)


def forget(agent: Agent, signer: Signer) -> None:
    """The agent was told the passphrase by us: it need not remember it."""
    if signer.protected and not signer.known:
        try:
            agent.command("CLEAR_PASSPHRASE --mode=normal " + signer.grip)
        except AgentError:
            pass


@contextlib.contextmanager
def opened(key: Key, wanted: str, home: Home, secret: Passphrase) -> t.Iterator[tuple[str, Agent, Signer]]:
    """The agent's socket, the agent, and the part of ``key`` that signs; it has signed once, so its passphrase fits.

    ``wanted`` is how the user named the key. ClusterError when it cannot sign, or the passphrase is another one.
    """
    parts = signers(key, wanted, time.time())
    with home.agent() as socket, home.connect(socket, secret) as agent:
        signer = open_signer(agent, key, parts, home)
        try:
            try_signer(agent, signer, secret)
            yield socket, agent, signer
        finally:
            forget(agent, signer)
