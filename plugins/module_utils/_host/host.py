# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only door to the world: commands and files. This module util is private to the collection.

Core packages take a :class:`Host`; modules pass :class:`LocalHost`, unit tests :class:`MemoryHost`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import stat
import subprocess
import typing as t

from .errors import ClusterError
from .files import disk_error, write_batch
from .protocol import Argv, Completed, File, Host, failure

__all__ = ["Argv", "Completed", "File", "Host", "LocalHost", "MemoryHost"]


class LocalHost:
    """The machine that the module runs on."""

    def __init__(self) -> None:
        self.actions: list[list[str]] = []

    def run(
        self,
        argv: Argv,
        *,
        changes: bool = False,
        check: bool = True,
        stdin: bytes | None = None,
        env: t.Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run ``argv`` with LC_ALL=C; a non-zero exit is a ClusterError unless ``check`` is false."""
        if changes:
            self.actions.append(list(argv))
        try:
            proc = subprocess.run(
                list(argv),
                capture_output=True,
                input=stdin or b"",
                env=dict(os.environ, LC_ALL="C", LANG="C", **(env or {})),
                cwd=cwd,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            if cwd is not None and error.filename == cwd:
                raise ClusterError("%s: there is no folder %s" % (argv[0], cwd))
            raise ClusterError("%s is not installed" % argv[0], "install the package that provides %s" % argv[0])
        except OSError as error:
            raise ClusterError(
                "cannot run %s: %s" % (argv[0], error.strerror), "see what this file is and who may run it"
            )
        except subprocess.TimeoutExpired:
            raise ClusterError("%s did not end within %g s" % (argv[0], timeout or 0))
        done = Completed(
            tuple(argv), proc.returncode, proc.stdout.decode("utf-8", "replace"), proc.stderr.decode("utf-8", "replace")
        )
        if check and done.rc != 0:
            raise failure(done)
        return done

    def which(self, program: str) -> str | None:
        """Full path of a program; the sbin folders are searched even when PATH lacks them."""
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
        return shutil.which(program, path=path)

    def read(self, path: str) -> bytes | None:
        """Content of a file, None when there is none."""
        try:
            with open(path, "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            return None
        except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
            raise ClusterError("cannot read %s: %s" % (path, error.strerror))

    def read_from(self, path: str, offset: int, limit: int) -> bytes | None:
        """Up to ``limit`` bytes of a file from ``offset`` on, for files that grow; None without the file."""
        try:
            with open(path, "rb", buffering=0) as stream:
                stream.seek(offset)
                return stream.read(limit)
        except FileNotFoundError:
            return None

    def listdir(self, path: str, pattern: str = "*") -> list[str]:
        """Sorted names in a folder that match ``pattern``; empty when there is no such folder."""
        try:
            return sorted(fnmatch.filter(os.listdir(path), pattern))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def write_files(self, files: t.Mapping[str, File]) -> None:
        """Write all or nothing visible: every file beside its target, synced, then renamed."""
        write_batch((path, file.content, file.mode) for path, file in sorted(files.items()))

    def remove(self, path: str) -> None:
        """Remove a file or link; one that is gone already is no error."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def readlink(self, path: str) -> str | None:
        try:
            return os.readlink(path)
        except OSError:
            return None

    def symlink(self, target: str, path: str) -> None:
        """Point ``path`` at ``target`` atomically."""
        beside = "%s.new.%d" % (path, os.getpid())
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            os.symlink(target, beside)
            os.replace(beside, path)
        except OSError as error:
            raise disk_error(path, error)

    def mode(self, path: str) -> int | None:
        """Permissions of a file, None when there is none."""
        try:
            return stat.S_IMODE(os.stat(path).st_mode)
        except OSError:
            return None


class MemoryHost:
    """A recording stand-in for unit tests: files in a dict, commands answered by ``script``.

    ``script`` maps the first words of a command (joined by blanks) to a Completed-like (rc, stdout, stderr)
    or to a callable that takes the argv; the longest matching key wins.
    """

    def __init__(
        self,
        files: t.Mapping[str, bytes] | None = None,
        script: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        self.files: dict[str, bytes] = dict(files or {})
        self.modes: dict[str, int] = {}
        self.links: dict[str, str] = {}
        self.script = dict(script or {})
        self.actions: list[list[str]] = []
        self.ran: list[list[str]] = []
        self.written: list[str] = []

    def run(
        self,
        argv: Argv,
        *,
        changes: bool = False,
        check: bool = True,
        stdin: bytes | None = None,
        env: t.Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        self.ran.append(list(argv))
        if changes:
            self.actions.append(list(argv))
        line = " ".join(argv)
        keys = [key for key in self.script if line == key or line.startswith(key + " ")]
        answer = self.script[max(keys, key=len)] if keys else (0, "", "")
        rc, stdout, stderr = answer(list(argv)) if callable(answer) else answer
        done = Completed(tuple(argv), rc, stdout, stderr)
        if check and rc != 0:
            raise failure(done)
        return done

    def which(self, program: str) -> str | None:
        return "/usr/bin/" + program

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def read_from(self, path: str, offset: int, limit: int) -> bytes | None:
        return self.files[path][offset : offset + limit] if path in self.files else None

    def listdir(self, path: str, pattern: str = "*") -> list[str]:
        prefix = path.rstrip("/") + "/"
        names = {name[len(prefix) :].split("/")[0] for name in (*self.files, *self.links) if name.startswith(prefix)}
        return sorted(fnmatch.filter(names, pattern))

    def write_files(self, files: t.Mapping[str, File]) -> None:
        for path, file in sorted(files.items()):
            self.files[path] = file.content
            self.modes[path] = file.mode
            self.written.append(path)

    def remove(self, path: str) -> None:
        self.files.pop(path, None)
        self.links.pop(path, None)

    def readlink(self, path: str) -> str | None:
        return self.links.get(path)

    def symlink(self, target: str, path: str) -> None:
        self.links[path] = target

    def mode(self, path: str) -> int | None:
        return self.modes.get(path)
