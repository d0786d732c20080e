# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A project in git, a chroot that only has accounts, and a host whose rpmbuild is a stand-in."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._build.job import ARGUMENTS
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.nightly import Step, no_step, run_build
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import accounts
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults, package

SPEC = """\
Name: hello
Version: @version@
Release: 1
Summary: Revision @revision@ of @commit@, @date@
Source: @tarball@
%description
echo @not_ours@
"""
MEDIA = [{"name": "main", "sections": ["release", "testing"]}]


def git(folder: Path, *words: str) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=Tests", "-c", "user.email=tests@example.org", "-c", "init.defaultBranch=main")
    argv = ["git", *who, *words]
    return subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout.strip()


def project(folder: Path) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "hello.spec.in").write_text(SPEC)
    return commit(folder, "one")


def commit(folder: Path, text: str) -> Path:
    (folder / "line").write_text(text + "\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", text)
    return folder


class Rpmbuild(LocalHost):
    """A real host but for what would run in the chroot. ``fails`` maps a program in the chroot to its output."""

    def __init__(self, fails: t.Mapping[str, str] | None = None, files: t.Sequence[bytes] = ()) -> None:
        super().__init__()
        self.fails = dict(fails or {})
        self.files = files
        self.ran: list[list[str]] = []

    def run(self, argv: t.Sequence[str], **options: t.Any) -> Completed:
        self.ran.append(list(argv))
        if "--" not in argv or "--user" not in argv:
            return super().run(argv, **options)
        command = list(argv)[list(argv).index("--") + 1 :]
        log = Path(argv[argv.index("--log") + 1]) if "--log" in argv else None
        top = Path(argv[argv.index("--bind") + 1].partition("=")[0])
        if log:
            self.actions.append(list(argv))
            log.write_text(self.fails.get(command[0], "building\n"))
        if command[0] in self.fails:
            return Completed(tuple(argv), 1, "", self.fails[command[0]])
        if command[0] == "rpmbuild":
            self._build(top, command[-1])
        return Completed(tuple(argv), 0, "")

    def _build(self, top: Path, spec: str) -> None:
        text = (top / "SPECS" / os.path.basename(spec)).read_text()
        version = next(line.split()[1] for line in text.splitlines() if line.startswith("Version:"))
        assert (top / "SOURCES" / ("hello-%s.tar.gz" % version)).exists()
        package(top / "RPMS/x86_64", "hello", version, "x86_64", files=list(self.files))
        package(top / "RPMS/noarch", "hello-doc", version, source="hello-%s-1" % version)
        package(top / "SRPMS", "hello", version, "src")


def options(folder: Path, **more: t.Any) -> dict[str, t.Any]:
    """The module's options for the project in ``folder``, published below it."""
    accounts(folder / "chroot")
    tree = {"path": str(folder / "tree"), "distribution": "X", "version": "1", "arches": ["x86_64"], "media": MEDIA}
    rows: dict[str, t.Any] = {
        "name": "hello",
        "source": {"url": str(folder / "project")},
        "specs": ["hello.spec.in"],
        "chroot": str(folder / "chroot"),
        "dest": str(folder / "dest"),
        "publish": {"tree": {**tree, "repodata": False}, "gate": ["installable"], "missing": "ignore"},
    }
    return defaults(ARGUMENTS, {**rows, **more})


def run(
    folder: Path, check: bool = False, host: LocalHost | None = None, step: Step = no_step, **more: t.Any
) -> dict[str, t.Any]:
    return run_build(options(folder, **more), check, host or Rpmbuild(), step=step)


def builds(folder: Path) -> list[str]:
    """Names in builds/, without the links of dates."""
    place = folder / "dest/builds"
    return sorted(path.name for path in place.iterdir() if path.name[0] != "2") if place.is_dir() else []


def published(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "tree/1/x86_64/media/main/testing").glob("*.rpm"))
