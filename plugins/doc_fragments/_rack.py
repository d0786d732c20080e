# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that describe a rack to its boot server. This fragment is private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """What nodes boot, and how the server offers it."""

    DOCUMENTATION = r"""
options:
  nodes:
    description:
      - The node list, as P(xtreemos.cluster.node_list#filter) returns it.
      - Keys are V(name), V(mac), V(ip), V(node_id), V(interface) (default V(eth0)), V(profile) (default V(default)),
        V(kernel_options) (list of words), V(cpus), V(memory_mb) and V(rack). The first four are required.
      - A machine whose V(memory_mb) is known and smaller than its image needs is an error.
    type: list
    elements: dict
    required: true
  profiles:
    description:
      - How classes of nodes boot, by name; the V(profile) of a node chooses one.
      - Keys are V(image) (default V(node)), V(version) (default the image's current one), V(method) (V(http),
        V(dolly), V(nfs) or V(local)), V(transport) (default O(transport)), V(network) (V(dhcp) or V(static)),
        V(interface) (V(auto), V(wired), V(node) for the node's own, or a name), V(append) (kernel words),
        V(dolly_timeout), V(dolly_dialect), V(server), V(directory) and V(disk).
    type: dict
    default: {default: {image: node, method: http}}
  server:
    description: The boot server as the nodes see it.
    type: dict
    required: true
    suboptions:
      address:
        description: Its IPv4 address on the boot network.
        type: str
        required: true
      port:
        description: Port of its HTTP server.
        type: int
        default: 80
  transport:
    description:
      - How loaders fetch kernel and stage1.
      - With V(tftp) both are also copied below O(tftp_root), for loaders that cannot do HTTP.
    type: str
    choices: [http, tftp]
    default: http
  tftp_root:
    description: Root of the TFTP server; the files of pxelinux go to C(pxelinux.cfg) below it.
    type: path
    default: /srv/xtreemos/tftp
  http_root:
    description: Root of the HTTP server; iPXE scripts go to C(ipxe) below it.
    type: path
    default: /srv/xtreemos/http
  images_root:
    description: Where the images are; the HTTP server offers it as C(/images/).
    type: path
    default: /srv/xtreemos/images
  menu:
    description: What the loaders show.
    type: dict
    default: {}
    suboptions:
      timeout:
        description: Seconds that the prompt of pxelinux waits.
        type: float
        default: 5
      prompt:
        description: Whether pxelinux always shows its prompt, not only while Shift is held.
        type: bool
        default: false
      text:
        description: Text shown before a node boots.
        type: str
        default: ''
      unknown_text:
        description: Text shown by pxelinux on a machine that is not in O(nodes).
        type: str
        default: ''
      unknown:
        description: What a machine that is not in O(nodes) does after the message, boot its disk or start again.
        type: str
        choices: [local, retry]
        default: local
      serial:
        description: Port and speed of the serial console for pxelinux; empty for none.
        type: str
        default: 0 115200
  dhcp:
    description: The DHCP service.
    type: dict
    default: {}
    suboptions:
      backend:
        description:
          - V(isc) is ISC dhcpd, V(kea) Kea 2, V(dnsmasq) dnsmasq with DHCP only. V(none) leaves DHCP to another server.
        type: str
        default: isc
      config_path:
        description: The file that the DHCP server reads; by default where it looks for it, of dnsmasq a file of ours.
        type: path
      interface:
        description: The only interface to serve.
        type: str
        default: ''
      bind:
        description: Whether the server listens on O(server.address) only, not on every address of the machine.
        type: bool
        default: true
      subnets:
        description:
          - The subnets served, each with V(network) (as in V(10.0.1.0/24), or with V(netmask)), V(pools) (list of
            V(first-last)), V(routers), V(dns), V(domain), V(next_server), and V(known_only) to serve reserved
            addresses only.
        type: list
        elements: dict
        default: []
      authoritative:
        description: Whether this server may refuse addresses that it did not give.
        type: bool
        default: true
      default_lease:
        description: Lease time in seconds.
        type: int
        default: 600
      max_lease:
        description: Longest lease time in seconds.
        type: int
        default: 7200
      next_server:
        description: TFTP server; by default O(server.address).
        type: str
        default: ''
      loaders:
        description:
          - Boot file by architecture, V(bios), V(uefi_x64) or V(uefi_arm64).
          - By default V(bios) gets C(lpxelinux.0), or C(pxelinux.0) when no profile uses HTTP. An architecture without
            a loader is offered none.
        type: dict
      etherboot_loader:
        description: Boot file for Etherboot 5 clients; empty for none.
        type: str
        default: ''
      ipxe:
        description: Whether clients that are iPXE already get their script by HTTP in place of a loader.
        type: bool
        default: true
      configfile:
        description: Configuration file for pxelinux (option 209).
        type: str
        default: ''
      pathprefix:
        description: Path prefix for pxelinux (option 210).
        type: str
        default: ''
      reboottime:
        description: Seconds after which pxelinux starts again when it finds no file (option 211), 0 to leave it out.
        type: int
        default: 30
      validate:
        description: Whether the server's tester judges the configuration first.
        type: bool
        default: true
      tester:
        description: The tester's words, V(%s) standing for the file; by default the backend's own.
        type: list
        elements: str
"""
