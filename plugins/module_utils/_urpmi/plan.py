# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run changes on a client, before anything is written. This module util is private to the collection."""

from __future__ import annotations

import os
import stat
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from .._host.fileset import FilePlan, diff_files
from .._host.host import File, Host
from .._media.urpmicfg import Block, UrpmiCfg, parse_urpmicfg, render_urpmicfg
from .beside import masked, parse_netrc, render_list, render_netrc, render_proxy
from .edit import edit, global_options
from .fetch import STATE, SYNTHESIS, Fetched, fetch_all, folder_of, has_synthesis, needs_none, readable
from .keys import import_of, is_imported
from .source import Login, Source, machine_of, scheme
from .wanted import Wanted, wanted_media

Params = t.Mapping[str, t.Any]
Row = t.Dict[str, t.Any]
ETC = "etc/urpmi"
_FLAT = (SYNTHESIS[: -len(".cz")] + ".%s.cz", "MD5SUM.%s", "descriptions.%s", "names.%s")


@dataclass
class Plan:
    """Files to write, stored metadata to write or remove (``gone``: paths), keys to import, a row per medium."""

    old: UrpmiCfg
    new: UrpmiCfg
    wanted: list[Wanted]
    files: FilePlan = field(default_factory=FilePlan)
    fetched: dict[str, Fetched] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    imports: list[list[str]] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.files.changed or self.gone or self.imports or any(one.files for one in self.fetched.values()))

    @property
    def removed(self) -> list[str]:
        return [name for name in self.old.media if name not in self.new.media]

    @property
    def added(self) -> list[str]:
        return [name for name in self.new.media if name not in self.old.media]


def etc(params: Params, name: str) -> str:
    return os.path.join(params["root"], ETC, name)


def _text(host: Host, path: str) -> str:
    return (host.read(path) or b"").decode("utf-8", "surrogateescape")


def read_cfg(params: Params, host: Host) -> UrpmiCfg:
    """urpmi.cfg of the root; a missing one is empty."""
    path = etc(params, "urpmi.cfg")
    return parse_urpmicfg(_text(host, path), path)


def source_for(params: Params, host: Host) -> Source:
    """A reader with the logins that the root has and the proxy that the user gave."""
    logins = {login.machine: login for login in parse_netrc(_text(host, etc(params, "netrc")))}
    proxy = params["proxy"]
    return Source(params["timeout"], logins, None if proxy is None else _proxies(proxy))


def _proxies(proxy: t.Mapping[str, t.Any]) -> dict[str, str]:
    found = {}
    for kinds, url in ((("http", "https"), proxy.get("http")), (("ftp",), proxy.get("ftp"))):
        if url:
            url = url if "://" in url else "http://" + url
            if proxy.get("username"):
                pair = [urllib.parse.quote(proxy.get(key) or "", safe="") for key in ("username", "password")]
                url = url.replace("://", "://%s:%s@" % tuple(pair), 1)
            found.update(dict.fromkeys(kinds, url))
    return found


def _users(cfg: UrpmiCfg) -> set[tuple[str, str]]:
    """Machine and user of every medium that needs a login."""
    remote = [block.url for block in cfg.media.values() if scheme(block.url) not in ("", "path")]
    return {(machine_of(url), urllib.parse.unquote(urllib.parse.urlsplit(url).username or "")) for url in remote}


def _logins(wanted: t.Iterable[Wanted]) -> list[Login]:
    return [one.login for one in wanted if one.login is not None and one.state != "absent"]


def _files(params: Params, plan: Plan, host: Host) -> FilePlan:
    texts = {"urpmi.cfg": render_urpmicfg(plan.new)}
    netrc = _text(host, etc(params, "netrc"))
    texts["netrc"] = render_netrc(netrc, _logins(plan.wanted), _users(plan.old) - _users(plan.new))
    for name, key in (("skip.list", "skip_list"), ("inst.list", "inst_list")):
        if params[key] is not None:
            texts[name] = render_list(_text(host, etc(params, name)), params[key], key)
    if params["proxy"] is not None:
        texts["proxy.cfg"] = render_proxy(_text(host, etc(params, "proxy.cfg")), params["proxy"])
    writes, before = {}, {}
    for name, text in texts.items():
        path = etc(params, name)
        secret = name == "netrc" or (name == "proxy.cfg" and "proxy_user" in text)
        now = host.read(path)
        content = text.encode("utf-8", "surrogateescape")
        open_ = secret and now is not None and _mode(path) & 0o077
        if open_ or content != (now or b""):
            writes[path] = File(content, 0o600 if secret else 0o644)
            before[path] = now or b""
    for path, data in {one.pubkey: one.key for one in plan.wanted if one.write_key}.items():
        if host.read(path) != data:
            writes[path], before[path] = File(data), host.read(path) or b""
    return FilePlan(writes, (), before)


def _mode(path: str) -> int:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0


def _moved(old: Block | None, new: Block) -> bool:
    """Whether what is stored belongs to another place."""
    keys = ("mirrorlist", "with-dir", "with_synthesis")
    return old is None or old.url != new.url or any(old.options.get(key) != new.options.get(key) for key in keys)


def _to_fetch(params: Params, plan: Plan, host: Host) -> list[Block]:
    found = []
    for one in plan.wanted:
        block = plan.new.media.get(one.name)
        if block is None or "ignore" in block.options or needs_none(block):
            continue
        missing = _moved(plan.old.media.get(one.name), block) or not has_synthesis(host, params["root"], one.name)
        if one.state != "latest" and not (missing and params["fetch"]):
            continue
        if readable(block):
            found.append(block)
        else:
            plan.warnings.append("medium %r: %s is left to urpmi.update" % (one.name, block.url.split(":")[0]))
    return found


def _gone(params: Params, plan: Plan, host: Host) -> list[str]:
    """Stored metadata of media that are not there any more."""
    state = os.path.join(params["root"], STATE)
    there = host.listdir(state)
    names = set(plan.removed) | {one.name for one in plan.wanted if one.state == "absent"}
    if params["exclusive"]:
        names |= {name for name in there if host.listdir(os.path.join(state, name), SYNTHESIS)}
    names = {name for name in names - set(plan.new.media) if "/" not in name and name not in ("", ".", "..")}
    flat = {form % name for name in names for form in _FLAT}
    return [os.path.join(state, name) for name in there if name in names | flat]


def _imports(params: Params, plan: Plan, host: Host) -> list[list[str]]:
    keys = {one.pubkey: one.key for one in plan.wanted if one.pubkey}
    if keys and host.which("rpm") is None:
        plan.warnings.append("rpm is missing: no key of %s is imported" % ", ".join(sorted(keys)))
        return []
    root = params["root"]
    return [import_of(path, root) for path, key in sorted(keys.items()) if not is_imported(key, root, host)]


def _row(plan: Plan, name: str) -> Row:
    old, new = plan.old.media.get(name), plan.new.media.get(name)
    got = plan.fetched.get(name)
    files = sorted(got.files) if got else []
    if new is None:
        state = "removed" if old else "absent"
    elif old is None:
        state = "added"
    elif (old.url, old.options) != (new.url, new.options):
        state = "changed"
    else:
        state = "refreshed" if files else "unchanged"
    row: Row = {"changed": state not in ("unchanged", "absent"), "state": state, "files": files}
    if new is not None:
        row.update(url=masked(new.url), options=dict(sorted(new.options.items())))
    if got is not None and got.packages is not None:
        row["packages"] = got.packages
    return row


def _keyless(plan: Plan) -> list[str]:
    """Media whose packages urpmi will refuse to install."""
    found = []
    for one in plan.wanted:
        block = plan.new.media.get(one.name)
        if block is None or "ignore" in block.options or block.options.get("key-ids"):
            continue
        if block.options.get("verify-rpm", plan.new.options.get("verify-rpm")) != "0":
            found.append(one.name)
    text = "no key is known for %s: urpmi refuses to install from there; give pubkey or key_ids"
    return [text % ", ".join(sorted(found))] if found else []


def make_plan(params: Params, host: Host) -> Plan:
    """Everything that a run does; ClusterError before anything is written."""
    source = source_for(params, host)
    old = read_cfg(params, host)
    entries = [{**entry, "state": entry.get("state") or params["state"]} for entry in params["media"]]
    wanted = wanted_media(entries, source, old, host, params["root"])
    source.logins.update({login.machine: login for login in _logins(wanted)})
    plan = Plan(old, edit(old, wanted, params["exclusive"], global_options(params["options"])), wanted)
    plan.fetched = fetch_all(_to_fetch(params, plan, host), source, host, params["root"])
    plan.files = _files(params, plan, host)
    plan.gone = _gone(params, plan, host)
    plan.imports = _imports(params, plan, host)
    names = sorted({*plan.removed, *(one.name for one in wanted)})
    plan.rows = {name: _row(plan, name) for name in names}
    plan.warnings += _keyless(plan)
    return plan


def shown(plan: Plan, params: Params) -> list[dict[str, str]]:
    """Ansible diff entries, without any password."""
    entries = diff_files(plan.files)
    for entry in entries:
        for side in ("before", "after"):
            text = entry[side]
            if entry[side + "_header"] == etc(params, "netrc"):
                entry[side] = "".join("machine %s login %s\n" % one[:2] for one in parse_netrc(text))
            else:
                entry[side] = masked(text)
    for name, got in sorted(plan.fetched.items()):
        if got.files:
            path = folder_of(params["root"], name)
            after = "".join("%s (%d bytes)\n" % (one, len(data)) for one, data in sorted(got.files.items()))
            entries.append({"before_header": path, "after_header": path, "before": "", "after": after})
    return entries
