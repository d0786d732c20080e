# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mirror below one folder of this machine: the role, its own nginx and rsyncd on loopback, packages, a client."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 240
_SPEC = """\
Name: {name}
Version: {version}
Release: 1
Summary: A package of the tests
License: GPL
BuildArch: noarch
{more}
%description
It holds one line.
%install
mkdir -p %{{buildroot}}/usr/share/{name}
echo {name} {version} > %{{buildroot}}/usr/share/{name}/line
%files
/usr/share/{name}/line
"""
_SOLVER = """\
import solv, sys
pool = solv.Pool()
pool.setdisttype(solv.Pool.DISTTYPE_RPM)
pool.setarch("x86_64")
repo = pool.add_repo("updates")
with open(sys.argv[1], "rb") as stream:
    # The name tells libsolv how it is packed.
    assert repo.add_mdk(solv.xfopen_fd("x.gz", stream.fileno()), 0)
pool.createwhatprovides()
solver = pool.Solver()
problems = solver.solve([pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE_NAME, pool.str2id(sys.argv[2]))])
names = sorted(one.name for one in solver.transaction().newpackages())
print(problems and [str(one) for one in problems] or " ".join(names))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*argv: str | Path, env: t.Mapping[str, str] | None = None, fails: bool = False) -> str:
    """Output of a command, both streams; an exit code other than asked for is an assertion."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    assert bool(done.returncode) == fails, "%s: exit code %d\n%s" % (words[0], done.returncode, output[-3000:])
    return output


def build_package(top: Path, place: Path, name: str, version: str = "1.0", more: str = "") -> Path:
    """A package by rpmbuild, unsigned, in ``place``; ``top`` is where rpmbuild works."""
    top.mkdir(exist_ok=True)
    spec = top / (name + ".spec")
    spec.write_text(_SPEC.format(name=name, version=version, more=more))
    defines: dict[str, str | Path] = {
        "_topdir": top,
        "_rpmdir": place,
        "_tmppath": top,
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    words = [word for key, value in defines.items() for word in ("--define", "%s %s" % (key, value))]
    run("rpmbuild", "-bb", "--quiet", *words, spec)
    return place / ("%s-%s-1.noarch.rpm" % (name, version))


class Mirror:
    """The role below ``folder``; nothing outside of it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "mirror"
        self.port, self.rsync_port = free_port(), free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.tree = self.root / "xtreemos" / "2.1"
        self._daemons: list[subprocess.Popen[bytes]] = []
        for name in ("log", "run", "roots", "dnf-client", "urpmi-client"):
            (folder / name).mkdir(parents=True)
        # nginx drops root's rights, and what it serves has to be reachable.
        for place in (folder, *folder.parents[:2]):
            if place.stat().st_uid == os.geteuid() and str(place) not in ("/", "/tmp"):
                place.chmod(place.stat().st_mode | 0o055)
        (folder / "hosts.yml").write_text(json.dumps(self._inventory()))

    def _inventory(self) -> dict[str, t.Any]:
        sections = ["release", "updates", "testing"]
        incoming = {"from": str(self.folder / "incoming"), "to": "main/testing", "missing": "ignore"}
        media = [{"name": "main", "sections": sections}]
        tree = {"name": "xtreemos", "distribution": "XtreemOS", "version": "2.1", "arches": ["x86_64"]}
        places = {name: str(self.folder / place) for name, place in _PLACES.items()}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "mirror_host_address": "127.0.0.1",
            "mirror_host_port": self.port,
            "mirror_host_root": str(self.root),
            "mirror_host_gnupg_home": str(self.folder / "gnupg"),
            "mirror_host_key_name": "Packages of the tests",
            "mirror_host_rsyncd": True,
            "mirror_host_rsyncd_port": self.rsync_port,
            "mirror_host_trees": [{**tree, "media": media, "incoming": [incoming]}],
        }
        (self.folder / "inside.json").write_text(json.dumps({**places, "__mirror_host_services": []}))
        return {"mirror_hosts": {"hosts": {"mirror": variables}}, **self._clients()}

    def _clients(self) -> dict[str, t.Any]:
        """A client of dnf and one of urpmi, each a folder with the key of the mirror."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
        key = "{{ lookup('ansible.builtin.file', '%s/RPM-GPG-KEY') }}" % self.root
        testing = {"baseurl": "%s/xtreemos/2.1/$basearch/media/main/testing" % self.url, "repo_gpgcheck": True}
        dnf = {
            "dnf_client_root": str(self.folder / "dnf-client"),
            "dnf_client_trees": [{"url": self.url, "name": "xtreemos", "version": "2.1"}],
            "dnf_client_repositories": [
                {"id": "extra", "name": "Of the tests", "priority": 50, **testing},
                {"id": "later", "enabled": False, **testing},
            ],
            "dnf_client_key": key,
        }
        urpmi = {
            "urpmi_client_root": str(self.folder / "urpmi-client"),
            "urpmi_client_tree": self.url + "/xtreemos/2.1/x86_64",
            "urpmi_client_key": key,
            "urpmi_client_state": "latest",
        }
        return {
            "dnf_clients": {"hosts": {"dnf-client": {**local, **dnf, "ansible_become": False}}},
            "urpmi_clients": {"hosts": {"urpmi-client": {**local, **urpmi, "ansible_become": False}}},
        }

    def _ansible(self, tool: str, *words: str, fails: bool = False) -> str:
        env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        env["ANSIBLE_HOME"] = str(self.folder / "ansible")
        argv: list[str | Path] = [Path(sys.executable).parent / tool, "-i", self.folder / "hosts.yml", *words]
        return run(*argv, env=env, fails=fails)

    def play(self, name: str, *words: str, host: str = "mirror", fails: bool = False) -> tuple[str, int]:
        """Output of a playbook and the number of its changes on ``host``."""
        inside = "@%s" % (self.folder / "inside.json")
        output = self._ansible("ansible-playbook", "playbooks/%s.yml" % name, "-e", inside, *words, fails=fails)
        found = re.search(r"^%s .*changed=(\d+)" % host, output, re.MULTILINE)
        assert found, output
        return output, int(found.group(1))

    def call(self, module: str, fails: bool = False, **options: t.Any) -> str:
        words = ("mirror", "-m", "xtreemos.cluster." + module, "-a", json.dumps(options))
        return self._ansible("ansible", *words, fails=fails)

    def serve(self) -> None:
        """What the role's units start, until the end of the tests."""
        etc = self.folder / "etc"
        words = [["nginx", "-c", str(etc / "mirror-nginx.conf"), "-g", "daemon off;"]]
        words += [["rsync", "--daemon", "--no-detach", "--config=%s" % (etc / "mirror-rsyncd.conf")]]
        path = os.environ.get("PATH", "") + ":/usr/sbin"
        env = {**os.environ, "PATH": path}
        self._daemons += [subprocess.Popen(one, stdin=subprocess.DEVNULL, env=env) for one in words]
        for port in (self.port, self.rsync_port):
            _wait_for(port)

    def close(self) -> None:
        for daemon in self._daemons:
            daemon.terminate()
            daemon.wait(timeout=20)

    def build(self, name: str, version: str = "1.0", more: str = "", into: Path | None = None) -> Path:
        """A package by rpmbuild, unsigned, where packages come in."""
        return build_package(self.folder / "build", into or self.folder / "incoming", name, version, more)

    def dnf(self, root: str, *words: str, fails: bool = False) -> str:
        """dnf on a root folder of its own, with the settings that the mirror offers to clients."""
        client = self.folder / "client"
        repos = client / "repos"
        repos.mkdir(parents=True, exist_ok=True)
        run("curl", "-sSf", "-o", repos / "xtreemos.repo", self.url + "/xtreemos/xtreemos-2.1.repo")
        (client / "dnf.conf").write_text(
            "[main]\nreposdir=%s\ncachedir=%s/cache-%s\nlogdir=%s\n" % (repos, client, root, client)
        )
        place = self.folder / "roots" / root
        fixed: list[str | Path] = [
            "-y",
            "-c",
            client / "dnf.conf",
            "--installroot=%s" % place,
            "--releasever=2.1",
            "--forcearch=x86_64",
        ]
        return run(
            "dnf", *fixed, "--setopt=install_weak_deps=False", "--setopt=reposdir=%s" % repos, *words, fails=fails
        )

    def dnf_client(self, root: str, *words: str) -> str:
        """dnf with the files that the role wrote, in /etc as on a machine of its own; it installs below a root folder.

        They lie over this machine's /etc in a name space that ends with dnf. No release is named, as in the page
        "Run a mirror".
        """
        script = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec dnf "$@"'
        fixed = ["-y", "--installroot=%s" % (self.folder / "roots" / root), "--forcearch=x86_64"]
        user = ["--map-root-user"] if os.geteuid() else []
        argv = ["unshare", "--mount", "--propagation", "private", *user, "sh", "-c", script]
        return run(*argv, self.folder / "dnf-client/etc", *fixed, "--setopt=install_weak_deps=False", *words)

    def solve(self, section: str, name: str) -> str:
        """What urpmi's own data make of a name: packages, by libsolv's reader of the synthesis."""
        path = self.folder / "synthesis.cz"
        run(
            "curl",
            "-sSf",
            "-o",
            path,
            "%s/xtreemos/2.1/x86_64/media/%s/media_info/synthesis.hdlist.cz" % (self.url, section),
        )
        return run("/usr/bin/python3", "-c", _SOLVER, path, name).strip()


# Where the role writes, below the folder of the mirror.
_PLACES = {
    "__mirror_host_units": "units",
    "__mirror_host_etc": "etc",
    "__mirror_host_logs": "log",
    "__mirror_host_run": "run",
    "__mirror_host_program": "lib/mirror-tools.pyz",
}


def _wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nothing listens on port %d" % port)
