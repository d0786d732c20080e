# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest from its image, for real: guest_images.yml builds it, QEMU starts a copy of the disk, SSH by key only.

``tests/run guestboot`` asks for it. QEMU stands in for Xen: the disk is virtio's, all else is what a guest has. The
network is QEMU's own, and SSH comes in by a port of loopback.
"""

from __future__ import annotations

import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.tests.unit._xen.fake_dom0 import play

from .place import free_port, run

LIMIT = 1200
ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "output"
# The image is built once; a second run takes it as it is.
KEPT = ROOT / ".cache" / "guestboot"


class Guest:
    """A virtual machine with a copy of the disk."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.port, self.key, self.log = free_port(), KEPT / "key", folder / "console.log"
        disk = folder / "guest.img"
        run("cp", "--sparse=always", images / "disk.img", disk)
        net = "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:%d-:22" % self.port
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-smp", "2"]
        argv += ["-nographic", "-no-reboot", "-kernel", str(images / "vmlinuz"), "-initrd", str(images / "initrd.img")]
        argv += ["-append", "root=LABEL=root rw console=ttyS0 panic=10 systemd.hostname=web1"]
        argv += ["-drive", "file=%s,if=virtio,format=raw" % disk, "-netdev", net, "-device", "virtio-net-pci,netdev=n"]
        with self.log.open("wb") as log:
            quiet = subprocess.DEVNULL
            self.process = subprocess.Popen(argv, stdin=quiet, stdout=log, stderr=subprocess.STDOUT)

    def ask(self, *argv: str, user: str = "root", check: bool = True) -> str:
        words = ["ssh", "-F", "none", "-i", str(self.key), "-p", str(self.port), "-o", "BatchMode=yes"]
        words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20"]
        done = subprocess.run(
            [*words, user + "@127.0.0.1", *argv], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def wait(self) -> float:
        begun = time.monotonic()
        while self.ask("echo", "up", check=False) != "up":
            assert self.process.poll() is None and time.monotonic() < begun + LIMIT, self.log.read_text(
                errors="replace"
            )[-3000:]
            time.sleep(2)
        return time.monotonic() - begun

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def guest(tmp_path: Path) -> t.Iterator[Guest]:
    KEPT.mkdir(parents=True, exist_ok=True)
    if not (KEPT / "key").exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEPT / "key")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    variables: dict[str, t.Any] = {
        "xen_guest_dir": str(KEPT / "guests"),
        "xen_guest_images_root": str(KEPT / "images"),
        "xen_guest_kinds": ["disk"],
        "xen_guest_size_mb": 1024,
        "xen_guest_authorized_keys": [(KEPT / "key.pub").read_text().strip()],
    }
    done = play(tmp_path, "guest_images", {"xen_dom0s": {"hosts": {"dom0": {**local, **variables}}}}, seconds=1800)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    made = Guest(tmp_path, KEPT / "guests" / "guest")
    yield made
    made.stop()


FACTS = {
    "root": "findmnt -no SOURCE,FSTYPE,OPTIONS /",
    "names": "grep -c ^nameserver /etc/resolv.conf",
    "hostname": "hostname",
    "account": "passwd -S root",
    "accounts": "cut -d: -f2 /etc/shadow",
    "sshd": "sshd -T",
    "key": "cat /etc/ssh/ssh_host_ed25519_key.pub",
    "failed": "systemctl --failed --no-legend",
}


def test_a_guest_boots_from_its_disk(guest: Guest) -> None:
    seconds = guest.wait()
    lines = guest.ask("; ".join("echo =%s; %s" % pair for pair in FACTS.items()))
    OUTPUT.mkdir(exist_ok=True)
    told = "SSH after %.0f s\n%s\n" % (seconds, lines)
    (OUTPUT / "guestboot-facts.log").write_text(told + guest.log.read_text(errors="replace"))
    parts = {part.partition("\n")[0]: part.partition("\n")[2] for part in ("\n" + lines).split("\n=")[1:]}
    assert set(parts) == set(FACTS)
    assert parts["root"].split()[:2] == ["/dev/vda", "ext4"] and parts["root"].split()[2].startswith("rw")
    assert parts["names"].strip() == "1" and parts["hostname"].strip() == "web1"
    assert parts["account"].startswith("root L ")
    accounts = parts["accounts"].split()
    assert accounts and all(word.startswith(("*", "!")) for word in accounts)
    assert "passwordauthentication no" in parts["sshd"] and "kbdinteractiveauthentication no" in parts["sshd"]
    assert parts["key"].startswith("ssh-ed25519 ") and not parts["failed"].strip()
