# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protocol of gpg-agent: lines over a local socket. This module util is private to the collection.

Format: the Assuan manual of GnuPG. A command is a line; the answer is any number of ``S`` and ``D`` lines, maybe an
``INQUIRE`` that is answered by ``D`` lines and ``END``, then ``OK`` or ``ERR code text``.
"""

from __future__ import annotations

import re
import socket
import typing as t

from .._errors import ClusterError

BAD_PASSPHRASE, NO_PINENTRY, NO_SECRET_KEY, NOT_FOUND = 11, 85, 17, 27
_ESCAPES = re.compile(rb"%([0-9A-Fa-f]{2})")
_LONGEST_LINE = 1000


class AgentError(Exception):
    """The agent refused a command: ``code`` is that of libgpg-error without its source."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Answer(t.NamedTuple):
    """Data and status lines (without the leading ``S``) of one command."""

    data: bytes
    status: list[str]


def escape(data: bytes) -> bytes:
    """Percent, carriage return and line feed cannot stand in a line."""
    return data.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def unescape(data: bytes) -> bytes:
    return _ESCAPES.sub(lambda found: bytes([int(found.group(1), 16)]), data)


class Agent:
    """A connection. ``passphrase`` answers the agent's question for one; it never shows in an error.

    ``asked`` counts these questions, ``selected`` is the key (by its keygrip) that signs on this connection.
    """

    def __init__(self, path: str, passphrase: bytes | None = None, timeout: float = 120.0) -> None:
        self.passphrase = passphrase
        self.asked = 0
        self.selected = ""
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._link.settimeout(timeout)
        self._rest = b""
        try:
            self._link.connect(path)
            self._answer()
        except OSError as error:
            self.close()
            raise ClusterError("cannot talk to gpg-agent at %s: %s" % (path, error.strerror or error))

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_error: t.Any) -> None:
        self.close()

    def close(self) -> None:
        self._link.close()

    def command(self, line: str) -> Answer:
        """Send a command and wait for its end; AgentError when it is refused."""
        try:
            self._link.sendall(line.encode() + b"\n")
            return self._answer()
        except OSError as error:
            raise ClusterError("gpg-agent does not answer: %s" % (error.strerror or error), "run again")

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            more = self._link.recv(1 << 16)
            if not more:
                raise OSError("it closed the connection")
            self._rest += more
        line, _end, self._rest = self._rest.partition(b"\n")
        return line

    def _answer(self) -> Answer:
        data, status = bytearray(), []
        while True:
            word, _blank, rest = self._line().partition(b" ")
            if word == b"D":
                data += unescape(rest)
            elif word == b"S":
                status.append(rest.decode("utf-8", "replace"))
            elif word == b"INQUIRE":
                self._inquired(rest)
            elif word == b"OK":
                return Answer(bytes(data), status)
            elif word == b"ERR":
                code, _space, text = rest.decode("utf-8", "replace").partition(" ")
                raise AgentError(int(code) & 0xFFFF if code.isdigit() else 0, text.partition(" <")[0])

    def _inquired(self, what: bytes) -> None:
        """The agent asks: for the passphrase it gets it, for anything else nothing."""
        if what.split(b" ")[0] == b"PASSPHRASE" and self.passphrase is not None:
            self.asked += 1
            words = escape(self.passphrase)
            if len(words) > _LONGEST_LINE - 3:
                raise ClusterError("the passphrase is too long for gpg-agent", "at most 255 bytes")
            self._link.sendall(b"D " + words + b"\n")
        self._link.sendall(b"END\n")


Nested = t.Union[bytes, t.List[t.Any]]


def parse_sexp(data: bytes) -> Nested:
    """A canonical S-expression as nested lists; ValueError when it is none."""
    stack: list[list[t.Any]] = [[]]
    at = 0
    while at < len(data):
        if data[at : at + 1] == b"(":
            stack.append([])
            at += 1
        elif data[at : at + 1] == b")" and len(stack) > 1:
            stack[-2].append(stack.pop())
            at += 1
        else:
            found = re.match(rb"(\d{1,6}):", data[at : at + 8])
            if not found or at + found.end() + int(found.group(1)) > len(data):
                raise ValueError("no S-expression")
            at += found.end()
            stack[-1].append(data[at : at + int(found.group(1))])
            at += int(found.group(1))
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError("no S-expression")
    return t.cast("Nested", stack[0][0])


def signature_values(data: bytes) -> list[bytes]:
    """The numbers of ``(sig-val (algorithm (name value)...))`` in their order; ValueError when it is none."""
    found = parse_sexp(data)
    try:
        if found[0] != b"sig-val":
            raise ValueError("no signature")
        return [pair[1] for pair in t.cast("t.Any", found)[1][1:] if pair[0] in (b"r", b"s")]
    except (IndexError, TypeError):
        raise ValueError("no signature")
