# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where a DHCP server is chosen. This module util is private to the collection."""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from .._host.host import File, Host
from .dhcp import DhcpConfig, Reservation
from .isc import IscBackend


class Backend(t.Protocol):
    """A DHCP server: ``tester`` is its own checker's argv with %s for the candidate file."""

    name: str
    tester: tuple[str, ...]

    def render(self, config: DhcpConfig) -> str: ...

    def parse(self, text: str, name: str = ...) -> DhcpConfig: ...

    def reservations(self, text: str) -> dict[str, Reservation]: ...


BACKENDS: t.Mapping[str, t.Callable[[], Backend]] = {"isc": IscBackend}


def find_backend(name: str) -> Backend:
    """The backend of that name; ClusterError lists the names there are."""
    if name not in BACKENDS:
        raise ClusterError("dhcp: unknown backend %r" % name, "available: %s, or none" % ", ".join(sorted(BACKENDS)))
    return BACKENDS[name]()


def check_config(text: str, path: str, tester: t.Sequence[str], host: Host, check_mode: bool) -> None:
    """Let the server judge a candidate in a file beside ``path`` (its AppArmor profile reads no other place).

    ``tester`` is an argv with %s for the candidate; ClusterError when it refuses. In check mode a server that is not
    installed yet judges nothing.
    """
    program = host.which(tester[0])
    if check_mode and (program is None or not host.listdir(path.rpartition("/")[0])):
        return
    if program is None:
        raise ClusterError("%s is not installed" % tester[0], "install the DHCP server or set dhcp.validate=false")
    candidate = path + ".candidate"
    host.write_files({candidate: File(text.encode())})
    try:
        done = host.run([program, *(word.replace("%s", candidate) for word in tester[1:])], check=False)
    finally:
        host.remove(candidate)
    if done.rc != 0:
        reasons = [line for line in done.stderr.splitlines() if line.startswith(candidate)]
        raise ClusterError(
            "%s refuses the configuration: %s" % (tester[0], " | ".join(reasons[:4]) or done.stderr.strip()[:400]),
            "nothing was written; mend the dhcp options",
        )
