# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root tree of this machine's own programs that builds packages, takes logins and runs Ansible: no network needed.

    python tests/integration/rootfs.py DEST.tar.gz

writes the tree as a tarball and ``DEST.tar.gz.sha256sum`` beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._image import elf
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import read, tiny_tree

PROGRAMS = """
awk basename bash cat chmod chown cp cut date diff dirname echo env expr false file find grep gzip head hostname id
install ln ls mkdir mktemp mv nproc pwd python3 readlink rm rmdir rpm rpmbuild rpmspec sed sh sleep sort stat tail tar
test touch tr true uname uniq wc xargs /usr/sbin/sshd
"""
# What the programs read that no dynamic linker tells of.
_FOLDERS = ("/usr/lib/rpm", "/usr/lib/python3.11", "/usr/lib/python3.12", "/usr/lib/python3.13")
_FILES = ("/usr/lib/file/magic.mgc", "/usr/share/misc/magic.mgc", "/etc/magic", "/etc/protocols")
_SKIP = shutil.ignore_patterns(
    "__pycache__", "test", "idlelib", "ensurepip", "lib2to3", "config-3*", "*.a", "dist-packages"
)
_ACCOUNTS = {
    "passwd": "sshd:x:100:65534::/run/sshd:/bin/false\nnobody:x:65534:65534::/:/bin/false\n",
    "group": "tty:x:5:\n",
}


def make(root: Path) -> Path:
    """Fill ``root``."""
    tiny_tree(root, PROGRAMS.split())
    for folder in _FOLDERS:
        if os.path.isdir(folder):
            shutil.copytree(folder, root / folder[1:], symlinks=True, ignore=_SKIP, dirs_exist_ok=True)
    for path in _FILES:
        if os.path.isfile(path):
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path[1:])
    _libraries(root)
    for name, text in _ACCOUNTS.items():
        with (root / "etc" / name).open("a") as stream:
            stream.write(text)
    for name in ("tmp", "var/tmp", "var/lib/rpm", "usr/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "var/tmp").chmod(0o1777)
    for name in ("sh", "env", "python3", "bash"):
        if not (root / "usr/bin" / name).exists():
            (root / "usr/bin" / name).symlink_to("/bin/" + name)
    return root


def _libraries(root: Path) -> None:
    """What the folders' own ELF files need."""
    own = [path for folder in _FOLDERS if (root / folder[1:]).is_dir() for path in (root / folder[1:]).rglob("*")]
    names = [
        "/" + str(path.relative_to(root)) for path in own if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"
    ]
    for path, data in elf.closure(names, read).items():
        place = root / path.lstrip("/")
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            place.chmod(0o755)


def pack(dest: Path) -> Path:
    """The tree as a tarball with its digest list."""
    with tempfile.TemporaryDirectory(prefix="rootfs-") as folder:
        root = make(Path(folder) / "rootfs")
        dest.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(dest, "w:gz", compresslevel=1) as archive:
            archive.add(root, "rootfs")
    digest = hashlib.sha256(dest.read_bytes()).hexdigest()
    Path(str(dest) + ".sha256sum").write_text("%s  %s\n" % (digest, dest.name))
    return dest


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
