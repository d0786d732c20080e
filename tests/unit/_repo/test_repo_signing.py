# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata and their signatures come into a tree together: readers, kills, keys that do not work."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.publish import run_publish
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.transaction import no_step
from ansible_collections.xtreemos.cluster.tests.unit._media.samples import run as hdlist
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import files, options, package, run, tree
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from ansible_collections.xtreemos.cluster.tests.unit.killing import die_at

PASSPHRASE = "correct horse"
MAIN = "2.1/x86_64/media/main/updates"
SIGNED = ("MD5SUM", "repomd.xml", "SHA256SUMS")


def gpg(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """A folder of GnuPG with the keys one and two; two has a passphrase."""
    for program in ("gpg", "gpgconf"):
        if not shutil.which(program):
            pytest.skip("%s is not installed" % program)
    place = tmp_path_factory.mktemp("k") / "home"
    place.mkdir(mode=0o700)
    (place / "gpg-agent.conf").write_text("s2k-count 65536\n")
    for name, secret in (("one", ""), ("two", PASSPHRASE)):
        made = gpg(place, "--passphrase", secret, "--quick-gen-key", "Tester %s" % name, "ed25519", "sign", "0")
        assert made.returncode == 0, made.stderr
    subprocess.run(["gpgconf", "--homedir", str(place), "--kill", "gpg-agent"], check=False)
    yield place
    subprocess.run(["gpgconf", "--homedir", str(place), "--kill", "gpg-agent"], check=False)
    subprocess.run(["gpgconf", "--homedir", str(place), "--remove-socketdir"], check=False)


def key(home: Path, name: str) -> str:
    rows = gpg(home, "--with-colons", "--list-keys", name).stdout.splitlines()
    return next(row.split(":")[9] for row in rows if row.startswith("fpr"))


def sign(home: Path, name: str = "one", **more: t.Any) -> dict[str, t.Any]:
    return {"key": key(home, name), "gnupg_home": str(home), **more}


def small(folder: Path, repodata: bool = False) -> dict[str, t.Any]:
    media = [{"name": "main", "sections": ["updates"]}]
    return tree(folder, arches=["x86_64"], media=media, sources=False, repodata=repodata)


def real(folder: Path, number: int) -> Path:
    """A package that rpmbuild made, as createrepo_c reads the tests' own ones with a complaint."""
    found = {path.name: path for path in sorted(GOLDEN.rglob("*.noarch.rpm")) if path.stat().st_size}
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(list(found.values())[number], folder))


def signer(home: Path, content: bytes, signature: bytes, scratch: Path) -> str:
    """Fingerprint of the key that made a signature; empty for a bad one."""
    (scratch / "c").write_bytes(content)
    (scratch / "c.asc").write_bytes(signature)
    told = gpg(home, "--no-autostart", "--status-fd", "1", "--verify", str(scratch / "c.asc"), str(scratch / "c"))
    lines = [line.split() for line in told.stdout.splitlines() if " VALIDSIG " in line]
    return lines[0][2] if told.returncode == 0 and lines else ""


def unsigned(home: Path, place: Path, scratch: Path, wanted: str) -> list[Path]:
    """Metadata below a folder that the key has not signed."""
    found = [path for path in place.rglob("*") if path.name in SIGNED and "/." not in str(path)]
    assert len(found) >= 2
    return [path for path in found if _signer_of(home, path, scratch) != wanted]


def _signer_of(home: Path, path: Path, scratch: Path) -> str:
    beside = path.with_name(path.name + ".asc")
    if not beside.exists():
        return ""
    return (
        text_signer(home, beside)
        if path.name == "SHA256SUMS"
        else signer(home, path.read_bytes(), beside.read_bytes(), scratch)
    )


def text_signer(home: Path, path: Path) -> str:
    """The same for a text with its signature in it, as people verify it; its digests have to be of what is there."""
    told = gpg(home, "--no-autostart", "--status-fd", "1", "--verify", str(path))
    lines = [line.split() for line in told.stdout.splitlines() if " VALIDSIG " in line]
    return lines[0][2] if told.returncode == 0 and lines else ""


class Reader(threading.Thread):
    """Reads files with their signatures over and over, each pair out of one folder, as it was opened."""

    def __init__(self, paths: t.Sequence[Path]) -> None:
        super().__init__(daemon=True)
        self.paths, self.pairs, self.end = paths, set[t.Tuple[bytes, bytes]](), threading.Event()
        self.lacking: list[Path] = []

    def run(self) -> None:
        while not self.end.is_set():
            for path in self.paths:
                self._look(path)

    def _look(self, path: Path) -> None:
        place = os.open(path.parent, os.O_RDONLY)
        try:
            content = self._read(place, path.name)
            signature = self._read(place, path.name + ".asc")
            # A folder that was removed while it was read tells nothing.
            if content is not None and signature is not None:
                self.pairs.add((content, signature))
            elif os.fstat(place).st_ino == os.stat(path.parent).st_ino:
                self.lacking.append(path)
        finally:
            os.close(place)

    @staticmethod
    def _read(place: int, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError), open(os.open(name, os.O_RDONLY, dir_fd=place), "rb") as stream:
            return stream.read()
        return None


def test_a_reader_sees_no_wrong_signature(home: Path, tmp_path: Path) -> None:
    given, signing = small(tmp_path / "mirror", shutil.which("createrepo_c") is not None), sign(home)
    run(given, sign=signing)
    top = tmp_path / "mirror" / MAIN
    paths = [top / "media_info/MD5SUM", tmp_path / "mirror/2.1/x86_64/media/media_info/MD5SUM"]
    paths += [top / "repodata/repomd.xml"] if given["repodata"] else []
    reader = Reader(paths)
    reader.start()
    for number in range(4):
        real(tmp_path / "in", number)
        assert run(given, sign=signing, **{"from": str(tmp_path / "in"), "to": "main/updates"})["changed"]
    reader.end.set()
    reader.join(30)
    assert not reader.is_alive() and reader.lacking == []
    assert len({content for content, _signature in reader.pairs}) > len(paths)
    assert {signer(home, *pair, tmp_path) for pair in reader.pairs} == {signing["key"]}
    assert unsigned(home, tmp_path / "mirror", tmp_path, signing["key"]) == []


def test_the_reader_notices_a_wrong_pair(home: Path, tmp_path: Path) -> None:
    """So that the test above can fail."""
    run(small(tmp_path / "mirror"), sign=sign(home))
    path = tmp_path / "mirror" / MAIN / "media_info/MD5SUM"
    good = path.with_name("MD5SUM.asc").read_bytes()
    assert signer(home, path.read_bytes(), good, tmp_path) == key(home, "one")
    assert signer(home, path.read_bytes() + b"\n", good, tmp_path) == ""
    path.with_name("MD5SUM.asc").unlink()
    reader = Reader([path])
    reader._look(path)
    assert (reader.lacking, reader.pairs) == ([path], set())


@pytest.mark.parametrize("name", ["journal", "placed", "metadata", "settled"])
def test_kills_leave_no_wrong_signature(home: Path, tmp_path: Path, name: str) -> None:
    given, signing = small(tmp_path / "mirror"), sign(home)
    run(given, sign=signing)
    package(tmp_path / "in", "foo", arch="x86_64")
    request = options(given, sign=signing, **{"from": str(tmp_path / "in"), "to": "main/updates"})
    child = os.fork()
    if child == 0:
        try:
            run_publish(
                request, False, LocalHost(), lambda at: os.kill(os.getpid(), signal.SIGKILL) if at == name else None
            )
        finally:
            os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert unsigned(home, tmp_path / "mirror", tmp_path, signing["key"]) == []
    assert run_publish(request, False, LocalHost(), no_step)["repaired"] == (
        "undone" if name == "journal" else "finished"
    )
    assert unsigned(home, tmp_path / "mirror", tmp_path, signing["key"]) == []
    assert not run(given, sign=signing)["changed"]


@pytest.mark.parametrize("step", range(1, 5))
def test_kills_while_the_digests_are_written(home: Path, tmp_path: Path, step: int) -> None:
    """Between SHA256SUMS and its signed text, before and after: what is signed is good, and the next run mends."""
    given, signing = small(tmp_path / "mirror"), sign(home)
    run(given, sign=signing)
    package(tmp_path / "in", "foo", arch="x86_64")
    more = {"from": str(tmp_path / "in"), "to": "main/updates"}

    def of_digests(_source: str, dest: str) -> bool:
        return os.path.basename(dest) in ("SHA256SUMS", "SHA256SUMS.asc", "timestamp")

    killed = die_at(step, lambda: run(given, sign=signing, **more), calls=("replace",), counts=of_digests)
    assert killed is (step < 4)
    assert unsigned(home, tmp_path / "mirror", tmp_path, signing["key"]) == []
    run(given, sign=signing, **more)
    root = tmp_path / "mirror/2.1"
    assert (root / "SHA256SUMS").read_bytes() in (root / "SHA256SUMS.asc").read_bytes()
    assert unsigned(home, tmp_path / "mirror", tmp_path, signing["key"]) == []
    assert not run(given, sign=signing)["changed"] and not list(root.glob("*.new.*"))


def test_the_digests_and_their_signature_are_one_file(home: Path, tmp_path: Path) -> None:
    """gpg, gpgv and sha256sum take it as it is; a tree with the two files of former versions gets it."""
    given, signing = small(tmp_path / "mirror"), sign(home)
    run(given, sign=signing)
    place = tmp_path / "mirror/2.1"
    sums, signed = place / "SHA256SUMS", place / "SHA256SUMS.asc"
    assert sums.read_bytes() in signed.read_bytes() and text_signer(home, signed) == signing["key"]
    (tmp_path / "ring").write_bytes(
        subprocess.run(
            ["gpg", "--homedir", str(home), "--export", signing["key"]], check=True, capture_output=True
        ).stdout
    )
    argv = ["gpgv", "--keyring", str(tmp_path / "ring"), "--output", str(tmp_path / "text"), str(signed)]
    subprocess.run(argv, check=True, capture_output=True)
    assert (tmp_path / "text").read_bytes() == sums.read_bytes()
    subprocess.run(["sha256sum", "--quiet", "-c", signed.name], check=True, cwd=place, capture_output=True)
    gpg(home, "--armor", "--yes", "--output", str(signed), "--local-user", signing["key"], "--detach-sign", str(sums))
    assert run(given, sign=signing)["files"] and text_signer(home, signed) == signing["key"]
    # A good signature of another text is none.
    other = signed.read_bytes()
    package(tmp_path / "in", "foo", arch="x86_64")
    run(given, sign=signing, **{"from": str(tmp_path / "in"), "to": "main/updates"})
    assert signed.read_bytes() != other
    signed.write_bytes(other)
    assert run(given, sign=signing)["changed"] and sums.read_bytes() in signed.read_bytes()


def damage(place: Path) -> None:
    for path in place.rglob("*.asc"):
        path.write_bytes(b"nothing\n")


def lose(place: Path) -> None:
    for path in place.rglob("*.asc"):
        path.unlink()


@pytest.mark.parametrize("spoil", [damage, lose, lambda _place: None], ids=["damaged", "lost", "another key"])
def test_signatures_are_mended(home: Path, tmp_path: Path, spoil: t.Callable[[Path], None]) -> None:
    given = small(tmp_path / "mirror")
    run(given, sign=sign(home))
    before = {path: mark for path, mark in files(tmp_path / "mirror").items() if not path.endswith(".asc")}
    spoil(tmp_path / "mirror")
    signing = sign(home, "two", passphrase=PASSPHRASE)
    was = files(tmp_path, hidden=True)
    predicted = run(given, True, sign=signing)
    assert files(tmp_path, hidden=True) == was
    real = run(given, sign=signing)
    assert predicted == real and real["changed"]
    assert unsigned(home, tmp_path / "mirror", tmp_path, signing["key"]) == []
    after = {path: mark for path, mark in files(tmp_path / "mirror").items() if not path.endswith(".asc")}
    assert after == before
    assert not run(given, sign=signing)["changed"]


def test_without_a_key_old_signatures_leave_with_what_they_were_of(home: Path, tmp_path: Path) -> None:
    given = small(tmp_path / "mirror")
    run(given, sign=sign(home))
    assert not run(given)["changed"]
    assert list((tmp_path / "mirror").rglob("*.asc"))
    package(tmp_path / "in", "foo", arch="x86_64")
    run(given, **{"from": str(tmp_path / "in"), "to": "main/updates"})
    assert list((tmp_path / "mirror").rglob("*.asc")) == []


def test_hdlist_removes_the_signature_of_an_old_md5sum(tmp_path: Path) -> None:
    package(tmp_path, "foo")
    hdlist(tmp_path)
    mark = tmp_path / "media_info/MD5SUM.asc"
    mark.write_bytes(b"signature")
    hdlist(tmp_path)
    assert mark.exists()
    package(tmp_path, "bar")
    hdlist(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("two", {"passphrase": "wrong"}, "passphrase"),
        ("two", {}, "passphrase"),
        ("two", {"passphrase": ""}, "the passphrase is empty"),
        ("one", {"passphrase_file": "/nowhere/secret"}, "/nowhere/secret is missing or empty"),
        ("one", {"gnupg_home": "/nowhere"}, "gnupg_home /nowhere does not exist"),
        ("one", {"key": "F" * 40}, "key F{40} is not in"),
        ("one", {"key": "main"}, "is no fingerprint"),
        ("one", {"gpg_program": "nogpg"}, "nogpg is not installed"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_key_that_cannot_sign_changes_nothing(
    home: Path, tmp_path: Path, name: str, more: dict[str, t.Any], message: str, check: bool
) -> None:
    given = small(tmp_path / "mirror")
    run(given)
    package(tmp_path / "in", "foo", arch="x86_64")
    before = files(tmp_path)
    with pytest.raises(ClusterError, match=message):
        run(given, check, sign={**sign(home, name), **more}, **{"from": str(tmp_path / "in"), "to": "main/updates"})
    assert files(tmp_path) == before


def agent_runs(home: Path) -> bool:
    argv = ["gpg-connect-agent", "--homedir", str(home), "--no-autostart", "GETINFO pid", "/bye"]
    return b"D " in subprocess.run(argv, check=False, capture_output=True).stdout


def test_the_agent_ends_with_the_run(home: Path, tmp_path: Path) -> None:
    signing = sign(home)
    # A run that was killed has left one.
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)
    end = time.monotonic() + 5
    while agent_runs(home) and time.monotonic() < end:
        time.sleep(0.01)
    run(small(tmp_path / "mirror"), sign=signing)
    assert not agent_runs(home)


def test_what_others_put_beside_the_rpm_md_stays(tmp_path: Path) -> None:
    if not shutil.which("createrepo_c"):
        pytest.skip("createrepo_c is not installed")
    given = small(tmp_path / "mirror", True)
    run(given)
    stranger = tmp_path / "mirror" / MAIN / "repodata/README"
    stranger.write_text("by hand\n")
    real(tmp_path / "in", 0)
    run(given, **{"from": str(tmp_path / "in"), "to": "main/updates"})
    assert stranger.read_text() == "by hand\n"
    assert not (tmp_path / "mirror" / MAIN / ".media_info/rpm-md").exists()
    listed = (stranger.parent / "repomd.xml").read_text()
    assert all(one.name in listed for one in stranger.parent.iterdir() if one.name not in ("README", "repomd.xml"))
