# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SHA256SUMS of a tree and who signed it. This module util is private to the collection.

Lines as sha256sum writes them: 64 hex digits, a blank, a blank or ``*``, the path below the folder of the file.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import tempfile
import typing as t

from .._host.errors import ClusterError
from .._host.files import sha256_file
from .._host.host import File, Host
from .._sign.cleartext import is_clear, parse_clear

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_BLOCK = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.S
)


def parse_sums(text: str, where: str) -> dict[str, str]:
    """Path to digest; ClusterError names the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise ClusterError(
                "%s:%d is no line of sha256sum: %r" % (where, number, line[:80]), "ask who runs the source"
            )
        path = os.path.normpath(match.group(2))
        if path.startswith(("/", "../")) or path in (".", ".."):
            raise ClusterError("%s:%d leads out of the tree: %s" % (where, number, path), "ask who runs the source")
        found[path] = match.group(1)
    return found


def misfits(sums: t.Mapping[str, str], digest: t.Callable[[str], str | None]) -> list[str]:
    """Paths whose digest is another one or that are not there, sorted."""
    return sorted(path for path, wanted in sums.items() if digest(path) != wanted)


def file_digest(path: str) -> str | None:
    """SHA-256 of a file, None when there is none."""
    try:
        return sha256_file(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def keyring(content: bytes, path: str) -> bytes:
    """Binary keys as gpgv reads them, of an armored or binary file."""
    if content[:1] and content[0] & 0x80:
        return content
    blocks = _BLOCK.findall(content.replace(b"\r\n", b"\n"))
    try:
        # The line with the check sum begins with '='.
        lines = (b"".join(line for line in block.split(b"\n") if not line.startswith(b"=")) for block in blocks)
        keys = b"".join(base64.b64decode(line, validate=True) for line in lines)
    except binascii.Error:
        keys = b""
    if not keys:
        raise ClusterError("%s holds no public key" % path, "export one with gpg --armor --export")
    return keys


def _judge(host: Host, ring: str, signature: str, signed: str, name: str) -> list[str]:
    """Fingerprints that made a good signature: of the key that signed and of its primary key."""
    program = host.which("gpgv") or host.which("gpgv2")
    if program is None:
        raise ClusterError("gpgv is not installed", "install the package gpgv (Fedora: gnupg2)")
    done = host.run([program, "--keyring", ring, "--status-fd", "1", signature, signed], check=False)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("[GNUPG:] ")]
    good = {words[1] for words in lines}
    valid = [words for words in lines if words[1] == "VALIDSIG"]
    if done.rc != 0 or "GOODSIG" not in good or not valid:
        told = [line for line in done.stderr.splitlines() if "Signature made" not in line and line.strip()]
        raise ClusterError("%s: no good signature: %s" % (name, " | ".join(told[-2:])), "nothing was published")
    return [name.lower() for words in valid for name in (words[2], words[-1])]


def _demand_key(names: t.Sequence[str], key: str, signed: str) -> None:
    wanted = key.lower().replace(" ", "")
    if wanted and not any(name == wanted for name in names):
        raise ClusterError("%s is signed by %s" % (signed, names[0]), "the key has to be %s" % key)


def check_signature(host: Host, pubkey: str, key: str, signature: str, signed: str) -> bytes | None:
    """ClusterError unless a key of the file ``pubkey`` signed; with ``key``, the one with this fingerprint.

    The file ``signature`` is one of the file ``signed``, or a text with its own signature, which is returned then.
    """
    content = host.read(pubkey)
    if content is None:
        raise ClusterError("%s does not exist" % pubkey, "put the public key of the source there")
    data = host.read(signature)
    if data is None:
        raise ClusterError("%s is not signed" % signed, "the source has to offer %s" % os.path.basename(signature))
    text, armored = parse_clear(data, signature) if is_clear(data) else (None, data)
    folder = tempfile.mkdtemp(prefix="mirror-sync-")
    try:
        ring, apart = os.path.join(folder, "ring.gpg"), os.path.join(folder, "signature")
        host.write_files({ring: File(keyring(content, pubkey), 0o600), apart: File(armored, 0o600)})
        if text is not None:
            host.write_files({os.path.join(folder, NAME): File(text[:-1], 0o600)})
        names = _judge(host, ring, apart, signed if text is None else os.path.join(folder, NAME), signed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _demand_key(names, key, signed)
    return text
