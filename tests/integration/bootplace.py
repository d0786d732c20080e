# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A boot server in a network namespace, and one blank machine of QEMU on its only card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import jinja2
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.arguments import RACK
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.backends import find_backend
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules import pxe_nodes
from ansible_collections.xtreemos.cluster.tests.integration.place import ROOT, run

ADDRESS, MAC = "10.0.1.1", "52:54:00:0a:01:1f"
NODE = {"name": "node31", "mac": MAC, "ip": "10.0.1.31", "node_id": 1}
CACHE = ROOT / ".cache" / "boot-images"
OVMF = Path("/usr/share/OVMF")
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRfz41SGZ0dm1zdTOV0 nobody"
_PACKAGES = ["systemd-sysv", "udev", "dbus", "openssh-server", "python3", "iproute2", "kmod", "busybox-static"]
_LOADERS = ("/usr/lib/PXELINUX/pxelinux.0", "/usr/lib/PXELINUX/lpxelinux.0", "/usr/lib/ipxe/snponly.efi")
_MODULES = ("ldlinux.c32", "libcom32.c32", "reboot.c32")

# The program of each DHCP server in the foreground, with everything that it writes in a folder.
DHCP: dict[str, t.Callable[[Path, Path], list[str]]] = {
    "isc": lambda conf, here: [
        "dhcpd", "-4", "-f", "-d", "-cf", str(conf), "--no-pid", "-lf", str(here / "leases"), "eth1",
    ],
    "kea": lambda conf, here: ["kea-dhcp4", "-c", str(conf)],
    "dnsmasq": lambda conf, here: [
        "dnsmasq", "--keep-in-foreground", "--conf-file=%s" % conf, "--pid-file=", "--log-facility=-", "--user=root",
        "--dhcp-leasefile=%s" % (here / "leases"),
    ],
}  # fmt: skip


def dhcp_conf(text: str) -> str:
    """Kea keeps its leases where its own package put them; a test shall not."""
    return text.replace('"persist": true', '"persist": false')


def build_image() -> Path:
    """The folder of images, with one that is built once."""
    options = {"name": "node", "packages": _PACKAGES, "kernel": "linux-image-cloud-amd64", "authorized_keys": [_KEY]}
    options.update(images_root=str(CACHE), remove_paths=["/usr/lib/udev/hwdb.bin", "/usr/lib/*/gconv/*"])
    tool = Path(sys.executable).parent / "ansible"
    env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    words = ("-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=%s" % sys.executable, "localhost")
    run(tool, *words, "-m", "xtreemos.cluster.diskless_image", "-a", json.dumps(options), env=env)
    return CACHE


class BootPlace:
    """Servers as the role sets them up, each in the foreground; ``close`` leaves nothing."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.folder, self.images = folder, images
        self.name = "xt-boot-%d" % os.getpid()
        self.tftp, self.http = folder / "tftp", folder / "http"
        self._running: list[subprocess.Popen[bytes]] = []
        self.home = folder / "phone-home.log"
        # The servers drop root's rights, and what they serve has to be reachable.
        for place in (folder, *folder.parents[:2], images, images.parent):
            if place.stat().st_uid == os.geteuid() and str(place) not in ("/", "/tmp"):
                place.chmod(place.stat().st_mode | 0o055)

    def lay(self) -> None:
        inside = ("ip", "netns", "exec", self.name)
        run("ip", "netns", "add", self.name)
        run(*inside, "ip", "tuntap", "add", "dev", "eth1", "mode", "tap")
        run("ip", "-n", self.name, "addr", "add", ADDRESS + "/24", "dev", "eth1")
        for card in ("lo", "eth1"):
            run("ip", "-n", self.name, "link", "set", card, "up")

    def spawn(self, what: str, *argv: str) -> subprocess.Popen[bytes]:
        with open(self.folder / (what + ".log"), "wb") as log:
            words = ["ip", "netns", "exec", self.name, *argv]
            self._running.append(subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        return self._running[-1]

    def _options(self, dhcp: t.Mapping[str, t.Any], transport: str) -> dict[str, t.Any]:
        found = {key: spec.get("default") for key, spec in RACK.items()}
        for key in ("menu", "dhcp"):
            found[key] = {name: spec.get("default") for name, spec in RACK[key]["options"].items()}
        found["dhcp"].update(interface="eth1", subnets=[{"network": "10.0.1.0/24"}], validate=False, **dhcp)
        found["dhcp"]["config_path"] = str(self.folder / "dhcp.conf")
        append = "console=ttyS0,115200 net.ifnames=0 panic=10 cryptomgr.notests"
        profile = {"image": "node", "method": "http", "transport": transport, "append": append}
        found.update(nodes=[NODE], profiles={"default": profile}, server={"address": ADDRESS, "port": 80})
        roots = {"tftp_root": str(self.tftp), "http_root": str(self.http), "images_root": str(self.images)}
        return {**found, **roots, "transport": transport, "allow_empty": False, "pending": {}}

    def _loaders(self) -> None:
        self.tftp.mkdir()
        for path in (*_LOADERS, *("/usr/lib/syslinux/modules/bios/" + name for name in _MODULES)):
            if Path(path).exists():
                shutil.copy(path, self.tftp)

    def _nginx(self) -> str:
        """The site of the role, in a whole file of its own."""
        template = (ROOT / "roles/pxe_server/templates/nginx.conf.j2").read_text()
        values = {"pxe_server_address": ADDRESS, "pxe_server_http_port": 80, "pxe_server_images_root": str(self.images)}
        site = jinja2.Template(template).render(**values, pxe_server_http_root=str(self.http))
        head = "daemon off; master_process off; pid %s/nginx.pid; error_log stderr;\nevents {}\nhttp {\n" % self.folder
        return head + str(site).replace("/var/log/nginx", str(self.folder)) + "\n}\n"

    def serve(self, backend: str, dhcp: t.Mapping[str, t.Any], transport: str = "http") -> None:
        self._loaders()
        pxe_nodes.work(self._options({"backend": backend, **dhcp}, transport), False, LocalHost())
        conf = self.folder / "dhcp.conf"
        conf.write_text(dhcp_conf(conf.read_text()))
        assert find_backend(backend).parse(conf.read_text().replace('"persist": false', '"persist": true'))
        (self.folder / "leases").touch()
        (self.folder / "nginx.conf").write_text(self._nginx())
        self.spawn("nginx", "nginx", "-c", str(self.folder / "nginx.conf"))
        tftpd = ("in.tftpd", "--foreground", "--listen", "--address", ADDRESS + ":69", "--user", "root")
        self.spawn("tftpd", *tftpd, "--secure", str(self.tftp))
        self.spawn("dhcp", *DHCP[backend](conf, self.folder))

    def power(self, firmware: str, rom: bool) -> subprocess.Popen[bytes]:
        """Switch the machine on; ``rom``: the card brings its own network boot, which is iPXE."""
        card = "virtio-net-pci,netdev=n0,mac=%s,bootindex=1" % MAC + ("" if rom else ",romfile=")
        argv = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024"]
        argv += ["-nodefaults", "-display", "none", "-serial", "file:%s" % (self.folder / "console.log")]
        argv += [
            "-netdev",
            "tap,id=n0,ifname=eth1,script=no,downscript=no",
            "-device",
            card,
            "-device",
            "virtio-rng-pci",
        ]
        if firmware == "uefi":
            variables = self.folder / "vars.fd"
            shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
            code = "if=pflash,format=raw,readonly=on,file=%s" % (OVMF / "OVMF_CODE_4M.fd")
            argv += ["-drive", code, "-drive", "if=pflash,format=raw,file=%s" % variables]
        return self.spawn("qemu", *argv)

    def reached(self, stage: str, seconds: float) -> bool:
        """Whether the machine phones a stage home in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.home.exists() and "/phone-home/%s?" % stage in self.home.read_text():
                return True
            time.sleep(0.2)
        return False

    def told(self) -> str:
        """The ends of all logs, for the reader of a failure."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join("%s: %s" % (log.name, log.read_text(errors="replace")[-1500:]) for log in logs)

    def close(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait(20)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
