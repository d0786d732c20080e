# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a root tree comes from: one entry per installer. This module util is private to the collection.

A source turns a recipe into an uncompressed tar. dnf and urpmi join here; until then a tree that they made goes in
as a directory or a tarball.
"""

from __future__ import annotations

import bz2
import getpass
import gzip
import hashlib
import lzma
import os
import shutil
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from . import aptconf, mmdebstrap
from .recipe import Recipe

Open = t.Callable[[str], t.BinaryIO]
_MAGICS: tuple[tuple[bytes, Open], ...] = (
    (b"\x1f\x8b", t.cast(Open, gzip.open)),
    (b"BZh", t.cast(Open, bz2.open)),
    (b"\xfd7zXZ\0", t.cast(Open, lzma.open)),
)
_ZSTD = b"\x28\xb5\x2f\xfd"
_TAR = "tar --numeric-owner --format=pax --xattrs --xattrs-include=security.capability --one-file-system --sort=name"


class Source(t.Protocol):
    @property
    def generated(self) -> tuple[str, ...]:
        """Paths that the installer leaves behind and no image may keep."""

    def content(self, recipe: Recipe) -> str:
        """Digest of what lies at the location, empty when the recipe says it all."""

    def argv(self, recipe: Recipe, host: Host, work: str) -> list[str]:
        """The command that :meth:`tar` will run, empty when it runs none."""

    def tar(self, recipe: Recipe, host: Host, work: str) -> str:
        """Make the tar; its path."""


class Mmdebstrap:
    """Packages of the Debian family."""

    generated = mmdebstrap.GENERATED

    def content(self, recipe: Recipe) -> str:
        return ""

    def argv(self, recipe: Recipe, host: Host, work: str) -> list[str]:
        suite = aptconf.wanted_suite(recipe.suite, host.read("/etc/os-release"))
        hooks = host.listdir("/usr/share/mmdebstrap/hooks")
        return mmdebstrap.argv(recipe, suite, os.uname().machine, os.geteuid() == 0, hooks, work)

    def tar(self, recipe: Recipe, host: Host, work: str) -> str:
        return mmdebstrap.build(recipe, host, work, os.uname().machine, os.geteuid(), getpass.getuser())


class Directory:
    """A root tree made by any installer. Other file systems mounted in it are left out."""

    generated: tuple[str, ...] = ()

    def content(self, recipe: Recipe) -> str:
        """Names, modes, owners, sizes and times of the whole tree: as make does, contents are not read."""
        if not os.path.isdir(recipe.location):
            raise ClusterError("the root tree %s is no directory" % recipe.location)
        rows = hashlib.sha256()
        for folder, folders, names in os.walk(recipe.location):
            folders.sort()
            for name in sorted([*folders, *names]):
                state = os.lstat(os.path.join(folder, name))
                key = os.path.relpath(os.path.join(folder, name), recipe.location), state.st_mode, state.st_uid
                time = 0 if os.path.isdir(os.path.join(folder, name)) else state.st_mtime_ns
                rows.update(repr((*key, state.st_gid, state.st_size if time else 0, time)).encode())
        return rows.hexdigest()

    def argv(self, recipe: Recipe, host: Host, work: str) -> list[str]:
        return [*_TAR.split(), "-C", recipe.location, "-cf", os.path.join(work, "root.tar"), "."]

    def tar(self, recipe: Recipe, host: Host, work: str) -> str:
        host.run(self.argv(recipe, host, work), changes=True)
        return os.path.join(work, "root.tar")


class Tarball:
    """A root tree as tar, plain or compressed by gzip, bzip2, xz or zstd."""

    generated: tuple[str, ...] = ()

    def content(self, recipe: Recipe) -> str:
        """Size and time of the file: as make does, a gigabyte is not read to see that nothing changed."""
        try:
            state = os.stat(recipe.location)
        except OSError as error:
            raise ClusterError("cannot read the tarball %s: %s" % (recipe.location, error.strerror))
        return "%d %d" % (state.st_size, state.st_mtime_ns)

    def argv(self, recipe: Recipe, host: Host, work: str) -> list[str]:
        with open(recipe.location, "rb") as stream:
            packed = stream.read(4) == _ZSTD
        return ["zstd", "-q", "-d", "-o", os.path.join(work, "root.tar"), recipe.location] if packed else []

    def tar(self, recipe: Recipe, host: Host, work: str) -> str:
        words, out = self.argv(recipe, host, work), os.path.join(work, "root.tar")
        if words:
            host.run(words, changes=True)
            return out
        with open(recipe.location, "rb") as stream:
            head = stream.read(8)
        for magic, opener in _MAGICS:
            if head.startswith(magic):
                try:
                    with opener(recipe.location) as packed, open(out, "wb") as plain:
                        shutil.copyfileobj(packed, plain, 1 << 20)
                except (EOFError, lzma.LZMAError) as error:
                    raise ClusterError("the tarball %s is damaged: %s" % (recipe.location, error))
                return out
        return recipe.location


REGISTRY: dict[str, Source] = {"mmdebstrap": Mmdebstrap(), "directory": Directory(), "tarball": Tarball()}


def source(name: str) -> Source:
    """The installer of a recipe; ClusterError names the ones there are."""
    if name not in REGISTRY:
        raise ClusterError("there is no installer %r" % name, "known: %s" % ", ".join(sorted(REGISTRY)))
    return REGISTRY[name]
