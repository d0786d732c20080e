# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All boot files of a cluster as one resource. This module util is private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, apply_files, diff_files, plan_files
from .._host.host import File, Host
from . import ipxe, pxelinux
from .backends import Backend
from .dhcp import DhcpConfig, Reservation, Subnet
from .entry import MANAGED, BootPlan, Menu, Server, menu_config
from .node import Node
from .profile import BootImage, Profile, check_memory, predict_image, read_image, used_profiles

_OWN_NAME = re.compile(r"01(-[0-9a-f]{2}){6}(\.ipxe)?")
_OWNER = re.compile(("^# %s(\\S+)$" % re.escape(MANAGED)).encode(), re.M)


@dataclass(frozen=True)
class Rack:
    """What is wanted: ``dhcp`` and ``backend`` are None where another server gives the addresses."""

    nodes: tuple[Node, ...]
    profiles: t.Mapping[str, Profile]
    server: Server
    tftp_root: str = "/srv/xtreemos/tftp"
    http_root: str = "/srv/xtreemos/http"
    menu: Menu = field(default_factory=Menu)
    subnets: tuple[Subnet, ...] = ()
    dhcp: DhcpConfig | None = None
    backend: Backend | None = None
    dhcp_path: str = "/etc/dhcp/dhcpd.conf"

    @property
    def folders(self) -> tuple[str, str]:
        """Where the per-node files of pxelinux and iPXE lie."""
        return self.tftp_root + "/pxelinux.cfg", self.http_root + "/ipxe"


@dataclass(frozen=True)
class RackPlan:
    """What has to change. ``copies`` are kernels and stage1 below the TFTP root, kept out of diffs."""

    files: FilePlan
    copies: FilePlan
    changed_nodes: tuple[str, ...]
    removed_nodes: tuple[str, ...]
    dhcp_text: str
    dhcp_changed: bool
    nodes: t.Mapping[str, t.Mapping[str, t.Any]]
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.files.changed or self.copies.changed

    @property
    def paths(self) -> list[str]:
        return sorted([*self.files.paths, *self.copies.paths])

    def diff(self) -> list[dict[str, str]]:
        return diff_files(self.files)


def _subnet_of(node: Node, subnets: t.Sequence[Subnet]) -> Subnet | None:
    address = ipaddress.IPv4Address(node.ip)
    return next((subnet for subnet in subnets if address in subnet.net), None)


def node_files(rack: Rack, images: t.Mapping[str, BootImage]) -> dict[str, tuple[Node, str]]:
    """Path to node and text, two files for each node; ``images`` by the name of their profile."""
    plans = {
        name: BootPlan(profile, images[name], rack.server, rack.menu)
        for name, profile in rack.profiles.items()
        if name in images
    }
    pxe, scripts = rack.folders
    files: dict[str, tuple[Node, str]] = {}
    for node in rack.nodes:
        plan = plans[node.profile]
        line = plan.cmdline(node, _subnet_of(node, rack.subnets) if plan.profile.network == "static" else None)
        files["%s/%s" % (pxe, node.boot_name)] = (node, plan.pxelinux(node, line))
        files["%s/%s.ipxe" % (scripts, node.boot_name)] = (node, plan.ipxe(node, line))
    return files


def shared_files(rack: Rack) -> dict[str, str]:
    """Path to text of what every machine may read."""
    pxe, scripts = rack.folders
    menu = rack.menu
    unknown = menu.unknown_text or (
        "This machine is not in the node list of boot server %s.\n"
        "Add its MAC address to the inventory and run the pxe_server playbook.\n" % rack.server.address
    )
    message = menu.text or "xtreemos.cluster boot server %s\n" % rack.server.address
    return {
        pxe + "/default": pxelinux.render(menu_config(menu, None, MANAGED + "unknown machines", "messages.unknown")),
        rack.tftp_root + "/messages": message.rstrip("\n") + "\n",
        rack.tftp_root + "/messages.unknown": unknown.rstrip("\n") + "\n",
        scripts + "/boot.ipxe": ipxe.render_menu(
            MANAGED + "every machine", rack.server.url("ipxe"), rack.server.address, menu.text, menu.unknown
        ),
    }


def dhcp_text(rack: Rack) -> str:
    """The file of the DHCP server, empty where another server gives the addresses."""
    return rack.backend.render(rack.dhcp) if rack.dhcp and rack.backend else ""


def _stale(rack: Rack, host: Host, wanted: t.Mapping[str, object]) -> dict[str, str]:
    """Per-node files that we wrote and that no node wants, with the node's name in them."""
    stale: dict[str, str] = {}
    for folder in rack.folders:
        for name in host.listdir(folder, "01-*"):
            path = "%s/%s" % (folder, name)
            if path in wanted or not _OWN_NAME.fullmatch(name):
                continue
            owner = _OWNER.search(host.read(path) or b"")
            if owner:
                stale[path] = owner.group(1).decode("ascii", "replace")
    return stale


def _copies(rack: Rack, host: Host, images: t.Mapping[str, BootImage]) -> FilePlan:
    wanted: dict[str, File] = {}
    for name, image in images.items():
        if rack.profiles[name].transport != "tftp":
            continue
        for part in (image.kernel, image.stage1):
            content = host.read("%s/%s" % (rack.server.images_root, part)) or b""
            wanted["%s/images/%s" % (rack.tftp_root, part)] = File(content)
    top = rack.tftp_root + "/images"
    owned = [
        "%s/%s/%s/%s" % (top, name, version, part)
        for name in host.listdir(top)
        for version in host.listdir("%s/%s" % (top, name))
        for part in host.listdir("%s/%s/%s" % (top, name, version))
    ]
    return plan_files(host, wanted, owned)


def _old_reservations(rack: Rack, plan: FilePlan) -> dict[str, Reservation]:
    before = plan.before.get(rack.dhcp_path, b"").decode("utf-8", "replace")
    return rack.backend.reservations(before) if rack.backend and before.startswith(rack.backend.header) else {}


def _images(
    rack: Rack, host: Host, pending: t.Mapping[str, str] | None
) -> tuple[dict[str, BootImage], tuple[str, ...]]:
    """Images by profile name, and warnings."""
    used, root = used_profiles(rack.nodes, rack.profiles), rack.server.images_root
    if pending is None:
        return {name: read_image(host, root, p.image, p.version) for name, p in used.items()}, ()
    found = {name: predict_image(host, root, profile, pending) for name, profile in used.items()}
    warnings = sorted({warning for _image, warning in found.values() if warning})
    return {name: image for name, (image, _warning) in found.items()}, tuple(warnings)


def plan_rack(rack: Rack, host: Host, pending: t.Mapping[str, str] | None = None) -> RackPlan:
    """Compare the whole rack with the host; every bad input ends here, before anything is written.

    With ``pending`` (check mode, see :func:`predict_image`) an image that has not been built yet is a warning.
    """
    _check_address(rack)
    images, warnings = _images(rack, host, pending)
    check_memory(rack.nodes, images)
    own = node_files(rack, images)
    texts = dict(shared_files(rack), **{path: text for path, (_node, text) in own.items()})
    leases = dhcp_text(rack)
    if leases:
        texts[rack.dhcp_path] = leases
        texts.update(_first_backup(rack, host))
    stale = _stale(rack, host, texts)
    plan = plan_files(
        host, {path: File(text.encode("utf-8", "surrogateescape")) for path, text in texts.items()}, stale
    )
    changed, removed = _who(rack, plan, own, stale)
    return RackPlan(
        files=plan,
        copies=_copies(rack, host, images),
        changed_nodes=tuple(sorted(changed)),
        removed_nodes=tuple(sorted(removed)),
        dhcp_text=leases,
        dhcp_changed=rack.dhcp_path in plan.writes,
        nodes={node.name: _entry(node, rack, images, changed) for node in rack.nodes},
        warnings=warnings,
    )


def _check_address(rack: Rack) -> None:
    for node in rack.nodes:
        if node.ip == rack.server.address:
            raise ClusterError("%s has the boot server's address %s" % (node.name, node.ip), "give it another node_ip")


def _first_backup(rack: Rack, host: Host) -> dict[str, str]:
    """A configuration that is not ours is kept once, under another name."""
    now, header = host.read(rack.dhcp_path), rack.backend.header if rack.backend else ""
    backup = rack.dhcp_path + ".before-xtreemos"
    if now is None or now.startswith(header.encode()) or host.read(backup) is not None:
        return {}
    return {backup: now.decode("utf-8", "surrogateescape")}


def _who(
    rack: Rack, plan: FilePlan, node_files: t.Mapping[str, tuple[Node, str]], stale: t.Mapping[str, str]
) -> tuple[set[str], set[str]]:
    names = {node.name for node in rack.nodes}
    changed = {node_files[path][0].name for path in plan.writes if path in node_files}
    removed = set(stale.values())
    if rack.dhcp and rack.dhcp_path in plan.writes:
        old = _old_reservations(rack, plan)
        changed.update(new.name for new in rack.dhcp.reservations if old.get(new.name) != new)
        removed.update(old)
    return changed, removed - names


def _entry(node: Node, rack: Rack, images: t.Mapping[str, BootImage], changed: set[str]) -> dict[str, t.Any]:
    image = images[node.profile]
    return {
        "changed": node.name in changed,
        "mac": node.mac,
        "ip": node.ip,
        "node_id": node.node_id,
        "profile": node.profile,
        "method": rack.profiles[node.profile].method,
        "image": image.name,
        "version": image.version,
    }


def apply_rack(plan: RackPlan, host: Host) -> None:
    """Kernels first, then the files that name them, then what nobody wants any more."""
    apply_files(FilePlan(plan.copies.writes), host)
    apply_files(plan.files, host)
    apply_files(FilePlan({}, plan.copies.removes), host)
