# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LIST: what runs on a dom0 now, by two calls of xl for any number of guests. Private to the collection.

Formats: the table of ``xl list`` and the JSON of ``xl list -l`` as xl 4.17 writes them. A guest that was not made by
xl has a row in the table and none in the JSON.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Completed, Host
from .normal import normal_mac, normal_uuid, tidy
from .record import LIST_FIELDS, accelerator
from .vnc import FIRST_PORT, may_serve, read_vnc

# libxl aborts now and then when it asks for a lock around fork; a question may be asked again.
ABORTED = (-6, 134)
TRIES = 3
_ROW = re.compile(r"(?P<name>.*?)\s+(?P<domid>\d+)\s+(?P<memory>\d+)\s+(?P<vcpus>\d+)\s+(?P<state>[rbpscd-]{6})\s+")


@dataclass(frozen=True)
class Row:
    """One line of ``xl list``; memory in MiB, ``state`` the six characters."""

    name: str
    domid: int
    memory_mb: int
    vcpus: int
    state: str


def ask(host: Host, argv: t.Sequence[str]) -> Completed:
    """A command of xl that changes nothing, asked again when xl aborts; ClusterError when it fails."""
    done = host.run(argv, check=False)
    for _again in range(TRIES - 1):
        if done.rc in ABORTED:
            done = host.run(argv, check=False)
    if done.rc:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise ClusterError(
            "%s failed with exit code %d: %s" % (" ".join(argv), done.rc, " | ".join(words)),
            "run it as root in a dom0 that has booted into Xen",
        )
    return done


def parse_table(text: str) -> list[Row]:
    """Rows of ``xl list``; ClusterError for a line that is none. Names may hold blanks."""
    rows = []
    for line in text.splitlines()[1:]:
        match = _ROW.match(line)
        if match is None:
            raise ClusterError("xl list wrote a line that is no guest: %r" % line)
        domid, memory, vcpus = (int(match.group(key)) for key in ("domid", "memory", "vcpus"))
        rows.append(Row(match.group("name"), domid, memory, vcpus, match.group("state")))
    return rows


def parse_long(text: str) -> dict[int, dict[str, t.Any]]:
    """Configurations of ``xl list -l`` by domain id; ClusterError when it is no JSON of that kind."""
    try:
        found = {int(item["domid"]): dict(item["config"]) for item in json.loads(text or "[]")}
    except (ValueError, TypeError, KeyError) as error:
        raise ClusterError("xl list -l wrote no list of guests: %s" % error)
    return found


def word(row: Row) -> str:
    """The state in one word: running, paused, shutdown, crashed or dying."""
    if row.state[5] == "d":
        return "dying"
    if row.state[3] == "s":
        return "crashed" if row.state[4] == "c" else "shutdown"
    return "paused" if row.state[2] == "p" else "running"


def _interfaces(config: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    found = []
    for number, nic in enumerate(config.get("nics") or ()):
        mac = str(nic.get("mac") or "")
        one = {"mac": tidy(normal_mac, mac), "tcp": "", "relay": str(nic.get("bridge") or "")}
        found.append({**one, "ifname": "eth%d" % int(nic.get("devid", number))})
    return found


def record(row: Row, config: t.Mapping[str, t.Any], pm: str) -> dict[str, t.Any]:
    """One record with every field of LIST, and beside them state, vram (MiB) and vcpu. The id of a live guest is its
    domain id, which ctys kept in ``pid``."""
    about = config.get("c_info") or {}
    uuid = str(about.get("uuid") or "")
    found: dict[str, t.Any] = dict.fromkeys(LIST_FIELDS, "")
    found.update(
        pm=pm,
        type="XEN",
        label=row.name,
        pid=row.domid,
        uuid=tidy(normal_uuid, uuid),
        cstype="S",
        accelerator=accelerator(str(about.get("type") or "")),
        state=word(row),
        flags=row.state,
        vram=row.memory_mb,
        vcpu=row.vcpus,
    )
    found["interfaces"] = _interfaces(config)
    found.update({key: found["interfaces"][0][key] for key in ("mac", "ifname")} if found["interfaces"] else {})
    return found


def _ports(host: Host, rows: t.Sequence[Row], configs: t.Mapping[int, t.Any]) -> dict[int, dict[str, t.Any]]:
    """Port and display of each VNC server; xenstore is asked only when a guest may have one."""
    if not any(row.domid and may_serve(configs.get(row.domid, {})) for row in rows):
        return {}
    found = {domid: one.port for domid, one in read_vnc(host).items()}
    return {
        domid: {"cport": port, **({"display": ":%d" % (port - FIRST_PORT)} if port >= FIRST_PORT else {})}
        for domid, port in found.items()
    }


def live(host: Host, pm: str) -> list[dict[str, t.Any]]:
    """Records of everything that runs, Domain-0 too, in the order of xl; two calls of xl, and one of xenstore-ls when
    a guest has VNC."""
    rows = parse_table(ask(host, ["xl", "list"]).stdout)
    configs = parse_long(ask(host, ["xl", "list", "-l"]).stdout)
    ports = _ports(host, rows, configs)
    return [{**record(row, configs.get(row.domid, {}), pm), **ports.get(row.domid, {})} for row in rows]


def parse_info(text: str) -> dict[str, t.Any]:
    """``xl info``: ``key : value`` lines. Whole numbers are int, capabilities lists of words, the rest text."""
    found: dict[str, t.Any] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if not colon or not re.fullmatch(r"[a-z0-9_]+", key):
            continue
        if key in ("virt_caps", "xen_caps"):
            found[key] = value.split()
        else:
            found[key] = int(value) if re.fullmatch(r"[0-9]+", value) else value
    return found


def hypervisor(host: Host) -> dict[str, t.Any]:
    """What Xen says of itself and of the machine; memory in MiB. One call of xl."""
    found = parse_info(ask(host, ["xl", "info"]).stdout)
    if "xen_version" not in found:
        raise ClusterError("xl info names no version of Xen", "run it in a dom0 that has booted into Xen")
    return found
