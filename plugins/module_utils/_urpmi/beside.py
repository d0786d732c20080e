# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files beside urpmi.cfg: netrc, proxy.cfg, skip.list, inst.list. This module util is private to the collection."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from .._host.errors import ClusterError
from .source import Login

_NETRC = re.compile(r"machine\s+(\S+)\s+login\s+(\S+)\s+password\s+(\S+)")
_PASSWORD = re.compile(r"(://[^/\s:@]*):[^@/\s]+@")
_PROXY = re.compile(r"^(.*proxy_user\s*=\s*[^:\n]*):.*$", re.M)
HIDDEN = "********"
# What a password in a URL may hold as it is.
_PLAIN = "!$&'()*+,;=~"


def parse_netrc(text: str) -> list[Login]:
    """The logins that stand on a line of their own; other lines say nothing to us."""
    found = [_NETRC.fullmatch(line.strip()) for line in text.split("\n")]
    return [Login(match.group(1), *map(urllib.parse.unquote, match.groups()[1:])) for match in found if match]


def _key(line: str) -> tuple[str, str]:
    match = _NETRC.fullmatch(line.strip())
    return (match.group(1), urllib.parse.unquote(match.group(2))) if match else ("", "")


def render_netrc(text: str, logins: t.Iterable[Login], gone: t.AbstractSet[tuple[str, str]]) -> str:
    """``text`` with these logins; those of ``gone`` (machine, user) are taken out, other lines stay."""
    wanted = {(login.machine, login.user): login for login in logins}
    for login in wanted.values():
        if any(re.search(r"[\s\x00-\x1f]", part) for part in login):
            raise ClusterError("the login for %s holds a blank" % login.machine, "netrc cannot keep blanks")
    lines = []
    for line in text.split("\n"):
        key = _key(line)
        if key in wanted:
            line = _netrc_line(wanted.pop(key))
        elif key in gone:
            continue
        lines.append(line)
    if wanted:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += [_netrc_line(login) for _key_of, login in sorted(wanted.items())] + [""]
    return "\n".join(lines)


def _netrc_line(login: Login) -> str:
    """urpmi puts both into the URL as they are, where it looks for ``:``, ``@`` and ``/``, and downloaders unquote."""
    user, password = urllib.parse.quote(login.user, safe=""), urllib.parse.quote(login.password, safe=_PLAIN)
    return "machine %s login %s password %s" % (login.machine, user, password)


def render_proxy(text: str, proxy: t.Mapping[str, t.Any]) -> str:
    """proxy.cfg with the proxies of all media; lines of single media and comments stay."""
    wanted = {"http_proxy": proxy.get("http"), "ftp_proxy": proxy.get("ftp"), "proxy_user": None}
    if proxy.get("username"):
        wanted["proxy_user"] = "%s:%s" % (proxy["username"], proxy.get("password") or "")
    if any(re.search(r"\s", value) for value in wanted.values() if value):
        raise ClusterError("proxy: a value holds a blank", "proxy.cfg cannot keep blanks")
    kept = [line for line in text.split("\n") if re.split(r"\s*=", line.strip())[0] not in wanted]
    while kept and not kept[-1].strip():
        kept.pop()
    new = ["%s=%s" % (key, value) for key, value in sorted(wanted.items()) if value]
    return "".join(line + "\n" for line in kept + new)


def render_list(text: str, items: t.Iterable[str], name: str) -> str:
    """skip.list and inst.list: an expression per line, below the comments that ``text`` has."""
    lines = list(items)
    for line in lines:
        if not line.strip() or "\n" in line or line.startswith("#"):
            raise ClusterError("%s: %r is no expression" % (name, line), "the name of a package, or /regexp/")
        if len(line) > 1 and line.startswith("/") and line.endswith("/"):
            _check_regexp(line[1:-1], name)
    comments = [line for line in text.split("\n") if line.lstrip().startswith("#")]
    return "".join(line + "\n" for line in comments + lines)


def _check_regexp(text: str, name: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ClusterError("%s: /%s/ is no regular expression: %s" % (name, text, error), "mend it")


def masked(text: str) -> str:
    """Without passwords in URLs and in proxy_user."""
    return _PROXY.sub(r"\1:" + HIDDEN, _PASSWORD.sub(r"\1:" + HIDDEN + "@", text))
