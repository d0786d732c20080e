# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iPXE scripts. This module util is private to the collection.

Commands and settings as documented on ipxe.org (kernel, initrd, boot, chain, sleep, reboot, exit).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError


@dataclass(frozen=True)
class Script:
    """One node's script: URLs of kernel and initrd, kernel arguments, and what the console says."""

    comment: str
    title: str
    kernel: str
    initrd: str
    arguments: str


_SCRIPT = """#!ipxe
# %(comment)s
echo %(title)s
kernel %(kernel)s %(arguments)s || goto failed
initrd %(initrd)s || goto failed
boot || goto failed
:failed
echo Boot failed, see the line above
echo Next try in 10 seconds
sleep 10
reboot
"""

_LINES = re.compile(
    re.escape(_SCRIPT)
    .replace(r"%\(comment\)s", "(?P<comment>.*)")
    .replace(r"%\(title\)s", "(?P<title>.*)")
    .replace(r"%\(kernel\)s", r"(?P<kernel>\S+)")
    .replace(r"%\(arguments\)s", "(?P<arguments>.*)")
    .replace(r"%\(initrd\)s", r"(?P<initrd>\S+)")
)

_MENU = """#!ipxe
# %(comment)s
%(message)schain --replace %(base)s/01-${netX/mac:hexhyp}.ipxe || goto unknown
:unknown
echo Boot server %(server)s does not know MAC address ${netX/mac}
echo Add the node to the inventory and run the pxe_server playbook
%(unknown)s
"""

# What an unknown machine does after the message.
UNKNOWN: t.Mapping[str, str] = {
    "local": "sleep 5\nexit 1",
    "retry": "echo Next try in 30 seconds\nsleep 30\nreboot",
}


def render(script: Script) -> str:
    """The text of one node's script."""
    return _SCRIPT % script.__dict__


def parse(text: str, name: str = "script") -> Script:
    """The opposite of :func:`render`: reads exactly what we write."""
    found = _LINES.fullmatch(text)
    if not found:
        raise ClusterError("%s is no script of pxe_nodes" % name, "remove the file and run again")
    return Script(**found.groupdict())


def render_menu(comment: str, base: str, server: str, message: str, unknown: str) -> str:
    """``boot.ipxe``: chains to the script named by the MAC address below the URL ``base``."""
    if unknown not in UNKNOWN:
        raise ClusterError("unknown machines: %r" % unknown, "one of %s" % ", ".join(sorted(UNKNOWN)))
    greeting = "".join("echo %s\n" % line for line in message.splitlines() if line.strip())
    return _MENU % {
        "comment": comment,
        "message": greeting,
        "base": base,
        "server": server,
        "unknown": UNKNOWN[unknown],
    }
