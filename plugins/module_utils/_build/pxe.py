# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kernel package as something that nodes boot by PXE: kernel, stage1, entry. Private to the collection.

``DEST/<name>-0r<revision>/{vmlinuz,stage1.img,entry.cfg}`` and the link ``DEST/last``; the entry is one label of
pxelinux(1) with paths below ``DEST``'s own folder name.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import typing as t

from .._host.errors import ClusterError
from .._host.files import sync_dir
from .._host.host import File, Host
from .._image import kernel, stage1
from .._image.tree import Tree
from .._rpm.header import read_rpm
from .._rpm.package import file_paths
from .store import Build, Store, packages

_KERNEL = re.compile(rb"/boot/vmlinuz-([^/]+)|/lib/modules/([^/]+)/vmlinuz")
_MODULES = re.compile(rb"(?:/usr)?/lib/modules/([^/]+)/.*\.ko(?:\.[a-z]+)?")
_TAR = "tar --numeric-owner --format=pax --sort=name"


def kernel_packages(folder: str) -> list[str]:
    """Packages of a build with a kernel or modules in them, when there is a kernel; else none."""
    rows = {}
    for rel in packages(folder):
        if rel.startswith("RPMS/"):
            path = os.path.join(folder, rel)
            rows[path] = file_paths(read_rpm(path).header)
    if not any(_KERNEL.fullmatch(name) for names in rows.values() for name in names):
        return []
    return [path for path, names in rows.items() if any(_KERNEL.fullmatch(one) or _MODULES.fullmatch(one) for one in names)]


def _unpack(paths: t.Sequence[str], work: str, host: Host) -> str:
    """The files of packages as a folder."""
    root = os.path.join(work, "root")
    os.makedirs(root)
    for path in paths:
        # rpm2archive writes beside its input, which is not ours to write to.
        copy = shutil.copy(path, work)
        host.run(["rpm2archive", copy], changes=True)
        plain = copy + ".tar"
        with gzip.open(copy + ".tgz") as packed, open(plain, "wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
        host.run(["tar", "--extract", "--numeric-owner", "--directory", root, "--file", plain], changes=True)
    return root


def _index_modules(root: str, host: Host) -> None:
    """modules.dep and its like are made when a package is installed; here nobody installs it."""
    place = os.path.join(root, "lib/modules")
    for version in os.listdir(place) if os.path.isdir(place) else ():
        dep = os.path.join(place, version, "modules.dep")
        if not os.path.isfile(dep) or not os.path.getsize(dep):
            host.run(["depmod", "--basedir", root, version], changes=True)


def render_entry(build: Build, dest: str, append: str) -> str:
    """One label for pxelinux.cfg."""
    base = "%s/%s" % (os.path.basename(dest.rstrip("/")), build.folder)
    words = ["initrd=%s/stage1.img" % base, *append.split()]
    return "label %s\n  kernel %s/vmlinuz\n  append %s\n" % (build.folder, base, " ".join(words))


def make(build: Build, folder: str, options: t.Mapping[str, t.Any], store: Store, host: Host) -> str:
    """Write the entry of a build that holds a kernel; its folder, empty when it holds none."""
    found = kernel_packages(folder)
    if not found:
        return ""
    dest, work = str(options["dest"]), os.path.join(store.work, "pxe")
    place = os.path.join(dest, build.folder)
    made = os.path.join(dest, ".new-" + build.folder)
    shutil.rmtree(made, ignore_errors=True)
    os.makedirs(made)
    os.makedirs(work)
    root = _unpack(found, work, host)
    _index_modules(root, host)
    tar = os.path.join(work, "root.tar")
    host.run([*_TAR.split(), "--directory", root, "--create", "--file", tar, "."], changes=True)
    with Tree(tar) as tree:
        boot = kernel.find(tree)
        patterns = tuple(options["modules"]) or stage1.Options().patterns
        stage1.write(tree, boot, stage1.Options(patterns), host, os.path.join(made, "stage1.img"))
        image = tree.read(boot.path) or b""
    entry = render_entry(build, dest, options["append"] or "").encode()
    host.write_files({made + "/vmlinuz": File(image), made + "/entry.cfg": File(entry)})
    host.run(["sync", "--file-system", made])
    shutil.rmtree(place, ignore_errors=True)
    os.rename(made, place)
    sync_dir(dest)
    host.symlink(build.folder, os.path.join(dest, "last"))
    return place


def prune(dest: str, kept: t.Collection[str], name: str) -> None:
    """Entries go with their builds."""
    for folder in os.listdir(dest) if os.path.isdir(dest) else ():
        if re.fullmatch(re.escape(name) + r"-0r\d+", folder) and folder not in kept:
            shutil.rmtree(os.path.join(dest, folder))


def check(options: t.Mapping[str, t.Any] | None, host: Host) -> None:
    """ClusterError for a program that is missing, before hours of building."""
    for program, package in (("rpm2archive", "rpm"), ("depmod", "kmod"), ("tar", "tar")) if options else ():
        if host.which(program) is None:
            raise ClusterError("%s is not installed" % program, "install the package %s" % package)
