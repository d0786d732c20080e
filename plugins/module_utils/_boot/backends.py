# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where a DHCP server is chosen. This module util is private to the collection."""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from .dhcp import DhcpConfig, Reservation
from .dnsmasq import DnsmasqBackend
from .isc import IscBackend
from .kea import KeaBackend


class Backend(t.Protocol):
    """A DHCP server: ``header`` begins each file of ours, ``path`` is where it lies, ``tester`` is the argv of the
    server's own checker with %s for the file."""

    name: str
    header: str
    path: str
    tester: tuple[str, ...]

    def render(self, config: DhcpConfig) -> str: ...

    def parse(self, text: str, name: str = ...) -> DhcpConfig: ...

    def reservations(self, text: str) -> dict[str, Reservation]: ...


BACKENDS: t.Mapping[str, t.Callable[[], Backend]] = {
    "isc": IscBackend,
    "kea": KeaBackend,
    "dnsmasq": DnsmasqBackend,
}


def find_backend(name: str) -> Backend:
    """The backend of that name; ClusterError lists the names there are."""
    if name not in BACKENDS:
        raise ClusterError("dhcp: unknown backend %r" % name, "available: %s, or none" % ", ".join(sorted(BACKENDS)))
    return BACKENDS[name]()
