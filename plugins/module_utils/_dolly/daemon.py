# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent in the background of a running node. This module util is private to the collection.

One folder holds ``agent.pyz``, ``agent.pid`` (there while the agent listens), ``agent.log`` and ``agent.key``, a
fingerprint of how it was started. The secret goes through a pipe: it is in no file, argument or environment.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import typing as t

from .errors import DollyError

RUN_DIR = "/run/xtreemos/dolly"
# An emulated node on a busy machine needs more than half of that to compile the program.
_START_SECONDS = 90.0
_STOP_SECONDS = 10.0


class Daemon:
    """The agent of one folder."""

    def __init__(self, folder: str = RUN_DIR) -> None:
        self.folder = folder
        self.program = os.path.join(folder, "agent.pyz")
        self.pid_file = os.path.join(folder, "agent.pid")
        self.log_file = os.path.join(folder, "agent.log")
        self.key_file = os.path.join(folder, "agent.key")

    def argv(self, options: t.Sequence[str]) -> list[str]:
        """The command of an agent with ``options``."""
        return [sys.executable, "-S", "-E", self.program, "node", "--pid-file", self.pid_file, *options]

    def pid(self) -> int:
        """Process id of the running agent, 0 when there is none. A process that only reused the id does not count."""
        try:
            with open(self.pid_file, encoding="ascii") as stream:
                pid = int(stream.read(32).strip() or 0)
            with open("/proc/%d/cmdline" % pid, "rb") as stream:
                words = stream.read().split(b"\0")
        except (OSError, ValueError):
            return 0
        return pid if os.fsencode(self.program) in words else 0

    def _key(self, options: t.Sequence[str], secret: bytes, program: bytes) -> str:
        parts = [*(option.encode() for option in options), hashlib.sha256(secret).digest(), program]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def is_running(self, options: t.Sequence[str], secret: bytes, program: bytes) -> bool:
        """An agent with just these options, secret and sources runs."""
        try:
            with open(self.key_file, encoding="ascii") as stream:
                key = stream.read(80).strip()
        except OSError:
            return False
        return bool(self.pid()) and key == self._key(options, secret, program)

    def start(self, options: t.Sequence[str], secret: bytes, program: bytes) -> int:
        """Stop the old agent, start a new one, return its process id once it listens."""
        self.stop()
        os.makedirs(self.folder, mode=0o755, exist_ok=True)
        self._write(self.program, program)
        process = self._spawn(list(options), secret)
        until = time.monotonic() + _START_SECONDS
        while not self.pid():
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise DollyError("the agent did not start: %s" % self._last_words(), "see %s" % self.log_file)
            time.sleep(0.02)
        self._write(self.key_file, self._key(options, secret, program).encode() + b"\n")
        return process.pid

    def _spawn(self, options: list[str], secret: bytes) -> subprocess.Popen[bytes]:
        reader, writer = os.pipe()
        try:
            if secret:
                options += ["--secret-file", "/dev/fd/%d" % reader]
            os.write(writer, secret)
            os.close(writer)
            with open(self.log_file, "wb") as log:
                return subprocess.Popen(
                    self.argv(options),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    pass_fds=(reader,),
                )
        finally:
            os.close(reader)

    def _write(self, path: str, data: bytes) -> None:
        with open(path + ".new", "wb") as stream:
            stream.write(data)
        os.replace(path + ".new", path)

    def _last_words(self) -> str:
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as stream:
                lines = stream.read(65536).strip().splitlines()
        except OSError:
            return "no log"
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> bool:
        """End the agent, if there is one; True when there was."""
        pid = self.pid()
        if not pid:
            return False
        until = time.monotonic() + _STOP_SECONDS
        self._kill(pid, signal.SIGTERM)
        while self.pid() == pid:
            if time.monotonic() > until:
                self._kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        return True

    def _kill(self, pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
