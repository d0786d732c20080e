# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small repository, and the options of the modules with their defaults."""

from __future__ import annotations

import copy
import hashlib
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.publish import run_publish
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.spec import ARGUMENTS
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import STRING, rpm_bytes, tags


def defaults(spec: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Options as Ansible hands them over."""
    found: dict[str, t.Any] = {}
    for name, rule in spec.items():
        value = given.get(name, copy.deepcopy(rule.get("default")))
        if "options" in rule and value is not None:
            inner = rule["options"]
            value = [defaults(inner, one) for one in value] if rule["type"] == "list" else defaults(inner, value)
        found[name] = value
    return found


def tree(folder: Path, **more: t.Any) -> dict[str, t.Any]:
    """The options of a tree of two architectures, as a user writes them."""
    media = [{"name": "main", "sections": ["release", "updates", "testing"], "debug": True}, {"name": "contrib"}]
    base = {"path": str(folder), "distribution": "XtreemOS", "version": "2.1", "arches": ["x86_64", "i586"]}
    return {**base, "media": media, "repodata": False, **more}


def options(given: t.Mapping[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return defaults(ARGUMENTS, {"tree": given, "gate": [], "missing": "ignore", **more})


def run(given: t.Mapping[str, t.Any], check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    return run_publish(options(given, **more), check, LocalHost())


def package(folder: Path, name: str, version: str = "1", arch: str = "noarch", source: str = "", **more: t.Any) -> Path:
    """A package whose source package is ``source`` (NAME-VERSION-1), by default its own."""
    folder.mkdir(parents=True, exist_ok=True)
    found = tags(name, version, "1", arch, **more)
    if arch == "src":
        del found[1044]
    elif source:
        found[1044] = (STRING, (source + ".src.rpm").encode())
    path = folder / ("%s-%s-1.%s.rpm" % (name, version, arch))
    path.write_bytes(rpm_bytes(found))
    return path


def make_unit(folder: Path, version: str = "1", **more: t.Any) -> Path:
    """One source package, foo: binaries of two architectures, documents for all, debug packages, the source."""
    source = "foo-%s-1" % version
    for arch in ("x86_64", "i586"):
        package(folder, "foo", version, arch, source, **more)
        package(folder, "foo-debuginfo", version, arch, source)
    package(folder, "foo-doc", version, source=source)
    package(folder, "foo", version, "src")
    return folder


def files(folder: Path, hidden: bool = False) -> dict[str, str]:
    """Everything below a folder, by path: a digest of its content. Times of runs are left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        rel = path.relative_to(folder)
        if path.is_file() and path.name != "timestamp" and (hidden or not any(p.startswith(".") for p in rel.parts)):
            found[str(rel)] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return found


def packages(folder: Path) -> set[str]:
    """The packages below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*.rpm")}
