# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media files of 2,000 packages against createrepo_c: cold, unchanged, ten changed, each several times in one run.

    python tests/bench/bench_hdlist.py [--packages 2000] [--runs 5] [--rpms FOLDER] [--genhdlist2 COMMAND...]

The packages come from one spec with many subpackages (rpmbuild needed) unless a folder with packages is named; every
measured run is a process of its own, so that its peak memory is its own too. genhdlist2 is timed as a whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

FILES, CHANGES = 24, 20
MEASURED = """
import json, resource, sys, time
start = time.perf_counter()
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.mediainfo import apply_media, plan_media
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.options import Options
ready = time.perf_counter()
plan = plan_media(Options(sys.argv[1], **json.loads(sys.argv[2])), LocalHost())
apply_media(plan)
end = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": end - ready, "process": end - start, "changed": plan.changed, "peak": peak}))
"""


def _subpackage(number: int, total: int) -> str:
    name = "lib%04d" % number
    needs = ["Requires: bench-lib%04d >= 1.%d" % ((number * 7 + step) % total, step) for step in range(6)]
    needs += ["Requires: /usr/bin/tool%04d-0" % ((number * 11) % total)] if number % 20 == 0 else []
    lines = [
        "%%package %s" % name,
        "Summary: Part %d of the benchmark, with a summary of ordinary length" % number,
        "Group: System/Libraries",
        *needs,
        "Provides: virtual%04d = %d:1.%d-3, devel(lib%04d(64bit))" % (number, number % 3, number, number),
        "Obsoletes: old-lib%04d < 1.0" % number,
        "%%description %s" % name,
        *("Line %d of the description of package %d, which tells nothing new." % (line, number) for line in range(6)),
        "%%files %s" % name,
        "%%dir /usr/share/bench-%s" % name,
        "/usr/bin/tool%04d-*" % number,
        "/usr/share/bench-%s/*" % name,
    ]
    return "\n".join(lines)


def _spec(total: int) -> str:
    log = "\n\n".join(
        "* %s A Packager <packager@example.org> 1.%d-1\n- change %d of the package\n- and another one"
        % (time.strftime("%a %b %d %Y", time.gmtime(1259580000 - step * 86400)), 100 - step, step)
        for step in range(CHANGES)
    )
    install = """for n in $(seq -w 0 9999 | head -n %d); do
mkdir -p %%{buildroot}/usr/bin %%{buildroot}/usr/share/bench-lib$n
for f in $(seq 0 3); do echo $n$f > %%{buildroot}/usr/bin/tool$n-$f; done
for f in $(seq 4 %d); do echo $n$f > %%{buildroot}/usr/share/bench-lib$n/some-file-with-a-name-$f.dat; done
done""" % (total, FILES - 1)
    head = """Name: bench
Version: 1.100
Release: 3
Summary: Packages for a benchmark
License: GPL-3.0-or-later
URL: https://www.example.org/bench
BuildArch: noarch
AutoReqProv: no
%global __os_install_post %{nil}
%define _binary_payload w1.gzdio
%description
Packages for a benchmark."""
    parts = [_subpackage(number, total) for number in range(total)]
    return "\n".join([head, *parts, "%install", install, "%changelog", log, ""])


def build(total: int, top: Path) -> Path:
    """``total`` packages by one rpmbuild."""
    spec = top / "bench.spec"
    spec.write_text(_spec(total))
    define = ["--define", "_topdir %s" % top, "--define", "_build_id_links none"]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *define, str(spec)], check=True, stdout=subprocess.DEVNULL)
    return top / "RPMS" / "noarch"


def change_ten(folder: Path) -> None:
    """Ten packages get another description in the header, of the same size; the second time the former one."""
    for path in sorted(folder.glob("*.rpm"))[5::200][:10]:
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(re.sub(rb"(?i)line 3 of the", lambda match: match.group().swapcase(), data, count=1))


def ours(folder: Path, options: dict[str, t.Any]) -> dict[str, t.Any]:
    argv = [sys.executable, "-c", MEASURED, str(folder), json.dumps(options)]
    return t.cast("dict[str, t.Any]", json.loads(subprocess.run(argv, check=True, capture_output=True).stdout))


def createrepo(folder: Path, *words: str) -> dict[str, t.Any]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    argv = ["createrepo_c", "--quiet", "--workers", "2", *words, str(folder)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": time.perf_counter() - start, "cpu": after.ru_utime - before.ru_utime}


def original(folder: Path, argv: list[str], xml_info: bool) -> dict[str, t.Any]:
    """The original tool, cold."""
    forget(folder)
    start = time.perf_counter()
    words = ["--clean", "--synthesis-filter", ".cz:gzip -9", *(["--xml-info"] if xml_info else [])]
    subprocess.run([*argv, *words, str(folder)], check=True, capture_output=True)
    return {"seconds": time.perf_counter() - start}


def forget(folder: Path) -> None:
    for name in ("media_info", ".media_info", "repodata"):
        shutil.rmtree(folder / name, ignore_errors=True)


def round_of(folder: Path, options: dict[str, t.Any], genhdlist2: list[str]) -> dict[str, dict[str, t.Any]]:
    """Every case once, ours and those of the others in turn."""
    before = {"genhdlist2 cold": original(folder, genhdlist2, options["xml_info"])} if genhdlist2 else {}
    forget(folder)
    found = {**before, "cold": ours(folder, options), "createrepo_c cold": createrepo(folder)}
    if genhdlist2:
        found["cold, as a process"] = {"seconds": found["cold"]["process"]}
    found["unchanged"] = ours(folder, options)
    found["createrepo_c --update"] = createrepo(folder, "--update")
    change_ten(folder)
    found["10 changed"] = ours(folder, options)
    found["createrepo_c --update, 10 changed"] = createrepo(folder, "--update")
    # Changed back: genhdlist2 refuses packages whose digest does not fit.
    change_ten(folder)
    assert (found["cold"]["changed"], found["unchanged"]["changed"], found["10 changed"]["changed"]) == (1, 0, 1)
    return found


def show(title: str, rounds: list[dict[str, dict[str, t.Any]]], total: int) -> None:
    print("\n%s\n%-36s %8s %8s %8s %10s %8s" % (title, "", "median s", "min", "max", "packages/s", "peak MiB"))
    medians = {}
    for case in rounds[0]:
        seconds = [one[case]["seconds"] for one in rounds]
        medians[case] = middle = statistics.median(seconds)
        peak = max(one[case].get("peak", 0) for one in rounds)
        row = (case, middle, min(seconds), max(seconds), total / middle, peak)
        print("%-36s %8.3f %8.3f %8.3f %10.0f %8.0f" % row)
    print("cold: %.2f times the speed of createrepo_c" % (medians["createrepo_c cold"] / medians["cold"]))
    print("unchanged: %.1f times faster than cold" % (medians["cold"] / medians["unchanged"]))
    update = medians["createrepo_c --update"] / medians["unchanged"]
    print("unchanged: %.1f times the speed of createrepo_c --update" % update)
    changed = medians["createrepo_c --update, 10 changed"] / medians["10 changed"]
    if "genhdlist2 cold" in medians:
        ratio = medians["genhdlist2 cold"] / medians["cold, as a process"]
        print("cold, as a process: %.2f times the speed of genhdlist2" % ratio)
    print("10 changed: %.2f times the speed of createrepo_c --update" % changed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rpms", type=Path)
    parser.add_argument("--genhdlist2", nargs="+", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-hdlist-") as name:
        source = args.rpms or build(args.packages, Path(name))
        folder = Path(name) / "medium"
        shutil.copytree(source, folder, ignore=lambda _dir, names: [n for n in names if not n.endswith(".rpm")])
        total = len(list(folder.glob("*.rpm")))
        size = sum(path.stat().st_size for path in folder.glob("*.rpm"))
        print("%d packages, %.1f MB, %d CPUs, load %.1f" % (total, size / 1e6, os.cpu_count() or 1, os.getloadavg()[0]))
        for title, options in (
            ("hdlist, synthesis, MD5SUM (genhdlist2's default)", {"xml_info": False}),
            ("the same with info, files and changelog XML (gzip)", {"xml_info": True, "xml": "gzip"}),
            ("the same with XML as lzma", {"xml_info": True, "xml": "lzma"}),
        ):
            show(title, [round_of(folder, options, args.genhdlist2) for _run in range(args.runs)], total)


if __name__ == "__main__":
    main()
