# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root tree of this machine's own programs, small enough for every test; a host whose installers are stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import enter
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.backends import plain
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import elf

PROGRAMS = ("sh", "cat", "id", "ls", "sleep", "env", "touch", "pwd", "readlink", "kill")
# The distribution's own programs: others may need more than their libraries.
_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
ENTER = Path(str(enter.__file__))
PASSWD = "root:x:0:0:root:/root:/bin/sh\nbuilder:x:1234:1235:b:/home/builder:/bin/sh\n"
GROUP = "root:x:0:\nbuilder:x:1235:\nextra:x:1300:nobody,builder\n"
SHADOW = "root:*:19000:0:99999:7:::\nbuilder:!:19000:0:99999:7:::\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces with mounts need root")


def read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def tiny_tree(root: Path, programs: t.Sequence[str] = PROGRAMS) -> Path:
    """A tree that runs a few programs."""
    found = [shutil.which(name, path=_PATH) or name for name in programs]
    for path, data in elf.closure(found, read).items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o755)
    (root / "bin").mkdir(exist_ok=True)
    for path in found:
        link = root / "bin" / os.path.basename(path)
        if not link.exists():
            link.symlink_to(path)
    accounts(root)
    return root


def accounts(root: Path) -> Path:
    (root / "etc").mkdir(parents=True, exist_ok=True)
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("shadow", SHADOW)):
        (root / "etc" / name).write_text(text)
    for name in ("root", "home/builder"):
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


def argv(root: Path, *command: str, options: t.Sequence[str] = ()) -> list[str]:
    return [sys.executable, str(ENTER), *options, str(root), "--", *command]


def run(root: Path, *command: str, options: t.Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    words = argv(root, *command, options=options)
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


class Builder(LocalHost):
    """A real host whose installers only write what a tree needs; ``fails`` maps a program to its output."""

    def __init__(self, fails: t.Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.fails = dict(fails or {})
        self.ran: list[list[str]] = []
        self.stdins: list[bytes] = []
        self.missing: set[str] = set()

    def which(self, program: str) -> str | None:
        return None if program in self.missing else "/usr/bin/" + program

    def run(self, argv: t.Sequence[str], **options: t.Any) -> Completed:
        words = plain(argv)
        self.ran.append(words)
        if words[0] in ("sync", "tar", "install", "ssh-keygen"):
            return super().run(argv, **options)
        if options.get("changes"):
            self.actions.append(words)
            self.stdins.append(options.get("stdin") or b"")
        out = self._answer(words)
        if words[0] in self.fails:
            return Completed(tuple(words), 1, "", self.fails[words[0]])
        return Completed(tuple(words), 0, out)

    def _answer(self, words: list[str]) -> str:
        if words[0] in ("mmdebstrap", "debootstrap", "urpmi", "dnf", "mkosi"):
            self._tree(words)
        if words[0] == "apt-get" and "indextargets" in words:
            return APT
        return 'Acquire::Retries "3";\n' if words[0] == "apt-config" else ""

    def _tree(self, words: list[str]) -> None:
        after = {word.partition("=")[0]: word.partition("=")[2] for word in words}
        given = after.get("--installroot") or next((word for word in words if word.endswith("/root")), "")
        place = Path(given or after["--output-dir"] + "/root")
        accounts(place)
        keeper = place / ("var/lib/dpkg" if "bootstrap" in words[0] or "debstrap" in words[0] else "var/lib/rpm")
        keeper.mkdir(parents=True, exist_ok=True)
        names = next((word.partition("=")[2].split(",") for word in words if word.startswith("--include=")), [])
        text = "".join(
            "Package: %s\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n" % n for n in names
        )
        (keeper / "status").write_text(text)


STATUS = "Package: %s\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
APT = """\
Created-By: Packages
Target-Of: deb
Repo-URI: http://deb.example.org/debian/
Release: bookworm
Component: main
Codename: bookworm
Signed-By:
"""
