# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image on its way into a target. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from .errors import DollyError
from .target import Survey, Target, sync_folder

CHECKPOINT = 64 << 20


class Store:
    """An image being written. ``written``: bytes that are there and whose hash is known."""

    def __init__(self, target: Target, sha256: str, size: int, survey: Survey, session: str = "") -> None:
        target.check_room(size)
        self.target, self.sha256, self.size, self.session = target, sha256, size, session
        self.written, self._hasher = survey.offset, survey.hasher
        self._next_mark = self.written + CHECKPOINT
        # The marker comes first, so that no byte of the image is ever here without it.
        self._mark()
        self.fd = self._open()

    def _open(self) -> int:
        # O_EXCL on a device refuses one that is mounted.
        flags = os.O_RDWR | (os.O_EXCL if self.target.block else os.O_CREAT)
        try:
            handle = os.open(self.target.data, flags | os.O_CLOEXEC, 0o600)
            try:
                self._claim(handle)
            except BaseException:
                os.close(handle)
                raise
        except BlockingIOError:
            raise DollyError("another agent writes %s" % self.target.path, "stop it or wait for its end")
        except OSError as error:
            busy = "unmount it" if error.errno == errno.EBUSY else ""
            raise DollyError("cannot open target %s: %s" % (self.target.data, error.strerror), busy)
        return handle

    def _claim(self, handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not self.target.block:
            os.ftruncate(handle, self.written)

    def _mark(self) -> None:
        prefix = self._hasher.hexdigest() if self.written else ""
        fields = {"state": "writing", "sha256": self.sha256, "size": self.size, "session": self.session}
        try:
            self.target.write_marker(dict(fields, offset=self.written, prefix=prefix), durable=self.written == 0)
        except OSError as error:
            raise DollyError("cannot write the marker %s: %s" % (self.target.marker, error.strerror))

    def write(self, block: memoryview) -> None:
        """Append a block; DollyError when the disk refuses it."""
        self._hasher.update(block)
        done = 0
        try:
            while done < len(block):
                done += os.pwrite(self.fd, block[done:], self.written + done)
        except OSError as error:
            hint = "free space there" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
            raise DollyError("cannot write %s at %d: %s" % (self.target.data, self.written, error.strerror), hint)
        self.written += len(block)
        if self.written >= self._next_mark:
            self._next_mark = self.written + CHECKPOINT
            self._mark()

    def digest(self) -> str:
        """SHA-256 of everything written so far."""
        return str(self._hasher.hexdigest())

    def complete(self) -> None:
        """Sync, check the digest, switch the names; DollyError when the digest is wrong. May take long."""
        if self.written != self.size or self.digest() != self.sha256:
            with contextlib.suppress(OSError):
                self.discard()
            raise DollyError(
                "the digest of the received image is %s, wanted %s" % (self.digest(), self.sha256),
                "the image changed during the push or the sha256 belongs to another image: push again",
            )
        try:
            os.fsync(self.fd)
            if not self.target.block:
                os.fchmod(self.fd, 0o644)
                os.replace(self.target.data, self.target.path)
                sync_folder(self.target.path)
            state = os.fstat(self.fd)
            fields = {"state": "complete", "sha256": self.sha256, "size": self.size, "mtime_ns": state.st_mtime_ns}
            self.target.write_marker(fields)
        except OSError as error:
            raise DollyError("cannot finish %s: %s" % (self.target.path, error.strerror))

    def discard(self) -> None:
        """What is there is wrong: the marker says that nothing can be resumed."""
        fields = {"state": "writing", "sha256": self.sha256, "size": self.size, "session": self.session, "offset": 0}
        self.target.write_marker(fields)

    def close(self) -> None:
        """Leave the target as it is; the marker notes how far it goes."""
        os.close(self.fd)

    def pause(self) -> None:
        """Note the place and close: a later push resumes here."""
        try:
            self._mark()
        except DollyError:
            pass
        self.close()
