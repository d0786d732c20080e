# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module from its options to its result, with the real gpg and rpm."""

from __future__ import annotations

import errno
import fcntl
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.header import read_rpm
from ansible_collections.xtreemos.cluster.plugins.module_utils._rpm.signature import signatures
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import apply, backends, copies, job
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from ansible_collections.xtreemos.cluster.tests.unit._sign.conftest import PASSPHRASE, Keys, Result, contents, verified
from ansible_collections.xtreemos.cluster.tests.unit.killing import die_at

Call = t.Callable[..., Result]
SIMPLE = "a-simple-1.0-1mdv2009.0.noarch.rpm"


@pytest.fixture
def sign(call: Call, keys: Keys, folder: Path) -> Call:
    def run(name: str = "ed", **options: t.Any) -> Result:
        chosen = {"key": keys.names[name]} if options.get("state") != "absent" else {}
        return call("rpm_sign", **{"paths": [str(folder)], "gnupg_home": str(keys.home), **chosen, **options})

    return run


@pytest.fixture(scope="session")
def key_files(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("keyfiles")
    for name in ("rsa", "ed"):
        keys.gpg("--output", str(place / name), "--export-secret-keys", keys.names[name])
    locked = keys.gpg("--passphrase", PASSPHRASE, "--armor", "--export-secret-keys", keys.locked)
    (place / "locked").write_text(locked)
    keys.stop()
    return {path.name: str(path) for path in place.iterdir()}


WAYS: list[tuple[str, str, dict[str, t.Any]]] = [
    ("rsa", "rpmsign", {}),
    ("ed", "rpmsign", {"digest": "sha512"}),
    ("locked", "rpmsign", {"passphrase": PASSPHRASE}),
    ("rsa", "agent", {"digest": "sha384"}),
    ("ed", "agent", {}),
    ("locked", "agent", {"passphrase": PASSPHRASE, "digest": "sha512"}),
    ("rsa", "keyfile", {}),
    ("ed", "keyfile", {"digest": "sha512"}),
]


def options_of(name: str, backend: str, more: dict[str, t.Any], key_files: dict[str, str]) -> dict[str, t.Any]:
    keyfile = {"keyfile": key_files[name], "throwaway": True} if backend == "keyfile" else {}
    return {"backend": backend, **keyfile, **more}


@pytest.mark.parametrize(("name", "backend", "more"), WAYS)
def test_signed_checked_and_back(
    tmp_path: Path,
    folder: Path,
    keys: Keys,
    key_files: dict[str, str],
    sign: Call,
    name: str,
    backend: str,
    more: dict[str, t.Any],
) -> None:
    """Check mode tells what the run does; rpm accepts it; nothing is left to do; the first bytes come back."""
    options = options_of(name, backend, more, key_files)
    before = contents(folder)
    predicted = sign(name, check=True, diff=True, **options)
    assert contents(folder) == before
    result = sign(name, diff=True, **options)
    assert result == predicted and result["changed"] is True, result
    assert result["summary"] == "5 of 5 packages change"
    line = "header %s %s %s" % ({"rsa": "rsa"}.get(name, "eddsa"), more.get("digest", "sha256"), keys.names[name])
    assert [row["after"] for row in result["packages"].values()] == [[line]] * 5
    assert verified(folder.glob("*.rpm"), tmp_path, keys.gpg("--armor", "--export", keys.names[name]))
    second = sign(name, diff=True, **options)
    assert (second["changed"], second["actions"], second["diff"]) == (False, [], [])
    gone = sign(state="absent", diff=True)
    assert gone["changed"] and gone["diff"][0]["before"] == result["diff"][0]["after"]
    assert contents(folder) == before
    assert not sign(state="absent")["changed"] and not keys.agent_runs()


def test_what_rpmsign_wrote_is_ours_too(folder: Path, keys: Keys, sign: Call) -> None:
    defines = {"__gpg": "/usr/bin/gpg", "_gpg_path": str(keys.home), "_gpg_name": keys.ed}
    words = [word for name, value in defines.items() for word in ("--define", "%s %s" % (name, value))]
    subprocess.run(["rpmsign", *words, "--addsign", *map(str, folder.glob("*.rpm"))], check=True, capture_output=True)
    keys.stop()
    before = contents(folder)
    assert not sign()["changed"] and contents(folder) == before


def test_another_key_or_digest_signs_again(tmp_path: Path, folder: Path, keys: Keys, sign: Call) -> None:
    first = contents(folder)
    sign("rsa", backend="agent")
    sign("ed", backend="rpmsign")
    for path in folder.glob("*.rpm"):
        (one,) = signatures(read_rpm(str(path)))
        assert one.fingerprint == keys.ed.lower()
    result = sign("ed", backend="agent", digest="sha512")
    assert result["packages"][str(folder / SIMPLE)] == {
        "changed": True,
        "before": ["header eddsa sha256 " + keys.ed],
        "after": ["header eddsa sha512 " + keys.ed],
    }
    assert not sign("ed")["changed"]
    assert verified(folder.glob("*.rpm"), tmp_path, keys.gpg("--armor", "--export", keys.ed))
    sign(state="absent")
    assert contents(folder) == first


def test_only_what_is_not_signed(folder: Path, sign: Call) -> None:
    sign(paths=[str(folder / "a-simple*"), str(folder / "a-arch*")], backend="agent")
    before = contents(folder)
    result = sign(backend="agent", jobs=1)
    assert result["summary"] == "3 of 5 packages change"
    assert [n for n, data in contents(folder).items() if data == before[n]] == sorted(
        Path(path).name for path, row in result["packages"].items() if not row["changed"]
    )


def test_a_linked_mirror_stays(tmp_path: Path, folder: Path, sign: Call) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for path in folder.iterdir():
        os.link(path, mirror / path.name)
    before = contents(mirror)
    for backend in ("rpmsign", "agent"):
        sign(backend=backend)
        assert contents(mirror) == before
        sign(state="absent")
    assert contents(mirror) == contents(folder) == before


def test_progress_and_jobs(tmp_path: Path, sign: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = apply.apply_batches
    seen: list[int] = []

    def spy(groups: t.Any, backend: t.Any, wanted: t.Any, check: t.Any, jobs: int, done: t.Any) -> dict[str, str]:
        seen.append(jobs)
        return plain([[path] for group in groups for path in group], backend, wanted, check, jobs, done)

    monkeypatch.setattr("%s._sign.job.apply_batches" % LocalHost.__module__.rpartition("._host")[0], spy)
    log = tmp_path / "log"
    assert sign(progress_file=str(log), jobs=3, backend="agent")["changed"] and seen == [3]
    assert [line.split(" s  ")[1] for line in log.read_text().splitlines()] == [
        "%d of 5 signed" % number for number in range(1, 6)
    ]


# What must never be seen, and what must never happen.


@pytest.mark.parametrize("backend", ["rpmsign", "agent"])
@pytest.mark.parametrize("way", ["passphrase", "passphrase_file"])
def test_the_passphrase_is_nowhere(
    tmp_path: Path, sign: Call, keys: Keys, monkeypatch: pytest.MonkeyPatch, backend: str, way: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSPHRASE + "\n")
    seen: list[t.Any] = []
    plain = LocalHost.run

    def spy(self: LocalHost, argv: t.Sequence[str], **more: t.Any) -> t.Any:
        done = plain(self, argv, **more)
        seen.append((list(argv), more, done))
        return done

    monkeypatch.setattr(LocalHost, "run", spy)
    for secret in (PASSPHRASE, "wrong horse"):
        file.write_text(secret + "\n")
        result = sign("locked", backend=backend, **{way: secret if way == "passphrase" else str(file)})
        assert bool(result.get("failed")) == (secret != PASSPHRASE)
        assert secret not in json.dumps(result) and secret not in repr(seen)
        sign(state="absent")
    assert not keys.agent_runs()


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("locked", {}, "needs its passphrase, and gpg-agent does not know it"),
        ("locked", {"passphrase": "mistaken"}, "wrong passphrase for key"),
        ("locked", {"passphrase": "mistaken", "backend": "agent"}, "wrong passphrase for key"),
        ("locked", {"passphrase_file": "/nonexistent/secret"}, "/nonexistent/secret is missing or empty"),
        ("expired", {}, "expired on 2020-01-31"),
        ("revoked", {}, "is revoked"),
        ("public", {}, "has no secret part"),
        ("curve", {}, "is neither RSA nor Ed25519"),
        ("ed", {"key": "F" * 40}, "key F{40} is not in"),
        ("ed", {"key": None}, "state: present needs key"),
        ("ed", {"key": "packages@example.org"}, "is no fingerprint"),
        ("ed", {"gnupg_home": "/nonexistent"}, "gnupg_home /nonexistent does not exist"),
        ("ed", {"gpg_program": "gpg-of-yesterday"}, "gpg-of-yesterday is not installed"),
        ("ed", {"paths": ["/nonexistent"]}, "/nonexistent does not exist"),
        ("ed", {"backend": "keyfile"}, "for keys that are thrown away"),
        ("ed", {"backend": "keyfile", "keyfile": "/nonexistent"}, "for keys that are thrown away"),
        ("ed", {"backend": "keyfile", "keyfile": "/nonexistent", "throwaway": True}, "/nonexistent does not exist"),
        ("ed", {"backend": "keyfile", "keyfile": "/etc/passwd", "throwaway": True}, "keyfile /etc/passwd: no OpenPGP"),
    ],
)
def test_refused_before_anything_changes(
    folder: Path, keys: Keys, sign: Call, name: str, options: dict[str, t.Any], told: str, check: bool
) -> None:
    before = contents(folder)
    result = sign(name, check=check, **options)
    assert result.get("failed") and result["hint"]
    assert re.search(told, result["msg"]), result["msg"]
    assert contents(folder) == before and not keys.agent_runs()


def test_key_files_that_do_not_fit(keys: Keys, key_files: dict[str, str], sign: Call) -> None:
    base = {"backend": "keyfile", "throwaway": True}
    assert "does not hold key %s" % keys.rsa in sign("rsa", keyfile=key_files["ed"], **base)["msg"]
    assert "protected by a passphrase" in sign("locked", keyfile=key_files["locked"], **base)["msg"]
    assert "takes no passphrase" in sign("ed", keyfile=key_files["ed"], passphrase="x", **base)["msg"]


def test_no_cryptography(key_files: dict[str, str], sign: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    result = sign("ed", backend="keyfile", keyfile=key_files["ed"], throwaway=True)
    assert "needs the Python library cryptography" in result["msg"] and "python3-cryptography" in result["hint"]


@pytest.mark.parametrize(("program", "backend"), [("rpmsign", "rpmsign"), ("rpmkeys", "agent")])
def test_programs_that_are_missing(
    folder: Path, sign: Call, monkeypatch: pytest.MonkeyPatch, program: str, backend: str
) -> None:
    plain = LocalHost.which
    monkeypatch.setattr(LocalHost, "which", lambda self, name: None if name == program else plain(self, name))
    before = contents(folder)
    result = sign(backend=backend)
    assert "%s is not installed" % program in result["msg"] and "rpm" in result["hint"]
    assert contents(folder) == before


def test_a_passphrase_that_nobody_needs(sign: Call) -> None:
    for backend in ("rpmsign", "agent"):
        result = sign(backend=backend, passphrase="whatever")
        assert result["changed"] and "has no passphrase, the one that was given is not used" in str(result["warnings"])
        sign(state="absent")


@pytest.mark.parametrize("backend", ["rpmsign", "agent"])
def test_what_the_agent_knows_already(folder: Path, keys: Keys, sign: Call, backend: str) -> None:
    try:
        keys.gpg("--passphrase", PASSPHRASE, "--local-user", keys.locked, "--detach-sign", stdin="x", text=False)
        assert sign("locked", backend=backend)["changed"] and keys.agent_runs()
    finally:
        keys.stop()
    assert not sign("locked", backend=backend)["changed"]


# Bad packages.


def damage(folder: Path) -> dict[str, str]:
    whole = (folder / SIMPLE).read_bytes()
    payload, header = bytearray(whole), bytearray(whole)
    payload[-20] ^= 1
    header[whole.index(b"GPL")] ^= 1
    for name, data in {
        "empty.rpm": b"",
        "text.rpm": b"<html>404 not found</html>",
        "cut.rpm": whole[: len(whole) // 2],
        "payload.rpm": bytes(payload),
        "header.rpm": bytes(header),
    }.items():
        (folder / name).write_bytes(data)
    return {
        "empty.rpm": "empty file",
        "text.rpm": "not an RPM package",
        "cut.rpm": "truncated",
        "payload.rpm": "DIGESTS NOT OK",
        "header.rpm": "DIGESTS NOT OK",
    }


@pytest.mark.parametrize("backend", ["rpmsign", "agent"])
def test_damaged_packages(folder: Path, sign: Call, backend: str) -> None:
    """All are named and nothing is signed; or they are left out and the others are signed."""
    bad = damage(folder)
    before = contents(folder)
    for check in (True, False):
        result = sign(backend=backend, check=check)
        for name in ("empty.rpm", "text.rpm", "cut.rpm"):
            assert str(folder / name) in result["msg"] and bad[name] in result["msg"]
        assert contents(folder) == before
    predicted, result = (
        sign(backend=backend, check=True, bad_packages="skip"),
        sign(backend=backend, bad_packages="skip"),
    )
    assert predicted == result and result["summary"] == "5 of 7 packages change"
    assert {Path(path).name for path in result["skipped"]} == set(bad)
    assert all(bad[Path(path).name] in why for path, why in result["skipped"].items())
    after = contents(folder)
    assert {name for name in after if after[name] == before[name]} == set(bad)
    for name in ("empty.rpm", "text.rpm", "cut.rpm"):
        (folder / name).unlink()
    (folder / SIMPLE).write_bytes(before[SIMPLE])
    result = sign(backend=backend)
    assert "payload.rpm" in result["msg"] and "header.rpm" in result["msg"] and "nothing was changed" in result["msg"]
    assert contents(folder)[SIMPLE] == before[SIMPLE]


def test_a_folder_that_may_not_be_written(folder: Path, sign: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: plain(path, mode) and not (mode & os.W_OK))
    for check in (True, False):
        assert "%s may not be written" % folder in sign(check=check)["msg"]


def test_another_run_holds_the_folder(folder: Path, sign: Call) -> None:
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert "locked by another run" in sign(lock_timeout=0)["msg"]
    assert sign(lock_timeout=0, check=True)["changed"]
    os.close(handle)
    assert sign(lock_timeout=0)["changed"]


# Signers that lie, disks that are full, runs that are killed.


class Liar:
    """Makes copies that are not what they should be."""

    def __init__(self, how: t.Callable[[Path], None], only: str = "") -> None:
        self._how, self._only = how, only

    def copies(self, paths: t.Sequence[str]) -> list[copies.Copy]:
        made = backends.Unsigned().copies(paths)
        for copy in made:
            if self._only in copy.source:
                self._how(Path(copy.path))
        return made


@pytest.mark.parametrize("how", ["nothing", "truncate", "remove", "other"])
def test_what_does_not_verify_is_not_put_in_place(
    folder: Path, keys: Keys, sign: Call, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def spoil(path: Path) -> None:
        if how == "truncate":
            path.write_bytes(path.read_bytes()[:-10])
        elif how == "remove":
            path.unlink()
        elif how == "other":
            shutil.copyfile(GOLDEN / "signed" / "ed25519.rpm", path)

    monkeypatch.setattr(backends.RpmSign, "copies", Liar(spoil).copies)
    before = contents(folder)
    result = sign()
    assert "5 of 5 packages could not be signed" in result["msg"] and SIMPLE in result["msg"]
    assert contents(folder) == before


def test_one_that_fails_does_not_harm_the_others(folder: Path, sign: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = backends.packets_for

    def fail(rpm: t.Any, *more: t.Any) -> dict[int, bytes]:
        if rpm.path.endswith(SIMPLE):
            raise backends.AgentError(0, "Hardware problem")
        return plain(rpm, *more)

    monkeypatch.setattr(backends, "packets_for", fail)
    before = contents(folder)
    result = sign(backend="agent")
    assert "1 of 5 packages could not be signed: %s: gpg-agent: Hardware problem" % (folder / SIMPLE) in result["msg"]
    after = contents(folder)
    assert [name for name in after if after[name] == before[name]] == [SIMPLE]


@pytest.mark.parametrize("backend", ["rpmsign", "agent"])
@pytest.mark.parametrize("place", ["_copy_rest", "settle"])
def test_a_full_disk(
    folder: Path, sign: Call, keys: Keys, monkeypatch: pytest.MonkeyPatch, backend: str, place: str
) -> None:
    calls = iter(range(100))
    plain = getattr(copies, place)

    def full(*args: t.Any) -> t.Any:
        if next(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", "somewhere")
        return plain(*args)

    before = contents(folder)
    with monkeypatch.context() as patched:
        patched.setattr(copies, "_clone", lambda *_args: False)
        for module in (copies, apply):
            if hasattr(module, place):
                patched.setattr(module, place, full)
        result = sign(backend=backend)
    assert "cannot write somewhere: No space left on device" in result["msg"] and "free space" in result["msg"]
    assert contents(folder) == before and not keys.agent_runs()
    assert sign(backend=backend)["changed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_disk_that_is_really_full(tmp_path: Path, folder: Path, sign: Call) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("may not mount")
    try:
        for path in folder.glob("*.rpm"):
            shutil.copyfile(path, place / path.name)
        (place / "filler").write_bytes(b"")
        with pytest.raises(OSError), (place / "filler").open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)
        before = contents(place)
        for backend in ("rpmsign", "agent"):
            result = sign(paths=[str(place)], backend=backend)
            assert result.get("failed") and contents(place) == before
    finally:
        subprocess.run(["umount", str(place)], check=True)


CHILD = """
import json, sys
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign import job, plan
plain = plan.batches
job.batches = lambda packages, **_more: plain(packages, most=3)
job.run_job(json.loads(sys.argv[1]), False, LocalHost(), lambda line: None)
"""


@pytest.mark.parametrize("backend", ["rpmsign", "agent"])
@pytest.mark.parametrize("after", [0, 3, 9])
def test_killed(tmp_path: Path, keys: Keys, call: Call, backend: str, after: int) -> None:
    """Killed when ``after`` packages were switched: each one is as before or signed; the next run finishes."""
    place = tmp_path / "media"
    place.mkdir()
    for path in sorted((GOLDEN / "rpms").glob("*.rpm"))[:20]:
        shutil.copyfile(path, place / path.name)
    before = contents(place)
    options: dict[str, t.Any] = {"paths": [str(place)], "key": keys.rsa, "gnupg_home": str(keys.home), "jobs": 1}
    unset = ("gpg_program", "passphrase_file", "passphrase", "keyfile", "digest", "progress_file")
    fixed = {"state": "present", "recurse": False, "allow_empty": False, "bad_packages": "fail", "lock_timeout": 9}
    params = {**dict.fromkeys(unset), **fixed, **options, "backend": backend, "throwaway": False}
    argv = [sys.executable, "-c", CHILD, json.dumps(params)]
    child = subprocess.Popen(argv, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _wait(lambda: _begun(place, before, after), child)
    finally:
        # With its rpmsign, which else would go on for a while and start the agent again.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        keys.stop()
    now = {name: data for name, data in contents(place).items() if not name.startswith(copies.PREFIX)}
    assert set(now) == set(before)
    changed = [place / name for name in now if now[name] != before[name]]
    assert after <= len(changed) < 20
    if changed:
        assert verified(changed, tmp_path, keys.gpg("--armor", "--export", keys.rsa))
    result = call("rpm_sign", **options, backend=backend)
    assert result["summary"] == "%d of 20 packages change" % (20 - len(changed))
    assert verified(place.glob("*.rpm"), tmp_path, keys.gpg("--armor", "--export", keys.rsa))
    assert set(contents(place)) == set(before)


UNSET = ("gpg_program", "passphrase_file", "passphrase", "keyfile", "digest", "progress_file", "key", "gnupg_home")
DEFAULTS = {"recurse": False, "allow_empty": False, "bad_packages": "fail", "lock_timeout": 9, "jobs": 1}


@pytest.mark.parametrize("state", ["present", "absent"])
def test_killed_at_every_change_of_the_disk(tmp_path: Path, keys: Keys, key_files: dict[str, str], state: str) -> None:
    """Every package has its old bytes or verifies; the next run ends where an undisturbed one would."""
    names = ("a-simple-1.0", "a-arch-1.0")
    sources = [path for path in sorted((GOLDEN / "rpms").glob("*.rpm")) if path.name.startswith(names)]
    present = {"key": keys.ed, "gnupg_home": str(keys.home), "keyfile": key_files["ed"], "backend": "keyfile"}
    pubkey = keys.gpg("--armor", "--export", keys.ed)
    keys.stop()

    def params(place: Path, state: str) -> dict[str, t.Any]:
        fixed = {**dict.fromkeys(UNSET), **DEFAULTS, "backend": "rpmsign", "throwaway": True, "paths": [str(place)]}
        return {**fixed, "state": state, **(present if state == "present" else {})}

    def run(place: Path, state: str) -> dict[str, t.Any]:
        return job.run_job(params(place, state), False, LocalHost(), lambda _line: None)

    step, seen = 0, set()
    while True:
        step += 1
        place = tmp_path / str(step)
        place.mkdir()
        for path in sources:
            shutil.copyfile(path, place / path.name)
        first = contents(place)
        if state == "absent":
            run(place, "present")
        before = contents(place)
        killed = die_at(step, functools.partial(run, place, state))
        now = {name: data for name, data in contents(place).items() if not name.startswith(copies.PREFIX)}
        changed = [place / name for name in now if now[name] != before[name]]
        assert set(now) == set(before), step
        if state == "present":
            assert not changed or verified(changed, tmp_path, pubkey), step
        else:
            assert all(first[path.name] == now[path.name] for path in changed), step
        seen.add(len(changed))
        result = run(place, state)
        assert result["summary"] == "%d of 2 packages change" % (2 - len(changed)), step
        assert set(contents(place)) == set(before) and not copies.leftovers(str(place))
        assert state == "absent" or verified(place.glob("*.rpm"), tmp_path, pubkey)
        assert state == "present" or contents(place) == first
        if not killed:
            break
        shutil.rmtree(place)
    assert step > 10 and seen == {0, 1, 2}


def _begun(place: Path, before: dict[str, bytes], after: int) -> bool:
    switched = sum(path.read_bytes() != before[path.name] for path in place.glob("[!.]*.rpm"))
    return switched >= after and bool(copies.leftovers(str(place)))


def _wait(condition: t.Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    for _turn in range(20000):
        if condition():
            return
        if child.poll() is not None:
            pytest.fail("it ended by itself: %s" % (child.stderr.read() if child.stderr else b"").decode())
        time.sleep(0.0005)
    pytest.fail("it did not begin")
