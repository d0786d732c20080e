# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a node puts the image: a file or a block device. This module util is private to the collection.

A file is written as ``TARGET.partial`` and renamed when its digest is right; a block device is written in place. In
both cases a marker (``TARGET.dolly`` beside a file, in the state folder for a device) says ``state=writing`` before the
first byte is written and ``state=complete`` after the last one is on the disk. Every 64 MiB the marker notes how far
the data goes and the SHA-256 of that prefix, so that a later push resumes there after reading the prefix back.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from .errors import DollyError

_STEP = 1 << 20
STATE_DIR = "/var/lib/xtreemos/dolly"
_HEADING = "xtreemos dolly marker 1"


class Survey(t.NamedTuple):
    """What a target holds: the digest of a complete image (else ""), or a verified prefix and its hash."""

    holds: str
    offset: int
    hasher: t.Any


Steps = t.Generator[None, None, Survey]


def hash_none() -> t.Any:
    """The SHA-256 object of nothing."""
    return hashlib.sha256()


def hash_file(path: str, size: int) -> t.Generator[None, None, t.Any]:
    """SHA-256 object over the first ``size`` bytes; yields after each MiB; None when the file is shorter."""
    hasher = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        while size > 0:
            block = stream.read(min(size, _STEP))
            if not block:
                return None
            hasher.update(block)
            size -= len(block)
            yield
    return hasher


def run_steps(steps: t.Generator[None, None, t.Any]) -> t.Any:
    """Run a stepwise computation to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _number(text: str) -> int:
    """A field of a marker; 0 when it is damaged."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def sync_folder(path: str) -> None:
    """Make the names in the folder of ``path`` durable."""
    handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Target:
    """A file or block device. ``block``: None finds out; ``limit``: bytes a device has (None asks it)."""

    def __init__(self, path: str, state_dir: str = STATE_DIR, block: bool | None = None) -> None:
        self.path = os.path.realpath(path)
        self.block = self._is_block() if block is None else block
        name = self.path.strip("/").replace("/", "-") + ".dolly"
        self.marker = os.path.join(state_dir, name) if self.block else self.path + ".dolly"
        self.data = self.path if self.block else self.path + ".partial"

    def _is_block(self) -> bool:
        try:
            mode = os.stat(self.path).st_mode
        except FileNotFoundError:
            if self.path.startswith("/dev/") and not self.path.startswith("/dev/shm/"):
                raise DollyError("there is no device %s" % self.path, "load its driver or name another target")
            return False
        if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
            raise DollyError("%s is neither a file nor a block device" % self.path)
        return stat.S_ISBLK(mode)

    def read_marker(self) -> dict[str, str]:
        """The marker's fields; empty when there is none or it cannot be read as one."""
        try:
            with open(self.marker, encoding="utf-8", errors="replace") as stream:
                lines = stream.read(4096).splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        if not lines or lines[0] != _HEADING:
            return {}
        return dict(line.partition("=")[::2] for line in lines[1:])

    def write_marker(self, fields: t.Mapping[str, object], durable: bool = True) -> None:
        """Replace the marker."""
        os.makedirs(os.path.dirname(self.marker), exist_ok=True)
        beside = self.marker + ".new"
        with open(beside, "w", encoding="utf-8") as stream:
            stream.write("".join([_HEADING + "\n", *("%s=%s\n" % item for item in fields.items())]))
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(beside, self.marker)
        if durable:
            sync_folder(self.marker)

    def _trusted(self, marker: t.Mapping[str, str]) -> bool:
        now = os.stat(self.path)
        return marker.get("mtime_ns") == str(now.st_mtime_ns) and marker.get("size") == str(now.st_size)

    def survey(self, sha256: str, size: int, verify: bool = False) -> Steps:
        """Find out stepwise what of the image (``sha256``, ``size``) is here; writes nothing.

        A complete file is believed when its size and time are those of its marker, unless ``verify`` is set; a device
        is always read back.
        """
        marker = self.read_marker()
        fresh = Survey("", 0, hashlib.sha256())
        if (yield from self._is_complete(marker, sha256, size, verify)):
            return Survey(sha256, size, fresh.hasher)
        if marker.get("state") != "writing" or (marker.get("sha256"), marker.get("size")) != (sha256, str(size)):
            return fresh
        offset = _number(marker.get("offset", ""))
        if not 0 < offset <= size or not os.path.exists(self.data):
            return fresh
        hasher = yield from hash_file(self.data, offset)
        if hasher is None or hasher.hexdigest() != marker.get("prefix"):
            return fresh
        return Survey("", offset, hasher)

    def _is_complete(
        self, marker: t.Mapping[str, str], sha256: str, size: int, verify: bool
    ) -> t.Generator[None, None, bool]:
        if not os.path.exists(self.path) or (marker.get("state") == "writing" and self.block):
            return False
        ours = marker.get("state") == "complete" and marker.get("sha256") == sha256
        if self.block:
            if not ours:
                return False
        elif os.path.getsize(self.path) != size:
            return False
        elif ours and not verify and self._trusted(marker):
            return True
        hasher = yield from hash_file(self.path, size)
        return hasher is not None and hasher.hexdigest() == sha256

    def room(self) -> int:
        """Bytes that an image may have here."""
        try:
            if self.block:
                with open(self.path, "rb", buffering=0) as stream:
                    return stream.seek(0, os.SEEK_END)
            held = os.path.getsize(self.data) if os.path.exists(self.data) else 0
            folder = os.path.dirname(self.path)
            while not os.path.isdir(folder):
                folder = os.path.dirname(folder)
            space = os.statvfs(folder)
        except OSError as error:
            raise DollyError("cannot use target %s: %s" % (self.path, error.strerror))
        return space.f_bavail * space.f_frsize + held

    def check_room(self, size: int) -> None:
        """DollyError when an image of ``size`` bytes does not fit."""
        room = self.room()
        if size > room:
            raise DollyError(
                "target %s has room for %d bytes, the image has %d" % (self.path, room, size),
                "free space or name a larger target",
            )
