# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a medium, near or far. This module util is private to the collection.

A location is an absolute path or a URL of http, https, ftp or file. Nothing goes through a shell or another program.
"""

from __future__ import annotations

import base64
import http.client
import os
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from .._host.errors import ClusterError

READABLE = ("http", "https", "ftp", "file")
# Above any real synthesis, far below what a crafted server could send.
LIMIT = 1 << 28
# What means something in a URL, or is quoted already.
_URL_MARKS = ":/?#[]@!$&'()*+,;=%~"


class Login(t.NamedTuple):
    """What a server asks for. ``machine`` is ``HOST`` or ``HOST:PORT`` as netrc has it."""

    machine: str
    user: str
    password: str


def scheme(location: str) -> str:
    """``path`` for an absolute path, the scheme of a URL, empty for anything else."""
    if location.startswith("/"):
        return "path"
    head, found, _rest = location.partition("://")
    return head.lower() if found and head.isalnum() else ""


def is_local(location: str) -> bool:
    return scheme(location) in ("path", "file")


def local_path(location: str) -> str:
    """The path of a local location."""
    return location[len("file://") :] if scheme(location) == "file" else location


def split_login(url: str) -> tuple[str, Login | None]:
    """``http://u:p@host/x`` as ``http://u@host/x`` and the login; other URLs as they are."""
    if scheme(url) in ("path", ""):
        return url, None
    parts = urllib.parse.urlsplit(url)
    user, _at, machine = parts.netloc.rpartition("@")
    name, found, password = user.partition(":")
    if not found:
        return url, None
    bare = (
        parts._replace(netloc="%s@%s" % (name, machine)).geturl() if name else parts._replace(netloc=machine).geturl()
    )
    return bare, Login(machine, urllib.parse.unquote(name), urllib.parse.unquote(password)) if name else None


def machine_of(url: str) -> str:
    """``HOST[:PORT]`` of a URL."""
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def without_user(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class Source:
    """Reads files; ``logins`` by machine, ``proxies`` as urllib takes them (None: those of the environment)."""

    def __init__(
        self, timeout: float, logins: t.Mapping[str, Login] | None = None, proxies: dict[str, str] | None = None
    ) -> None:
        self.timeout = timeout
        self.logins = dict(logins or {})
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))

    def read(self, location: str) -> bytes | None:
        """Content, None when there is no such file; ClusterError when the place cannot be reached."""
        kind = scheme(location)
        if kind in ("path", "file"):
            return self._local(local_path(location))
        if kind not in READABLE:
            raise ClusterError("%s: cannot be read from here" % location, "one of: a path, " + ", ".join(READABLE))
        return self._remote(location)

    def _local(self, path: str) -> bytes | None:
        try:
            with open(path, "rb") as stream:
                return _limited(stream, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ClusterError("cannot read %s: %s" % (path, error.strerror))

    def _request(self, url: str) -> urllib.request.Request:
        login = self.logins.get(machine_of(url))
        plain = urllib.parse.quote(without_user(url), safe=_URL_MARKS)
        if login is not None and scheme(url) == "ftp":
            pair = tuple(urllib.parse.quote(part, safe="") for part in login[1:])
            return urllib.request.Request(plain.replace("://", "://%s:%s@" % pair, 1))
        request = urllib.request.Request(plain)
        if login is not None:
            both = "%s:%s" % (login.user, login.password)
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(both.encode()).decode())
        return request

    def _remote(self, url: str) -> bytes | None:
        shown = without_user(url)
        try:
            with self._opener.open(self._request(url), timeout=self.timeout) as stream:
                return _limited(stream, shown)
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            hint = "give username and password" if error.code in (401, 403) else ""
            raise ClusterError("%s: the server answers %d %s" % (shown, error.code, error.reason), hint)
        except urllib.error.URLError as error:
            raise ClusterError("%s cannot be reached: %s" % (shown, error.reason), "check the server, or `proxy`")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ClusterError("%s cannot be read: %s" % (shown, error), "check the server, or `proxy`")

    def need(self, location: str, what: str) -> bytes:
        """Content; ClusterError ``what`` when it is not there."""
        data = self.read(location)
        if data is None:
            raise ClusterError("%s: there is no %s" % (what, os.path.basename(location)), "looked for " + location)
        return data


class _Readable(t.Protocol):
    def read(self, size: int, /) -> bytes: ...


def _limited(stream: _Readable, name: str) -> bytes:
    data = stream.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise ClusterError("%s is larger than %d MiB" % (name, LIMIT >> 20), "it cannot be a file of a medium")
    return data
