# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rpm-md beside the media files, written by createrepo_c. This module util is private to the collection."""

from __future__ import annotations

import hashlib
import os
import shutil
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import replace

from .._host.errors import ClusterError
from .._host.host import File, Host
from .compress import decompress
from .mediainfo import MediaPlan
from .options import WORK
from .scan import State
from .switch import Switch

REPOMD, REPOMD_SIGNATURE = "repomd.xml", "repomd.xml.asc"
Sign = t.Callable[[bytes, str], bytes]
_REPO = "{http://linux.duke.edu/metadata/repo}"
_COMMON = "{http://linux.duke.edu/metadata/common}"


def packages_key(state: State) -> str:
    """One digest of all packages by name and content."""
    digest = hashlib.blake2b(digest_size=16)
    for entry, known in state.packages.items():
        digest.update(os.fsencode("%s %d %s\n" % (entry.file, entry.size, known.digest)))
    return digest.hexdigest()


def _primary(folder: str, host: Host) -> ET.Element:
    """The list of packages that is there; ValueError or an OSError when something of the set is missing."""
    root = ET.fromstring(host.read(os.path.join(folder, "repodata", "repomd.xml")) or b"")
    hrefs = {node.attrib["type"]: node.find(_REPO + "location") for node in root.iter(_REPO + "data")}
    paths = {kind: os.path.join(folder, href.attrib["href"]) for kind, href in hrefs.items() if href is not None}
    for path in paths.values():
        os.stat(path)
    return ET.fromstring(decompress(host.read(paths["primary"]) or b"", paths["primary"], host))


def _is_there(folder: str, host: Host) -> bool:
    try:
        _primary(folder, host)
    except (ET.ParseError, KeyError, OSError, ClusterError):
        return False
    return True


def _lists(folder: str, state: State, host: Host) -> bool:
    """Whether the rpm-md that is there lists exactly the packages, by name, size and time."""
    found = set()
    try:
        for node in _primary(folder, host).iter(_COMMON + "package"):
            values = [node.find(_COMMON + tag) for tag in ("location", "size", "time")]
            place, size, when = ({} if value is None else value.attrib for value in values)
            found.add((place["href"], int(size["package"]), int(when["file"])))
    except (ET.ParseError, KeyError, ValueError, OSError, ClusterError):
        return False
    return found == {(entry.file, entry.size, entry.mtime // 10**9) for entry in state.packages}


def plan_repodata(plan: MediaPlan, host: Host) -> tuple[MediaPlan, list[str]]:
    """The plan, now remembering the packages, and the command to run; an empty one when the rpm-md is up to date.

    ClusterError when createrepo_c is needed and not installed.
    """
    path, key = plan.options.path, packages_key(plan.state)
    known = plan.state.repodata == key
    if known and _is_there(path, host):
        return plan, []
    remembering = replace(plan, state=replace(plan.state, repodata=key), known=False)
    if not plan.state.repodata and _lists(path, plan.state, host):
        return remembering, []
    if host.which("createrepo_c") is None:
        raise ClusterError("createrepo_c is not installed", "install the package createrepo-c or createrepo_c")
    newest = max((entry.mtime for entry in plan.state.packages), default=0) // 10**9
    words = ["--quiet", "--update", "--no-database", "--workers", str(os.cpu_count() or 1)]
    words += ["--revision", str(newest), "--set-timestamp-to-revision", "--outputdir", _beside(plan)]
    words += ["--update-md-path", path] if os.path.isfile(os.path.join(path, "repodata", REPOMD)) else []
    return remembering, ["createrepo_c", *words, "--pkglist", os.path.join(plan.options.work, "pkglist"), path]


def _beside(plan: MediaPlan) -> str:
    """Where createrepo_c writes, on the file system of the medium."""
    return os.path.join(plan.options.path, WORK, "rpm-md")


def _strangers(folder: str, host: Host) -> list[str]:
    """Files that the list of the rpm-md does not name: somebody put them there."""
    root = ET.fromstring(host.read(os.path.join(folder, REPOMD)) or b"<none/>")
    hrefs = {os.path.basename(node.attrib.get("href", "")) for node in root.iter(_REPO + "location")}
    return [name for name in host.listdir(folder) if name not in {*hrefs, REPOMD, REPOMD_SIGNATURE}]


def _switch_in(plan: MediaPlan, host: Host, sign: Sign | None) -> None:
    """Let the new rpm-md take the place of the old one in one step, with its signature or with none."""
    made, place = os.path.join(_beside(plan), "repodata"), os.path.join(plan.options.path, "repodata")
    if sign is not None:
        path = os.path.join(made, REPOMD)
        host.write_files({os.path.join(made, REPOMD_SIGNATURE): File(sign(host.read(path) or b"", path))})
    try:
        strangers = _strangers(place, host) if os.path.isdir(place) else []
    except ET.ParseError:
        strangers = []
    switch = Switch(place, _beside(plan))
    switch.repair()
    os.rename(made, switch.new)
    switch.take(strangers)
    switch.commit()


def run_repodata(plan: MediaPlan, argv: t.Sequence[str], host: Host, sign: Sign | None = None) -> None:
    """Run the command, for the packages of the plan only; ClusterError when it leaves out some of them.

    ``sign`` makes an armored signature of a content; its second argument is the path to name in an error.
    """
    if not argv:
        return
    listed = "".join(entry.file + "\n" for entry in plan.state.packages)
    host.write_files({os.path.join(plan.options.work, "pkglist"): File(os.fsencode(listed))})
    shutil.rmtree(_beside(plan), ignore_errors=True)
    os.makedirs(_beside(plan))
    told = host.run(argv, changes=True).stderr.strip().splitlines()[-3:]
    if not _lists(_beside(plan), plan.state, host):
        told = told or ["it does not tell why"]
        raise ClusterError(
            "createrepo_c left out packages of %s: %s" % (plan.options.path, " | ".join(told)),
            "rpm -qp shows what is wrong with a package",
        )
    _switch_in(plan, host, sign)
    shutil.rmtree(_beside(plan), ignore_errors=True)
