# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small root trees, ELF files and hosts for the tests of _image."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree

VERSION = "6.1.0-9-cloud-amd64"
MODULES = "usr/lib/modules/%s/" % VERSION
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRfz41SGZ0dm1zdTOV0 admin"
SHADOW = "root:*:20778:0:99999:7:::\ndaemon:*:20778:0:99999:7:::\nsshd:!:20778::::::\n"
PRIVATE = "-----BEGIN OPENSSH %s KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAA\n-----END" % "PRIVATE"


def elf(interpreter: str = "", needed: t.Sequence[str] = (), runpath: str = "", machine: int = 62) -> bytes:
    """A 64-bit little-endian ELF file with one loadable segment that holds everything."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in [*needed, runpath])
    offsets, at = [], 1
    for name in [*needed, runpath]:
        offsets.append(at)
        at += len(name) + 1
    base, head = 0x400000, 64 + 3 * 56
    interp = interpreter.encode() + b"\0" if interpreter else b""
    strings_at = head + len(interp)
    dynamic_at = strings_at + len(strings)
    rows = [(1, offset) for offset in offsets[:-1]]
    if runpath:
        rows.append((29, offsets[-1]))
    rows = [*rows, (5, base + strings_at), (0, 0)] if needed or runpath else []
    dynamic = b"".join(struct.pack("<QQ", *row) for row in rows)
    size = dynamic_at + len(dynamic)
    segments = [
        (3 if interp else 0, head, base + head, len(interp)),
        (1, 0, base, size),
        (2 if rows else 0, dynamic_at, base + dynamic_at, len(dynamic)),
    ]
    header = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    header += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    table = b"".join(struct.pack("<IIQQQQQQ", k, 4, off, va, va, n, n, 4096) for k, off, va, n in segments)
    return header + table + interp + strings + dynamic


STATIC = elf()


def module_files() -> dict[str, edit.Node]:
    names = ("fs/squashfs/squashfs", "fs/overlayfs/overlay", "drivers/block/loop", "drivers/net/virtio_net")
    files = {MODULES + "kernel/%s.ko" % name: edit.text("module %s" % name) for name in names}
    files[MODULES + "kernel/net/net_failover.ko"] = edit.text("module net_failover")
    files[MODULES + "kernel/sound/snd.ko"] = edit.text("module snd")
    dep = "".join("kernel/%s.ko:\n" % name for name in names[:3])
    dep += "kernel/drivers/net/virtio_net.ko: kernel/net/net_failover.ko\nkernel/net/net_failover.ko:\n"
    files[MODULES + "modules.dep"] = edit.text(dep + "kernel/sound/snd.ko:\n")
    alias = "# Aliases\nalias virtio:d00000001v* virtio_net\nalias snd-card-0 snd\n"
    files[MODULES + "modules.alias"] = edit.text(alias)
    files[MODULES + "modules.builtin"] = edit.text("kernel/fs/ext4/ext4.ko\n")
    return files


def paragraph(name: str, version: str = "1.0", arch: str = "amd64") -> str:
    return "Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n" % (name, arch, version)


def nodes() -> dict[str, edit.Node]:
    """A merged-/usr tree with systemd, sshd, kernel and a static busybox."""
    return {
        "lib": edit.link("usr/lib"),
        "bin": edit.link("usr/bin"),
        "sbin": edit.link("usr/sbin"),
        "usr/lib/systemd/systemd": edit.Node(elf(), 0o755),
        "usr/sbin/init": edit.link("/lib/systemd/systemd"),
        "usr/lib/systemd/system/ssh.service": edit.text("[Unit]\n"),
        "usr/sbin/sshd": edit.Node(elf(), 0o755),
        "usr/bin/busybox": edit.Node(STATIC, 0o755),
        "boot/vmlinuz-" + VERSION: edit.text("kernel"),
        "boot/config-" + VERSION: edit.text("CONFIG_RD_GZIP=y\n"),
        "etc/shadow": edit.text(SHADOW),
        "etc/passwd": edit.text("root:x:0:0:root:/root:/bin/bash\n"),
        "etc/fstab": edit.text("# old\n"),
        "var/lib/dpkg/status": edit.text("\n".join([paragraph("base-files", "12.4"), paragraph("cpio", "2.13")])),
        "var/lib/dpkg/info/base-files.list": edit.text("/.\n/etc\n"),
        "var/lib/dpkg/info/cpio.list": edit.text("/.\n/bin\n/bin/cpio\n"),
        "usr/bin/cpio": edit.text("cpio"),
        **module_files(),
    }


def make(path: Path, files: t.Mapping[str, edit.Node] | None = None, drop: t.Collection[str] = ()) -> str:
    """Write a tree as a tar: the sample with ``files`` over it and ``drop`` left out."""
    wanted = {**nodes(), **(files or {})}
    path.write_bytes(edit.tar_bytes({name: node for name, node in wanted.items() if name not in drop}))
    return str(path)


def tree(folder: Path, files: t.Mapping[str, edit.Node] | None = None, drop: t.Collection[str] = ()) -> Tree:
    return Tree(make(folder / "sample.tar", files, drop))


def tar_of(rows: t.Sequence[tarfile.TarInfo], contents: t.Mapping[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for row in rows:
            data = (contents or {}).get(row.name, b"")
            row.size = len(data)
            archive.addfile(row, io.BytesIO(data))
    return out.getvalue()


class FakeHost(LocalHost):
    """This machine, but the slow programs only leave files: mmdebstrap a sample tree, tar2sqfs a copy of the tar."""

    def __init__(self, files: t.Mapping[str, edit.Node] | None = None, drop: t.Collection[str] = ()) -> None:
        super().__init__()
        self.files, self.drop = files, drop
        self.missing: set[str] = set()
        self.texts: dict[str, str] = {}
        self.failures: dict[str, Completed] = {}
        self.ran: list[list[str]] = []

    def which(self, program: str) -> str | None:
        return None if program in self.missing else "/usr/bin/" + program

    def read(self, path: str) -> bytes | None:
        fixed = {"/etc/os-release": b"VERSION_CODENAME=bookworm\n", "/etc/subuid": b"builder:100000:65536\n"}
        return fixed.get(path)

    def listdir(self, path: str, pattern: str = "*") -> list[str]:
        return ["maybe-merged-usr"] if path.endswith("mmdebstrap/hooks") else []

    def run(self, argv: t.Sequence[str], **options: t.Any) -> Completed:
        self.ran.append(list(argv))
        if options.get("changes"):
            self.actions.append(list(argv))
        if argv[0] in self.failures:
            return self.failures[argv[0]]
        if argv[0] == "mmdebstrap":
            make(Path(argv[-2]), self.files, self.drop)
        elif argv[0] in ("tar2sqfs", "mksquashfs"):
            out = argv[-1] if argv[0] == "tar2sqfs" else argv[2]
            Path(out).write_bytes(bytes(options["stdin"]))
        elif argv[0] == "zstd":
            Path(argv[argv.index("-o") + 1]).write_bytes(Path(argv[-1]).read_bytes())
        elif argv[0] == "tar":
            make(Path(argv[argv.index("-cf") + 1]), self.files, self.drop)
        return Completed(tuple(argv), 0, self.texts.get(argv[0], ""), "")


def inside(path: str) -> Tree:
    """The tree that FakeHost left as squashfs."""
    assert os.path.exists(path)
    return Tree(path)
