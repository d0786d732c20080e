# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The initramfs: busybox, kernel modules, a small Python with the dolly agent, one script. Private module util."""

from __future__ import annotations

import gzip
import os
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.host import Host
from . import agent, cpio, elf, firmware, init_script, modules, pyclosure
from .kernel import Kernel
from .tree import Tree

# What the scripts call; the shell itself runs most of them without these links, other programs need them.
APPLETS = """
awk cat chmod cp cut dmesg echo find grep head hostname insmod ip ipcalc ls lsmod md5sum mkdir modprobe mount nc od ping
ps reboot rm sed setsid sh sha256sum sleep sort stat switch_root tail timeout top tr udhcpc umount uname vi wget
"""
_BUSYBOX = ("bin/busybox", "usr/bin/busybox", "bin/busybox.static", "usr/sbin/busybox")
_DEVICES = (("console", 5, 1), ("null", 1, 3))


@dataclass(frozen=True)
class Options:
    """``patterns``: modules by shell patterns below lib/modules/VERSION/kernel; ``agent``: sources of dolly."""

    patterns: tuple[str, ...] = modules.DEFAULT
    agent: t.Mapping[str, str] = field(default_factory=dict)
    compression: str = "auto"


@dataclass(frozen=True)
class Result:
    """``unpacked``: bytes in the memory of a booting node; ``dolly``: whether the agent is inside;
    ``firmware_missing``: names that network modules ask for and the image does not hold."""

    unpacked: int
    compression: str
    modules: int
    dolly: bool
    firmware_missing: tuple[str, ...] = ()


def busybox(tree: Tree, host: Host) -> bytes:
    """A static busybox of the image, else of this machine."""
    for path in _BUSYBOX:
        for data in (tree.read(path), host.read("/" + path)):
            if data and elf.is_elf(data) and elf.parse(data, path).static:
                return data
    raise ClusterError(
        "neither the image nor this machine has a static busybox", "add the package busybox-static to the image"
    )


def _modules(tree: Tree, version: str, patterns: t.Iterable[str], unzstd: modules.Decompress) -> list[cpio.Member]:
    index = modules.load_index(tree, version)
    base = "lib/modules/%s/" % version
    chosen = modules.select(index, patterns)
    members = [
        cpio.file("%s%s.ko" % (base, modules.stem(path)), modules.unpack(path, tree.read(base + path) or b"", unzstd))
        for path in chosen
    ]
    members.append(cpio.file(base + "modules.dep", modules.render_dep(index, chosen).encode()))
    members.append(cpio.file(base + "modules.alias", modules.render_alias(index, chosen).encode()))
    builtin = "".join("%s\n" % name for name in sorted(index.builtin))
    members.append(cpio.file(base + "modules.builtin", builtin.encode()))
    return members


def _library(closure: pyclosure.Closure, tree: Tree, sources: t.Iterable[str]) -> list[cpio.Member]:
    members = []
    for path in sources:
        cached = closure.compiled(path) if path.endswith(".py") else None
        members.append(cpio.file(path + "c" if cached else path, tree.read(cached or path) or b""))
    return members


def _python(tree: Tree, sources: t.Mapping[str, str]) -> list[cpio.Member]:
    """The interpreter with its libraries, the files of the standard library that are imported, and the agent."""
    found = pyclosure.interpreter(tree)
    if not sources or found is None:
        return []
    path, version = found
    closure = pyclosure.Closure(tree, version)
    files = closure.files([*pyclosure.BASE, *agent.needs(sources)])
    extensions = [name for name in files if not name.endswith(".py")]
    programs = elf.closure(["/" + path, *("/" + name for name in extensions)], tree.read)
    members = [cpio.file(name.lstrip("/"), data, 0o755) for name, data in programs.items()]
    members.extend(_library(closure, tree, [name for name in files if name.endswith(".py")]))
    members.append(cpio.symlink("bin/python3", "/" + path))
    cached = closure.compiled(closure.library + "/os.py")
    magic = (tree.read(cached) or b"")[:4] if cached else b""
    members.append(cpio.file("lib/xtreemos/dolly.pyz", agent.pyz(sources, magic)))
    return members


def _base(box: bytes) -> list[cpio.Member]:
    members = [cpio.file("bin/busybox", box, 0o755), cpio.file("init", init_script.INIT.encode(), 0o755)]
    members.append(cpio.file("lib/stage1/lease", init_script.LEASE.encode(), 0o755))
    members.extend(cpio.symlink("bin/" + name, "busybox") for name in APPLETS.split())
    members.append(cpio.symlink("sbin/modprobe", "/bin/busybox"))
    members.extend(cpio.directory(name) for name in ("proc", "sys", "run", "newroot", "dev", "mnt", "tmp", "etc"))
    members.extend(cpio.Member("dev/" + name, 0o020600, rdev=(major, minor)) for name, major, minor in _DEVICES)
    return members


def assemble(
    tree: Tree, kernel: Kernel, options: Options, host: Host, unzstd: modules.Decompress
) -> tuple[list[cpio.Member], list[str]]:
    """Every member of the initramfs, sorted; and the firmware that is wanted and not there."""
    members = _base(busybox(tree, host))
    members.extend(_modules(tree, kernel.version, options.patterns, unzstd))
    held, missing = firmware.collect(tree, kernel.version, members)
    members.extend(held)
    members.extend(_python(tree, options.agent))
    return cpio.with_parents(members), missing


def choose_compression(wanted: str, kernel: Kernel, host: Host) -> str:
    """The best one that the kernel unpacks and this machine writes; ClusterError when ``wanted`` is impossible."""
    if wanted != "auto":
        if wanted not in kernel.unpacks:
            raise ClusterError("kernel %s cannot unpack a %s initramfs" % (kernel.version, wanted))
        return wanted
    return "zstd" if "zstd" in kernel.unpacks and host.which("zstd") else "gzip"


def _file_unzstd(host: Host, work: str) -> modules.Decompress:
    def unzstd(data: bytes) -> bytes:
        packed, plain = os.path.join(work, "module.zst"), os.path.join(work, "module.ko")
        with open(packed, "wb") as stream:
            stream.write(data)
        host.run(["zstd", "-q", "-d", "-f", "-o", plain, packed])
        with open(plain, "rb") as stream:
            return stream.read()

    return unzstd


def write(tree: Tree, kernel: Kernel, options: Options, host: Host, out: str) -> Result:
    """Write the compressed initramfs to ``out``; intermediate files lie beside it."""
    compression = choose_compression(options.compression, kernel, host)
    members, missing = assemble(tree, kernel, options, host, _file_unzstd(host, os.path.dirname(out)))
    data = cpio.render(members)
    if compression == "gzip":
        with open(out, "wb") as stream:
            stream.write(gzip.compress(data, 9, mtime=0))
    else:
        plain = out + ".cpio"
        with open(plain, "wb") as stream:
            stream.write(data)
        host.run(["zstd", "-q", "-9", "-T0", "-f", "-o", out, plain])
        os.unlink(plain)
    paths = {member.path for member in members}
    loaded = sum(path.endswith(".ko") for path in paths)
    return Result(len(data), compression, loaded, "lib/xtreemos/dolly.pyz" in paths, tuple(missing))
