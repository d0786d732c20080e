# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of every node's boot, looked at on the server before anything boots. Private to the collection.

The steps are those of the timeline: lease, loader, entry, kernel, stage1, fetch (the image). What is wrong with the
server as a whole is told once.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._host.errors import ClusterError
from .._host.fileset import plan_files
from .._host.host import File, Host
from .dhcp import Reservation
from .node import Node
from .parts import Fault, Parts, remedy, unreadable
from .profile import BootImage, read_image, used_profiles
from .rack import Rack, dhcp_text, node_files, shared_files

_RUN = "run the pxe_server playbook"
STEPS = ("lease", "loader", "entry", "kernel", "stage1", "fetch")


@dataclass(frozen=True)
class Verdict:
    """``nodes`` maps every name to its first fault, None for a way that is whole; ``server`` are faults of all."""

    nodes: t.Mapping[str, t.Optional[Fault]]
    server: tuple[Fault, ...] = ()
    images: t.Mapping[str, str] = field(default_factory=dict)


def _told(names: t.Sequence[str], fault: Fault) -> str:
    shown = ", ".join(names[:8]) + (" and %d more" % (len(names) - 8) if len(names) > 8 else "")
    step = "" if fault.step == "server" else "no %s: " % fault.step
    return "%s: %s%s. Remedy: %s" % (shown, step, fault.reason, fault.remedy)


def lines(verdict: Verdict) -> list[str]:
    """The server first, then nodes with the same fault together, then how many can boot."""
    alike: dict[Fault, list[str]] = {}
    for name, fault in verdict.nodes.items():
        if fault is not None:
            alike.setdefault(fault, []).append(name)
    good = sum(fault is None for fault in verdict.nodes.values())
    found = [_told(["server"], fault) for fault in verdict.server]
    found += [_told(names, fault) for fault, names in alike.items()]
    return [*found, "%d of %d nodes can boot" % (good, len(verdict.nodes))]


def results(verdict: Verdict, server: t.Sequence[Fault]) -> dict[str, t.Any]:
    """RETURN of the module, with what is wrong with the machine before what is wrong with its files."""
    whole = replace(verdict, server=(*server, *verdict.server))
    rows = {name: {"ok": fault is None, **asdict(fault or Fault("", "", ""))} for name, fault in whole.nodes.items()}
    return {
        "changed": False,
        "good": not whole.server and all(row["ok"] for row in rows.values()),
        "nodes": rows,
        "server": [asdict(fault) for fault in whole.server],
        "images": dict(whole.images),
        "lines": lines(whole),
    }


def _images(rack: Rack, host: Host) -> tuple[dict[str, BootImage], dict[str, Fault]]:
    """What each profile boots, and the profiles that cannot."""
    found: dict[str, BootImage] = {}
    faults: dict[str, Fault] = {}
    for name, profile in used_profiles(rack.nodes, rack.profiles).items():
        try:
            found[name] = read_image(host, rack.server.images_root, profile.image, profile.version)
        except ClusterError as error:
            step = "kernel" if " kernel " in str(error) else "stage1" if " stage1 " in str(error) else "fetch"
            faults[name] = Fault(step, str(error), error.hint)
    return found, faults


def _lease(node: Node, rack: Rack, leases: t.Mapping[str, Reservation]) -> Fault | None:
    if rack.dhcp is None:
        return None
    now = leases.get(node.name)
    if now is None:
        return Fault("lease", "%s has no reservation for %s" % (rack.dhcp_path, node.mac), _RUN)
    if (now.mac, now.ip) != (node.mac, node.ip):
        told = "%s gives %s to %s, not %s to %s" % (rack.dhcp_path, now.ip, now.mac, node.ip, node.mac)
        return Fault("lease", told, _RUN)
    return None


def _entries(rack: Rack, images: t.Mapping[str, BootImage], host: Host) -> dict[str, Fault]:
    """Nodes whose own files are missing, old or cannot be read, by name."""
    files = node_files(rack, images)
    wanted = {path: File(text.encode("utf-8", "surrogateescape")) for path, (_node, text) in files.items()}
    plan = plan_files(host, wanted)
    found: dict[str, Fault] = {}
    for path, (node, _text) in files.items():
        why = unreadable(host, path)
        if not why and path in plan.writes:
            why = "%s is not what the node list says" % path
        if why:
            found.setdefault(node.name, Fault("entry", why, remedy(why, _RUN)))
    return found


def _memory(node: Node, image: BootImage) -> Fault | None:
    if node.memory_mb is None or node.memory_mb >= image.ram_needed_mb:
        return None
    told = "image %s needs %d MB of memory, the node has %d MB" % (image.name, image.ram_needed_mb, node.memory_mb)
    return Fault("fetch", told, "give the node more memory or a profile with a smaller image")


def _dhcp(rack: Rack, host: Host, tester: t.Sequence[str]) -> tuple[dict[str, Reservation], list[Fault]]:
    """Reservations that the server's file has, and what is wrong with that file."""
    if rack.dhcp is None or rack.backend is None:
        return {}, []
    now = host.read(rack.dhcp_path)
    if now is None:
        return {}, [Fault("lease", "%s is missing" % rack.dhcp_path, _RUN)]
    text = now.decode("utf-8", "replace")
    faults = []
    if text != dhcp_text(rack):
        what = "is not what the node list says" if text.startswith(rack.backend.header) else "is not ours"
        faults.append(Fault("lease", "%s %s" % (rack.dhcp_path, what), _RUN))
    if tester and host.which(tester[0]):
        done = host.run([word.replace("%s", rack.dhcp_path) for word in tester], check=False)
        lines = (done.stderr or done.stdout).strip().splitlines()
        if done.rc:
            faults.append(Fault("lease", "%s refuses it: %s" % (tester[0], " | ".join(lines[-3:])), _RUN))
    return rack.backend.reservations(text), faults


def _shared(rack: Rack, host: Host) -> list[Fault]:
    wanted = {path: File(text.encode("utf-8", "surrogateescape")) for path, text in shared_files(rack).items()}
    plan = plan_files(host, wanted)
    stale = {path: "%s is not what the options say" % path for path in plan.writes}
    bad = [unreadable(host, path) or stale.get(path, "") for path in sorted(wanted)]
    return [Fault("entry", why, remedy(why, _RUN)) for why in bad if why]


def _first(node: Node, faults: t.Iterable[Fault | None]) -> Fault | None:
    found = [fault for fault in faults if fault is not None]
    return min(found, key=lambda fault: STEPS.index(fault.step)) if found else None


def check_rack(rack: Rack, host: Host, tester: t.Sequence[str] = (), digests: bool = True) -> Verdict:
    """Look at everything that the nodes will ask for. Reads only; a fault of an image is one of all its nodes."""
    images, broken = _images(rack, host)
    leases, server = _dhcp(rack, host, tester)
    parts = Parts(rack, host, digests)
    loader = parts.loader()
    files = {name: parts.image(image, rack.profiles[name].transport) for name, image in images.items()}
    whole = [node for node in rack.nodes if node.profile in images]
    entries = _entries(replace(rack, nodes=tuple(whole)), images, host)
    nodes = {}
    for node in rack.nodes:
        image = images.get(node.profile)
        own = [_memory(node, image), *files[node.profile]] if image else [broken[node.profile]]
        nodes[node.name] = _first(node, [_lease(node, rack, leases), loader, entries.get(node.name), *own])
    versions = {"%s/%s" % (image.name, image.version): image.sha256 for image in images.values()}
    return Verdict(dict(sorted(nodes.items())), (*server, *_shared(rack, host)), dict(sorted(versions.items())))
