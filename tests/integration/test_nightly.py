# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A night of a build host: a project in git, real rpmbuild in a chroot, real dnf. The tests build on each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.usage import usage
from ansible_collections.xtreemos.cluster.tests.integration.place import ROOT, free_port, run
from ansible_collections.xtreemos.cluster.tests.integration.rootfs import pack
from ansible_collections.xtreemos.cluster.tests.unit._build.samples import commit, git

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a chroot is entered by root")
SPEC = """\
Name: hello
Version: @version@
Release: 1
Summary: Hello of revision @revision@
License: GPL
Source: @tarball@
BuildArch: noarch
%description
It says hello.
%prep
%setup -q
%build
sh ./build.sh
%install
mkdir -p %{buildroot}/usr/share/hello
cp line %{buildroot}/usr/share/hello/line
%files
/usr/share/hello/line
"""
_PLACES = {
    "__chroot_units": "units",
    "__chroot_program": "lib/chroot-enter.py",
    "__build_host_units": "units",
    "__build_host_etc": "etc",
    "__build_host_program": "lib/build-tools.pyz",
}


class Night:
    """The roles below ``folder``; nothing outside of it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.tree = folder / "chroots/build"
        self.testing = folder / "mirror/xtreemos/2.1/x86_64/media/main/testing"
        self.builds = folder / "builds/hello/builds"
        self.server: subprocess.Popen[bytes] | None = None
        pack(folder / "incoming/rootfs.tar.gz")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
        self.project = folder / "project"
        self.project.mkdir()
        git(self.project, "init", "--quiet")
        (self.project / "hello.spec.in").write_text(SPEC)
        self.commit("one", "true")
        (folder / "hosts.yml").write_text(json.dumps(self._inventory()))
        inside: dict[str, t.Any] = {name: str(folder / place) for name, place in _PLACES.items()}
        inside.update(__chroot_services=[], __build_host_services=[])
        (folder / "inside.json").write_text(json.dumps(inside))

    def commit(self, line: str, script: str) -> None:
        (self.project / "build.sh").write_text(script + "\n")
        commit(self.project, line)

    def _inventory(self) -> dict[str, t.Any]:
        key = (self.folder / "key.pub").read_text().strip()
        media = [{"name": "main", "sections": ["release", "updates", "testing"]}]
        tree = {"path": str(self.folder / "mirror/xtreemos"), "distribution": "XtreemOS", "version": "2.1"}
        project = {"name": "hello", "source": {"url": str(self.project)}, "specs": ["hello.spec.in"]}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "chroot_path": str(self.tree),
            "chroot_backend": "tarball",
            "chroot_packages": [],
            "chroot_tarball": str(self.folder / "incoming/rootfs.tar.gz"),
            "chroot_sums": str(self.folder / "incoming/rootfs.tar.gz.sha256sum"),
            "chroot_port": self.port,
            "chroot_users": [{"name": "root", "keys": [key]}, {"name": "builder", "login": False}],
            "build_host_chroot": str(self.tree),
            "build_host_root": str(self.folder / "builds"),
            "build_host_gnupg_home": str(self.folder / "gnupg"),
            "build_host_key_name": "Packages of the tests",
            "build_host_tree": {**tree, "arches": ["x86_64"], "media": media},
            "build_host_projects": [project],
        }
        inside = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": "-o UserKnownHostsFile=%s -o StrictHostKeyChecking=accept-new"
            % (self.folder / "known_hosts"),
        }
        groups = {name: {"hosts": {"builder": variables}} for name in ("chroot_hosts", "build_hosts")}
        return {**groups, "chroots": {"hosts": {"inside": inside}}}

    def _ansible(self, tool: str, *words: str, fails: bool = False) -> str:
        env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        env["ANSIBLE_HOME"] = str(self.folder / "ansible")
        argv: list[str | Path] = [Path(sys.executable).parent / tool, "-i", self.folder / "hosts.yml", *words]
        return run(*argv, env=env, fails=fails)

    def play(self, name: str, *words: str, fails: bool = False) -> tuple[str, int]:
        """Output of a playbook and the number of its changes."""
        inside = "@%s" % (self.folder / "inside.json")
        output = self._ansible("ansible-playbook", "playbooks/%s.yml" % name, "-e", inside, *words, fails=fails)
        found = re.search(r"^builder .*changed=(\d+)", output, re.MULTILINE)
        assert found, output
        return output, int(found.group(1))

    def in_chroot(self, *words: str) -> str:
        return self._ansible("ansible", "inside", *words)

    def timer(self, fails: bool = False, options: Path | None = None, prefix: t.Sequence[str] = ()) -> str:
        """What the timer runs."""
        argv = [*prefix, *self.timer_words(options)]
        return run(*argv, fails=fails)

    def timer_words(self, options: Path | None = None) -> list[str]:
        tool, given = self.folder / "lib/build-tools.pyz", options or self.folder / "etc/build-hello.json"
        return ["/usr/bin/python3", "-I", str(tool), "build", str(given)]

    def serve(self) -> None:
        """What the unit starts."""
        unit = (self.folder / "units/xtreemos-chroot-build.service").read_text()
        line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
        self.server = subprocess.Popen(shlex.split(line.partition("=")[2]), stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not usage_names(self.tree) & {"sshd"} and time.monotonic() < end:
            time.sleep(0.05)

    def stop(self) -> None:
        if self.server:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(timeout=30)
            self.server = None

    def published(self) -> list[str]:
        return sorted(path.name for path in self.testing.glob("*.rpm"))

    def names(self) -> list[str]:
        """Builds, without the links of dates."""
        return sorted(name for name in os.listdir(self.builds) if not name.startswith("2"))


def usage_names(tree: Path) -> set[str]:
    return {name for _pid, name in usage(str(tree)).processes}


def mounts() -> list[str]:
    """The host's mounts in folders of tests; others on the machine may come and go meanwhile."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "pytest-of-" in line]


def wait_gone(tree: Path) -> None:
    end = time.monotonic() + 30
    while usage(str(tree)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not usage(str(tree)), usage(str(tree)).describe()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Night]:
    found = Night(tmp_path_factory.mktemp("n"))
    before = mounts()
    try:
        yield found
    finally:
        found.stop()
    wait_gone(found.tree)
    assert mounts() == before


def test_from_a_tarball_and_a_commit_to_testing(night: Night) -> None:
    _output, predicted = night.play("nightly_build", "--check")
    assert predicted and not night.tree.exists() and not night.builds.exists()
    night.play("nightly_build")
    assert night.published() == ["hello-0r1-1.noarch.rpm"] and night.names() == ["hello-0r1", "last"]
    output, changes = night.play("nightly_build")
    assert changes == 0, output
    log = (night.builds / "last/logs/hello-0r1_hello.log").read_text()
    assert "Executing(%build)" in log


def test_dnf_installs_it_with_its_signature(night: Night) -> None:
    root = night.folder / "client"
    key = night.folder / "builds/RPM-GPG-KEY"
    settings = ["[testing]", "name=t", "baseurl=file://%s" % night.testing, "gpgcheck=1", "repo_gpgcheck=1"]
    (night.folder / "repos").mkdir()
    (night.folder / "repos/t.repo").write_text("\n".join([*settings, "gpgkey=file://%s" % key]) + "\n")
    words = ["dnf", "-y", "--installroot=%s" % root, "--setopt=reposdir=%s" % (night.folder / "repos")]
    words += [
        "--setopt=cachedir=%s" % (night.folder / "cache"),
        "--setopt=logdir=%s" % night.folder,
        "--releasever=2.1",
    ]
    output = run(*words, "install", "hello")
    assert "Importing GPG key" in output and (root / "usr/share/hello/line").read_text() == "one\n"


def test_the_chroot_is_a_target_of_ansible(night: Night) -> None:
    night.serve()
    assert "SUCCESS" in night.in_chroot("-m", "ansible.builtin.ping")
    output = night.in_chroot("-m", "ansible.builtin.command", "-a", "readlink /proc/1/exe")
    assert "/python3" in output
    words = ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]
    ssh: list[str] = ["ssh", *words, "-p", str(night.port)]
    assert "Permission denied" in run(*ssh, "-o", "IdentityFile=none", "root@127.0.0.1", "id", fails=True)
    assert "Permission denied" in run(*ssh, "-i", str(night.folder / "key"), "builder@127.0.0.1", "id", fails=True)
    assert mounts() == []


def test_a_tree_in_use_is_not_removed(night: Night) -> None:
    output, _changes = night.play("chroot", "-e", "chroot_state=absent", fails=True)
    assert "is in use" in output and "(sshd)" in output and (night.tree / "etc/passwd").exists()
    night.stop()
    wait_gone(night.tree)


def test_the_timer_builds_the_next_revision(night: Night) -> None:
    night.commit("two", "true")
    assert night.timer().startswith("hello 0r2: built\n  published\n")
    assert night.published() == ["hello-0r2-1.noarch.rpm"] and night.names() == ["hello-0r1", "hello-0r2", "last"]
    assert os.readlink(night.builds / "last") == "hello-0r2"


def test_a_build_that_fails_names_its_log_and_publishes_nothing(night: Night) -> None:
    night.commit("three", "echo not this time >&2; exit 1")
    output = night.timer(fails=True)
    log = re.search(r"log: (\S+)", output)
    assert log and "not this time" in Path(log.group(1)).read_text() and "Traceback" not in output
    assert night.published() == ["hello-0r2-1.noarch.rpm"] and night.names()[-2:] == ["hello-0r2", "last"]
    (night.project / "hello.spec.in").write_text(SPEC.replace("Release: 1", "Release"))
    night.commit("four", "true")
    assert "hello-0r4_hello.spec does not parse: " in night.timer(fails=True)
    (night.project / "hello.spec.in").write_text(SPEC)


def test_killed_in_the_middle(night: Night) -> None:
    before = mounts()
    night.commit("five", "echo begun; sleep 300")
    process = subprocess.Popen(night.timer_words(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while "sleep" not in usage_names(night.tree) and time.monotonic() < end:
        time.sleep(0.05)
    assert "sleep" in usage_names(night.tree)
    process.kill()
    process.wait(timeout=30)
    wait_gone(night.tree)
    assert mounts() == before
    assert night.published() == ["hello-0r2-1.noarch.rpm"] and "hello-0r5" not in night.names()
    night.commit("six", "true")
    assert night.timer().startswith("hello 0r6: built\n  published\n")
    assert night.published() == ["hello-0r6-1.noarch.rpm"]
    assert not (night.folder / "builds/hello/.work").exists()


def test_a_builder_out_of_disk(night: Night) -> None:
    """Its folder is a file system of 300 kB, in a mount namespace of the test's own."""
    small = night.folder / "small"
    small.mkdir()
    rows = json.loads((night.folder / "etc/build-hello.json").read_text())
    options = night.folder / "small.json"
    options.write_text(json.dumps({**rows, "dest": str(small)}))
    night.commit("seven", "head -c 2000000 /dev/zero > big")
    script = 'mount -t tmpfs -o size=300k x "$1" && shift && exec "$@"'
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "x", str(small)]
    output = night.timer(fails=True, options=options, prefix=prefix)
    assert "No space left on device" in output and "free space" in output and "Traceback" not in output
    assert night.published() == ["hello-0r6-1.noarch.rpm"]


def test_the_chroot_goes(night: Night) -> None:
    night.play("chroot", "-e", "chroot_state=absent")
    assert not night.tree.exists()
    assert "there is no chroot" in night.timer(fails=True)
