# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests of xm 3.x and 4.1: their files read, linted and translated for xl 4.17. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Host
from .config import Config, render
from .disk import parse_disk
from .facts import command_line, number, rows
from .guest import PLAIN
from .metadata import parse_metadata
from .normal import normal_uuid
from .vif import parse_vif, vif_text
from .xm_keys import DROPPED, KEPT, NETWORK, RENAMED, TRANSLATED
from .xm_python import read

# In this place of ip= xend wrote the NFS server, or this.
_NO_SERVER = "127.0.255.255"


@dataclass(frozen=True)
class Translation:
    """What xl reads, and a sentence for each thing that is not as it was."""

    config: Config
    notes: tuple[str, ...]


class _Translator:
    def __init__(self, old: t.Mapping[str, t.Any], path: str) -> None:
        self.old, self.path = old, path
        self.new: dict[str, t.Any] = {}
        self.notes: list[str] = []

    def note(self, key: str, text: str) -> None:
        self.notes.append("%s: %s" % (key, text))

    def keys(self) -> None:
        for key, value in self.old.items():
            if key in KEPT:
                self.new[key] = value
            elif key in RENAMED:
                self.note(key, "is called %s now" % RENAMED[key])
                self.new[RENAMED[key]] = value
            elif key in DROPPED:
                self.note(key, DROPPED[key])
            elif key not in TRANSLATED:
                self.note(key, "xl knows no such key and would ignore it; it is left out")

    def kind(self) -> None:
        builder = self.old.get("builder")
        if builder is not None:
            self.note("builder", "deprecated; type says it")
        if "type" not in self.new:
            self.new["type"] = "hvm" if builder == "hvm" else "pv"
        loader = str(self.old.get("kernel") or "")
        if self.new["type"] == "hvm" and loader.endswith("hvmloader"):
            del self.new["kernel"]
            self.note("kernel", "%s was the firmware; xl finds its own" % loader)

    def network(self) -> str:
        """The kernel's option ``ip=`` as xend wrote it, empty without any of its keys."""
        given = {key: str(self.old.get(key) or "") for key in NETWORK}
        if not any(given.values()):
            return ""
        names = ", ".join(key for key in NETWORK if given[key])
        self.note(names, "gone; xend made the kernel's option ip= of it, so that stands in cmdline now")
        dhcp = given["dhcp"] if given["dhcp"] not in ("", "off") else ""
        parts = [given["ip"], given["nfs_server"] or _NO_SERVER, given["gateway"], given["netmask"], given["hostname"]]
        return "ip=%s:%s:%s" % (":".join(parts), given["interface"] or "eth0", dhcp)

    def command(self) -> None:
        root, extra = str(self.old.get("root") or ""), str(self.old.get("extra") or "")
        if self.old.get("nfs_root"):
            self.note("nfs_root", "gone; root=/dev/nfs and nfsroot= stand in cmdline now")
            root = "/dev/nfs"
            extra = "nfsroot=%s:%s %s" % (self.old.get("nfs_server") or "", self.old["nfs_root"], extra)
        if re.search(r"\bxencons=\S+", extra):
            extra = re.sub(r"\bxencons=\S+", "console=hvc0", extra)
            self.note("extra", "xencons= is unknown to kernels of today; console=hvc0 takes its place")
        if root or extra:
            self.note("root, extra", "cmdline is preferred, and holds both now")
        line = " ".join(part for part in (command_line({"root": root, "extra": extra.strip()}), self.network()) if part)
        if line and self.old.get("cmdline"):
            raise ClusterError("%s has cmdline beside root, extra or ip" % self.path, "keep cmdline only")
        if line:
            self.new["cmdline"] = line

    def processors(self) -> None:
        if self.old.get("bootargs"):
            self.note("bootargs", "is called bootloader_args now, and is a list")
            self.new["bootloader_args"] = str(self.old["bootargs"]).split()
        if "vcpu_avail" in self.old:
            self.note("vcpu_avail", "gone; maxvcpus is the number at most, vcpus that at the start")
            most = number(self.old, "vcpus", 1)
            now = bin(number(self.old, "vcpu_avail", 1) & ((1 << most) - 1)).count("1")
            self.new.update(vcpus=max(now, 1), maxvcpus=most)

    def devices(self) -> None:
        for row in rows(self.old, "disk"):
            text = parse_disk(row).text()
            self.new.setdefault("disk", []).append(text)
            if text != row.replace(" ", ""):
                self.note("disk", "%s is written %s" % (row, text))
        for row in rows(self.old, "vif"):
            card = parse_vif(row)
            self.new.setdefault("vif", []).append(vif_text(card))
            if re.fullmatch(r"(p?eth|en)\w+", card.get("bridge", "")):
                self.note(
                    "vif", "xend made a bridge of %s itself; now it has to be made, by xen_bridge" % card["bridge"]
                )

    def uuid(self) -> None:
        if self.old.get("uuid"):
            self.new["uuid"] = normal_uuid(str(self.old["uuid"]))

    def lists(self) -> None:
        """Values that xl cannot read as they are."""
        for key, value in self.new.items():
            if isinstance(value, int) and value < 0:
                self.new[key] = str(value)
                self.note(key, "a negative number needs quotes")


def translate(text: str, path: str = "the configuration") -> Translation:
    """The file for xl; ClusterError names the file and what stands in the way."""
    old = read(text, path)
    if not isinstance(old.get("name"), str) or not old["name"]:
        raise ClusterError("%s has no name" % path, 'add: name = "..."')
    work = _Translator(old, path)
    try:
        for step in (work.keys, work.kind, work.command, work.processors, work.devices, work.uuid, work.lists):
            step()
    except ClusterError as error:
        raise ClusterError("%s: %s" % (path, error.message), error.hint)
    return Translation(Config(work.new, parse_metadata(text)), tuple(work.notes))


def as_text(found: Translation) -> str:
    """The file for xl, with the notes as comments."""
    return render(found.config, "\n".join(("Translated from a configuration of xm.", *found.notes)))


def _card(text: str) -> dict[str, str]:
    return dict(parse_vif(text))


def _disk(text: str) -> dict[str, t.Any]:
    disk = parse_disk(text)
    if disk.more:
        raise ClusterError("disk %r: %s cannot be imported" % (text, ",".join(disk.more)), "describe the disk yourself")
    found = {"target": disk.target, "vdev": disk.vdev, "format": disk.format}
    return {**found, "access": disk.access, "cdrom": disk.cdrom}


def as_options(config: Config) -> dict[str, t.Any]:
    """The same as options of xen_domain."""
    values = dict(config.values)
    found: dict[str, t.Any] = {key: values.pop(key) for key in ("name", "uuid", *PLAIN, "vnclisten") if key in values}
    found.update({key: number(found, key, 1) for key in ("memory", "maxmem", "vcpus", "maxvcpus") if key in found})
    if "vnc" in values:
        found["vnc"] = bool(number(values, "vnc", 0))
        del values["vnc"]
    found["disks"] = [_disk(row) for row in values.pop("disk", [])]
    found["vifs"] = [_card(row) for row in values.pop("vif", [])]
    return {**found, "options": values, "metadata": dict(config.metadata)}


def imported(host: Host, entry: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """``entry`` on top of what its ``import_config`` says, and the notes; ClusterError when they are two guests."""
    path = str(entry["import_config"])
    content = host.read(path)
    if content is None:
        raise ClusterError("there is no configuration %s to import" % path, "correct import_config")
    found = translate(content.decode("utf-8", "replace"), path)
    given = {key: value for key, value in entry.items() if value is not None}
    options = as_options(found.config)
    if given.get("name") and given["name"] != options["name"]:
        raise ClusterError("%s is of the guest %s, not %s" % (path, options["name"], given["name"]), "correct the name")
    for key in ("options", "metadata"):
        given[key] = {**options[key], **(given.get(key) or {})}
    return {**options, **given}, ["%s: %s" % (path, note) for note in found.notes]
