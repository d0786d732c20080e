# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image is made of, and the digest that names it. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import asdict, dataclass, field

from .._host.errors import ClusterError
from . import modules
from .tree import normal

# Raised when the way of building changes so that old images should be made anew.
BUILD_FORMAT = 1

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_PACKAGE = re.compile(r"^[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?$")
_GLOB_PACKAGE = re.compile(r"^[a-z0-9*?][a-z0-9+.*?-]*$")
_SUITE = re.compile(r"^[a-z0-9][a-z0-9./_-]*$")
_KEY = re.compile(r"^(\S+ )?(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-\S+@openssh\.com) [A-Za-z0-9+/]+={0,3}( .*)?$")
_MODE = re.compile(r"^0?[0-7]{3,4}$")


@dataclass(frozen=True)
class OverlayFile:
    """A file put into the tree, owned by root. ``mode`` is octal text."""

    path: str
    content: str
    mode: str = "0644"


@dataclass(frozen=True)
class Recipe:
    """``source``: mmdebstrap, directory or tarball; ``location``: the directory or tarball, empty for mmdebstrap.

    ``content`` is a digest of what lies at the location. ``stamp`` is any text: a new one makes a new image.
    """

    source: str
    location: str = ""
    content: str = ""
    suite: str = ""
    mirrors: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    kernel: str = ""
    remove_packages: tuple[str, ...] = ()
    remove_paths: tuple[str, ...] = ()
    authorized_keys: tuple[str, ...] = ()
    overlay: tuple[OverlayFile, ...] = ()
    serial_login: bool = False
    stage1_modules: tuple[str, ...] = modules.DEFAULT
    stage1_compression: str = "auto"
    agent: t.Mapping[str, str] = field(default_factory=dict)
    stamp: str = ""


def _each(values: t.Iterable[str], pattern: t.Pattern[str], what: str, hint: str = "") -> None:
    for value in values:
        if not pattern.fullmatch(value):
            raise ClusterError("%s %r is malformed" % (what, value), hint)


def check_name(name: str, what: str) -> None:
    """Names become folder names, words of the kernel command line and parts of URLs."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ClusterError("%s %r is malformed" % (what, name), "letters, digits, dot, dash and underscore only")


def _check_path(path: str, what: str) -> None:
    if not path.startswith("/") or ".." in path.split("/") or not normal(path) or "\n" in path:
        raise ClusterError("%s %r must be an absolute path inside of the image" % (what, path))


def check(recipe: Recipe) -> None:
    """ClusterError for the first thing that is malformed, before anything runs."""
    _each(recipe.packages, _PACKAGE, "package")
    _each([recipe.kernel] if recipe.kernel else [], _PACKAGE, "kernel package")
    _each(recipe.remove_packages, _GLOB_PACKAGE, "remove_packages entry")
    _each(recipe.authorized_keys, _KEY, "authorized key", "give the text of a public key file (*.pub)")
    for path in recipe.remove_paths:
        _check_path(path, "remove_paths entry")
    paths = [normal(file.path) for file in recipe.overlay]
    for file in recipe.overlay:
        _check_path(file.path, "overlay path")
        _each([file.mode], _MODE, "mode of %s" % file.path, "four octal digits, like 0644")
        if paths.count(normal(file.path)) > 1:
            raise ClusterError("overlay names %s twice" % file.path)
    if recipe.source == "mmdebstrap":
        _each([recipe.suite], _SUITE, "suite")
        if not recipe.packages:
            raise ClusterError("the package list is empty", "name at least systemd-sysv and openssh-server")


def canonical(recipe: Recipe, ours: t.Sequence[t.Any] = ()) -> str:
    """The recipe as text: order of lists that are sets does not matter, nor where a tree lies.

    ``ours`` is what the collection itself puts in.
    """
    data = asdict(recipe)
    for key in ("packages", "remove_packages", "remove_paths", "authorized_keys", "stage1_modules"):
        data[key] = sorted(set(data[key]))
    data["overlay"] = sorted((normal(file.path), file.content, file.mode.lstrip("0")) for file in recipe.overlay)
    data["agent"] = sorted(recipe.agent.items())
    del data["location"]
    return json.dumps([BUILD_FORMAT, data, ours], sort_keys=True)


def digest(recipe: Recipe, ours: t.Sequence[t.Any] = ()) -> str:
    """Hex SHA-256 of everything that goes into the image. Equal digests: nothing to build."""
    return hashlib.sha256(canonical(recipe, ours).encode("utf-8")).hexdigest()
