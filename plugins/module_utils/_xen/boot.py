# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hypervisor and kernel options a dom0 boots with, and whether it runs with them. Private to the collection.

Debian: variables of /etc/default/grub.d as xen-hypervisor-common reads them, entries of grub.cfg as 20_linux_xen
writes them (``multiboot2 /boot/xen-4.17-amd64.gz placeholder WORDS``).
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, plan_files
from .._host.host import File, Host

CAPABILITIES = "/proc/xen/capabilities"
# Sorts before the package's own xen.cfg, which asks for the override that is set here.
GRUB_FILE = "/etc/default/grub.d/05-xtreemos-xen.cfg"
GRUB_CFG = "/boot/grub/grub.cfg"
_WORD = re.compile(r"[A-Za-z0-9_.,:=+@/%-]+$")
_ENTRY = re.compile(r"^\s*multiboot2?\s+\S*/?xen[^\s]*\s+(.*)$", re.MULTILINE)
# What GRUB and the hypervisor add themselves.
_NOISE = {"placeholder", "no-real-mode", "edd=off", "${xen_rm_opts}"}
_LEAST_MB = 256


@dataclass(frozen=True)
class Boot:
    """Wanted start of a dom0; ``memory_mb`` and ``vcpus`` of 0 leave the choice to Xen."""

    memory_mb: int = 0
    vcpus: int = 0
    hypervisor: tuple[str, ...] = ()
    kernel: tuple[str, ...] = ()
    default: bool = True

    def hypervisor_words(self) -> list[str]:
        """The words of the hypervisor's command line, in their order."""
        words = ["dom0_mem=%dM,max:%dM" % (self.memory_mb, self.memory_mb)] if self.memory_mb else []
        words += ["dom0_max_vcpus=%d" % self.vcpus] if self.vcpus else []
        return [*words, *self.hypervisor]


@dataclass(frozen=True)
class BootPlan:
    """What has to be done: a file, ``update-grub``, and the reasons why the machine has to boot again."""

    files: FilePlan
    update: bool
    is_dom0: bool
    reasons: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.files.changed or self.update


def check(boot: Boot) -> None:
    """ClusterError for a word that GRUB's file could not carry, or too little memory."""
    for word in (*boot.hypervisor, *boot.kernel):
        if not _WORD.match(word):
            raise ClusterError("%r is no boot option" % word, "give each option as one word, without quotes or blanks")
    for word in boot.hypervisor:
        if word.split("=")[0] in ("dom0_mem", "dom0_max_vcpus"):
            raise ClusterError("%s is set twice" % word.split("=")[0], "use memory_mb and vcpus, not the option itself")
    if boot.memory_mb and boot.memory_mb < _LEAST_MB:
        raise ClusterError("memory_mb is %d" % boot.memory_mb, "give dom0 at least %d" % _LEAST_MB)


def render(boot: Boot) -> str:
    """The file of /etc/default/grub.d."""
    lines = [
        "# Managed by the module xtreemos.cluster.xen_boot: changes made here are overwritten.",
        "XEN_OVERRIDE_GRUB_DEFAULT=%d" % boot.default,
        'GRUB_CMDLINE_XEN="%s"' % " ".join(boot.hypervisor_words()),
        # Empty lines of the package's file would win over nothing, and never over these.
        'GRUB_CMDLINE_XEN_DEFAULT=""',
        'GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT="%s"' % " ".join(boot.kernel) if boot.kernel else "",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def entries(grub_cfg: str) -> list[list[str]]:
    """The words that each Xen entry of grub.cfg gives to the hypervisor."""
    return [_words(line) for line in _ENTRY.findall(grub_cfg)]


def _words(line: str) -> list[str]:
    return [word for word in line.split() if word not in _NOISE]


def is_dom0(host: Host) -> bool:
    """Whether this machine controls a hypervisor; a guest has the file too, without the word."""
    return b"control_d" in (host.read(CAPABILITIES) or b"")


def running_words(host: Host) -> list[str]:
    """The command line of the running hypervisor, from ``xl info``."""
    for line in host.run(["xl", "info"], check=False).stdout.splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() == "xen_commandline":
            return _words(value)
    return []


def host_memory_mb(host: Host) -> int:
    """MiB of the whole machine; 0 when it cannot be told, as dom0 sees only its own share."""
    if is_dom0(host):
        found = re.search(r"^total_memory\s*:\s*(\d+)", host.run(["xl", "info"], check=False).stdout, re.MULTILINE)
        return int(found.group(1)) if found else 0
    found = re.search(r"^MemTotal:\s*(\d+) kB", (host.read("/proc/meminfo") or b"").decode(), re.MULTILINE)
    return int(found.group(1)) // 1024 if found else 0


def _check_memory(boot: Boot, host: Host) -> None:
    total = host_memory_mb(host)
    if total and boot.memory_mb > total - 64:
        raise ClusterError(
            "dom0 cannot have %d MiB: the machine has %d" % (boot.memory_mb, total), "lower memory_mb of dom0"
        )


def _reasons(boot: Boot, host: Host) -> t.Iterator[str]:
    if not boot.default:
        return
    if not is_dom0(host):
        yield "the hypervisor does not run"
        return
    running = running_words(host)
    missing = [word for word in boot.hypervisor_words() if word not in running]
    if missing:
        yield "the hypervisor runs without %s" % " ".join(missing)
    kernel = (host.read("/proc/cmdline") or b"").decode("utf-8", "replace").split()
    lacking = [word for word in boot.kernel if word not in kernel]
    if lacking:
        yield "the kernel of dom0 runs without %s" % " ".join(lacking)


def plan(boot: Boot, host: Host) -> BootPlan:
    """Compare GRUB's files and what runs with ``boot``; ClusterError before anything is written."""
    check(boot)
    _check_memory(boot, host)
    files = plan_files(host, {GRUB_FILE: File(render(boot).encode())})
    listed = entries((host.read(GRUB_CFG) or b"").decode("utf-8", "replace"))
    # A run that ended between the file and GRUB leaves entries without the words.
    stale = not listed or any(word not in words for words in listed for word in boot.hypervisor_words())
    return BootPlan(files, files.changed or stale, is_dom0(host), tuple(_reasons(boot, host)))


def apply(todo: BootPlan, boot: Boot, host: Host) -> None:
    """Write the file and let GRUB make its menu; ClusterError when the menu then has no such entry."""
    apply_files(todo.files, host)
    if not todo.update:
        return
    host.run(["update-grub"], changes=True)
    listed = entries((host.read(GRUB_CFG) or b"").decode("utf-8", "replace"))
    if not listed:
        raise ClusterError("%s has no entry for Xen" % GRUB_CFG, "install the hypervisor package, then run again")
    words = boot.hypervisor_words()
    if any(word not in found for found in listed for word in words):
        raise ClusterError(
            "the Xen entries of %s lack %s" % (GRUB_CFG, " ".join(words)),
            "another file in %s sets GRUB_CMDLINE_XEN: remove that line" % os.path.dirname(GRUB_FILE),
        )
