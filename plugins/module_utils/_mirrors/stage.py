# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New metadata beside the old, checked, then switched folder by folder. Private to the collection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import typing as t

from .._host.errors import ClusterError
from .._host.files import sync_dir
from .._host.host import Host
from .._media.switch import exchange
from .rsync import META_DIRS, META_FILES, STAGE, Sync, temp_of
from .sums import NAME, check_signature, file_digest, misfits, parse_sums

_LEFT = ".~tmp~"


def stage_of(sync: Sync) -> str:
    return os.path.join(sync.dest, STAGE)


def signature_of(folder: str) -> str:
    """The signature of SHA256SUMS in a folder; the armored one when there are two or none."""
    names = [os.path.join(folder, NAME + suffix) for suffix in (".asc", ".gpg")]
    return next((name for name in names if os.path.exists(name)), names[0])


def read_sums(sync: Sync, folder: str, host: Host) -> dict[str, str]:
    """The digests in a folder, their signature verified when a key is given; empty without key and file.

    Where the signature stands in the text itself, that text tells, and SHA256SUMS is one of the files that have to fit.
    """
    path = os.path.join(folder, NAME)
    content = host.read(path)
    if content is None:
        if sync.pubkey:
            raise ClusterError("sync %s: the source has no %s" % (sync.name, NAME), "nothing was published")
        return {}
    if not sync.pubkey:
        return _parsed(content, path)
    signed = check_signature(host, sync.pubkey, sync.key, signature_of(folder), path)
    if signed is None:
        return _parsed(content, path)
    return {**_parsed(signed, signature_of(folder)), NAME: hashlib.sha256(signed).hexdigest()}


def _parsed(content: bytes, path: str) -> dict[str, str]:
    return parse_sums(content.decode("utf-8", "replace"), path)


def is_metadata(path: str) -> bool:
    parts = path.split("/")
    return path in META_FILES or any(part in META_DIRS for part in parts[:-1])


def wrong_files(sums: t.Mapping[str, str], sync: Sync, metadata: bool) -> list[str]:
    """Paths that do not fit: of the metadata in the stage, or of the files in the tree."""
    root = stage_of(sync) if metadata else sync.dest
    part = {path: digest for path, digest in sums.items() if is_metadata(path) == metadata}
    if sync.exclude:
        # A mirror of a part has not everything that the source tells of.
        part = {path: digest for path, digest in part.items() if os.path.lexists(os.path.join(root, path))}
    return misfits(part, lambda path: file_digest(os.path.join(root, path)))


def _meta_folders(stage: str) -> list[str]:
    """Metadata folders below the stage, deepest first, so that the index of a tree follows its media."""
    found = []
    for folder, names, _files in os.walk(stage):
        for name in [one for one in names if one in META_DIRS]:
            found.append(os.path.relpath(os.path.join(folder, name), stage))
            names.remove(name)
    return sorted(found, key=lambda one: (-one.count("/"), one))


def _same(one: str, other: str) -> bool:
    """Whether two folders hold the same files; hard links tell, so this reads no content."""
    names = sorted(os.listdir(one))
    if not os.path.isdir(other) or names != sorted(os.listdir(other)):
        return False
    return all(_same_entry(os.path.join(one, name), os.path.join(other, name)) for name in names)


def _same_entry(one: str, other: str) -> bool:
    first, second = os.lstat(one), os.lstat(other)
    if os.path.islink(one) or os.path.islink(other):
        return os.path.islink(one) and os.path.islink(other) and os.readlink(one) == os.readlink(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _switch_folder(new: str, place: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.isdir(place):
        os.rename(new, place)
        return
    try:
        exchange(new, place)
    except OSError:
        # A file system that cannot: for a moment there is no folder at all.
        old = new + ".old"
        os.rename(place, old)
        os.rename(new, place)


def switch(sync: Sync) -> None:
    """Put the staged metadata in place: folder by folder in one step each, then the digests, the timestamp last."""
    stage = stage_of(sync)
    os.sync()
    for path in _meta_folders(stage):
        new, place = os.path.join(stage, path), os.path.join(sync.dest, path)
        if not _same(new, place):
            _switch_folder(new, place)
    for name in META_FILES:
        if os.path.exists(os.path.join(stage, name)):
            os.replace(os.path.join(stage, name), os.path.join(sync.dest, name))
    sync_dir(sync.dest)


def delete(sync: Sync, paths: t.Iterable[str]) -> None:
    """Remove what the source no longer has; what the switch took away already is no error."""
    root = os.path.realpath(sync.dest)
    for path in sorted(paths, reverse=True):
        place = os.path.normpath(os.path.join(root, path))
        if not place.startswith(root + "/") or os.path.realpath(os.path.dirname(place)) != os.path.dirname(place):
            raise ClusterError("sync %s: %r is not inside of the tree" % (sync.name, path), "nothing more was deleted")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if os.path.isdir(place) and not os.path.islink(place):
                with contextlib.suppress(OSError):
                    os.rmdir(place)
            else:
                os.unlink(place)


def _own(sync: Sync) -> tuple[str, ...]:
    return (stage_of(sync), temp_of(sync))


def leftover(sync: Sync) -> bool:
    """Whether a killed run left its own folders; those of rsync stay only where something differs anyway."""
    return any(os.path.lexists(place) for place in _own(sync))


def clean(sync: Sync) -> None:
    """Remove the stage, and what rsync left behind when it was killed."""
    for place in _own(sync):
        shutil.rmtree(place, ignore_errors=True)
    for folder, names, _files in os.walk(sync.dest):
        if _LEFT in names:
            shutil.rmtree(os.path.join(folder, _LEFT), ignore_errors=True)
            names.remove(_LEFT)
