# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each verb does, in the order of a full run: cheap first."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from . import packaging_steps
from .engine import ROOT, Job, Step, StepFailed, StepSkipped
from .trees import BIN, CACHE, NAME, ansible_env, copy_tree, listed_files, private_home

SHELLS = ("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash", "#!/bin/busybox sh")


def _shell_scripts() -> list[Path]:
    """Tracked files that begin with a shell's line."""
    found = []
    for name in listed_files():
        path = ROOT / name
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as stream:
            first = stream.readline(80).decode("utf-8", "replace").strip()
        if first.startswith(SHELLS):
            found.append(path)
    return found


def _scripts_in_code() -> dict[str, str]:
    """Shell scripts that plugins hold as text: a name for each, and the text. Halves of a longer one are left out."""
    found: dict[str, str] = {}
    for name in listed_files():
        if name.startswith("plugins/") and name.endswith(".py") and "#!/bin/" in (ROOT / name).read_text():
            module = importlib.import_module("ansible_collections.xtreemos.cluster." + name[:-3].replace("/", "."))
            texts = {
                key: text for key, text in vars(module).items() if isinstance(text, str) and text.startswith(SHELLS)
            }
            found.update({"%s.%s" % (module.__name__.rpartition(".")[2], key): text for key, text in texts.items()})
    return {
        name: text
        for name, text in found.items()
        if not any(other != text and other.startswith(text) for other in found.values())
    }


def ruff_check(job: Job) -> None:
    job.run(BIN / "ruff", "check", "--cache-dir", CACHE / "ruff", ".")


def ruff_format(job: Job) -> None:
    job.run(BIN / "ruff", "format", "--check", "--cache-dir", CACHE / "ruff", ".")


def _mypy(job: Job, package: str, *more: str) -> None:
    env = {"MYPYPATH": str(ROOT / ".venv" / "collections")}
    cache = CACHE / "mypy"
    job.run(BIN / "mypy", "--cache-dir", cache, *more, "-p", package, env=env)


def mypy_plugins(job: Job) -> None:
    _mypy(job, "ansible_collections.xtreemos.cluster.plugins")


def mypy_tests(job: Job) -> None:
    _mypy(job, "ansible_collections.xtreemos.cluster.tests")
    job.run(BIN / "mypy", "--cache-dir", CACHE / "mypy", "docs/generate.py")


def yamllint(job: Job) -> None:
    job.run(BIN / "yamllint", "--strict", *[name for name in listed_files() if name.endswith((".yml", ".yaml"))])


def shellcheck(job: Job) -> None:
    job.need("shellcheck", "shellcheck")
    scripts = {str(path.relative_to(ROOT)): path for path in _shell_scripts()}
    for name, text in _scripts_in_code().items():
        scripts[name] = job.temp / name
        scripts[name].write_text(text)
    for _name, path in sorted(scripts.items()):
        first = path.read_text().partition("\n")[0]
        job.run("shellcheck", "--shell", "bash" if "bash" in first else "dash", path)


def ansible_lint(job: Job) -> None:
    tree = copy_tree(job.temp)
    env = {**ansible_env(job.temp / "tree"), "VIRTUAL_ENV": str(job.temp / "lint")}
    job.run(BIN / "ansible-lint", "--offline", "--profile", "production", "--strict", "--nocolor", cwd=tree, env=env)


def _pytest(job: Job, *words: str) -> None:
    env = {
        "ANSIBLE_HOME": str(job.temp / "home" / ".ansible"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
    }
    base = "--basetemp=%s" % (job.temp / job.step.name)
    job.run_tests(sys.executable, "-B", "-m", "pytest", "-q", base, *words, env=env)


def units(job: Job) -> None:
    _pytest(job, "-n", "auto", *(job.args or ["tests/unit"]))


def units_fast(job: Job) -> None:
    _pytest(job, "-n", "auto", "-m", "not slow", "tests/unit")


def house(job: Job) -> None:
    _pytest(job, "tests/unit/test_house.py")


def sanity(job: Job) -> None:
    job.need("git", "git")
    tree = copy_tree(job.temp)
    words = ("sanity", "--local", "--python", "%d.%d" % sys.version_info[:2], "--color", "no")
    job.run(BIN / "ansible-test", *words, *job.args, cwd=tree, env=private_home())


def docs(job: Job) -> None:
    tree = copy_tree(job.temp)
    job.run(sys.executable, "-B", "docs/generate.py", "--check", cwd=tree, env=ansible_env(job.temp / "tree"))


def antsibull_docs(job: Job) -> None:
    tree = copy_tree(job.temp)
    words = ("lint-collection-docs", "--plugin-docs", "--disallow-unknown-collection-refs")
    job.run(BIN / "antsibull-docs", *words, tree, cwd=tree, env=ansible_env(job.temp / "tree"))


def molecule(job: Job) -> None:
    tree = copy_tree(job.temp)
    scenarios = sorted(path.parent.name for path in (tree / "extensions" / "molecule").glob("*/molecule.yml"))
    if not scenarios:
        raise StepFailed("extensions/molecule has no scenario")
    env = {**ansible_env(job.temp / "tree"), "MOLECULE_EPHEMERAL_DIRECTORY": "", "NO_COLOR": "1"}
    failed = []
    for name in [one for one in scenarios if not job.args or one in job.args]:
        env["MOLECULE_EPHEMERAL_DIRECTORY"] = str(job.temp / "molecule" / name)
        try:
            job.run(BIN / "molecule", "test", "--scenario-name", name, cwd=tree, env=env)
            job.counts.passed += 1
        except StepFailed:
            job.counts.failed += 1
            failed.append(name)
    if failed:
        raise StepFailed("scenarios: %s" % ", ".join(failed))


def e2e(job: Job) -> None:
    script = ROOT / "tests" / "e2e" / "run"
    if not script.exists():
        raise StepFailed("tests/e2e/run is not there")
    job.run_tests(script, *job.args)


def mirror(job: Job) -> None:
    for program, package in (("dnf", "dnf"), ("rpmbuild", "rpm"), ("rsync", "rsync"), ("curl", "curl")):
        job.need(program, package)
    _pytest(job, "tests/integration/test_mirror.py", *job.args)


def dhcp(job: Job) -> None:
    if os.geteuid() != 0:
        raise StepSkipped("network namespaces need root; the unit tests let each server read its files")
    for program, package in (
        ("dhcpd", "isc-dhcp-server"),
        ("kea-dhcp4", "kea-dhcp4-server"),
        ("dnsmasq", "dnsmasq-base"),
    ):
        job.need(program, package)
    job.need("busybox", "busybox-static")
    _pytest(job, "tests/integration/test_dhcp.py", *job.args)


def console(job: Job) -> None:
    for program, package in (
        ("Xvfb", "xvfb"), ("xterm", "xterm"), ("vncviewer", "tigervnc-viewer"), ("import", "imagemagick"),
        ("Xtigervnc", "tigervnc-standalone-server"), ("xdotool", "xdotool"), ("sshd", "openssh-server"),
    ):  # fmt: skip
        job.need(program, package)
    _pytest(job, "tests/integration/test_console.py", *job.args)


def guestboot(job: Job) -> None:
    for program, package in (
        ("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap", "mmdebstrap"), ("unsquashfs", "squashfs-tools"),
        ("mkfs.ext4", "e2fsprogs"), ("zstd", "zstd"),
    ):  # fmt: skip
        job.need(program, package)
    _pytest(job, "tests/integration/test_guestboot.py", *job.args)


def iso(job: Job) -> None:
    for program, package in (
        ("dnf", "dnf"),
        ("rpmbuild", "rpm"),
        ("createrepo_c", "createrepo-c"),
        ("xorriso", "xorriso"),
        ("mcopy", "mtools"),
        ("grub-mkimage", "grub-common"),
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("chromium", "chromium"),
        ("busybox", "busybox-static"),
    ):
        job.need(program, package)
    _pytest(job, "tests/integration/test_iso.py", *job.args)


def nightly(job: Job) -> None:
    for program, package in (("dnf", "dnf"), ("rpmbuild", "rpm"), ("ssh-keygen", "openssh-client"), ("git", "git")):
        job.need(program, package)
    if not Path("/usr/sbin/sshd").exists():
        raise StepFailed("sshd is missing. Type: apt-get install openssh-server")
    _pytest(job, "tests/integration/test_nightly.py", *job.args)


def boot(job: Job) -> None:
    if os.geteuid() != 0:
        raise StepSkipped("network namespaces need root; the rack boots without")
    for program, package in (
        ("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap", "mmdebstrap"), ("dhcpd", "isc-dhcp-server"),
        ("kea-dhcp4", "kea-dhcp4-server"), ("dnsmasq", "dnsmasq-base"), ("in.tftpd", "tftpd-hpa"),
        ("nginx", "nginx-light"),
    ):  # fmt: skip
        job.need(program, package)
    _pytest(job, "tests/integration/test_boot.py", *job.args)


def bench(job: Job) -> None:
    for path in sorted((ROOT / "tests" / "bench").glob("bench_*.py")):
        if not job.args or path.stem in job.args or path.stem[len("bench_") :] in job.args:
            job.run(sys.executable, "-B", path)


STEPS: tuple[Step, ...] = (
    Step("ruff", ("lint", "check", "all"), ruff_check),
    Step("ruff-format", ("lint", "check", "all"), ruff_format),
    Step("yamllint", ("lint", "check", "all"), yamllint),
    Step("shellcheck", ("lint", "check", "all"), shellcheck),
    Step("house", ("house",), house),
    Step("mypy", ("lint", "check", "all"), mypy_plugins),
    Step("mypy-tests", ("lint", "check", "all"), mypy_tests),
    Step("units", ("units", "all"), units),
    Step("units-fast", ("check",), units_fast),
    Step("build", ("build", "all"), packaging_steps.build),
    Step("installed", ("build", "all"), packaging_steps.installed),
    Step("docs", ("docs", "check", "all"), docs),
    Step("docs-lint", ("docs", "all"), antsibull_docs),
    Step("ansible-lint", ("lint", "all"), ansible_lint),
    Step("sanity", ("sanity", "all"), sanity),
    Step("molecule", ("molecule", "all"), molecule),
    Step("dhcp", ("dhcp", "all"), dhcp),
    Step("boot", ("boot",), boot),
    Step("mirror", ("mirror", "all"), mirror),
    Step("console", ("console",), console),
    Step("guestboot", ("guestboot",), guestboot),
    Step("iso", ("iso", "all"), iso),
    Step("nightly", ("nightly", "all"), nightly),
    Step("e2e", ("e2e", "all"), e2e, stream=True),
    Step("bench", ("bench",), bench, stream=True),
)

__all__ = ["NAME", "STEPS"]
