# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder of GnuPG: its programs, its agent, one passphrase. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote

from .._errors import ClusterError
from .._host.host import Completed, Host
from .assuan import Agent
from .copies import folder_lock
from .scratch import scratch

# The longest path of a local socket is 107 bytes, and the agent makes one with this name.
_LONGEST_SOCKET, _LONGEST_NAME = 107, "/S.gpg-agent.browser"


def default_home() -> str:
    return os.environ.get("GNUPGHOME") or os.path.expanduser("~/.gnupg")


def find_gpg(host: Host, wanted: str | None = None) -> str:
    """Full path of gpg."""
    for name in [wanted] if wanted else ["gpg", "gpg2"]:
        found = host.which(name)
        if found:
            return found
    raise ClusterError("%s is not installed" % (wanted or "gpg"), "install gnupg (Fedora: gnupg2)")


@dataclass(frozen=True)
class Passphrase:
    """The secret, or None for what gpg-agent knows. Its text shows nothing."""

    value: bytes | None

    def __repr__(self) -> str:
        return "Passphrase(%s)" % ("None" if self.value is None else "...")


def read_passphrase(host: Host, path: str | None, text: str | None) -> Passphrase:
    """The first line of the file, or the text; ClusterError when the file is missing or there is nothing in it."""
    if path and text is not None:
        raise ClusterError("passphrase and passphrase_file exclude each other", "keep one")
    if not path and text is None:
        return Passphrase(None)
    content = (host.read(path) if path else str(text).encode()) or b""
    if path and not content:
        raise ClusterError("%s is missing or empty" % path, "nothing is signed without the passphrase")
    line = content.split(b"\n")[0].rstrip(b"\r")
    if not line:
        raise ClusterError("the passphrase is empty", "leave the option out for a key without a passphrase")
    return Passphrase(line)


@contextlib.contextmanager
def passphrase_path(secret: Passphrase) -> t.Iterator[str | None]:
    """A path that child processes of this user read the passphrase from, as often as they like; never on disk.

    The kernel forgets it together with this process, however that ends.
    """
    if secret.value is None:
        yield None
        return
    handle = os.memfd_create("passphrase")
    try:
        os.write(handle, secret.value + b"\n")
        yield "/proc/%d/fd/%d" % (os.getpid(), handle)
    finally:
        os.close(handle)


class Home:
    """``path`` as the user named it; ``use`` leads to the same folder and is short enough for sockets.

    ``lock_timeout`` are the seconds to wait for another run that uses the agent.
    """

    def __init__(
        self, host: Host, path: str | None = None, program: str | None = None, lock_timeout: float = 60.0
    ) -> None:
        self.host = host
        self.path = os.path.abspath(path or default_home())
        self.program = find_gpg(host, program)
        self.use = self.path
        self._lock_timeout = lock_timeout
        self._held = False

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """Hold the folder, also inside of a block that holds it: who started the agent must not end it for others."""
        if self._held:
            yield
            return
        with folder_lock(self.path, self._lock_timeout):
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def demand(self) -> None:
        """ClusterError unless the folder is there and may be read."""
        if not os.path.isdir(self.path):
            raise ClusterError("gnupg_home %s does not exist" % self.path, "import the key with gpg_key first")
        if not os.access(self.path, os.R_OK | os.X_OK):
            raise ClusterError("gnupg_home %s may not be read" % self.path, "run as its owner")

    def gpg(self, words: t.Sequence[str], *, check: bool = True, stdin: bytes | None = None) -> Completed:
        argv = [self.program, "--homedir", self.use, "--batch", "--no-tty", "--trust-model", "always", *words]
        return self.host.run(argv, check=check, stdin=stdin, env={"GPG_TTY": ""})

    def export(self, fingerprint: str, minimal: bool = True) -> bytes:
        """The armored public key; ``minimal`` without what others say about it and what is outdated."""
        short = ["--export-options", "export-minimal"] if minimal else []
        done = self.gpg(["--armor", *short, "--export", fingerprint])
        if "BEGIN PGP PUBLIC KEY" not in done.stdout:
            raise ClusterError("key %s is not in %s" % (fingerprint, self.path), "import it with gpg_key")
        return done.stdout.encode()

    def _conf(self, *words: str, check: bool = True) -> str:
        return self.host.run(["gpgconf", "--homedir", self.use, *words], check=check).stdout.strip()

    def socket(self) -> str:
        return unquote(self._conf("--list-dirs", "agent-socket"))

    def discard(self) -> None:
        """Remove the folder, a temporary one, and the one for its sockets, which lies elsewhere on some systems."""
        self._conf("--remove-socketdir", check=False)
        shutil.rmtree(self.path, ignore_errors=True)

    def _short(self, stack: contextlib.ExitStack) -> None:
        """A short way to a folder deep down."""
        inside = self.socket().startswith(self.path + "/")
        if not inside or len(os.fsencode(self.path + _LONGEST_NAME)) <= _LONGEST_SOCKET:
            return
        place = stack.enter_context(scratch("gpg-home-", "/tmp"))
        stack.callback(setattr, self, "use", self.path)
        self.use = os.path.join(place, "h")
        os.symlink(self.path, self.use)

    @contextlib.contextmanager
    def agent(self, s2k_count: int = 0) -> t.Iterator[str]:
        """The socket of the running agent. One that was started for this is ended again.

        ``s2k_count`` is for an agent of its own: ClusterError when one runs already.
        """
        self.demand()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.locked())
            self._short(stack)
            path = self.socket()
            if not _answers(path):
                stack.callback(self._end, path)
                self._launch(s2k_count)
            elif s2k_count:
                raise ClusterError("gpg-agent runs already for %s" % self.path, "gpgconf --kill gpg-agent ends it")
            yield path

    def _launch(self, s2k_count: int) -> None:
        if not s2k_count:
            self._conf("--launch", "gpg-agent")
            return
        program = self.host.which("gpg-agent") or "gpg-agent"
        words = ["--homedir", self.use, "--quiet", "--s2k-count", str(s2k_count), "--daemon"]
        self.host.run([program, *words])

    def _end(self, path: str) -> None:
        """End the agent and wait until it is gone."""
        self._conf("--kill", "gpg-agent", check=False)
        end = time.monotonic() + 5
        while _answers(path) and time.monotonic() < end:
            time.sleep(0.01)

    def connect(self, path: str, secret: Passphrase) -> Agent:
        """A connection that asks no human: it has the passphrase, or what the agent remembers, or fails."""
        agent = Agent(path, secret.value)
        agent.command("OPTION pinentry-mode=%s" % ("error" if secret.value is None else "loopback"))
        return agent


def _answers(path: str) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
        try:
            link.connect(path)
        except OSError:
            return False
        return True
