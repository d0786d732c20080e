# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on a dom0, by name; commands of xl that change it, and what their errors mean. Private to the collection.

Texts and exit codes are those of xl 4.17. Some commands end with 0 although they failed, so stderr counts too.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.host import Completed, Host
from .live import ABORTED, Row, ask, parse_long, parse_table, word
from .normal import normal_uuid, tidy

OFF = "off"
GONE = re.compile(r"invalid domain identifier|Non-existant domain")
# What xl wrote, what that means, what to do; the first that fits counts.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r'Domain with name "([^"]*)" already exists', "a guest %s runs already", "stop it, or choose another name"),
    (r"failed to open file '([^']*)'", "its kernel or ramdisk %s cannot be read", "correct the path"),
    (r"Could not find bridge device (\S+)", "there is no bridge %s on this host", "make it with xen_bridge"),
    (r"Disk vdev=(\S+ failed to stat: .*)", "its disk %s", "create the disk, or correct its target"),
    (r"can't allocate low memory|Cannot allocate memory|failed to free memory|Out of memory",
     "the host has too little free memory", "stop another guest, or give this one less"),
    (r"failed to read BIOS file|unable to find .*hvmloader|device model .* did(n't| not) start",
     "the host cannot run hvm guests", "install qemu-system-xen, or use type pvh"),
    (r"(\S+:\d+: config parsing error.*)", "xl cannot read it: %s", "mend that line"),
    (r"unknown access `?([^'\s]*)", "xl knows no disk access %s", "write rw or ro"),
    (r"Domain name must be specified", "its configuration has no name", 'add: name = "..."'),
    (r"Failed to read config file: (\S+):", "there is no file %s", "describe the guest, or correct path"),
    (r"Can't open restore file", "its save file cannot be read", "correct save_file"),
    (r"Savefile has wrong magic|Save file.*(?:corrupt|truncated)", "its save file is damaged",
     "start it anew with state running"),
    (r"PV control interface not available", "the guest has no Xen drivers", "use force, or start them in the guest"),
    (r"didn't acknowledge control request", "the guest does not answer", "use force, or look at its console"),
    (r"overcommm?itting! You have (\d+)", "the host has only %s processors", "declare fewer vcpus"),
    (r"memory_dynamic_max must be less", "it cannot have more memory than it was started with", "restart it"),
    (r"unable to .*(detach|remove)|device .*timed out|Timeout waiting for", "the guest does not let the device go",
     "unmount it there, then run again"),
    (r"Connection refused|Could not resolve|No route to host|Permission denied|Host key verification failed|timed out",
     "the target host cannot be reached by ssh", "make ssh to it work for root without a password"),
    (r"migration target: (?:Failed to|Domain)|Migration failed", "the target host did not take it",
     "look at its log"),
    (GONE.pattern, "there is no such guest", "xen_domain_info lists what runs"),
)  # fmt: skip
# With exit code 0 only these are failures; the rest of stderr is progress.
_SILENT = re.compile(r"libxl: error:|shutdown failed|reboot failed|Can't |cannot ")


@dataclass(frozen=True)
class Live:
    """A guest that xl lists; ``config`` is its part of ``xl list -l``, empty when it was not made by xl."""

    row: Row
    config: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def state(self) -> str:
        """One word: running, paused, shutdown, crashed or dying."""
        return word(self.row)

    @property
    def uuid(self) -> str:
        return tidy(normal_uuid, str((self.config.get("c_info") or {}).get("uuid") or ""))

    @property
    def kind(self) -> str:
        return str((self.config.get("c_info") or {}).get("type") or "")


@dataclass(frozen=True)
class Dom0:
    """Guests by name, and the name of the host's own domain."""

    guests: t.Mapping[str, Live] = field(default_factory=dict)
    own: str = "Domain-0"


def _dom0(rows: t.Iterable[Row], configs: t.Mapping[int, t.Any]) -> Dom0:
    found = [Live(row, configs.get(row.domid, {})) for row in rows]
    own = next((one.name for one in found if one.row.domid == 0), "Domain-0")
    return Dom0({one.name: one for one in found if one.row.domid != 0}, own)


def read_dom0(host: Host) -> Dom0:
    """Everything that runs, by one ``xl list`` (states) and one ``xl list -l`` (configurations)."""
    rows = parse_table(ask(host, ["xl", "list"]).stdout)
    # Without guests there is nothing that the second could tell.
    configs = parse_long(ask(host, ["xl", "list", "-l"]).stdout) if len(rows) > 1 else {}
    return _dom0(rows, configs)


def read_states(host: Host) -> dict[str, Live]:
    """Guests by name without their configurations: one call, to wait with."""
    return dict(_dom0(parse_table(ask(host, ["xl", "list"]).stdout), {}).guests)


def meaning(text: str) -> tuple[str, str] | None:
    """What an error of xl means and what to do; None for an unknown one."""
    for pattern, message, hint in _MEANINGS:
        found = re.search(pattern, text)
        if found:
            return (message % found.group(1) if "%s" in message else message), hint
    return None


def failure(name: str, done: Completed) -> ClusterError | None:
    """The error of a finished command about the guest ``name``, None when it went well."""
    if not done.rc and not _SILENT.search(done.stderr):
        return None
    if done.rc in ABORTED:
        return ClusterError("guest %s: %s was aborted" % (name, " ".join(done.argv)), "a fault of libxl: run again")
    known = meaning(done.stderr)
    if known:
        return ClusterError("guest %s: %s" % (name, known[0]), known[1])
    lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if "Parsing config" not in line]
    told = " | ".join(lines[:3])
    return ClusterError("guest %s: %s: exit code %d: %s" % (name, " ".join(done.argv), done.rc, told), "see xl dmesg")


def act(host: Host, name: str, argv: t.Sequence[str], gone_is_fine: bool = False) -> None:
    """A changing command about one guest; ClusterError with the meaning of what xl wrote."""
    done = host.run(argv, changes=True, check=False)
    error = failure(name, done)
    if error and not (gone_is_fine and GONE.search(done.stderr)):
        raise error
