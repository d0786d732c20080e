# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ENUMERATE: records of the guests whose configuration files lie below some folders. Private to the collection.

Which file counts, and which key gives which field, is as in ctys 01.11; a ``.cfg`` file, the name of today, counts
with less. Values that xl reads win over the ``#@#`` lines.
"""

from __future__ import annotations

import re
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .config import Config, parse
from .normal import normal_mac, normal_uuid, tidy
from .record import ENUMERATE_FIELDS, accelerator

SUFFIXES = (".conf", ".ctys", ".cfg")
VMSTATES = ("ACTIVE", "DISABLED", "BACKUP", "CUSTOM", "TEMPLATE", "TESTDUMMY", "EMPTY", "PRESENT", "ALL", "ENABLED")
_NATIVE = re.compile(r"^(?:name|vif|disk|memory|bootloader|uuid|vcpus)[ \t]*=", re.MULTILINE)
_STARTS = re.compile(r"^(?:kernel|bootloader|type|builder|disk|firmware)[ \t]*=", re.MULTILINE)
_MAC = re.compile(r"(?:^|,)\s*mac\s*=\s*([^,\s]+)")
_NUMBERED = re.compile(r"(?:MAC|IP)([0-9]*)\Z")
# Fields of a file's own values and of the program; the rest come from #@# lines of the same name.
_OWN = ("pm", "type", "label", "id", "uuid", "mac", "tcp", "category", "vram", "vcpu", "index", "ifname", "netmask",
        "gateway", "relay", "sshport", "accelerator", "ctysrelease")  # fmt: skip


def is_guest(text: str, path: str) -> bool:
    """Whether a file describes a Xen guest that may be listed."""
    if "#@#MAGICID-IGNORE" in text or "#@#MAGICID-NOENUM" in text:
        return False
    if "#@#MAGICID-XEN" in text or len(_NATIVE.findall(text)) > 4:
        return True
    return path.endswith(".cfg") and bool(re.search(r"^name[ \t]*=", text, re.MULTILINE) and _STARTS.search(text))


def _numbered(metadata: t.Mapping[str, str], key: str) -> dict[int, str]:
    found = {}
    for name, value in metadata.items():
        match = _NUMBERED.match(name)
        if match and name.startswith(key) and value:
            found[int(match.group(1) or 0)] = value
    return found


def _macs(config: Config) -> dict[int, str]:
    vifs = config.values.get("vif")
    words = vifs if isinstance(vifs, list) else [vifs] if vifs else []
    found = dict(_numbered(config.metadata, "MAC"))
    for number, word in enumerate(words):
        match = _MAC.search(str(word))
        if match:
            found[number] = match.group(1)
    return {number: tidy(normal_mac, word) for number, word in found.items()}


def interfaces(config: Config) -> list[dict[str, str]]:
    """Interfaces by number; an IP value is ``ip%netmask%relay%ifname%sshport%gateway``."""
    macs, ips = _macs(config), _numbered(config.metadata, "IP")
    names = ("tcp", "netmask", "relay", "ifname", "sshport", "gateway")
    found = []
    for number in sorted({*macs, *ips}):
        parts = dict(zip(names, ips.get(number, "").split("%")))
        one = {"mac": macs.get(number, ""), **{name: parts.get(name, "") for name in names}}
        one["ifname"] = one["ifname"] or "eth%d" % number
        found.append(one)
    return found


def record(config: Config, path: str, pm: str) -> dict[str, t.Any]:
    """One record with every field of ENUMERATE, empty where nothing is known; memory in MiB."""
    values, metadata = config.values, config.metadata
    found: dict[str, t.Any] = {f: "" if f in _OWN else metadata.get(f.upper(), "") for f in ENUMERATE_FIELDS}
    uuid = str(values.get("uuid") or metadata.get("UUID") or "")
    kind = str(values.get("type") or ("hvm" if values.get("builder") == "hvm" else "pv"))
    found.update(
        pm=pm,
        type="XEN",
        label=str(values.get("name") or metadata.get("LABEL") or ""),
        id=path,
        uuid=tidy(normal_uuid, uuid),
        category="VM",
        vram=values.get("memory", metadata.get("VRAM", "")),
        vcpu=values.get("vcpus", metadata.get("VCPU", "")),
        accelerator=metadata.get("INST_ACCELERATOR") or accelerator(kind),
        ctysrelease=metadata.get("CTYSRELEASE") or metadata.get("CTYSREL", ""),
    )
    found["interfaces"] = interfaces(config)
    found.update(found["interfaces"][0] if found["interfaces"] else {})
    return found


def check_states(states: t.Iterable[str]) -> set[str]:
    """The wanted states in capitals; ClusterError for an unknown one."""
    wanted = {state.upper() for state in states}
    unknown = sorted(wanted - set(VMSTATES))
    if unknown:
        raise ClusterError("%s is no vmstate" % unknown[0], "one of %s" % ", ".join(VMSTATES))
    return wanted


def state_fits(state: str, wanted: t.Container[str]) -> bool:
    """ENABLED is everything but DISABLED, PRESENT what has a state, EMPTY what has none."""
    state = state.upper()
    if "ALL" in wanted or state in wanted:
        return True
    if not state:
        return "EMPTY" in wanted or "ENABLED" in wanted
    return "PRESENT" in wanted or ("ENABLED" in wanted and state != "DISABLED")


def paths(host: Host, bases: t.Sequence[str]) -> list[str]:
    """Candidate files below the folders, sorted, each once; one call of find."""
    for base in bases:
        if not base.startswith("/"):
            raise ClusterError("the search path %s is not absolute" % base, "write the whole path")
    if not bases:
        return []
    names = [word for suffix in SUFFIXES for word in ("-o", "-name", "*" + suffix)][1:]
    done = host.run(["find", "-H", *sorted(set(bases)), "-type", "f", "(", *names, ")", "-print0"], check=False)
    return sorted({path for path in done.stdout.split("\0") if path})


def scan(
    host: Host, bases: t.Sequence[str], states: t.Iterable[str] = ("ALL",), pm: str = ""
) -> tuple[list[dict[str, t.Any]], dict[str, str]]:
    """Records sorted by path, and why each file that looks like a guest's could not be read."""
    wanted = check_states(states)
    records, skipped = [], {}
    for path in paths(host, bases):
        try:
            text = (host.read(path) or b"").decode("utf-8", "replace")
            if not is_guest(text, path):
                continue
            found = record(parse(text, path), path, pm)
        except ClusterError as error:
            skipped[path] = str(error)
            continue
        if state_fits(str(found["vmstate"]), wanted):
            records.append(found)
    for number, one in enumerate(records, 1):
        one["index"] = number
    return records, skipped
