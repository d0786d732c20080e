# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of rpm_sign: select, plan, judge the key, sign. This module util is private to the collection."""

from __future__ import annotations

import contextlib
import os
import resource
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._errors import ClusterError
from .._host.host import Host
from .apply import apply_batches
from .backends import ALGORITHMS, Backend, ByAgent, ByFile, RpmSign, Unsigned
from .copies import clean, folder_lock
from .home import Home, Passphrase, passphrase_path, read_passphrase
from .key import accepted, find_key, forget, normal, open_signer, signers, try_signer
from .packet import SecretKey, public_part, secret_keys
from .plan import DEFAULT_DIGEST, Plan, Wanted, batches, plan_packages
from .progress import Progress
from .select import Package, read_packages, select
from .verify import Verifier, verifier

Params = t.Mapping[str, t.Any]
Log = t.Callable[[str], None]


@dataclass
class Ready:
    """A backend that was tried, what it makes, and the public key that judges it (None: signatures go)."""

    backend: Backend
    wanted: Wanted
    after: tuple[str, ...] = ()
    pubkey: bytes | None = None
    warnings: tuple[str, ...] = ()


class Source(t.Protocol):
    """Where signatures come from. ``wanted`` costs little, ``ready`` is for runs that sign."""

    @property
    def wanted(self) -> Wanted: ...

    def ready(self) -> t.ContextManager[Ready]: ...


class NoKey:
    """state: absent"""

    wanted = Wanted()

    @contextlib.contextmanager
    def ready(self) -> t.Iterator[Ready]:
        yield Ready(Unsigned(), self.wanted)


def _line(algorithm: int, digest: str, fingerprint: str) -> tuple[str, ...]:
    return ("header %s %s %s" % (ALGORITHMS[algorithm], digest, fingerprint.upper()),)


class GpgKey:
    """A key in a folder of GnuPG."""

    def __init__(self, params: Params, host: Host) -> None:
        self._host, self._params = host, params
        self._secret = read_passphrase(host, params["passphrase_file"], params["passphrase"])
        self._home = Home(host, params["gnupg_home"], params["gpg_program"])
        self._key = find_key(self._home, params["key"])
        self._digest = params["digest"] or DEFAULT_DIGEST
        self.wanted = Wanted(accepted(self._key, params["key"]), params["digest"] or "")

    @contextlib.contextmanager
    def ready(self) -> t.Iterator[Ready]:
        """The key has signed once, so that its passphrase is right."""
        parts = signers(self._key, self._params["key"], time.time())
        with contextlib.ExitStack() as stack:
            socket = stack.enter_context(self._home.agent())
            agent = stack.enter_context(self._home.connect(socket, self._secret))
            signer = open_signer(agent, self._key, parts, self._home)
            stack.callback(forget, agent, signer)
            try_signer(agent, signer, self._secret)
            idle = self._secret.value is not None and not signer.protected
            note = "key %s has no passphrase, the one that was given is not used" % signer.fingerprint
            # Of several parts of the key the one that signs is the wanted one now.
            wanted = Wanted(frozenset([signer.fingerprint.lower()]), self._digest)
            if self._params["backend"] == "agent":
                backend: Backend = ByAgent(self._home, socket, signer, self._digest, self._secret)
            else:
                path = stack.enter_context(passphrase_path(self._secret if not idle else Passphrase(None)))
                backend = RpmSign(self._host, self._home, signer.fingerprint, self._digest, path)
            after = _line(signer.algorithm, self._digest, signer.fingerprint)
            pubkey = self._home.export(self._key.fingerprint)
            yield Ready(backend, wanted, after, pubkey, (note,) if idle else ())


class FileKey:
    """An exported secret key without a passphrase."""

    def __init__(self, params: Params, host: Host) -> None:
        path = params["keyfile"]
        if not path or not params["throwaway"]:
            raise ClusterError(
                "backend keyfile reads an unprotected key from a file, which is for keys that are thrown away",
                "give keyfile and throwaway: true, or take backend: agent",
            )
        if params["passphrase_file"] or params["passphrase"] is not None:
            raise ClusterError("backend keyfile takes no passphrase", "use backend: agent for a protected key")
        data = host.read(path)
        if data is None:
            raise ClusterError("keyfile %s does not exist" % path, "gpg --export-secret-keys writes it")
        self._key = self._chosen(data, path, normal(params["key"]))
        self._pubkey = public_part(data)
        self._digest = params["digest"] or DEFAULT_DIGEST
        self.wanted = Wanted(frozenset([self._key.fingerprint.lower()]), params["digest"] or "")

    @staticmethod
    def _chosen(data: bytes, path: str, name: str) -> SecretKey:
        try:
            keys = secret_keys(data)
        except ValueError as error:
            raise ClusterError("keyfile %s: %s" % (path, error), "an exported RSA or Ed25519 key without passphrase")
        found = [key for key in keys.values() if key.fingerprint.endswith(name)]
        if len(found) != 1:
            raise ClusterError("keyfile %s does not hold key %s" % (path, name), "it holds " + ", ".join(sorted(keys)))
        return found[0]

    @contextlib.contextmanager
    def ready(self) -> t.Iterator[Ready]:
        key = self._key
        wanted = Wanted(self.wanted.fingerprints, self._digest)
        after = _line(key.algorithm, self._digest, key.fingerprint)
        yield Ready(ByFile(key, self._digest), wanted, after, self._pubkey)


def _source(params: Params, host: Host) -> Source:
    if params["state"] == "absent":
        return NoKey()
    if not params["key"]:
        raise ClusterError("state: present needs key", "the fingerprint of the key that signs")
    return FileKey(params, host) if params["backend"] == "keyfile" else GpgKey(params, host)


def _jobs(params: Params) -> int:
    return int(params["jobs"] or min(4, os.cpu_count() or 1))


def _refuse(bad: t.Mapping[str, str]) -> None:
    told = ["%s" % why if path in why else "%s: %s" % (path, why) for path, why in sorted(bad.items())]
    more = " and %d more" % (len(told) - 10) if len(told) > 10 else ""
    raise ClusterError(
        "%d packages cannot be used: %s%s" % (len(told), "; ".join(told[:10]), more),
        "nothing was changed; mend or remove them, or set bad_packages: skip",
    )


def _damaged(plan: Plan, judge: Verifier, jobs: int) -> dict[str, str]:
    """Packages whose digests do not fit: a signature would vouch for damage."""
    bad: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(judge.intact, batches(plan.todo.values())):
            bad.update(found)
    return bad


def _set_aside(plan: Plan, bad: t.Mapping[str, str], skip: bool) -> None:
    if bad and not skip:
        _refuse(bad)
    for path, why in bad.items():
        plan.bad[path] = why
        plan.todo.pop(path, None)


def _sign(plan: Plan, ready: Ready, judge: Verifier, params: Params, log: Log) -> dict[str, str]:
    """Sign what is planned; the packages that failed."""
    what = "signed" if ready.wanted.fingerprints else "restored"
    progress = Progress(params["progress_file"] or "", len(plan.todo), what, log)
    check = judge.signed if ready.pubkey else judge.intact
    groups = batches(plan.todo.values())
    return apply_batches(groups, ready.backend, ready.wanted, check, _jobs(params), progress.add)


def _demand_writable(packages: t.Iterable[Package]) -> None:
    for folder in sorted({package.folder for package in packages}):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ClusterError("%s may not be written" % folder, "run as its owner")


def _work(plan: Plan, source: Source, params: Params, check_mode: bool, host: Host, log: Log) -> Result:
    """The part of a run that has something to change."""
    _demand_writable(plan.todo.values())
    with source.ready() as ready, verifier(host, ready.pubkey) as judge:
        _set_aside(plan, _damaged(plan, judge, _jobs(params)), params["bad_packages"] == "skip")
        plan.after = ready.after
        bad = {} if check_mode else _sign(plan, ready, judge, params, log)
        if bad:
            told = "; ".join("%s: %s" % row for row in list(bad.items())[:10])
            raise ClusterError(
                "%d of %d packages could not be signed: %s" % (len(bad), len(plan.todo), told),
                "these are as they were, the others are done",
            )
        actions = [argv for group in batches(plan.todo.values()) for argv in ready.backend.actions(group)]
        return {"actions": actions, "warnings": list(ready.warnings)}


Result = t.Dict[str, t.Any]


def _lock_all(folders: t.Sequence[str], timeout: float, stack: contextlib.ExitStack) -> None:
    """Lock every folder and remove what a killed run has left there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and len(folders) + 200 > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for folder in folders:
        stack.enter_context(folder_lock(folder, timeout))
        clean(folder)


def _summary(plan: Plan, packages: t.Mapping[str, Package]) -> Result:
    return {
        "changed": plan.changed,
        "packages": plan.rows(),
        "skipped": dict(sorted(plan.bad.items())),
        "summary": "%d of %d packages change" % (len(plan.todo), len(packages)),
        "diff": plan.diff(),
    }


def run_job(params: Params, check_mode: bool, host: Host, log: Log) -> Result:
    """Plan and, unless in check mode, sign under the locks of all folders; the result in Ansible's form.

    ``warnings`` are for the user. ClusterError before anything is changed where that can be known.
    """
    source = _source(params, host)
    files = select(params["paths"], params["recurse"], params["allow_empty"])
    with contextlib.ExitStack() as stack:
        if not check_mode:
            _lock_all(sorted({os.path.dirname(file) for file in files}), params["lock_timeout"], stack)
        selection = read_packages(files)
        plan = plan_packages(selection.packages, source.wanted)
        _set_aside(plan, selection.bad, params["bad_packages"] == "skip")
        more: Result = {"actions": [], "warnings": []}
        if plan.todo:
            more = _work(plan, source, params, check_mode, host, log)
        more["warnings"] += ["left out: %s" % why for why in plan.bad.values()]
        return {**_summary(plan, selection.packages), **more}
