# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builders of discs below one folder of this machine: the role, packages, a kernel, QEMU without acceleration, dnf."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._image import cpio
from ansible_collections.xtreemos.cluster.tests.integration.place import ROOT, build_package, run

READY = "DISC READY"
_INIT = (
    """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc
/bin/busybox mount -t proc proc /proc
echo "%s $(/bin/busybox cat /proc/cmdline)"
/bin/busybox poweroff -f
"""
    % READY
)
_OVMF = Path("/usr/share/OVMF")
# Time for a boot on an emulated processor of a machine that has other work.
_BOOT_SECONDS = 120


def kernel(cache: Path) -> Path:
    """A kernel of the distribution, fetched and unpacked once."""
    place = cache / "vmlinuz"
    if not place.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        told = run("apt-cache", "depends", "linux-image-cloud-amd64")
        found = re.search(r"Depends: (linux-image-\S+)", told)
        assert found, told
        subprocess.run(["apt-get", "download", "-qq", found.group(1)], cwd=cache, check=True, timeout=120)
        (package,) = cache.glob("linux-image-*.deb")
        run("dpkg-deb", "-x", package, cache / "unpacked")
        (image,) = (cache / "unpacked/boot").glob("vmlinuz-*")
        shutil.copy(image, place)
        shutil.rmtree(cache / "unpacked")
        package.unlink()
    return place


def initrd(place: Path) -> Path:
    """A RAM disk whose init says what the kernel was told, and ends the machine."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox is missing. Type: apt-get install busybox-static"
    members = [cpio.file("bin/busybox", Path(busybox).read_bytes(), 0o755), cpio.file("init", _INIT.encode(), 0o755)]
    place.write_bytes(cpio.render(cpio.with_parents([*members, cpio.directory("dev")])))
    return place


class Builders:
    """Three builders of the same packages: ``signed`` signs them, ``one`` and ``two`` do not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mirror = folder / "mirror/main"
        for path in (ROOT / ".cache/kernel", folder / "lists"):
            path.mkdir(parents=True, exist_ok=True)
        self.kernel = kernel(ROOT / ".cache/kernel")
        self.initrd = initrd(folder / "initrd")
        (folder / "lists/input").write_text("# the disc\nhello\n")
        (folder / "lists/exclude").write_text("*-secret\n")
        for section, name, version, more in (
            ("release", "hello", "1.0", "Requires: hello-data = 1.0"),
            ("release", "hello-data", "1.0", ""),
            ("updates", "hello", "1.1", "Requires: hello-data >= 1.1"),
            ("updates", "hello-data", "1.1", ""),
            ("updates", "hello-secret", "1.1", ""),
        ):
            build_package(folder / "rpmbuild", self.mirror / section, name, version, more)

    def write_inventory(self, key: str) -> None:
        entry = {
            "name": "linux",
            "label": "Start the disc",
            "kernel": "/isolinux/vmlinuz",
            "initrd": "/isolinux/initrd",
        }
        entry["append"] = "console=ttyS0 panic=-1 disc=hello"
        medium = {"name": "main", "path": str(self.mirror), "sections": ["release", "updates"]}
        lists = {"lists": [str(self.folder / "lists/input")], "exclude": [str(self.folder / "lists/exclude")]}
        product = {"nameid": "XtreemOS", "vendor": "XtreemOS", "product": "Free", "version": "2.1.1", "arch": "x86_64"}
        shared = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "iso_builder_dir": str(self.folder) + "/{{ inventory_hostname }}",
            "iso_builder_product": {**product, "distribution": "XtreemOS Linux"},
            "iso_builder_media": [{**medium, **lists}],
            "iso_builder_entries": [entry],
            "iso_builder_boot_files": [
                {"src": str(self.kernel), "dest": "isolinux/vmlinuz"},
                {"src": str(self.initrd), "dest": "isolinux/initrd"},
            ],
            "iso_builder_serial": 115200,
            "iso_builder_timeout": 2,
            "iso_builder_gnupg_home": str(self.folder / "gnupg"),
            "iso_builder_capacity": "cd",
        }
        hosts: dict[str, t.Any] = {"one": {}, "two": {}, "signed": {"iso_builder_sign": True, "iso_builder_key": key}}
        text = json.dumps({"iso_builders": {"hosts": hosts, "vars": shared}})
        (self.folder / "hosts.yml").write_text(text)

    def _ansible(self, tool: str, *words: str | Path, fails: bool = False) -> str:
        env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        env.update(ANSIBLE_HOME=str(self.folder / "ansible"), ANSIBLE_PIPELINING="1")
        return run(Path(sys.executable).parent / tool, *words, env=env, fails=fails)

    def make_key(self) -> str:
        """A key that signs without a passphrase; its fingerprint."""
        generate = {"name": "Packages of the tests", "no_passphrase": True}
        options = json.dumps({"gnupg_home": str(self.folder / "gnupg"), "keys": [{"generate": generate}]})
        python = "ansible_python_interpreter=/usr/bin/python3"
        words = ("localhost", "-c", "local", "-e", python, "-m", "xtreemos.cluster.gpg_key", "-a", options)
        found = re.search(r'"fingerprint": "([0-9A-Fa-f]{40})"', self._ansible("ansible", *words))
        assert found
        return found.group(1)

    def play(self, *words: str, fails: bool = False) -> tuple[str, dict[str, int]]:
        """Output of the playbook and the number of changes of each builder."""
        output = self._ansible(
            "ansible-playbook", "-i", self.folder / "hosts.yml", "playbooks/iso.yml", *words, fails=fails
        )
        found = re.findall(r"^(\w+) +: ok=.*changed=(\d+)", output, re.MULTILINE)
        assert found, output
        return output, {name: int(count) for name, count in found}

    def iso(self, builder: str) -> Path:
        (found,) = (self.folder / builder / "iso").glob("*.iso")
        return found

    def boot(self, firmware: str, iso: Path) -> str:
        """What a machine says on its serial port until it has ended.

        Firmware: bios and uefi start from a CD, disk (BIOS) and stick (UEFI) from the same bytes as a drive.
        """
        log = self.folder / ("serial-%s" % firmware)
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-nic", "none"]
        argv += ["-display", "none", "-no-reboot", "-serial", "file:%s" % log]
        drive = "file=%s,format=raw,if=" % iso
        stick = ["-device", "qemu-xhci", "-drive", drive + "none,id=stick", "-device", "usb-storage,drive=stick"]
        drives = {"disk": ["-drive", drive + "ide"], "stick": stick}
        argv += ["-snapshot", *drives[firmware]] if firmware in drives else ["-cdrom", str(iso)]
        if firmware in ("uefi", "stick"):
            variables = self.folder / "OVMF_VARS.fd"
            shutil.copy(_OVMF / "OVMF_VARS_4M.fd", variables)
            flash = "if=pflash,format=raw,file=%s"
            argv += ["-machine", "q35", "-drive", flash % (_OVMF / "OVMF_CODE_4M.fd") + ",readonly=on"]
            argv += ["-drive", flash % variables]
        machine = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + _BOOT_SECONDS
            while machine.poll() is None and time.monotonic() < end:
                time.sleep(0.2)
        finally:
            machine.kill()
            machine.wait()
        return log.read_bytes().decode("utf-8", "replace") if log.exists() else ""

    def unpack(self, iso: Path) -> Path:
        """The content of an image, as a mount would show it."""
        place = self.folder / "mounted"
        run("xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/", place)
        run("chmod", "-R", "u+rwX", place)
        return place

    def dnf(self, disc: Path, root: str, *words: str, fails: bool = False) -> str:
        """dnf on a root folder of its own that knows this disc alone, with both checks on."""
        client = self.folder / "client"
        (client / "repos").mkdir(parents=True, exist_ok=True)
        key = disc / "RPM-GPG-KEY"
        repo = "[disc]\nname=disc\nbaseurl=file://%s/media/main\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s\n"
        (client / "repos/disc.repo").write_text(repo % (disc, key))
        settings = "[main]\nreposdir=%s\ncachedir=%s\nlogdir=%s\n"
        (client / "dnf.conf").write_text(settings % (client / "repos", client / ("cache-" + root), client))
        place = self.folder / "roots" / root
        place.mkdir(parents=True, exist_ok=True)
        fixed: list[str | Path] = ["-y", "-c", client / "dnf.conf", "--installroot=%s" % place, "--releasever=2.1"]
        fixed += ["--forcearch=x86_64", "--setopt=reposdir=%s" % (client / "repos"), "--setopt=install_weak_deps=False"]
        return run("dnf", *fixed, *words, fails=fails)

    def screenshot(self, page: Path) -> bytes:
        """A picture of a page by a real browser without a screen."""
        target = self.folder / "report.png"
        argv: list[str | Path] = [
            "chromium",
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--window-size=1100,2200",
        ]
        argv += ["--no-sandbox"] if os.geteuid() == 0 else []
        profile = "--user-data-dir=%s" % (self.folder / "browser")
        run(*argv, profile, "--screenshot=%s" % target, "file://%s" % page)
        return target.read_bytes()
