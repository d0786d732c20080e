# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot lacks, why, and what to do about it. This module util is private to the collection."""

from __future__ import annotations

import typing as t

from .stages import RANK, STAGES, Boot

Verdict = t.Tuple[str, str, str]  # missing stage, reason, remedy

# Silence behind a stage: (the stage that did not come, what is seen, what to do).
_SILENT: t.Mapping[str, Verdict] = {
    "": (
        "lease",
        "it asked for no address",
        "power it on; let it boot from the network first; check cable and node_mac",
    ),
    "firmware": ("lease", "it asked for no address", "check its DHCP requests on the boot interface"),
    "lease": (
        "loader",
        "it has an address but asked for no loader",
        "check next-server and filename, that tftpd-hpa runs, and UDP port 69 in the firewall",
    ),
    "loader": ("entry", "the loader runs but asked for no boot entry", "check the loader's files in the TFTP root"),
    "entry": (
        "kernel",
        "it has its boot entry but took no kernel",
        "check the kernel path in its boot entry; a PROMPT or the local entry also stops here",
    ),
    "kernel": ("stage1", "it has the kernel but took no stage1", "check the initrd path in its boot entry"),
    "stage1": (
        "dhcp",
        "stage1 was sent but is silent",
        "look at the node's console: no driver for its network card, too little memory, or another phone_home address",
    ),
    "dhcp": ("fetch", "stage1 has an address but no image", "check image_url in its boot entry and the image server"),
    "fetch": ("verify", "the image arrived but was not verified", "look at the node's console"),
    "verify": (
        "root",
        "the image is right but did not become the root",
        "look at the node's console; check its memory",
    ),
    "root": (
        "up",
        "the root runs but did not report itself up",
        "look at the node's console: a failed unit keeps multi-user.target or sshd from coming up",
    ),
}

# Words in the message of a failure: (words, missing stage or "" for the next one, remedy).
_FAILURES: t.Sequence[tuple[tuple[str, ...], str, str]] = (
    (("squashfs", "/sbin/init", "overlay root"), "root", "run the diskless playbook: the image cannot be a root"),
    (("memory", " mb, have", "no space left"), "fetch", "give the node more memory or make the image smaller"),
    (
        ("sha-256", "sha256", "digest", "mismatch", "damaged"),
        "verify",
        "run the diskless playbook, which checks the image on the server, then pxe_server; boot again",
    ),
    (("bytes of the image",), "fetch", "another image than the boot entry says was sent: run pxe_server; boot again"),
    (("dolly", "nobody sent"), "fetch", "run the push playbook while the nodes wait"),
    (("method", "automatic=", "command line", "image_url", "network '"), "", "correct its profile, run pxe_server"),
    (("404", "not found", "cannot mount", "has no rootfs"), "fetch", "publish the image, then run pxe_server"),
    (("interface", "link", "dhcp"), "dhcp", "check the cable and node_interface; the card needs a driver"),
)


def _next(stage: str) -> str:
    return STAGES[RANK[stage] + 1] if stage and stage != "up" else "lease"


def _of_failure(boot: Boot) -> Verdict:
    said = boot.failed or "no message"
    low = " " + said.lower()
    for words, stage, remedy in _FAILURES:
        if any(word in low for word in words):
            return stage or _next(boot.reached), said, remedy
    return _next(boot.reached), said, "look at the node's console"


def _of_lease(boot: Boot, mac: str) -> Verdict:
    if boot.refused.startswith("DHCP"):
        return "lease", "the server took the address back: %s" % boot.refused, "look for a second user of the address"
    if boot.refused:
        reason = "asked %d times, the DHCP server refused: %s" % (boot.asked, boot.refused)
        return "lease", reason, "no reservation for %s is in force: check node_mac, run pxe_server" % mac
    if boot.offered:
        return "lease", "did not take the offered address", "look for a second DHCP server on the segment"
    reason = "asked %d times, got no offer" % boot.asked
    return "lease", reason, "the server does not know %s: check node_mac, run pxe_server" % mac


def _of_absent(boot: Boot) -> Verdict:
    asked = "asked for %s, which is not there" % boot.absent
    remedies = {
        "entry": "run pxe_server: the node has no boot entry",
        "loader": "check filename in the DHCP configuration; run pxe_server",
        "fetch": "the image is gone: run pxe_server to point the entry at the current one",
    }
    return boot.absent_stage, asked, remedies.get(boot.absent_stage, "run diskless, then pxe_server")


def why_missing(boot: Boot | None, mac: str, before: Boot | None = None, strangers: t.Sequence[str] = ()) -> Verdict:
    """(missing stage, reason, remedy) of a boot that is not up; three empty texts for one that is.

    ``boot`` is None for a node that was never seen; ``before`` is the boot before, ``strangers`` are MACs that asked
    for an address and belong to no node.
    """
    if boot is None:
        missing, reason, remedy = _SILENT[""]
        others = "; MACs of no node that asked: %s" % ", ".join(sorted(strangers)[:5]) if strangers else ""
        return missing, reason + others, remedy
    if boot.has_failed:
        return _of_failure(boot)
    if "up" in boot.at:
        return "", "", ""
    if boot.rank < RANK["lease"]:
        verdict = _of_lease(boot, mac)
    elif boot.absent and RANK[boot.absent_stage] > boot.rank:
        verdict = _of_absent(boot)
    elif boot.default_entry and boot.rank < RANK["entry"]:
        verdict = ("entry", "it took the default entry, not its own", "check node_mac, run pxe_server")
    elif boot.reached == "dhcp" and boot.image_sent:
        verdict = (
            "fetch",
            "the image was sent but did not arrive whole",
            "look at the node's console; check its memory",
        )
    else:
        verdict = _SILENT[boot.reached]
    return _with_history(verdict, boot, before)


def _with_history(verdict: Verdict, boot: Boot, before: Boot | None) -> Verdict:
    missing, reason, remedy = verdict
    if before and before.has_failed and not boot.absent:
        missing, reason, remedy = _of_failure(before)
        return missing, "it booted again (reached: %s) after: %s" % (boot.reached or "nothing", reason), remedy
    if boot.asked_again and boot.rank >= RANK["entry"]:
        reason += "; %.1f s later it asked for an address again" % max(0.0, boot.asked_again - boot.last)
    return missing, reason, remedy
