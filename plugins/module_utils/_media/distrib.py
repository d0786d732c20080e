# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution tree: what stands above its media. This module util is private to the collection.

``media/media_info`` holds media.cfg, the list ``hdlists``, links to the files of each medium and their MD5SUM;
``VERSION`` and ``product.id`` are at the root.
"""

from __future__ import annotations

import os
import re
import time
import typing as t
from dataclasses import dataclass, field, replace

from .._host.errors import ClusterError
from .._host.files import sweep
from .._host.fileset import FilePlan, apply_files, plan_files
from .._host.host import File, Host
from .md5sum import render_md5sum
from .mediacfg import GLOBAL, MediaCfg, Medium, media_of, parse_mediacfg, render_mediacfg, sized
from .mediainfo import MediaPlan
from .options import HDLIST, MD5SUM, PUBKEY, SIGNATURE, SYNTHESIS, WORK, Options
from .switch import Switch

CFG, HDLISTS, FILE_DEPS = "media.cfg", "hdlists", "file-deps"
VERSION, PRODUCT_ID = "VERSION", "product.id"
_LINK = re.compile(r"(synthesis\.)?hdlist_.+|pubkey_.+|synthesis.+")
_PRODUCT = ("vendor", "distribution", "type", "version", "branch", "release", "arch", "product")
# Keys that only product.id uses: a tree that sets none of them has none.
_OWN_PRODUCT = ("vendor", "distribution", "type", "release")


@dataclass(frozen=True)
class Tree:
    """A tree as its media.cfg describes it."""

    path: str
    cfg: MediaCfg
    media: tuple[Medium, ...]
    file_deps: frozenset[bytes] = frozenset()

    @property
    def folder(self) -> str:
        return os.path.realpath(os.path.join(self.path, "media", "media_info"))

    @property
    def work(self) -> str:
        return os.path.join(os.path.dirname(self.folder), WORK)


def parse_file_deps(data: bytes) -> frozenset[bytes]:
    """Paths, one per line."""
    return frozenset(line.strip() for line in data.split(b"\n") if line.strip().startswith(b"/"))


def read_tree(path: str, host: Host) -> Tree:
    """ClusterError without a media.cfg, or when it does not parse."""
    place = os.path.join(path, "media", "media_info", CFG)
    data = host.read(place)
    if data is None:
        raise ClusterError("%s does not exist" % place, "a tree needs one; without distrib, path is one medium")
    cfg = parse_mediacfg(data.decode("utf-8", "replace"), place)
    media = tuple(media_of(cfg))
    for medium in media:
        if not os.path.isdir(os.path.join(path, medium.folder)):
            raise ClusterError("%s: [%s]: no folder %s" % (place, medium.section, medium.folder), "make it")
    deps = parse_file_deps(host.read(os.path.join(path, "media", "media_info", FILE_DEPS)) or b"")
    return Tree(path, cfg, media, deps)


def filter_kind(cfg: MediaCfg, key: str) -> str:
    """The compressor that a filter such as ``.cz:gzip -9`` names, empty without one."""
    words = cfg.get(GLOBAL, key).partition(":")[2].split()
    return words[0] if words else ""


@dataclass(frozen=True)
class TopPlan:
    """What changes above the media: files and links in media/media_info, files at the root."""

    tree: Tree
    writes: t.Mapping[str, bytes] = field(default_factory=dict)
    links: t.Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    root: FilePlan = field(default_factory=FilePlan)

    @property
    def changed(self) -> bool:
        return bool(self.writes or self.links or self.drops or self.root.changed)

    def paths(self) -> list[str]:
        inside = [os.path.join(self.tree.folder, name) for name in (*self.writes, *self.links, *self.drops)]
        return sorted([*inside, *self.root.paths])


def _has_pubkey(options: Options) -> bool:
    return options.pubkey is not None or os.path.isfile(os.path.join(options.folder, PUBKEY))


def _names(medium: Medium, plan: MediaPlan) -> dict[str, str]:
    """File names in media/media_info to the names in the medium."""
    found = {medium.hdlist: HDLIST} if plan.options.hdlist else {}
    found[medium.synthesis] = SYNTHESIS
    if _has_pubkey(plan.options):
        found[medium.pubkey] = PUBKEY
    return found


def _content(plan: MediaPlan, name: str, host: Host) -> bytes:
    found = plan.writes.get(name)
    return host.read(os.path.join(plan.options.folder, name)) or b"" if found is None else found


def _size(plan: MediaPlan) -> str:
    return sized(sum(entry.size for entry in plan.state.packages))


def render_hdlists(tree: Tree, sizes: t.Mapping[str, str]) -> bytes:
    """One line per medium: file, folder, name, size."""
    rows = [
        "%s%s\t%s\t%s\t(%s)\n"
        % ("noauto:" if medium.noauto else "", medium.hdlist, medium.folder, medium.name, sizes[medium.section])
        for medium in tree.media
    ]
    return "".join(rows).encode()


def render_version(cfg: MediaCfg, newest: int) -> bytes:
    """The line of VERSION; its time (UTC) is that of the newest package, so that the same tree gives the same line."""
    get = cfg.get
    product = "-".join(
        part
        for part in (
            get(GLOBAL, "branch", "cooker"),
            get(GLOBAL, "arch", "noarch"),
            get(GLOBAL, "product", "Download"),
            get(GLOBAL, "tag"),
        )
        if part
    )
    when = time.strftime("%Y%m%d %H:%M", time.gmtime(newest))
    words = (get(GLOBAL, "distribution", "Mandriva Linux"), get(GLOBAL, "version", "cooker"), product, when)
    return (" ".join(words) + "\n").encode()


def render_product_id(cfg: MediaCfg) -> bytes:
    """The line of product.id; empty when media.cfg sets nothing that is its own."""
    values = {key: cfg.get(GLOBAL, key) for key in _PRODUCT}
    if not any(values[key] for key in _OWN_PRODUCT):
        return b""
    for key, value in values.items():
        if "," in value:
            raise ClusterError("%s: %s=%s: a comma cannot be told in product.id" % (cfg.name, key, value), "")
    return (",".join("%s=%s" % (key, value) for key, value in values.items() if value) + "\n").encode()


def _wanted(tree: Tree, plans: t.Mapping[str, MediaPlan], host: Host) -> tuple[dict[str, bytes], dict[str, str]]:
    sizes = {medium.section: _size(plans[medium.section]) for medium in tree.media}
    cfg = tree.cfg
    files: dict[str, bytes] = {HDLISTS: render_hdlists(tree, sizes)}
    links: dict[str, str] = {}
    digests: dict[str, str] = {}
    for medium in tree.media:
        cfg = cfg.set(medium.section, "size", sizes[medium.section])
        plan = plans[medium.section]
        for name, inner in _names(medium, plan).items():
            if medium.copied:
                files[name] = _content(plan, inner, host)
            else:
                target = os.path.join(os.path.normpath(os.path.join(tree.path, medium.folder)), "media_info", inner)
                links[name] = os.path.relpath(target, os.path.join(tree.path, "media", "media_info"))
            if inner != PUBKEY:
                digests[name] = plan.state.outputs[inner]
    files[CFG] = render_mediacfg(cfg).encode()
    files[MD5SUM] = render_md5sum(dict(sorted(digests.items())))
    return files, links


def plan_top(tree: Tree, plans: t.Mapping[str, MediaPlan], host: Host) -> TopPlan:
    """Compare what stands above the media with what the plans of the media (by section) give."""
    files, links = _wanted(tree, plans, host)
    present = host.listdir(tree.folder)
    old = {name: host.readlink(os.path.join(tree.folder, name)) for name in present}
    newest = max((entry.mtime for plan in plans.values() for entry in plan.state.packages), default=0) // 10**9
    root = {VERSION: render_version(tree.cfg, newest), PRODUCT_ID: render_product_id(tree.cfg)}
    wanted = {os.path.join(tree.path, name): File(content) for name, content in root.items() if content}
    writes = {
        name: content
        for name, content in files.items()
        if old.get(name) or host.read(os.path.join(tree.folder, name)) != content
    }
    gone = [name for name in present if old[name] and _LINK.fullmatch(name) and name not in {**links, **files}]
    gone += [SIGNATURE] if MD5SUM in writes and SIGNATURE in present else []
    return TopPlan(
        tree,
        writes,
        {name: target for name, target in links.items() if old.get(name) != target},
        tuple(gone),
        plan_files(host, wanted),
    )


def apply_top(plan: TopPlan, host: Host) -> None:
    """Switch media/media_info, then write the files at the root; the caller holds the lock of the tree."""
    sweep(plan.tree.path, (VERSION, PRODUCT_ID))
    if plan.writes or plan.links or plan.drops:
        Switch(plan.tree.folder, plan.tree.work).apply(plan.writes, plan.links, plan.drops)
    apply_files(plan.root, host)


def medium_options(tree: Tree, medium: Medium, base: Options, xml_info: bool | None) -> Options:
    """The options of one medium of the tree."""
    given = medium.xml_info if xml_info is None else xml_info
    return replace(
        base,
        path=os.path.normpath(os.path.join(tree.path, medium.folder)),
        xml_info=True if given is None else given,
        file_deps=base.file_deps | tree.file_deps,
    )
