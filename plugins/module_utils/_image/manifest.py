# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""manifest.json of an image version: the contract between builder, boot server and nodes. Private module util.

Format 1: format, name, version, serial (order of creation), created (ISO 8601, UTC), input_digest, arch,
kernel_version, init, ram_needed_mb, files {rootfs, kernel, stage1: {path, size, sha256}}, packages {name: version},
seconds, firmware_missing (names that stage1's network modules ask for and the image does not hold).
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field

from .._host.errors import ClusterError

FORMAT = 1
FILES = {"rootfs": "rootfs.sqfs", "kernel": "vmlinuz", "stage1": "stage1.img"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("name", "version", "created", "input_digest", "arch", "kernel_version", "init")
_NUMBERS = ("serial", "ram_needed_mb", "seconds")


@dataclass(frozen=True)
class FileInfo:
    """``path`` is relative to the folder of the version; ``size`` in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    name: str
    version: str
    serial: int
    created: str
    input_digest: str
    arch: str
    kernel_version: str
    ram_needed_mb: int
    files: t.Mapping[str, FileInfo]
    packages: t.Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    init: str = "systemd"
    firmware_missing: t.Sequence[str] = field(default_factory=list)


def render(manifest: Manifest) -> str:
    """JSON text, keys sorted."""
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1, sort_keys=True) + "\n"


def _file(row: t.Any) -> FileInfo:
    info = FileInfo(str(row["path"]), row["size"], str(row["sha256"]))
    if not isinstance(info.size, int) or info.size < 0:
        raise ValueError("bad size %r" % info.size)
    if not _SHA256.fullmatch(info.sha256) or "/" in info.path or info.path.startswith("."):
        raise ValueError("bad file entry %r" % info.path)
    return info


def _check_types(known: t.Mapping[str, t.Any]) -> None:
    for kind, keys in ((str, _TEXTS), ((int, float), _NUMBERS)):
        for key in keys:
            if key in known and not isinstance(known[key], t.cast("t.Any", kind)):
                raise ValueError("%s is %r" % (key, known[key]))
    packages, firmware = known.get("packages", {}), known.get("firmware_missing", [])
    if not isinstance(packages, dict) or not isinstance(firmware, list):
        raise ValueError("packages is no mapping or firmware_missing no list")


def parse(text: str, where: str = "manifest.json") -> Manifest:
    """ClusterError that names the file for anything that is no manifest of format 1."""
    try:
        data = json.loads(text)
        if data.pop("format") != FORMAT:
            raise ClusterError("%s has another format than %d" % (where, FORMAT), "use a newer xtreemos.cluster")
        files = {key: _file(data["files"][key]) for key in sorted(FILES)}
        known = {key: data[key] for key in Manifest.__dataclass_fields__ if key in data and key != "files"}
        _check_types(known)
        return Manifest(files=files, **known)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ClusterError("%s is no image manifest: %s" % (where, error), "remove that version and build it again")


def ram_needed_mb(rootfs: int, stage1: int, stage1_unpacked: int) -> int:
    """Megabytes a node needs: image and initramfs side by side while it boots, and room for kernel and services."""
    mib = (rootfs + stage1 + stage1_unpacked) / 1048576
    return int(-(-(mib + 176) // 64) * 64)
