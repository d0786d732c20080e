# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dom0 in memory: xl as recorded in tests/golden/xl, for unit tests only. The real one is in tests/e2e."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import Config, parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.facts import of_file

GOLDEN = Path(__file__).parents[2] / "golden" / "xl"
HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
NOSUCH = "%s is an invalid domain identifier (rc=-6)\n"
EXISTS = (
    'libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain 2:Domain with name "%s" already exists.\n'
    "libxl: error: libxl_create.c:1296:initiate_domain_create: Domain 2:cannot make domain: -6\n"
)
Answer = t.Tuple[int, str, str]
KERNEL = {"/k": b"kernel", "/proc/xen/capabilities": b"control_d\n", "/sys/class/net/xenbr0": b""}


@dataclass
class Domain:
    """One guest of the stand-in."""

    domid: int
    values: dict[str, t.Any]
    paused: bool = False
    shutdown: str = ""
    memory: int = 0
    vcpus: int = 0
    cards: list[dict[str, str]] = field(default_factory=list)
    disks: list[dict[str, t.Any]] = field(default_factory=list)
    foreign: bool = False

    def state(self) -> str:
        if self.shutdown:
            return "---s%s-" % self.shutdown
        return "--p---" if self.paused else "-b----"

    def config(self) -> dict[str, t.Any]:
        facts = of_file(Config(self.values))
        most = facts.maxmem or facts.memory
        build: dict[str, t.Any] = {"max_memkb": most * 1024, "target_memkb": self.memory * 1024}
        build.update(max_vcpus=facts.maxvcpus or facts.vcpus, avail_vcpus=[*range(self.vcpus)])
        build.update(
            {key: facts.words[key] for key in ("kernel", "ramdisk", "cmdline", "bootloader") if facts.words[key]}
        )
        about = {"type": facts.words["type"], "name": self.values["name"], "domid": 4294967295}
        about["uuid"] = self.values.get("uuid", "00000000-0000-0000-0000-%012d" % self.domid)
        found: dict[str, t.Any] = {"c_info": about, "b_info": build}
        found.update({"nics": self.cards} if self.cards else {})
        found.update({"disks": self.disks} if self.disks else {})
        for key in ("on_poweroff", "on_reboot", "on_crash"):
            if facts.words[key] != "destroy":
                found[key] = facts.words[key].replace("-", "_")
        return found


def _nic(card: t.Mapping[str, str], number: int) -> dict[str, t.Any]:
    return {"devid": number, "nictype": "vif", "bridge": "xenbr0", **card}


def _vbd(values: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    return [
        {"pdev_path": one.target, "vdev": one.vdev, "format": one.format, "readwrite": int(one.access == "rw"),
         "is_cdrom": int(one.cdrom)}
        for one in of_file(Config(dict(values))).disks
    ]  # fmt: skip


class Dom0Host(MemoryHost):
    """Files and guests of a dom0; ``stubborn`` are guests that do not react, ``free`` MiB of memory."""

    def __init__(self, files: t.Mapping[str, bytes] | None = None, free: int = 4096) -> None:
        super().__init__({**KERNEL, **(files or {})})
        self.domains: dict[str, Domain] = {}
        self.next, self.free = 1, free
        self.stubborn: set[str] = set()
        self.target: list[str] | None = []
        self.volumes = "vg0\n"
        self.commandline = "dom0_mem=768M,max:768M"
        for name in (
            "list",
            "create",
            "shutdown",
            "reboot",
            "destroy",
            "pause",
            "unpause",
            "save",
            "restore",
            "migrate",
        ):
            self.script["xl " + name] = getattr(self, "_" + name)
        for name in ("mem-set", "vcpu-set", "network-attach", "network-detach", "block-attach", "block-detach"):
            self.script["xl " + name] = getattr(self, "_" + name.replace("-", "_"))
        self.script["xl trigger"] = lambda argv: (0, "", "")
        self.script["xl info"] = lambda argv: (0, self._info(), "")
        self.script["stat"] = self._stat
        self.script["test -d"] = (0, "", "")
        self.script["vgs"] = lambda argv: (0, self.volumes, "")
        self.script["ssh"] = self._ssh
        self.script["mv"] = self._move
        for name in ("cp", "lvcreate", "truncate", "qemu-img create"):
            self.script[name] = self._made

    # Files

    def _stat(self, argv: list[str]) -> Answer:
        have = [path for path in argv[argv.index("--") + 1 :] if path in self.files or self._folder(path)]
        return int(len(have) < 1), "".join("%d %s\n" % (len(self.files.get(path, b"")), path) for path in have), ""

    def _folder(self, path: str) -> bool:
        return any(name.startswith(path.rstrip("/") + "/") for name in self.files)

    def _made(self, argv: list[str]) -> Answer:
        name = "/dev/%s/%s" % (argv[-1], argv[argv.index("--name") + 1]) if argv[0] == "lvcreate" else argv[-1]
        self.files[name if argv[0] != "qemu-img" else argv[-2]] = b"disk"
        return 0, "", ""

    def _move(self, argv: list[str]) -> Answer:
        if "-n" not in argv or argv[-1] not in self.files:
            self.files[argv[-1]] = self.files.pop(argv[-2])
        return 0, "", ""

    def _ssh(self, argv: list[str]) -> Answer:
        if self.target is None:
            return 255, "", "ssh: connect to host lab01 port 22: No route to host\n"
        return 0, HEADER + "".join("%s 7 128 1 -b---- 1.0\n" % name for name in ("Domain-0", *self.target)), ""

    # Questions

    def _info(self) -> str:
        used = sum(one.memory for one in self.domains.values())
        return "xen_version : 4.17.7\nfree_memory : %d\nxen_commandline : %s\n" % (self.free - used, self.commandline)

    def _list(self, argv: list[str]) -> Answer:
        if argv[-1] == "-l":
            items = [{"domid": 0, "config": {"c_info": {"type": "pv", "name": "Domain-0"}, "b_info": {}}}]
            items += [{"domid": one.domid, "config": one.config()} for one in self.domains.values() if not one.foreign]
            return 0, json.dumps(items), ""
        rows = "".join(
            "%-40s %5d %5d %5d     %s %8.1f\n" % (name, one.domid, one.memory, one.vcpus, one.state(), 1.5)
            for name, one in self.domains.items()
        )
        return (
            0,
            HEADER + "Domain-0                                     0   768     1     r-----     116.9\n" + rows,
            "",
        )

    # Changes

    def start(self, values: dict[str, t.Any], paused: bool = False) -> Answer:
        name = str(values["name"])
        if name in self.domains:
            return 3, "", EXISTS % name
        facts = of_file(Config(values))
        domain = Domain(self.next, values, paused, memory=facts.memory, vcpus=facts.vcpus, disks=_vbd(values))
        domain.cards = [_nic(card, number) for number, card in enumerate(facts.cards)]
        self.domains[name], self.next = domain, self.next + 1
        return 0, "", ""

    def _create(self, argv: list[str]) -> Answer:
        text = self.files.get(argv[-1])
        if text is None:
            return 3, "", "Failed to read config file: %s: No such file or directory\n" % argv[-1]
        return self.start(parse(text.decode()).values, "-p" in argv)

    def _one(self, argv: list[str], index: int = -1) -> tuple[str, Domain | None, Answer]:
        name = argv[index]
        return name, self.domains.get(name), (1, "", NOSUCH % name)

    def _shutdown(self, argv: list[str]) -> Answer:
        name, one, wrong = self._one(argv)
        if one is None:
            return wrong
        if name in self.stubborn or one.paused:
            return (
                1,
                "",
                "libxl: error: libxl_domain.c:854:pvcontrol_cb: guest didn't acknowledge control request: -9\n",
            )
        del self.domains[name]
        return 0, "", "Shutting down domain %d\n" % one.domid

    def _reboot(self, argv: list[str]) -> Answer:
        name, one, wrong = self._one(argv)
        if one is None:
            return wrong
        if name not in self.stubborn:
            del self.domains[name]
            self.start(one.values)
        return 0, "", ""

    def _destroy(self, argv: list[str]) -> Answer:
        name, one, wrong = self._one(argv)
        if one is None:
            return wrong
        del self.domains[name]
        return 0, "", ""

    def _pause(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv)
        if one is None:
            return wrong
        one.paused = True
        return 0, "", ""

    def _unpause(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv)
        if one is None:
            return wrong
        if not one.paused:
            return 0, "", "libxl: error: libxl_domain.c:688:domain_unpause_done: Unpausing domain: Invalid argument\n"
        one.paused = False
        return 0, "", ""

    def _save(self, argv: list[str]) -> Answer:
        name, one, wrong = self._one(argv, 2)
        if one is None:
            return wrong
        self.files[argv[3]] = save_file(one.config(), one.values)
        del self.domains[name]
        return 0, "", "Saving to %s new xl format (info 0x3/0x0/998)\n" % argv[3]

    def _restore(self, argv: list[str]) -> Answer:
        text = self.files.get(argv[-1])
        if text is None:
            return 1, "", "Can't open restore file: No such file or directory\n"
        return self.start(json.loads(text[text.rindex(b"\n") :]))

    def _migrate(self, argv: list[str]) -> Answer:
        name, one, wrong = self._one(argv, 2)
        if one is None or self.target is None:
            return wrong
        self.target.append(name)
        del self.domains[name]
        return 0, "", "Migration successful.\n"

    def _mem_set(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv, 2)
        if one is None:
            return wrong
        one.memory = int(argv[3].rstrip("m"))
        return 0, "", ""

    def _vcpu_set(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv, 3)
        if one is None:
            return wrong
        one.vcpus = int(argv[4])
        return 0, "", ""

    def _network_attach(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv, 2)
        if one is None:
            return wrong
        one.cards.append(_nic(dict(word.split("=", 1) for word in argv[3:]), len(one.cards)))
        return 0, "", ""

    def _network_detach(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv, 2)
        if one is None:
            return wrong
        one.cards = [card for card in one.cards if card["mac"] != argv[3]]
        return 0, "", ""

    def _block_attach(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv, 2)
        if one is None:
            return wrong
        one.disks += _vbd({"disk": [argv[3]]})
        return 0, "", ""

    def _block_detach(self, argv: list[str]) -> Answer:
        _name, one, wrong = self._one(argv, 2)
        if one is None:
            return wrong
        one.disks = [disk for disk in one.disks if disk["vdev"] != argv[3]]
        return 0, "", ""


def save_file(config: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> bytes:
    """A save file as xl 4.17 writes it; behind it the values, for the stand-in's own restore."""
    text = json.dumps(config).encode() + b"\0"
    data = len(text).to_bytes(4, "little") + text
    head = b"Xen saved domain, xl format\n \0 \r" + b"".join(
        n.to_bytes(4, "little") for n in (0x01020304, 3, 0, len(data))
    )
    return head + data + b"memory\n" + json.dumps(dict(values)).encode()
