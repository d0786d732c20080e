# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing many packages: each backend against plain rpmsign in the same run, and the second look at signed packages.

    python tests/bench/bench_rpm_sign.py [--packages 1300] [--keys rsa4096 ed25519] [--rpms FOLDER]

The packages are copies of the recorded ones unless a folder is named. Every
figure with verification and fsync, which plain rpmsign does not do; keys have no passphrase.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

RPMS = Path(__file__).resolve().parents[1] / "golden" / "urpmi" / "rpms"
MEASURED = """
import json, sys, time
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.job import run_job
start, cpu = time.perf_counter(), time.process_time()
result = run_job(json.loads(sys.argv[1]), False, LocalHost(), lambda line: None)
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "changed": sum(row["changed"] for row in result["packages"].values())}))
"""
UNSET = ("key", "gnupg_home", "gpg_program", "passphrase_file", "passphrase", "keyfile", "digest", "progress_file")
FIXED = {"recurse": False, "allow_empty": False, "bad_packages": "fail", "lock_timeout": 60, "jobs": None}
Figures = t.Dict[str, t.Any]


def ours(folder: Path, **options: t.Any) -> Figures:
    params = {**dict.fromkeys(UNSET), **FIXED, "state": "present", "backend": "rpmsign", "throwaway": True}
    params.update(paths=[str(folder)], **options)
    done = subprocess.run([sys.executable, "-c", MEASURED, json.dumps(params)], check=True, capture_output=True)
    return t.cast("Figures", json.loads(done.stdout))


def plain(folder: Path, home: str, key: str) -> Figures:
    """What an admin types."""
    defines = {"__gpg": shutil.which("gpg") or "gpg", "_gpg_path": home, "_gpg_name": key, "_gpg_digest_algo": "sha256"}
    words = [word for name, value in defines.items() for word in ("--define", "%s %s" % (name, value))]
    files = sorted(map(str, folder.glob("*.rpm")))
    start = time.perf_counter()
    env = {**os.environ, "GPG_TTY": "/dev/null"}
    subprocess.run(["rpmsign", *words, "--addsign", *files], check=True, capture_output=True, env=env)
    return {"seconds": time.perf_counter() - start}


def verify(folder: Path, pubkey: str, place: Path) -> Figures:
    shutil.rmtree(place, ignore_errors=True)
    base = ["rpmkeys", "--dbpath", str(place)]
    subprocess.run([*base, "--import", pubkey], check=True)
    files = sorted(map(str, folder.glob("*.rpm")))
    start = time.perf_counter()
    subprocess.run([*base, "-K", *files], check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - start}


def fresh(source: Path, folder: Path, total: int) -> None:
    """``total`` packages, none of which shares its blocks with another."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = sorted(source.glob("*.rpm"))
    for number in range(total):
        shutil.copyfile(files[number % len(files)], folder / ("%05d-%s" % (number, files[number % len(files)].name)))
    os.sync()


def make_key(home: str, kind: str) -> str:
    base = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    user = "Bench %s" % kind
    subprocess.run([*base, "--quick-gen-key", user, kind, "sign", "0"], check=True, capture_output=True)
    listing = subprocess.run([*base, "--with-colons", "--list-keys", user], check=True, capture_output=True, text=True)
    name = next(row.split(":")[9] for row in listing.stdout.splitlines() if row.startswith("fpr"))
    subprocess.run([*base, "--output", home + "/secret", "--yes", "--export-secret-keys", name], check=True)
    subprocess.run([*base, "--output", home + "/public", "--yes", "--armor", "--export", name], check=True)
    return name


def measure(kind: str, home: str, source: Path, work: Path, total: int) -> None:
    key = make_key(home, kind)
    options = {"key": key, "gnupg_home": home}
    folder = work / "media"
    rows: dict[str, Figures] = {}
    fresh(source, folder, total)
    rows["rpmsign --addsign"] = plain(folder, home, key)
    for backend in ("rpmsign", "agent", "keyfile"):
        fresh(source, folder, total)
        more = {"keyfile": home + "/secret"} if backend == "keyfile" else {}
        rows["rpm_sign, backend %s" % backend] = found = ours(folder, backend=backend, **options, **more)
        assert found["changed"] == total
    rows["second run, all signed"] = again = ours(folder, **options)
    rows["rpmsign --addsign, all signed"] = plain(folder, home, key)
    rows["rpmkeys -K"] = verify(folder, home + "/public", work / "db")
    rows["state: absent"] = ours(folder, state="absent")
    assert again["changed"] == 0
    base = rows["rpmsign --addsign"]["seconds"]
    print("\n%s\n%-34s %9s %9s %11s %9s" % (kind, "", "seconds", "cpu", "packages/s", "ratio"))
    for name, row in rows.items():
        figures = (row["seconds"], row.get("cpu", float("nan")), total / row["seconds"], base / row["seconds"])
        print("%-34s %9.2f %9.2f %11.0f %9.1f" % (name, *figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=1300)
    parser.add_argument("--keys", nargs="+", default=["rsa4096", "ed25519"])
    parser.add_argument("--rpms", type=Path, default=RPMS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-sign-") as name:
        home = name + "/home"
        os.mkdir(home, 0o700)
        subprocess.run(["gpgconf", "--homedir", home, "--launch", "gpg-agent"], check=True)
        size = sum(path.stat().st_size for path in args.rpms.glob("*.rpm")) / len(list(args.rpms.glob("*.rpm")))
        print(
            "%d packages of %.1f KB, %d CPUs, load %.1f"
            % (args.packages, size / 1e3, os.cpu_count() or 1, os.getloadavg()[0])
        )
        try:
            for kind in args.keys:
                measure(kind, home, args.rpms, Path(name), args.packages)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)


if __name__ == "__main__":
    main()
