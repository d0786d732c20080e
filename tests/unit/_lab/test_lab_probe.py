# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import probe
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab.tools import PACKAGES, missing_packages, require

PANIC = b"[    0.9] Kernel panic - not syncing: VFS: Unable to mount root fs\n"
BOOT = {"/proc/sys/kernel/random/boot_id": b"b1\n", "/dev/kvm": b""}


def machine(rc: int = 0, log: bytes = PANIC, files: t.Mapping[str, bytes] | None = None) -> MemoryHost:
    def boot(_argv: list[str]) -> tuple[int, str, str]:
        host.files["/s/kvm-probe.log"] = log
        return rc, "", ""

    host = MemoryHost(BOOT if files is None else files, {"qemu-system-x86_64": boot})
    return host


@pytest.mark.parametrize(
    ("rc", "log", "name", "reason"),
    [
        (0, PANIC, "kvm", "came up"),
        (0, b"", "tcg", "failed with exit code 0"),
        (0, b"[ 0.0] Linux version 6.1", "tcg", "failed"),
        (-6, b"", "tcg", "failed with exit code -6"),
        (1, PANIC, "tcg", "failed with exit code 1"),
    ],
)
def test_only_a_kernel_that_came_to_its_end_proves_kvm(rc: int, log: bytes, name: str, reason: str) -> None:
    found = probe.choose(machine(rc, log), "auto", "/s", "/k")
    assert found.name == name
    assert reason in found.reason


def test_a_guest_that_hangs_means_tcg() -> None:
    class Hanging(MemoryHost):
        def run(self, *args: t.Any, **options: t.Any) -> t.Any:
            assert options["timeout"] == probe.PATIENCE
            raise ClusterError("did not end")

    assert "within 5 s" in probe.choose(Hanging(BOOT), "auto", "/s", "/k").reason


@pytest.mark.parametrize(
    ("wanted", "files", "kernel", "reason"),
    [
        ("kvm", {}, "", "as asked"),
        ("tcg", BOOT, "/k", "as asked"),
        ("auto", {}, "/k", "no /dev/kvm"),
        ("auto", BOOT, "", "no kernel"),
    ],
)
def test_nothing_is_booted_without_need(wanted: str, files: dict[str, bytes], kernel: str, reason: str) -> None:
    host = machine(files=files)
    found = probe.choose(host, wanted, "/s", kernel)
    assert (found.name, host.ran, host.written) == ("tcg" if wanted == "auto" else wanted, [], [])
    assert reason in found.reason


@pytest.mark.parametrize(
    ("later", "kernel", "boots"),
    [({}, "/k", 1), ({"/proc/sys/kernel/random/boot_id": b"b2\n"}, "/k", 2), ({}, "/other", 2)],
)
def test_the_answer_holds_until_the_machine_or_the_kernel_changes(
    later: dict[str, bytes], kernel: str, boots: int
) -> None:
    host = machine()
    first = probe.choose(host, "auto", "/s", "/k")
    host.files.update(later)
    assert probe.choose(host, "auto", "/s", kernel) == first
    assert len(host.ran) == boots


@pytest.mark.parametrize("stored", [b"", b"{", b"[]", b'{"key": ["b1", "/k"]}', json.dumps({"accel": 1}).encode()])
def test_a_damaged_note_is_made_again(stored: bytes) -> None:
    host = machine(files={**BOOT, "/s/accel.json": stored})
    assert probe.choose(host, "auto", "/s", "/k").name == "kvm"
    assert json.loads(host.files["/s/accel.json"])["key"] == ["b1", "/k"]


def test_the_probe_has_no_root_and_ends_by_itself() -> None:
    argv = probe.probe_argv("/k", "/s/log")
    assert "-no-reboot" in argv and "-drive" not in argv
    assert argv[-1].endswith("panic=-1")
    assert argv[argv.index("-accel") + 1] == "kvm"


class Bare(MemoryHost):
    """A machine without any of our programs."""

    def which(self, program: str) -> str | None:
        return None


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(ClusterError) as caught:
        require(Bare(), PACKAGES)
    for package in set(PACKAGES.values()):
        assert package in caught.value.message
    assert caught.value.hint.startswith("as root, run: apt-get install e2fsprogs grub-common")


def test_a_machine_with_everything_misses_nothing() -> None:
    files = {path: b"" for path in PACKAGES if path.startswith("/")}
    assert missing_packages(MemoryHost(files), PACKAGES) == []
    assert missing_packages(MemoryHost(), ["ssh", "/usr/share/seabios/bios-256k.bin"]) == ["seabios"]
    assert subprocess.list2cmdline(sorted(set(PACKAGES.values()))).count('"') == 0
