# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``media_info/`` of one folder of packages: plan and apply. This module util is private to the collection."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import sweep, write_batch
from .._host.host import Host
from .compose import add_sums, compose, names_of, remembered
from .compress import decompress
from .md5sum import md5
from .options import MD5SUM, OWNED, PUBKEY, SIGNATURE, SYNTHESIS, Options
from .previous import Previous, nvra_of
from .scan import NOTHING, Entry, Overlay, State, parse_state, render_state, scan
from .switch import Switch
from .synthesis import split_records

_VERSIONED = re.compile(r"(\d{8}-\d{6})-(.+)")


@dataclass(frozen=True)
class MediaPlan:
    """What has to be done for one medium. ``writes`` holds only files whose content changes."""

    options: Options
    state: State
    known: bool = True
    writes: t.Mapping[str, bytes] = field(default_factory=dict)
    links: t.Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    before: t.Mapping[bytes, bytes] = field(default_factory=dict)
    after: t.Mapping[bytes, bytes] = field(default_factory=dict)
    packages: int = 0
    skipped: t.Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.writes or self.links or self.drops)

    def names(self) -> dict[str, list[str]]:
        """NVRAs that were added, removed, or are another build than before."""
        old, new = self.before, self.after
        return {
            "added": names_of(new.keys() - old.keys()),
            "removed": names_of(old.keys() - new.keys()),
            "updated": names_of(nvra for nvra in new.keys() & old.keys() if new[nvra] != old[nvra]),
        }


def _current(folder: str, host: Host) -> tuple[dict[str, bytes], dict[str, str]]:
    """The media files as they are: content of files, targets of links."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for name in host.listdir(folder):
        path = os.path.join(folder, name)
        target = host.readlink(path)
        if target is not None:
            if _VERSIONED.fullmatch(name):
                links[name] = target
        elif name in OWNED or name == PUBKEY:
            files[name] = host.read(path) or b""
    return files, links


def _texts(files: t.Mapping[str, bytes], host: Host) -> dict[bytes, bytes]:
    """The records of the present synthesis by NVRA; none when it cannot be read, as it is written anew then."""
    try:
        content = decompress(files.get(SYNTHESIS, b""), SYNTHESIS, host)
        return {nvra_of(text): text for text in split_records(content)}
    except ClusterError:
        return {}


def _links(
    files: t.Mapping[str, bytes], now: t.Mapping[str, bytes], present: t.Mapping[str, str], options: Options
) -> dict[str, str]:
    """Links ``STAMP-NAME``; those that are there stay as long as the files do."""
    if not options.version:
        return {}
    old = {name: target for name, target in present.items() if target in files}
    if set(old.values()) == set(files) and all(now.get(name) == content for name, content in files.items()):
        return old
    return {"%s-%s" % (options.version, name): name for name in files}


def _drops(
    files: t.Mapping[str, bytes], now: t.Mapping[str, bytes], links: t.Iterable[str], options: Options, host: Host
) -> tuple[str, ...]:
    """What leaves the folder; a signature leaves together with the MD5SUM that it is of."""
    outdated = files.get(MD5SUM) != now.get(MD5SUM) and SIGNATURE in host.listdir(options.folder)
    gone = [name for name in now if name in OWNED and name not in files] + [SIGNATURE] * outdated
    return tuple(sorted([*gone, *links]))


def _unchanged(state: State, entries: t.Sequence[Entry], options: Options, digests: t.Mapping[str, str]) -> bool:
    if state.options != options.text() or digests != state.outputs:
        return False
    good = [entry for entry in entries if entry not in state.bad]
    return list(state.packages) == good and len(good) + len(state.bad) == len(entries)


def plan_media(options: Options, host: Host, overlay: Overlay = NOTHING) -> MediaPlan:
    """Compare the packages with the media files; ClusterError when packages are bad or there are none."""
    options.check()
    entries = scan(options.path, overlay)
    if not entries and not options.allow_empty:
        raise ClusterError("no *.rpm found in %s" % options.path, "set allow_empty to write media files all the same")
    state = parse_state(host.read(os.path.join(options.work, "state.json")))
    files, links = _current(options.folder, host)
    digests = {name: md5(content) for name, content in files.items() if name != PUBKEY}
    same_key = options.pubkey is None or files.get(PUBKEY) == options.pubkey
    if same_key and bool(links) == bool(options.version) and _unchanged(state, entries, options, digests):
        skipped = {entry.file: reason for entry, reason in state.bad.items()}
        told = tuple(state.told.get("", ()))
        return MediaPlan(options, state, packages=len(state.packages), skipped=skipped, warnings=told)
    usable = state.options == options.text() and digests == state.outputs and SYNTHESIS in files
    previous = Previous(state, files, options.kinds, host) if usable else None
    state = state if usable else State(repodata=state.repodata)
    return _plan(options, host, entries, state, previous, files, links, overlay)


def _plan(
    options: Options,
    host: Host,
    entries: t.Sequence[Entry],
    state: State,
    previous: Previous | None,
    now: t.Mapping[str, bytes],
    links: t.Mapping[str, str],
    overlay: Overlay,
) -> MediaPlan:
    medium, files = compose(options, entries, state, previous, overlay, host)
    wanted_links = _links(files, now, links, options)
    add_sums(files, wanted_links, options)
    new = remembered(medium, files, entries, options, state)
    return MediaPlan(
        options,
        new,
        known=False,
        writes={name: content for name, content in files.items() if now.get(name) != content},
        links={name: target for name, target in wanted_links.items() if links.get(name) != target},
        drops=_drops(files, now, links.keys() - wanted_links, options, host),
        before=_texts(now, host),
        after={part.known.nvra: part.text for part in medium.parts},
        packages=len(medium.parts),
        skipped=medium.bad,
        warnings=tuple(new.told[""]),
    )


def switch_media(plan: MediaPlan) -> None:
    """Put the new set in place of the old one."""
    switch = Switch(plan.options.folder, plan.options.work)
    switch.repair()
    sweep(plan.options.work)
    if plan.changed:
        switch.apply(plan.writes, plan.links, plan.drops)


def remember(plan: MediaPlan) -> None:
    """Write down what the set was made of; without it the next run reads every package again."""
    if not plan.known:
        write_batch([(os.path.join(plan.options.work, "state.json"), render_state(plan.state), 0o644)])


def apply_media(plan: MediaPlan) -> None:
    """Carry a plan out."""
    switch_media(plan)
    remember(plan)


def plan_removal(options: Options, host: Host) -> MediaPlan:
    """Take the media files away; whatever else is in their folder stays, the public key too."""
    files, links = _current(options.folder, host)
    return MediaPlan(options, State(), drops=_drops({}, files, links, options, host), before=_texts(files, host))
