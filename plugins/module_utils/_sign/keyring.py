# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys in a folder of GnuPG as one resource, changed by python-gnupg. This module util is private.

Secret parts never leave gpg: what is shown and compared comes from listings.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._errors import ClusterError
from .._host.host import File, Host
from .home import Home
from .key import Key
from .keyitem import TRUST, KeyItem
from .ring import Ring, Scanner, marks
from .scratch import scratch


def library() -> t.Any:
    """The module gnupg; ClusterError without it."""
    try:
        import gnupg
    except ImportError:
        raise ClusterError("the Python library gnupg is not installed on the host", "install python3-gnupg")
    return gnupg


@dataclass
class Step:
    """What has to be done for one key; ``fingerprints`` empty until a new key is made."""

    item: KeyItem
    fingerprints: list[str] = field(default_factory=list)
    does: list[str] = field(default_factory=list)


def _would_change(key: Key, item: KeyItem, ring: Ring, scanner: Scanner, home: Home) -> bool:
    have = ring.keys.get(key.fingerprint)
    if have is None or (key.parts[0].kind == "sec" and key.fingerprint not in ring.secret):
        return True
    if marks(key) <= marks(have):
        return False
    return scanner.news(home.export(key.fingerprint, minimal=False), item.data)


def _plan_import(item: KeyItem, ring: Ring, scanner: Scanner, home: Home) -> tuple[Step, list[Key]]:
    found = scanner.keys(item.data)
    names = [key.fingerprint for key in found]
    if not found:
        raise ClusterError("%s holds no OpenPGP key" % item.label, "gpg --armor --export writes one")
    if item.fingerprint and names != [item.fingerprint]:
        raise ClusterError("not key %s but %s was given" % (item.fingerprint, ", ".join(names)), "do not trust it")
    changes = any(_would_change(key, item, ring, scanner, home) for key in found)
    return Step(item, names, ["import"] if changes else []), found


def _plan_absent(item: KeyItem, ring: Ring) -> Step:
    step = Step(item, [item.fingerprint])
    if item.fingerprint in ring.secret and not item.secret:
        raise ClusterError("key %s has its secret part here" % item.fingerprint, "set secret: true to destroy it")
    if item.fingerprint in ring.keys:
        step.does.append("delete")
    return step


def _plan_new(item: KeyItem, ring: Ring) -> Step:
    user = item.new.user if item.new else ""
    fine = [
        key.fingerprint
        for key in ring.keys.values()
        if user in key.users and key.fingerprint in ring.secret and key.parts[0].validity not in ("r", "e")
    ]
    if len(fine) > 1:
        raise ClusterError(
            "there are %d keys of %s: %s" % (len(fine), user, ", ".join(fine)), "name one by fingerprint"
        )
    return Step(item, fine, [] if fine else ["generate"])


def _plan_one(item: KeyItem, ring: Ring, scanner: Scanner, home: Home) -> Step:
    if item.absent:
        return _plan_absent(item, ring)
    keys: list[Key] = []
    if item.data:
        step, keys = _plan_import(item, ring, scanner, home)
    elif item.new:
        step = _plan_new(item, ring)
    elif item.fingerprint in ring.keys:
        step = Step(item, [item.fingerprint])
    else:
        raise ClusterError("key %s is not in the folder" % item.fingerprint, "import it with src or content")
    if "import" not in step.does:
        keys = [ring.keys[name] for name in step.fingerprints]
    if item.trust and any(ring.trust.get(name) != TRUST[item.trust] for name in step.fingerprints or [""]):
        step.does.append("trust")
    if item.export and not _exported(item.export, keys, scanner, home.host):
        step.does.append("export")
    return step


def _exported(path: str, keys: t.Sequence[Key], scanner: Scanner, host: Host) -> bool:
    """Whether the file holds these keys as they are."""
    data = host.read(path)
    if not data or not keys or not data.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        return False
    return [marks(key) for key in scanner.keys(data)] == [marks(key) for key in keys]


def plan_keys(items: t.Sequence[KeyItem], ring: Ring, home: Home) -> list[Step]:
    """ClusterError names the key."""
    with scratch("gpg-key-") as folder, Scanner(home.host, home.program, folder) as scanner:
        return [_plan_one(item, ring, scanner, home) for item in items]


def actions(steps: t.Sequence[Step], home: Home) -> list[list[str]]:
    """The runs of gpg that change something, without what they read."""
    words = {"import": ["--import"], "generate": ["--full-generate-key"], "trust": ["--import-ownertrust"]}
    base = [home.program, "--homedir", home.path, "--batch"]
    found = []
    for step in steps:
        for one in step.does:
            if one == "delete":
                found.append([*base, "--yes", "--delete-secret-and-public-key", *step.fingerprints])
            elif one in words:
                found.append([*base, *words[one]])
    return found


def _failed(step: Step, what: str, done: t.Any) -> ClusterError:
    told = [line for line in str(getattr(done, "stderr", "")).splitlines() if line.startswith("gpg:")]
    return ClusterError("%s of %s failed: %s" % (what, step.item.label, " | ".join(told[-3:])), "see gpg by hand")


def _apply_one(step: Step, gpg: t.Any, home: Home) -> None:
    item = step.item
    for what in step.does:
        if what == "delete":
            _delete(step, gpg)
        elif what == "import":
            done = gpg.import_keys(item.data)
            if not set(step.fingerprints) <= set(done.fingerprints):
                raise _failed(step, what, done)
        elif what == "generate" and item.new:
            done = gpg.gen_key(item.new.parameters())
            if not done.fingerprint:
                raise _failed(step, what, done)
            step.fingerprints = [str(done.fingerprint)]
        elif what == "trust":
            lines = ["%s:%d:\n" % (name, TRUST[item.trust]) for name in step.fingerprints]
            home.gpg(["--import-ownertrust"], stdin="".join(lines).encode())
        elif what == "export":
            text = gpg.export_keys(step.fingerprints, minimal=True)
            if not text:
                raise ClusterError("%s cannot be exported" % item.label, "see gpg --export by hand")
            home.host.write_files({item.export: File(text.encode())})


def _delete(step: Step, gpg: t.Any) -> None:
    if step.item.secret:
        gpg.delete_keys(step.fingerprints, secret=True, expect_passphrase=False)
    done = gpg.delete_keys(step.fingerprints)
    if str(done) != "ok":
        raise _failed(step, "deleting", done)


def apply_keys(steps: t.Sequence[Step], home: Home, s2k_count: int = 0) -> None:
    """Carry the steps out; ``s2k_count`` is for keys that are made."""
    gnupg = library()
    makes = any("generate" in step.does for step in steps)
    with home.agent(s2k_count if makes else 0):
        gpg = gnupg.GPG(gpgbinary=home.program, gnupghome=home.use)
        for step in steps:
            _apply_one(step, gpg, home)


def listing(home: Home) -> list[dict[str, t.Any]]:
    """Every key of the folder for the result, by python-gnupg."""
    if not os.path.isdir(home.path):
        return []
    gpg = library().GPG(gpgbinary=home.program, gnupghome=home.use)
    held = {key["fingerprint"] for key in gpg.list_keys(True)}
    rows = [
        {
            "fingerprint": key["fingerprint"],
            "users": list(key["uids"]),
            "type": {"1": "rsa", "22": "ed25519"}.get(key["algo"], "algorithm " + key["algo"]),
            "bits": int(key["length"] or 0),
            "expires": int(key["expires"] or 0),
            "trust": key["ownertrust"],
            "secret": key["fingerprint"] in held,
        }
        for key in gpg.list_keys()
    ]
    return sorted(rows, key=lambda row: str(row["fingerprint"]))
