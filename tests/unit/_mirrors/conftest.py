# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees to carry, a key that signs, mirrors that answer as told."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.probe import Prober, Unreachable

NOW = 1_800_000_000
CFG = b"[media_info]\nversion=2.1\n[main/updates]\nname=Main Updates\n"


@dataclass
class Web:
    """Mirrors as URL to content; what is not there is a 404, an exception is raised. ``asked`` are the URLs."""

    files: dict[str, t.Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, base: str, age: int = 60, arch: str = "x86_64") -> None:
        self.files["%s/%s/media/media_info/media.cfg" % (base, arch)] = CFG
        self.files[base + "/timestamp"] = b"%d\n" % (NOW - age)

    def fetch(self, url: str, timeout: float) -> bytes:
        self.asked.append(url)
        found = self.files.get(url, Unreachable("status 404"))
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, Exception):
            raise found
        return t.cast("bytes", found)

    def prober(self, max_age: int = 172800, tries: int = 2) -> Prober:
        return Prober(max_age, 1.0, tries, self.fetch, lambda: NOW)


@pytest.fixture
def web() -> Web:
    return Web()


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.fail("%s is missing: make packages-test" % program)


class Tree:
    """A small tree with a package, metadata, digests and, when asked, a signature."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str, age: int = 0) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        stamp = NOW - 1000 - age
        os.utime(path, (stamp, stamp))
        return path

    def fill(self, version: str = "1", age: int = 0) -> None:
        """A package of this version alone, metadata that speak of it."""
        place = "x86_64/media/main/updates"
        for old in self.root.glob(place + "/*.rpm"):
            old.unlink()
        self.write("%s/foo-%s.rpm" % (place, version), "package %s" % version, age)
        self.write("x86_64/VERSION", "2.1")
        self.write(place + "/media_info/synthesis.hdlist.cz", "foo-%s.rpm" % version, age)
        self.write(place + "/media_info/MD5SUM", "sum of %s" % version, age)
        self.write(place + "/repodata/repomd.xml", "<foo %s/>" % version, age)
        self.write("x86_64/media/media_info/media.cfg", CFG.decode(), 0)
        link = self.root / "x86_64/media/media_info/synthesis.hdlist_main_updates.cz"
        if not link.is_symlink():
            link.symlink_to("../main/updates/media_info/synthesis.hdlist.cz")
        self.sums(age)
        self.write("timestamp", "%d\n" % (NOW - age), age)

    def sums(self, age: int = 0) -> None:
        rows = []
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.is_file() and not path.is_symlink() and ("media_info/" in name or "repodata/" in name):
                rows.append("%s  %s\n" % (hashlib.sha256(path.read_bytes()).hexdigest(), name))
        self.write("SHA256SUMS", "".join(rows), age)

    def content(self) -> dict[str, str]:
        """Path to text, of files and links, hidden names left out."""
        found = {}
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root)
            if any(part.startswith(".") for part in name.parts) or path.is_dir():
                continue
            found[str(name)] = "-> " + os.readlink(path) if path.is_symlink() else path.read_text()
        return found

    def hidden(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob(".*")}


@pytest.fixture
def source(tmp_path: Path) -> Tree:
    need("rsync")
    tree = Tree(tmp_path / "source" / "2.1")
    tree.fill()
    return tree


@pytest.fixture
def copy(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "copy" / "2.1")


@dataclass
class Key:
    home: Path
    public: Path
    fingerprint: str

    def sign(self, tree: Tree, suffix: str = "asc") -> None:
        """A signature beside SHA256SUMS, or with ``clear`` in a copy of its text."""
        name = tree.root / ("SHA256SUMS." + suffix.replace("clear", "asc"))
        words = {"asc": ["--armor", "--detach-sign"], "gpg": ["--detach-sign"], "clear": ["--clear-sign"]}[suffix]
        self.gpg("--yes", "--output", str(name), *words, str(tree.root / "SHA256SUMS"))
        os.utime(name, (NOW, NOW))

    def gpg(self, *words: str) -> str:
        argv = [
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            *words,
        ]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def make_key(folder: Path, name: str) -> Key:
    need("gpg", "gpgv", "gpgconf")
    folder.mkdir(mode=0o700)
    key = Key(folder, folder.parent / (name + ".asc"), "")
    key.gpg("--quick-gen-key", "%s <%s@example.org>" % (name, name), "ed25519", "sign", "0")
    rows = [line.split(":") for line in key.gpg("--with-colons", "--list-keys").splitlines()]
    key.fingerprint = next(row[9] for row in rows if row[0] == "fpr")
    key.public.write_text(key.gpg("--armor", "--export"))
    return key


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, Key]]:
    place = tmp_path_factory.mktemp("k")
    found = {name: make_key(place / name, name) for name in ("owner", "stranger")}
    yield found
    for key in found.values():
        subprocess.run(["gpgconf", "--homedir", str(key.home), "--kill", "gpg-agent"], check=False)
