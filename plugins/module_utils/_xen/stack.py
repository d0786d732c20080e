# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack of hosts and guests, from the inside out: who stops when, and how. Private to the collection.

A guest may be a Xen host itself. What runs on it stops first, then it stops as a guest of its own host.
"""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError

Vars = t.Mapping[str, t.Any]

# What a guest is asked for, and the state of xen_domain that stands for it.
METHODS: dict[str, dict[str, t.Any]] = {
    "poweroff": {"state": "stopped"},
    "reboot": {"state": "rebooted"},
    "save": {"state": "saved"},
    "destroy": {"state": "stopped", "force": True},
    "keep": {},
}
HOST_METHODS = ("", "poweroff", "reboot")


def check_method(method: str, who: str) -> str:
    if method not in METHODS:
        raise ClusterError("%s: there is no method %s" % (who, method), "one of %s" % ", ".join(METHODS))
    return method


def _short(name: str) -> str:
    return name.partition(".")[0]


def host_of(name: str, values: Vars, dom0s: t.Collection[str]) -> str:
    """The dom0 that a host of the inventory is a guest of, empty for none: its variable ``xen_dom0``, else the host
    that ``xen_pm`` of the inventory plugin names. ClusterError for a ``xen_dom0`` that is none."""
    given = str(values.get("xen_dom0") or "")
    if given and given not in dom0s:
        raise ClusterError("%s runs on %s, which is no Xen host of this run" % (name, given), "correct its xen_dom0")
    machine = str(values.get("xen_pm") or "")
    fitting = [dom0 for dom0 in dom0s if machine and machine in (dom0, _short(dom0))]
    fitting = fitting or [dom0 for dom0 in dom0s if machine and _short(machine) == _short(dom0)]
    return given or (fitting[0] if fitting else "")


def _depth(dom0: str, hosts: t.Mapping[str, str]) -> int:
    chain = [dom0]
    while hosts.get(chain[-1]):
        chain.append(hosts[chain[-1]])
        if chain[-1] in chain[:-1]:
            raise ClusterError("these hosts run on each other: %s" % " on ".join(chain), "correct their xen_dom0")
    return len(chain) - 1


def _below(name: str, hosts: t.Mapping[str, str], tops: t.Collection[str]) -> bool:
    while name and name not in tops:
        name = hosts.get(name, "")
    return bool(name)


def _guest(name: str, values: Vars, dom0: str, default: str) -> dict[str, str]:
    method = check_method(str(values.get("xen_stop") or default), name)
    return {"host": name, "name": str(values.get("xen_label") or name), "dom0": dom0, "method": method}


def _check_ends(layers: t.Sequence[t.Mapping[str, t.Any]], ending: t.Collection[str]) -> None:
    for layer in layers:
        for guest in layer["guests"]:
            if guest["method"] == "reboot" and guest["dom0"] in ending:
                raise ClusterError(
                    "%s would boot again while its host %s goes down" % (guest["name"], guest["dom0"]),
                    "use poweroff or save for it",
                )


def layers(
    variables: t.Mapping[str, Vars],
    dom0s: t.Sequence[str],
    tops: t.Sequence[str] = (),
    default: str = "poweroff",
    host_method: str = "",
) -> list[dict[str, t.Any]]:
    """What stops together, in order. Each layer has ``dom0s``, the ``guests`` on them (host, name, dom0, method), and
    ``hosts``, the names of both.

    ``variables`` are those of all hosts by name, ``tops`` the outermost dom0s of the stacks (all by default),
    ``host_method`` what happens to these. ClusterError for a circle, an unknown host or method, or a guest that would
    boot again while its host goes down.
    """
    check_method(default, "the default")
    if host_method not in HOST_METHODS:
        raise ClusterError("there is no method %s for a Xen host" % host_method, "poweroff or reboot")
    unknown = [name for name in tops if name not in dom0s]
    if unknown:
        raise ClusterError("%s is no Xen host" % unknown[0], "name hosts of the group xen_dom0s")
    hosts = {name: host_of(name, values, dom0s) for name, values in sorted(variables.items())}
    depths = {dom0: _depth(dom0, hosts) for dom0 in sorted(dom0s) if not tops or _below(dom0, hosts, tops)}
    found: list[dict[str, t.Any]] = []
    for depth in sorted(set(depths.values()), reverse=True):
        here = [dom0 for dom0, value in depths.items() if value == depth]
        guests = [_guest(name, variables[name], dom0, default) for name, dom0 in hosts.items() if dom0 in here]
        found.append({"dom0s": here, "guests": guests, "hosts": [*here, *(one["host"] for one in guests)]})
    nested = {one["host"] for layer in found for one in layer["guests"] if one["method"] != "keep"}
    outer = [dom0 for dom0 in depths if host_method and (dom0 in tops or not hosts.get(dom0))]
    _check_ends(found, nested | set(outer))
    return found


def entries(
    running: t.Iterable[t.Mapping[str, t.Any]],
    guests: t.Iterable[Vars],
    default: str = "poweroff",
    timeout: int = 60,
    done: t.Collection[str] = (),
) -> list[dict[str, t.Any]]:
    """Options of xen_domain for the guests that run on one dom0, by name: each by its method, those that nobody
    declared by ``default``. ``done`` are hosts that took the request to reboot themselves. Never Domain-0."""
    known = {str(one["name"]): one for one in guests}
    found = []
    for name in sorted(str(one["label"]) for one in running if one.get("pid") != 0 and one["label"] != "Domain-0"):
        guest = known.get(name, {"method": default, "host": ""})
        options = METHODS[check_method(str(guest["method"]), name)]
        if options and not (guest["method"] == "reboot" and guest["host"] in done):
            found.append({"name": name, "timeout": timeout, **options})
    return found


def told(stack: t.Sequence[t.Mapping[str, t.Any]], host_method: str = "", tops: t.Sequence[str] = ()) -> list[str]:
    """The order in words, a line for each dom0."""
    lines = []
    for layer in stack:
        for dom0 in layer["dom0s"]:
            words = ["%s %s" % (one["name"], one["method"]) for one in layer["guests"] if one["dom0"] == dom0]
            lines.append("on %s: %s" % (dom0, ", ".join([*words, "then all others that run"])))
    outer = (tops or stack[-1]["dom0s"]) if stack and host_method else []
    return ["%d. %s" % row for row in enumerate([*lines, *("%s itself: %s" % (one, host_method) for one in outer)], 1)]
