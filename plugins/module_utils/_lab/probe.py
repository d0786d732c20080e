# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""May this machine use KVM? Answered by booting a kernel. This module util is private to the collection.

The device alone proves nothing: on some nested machines it exists, and Linux hangs before its first line.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import asdict, dataclass

from .._host.errors import ClusterError
from .._host.host import File, Host
from .qemu import PROGRAM, accel_args

PATIENCE = 5.0
DEVICE = "/dev/kvm"
_LAST_LINE = b"Kernel panic - not syncing"


@dataclass(frozen=True)
class Accel:
    """The chosen accelerator, ``kvm`` or ``tcg``, and why in words."""

    name: str
    reason: str


def probe_argv(kernel: str, log: str, program: str = PROGRAM) -> list[str]:
    """A guest without a root: a healthy kernel comes to its panic, and QEMU ends, in about a second."""
    argv = [program, "-name", "kvm-probe", "-M", "q35", *accel_args("kvm"), "-m", "256", "-nodefaults"]
    argv += ["-display", "none", "-no-reboot", "-serial", "file:%s" % log.replace(",", ",,")]
    return [*argv, "-kernel", kernel, "-append", "console=ttyS0,115200 panic=-1"]


def _boots(host: Host, kernel: str, folder: str) -> Accel:
    log = os.path.join(folder, "kvm-probe.log")
    try:
        done = host.run(probe_argv(kernel, log), check=False, timeout=PATIENCE)
    except ClusterError:
        return Accel("tcg", "a guest on KVM did not come up within %g s" % PATIENCE)
    if done.rc == 0 and _LAST_LINE in (host.read(log) or b""):
        return Accel("kvm", "a guest on KVM came up")
    return Accel("tcg", "a guest on KVM failed with exit code %d" % done.rc)


def _boot_id(host: Host) -> str:
    return (host.read("/proc/sys/kernel/random/boot_id") or b"").decode("ascii", "replace").strip()


def _remembered(host: Host, path: str, key: list[str]) -> Accel | None:
    try:
        stored: dict[str, t.Any] = json.loads(host.read(path) or b"{}")
        return Accel(**stored["accel"]) if stored["key"] == key else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def choose(host: Host, wanted: str, folder: str, kernel: str) -> Accel:
    """The accelerator for this machine. ``auto`` boots ``kernel`` once for each boot of the machine.

    The answer is kept in ``folder``; without a usable /dev/kvm or without a kernel nothing is booted.
    """
    if wanted != "auto":
        return Accel(wanted, "as asked")
    if not host.listdir("/dev", "kvm") or not kernel:
        return Accel("tcg", "this machine has no %s" % DEVICE if kernel else "no kernel to try KVM with")
    path = os.path.join(folder, "accel.json")
    key = [_boot_id(host), kernel]
    known = _remembered(host, path, key)
    if known is None:
        known = _boots(host, kernel, folder)
        text = json.dumps({"key": key, "accel": asdict(known)}, sort_keys=True) + "\n"
        host.write_files({path: File(text.encode("ascii"))})
    return known
