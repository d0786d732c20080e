# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user wants of the media of a client. This module util is private to the collection.

Entries of the option ``media`` become one :class:`Wanted` per medium; a distribution tree is looked into.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field, replace

from .._host.errors import ClusterError
from .._host.host import Host
from .._media.mediacfg import MediaCfg, Medium, media_of, parse_mediacfg
from .._media.urpmicfg import Options, UrpmiCfg
from .keys import key_ids_of
from .mirrors import mirrors_of
from .source import Login, Source, machine_of, scheme, split_login

Entry = t.Mapping[str, t.Any]

SCHEMES = ("path", "file", "http", "https", "ftp", "rsync", "ssh", "cdrom", "removable")
FLAGS = ("update", "ignore", "virtual")
TEXTS = {"with_dir": "with-dir", "mirrorlist": "mirrorlist", "xml_info": "xml-info"}
_BAD_NAME = re.compile(r"[/\x00-\x1f\x7f]|^[#{}]|^\s|\s$|\\$|^\.{1,2}$", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """One medium. ``options`` are to be set, those in ``unset`` must not be; others stay as they are.

    ``url`` None leaves the URL alone. ``key`` is the content of the file ``pubkey``, to be written there if
    ``write_key``. Smaller ``priority`` comes first in the file.
    """

    name: str
    url: str | None = None
    options: t.Mapping[str, t.Optional[str]] = field(default_factory=dict)
    unset: frozenset[str] = frozenset()
    state: str = "present"
    priority: int | None = None
    login: Login | None = None
    pubkey: str = ""
    key: bytes = b""
    write_key: bool = False


def check_name(name: str) -> None:
    """ClusterError unless urpmi can keep a medium of that name."""
    if not name or _BAD_NAME.search(name):
        raise ClusterError(
            "medium %r: such a name cannot be kept" % name,
            "no '/', no control characters, no blanks or backslash at the ends, no '#', '{' or '}' in front",
        )


def clean_url(url: str, where: str) -> str:
    """The URL as urpmi keeps it; ClusterError for a relative one or one of an unknown kind."""
    if scheme(url) not in SCHEMES or re.search(r"[\x00-\x1f\x7f]|\\$", url):
        kinds = ", ".join(SCHEMES[1:])
        raise ClusterError("%s: bad url %r" % (where, split_login(url)[0]), "an absolute path or a URL of " + kinds)
    return url.rstrip("/") or "/"


def _login(entry: Entry, url: str, where: str) -> tuple[str, Login | None]:
    """The URL without password and the login, from the URL or from username and password."""
    bare, login = split_login(url)
    user, password = entry.get("username"), entry.get("password")
    if not user:
        return bare, login
    if scheme(bare) not in ("http", "https", "ftp"):
        raise ClusterError("%s: username is for http, https and ftp" % where, "leave username and password out")
    parts = urllib.parse.urlsplit(bare)
    machine = machine_of(bare)
    bare = parts._replace(netloc="%s@%s" % (urllib.parse.quote(user, safe=""), machine)).geturl()
    return bare, Login(machine, user, password) if password else login


def _short_ids(ids: t.Iterable[str], where: str) -> str:
    for one in ids:
        if not re.fullmatch(r"(0x)?([0-9A-Fa-f]{8}|[0-9A-Fa-f]{16}|[0-9A-Fa-f]{40})", one):
            raise ClusterError("%s: %r is no key id" % (where, one), "8, 16 or 40 hex digits")
    return ",".join(sorted({one.lower()[-8:] for one in ids}))


def _options(entry: Entry, where: str, host: Host) -> tuple[Options, set[str]]:
    """What to set and what to take away."""
    options: Options = {}
    unset: set[str] = set()
    for key in FLAGS:
        if entry.get(key) is not None:
            options.update({key: None}) if entry[key] else unset.add(key)
    for key, name in TEXTS.items():
        if entry.get(key) is not None:
            options.update({name: _one_line(entry[key], where, key)}) if entry[key] else unset.add(name)
    if entry.get("verify_rpm") is not None:
        options["verify-rpm"] = "1" if entry["verify_rpm"] else "0"
    ids = entry.get("key_ids")
    if entry.get("pubkey"):
        ids = [*(ids or []), *key_ids_of(_pubkey(entry, where, host), entry["pubkey"])]
    if ids is not None:
        options.update({"key-ids": _short_ids(ids, where)}) if ids else unset.add("key-ids")
    return options, unset


def _one_line(value: str, where: str, key: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value) or value != value.strip() or value[:1] in "'\"":
        raise ClusterError("%s: %s cannot be %r" % (where, key, value), "one line, no blanks or quotes at its ends")
    return value


def _pubkey(entry: Entry, where: str, host: Host) -> bytes:
    """The key, from its text or from its file."""
    path, text = entry.get("pubkey") or "", str(entry.get("pubkey_content") or "")
    if text:
        return (text.rstrip("\n") + "\n").encode()
    data = host.read(path) if path else b""
    if data is None:
        raise ClusterError("%s: the pubkey %s does not exist" % (where, path), "copy it to the host first")
    return data


def _made(entry: Entry, one: Wanted, where: str, host: Host) -> Wanted:
    """With what is the same for single media and those of a tree."""
    path, text = entry.get("pubkey") or "", entry.get("pubkey_content")
    if text and not path:
        raise ClusterError("%s: pubkey_content has no place" % where, "give pubkey, the path to write it to")
    key = _pubkey(entry, where, host) if path else b""
    return replace(
        one, state=entry["state"], priority=entry["priority"], pubkey=path, key=key, write_key=bool(text and path)
    )


def _single(entry: Entry, host: Host) -> Wanted:
    name = entry.get("name") or ""
    check_name(name)
    where = "medium %r" % name
    if entry["state"] == "absent":
        return Wanted(name, state="absent")
    if entry.get("url") and entry.get("mirrorlist"):
        raise ClusterError("%s has url and mirrorlist" % where, "keep one of them")
    url, login = (None, None)
    options, unset = _options(entry, where, host)
    if entry.get("url"):
        url, login = _login(entry, clean_url(entry["url"], where), where)
        unset.add("mirrorlist")
    elif entry.get("mirrorlist"):
        url = ""
    return _made(entry, Wanted(name, url, options, frozenset(unset), login=login), where, host)


def _read_tree(roots: t.Sequence[str], source: Source) -> MediaCfg:
    """media.cfg of the first place that has one."""
    told: list[str] = []
    for root in roots:
        path = root.rstrip("/") + "/media/media_info/media.cfg"
        try:
            data = source.read(path)
        except ClusterError as error:
            told.append(error.message)
            continue
        if data is not None:
            return parse_mediacfg(data.decode("utf-8", "replace"), path)
        told.append("%s holds no distribution" % root)
    raise ClusterError("; ".join(told), "a distribution has media/media_info/media.cfg; check the URL and the server")


def _tree(entry: Entry, source: Source, cfg: UrpmiCfg, host: Host) -> list[Wanted]:
    """The media of a distribution; those of an absent one are told by their URLs, as its server may be gone."""
    mirrorlist = entry.get("mirrorlist") or ""
    if bool(entry.get("url")) == bool(mirrorlist):
        raise ClusterError("a distrib entry has one of url and mirrorlist", "give its url, or its mirrorlist")
    if mirrorlist:
        base, login = "", None
    else:
        where = "distrib"
        base, login = _login(entry, clean_url(entry["url"], where), where)
    if entry["state"] == "absent":
        return [Wanted(name, state="absent") for name in _below(cfg, base, mirrorlist)]
    if login is not None:
        source.logins[login.machine] = login
    roots = [base] if base else mirrors_of(mirrorlist, source, host, entry["root"])
    tree = _read_tree(roots, source)
    return [
        _of_tree(entry, tree, medium, base, login, host)
        for medium in media_of(tree)
        if entry.get("sources") or not tree.get(medium.section, "rpms")
    ]


def _below(cfg: UrpmiCfg, base: str, mirrorlist: str) -> list[str]:
    if mirrorlist:
        return [name for name, medium in cfg.media.items() if medium.options.get("mirrorlist") == mirrorlist]
    return [name for name, medium in cfg.media.items() if medium.url.startswith(base.rstrip("/") + "/media/")]


def _of_tree(entry: Entry, tree: MediaCfg, medium: Medium, base: str, login: Login | None, host: Host) -> Wanted:
    name = "%s (%s)" % (medium.name, entry["name"]) if entry.get("name") else medium.name
    where = "medium %r of %s" % (name, tree.name)
    check_name(name)
    own = {**entry, "mirrorlist": None, "with_dir": None}
    own["ignore"] = medium.noauto if entry.get("ignore") is None else entry["ignore"]
    own["update"] = bool(tree.get(medium.section, "updates_for")) if entry.get("update") is None else entry["update"]
    options, unset = _options(own, where, host)
    url = posixpath.join(base, medium.folder)
    if not base:
        url = ""
        options.update({"mirrorlist": entry["mirrorlist"], "with-dir": medium.folder})
    return _made(entry, Wanted(name, url, options, frozenset(unset), login=login), where, host)


def wanted_media(
    entries: t.Iterable[Entry], source: Source, cfg: UrpmiCfg, host: Host, root: str = "/"
) -> list[Wanted]:
    """One item per medium, in the order of the entries; ClusterError when two of them have one name."""
    found: dict[str, Wanted] = {}
    for entry in entries:
        more = _tree({**entry, "root": root}, source, cfg, host) if entry.get("distrib") else [_single(entry, host)]
        for one in more:
            if one.name in found and found[one.name] != one:
                raise ClusterError("medium %r is there twice in media" % one.name, "give each its own name")
            found[one.name] = one
    return list(found.values())
