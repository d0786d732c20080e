# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot files of one node: what both loaders are told. This module util is private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import ipxe, pxelinux
from .cmdline import check_length, refuse_reserved, render_automatic, render_cmdline
from .dhcp import Subnet
from .node import Node
from .profile import BootImage, Profile

MANAGED = "Managed by xtreemos.cluster.pxe_nodes: "


@dataclass(frozen=True)
class Server:
    """The boot server as the nodes see it, and where its images lie."""

    address: str
    port: int = 80
    images_root: str = "/srv/xtreemos/images"

    def url(self, path: str) -> str:
        port = "" if self.port == 80 else ":%d" % self.port
        return "http://%s%s/%s" % (self.address, port, path)


@dataclass(frozen=True)
class Menu:
    """What the loader shows. ``timeout`` in seconds, ``serial`` as in '0 115200' or '' for none."""

    timeout: float = 5.0
    prompt: bool = False
    text: str = ""
    unknown_text: str = ""
    serial: str = "0 115200"
    unknown: str = "local"


def automatic_values(
    node: Node, profile: Profile, image: BootImage, server: Server, subnet: Subnet | None
) -> dict[str, t.Any]:
    """The keys of ``automatic=`` for a node; a static network takes its values from the node's subnet."""
    values: dict[str, t.Any] = {
        "method": profile.method,
        "interface": node.interface if profile.interface == "node" else profile.interface,
        "network": profile.network,
    }
    if profile.method == "nfs":
        values.update(server=server.address, directory="%s/%s/%s" % (server.images_root, image.name, image.version))
    values.update(profile.automatic)
    if profile.network == "static" and subnet is not None:
        values.update(ip=node.ip, netmask=subnet.netmask)
        values["gateway"] = subnet.routers[0] if subnet.routers else None
        values["dns"] = subnet.dns[0] if subnet.dns else None
    return values


def _fixed_words(image: BootImage, server: Server) -> list[tuple[str, object]]:
    return [
        ("boot_server", server.address),
        ("image_url", server.url("images/" + image.rootfs)),
        ("image_sha256", image.sha256),
        ("image_size", image.size),
        ("image_version", image.version),
        ("ram_needed_mb", image.ram_needed_mb),
        ("phone_home", server.url("phone-home")),
    ]


class BootPlan:
    """Renders the nodes of one profile; what is equal for all of them is made once."""

    def __init__(self, profile: Profile, image: BootImage, server: Server, menu: Menu) -> None:
        self.profile = profile
        self.image = image
        self.server = server
        self.menu = menu
        self.tail = render_cmdline(_fixed_words(image, server), profile.append, "profile " + profile.name)
        self.base = server.url("images/") if profile.transport == "http" else "images/"
        self.ipxe_base = self.base if profile.transport == "http" else "tftp://%s/images/" % server.address
        self.automatic: str | None = None

    def _automatic(self, node: Node, subnet: Subnet | None) -> str:
        profile = self.profile
        if profile.network == "static" or profile.interface == "node":
            values = automatic_values(node, profile, self.image, self.server, subnet)
            return render_automatic(values, "%s (profile %s)" % (node.name, profile.name))
        if self.automatic is None:
            values = automatic_values(node, profile, self.image, self.server, None)
            self.automatic = render_automatic(values, "profile %s" % profile.name)
        return self.automatic

    def cmdline(self, node: Node, subnet: Subnet | None = None) -> str:
        """The kernel command line without what the loader adds (initrd=, BOOTIF=)."""
        own = "automatic=%s node_id=%d node_name=%s" % (self._automatic(node, subnet), node.node_id, node.name)
        refuse_reserved(node.kernel_options, node.name)
        return " ".join([own, self.tail, *node.kernel_options])

    def pxelinux(self, node: Node, cmdline: str) -> str:
        """The text of ``pxelinux.cfg/01-<mac>``."""
        append = "initrd=%s%s %s" % (self.base, self.image.stage1, cmdline)
        # The loader adds its own words around the line.
        check_length("BOOT_IMAGE=%s%s %s BOOTIF=%s" % (self.base, self.image.kernel, append, node.boot_name), node.name)
        title = "%s: %s %s (%s)" % (node.name, self.image.name, self.image.version, self.profile.method)
        label = pxelinux.Label(self.profile.name, self.base + self.image.kernel, append, ipappend=2, title=title)
        return pxelinux.render(menu_config(self.menu, label, MANAGED + node.name, "messages"))

    def ipxe(self, node: Node, cmdline: str) -> str:
        """The text of ``ipxe/01-<mac>.ipxe``; the MAC is known, so BOOTIF is written out."""
        arguments = "initrd=%s %s BOOTIF=%s" % (self.image.stage1.rpartition("/")[2], cmdline, node.boot_name)
        script = ipxe.Script(
            comment=MANAGED + node.name,
            title="%s: %s %s (%s)" % (node.name, self.image.name, self.image.version, self.profile.method),
            kernel=self.ipxe_base + self.image.kernel,
            initrd=self.ipxe_base + self.image.stage1,
            arguments=arguments,
        )
        return ipxe.render(script)


LOCAL = pxelinux.Label("local", localboot=0, title="Boot from the local disk")
RETRY = pxelinux.Label("retry", kernel="reboot.c32", title="Start again")


def menu_config(menu: Menu, label: pxelinux.Label | None, comment: str, display: str) -> pxelinux.Config:
    """A file with the entry ``label`` (None: the unknown machine's choice) and the local disk."""
    first = label or (LOCAL if menu.unknown == "local" else RETRY)
    labels = (first,) if first is LOCAL else (first, LOCAL)
    return pxelinux.Config(
        default=first.name,
        labels=labels,
        prompt=int(menu.prompt),
        timeout=round(menu.timeout * 10),
        display=display,
        serial=menu.serial,
        comment=comment,
    )
