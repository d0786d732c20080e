# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that tell how far a long run is. This module util is private to the collection."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from .._errors import ClusterError


class Progress:
    """Adds ``seconds  n of m  what`` to a file and hands the same line to ``log``."""

    def __init__(self, path: str, total: int, what: str, log: t.Callable[[str], None]) -> None:
        self._path, self._total, self._what, self._log = path, total, what, log
        self._done = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            passed = time.monotonic() - self._began
            line = "%7.1f s  %d of %d %s" % (passed, self._done, self._total, self._what)
            self._log(line.strip())
            if self._path:
                self._append(line)

    def _append(self, line: str) -> None:
        try:
            os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
            with open(self._path, "a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise ClusterError("cannot write %s: %s" % (self._path, error.strerror), "correct progress_file")
