# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder of GnuPG with small keys of every kind, made once per session; packages to sign."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN

PASSPHRASE = "correct horse"
MODULES = "ansible_collections.xtreemos.cluster.plugins.modules."
Result = t.Dict[str, t.Any]


@dataclass
class Keys:
    """Fingerprints of the keys in ``home``; ``locked`` and ``locked_rsa`` have the passphrase."""

    home: Path
    names: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> str:
        try:
            return self.names[name]
        except KeyError:
            raise AttributeError(name)

    def gpg(self, *words: str, stdin: str = "", text: bool = True) -> t.Any:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--pinentry-mode", "loopback", *words]
        return subprocess.run(
            argv, check=True, capture_output=True, text=text, input=stdin if text else stdin.encode()
        ).stdout

    def make(self, name: str, kind: str, secret: str = "", *words: str, ends: str = "0") -> None:
        user = "Tester %s <%s@example.org>" % (name, name)
        self.gpg("--passphrase", secret, *words, "--quick-gen-key", user, kind, "sign", ends)
        rows = [line.split(":") for line in self.gpg("--with-colons", "--list-keys", name + "@").splitlines()]
        self.names[name] = next(row[9] for row in rows if row[0] == "fpr")

    def stop(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], check=False)
        for _turn in range(500):
            if not self.agent_runs():
                return
            time.sleep(0.01)
        raise AssertionError("the agent does not end")

    def agent_runs(self) -> bool:
        argv = ["gpg-connect-agent", "--homedir", str(self.home), "--no-autostart", "GETINFO pid", "/bye"]
        return b"D " in subprocess.run(argv, check=False, capture_output=True).stdout


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.skip("%s is not installed" % program)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Keys]:
    need("gpg", "gpgconf", "gpg-connect-agent", "rpmkeys", "rpmsign")
    # As deep as pytest likes: the path of the socket would be too long for gpg by itself.
    place = tmp_path_factory.mktemp("g")
    home = place / "home"
    home.mkdir(mode=0o700)
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")
    made = Keys(home)
    made.make("rsa", "rsa2048")
    made.make("ed", "ed25519")
    made.make("locked", "ed25519", PASSPHRASE)
    made.make("other", "ed25519")
    made.make("expired", "ed25519", "", "--faked-system-time", "20200101T000000", ends="30d")
    made.make("revoked", "ed25519")
    made.make("public", "ed25519")
    made.make("curve", "nistp256")
    text = (home / "openpgp-revocs.d" / (made.revoked + ".rev")).read_text().replace(":-----", "-----")
    made.gpg("--import", stdin=text)
    made.gpg("--delete-secret-keys", made.public)
    made.stop()
    yield made
    try:
        assert not made.agent_runs()
    finally:
        made.stop()
        subprocess.run(["gpgconf", "--homedir", str(home), "--remove-socketdir"], check=False)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Result]:
    """Runs a module by its name with options; ``check`` and ``diff`` as on the command line."""
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False, raising=False)

    def run(name: str, check: bool = False, diff: bool = False, **options: t.Any) -> Result:
        module = importlib.import_module(MODULES + name)
        options = {"_ansible_check_mode": check, "_ansible_diff": diff, **options}
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        result = json.loads(capsys.readouterr().out)
        result.pop("invocation", None)
        return t.cast("Result", result)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with five packages."""
    place = tmp_path / "media"
    place.mkdir()
    for name in ("a-simple", "a-epoch", "a-i18n", "a-arch", "a-utf8"):
        (source,) = (GOLDEN / "rpms").glob(name + "-1.0*.rpm")
        shutil.copyfile(source, place / source.name)
    return place


def comparable(result: Result) -> Result:
    """Without what differs in each run anyway."""
    return {key: value for key, value in result.items() if key != "invocation"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def verified(paths: t.Iterable[Path], place: Path, pubkeys: str) -> bool:
    """rpm's own word, with a database of its own."""
    (place / "key.asc").write_text(pubkeys)
    base = ["rpmkeys", "--dbpath", str(place / "db")]
    subprocess.run([*base, "--import", str(place / "key.asc")], check=True)
    done = subprocess.run([*base, "-K", *map(str, paths)], check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    return done.returncode == 0 and all(line.endswith(": digests signatures OK") for line in lines) and bool(lines)
