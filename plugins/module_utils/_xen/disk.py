# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks of a guest: the strings of xl.cfg(5), those of xm, and the structured form. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

FORMATS = ("raw", "qcow", "qcow2", "vhd", "qed")
_ACCESS = {"r": "ro", "ro": "ro", "w": "rw", "rw": "rw"}
_PREFIX = re.compile(r"(phy|file|tap2?|aio|vhd|qcow2?|raw|vbd|drbd|iscsi|nbd|ioemu):")
_VDEV = re.compile(r"(xvd[a-z]{1,2}[0-9]*|[hs]d[a-z]{1,2}[0-9]*|d[0-9]+(p[0-9]+)?)$")


@dataclass(frozen=True)
class Disk:
    """One virtual disk; ``target`` is a path, empty for a drive without a disc. ``more`` are further words."""

    target: str
    vdev: str
    format: str = "raw"
    access: str = "rw"
    cdrom: bool = False
    more: tuple[str, ...] = ()

    def text(self) -> str:
        """As xl.cfg(5) writes it: target, format, vdev, access."""
        words = [self.target, self.format, self.vdev, "cdrom" if self.cdrom else self.access, *self.more]
        return ",".join(words)


def _checked(disk: Disk, text: str) -> Disk:
    if not _VDEV.match(disk.vdev):
        raise ClusterError("disk %r: %r is no device of a guest" % (text, disk.vdev), "write xvda, xvdb, ... or hdc")
    if not disk.target and not disk.cdrom:
        raise ClusterError("disk %r has no target" % text, "name the file or the block device")
    if "," in disk.target or "\n" in disk.target:
        raise ClusterError("disk %r: a comma cannot be part of a target" % text, "rename the file")
    if disk.format not in FORMATS:
        raise ClusterError("disk %r: unknown format %r" % (text, disk.format), "xl knows %s" % " ".join(FORMATS))
    return disk


def access_of(word: str, text: str) -> str:
    """``ro`` or ``rw``; ClusterError for the shared access of xend, that xl has no equal for."""
    if word in ("w!", "!w", "r!", "!r"):
        raise ClusterError(
            "disk %r: access %s (forced sharing) has no equal in xl" % (text, word), "use a cluster disk"
        )
    if word not in _ACCESS:
        raise ClusterError("disk %r: unknown access %r" % (text, word), "write r or w")
    return _ACCESS[word]


def parse_disk(text: str) -> Disk:
    """A disk string in the form of xl (positions or key=value) or with the prefixes of xm."""
    place, prefixes, rest = 0, [], text
    found = _PREFIX.match(rest)
    while found:
        prefixes.append(found.group(1))
        rest = rest[found.end() :]
        found = _PREFIX.match(rest)
    words = [word.strip() for word in rest.split(",")]
    if prefixes or _old_order(words):
        return _parse_old(text, prefixes, words)
    known: dict[str, str] = {}
    more: list[str] = []
    order = ("target", "format", "vdev", "access")
    for number, word in enumerate(words):
        key, equals, value = word.partition("=")
        if equals and key == "target":
            known["target"] = ",".join(words[number:]).partition("=")[2]
            break
        if equals and key in (*order, "devtype"):
            known[key] = value
        elif word in ("cdrom", "devtype=cdrom"):
            known["devtype"] = "cdrom"
        elif equals or place >= len(order):
            more.append(word)
        else:
            known[order[place]] = word
            place += 1
    cdrom = known.get("devtype") == "cdrom"
    access = access_of(known.get("access") or ("r" if cdrom else "w"), text)
    disk = Disk(
        known.get("target", ""), known.get("vdev", ""), known.get("format") or "raw", access, cdrom, tuple(more)
    )
    return _checked(disk, text)


def _old_order(words: t.Sequence[str]) -> bool:
    return len(words) == 3 and bool(_VDEV.match(words[1].partition(":")[0] if ":cdrom" in words[1] else words[1]))


def _parse_old(text: str, prefixes: t.Sequence[str], words: t.Sequence[str]) -> Disk:
    if len(words) not in (2, 3):
        raise ClusterError("disk %r is not target,device,access" % text, "write: /path,raw,xvda,rw")
    target, vdev = words[0], words[1]
    vdev = vdev[6:] if vdev.startswith("ioemu:") else vdev
    cdrom = vdev.endswith(":cdrom")
    vdev = vdev[:-6] if cdrom else vdev
    vdev = vdev[:-5] if vdev.endswith(":disk") else vdev
    format_ = next((one for one in prefixes if one in FORMATS), "raw")
    if target and not target.startswith("/") and "phy" in prefixes:
        target = "/dev/" + target
    return _checked(Disk(target, vdev, format_, access_of(words[2] if len(words) > 2 else "w", text), cdrom), text)


def from_options(options: t.Mapping[str, t.Any]) -> Disk:
    """The structured form: ``target``, ``vdev``, ``format``, ``access``, ``cdrom``."""
    text = str(options.get("target") or "")
    disk = Disk(
        text,
        str(options.get("vdev") or "xvda"),
        str(options.get("format") or "raw"),
        access_of(str(options.get("access") or "rw"), text),
        bool(options.get("cdrom")),
    )
    if text and not text.startswith("/"):
        raise ClusterError("disk %r: the target is no absolute path" % text, "write the whole path")
    return _checked(disk, text)
