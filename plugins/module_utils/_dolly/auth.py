# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may talk: HMAC-SHA256 and the two halves of the greeting. This module util is private to the collection.

caller  HELLO      role, session, sha256, size, name, nonce
callee  CHALLENGE  name, auth (hmac or none), nonce
caller  AUTH       proof of the caller over both messages above (empty without a secret)
callee  WELCOME    proof of the callee, then what the role asks for
The secret never travels. HMAC is written out here because the smallest Python of Debian has no module for it.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from . import wire
from .errors import DollyError, WireError

MIN_SECRET = 16


def hmac_sha256(key: bytes, message: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) as hex."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two proofs in a time that does not tell where they differ."""
    difference = len(left) ^ len(right)
    for one, two in zip(left.encode(), right.encode()):
        difference |= one ^ two
    return difference == 0


def read_secret(path: str) -> bytes:
    """The secret of a push: the content of a file without surrounding blanks, at least 16 bytes."""
    try:
        with open(path, "rb") as stream:
            secret = stream.read(4096).strip()
    except OSError as error:
        raise DollyError("cannot read the secret file %s: %s" % (path, error.strerror))
    if len(secret) < MIN_SECRET:
        raise DollyError("the secret in %s has less than %d bytes" % (path, MIN_SECRET), "make a longer one")
    return secret


def nonce() -> str:
    """32 hex digits."""
    return os.urandom(16).hex()


def _proof(secret: bytes, side: str, hello: bytes, challenge: bytes) -> str:
    return hmac_sha256(secret, side.encode() + b"\0" + hello + b"\0" + challenge)


class Caller:
    """The greeting of the side that connects. ``allow_open``: talk to callees that know no secret."""

    def __init__(self, hello: t.Mapping[str, object], secret: bytes = b"", allow_open: bool = False) -> None:
        self._hello = wire.render_fields(dict(hello, nonce=nonce()))
        self._challenge = b""
        self._secret = secret
        self._allow_open = allow_open
        self.authenticated = False

    def start(self) -> bytes:
        """The HELLO frame."""
        return wire.pack(wire.HELLO, wire.parse_fields(self._hello))

    def answer(self, frame: wire.Frame) -> bytes:
        """The AUTH frame that answers a CHALLENGE."""
        if frame.kind != wire.CHALLENGE:
            raise WireError("expected CHALLENGE, got %s" % wire.NAMES[frame.kind])
        self._challenge = bytes(frame.body)
        self.authenticated = frame.fields.get("auth") == "hmac"
        if self.authenticated and not self._secret:
            raise DollyError("the node wants the secret of the push", "give secret_file")
        if self._secret and not self.authenticated and not self._allow_open:
            raise DollyError("the node knows no secret", "start its agent with the secret or allow open nodes")
        proof = _proof(self._secret, "caller", self._hello, self._challenge) if self.authenticated else ""
        return wire.pack(wire.AUTH, {"proof": proof})

    def welcome(self, frame: wire.Frame) -> wire.Fields:
        """The fields of WELCOME, when the callee proved that it knows the secret."""
        if frame.kind != wire.WELCOME:
            raise WireError("expected WELCOME, got %s" % wire.NAMES[frame.kind])
        wanted = _proof(self._secret, "callee", self._hello, self._challenge)
        if self.authenticated and not same(frame.fields.get("proof", ""), wanted):
            raise DollyError("the node has another secret")
        return frame.fields


class Callee:
    """The greeting of the side that is called."""

    def __init__(self, name: str, secret: bytes = b"") -> None:
        self._secret = secret
        self._hello = b""
        self._challenge = wire.render_fields({"name": name, "auth": "hmac" if secret else "none", "nonce": nonce()})

    def challenge(self, frame: wire.Frame) -> bytes:
        """The CHALLENGE frame that answers a HELLO."""
        if frame.kind != wire.HELLO:
            raise WireError("expected HELLO, got %s" % wire.NAMES[frame.kind])
        self._hello = bytes(frame.body)
        return wire.pack(wire.CHALLENGE, wire.parse_fields(self._challenge))

    def admit(self, frame: wire.Frame) -> wire.Fields:
        """The fields of the HELLO, when the caller proved that it knows the secret."""
        if frame.kind != wire.AUTH:
            raise WireError("expected AUTH, got %s" % wire.NAMES[frame.kind])
        wanted = _proof(self._secret, "caller", self._hello, self._challenge)
        if self._secret and not same(frame.fields.get("proof", ""), wanted):
            raise DollyError("the caller does not know the secret of this node")
        return wire.parse_fields(self._hello)

    def proof(self) -> str:
        """What the WELCOME frame shows the caller."""
        return _proof(self._secret, "callee", self._hello, self._challenge) if self._secret else ""
