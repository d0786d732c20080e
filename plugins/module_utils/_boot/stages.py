# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stages of a network boot and what is known of one boot. This module util is private to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .logs import normal_mac

# In the order in which a boot passes them. ``firmware`` is known only when the power-on time is given.
STAGES = ("firmware", "lease", "loader", "entry", "kernel", "stage1", "dhcp", "fetch", "verify", "root", "up")
RANK = {stage: rank for rank, stage in enumerate(STAGES)}

_MAC_IN_PATH = re.compile(r"(?:^|[^0-9a-fA-F])(?:01-)?([0-9a-fA-F]{2}(?:[-:][0-9a-fA-F]{2}){5})(?![0-9a-fA-F])")
_HEX_ENTRY = re.compile(r"pxelinux\.cfg/[0-9A-F]{1,8}$")
_NAMES = (
    ("kernel", re.compile(r"^(?:vmlinuz|kernel|bzimage|linux(?!\.0$))")),
    ("stage1", re.compile(r"^(?:stage1|initrd|initramfs)")),
    ("image", re.compile(r"^rootfs|\.(?:sqfs|squashfs|ext[234])$")),
    ("loader", re.compile(r"(?:\.[ik]?pxe|\.efi|\.0|\.[ce]32|\.e64|\.c64)$|^grub|^nbgrub")),
    ("stage1", re.compile(r"\.(?:img|rdz|cpio|initrd)(?:\.\w+)?$")),
)


@dataclass
class Boot:
    """One boot of one node. Times are seconds since the epoch; ``at`` holds when each stage was reached."""

    start: float
    at: dict[str, float] = field(default_factory=dict)
    last: float = 0.0
    boot_id: str = ""
    image: str = ""
    asked: int = 0  # DHCPDISCOVERs
    offered: bool = False
    refused: str = ""  # the server's reason
    address: str = ""
    absent: str = ""  # the path that was asked for and is not there
    absent_stage: str = ""
    image_sent: bool = False
    default_entry: bool = False
    failed: str = ""  # message of a failure that the node phoned home
    has_failed: bool = False
    asked_again: float = 0.0  # first DISCOVER of the last burst since the last progress
    asked_last: float = 0.0  # the last one of it
    unanswered: int = 0  # DISCOVERs since the last OFFER or ACK
    host_key: str = ""  # public key of its sshd, phoned home with ``up``

    @property
    def reached(self) -> str:
        """The furthest stage, "" when none."""
        return max(self.at, key=RANK.__getitem__, default="")

    @property
    def rank(self) -> int:
        return RANK[self.reached] if self.at else -1

    @property
    def ended(self) -> bool:
        return self.has_failed or "up" in self.at

    def reach(self, stage: str, when: float) -> None:
        """Note a stage once; one that lies behind the furthest is kept only when that is not ``up``."""
        if stage not in self.at and not ("up" in self.at and RANK[stage] < RANK["dhcp"]):
            self.at[stage] = when
        if stage == self.absent_stage:
            self.absent = self.absent_stage = ""
        self.last, self.asked_again, self.unanswered = when, 0.0, 0


def stage_of(path: str) -> str:
    """What a requested path is: a stage, ``image``, ``default`` (the entry for all nodes) or "" for anything else."""
    path = path.partition("?")[0]
    base = path.rpartition("/")[2].lower()
    if _MAC_IN_PATH.search(path) or _HEX_ENTRY.search(path):
        return "entry"
    if path.endswith("pxelinux.cfg/default"):
        return "default"
    return next((stage for stage, pattern in _NAMES if pattern.search(base)), "")


def mac_of(path: str) -> str:
    """The MAC in the name of a per-node file, "" when there is none."""
    match = _MAC_IN_PATH.search(path)
    return normal_mac(match.group(1)) if match else ""
