# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is declared, what the files say and what runs to one guest's steps. Private to the collection."""

from __future__ import annotations

from dataclasses import replace

from .._host.errors import ClusterError
from .._host.host import Host
from .compare import Changes, compare
from .config import Config, parse, render
from .facts import as_config, normal, of_file, of_live, opaque
from .guest import check_values, wanted
from .steps import UP, Guest, Step, anew, steps_of
from .wish import Settings, Wish
from .xl import Dom0, Live
from .xm_keys import DROPPED, NETWORK, RENAMED

NOTE = "Managed by the module xtreemos.cluster.xen_domain: changes made here are overwritten."


def _old(wish: Wish, content: bytes | None) -> Config | None:
    """The file as it is, None without one; ClusterError when xl could not read it or it is another guest's."""
    if content is None:
        return None
    config = parse(content.decode("utf-8", "replace"), wish.path)
    check_values(config, wish.path)
    if config.values["name"] != wish.name:
        raise ClusterError(
            "%s is the file of guest %s, not %s" % (wish.path, config.values["name"], wish.name), "correct name or path"
        )
    return config


def _ignored(config: Config, path: str) -> list[str]:
    """Keys that were xm's and that xl does not read."""
    found = [key for key in config.values if key in DROPPED or key in NETWORK or key in RENAMED]
    return ["%s: xl ignores %s; import_config translates it" % (path, ", ".join(sorted(found)))] if found else []


def _configured(wish: Wish, live: Live | None, host: Host, settings: Settings) -> Guest:
    """The guest with its files before and after."""
    content = host.read(wish.path)
    guest = Guest(wish, live, exists=content is not None, warnings=wish.warnings)
    if not wish.described and wish.state not in UP and wish.autostart is None:
        return guest
    old = _old(wish, content)
    new = old
    if wish.described:
        known = old if old is not None and old.values.get("uuid") else None
        new = wanted(wish.entry, known or _known(live, old), settings.seed)
    if new is None:
        return guest
    text = None
    if old is None or normal(old) != normal(new) or (wish.described and old.metadata != new.metadata):
        text = render(new, NOTE)
    return replace(guest, old=old, new=new, text=text, warnings=(*wish.warnings, *_ignored(new, wish.path)))


def _known(live: Live | None, old: Config | None) -> Config | None:
    """Whose UUID and MACs stay, when the file names no UUID."""
    if live is None or not live.config:
        return old
    now = as_config(live.config)
    return Config({**now.values, **({"vif": old.values["vif"]} if old and old.values.get("vif") else {})})


def _check_identity(guest: Guest) -> None:
    mine = str(normal(guest.new).get("uuid") or "") if guest.new else ""
    theirs = guest.live.uuid if guest.live else ""
    if mine and theirs and mine != theirs:
        raise ClusterError(
            "%s runs with the UUID %s, not %s" % (guest.what, theirs, mine), "stop it first, or correct uuid"
        )


def _check_known(guest: Guest) -> None:
    """ClusterError for a guest of which nothing is known: a name that is mistyped must not pass as stopped."""
    if guest.live is None and not guest.exists and guest.new is None and guest.wish.state not in ("absent", "migrated"):
        if guest.wish.state in ("saved", "restored", "resumed"):
            return
        raise ClusterError(
            "%s neither runs nor has a file %s" % (guest.what, guest.wish.path), "correct its name, or describe it"
        )


def _changes(guest: Guest) -> Changes:
    """How what runs differs from the file, when the guest stays as it is otherwise."""
    live = guest.live
    if live is None or not live.config or guest.new is None or guest.does("destroy", "stop", "create", "restore"):
        return Changes()
    hidden = opaque(guest.old, guest.new) if guest.old is not None else []
    return compare(guest.name, of_file(guest.new), of_live(live.config), hidden)


def plan_guest(wish: Wish, dom0: Dom0, host: Host, settings: Settings) -> Guest:
    """All about one guest; ClusterError names it."""
    guest = _configured(wish, dom0.guests.get(wish.name), host, settings)
    _check_known(guest)
    _check_identity(guest)
    steps, warnings = steps_of(guest, host)
    guest = replace(guest, steps=tuple(steps), warnings=(*guest.warnings, *warnings))
    changes = _changes(guest) if wish.state in UP else Changes()
    if changes.restart and settings.restart and wish.state in ("running", "paused"):
        restart = anew(guest, wish.state == "paused")
        return replace(guest, changes=replace(changes, hot=()), steps=tuple(restart))
    hot = [Step("set", argv) for _option, argv in changes.hot]
    return replace(guest, changes=changes, steps=(*guest.steps, *hot))
