# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks of guests made from an image or empty, beside their target and then under its name. Private to the collection.

A disk that exists is never touched, whatever its size and content.
"""

from __future__ import annotations

import os
import re
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host

Argv = t.Tuple[str, ...]
Option = t.Mapping[str, t.Any]
FILESYSTEMS: t.Mapping[str, Argv] = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "ext3": ("mkfs.ext3", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "swap": ("mkswap", "-q"),
}
_SIZE = re.compile(r"([1-9][0-9]*)\s*([KMGT]?)(i?B)?\Z", re.IGNORECASE)
_VOLUME = re.compile(r"/dev/([A-Za-z0-9_+][A-Za-z0-9_.+-]*)/([A-Za-z0-9_+][A-Za-z0-9_.+-]*)\Z")
_NO_GROUPS = ("mapper", "disk", "block", "zvol", "loop", "drbd", "md", "shm")


def look(host: Host, paths: t.Iterable[str]) -> dict[str, int]:
    """Bytes of those of ``paths`` that are there (0 for devices and folders), by one command."""
    asked = sorted({path for path in paths if path})
    if not asked:
        return {}
    done = host.run(["stat", "-L", "-c", "%s %n", "--", *asked], check=False)
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {path: int(size) for size, _blank, path in pairs if size.isdigit()}


def bytes_of(text: t.Any, what: str) -> int:
    """``4G`` to bytes; units are powers of 1024, none is bytes."""
    found = _SIZE.match(str(text).strip())
    if not found:
        raise ClusterError("%s: %r is no size" % (what, text), "write it as 512M or 4G")
    return int(found.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[found.group(2).upper()]


def paths_of(disk: Option) -> list[str]:
    """What has to be looked at before the disk can be planned."""
    target = str(disk.get("target") or "")
    return [target, target + ".new", os.path.dirname(target), str(disk.get("image") or "")]


def _size(disk: Option, what: str, seen: t.Mapping[str, int]) -> int:
    """Wanted bytes; those of the image when none are given."""
    image = str(disk.get("image") or "")
    least = seen.get(image, 0)
    if not disk.get("size"):
        return least
    size = bytes_of(disk["size"], what)
    if image and size < least and (disk.get("format") or "raw") == "raw":
        raise ClusterError(
            "%s: size %s is less than its image" % (what, disk["size"]), "the image has %d bytes" % least
        )
    return size


def _content(disk: Option, beside: str, made: bool) -> t.Iterator[Argv]:
    """Fill ``beside``, which is there already when ``made``."""
    image, filesystem = disk.get("image"), disk.get("filesystem")
    if image and made:
        yield ("dd", "if=%s" % image, "of=%s" % beside, "bs=4M", "conv=fsync", "status=none")
    elif image:
        yield ("cp", "--reflink=auto", "--sparse=always", "--", str(image), beside)
    elif filesystem:
        yield (*FILESYSTEMS[str(filesystem)], beside)


def _file(disk: Option, size: int, seen: t.Mapping[str, int]) -> t.Iterator[Argv]:
    target = str(disk["target"])
    beside, folder, form = target + ".new", os.path.dirname(target), str(disk.get("format") or "raw")
    if folder not in seen:
        yield ("mkdir", "-p", folder)
    if beside in seen:
        yield ("rm", "-f", beside)
    if form != "raw":
        yield from _content(disk, beside, False)
        grow = ("qemu-img", "resize", "-q", "-f", form, beside, str(size))
        make = ("qemu-img", "create", "-q", "-f", form, beside, str(size))
        yield from ((grow if disk.get("image") else make),) if disk.get("size") else ()
    else:
        image = [*_content(disk, beside, False)] if disk.get("image") else []
        yield from image
        if disk.get("size"):
            yield ("truncate", "--size=%d" % size, beside)
        yield from () if image else _content(disk, beside, False)
    yield ("chmod", "0600", beside)
    yield ("sync", beside)
    yield ("mv", "-n", "-T", "--", beside, target)


def _volume(disk: Option, size: int, seen: t.Mapping[str, int], group: str, name: str) -> t.Iterator[Argv]:
    beside = "/dev/%s/%s.new" % (group, name)
    if beside in seen:
        yield ("lvremove", "--yes", "--quiet", "%s/%s.new" % (group, name))
    yield (
        "lvcreate",
        "--yes",
        "--quiet",
        "--wipesignatures",
        "y",
        "--name",
        name + ".new",
        "--size",
        "%db" % size,
        group,
    )
    yield from _content(disk, beside, True)
    yield ("lvrename", group, name + ".new", name)


def _check(disk: Option, what: str, seen: t.Mapping[str, int]) -> None:
    image, filesystem = disk.get("image"), disk.get("filesystem")
    if image and image not in seen:
        raise ClusterError("%s: there is no image %s" % (what, image), "build it first, or correct the path")
    if filesystem and (filesystem not in FILESYSTEMS or image or (disk.get("format") or "raw") != "raw"):
        raise ClusterError(
            "%s: filesystem %s cannot be made" % (what, filesystem),
            "one of %s, on a raw disk without an image" % " ".join(sorted(FILESYSTEMS)),
        )
    if filesystem and not disk.get("size"):
        raise ClusterError("%s: a filesystem needs a size" % what, "set size, as in 4G")


def plan_disk(guest: str, disk: Option, seen: t.Mapping[str, int]) -> tuple[Argv, ...]:
    """Commands that make one disk; none when it is there or when nothing says how to make it."""
    target = str(disk.get("target") or "")
    what = "guest %s, disk %s" % (guest, target)
    if disk.get("filesystem") or disk.get("size") or disk.get("image"):
        _check(disk, what, seen) if target not in seen else None
    if target in seen or not (disk.get("image") or disk.get("size")):
        return ()
    size = _size(disk, what, seen)
    if not target.startswith("/dev/"):
        return tuple(_file(disk, size, seen))
    found = _VOLUME.match(target)
    if not found or found.group(1) in _NO_GROUPS:
        raise ClusterError("%s: only logical volumes can be made below /dev" % what, "write /dev/GROUP/NAME")
    return tuple(_volume(disk, size, seen, *found.groups()))


def group_of(target: str) -> str:
    """The volume group that a new disk needs, empty for a file."""
    found = _VOLUME.match(target)
    return found.group(1) if found and found.group(1) not in _NO_GROUPS else ""


def check_groups(host: Host, groups: t.Iterable[str]) -> None:
    """ClusterError for a volume group that is not there; one command, none without groups."""
    wanted = sorted({group for group in groups if group})
    if not wanted:
        return
    done = host.run(["vgs", "--noheadings", "-o", "vg_name"], check=False)
    have = done.stdout.split()
    for group in wanted:
        if group not in have:
            raise ClusterError("there is no volume group %s" % group, "vgs shows: %s" % (" ".join(have) or "none"))
