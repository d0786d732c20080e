# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures in files of their own, beside what they sign. This module util is private to the collection.

gpg-agent signs, gpg judges: in a folder of its own that holds this key alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import typing as t
from dataclasses import dataclass, field

from .._errors import ClusterError
from .._host.host import File, Host
from .assuan import Agent, AgentError
from .home import Home, read_passphrase
from .key import Signer, accepted, agent_sign, find_key, opened
from .packet import DIGESTS, armor, dearmor, draft, finished
from .scratch import scratch

Params = t.Mapping[str, t.Any]
SUFFIXES = {"asc": ".asc", "sig": ".sig", "gpg": ".gpg"}
_BLOCK = 1 << 20


def target(path: str, suffix: str) -> str:
    return path + SUFFIXES[suffix]


class Judge:
    """gpg with one public key and nothing else."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def fits(self, signature: str, path: str, names: frozenset[str]) -> bool:
        """Whether the file ``signature`` is one of ``path``, made by one of the keys ``names``."""
        words = ["--no-autostart", "--status-fd", "1", "--verify", signature, path]
        done = self._home.gpg(words, check=False)
        valid = [line.split() for line in done.stdout.splitlines() if line.startswith("[GNUPG:] VALIDSIG ")]
        good = "[GNUPG:] GOODSIG " in done.stdout
        return done.rc == 0 and good and len(valid) == 1 and valid[0][2].lower() in names


@contextlib.contextmanager
def judge(home: Home, pubkey: bytes) -> t.Iterator[Judge]:
    with scratch("detached-sign-") as folder:
        place = Home(home.host, folder, home.program)
        try:
            place.gpg(["--no-autostart", "--import"], stdin=pubkey)
            yield Judge(place)
        finally:
            place.discard()


def _content_digest(path: str, digest: str) -> t.Any:
    """A hashlib object that has seen the file."""
    state = hashlib.new(digest)
    with open(path, "rb", buffering=0) as stream:
        for block in iter(lambda: stream.read(_BLOCK), b""):
            state.update(block)
    return state


def make(agent: Agent, signer: Signer, path: str, digest: str, suffix: str) -> bytes:
    """The content of a signature file."""
    return make_of(agent, signer, _content_digest(path, digest), path, digest, suffix)


def make_of(
    agent: Agent, signer: Signer, state: t.Any, path: str, digest: str, suffix: str, text: bool = False
) -> bytes:
    """The same of a hashlib object that has seen the content, or the canonical ``text``; ``path`` is for errors."""
    one = draft(state, signer.algorithm, digest, signer.fingerprint, int(time.time()), text)
    try:
        packet = finished(one, agent_sign(agent, signer, DIGESTS[digest], one.value))
    except AgentError as error:
        raise ClusterError("%s: gpg-agent: %s" % (path, error), "nothing was changed")
    return armor(packet, "SIGNATURE") if suffix == "asc" else packet


@dataclass
class DetachedPlan:
    """Signature files to write (by the file they sign) and to remove, and files that are signed as they should be."""

    sign: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.sign or self.remove)

    def rows(self, suffix: str) -> dict[str, dict[str, t.Any]]:
        states = {"signed": self.sign, "removed": self.remove, "unchanged": self.kept}
        rows = {
            path: {"changed": state != "unchanged", "signature": target(path, suffix), "state": state}
            for state, paths in states.items()
            for path in paths
        }
        return dict(sorted(rows.items()))

    def diff(self, suffix: str, name: str, before: t.Mapping[str, bool]) -> list[dict[str, str]]:
        """One entry per signature file that changes; it tells who signs and not the bytes, which differ each time."""
        entries = []
        for path in sorted([*self.sign, *self.remove]):
            file = target(path, suffix)
            old = "a signature\n" if before[path] else ""
            new = "a signature of %s\n" % name if path in self.sign else ""
            entries.append({"before_header": file, "after_header": file, "before": old, "after": new})
        return entries


def _files(params: Params) -> list[str]:
    files = sorted({os.path.abspath(path) for path in params["files"]})
    absent = params["state"] == "absent"
    for path in files:
        if os.path.isdir(path):
            raise ClusterError("%s is a folder" % path, "name the files, as in MD5SUM or repomd.xml")
        if not absent and not os.path.isfile(path):
            raise ClusterError("%s does not exist" % path, "sign what is there")
        if not absent and not os.access(path, os.R_OK):
            raise ClusterError("cannot read %s" % path, "check its permissions")
    return files


def _is_form(path: str, suffix: str) -> bool:
    """Armored where the name says so, else binary."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(1 << 16)
        return (dearmor(data) != data) == (suffix == "asc")
    except (OSError, ValueError):
        return False


def _plan(files: t.Sequence[str], suffix: str, names: frozenset[str], by: Judge) -> DetachedPlan:
    plan = DetachedPlan()
    for path in files:
        file = target(path, suffix)
        right = os.path.isfile(file) and _is_form(file, suffix) and by.fits(file, path, names)
        (plan.kept if right else plan.sign).append(path)
    return plan


def _write(plan: DetachedPlan, made: t.Mapping[str, bytes], suffix: str, signer: Signer, by: Judge, host: Host) -> None:
    """Each signature is verified before the first one takes its place."""
    with scratch("detached-sign-") as folder:
        for number, path in enumerate(plan.sign):
            trial = os.path.join(folder, "%d.sig" % number)
            host.write_files({trial: File(made[path], 0o600)})
            if not by.fits(trial, path, frozenset([signer.fingerprint.lower()])):
                raise ClusterError(
                    "the signature of %s does not verify" % path, "was it written to? nothing was changed"
                )
    host.write_files({target(path, suffix): File(made[path]) for path in plan.sign})


def _demand_writable(files: t.Sequence[str]) -> None:
    for folder in sorted({os.path.dirname(path) for path in files}):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ClusterError("%s may not be written" % folder, "run as its owner")


def _absent(files: t.Sequence[str], params: Params, check_mode: bool, host: Host) -> DetachedPlan:
    plan = DetachedPlan()
    for path in files:
        there = os.path.lexists(target(path, params["suffix"]))
        (plan.remove if there else plan.kept).append(path)
    _demand_writable(plan.remove)
    for path in () if check_mode else plan.remove:
        host.remove(target(path, params["suffix"]))
    return plan


def _present(files: t.Sequence[str], params: Params, check_mode: bool, host: Host) -> tuple[DetachedPlan, str]:
    secret = read_passphrase(host, params["passphrase_file"], params["passphrase"])
    home = Home(host, params["gnupg_home"], params["gpg_program"], params["lock_timeout"])
    key = find_key(home, params["key"])
    with judge(home, home.export(key.fingerprint)) as by:
        plan = _plan(files, params["suffix"], accepted(key, params["key"]), by)
        _demand_writable(plan.sign)
        if not plan.sign:
            return plan, key.fingerprint
        with opened(key, params["key"], home, secret) as (_socket, agent, signer):
            if not check_mode:
                made = {path: make(agent, signer, path, params["digest"], params["suffix"]) for path in plan.sign}
                _write(plan, made, params["suffix"], signer, by, host)
        return plan, signer.fingerprint


def run_detached(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Plan and, unless in check mode, sign; the result in Ansible's form."""
    files = _files(params)
    suffix = params["suffix"]
    before = {path: os.path.lexists(target(path, suffix)) for path in files}
    name = ""
    if params["state"] == "absent":
        plan = _absent(files, params, check_mode, host)
    elif not params["key"]:
        raise ClusterError("state: present needs key", "the fingerprint of the key that signs")
    else:
        plan, name = _present(files, params, check_mode, host)
    return {
        "changed": plan.changed,
        "files": plan.rows(suffix),
        "diff": plan.diff(suffix, name, before),
        "actions": [],
    }
