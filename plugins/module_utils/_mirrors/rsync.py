# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of rsync: what is wanted, in which order, what it told. This module util is private to the collection."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

# What clients read first. It travels after the packages that it speaks of, and before others are deleted.
META_DIRS = ("media_info", "repodata")
META_FILES = ("SHA256SUMS", "SHA256SUMS.asc", "SHA256SUMS.gpg", "timestamp")
STAGE = ".mirror-sync"
# Where rsync writes a file before it has its name; in one place, what a killed run leaves is found again.
TEMP = ".mirror-sync.tmp"
_REMOTE = re.compile(r"rsync://[A-Za-z0-9.\[\]_:@-]+/[^\s]+|([A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+::?[^\s]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_CHANGE = re.compile(r"(\*deleting  |[<>ch.][fdLDS][a-zA-Z.+? ]{9}) (.*)")
# How rsync prints bytes of names that are no letters here.
_OCTAL = re.compile(rb"\\#([0-7]{3})")


@dataclass(frozen=True)
class Sync:
    """One tree to pull or to push; exactly one of ``source`` and ``dest`` is a folder of this machine, or both."""

    name: str
    source: str
    dest: str
    exclude: tuple[str, ...] = ()
    delete: bool = True
    pubkey: str = ""
    key: str = ""
    bwlimit: int = 0
    timeout: int = 600
    ssh_key: str = ""
    ssh_port: int = 22
    password_file: str = ""

    @property
    def pushes(self) -> bool:
        return not is_local(self.dest)


def temp_of(sync: Sync) -> str:
    return "%s/%s" % (sync.dest, TEMP)


def is_local(place: str) -> bool:
    return place.startswith("/")


def _place(name: str, what: str, value: t.Any) -> str:
    place = str(value or "").rstrip("/")
    if not is_local(place) and not _REMOTE.fullmatch(place):
        raise ClusterError(
            "sync %s: bad %s %r" % (name, what, place),
            "a folder, host:folder, host::module/path or rsync://host/module/path",
        )
    if place.startswith("/") and ("/../" in place + "/" or place.count("/") < 2):
        raise ClusterError("sync %s: the %s %s is no folder of a mirror" % (name, what, place), "as in /srv/mirror/2.1")
    return place


def parse_sync(item: t.Mapping[str, t.Any]) -> Sync:
    """One item of the options; ClusterError names it."""
    name = str(item.get("name") or "")
    if not _NAME.fullmatch(name):
        raise ClusterError("bad name of a sync: %r" % name, "letters, digits and ._-")
    source, dest = _place(name, "source", item.get("source")), _place(name, "dest", item.get("dest"))
    if not is_local(source) and not is_local(dest):
        raise ClusterError("sync %s: neither source nor dest is on this machine" % name, "run it on one of the two")
    if (dest + "/").startswith(source + "/") or (source + "/").startswith(dest + "/"):
        raise ClusterError("sync %s: source and dest lie inside each other" % name, "choose another folder")
    key = str(item.get("key") or "")
    if key and not item.get("pubkey"):
        raise ClusterError("sync %s: a key without pubkey" % name, "pubkey is the file with the public key itself")
    # rsync splits the words for ssh at blanks itself.
    if re.search(r"[\s'\"]", str(item.get("ssh_key") or "")):
        raise ClusterError("sync %s: ssh_key has a blank or quote in its name" % name, "rename the file")
    exclude = tuple(str(one) for one in item.get("exclude") or ())
    return Sync(
        name=name,
        source=source,
        dest=dest,
        exclude=exclude,
        delete=item.get("delete") is not False,
        pubkey=str(item.get("pubkey") or ""),
        key=key,
        bwlimit=int(item.get("bwlimit") or 0),
        timeout=int(item.get("timeout") or 600),
        ssh_key=str(item.get("ssh_key") or ""),
        ssh_port=int(item.get("ssh_port") or 22),
        password_file=str(item.get("password_file") or ""),
    )


def parse_syncs(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Sync, ...]:
    """All of them in their order; two that write to one place are an error."""
    found: list[Sync] = []
    for item in items:
        sync = parse_sync(item)
        if sync.name in [one.name for one in found]:
            raise ClusterError("sync %s is given twice" % sync.name, "keep one")
        if sync.dest in [one.dest for one in found]:
            raise ClusterError("sync %s: another one writes to %s too" % (sync.name, sync.dest), "keep one")
        found.append(sync)
    return tuple(found)


def _transport(sync: Sync) -> list[str]:
    remote = sync.dest if sync.pushes else sync.source
    if is_local(remote):
        return []
    if "::" in remote or remote.startswith("rsync://"):
        words = ["--contimeout=%d" % min(sync.timeout, 60)]
        return words + (["--password-file=%s" % sync.password_file] if sync.password_file else [])
    shell = ["ssh", "-o", "BatchMode=yes", "-p", str(sync.ssh_port)]
    shell += ["-i", sync.ssh_key, "-o", "IdentitiesOnly=yes"] if sync.ssh_key else []
    return ["--rsh=%s" % " ".join(shell)]


def _common(sync: Sync, dry: bool) -> list[str]:
    words = [
        "rsync",
        "--recursive",
        "--links",
        "--safe-links",
        "--hard-links",
        "--times",
        "--omit-dir-times",
        "--perms",
    ]
    words += ["--chmod=D755,F644", "--out-format=%i %n", "--timeout=%d" % sync.timeout]
    words += ["--bwlimit=%d" % sync.bwlimit] if sync.bwlimit else []
    return words + (["--dry-run"] if dry else []) + _transport(sync)


def _left_out(sync: Sync) -> list[str]:
    # Hidden names are work in progress: of ours, of rsync and of the modules that write metadata.
    return ["--exclude=.*", *("--exclude=%s" % one for one in sync.exclude)]


def _anywhere() -> list[str]:
    return ["%s/" % name for name in META_DIRS]


def whole(sync: Sync, dest: str) -> list[str]:
    """Tells everything that differs from ``dest``, and changes nothing."""
    delete = ["--delete"] if sync.delete else []
    return [*_common(sync, dry=True), *delete, *_left_out(sync), sync.source + "/", dest + "/"]


def packages(sync: Sync) -> list[str]:
    """Everything but the metadata, deleting nothing."""
    skip = ["--exclude=%s" % one for one in [*_anywhere(), *("/" + name for name in META_FILES)]]
    words = [*_common(sync, dry=False), "--delay-updates", *_left_out(sync), *skip]
    words += [] if sync.pushes else ["--temp-dir=%s" % temp_of(sync)]
    return [*words, sync.source + "/", sync.dest + "/"]


def metadata(sync: Sync, dest: str, known: str = "") -> list[str]:
    """The metadata alone, into ``dest``; files that ``known`` has already become links to them."""
    take = ["--include=/%s" % name for name in META_FILES] + ["--include=*/"]
    take += ["--include=%s/**" % name for name in META_DIRS] + ["--exclude=*", "--prune-empty-dirs"]
    words = [*_common(sync, dry=False), "--delay-updates", "--delete-after"]
    words += ["--link-dest=%s" % known] if known else []
    return [*words, *_left_out(sync), *take, sync.source + "/", dest + "/"]


def removal(sync: Sync) -> list[str]:
    """Deletes at the far end what is no longer here, and nothing else."""
    words = [*_common(sync, dry=False), "--delete-after", "--existing", "--ignore-existing"]
    return [*words, *_left_out(sync), sync.source + "/", sync.dest + "/"]


def _name(told: str) -> str:
    """A name as the file system has it."""
    data = _OCTAL.sub(lambda one: bytes([int(one.group(1), 8) & 255]), os.fsencode(told))
    return os.fsdecode(data)


def read_changes(output: str) -> dict[str, str]:
    """Path to what happens (added, updated, deleted, attributes), of the lines that rsync prints."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        match = _CHANGE.fullmatch(line)
        if not match or match.group(2) in ("./", ""):
            continue
        code, path = match.group(1), _name(match.group(2))
        if code.startswith("*"):
            found[path] = "deleted"
        elif "+++" in code:
            found[path] = "added"
        else:
            found[path] = "attributes" if code[0] == "." else "updated"
    return dict(sorted(found.items()))
