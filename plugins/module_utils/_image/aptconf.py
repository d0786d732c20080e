# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package sources and transport settings of this machine's apt. This module util is private to the collection.

Format: paragraphs of ``apt-get indextargets`` (apt's doc/acquire-additional-files.md) and ``apt-config dump``.
No mirror is written in the project: an image comes from where the machine itself is installed from.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .._host.host import Host

_SETTING = re.compile(
    r"^(Acquire::(?:(?:http|https)::[^ ]*|Retries|ForceIPv4|Check-Valid-Until|Check-Date|Max-FutureTime|"
    r'AllowInsecureRepositories)) "(.*)";$',
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Target:
    """One component of one package source."""

    uri: str
    release: str
    component: str
    codename: str
    signed_by: str = ""


def parse_targets(text: str) -> list[Target]:
    """Binary package indexes of ``apt-get indextargets``."""
    targets = []
    for paragraph in text.strip().split("\n\n"):
        row = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if row.get("Created-By") == "Packages" and row.get("Target-Of") == "deb":
            values = [row.get(key, "") for key in ("Repo-URI", "Release", "Component", "Codename", "Signed-By")]
            targets.append(Target(*values))
    return targets


def _belongs(target: Target, suite: str) -> bool:
    return re.match(re.escape(suite) + r"(-|/|$)", target.release) is not None or target.codename == suite


def deb_lines(targets: t.Sequence[Target], suite: str, host_suite: str) -> list[str]:
    """Lines for sources.list of the wanted suite, sorted by first appearance.

    A machine of another release has none: then its own lines are taken with the release exchanged.
    """
    own = [target for target in targets if _belongs(target, suite)]
    rows = [(target, target.release) for target in own]
    if not own:
        base = [target for target in targets if host_suite and _belongs(target, host_suite)]
        rows = [(target, target.release.replace(host_suite, suite, 1)) for target in base]
    lines: dict[tuple[str, str, str], list[str]] = {}
    for target, release in rows:
        key = target.uri, release, target.signed_by if own else ""
        lines.setdefault(key, []).append(target.component)
    return [_line(*key, parts) for key, parts in lines.items()]


def _line(uri: str, release: str, signed_by: str, components: t.Iterable[str]) -> str:
    option = "[signed-by=%s] " % signed_by if signed_by.startswith("/") else ""
    return "deb %s%s %s %s" % (option, uri, release, " ".join(dict.fromkeys(components)))


def settings(dump: str) -> str:
    """Proxy, certificate and retry settings out of ``apt-config dump``, as an apt configuration file."""
    found = (_SETTING.match(line) for line in dump.splitlines())
    rows = [(match.group(1), match.group(2)) for match in found if match and match.group(2)]
    return "".join('%s "%s";\n' % row for row in rows)


def os_suite(os_release: bytes | None) -> str:
    """The release name of this machine (os-release(5), VERSION_CODENAME), empty when it has none."""
    match = re.search(rb'^VERSION_CODENAME="?([a-z0-9-]+)', os_release or b"", re.MULTILINE)
    return match.group(1).decode() if match else ""


def wanted_suite(suite: str, os_release: bytes | None) -> str:
    """The suite asked for, else that of this machine."""
    found = suite or os_suite(os_release)
    if not found:
        raise ClusterError("this machine does not say its release", "set suite")
    return found


def sources(mirrors: t.Sequence[str], suite: str, host: Host) -> list[str]:
    """deb lines: the given ones, else those of this machine for ``suite``; ClusterError when it has none."""
    if mirrors:
        return list(mirrors)
    targets = parse_targets(host.run(["apt-get", "indextargets"]).stdout)
    lines = deb_lines(targets, suite, os_suite(host.read("/etc/os-release")))
    if not lines:
        raise ClusterError("apt on this machine has no package source for %s" % suite, "set mirrors")
    return lines
