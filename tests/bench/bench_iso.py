# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disc of 1,300 packages: plan, tree, signatures, metadata, image and sums, each and in all.

    python tests/bench/bench_iso.py [--packages 1300] [--megabytes 400] [--folder DIR]

The packages are built by rpmbuild from one spec, with random payloads whose sizes spread as those of a distribution.
Peers in the same run: ``cp`` of the tree, plain ``xorriso -as mkisofs`` of the same tree with its own settings, and the
second run of the plan against the first. --megabytes 3800 is the disc of XtreemOS 2.1.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.job import run_job as run_hdlist
from ansible_collections.xtreemos.cluster.plugins.module_utils._sign.job import run_job as run_sign
from ansible_collections.xtreemos.cluster.plugins.modules import hdlist, rpm_sign
from ansible_collections.xtreemos.cluster.tests.unit._iso.samples import boot, image, plan, report, tree
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults

SHAPE = 1.3


def spec(needs: t.Mapping[str, t.Sequence[str]]) -> str:
    """One source for all packages; payloads are stored as they are, since random bytes do not shrink."""
    head = ["%define _binary_payload w.ufdio", "%define __os_install_post %{nil}", "%define debug_package %{nil}"]
    head += ["Name: bench", "Version: 1", "Release: 1", "Summary: x", "License: GPL", "AutoReqProv: no"]
    parts = ["\n".join([*head, "%description", "x"])]
    for name, names in needs.items():
        rows = ["%%package -n %s" % name, "Summary: x", "AutoReqProv: no", *("Requires: %s" % one for one in names)]
        parts.append("\n".join([*rows, "%%description -n %s" % name, "x", "%%files -n %s" % name, "/p/" + name]))
    return "\n".join([*parts, "%install", "mkdir -p %{buildroot}", "mv %{_topdir}/p %{buildroot}/p", ""])


def write_packages(folder: Path, top: Path, count: int, size: int) -> None:
    """Packages that require some of each other, ``size`` bytes in all, in two sections."""
    chance = random.Random(count)
    names = ["p%04d" % number for number in range(count)]
    weights = [chance.lognormvariate(0, SHAPE) for _name in names]
    scale = size / sum(weights)
    (top / "p").mkdir(parents=True)
    for name, weight in zip(names, weights):
        (top / "p" / name).write_bytes(chance.randbytes(int(weight * scale)))
    (top / "bench.spec").write_text(spec({name: sorted(set(chance.choices(names, k=6))) for name in names}))
    defines = ["_topdir %s" % top, "_tmppath %s" % top, "_rpmdir %s" % (folder / "release")]
    defines += ["_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"]
    words = [word for one in defines for word in ("--define", one)]
    argv = ["rpmbuild", "-bb", "--quiet", "--target", "x86_64", *words, str(top / "bench.spec")]
    subprocess.run(argv, check=True, capture_output=True)
    shutil.rmtree(top)
    (folder / "updates").mkdir()
    for path in sorted((folder / "release").glob("*.rpm"))[::20]:
        path.rename(folder / "updates" / path.name)


def cpu() -> float:
    """Seconds of this process and of its children."""
    rows = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(row.ru_utime + row.ru_stime for row in rows)


class Clock:
    """Measured steps, in their order: wall and CPU seconds."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[float, float]] = {}

    def run(self, name: str, work: t.Callable[[], t.Any]) -> t.Any:
        wall, used = time.perf_counter(), cpu()
        result = work()
        self.rows[name] = (time.perf_counter() - wall, cpu() - used)
        print("%-34s %8.2f s wall %8.2f s CPU" % (name, *self.rows[name]), flush=True)
        return result

    def wall(self, *names: str) -> float:
        return sum(self.rows[name][0] for name in names)


def make_key(home: Path) -> str:
    home.mkdir(mode=0o700)
    words = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--passphrase",
        "",
        "--quick-gen-key",
        "bench",
        "ed25519",
        "sign",
    ]
    subprocess.run(words, check=True, capture_output=True)
    told = subprocess.run(["gpg", "--homedir", str(home), "--with-colons", "-k"], check=True, capture_output=True)
    return next(line.split(":")[9] for line in told.stdout.decode().splitlines() if line.startswith("fpr"))


def sign(top: Path, key: str) -> None:
    given = {"paths": [str(top / "build/media")], "recurse": True, "key": key, "gnupg_home": str(top / "gnupg")}
    run_sign(defaults(rpm_sign.ARGUMENTS, {**given, "backend": "agent"}), False, LocalHost(), lambda line: None)


def metadata(top: Path) -> None:
    given = {"path": str(top / "build"), "distrib": True, "repodata": bool(shutil.which("createrepo_c"))}
    run_hdlist(defaults(hdlist.ARGUMENTS, given), False, LocalHost())


def our_steps(top: Path, clock: Clock, key: str) -> None:
    source = {"name": "main", "path": str(top / "main"), "sections": ["release", "updates"], "packages": ["p*"]}
    clock.run("plan", lambda: plan(top, sources=[source]))
    clock.run("plan, second run", lambda: plan(top, sources=[source]))
    clock.run("tree", lambda: tree(top))
    clock.run("boot menu", lambda: boot(top / "build"))
    clock.run("signatures (Ed25519, agent)", lambda: sign(top, key))
    clock.run("metadata", lambda: metadata(top))
    sums: dict[str, t.Any] = {"boot": ["bios", "uefi"], "checksums": ["md5", "sha1", "sha256"], "sbom": "spdx"}
    clock.run(
        "image alone",
        lambda: image(top, boot=sums["boot"], checksums=["sha256"], index=False, dest=str(top / "x/X.iso")),
    )
    shutil.rmtree(top / "x")
    clock.run("image, 3 sums, SBOM", lambda: image(top, **sums))
    clock.run("image, second run", lambda: image(top, **sums))
    clock.run("report", lambda: report(top, image=str(top / "iso/X.iso")))


def peers(top: Path, clock: Clock) -> None:
    clock.run("cp -r of the tree", lambda: subprocess.run(["cp", "-r", top / "build", top / "copy"], check=True))
    shutil.rmtree(top / "copy")
    words = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-joliet-long", "-V", "X", "-o", str(top / "plain.iso")]
    plain = [*words, str(top / "build")]
    clock.run("plain xorriso", lambda: subprocess.run(plain, check=True, capture_output=True))
    (top / "plain.iso").unlink()
    fast = [*words, "--stdio_sync", "off", str(top / "build")]
    clock.run("plain xorriso, no sync", lambda: subprocess.run(fast, check=True, capture_output=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=1300)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--folder", help="where to work, instead of the folder for temporary files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-iso-", dir=args.folder) as name:
        top, clock = Path(name), Clock()
        write_packages(top / "main", top / "rpmbuild", args.packages, args.megabytes * 10**6)
        key = make_key(top / "gnupg")
        load = os.getloadavg()[0]
        print("%d packages, %d MB, %d CPUs, load %.1f" % (args.packages, args.megabytes, os.cpu_count() or 1, load))
        our_steps(top, clock, key)
        peers(top, clock)
        subprocess.run(["gpgconf", "--homedir", str(top / "gnupg"), "--kill", "all"], check=False)
        steps = (
            "plan",
            "tree",
            "boot menu",
            "signatures (Ed25519, agent)",
            "metadata",
            "image, 3 sums, SBOM",
            "report",
        )
        copied = clock.wall("cp -r of the tree")
        whole = clock.wall(*steps)
        print("all steps: %.1f s wall, %.1f s CPU" % (whole, sum(clock.rows[one][1] for one in steps)))
        print("all steps: %.1f of cp" % (whole / copied))
        # The image with one sum, as ours always has one; a plain run has none.
        print("image with SHA-256: %.2f of plain xorriso" % (clock.wall("image alone") / clock.wall("plain xorriso")))
        print("image with SHA-256: %.2f of cp" % (clock.wall("image alone") / copied))
        print("second plan: %.2f of the first" % (clock.wall("plan, second run") / clock.wall("plan")))


if __name__ == "__main__":
    main()
