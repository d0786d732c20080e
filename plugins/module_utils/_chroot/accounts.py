# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts of a root tree, edited as text. This module util is private to the collection.

Formats: passwd(5), group(5), shadow(5). No program of the tree runs, as its machine may be another one.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_KEY = re.compile(
    r"(?:[^\s#]\S* )?(ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-\S+@openssh\.com) [A-Za-z0-9+/]+={0,3}(?: .*)?"
)
FIRST = 1000
# No password fits either; with "!" sshd would refuse keys as well, when it does not use PAM.
_NO_PASSWORD = "*"


@dataclass(frozen=True)
class User:
    """A wanted account. ``uid`` 0 means any (and root's own for root); without ``login`` it needs no key."""

    name: str
    uid: int = 0
    keys: tuple[str, ...] = ()
    shell: str = "/bin/sh"
    home: str = ""
    groups: tuple[str, ...] = ()
    login: bool = True

    @property
    def folder(self) -> str:
        return self.home or ("/root" if self.name == "root" else "/home/" + self.name)


def parse_user(item: t.Mapping[str, t.Any]) -> User:
    """One user; ClusterError names him."""
    name = str(item.get("name") or "")
    if not _NAME.fullmatch(name):
        raise ClusterError("bad user name %r" % name, "small letters, digits, dash, underscore")
    keys = tuple(str(key).strip() for key in item.get("keys") or ())
    login = bool(item.get("login", True))
    if login and not keys:
        raise ClusterError("user %s has no key, and there are no passwords" % name, "give keys, or login: false")
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ClusterError("user %s: %r is no public key" % (name, key[:60]), "the text of a file *.pub")
    for place in (str(item.get("home") or "/"), str(item.get("shell") or "/bin/sh")):
        if not re.fullmatch(r"/[^:\n]*", place):
            raise ClusterError("user %s: %r is no absolute path" % (name, place), "correct it")
    shell = str(item.get("shell") or "/bin/sh")
    home, groups = str(item.get("home") or ""), tuple(item.get("groups") or ())
    return User(name, int(item.get("uid") or 0), keys if login else (), shell, home, groups, login)


def parse_users(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[User, ...]:
    """Users in their order; ClusterError for one that is named twice."""
    users = tuple(parse_user(item) for item in items)
    names = [user.name for user in users]
    for name in names:
        if names.count(name) > 1:
            raise ClusterError("user %s is given twice" % name, "once each")
    return users


@dataclass
class Accounts:
    """The three files, a list of fields a line."""

    passwd: list[list[str]]
    group: list[list[str]]
    shadow: list[list[str]]

    @classmethod
    def parse(cls, passwd: str, group: str, shadow: str) -> Accounts:
        return cls(*([line.split(":") for line in text.splitlines()] for text in (passwd, group, shadow)))

    def render(self) -> tuple[str, str, str]:
        texts = ("".join(":".join(row) + "\n" for row in rows) for rows in (self.passwd, self.group, self.shadow))
        passwd, group, shadow = texts
        return passwd, group, shadow

    def row(self, name: str) -> list[str] | None:
        return _find(self.passwd, name)


def _find(rows: t.Iterable[list[str]], name: str) -> list[str] | None:
    return next((row for row in rows if row[0] == name), None)


def _free(accounts: Accounts) -> int:
    taken = {row[at] for rows, at in ((accounts.passwd, 2), (accounts.group, 2)) for row in rows if len(row) > at}
    return next(number for number in range(FIRST, FIRST + 60000) if str(number) not in taken)


def _group(accounts: Accounts, name: str, gid: str) -> list[str]:
    row = _find(accounts.group, name)
    if row is None:
        row = [name, "x", gid, ""]
        accounts.group.append(row)
    return row


def _join(accounts: Accounts, user: User) -> None:
    for name in user.groups:
        row = _find(accounts.group, name)
        if row is None:
            raise ClusterError("user %s: the tree has no group %s" % (user.name, name), "install what makes it")
        members = [one for one in row[3].split(",") if one]
        row[3] = ",".join(members if user.name in members else [*members, user.name])


def _owner(accounts: Accounts, uid: str) -> str:
    return next((row[0] for row in accounts.passwd if len(row) > 2 and row[2] == uid), "")


def _account(accounts: Accounts, user: User) -> list[str]:
    row = accounts.row(user.name)
    if row is None:
        uid = str(user.uid or _free(accounts))
        if _owner(accounts, uid):
            raise ClusterError(
                "user %s: uid %s is %s's" % (user.name, uid, _owner(accounts, uid)), "another uid, or none"
            )
        gid = _group(accounts, user.name, uid)[2]
        row = [user.name, "x", uid, gid, "", user.folder, user.shell]
        accounts.passwd.append(row)
    elif user.uid and row[2] != str(user.uid):
        raise ClusterError(
            "user %s has uid %s, not %d" % (user.name, row[2], user.uid), "files in the tree would lose their owner"
        )
    if user.name != "root":
        row[5:7] = [user.home or row[5], user.shell]
    return row


def ensure(accounts: Accounts, user: User) -> list[str]:
    """Bring one account in; its line of passwd."""
    row = _account(accounts, user)
    shadow = _find(accounts.shadow, user.name)
    if shadow is None:
        accounts.shadow.append([user.name, _NO_PASSWORD, "19000", "0", "99999", "7", "", "", ""])
    elif user.login and shadow[1] != _NO_PASSWORD:
        shadow[1] = _NO_PASSWORD
    row[1] = "x"
    _join(accounts, user)
    return row
