# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate before an image is published: no private key, no open account. This module util is private.

An image is readable by everybody who reaches the boot server, so nothing secret may be in it.
"""

from __future__ import annotations

import bisect
import fnmatch
import mmap
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError
from .tree import Tree

# A PEM header with key material after it; programs that only know the words do not match.
_PEM = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\r?\n(?:[A-Za-z-]+: [^\n]*\n|\r?\n)*[A-Za-z0-9+/=]{16}"
)
_SECRET_PATHS = (
    ("etc/ssh/ssh_host_*_key", "SSH host key"),
    ("etc/dropbear/dropbear_*_host_key", "SSH host key"),
    ("etc/munge/munge.key", "munge key"),
    ("etc/krb5.keytab", "Kerberos keytab"),
    ("etc/wireguard/*.conf", "WireGuard key"),
    ("root/.ssh/id_*", "SSH key"),
    ("home/*/.ssh/id_*", "SSH key"),
)
_ACCOUNTS = ("etc/shadow", "etc/shadow-", "etc/passwd", "etc/passwd-")
_EMPTY_ALLOWED = re.compile(rb"^[ \t]*PermitEmptyPasswords[ \t=]+\"?yes", re.IGNORECASE | re.MULTILINE)
_CREDENTIAL = re.compile(rb"^[^#\n]*://[^/\s:@]+:[^/\s@]+@", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that must not be published. ``path`` is absolute."""

    path: str
    what: str


def _keys(tree: Tree) -> t.Iterator[Finding]:
    """Private keys by content, found in one pass over the whole tar."""
    entries = sorted((entry for entry in tree.entries.values() if entry.kind == "file"), key=lambda entry: entry.data)
    starts = [entry.data for entry in entries]
    with mmap.mmap(tree.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for match in _PEM.finditer(content):
            at = bisect.bisect_right(starts, match.start()) - 1
            if at < 0 or match.start() >= entries[at].data + entries[at].size:
                continue
            # Crypto libraries carry keys for their self-tests.
            if content[starts[at] : starts[at] + 4] != b"\x7fELF":
                yield Finding("/" + entries[at].path, "private key")


def _paths(tree: Tree) -> t.Iterator[Finding]:
    for name, entry in tree.entries.items():
        if entry.kind == "dir" or name.endswith(".pub"):
            continue
        for pattern, what in _SECRET_PATHS:
            if fnmatch.fnmatchcase(name, pattern):
                yield Finding("/" + name, what)


def _accounts(tree: Tree) -> t.Iterator[Finding]:
    """Accounts whose password field is empty; ``x`` in passwd points to shadow."""
    for path in _ACCOUNTS:
        for line in (tree.read(path) or b"").decode("utf-8", "replace").splitlines():
            fields = line.split(":")
            if len(fields) > 1 and fields[0] and not fields[0].startswith(("#", "+", "-")) and fields[1] == "":
                yield Finding("/" + path, "account %s has an empty password" % fields[0])


def _settings(tree: Tree) -> t.Iterator[Finding]:
    for name in tree.entries:
        if name == "etc/ssh/sshd_config" or fnmatch.fnmatchcase(name, "etc/ssh/sshd_config.d/*.conf"):
            pattern, what = _EMPTY_ALLOWED, "empty passwords are permitted"
        elif name.startswith("etc/apt/sources.list") or fnmatch.fnmatchcase(name, "etc/yum.repos.d/*.repo"):
            pattern, what = _CREDENTIAL, "password of a package source"
        else:
            continue
        if pattern.search(tree.read(name) or b""):
            yield Finding("/" + name, what)


def scan(tree: Tree) -> list[Finding]:
    """Everything that must not be published, sorted by path, one row per path and reason."""
    return sorted({*_keys(tree), *_paths(tree), *_accounts(tree), *_settings(tree)})


def gate(tree: Tree) -> None:
    """ClusterError that names the paths when the tree may not be published."""
    found = scan(tree)
    if found:
        rows = ", ".join("%s: %s" % (finding.path, finding.what) for finding in found[:5])
        more = " and %d more" % (len(found) - 5) if len(found) > 5 else ""
        raise ClusterError(
            "the image may not be published: %s%s" % (rows, more), "take it out of the tree or name it in remove_paths"
        )
