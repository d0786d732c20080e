# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to boot: image manifests and boot profiles. This module util is private to the collection."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Host
from .cmdline import METHODS, refuse_reserved
from .node import Node, parse_int, parse_words

TRANSPORTS = ("http", "tftp")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}")
_FILES = ("rootfs", "kernel", "stage1")
# What diskless_image calls the files of a version, and the version of which nothing is known.
_UNBUILT_FILES = {"rootfs": "rootfs.sqfs", "kernel": "vmlinuz", "stage1": "stage1.img"}
UNBUILT = "not-built-yet"


@dataclass(frozen=True)
class BootImage:
    """One version of an image. ``kernel``, ``stage1``, ``rootfs`` are paths relative to the images' root."""

    name: str
    version: str
    kernel: str
    stage1: str
    rootfs: str
    sha256: str
    size: int
    ram_needed_mb: int


@dataclass(frozen=True)
class Profile:
    """How a class of nodes boots. ``automatic`` holds the method's own keys (server, directory, ...)."""

    name: str
    image: str = "node"
    version: str = ""
    method: str = "http"
    transport: str = "http"
    network: str = "dhcp"
    interface: str = "auto"
    append: tuple[str, ...] = ()
    automatic: tuple[tuple[str, str], ...] = ()


_PLAIN = ("image", "version", "method", "transport", "network", "interface")
_AUTOMATIC = ("dolly_timeout", "dolly_dialect", "server", "directory", "disk")
_CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "method": METHODS,
    "transport": TRANSPORTS,
    "network": ("dhcp", "static"),
}


def _parse_profile(name: str, item: t.Mapping[str, t.Any], transport: str) -> Profile:
    owner = "profile %s" % name
    known = (*_PLAIN, *_AUTOMATIC, "append")
    values = {key: value for key, value in item.items() if value is not None}
    for key in values:
        if key not in known:
            raise ClusterError("%s: unknown key %s" % (owner, key), "known keys: %s" % ", ".join(known))
    values.setdefault("transport", transport)
    for key, choices in _CHOICES.items():
        if str(values.get(key, choices[0])) not in choices:
            raise ClusterError("%s: unknown %s %r" % (owner, key, values[key]), "one of %s" % ", ".join(choices))
    append = parse_words(values.get("append", ()), owner, "append")
    refuse_reserved(append, owner)
    automatic = {key: str(values[key]) for key in _AUTOMATIC if key in values}
    if values.get("method") == "dolly":
        automatic.setdefault("dolly_timeout", "100")
    plain = {key: str(values[key]) for key in _PLAIN if key in values}
    return Profile(name=name, append=append, automatic=tuple(sorted(automatic.items())), **plain)


def parse_profiles(items: t.Mapping[str, t.Any], transport: str = "http") -> dict[str, Profile]:
    """Profiles by name; ``transport`` is the default of those that name none. ClusterError names the profile."""
    profiles: dict[str, Profile] = {}
    for name, item in sorted(items.items()):
        if not isinstance(item, t.Mapping):
            raise ClusterError("profile %s is %r" % (name, item), "a mapping as in {image: node, method: http}")
        profiles[name] = _parse_profile(name, item, transport)
    return profiles


def used_profiles(nodes: t.Iterable[Node], profiles: t.Mapping[str, Profile]) -> dict[str, Profile]:
    """The profiles that nodes name; ClusterError for a name that is not defined."""
    for node in nodes:
        if node.profile not in profiles:
            raise ClusterError(
                "%s: unknown profile %r" % (node.name, node.profile), "defined: %s" % ", ".join(sorted(profiles))
            )
    names = {node.profile for node in nodes}
    return {name: profile for name, profile in profiles.items() if name in names}


def _field(data: t.Any, path: str, *keys: str) -> t.Any:
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            raise ClusterError("%s has no %s" % (path, ".".join(keys)), "build the image again")
        data = data[key]
    return data


def parse_manifest(text: bytes, path: str, folder: str) -> BootImage:
    """The boot side of a manifest (format 1); ``folder`` is ``name/version`` below the images' root."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ClusterError("%s is no JSON: %s" % (path, error), "build the image again")
    if _field(data, path, "format") != 1:
        raise ClusterError("%s has format %r" % (path, data["format"]), "this release reads format 1")
    names = {key: str(_field(data, path, "files", key, "path")) for key in _FILES}
    for key, name in names.items():
        if not _IMAGE.fullmatch(name):
            raise ClusterError("%s: files.%s.path is %r" % (path, key, name), "a plain file name is expected")
    digest = str(_field(data, path, "files", "rootfs", "sha256"))
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ClusterError("%s: files.rootfs.sha256 is %r" % (path, digest), "build the image again")
    return BootImage(
        name=str(_field(data, path, "name")),
        version=str(_field(data, path, "version")),
        sha256=digest,
        size=parse_int(_field(data, path, "files", "rootfs", "size"), path, "files.rootfs.size", 1, 1 << 50),
        ram_needed_mb=parse_int(_field(data, path, "ram_needed_mb"), path, "ram_needed_mb", 0, 1 << 30),
        **{key: "%s/%s" % (folder, name) for key, name in names.items()},
    )


def _check_names(*words: str) -> None:
    for word in words:
        if not _IMAGE.fullmatch(word):
            raise ClusterError("bad image name or version %r" % word, "letters, digits and _.+-")


def read_image(host: Host, root: str, name: str, version: str = "") -> BootImage:
    """The image's ``current`` version (or ``version``) as its manifest tells, its files present."""
    _check_names(name, version or "current")
    link = host.readlink("%s/%s/current" % (root, name))
    chosen = version or (link or "").rstrip("/").rpartition("/")[2]
    if not chosen:
        raise ClusterError(
            "image %s has no current version in %s" % (name, root), "build it with the diskless playbook first"
        )
    folder = "%s/%s" % (name, chosen)
    path = "%s/%s/manifest.json" % (root, folder)
    text = host.read(path)
    if text is None:
        raise ClusterError("image %s: %s is missing" % (name, path), "build it with the diskless playbook first")
    image = parse_manifest(text, path, folder)
    present = set(host.listdir("%s/%s" % (root, folder)))
    for part, file in (("kernel", image.kernel), ("stage1", image.stage1), ("rootfs", image.rootfs)):
        if file.rpartition("/")[2] not in present:
            raise ClusterError("image %s: its %s %s/%s is missing" % (name, part, root, file), "build the image again")
    return image


def predict_image(host: Host, root: str, profile: Profile, pending: t.Mapping[str, str]) -> tuple[BootImage, str]:
    """What a profile will boot, for check mode, and a warning (empty for none).

    ``pending`` is the version by image name that will be current by the time of the run. Where that version has not
    been built, the image has its name and no digest yet; what is there but damaged is a ClusterError, as in a run.
    """
    chosen = profile.version or pending.get(profile.image, "")
    folder = "%s/%s" % (root, profile.image)
    if (host.readlink(folder + "/current") and not chosen) or (
        chosen and host.read("%s/%s/manifest.json" % (folder, chosen)) is not None
    ):
        return read_image(host, root, profile.image, chosen), ""
    _check_names(profile.image, chosen or "current")
    what = "version %s of image %s" % (chosen, profile.image) if chosen else "image %s" % profile.image
    warning = "%s is not in %s yet: predicted as if the diskless playbook had built it, digest and size unknown"
    return _unbuilt(profile.image, chosen or UNBUILT), warning % (what, root)


def _unbuilt(name: str, version: str) -> BootImage:
    paths = {key: "%s/%s/%s" % (name, version, file) for key, file in _UNBUILT_FILES.items()}
    return BootImage(name=name, version=version, sha256="0" * 64, size=0, ram_needed_mb=0, **paths)


def check_memory(nodes: t.Iterable[Node], images: t.Mapping[str, BootImage]) -> None:
    """ClusterError when an image (by profile name) needs more than a node has; unknown memory passes."""
    for node in nodes:
        image = images[node.profile]
        if node.memory_mb is not None and node.memory_mb < image.ram_needed_mb:
            raise ClusterError(
                "image %s is too large for %s: it needs %d MB, the node has %d MB"
                % (image.name, node.name, image.ram_needed_mb, node.memory_mb),
                "give the node more memory or a profile with a smaller image",
            )
