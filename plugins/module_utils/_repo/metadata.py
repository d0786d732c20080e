# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metadata of a tree: plans for every medium and for what stands above them. Private to the collection."""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t
from dataclasses import dataclass, field, replace

from .._host.errors import ClusterError
from .._host.fileset import FilePlan, plan_files
from .._host.host import File, Host
from .._media.distrib import FILE_DEPS, TopPlan, Tree, apply_top, parse_file_deps, plan_top
from .._media.md5sum import parse_md5sum
from .._media.mediacfg import media_of, parse_mediacfg
from .._media.mediainfo import MediaPlan, plan_media, remember, switch_media
from .._media.options import HDLIST, MD5SUM, PUBKEY, Options
from .._media.repodata import plan_repodata, run_repodata
from .._media.scan import Overlay, State, scan
from .._media.settle import settled
from .._sign.pen import Pen
from .layout import Folder, Layout, foreign, mediacfg_text
from .signing import SUMS, add_signatures, beside, signature

TIMESTAMP = "timestamp"


@dataclass
class Metadata:
    """Plans by folder below PATH/VERSION, the createrepo_c command of each, and those of the architectures.

    ``resign`` are files that stay as they are and get another signature.
    """

    media: dict[str, MediaPlan] = field(default_factory=dict)
    repodata: dict[str, list[str]] = field(default_factory=dict)
    tops: dict[str, TopPlan] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    resign: list[str] = field(default_factory=list)

    def changes(self, rel: str) -> bool:
        return self.media[rel].changed or bool(self.repodata.get(rel)) or rel in self.made

    @property
    def changed(self) -> bool:
        media = any(self.changes(rel) for rel in self.media)
        return media or bool(self.resign) or any(top.changed for top in self.tops.values())

    def rows(self) -> dict[str, dict[str, t.Any]]:
        """What happens to each medium that changes, by folder."""
        found = {}
        for rel in sorted(self.media):
            if self.changes(rel):
                plan = self.media[rel]
                found[rel] = {"changed": True, "packages": plan.packages, **plan.names()}
        return found

    def files(self) -> list[str]:
        tops = [path for top in self.tops.values() for path in top.paths()]
        return sorted([*tops, *(beside(path) for path in self.resign)])

    def actions(self) -> list[list[str]]:
        return [self.repodata[rel] for rel in sorted(self.repodata) if self.repodata[rel]]

    def warnings(self) -> list[str]:
        return ["%s: %s" % (rel, line) for rel in sorted(self.media) for line in self.media[rel].warnings]


def pubkey_of(layout: Layout, host: Host, dry: bool) -> bytes | None:
    """The armored keys for the media; a key that an earlier task would make is not missed in check mode."""
    path = layout.options["pubkey"]
    content = host.read(path) if path else None
    if path and content is None and not dry:
        raise ClusterError("tree.pubkey: %s does not exist" % path, "export the key with gpg --armor --export")
    return content


def _options(layout: Layout, folder: Folder, pubkey: bytes | None, host: Host) -> Options:
    options = layout.options
    deps = host.read(layout.path("%s/media/media_info/%s" % (folder.arch, FILE_DEPS))) or b""
    return Options(
        path=layout.path(folder.rel),
        xml_info=options["xml_info"],
        hdlist=options["hdlist"],
        synthesis=options["compression"].get("synthesis") or "gzip",
        xml=options["compression"].get("xml_info") or "lzma",
        file_deps=parse_file_deps(deps),
        line_limit=options["line_limit"],
        weak_tag=options["weak_dependencies"].encode(),
        allow_empty=True,
        pubkey=pubkey,
    )


def _plan_medium(options: Options, overlay: Overlay, host: Host) -> MediaPlan:
    if os.path.isdir(options.path):
        return plan_media(options, host, overlay)
    with tempfile.TemporaryDirectory() as empty:
        plan = plan_media(replace(options, path=empty), host, overlay)
    return replace(plan, options=options)


def _foreign_plan(path: str, host: Host) -> MediaPlan:
    """A medium of somebody else, for its names and digests only."""
    place = os.path.join(path, "media_info", MD5SUM)
    data = host.read(place)
    if data is None:
        raise ClusterError("tree.based_on: %s does not exist" % place, "name a medium of urpmi, or leave it out")
    digests = parse_md5sum(data, place)
    return MediaPlan(Options(path, hdlist=HDLIST in digests), State(outputs=digests))


def plan_metadata(
    layout: Layout,
    host: Host,
    adds: t.Mapping[str, str],
    drops: t.Collection[str],
    dry: bool = False,
    pen: Pen | None = None,
) -> Metadata:
    """Plan all media as they are with ``adds`` (path below PATH/VERSION to file) and without ``drops``.

    ``pen`` signs what is new; nothing is signed when ``dry``.
    """
    found = Metadata()
    pubkey = pubkey_of(layout, host, dry)
    for folder in layout.folders():
        rel = folder.rel
        overlay = Overlay(
            {os.path.basename(path): source for path, source in adds.items() if os.path.dirname(path) == rel},
            _names(drops, rel),
        )
        found.media[rel] = _plan_medium(_options(layout, folder, pubkey, host), overlay, host)
        if layout.options["repodata"]:
            found.media[rel], found.repodata[rel] = plan_repodata(found.media[rel], host)
        if not os.path.isdir(layout.path(rel)):
            found.made.append(rel)
    for arch in layout.arches:
        found.tops[arch] = _plan_top(layout, arch, found, host)
    if pen is not None:
        add_signatures(found, layout, pen, dry)
    return found


def _plan_top(layout: Layout, arch: str, found: Metadata, host: Host) -> TopPlan:
    path = layout.path(arch)
    cfg = parse_mediacfg(mediacfg_text(layout, arch), os.path.join(path, "media", "media_info", "media.cfg"))
    media = tuple(media_of(cfg))
    strangers = {section: _foreign_plan(place, host) for section, _name, place in foreign(layout, arch)}
    plans = {}
    for medium in media:
        rel = os.path.normpath(os.path.join(arch, medium.folder))
        plans[medium.section] = strangers.get(medium.section) or found.media[rel]
    return plan_top(Tree(path, cfg, media), plans, host)


def make_folders(layout: Layout) -> None:
    """The folders of all media."""
    for folder in layout.folders():
        os.makedirs(layout.path(folder.rel), exist_ok=True)
    for arch in layout.arches:
        os.makedirs(layout.path("%s/media/media_info" % arch), exist_ok=True)


def settle_metadata(
    found: Metadata, layout: Layout, moved: t.Collection[str], drops: t.Collection[str] = ()
) -> Metadata | None:
    """The plans for the files as they are now, without ``drops``; ``moved`` are all that was touched since the plan.

    Both hold paths below PATH/VERSION. None when a medium holds something else than was planned.
    """
    media = {}
    for rel, plan in found.media.items():
        now = settled(plan, scan(layout.path(rel), Overlay(drops=_names(drops, rel))), _names(moved, rel))
        if now is None:
            return None
        media[rel] = now
    return replace(found, media=media)


def _names(paths: t.Iterable[str], folder: str) -> set[str]:
    return {os.path.basename(path) for path in paths if os.path.dirname(path) == folder}


def remembered(found: Metadata) -> Metadata:
    """The same plans, carried out."""
    return replace(found, media={rel: replace(plan, known=True) for rel, plan in found.media.items()})


def remember_metadata(found: Metadata) -> None:
    """Only the marks of the packages are new; the metadata stay."""
    for plan in found.media.values():
        remember(plan)


def apply_metadata(found: Metadata, host: Host, pen: Pen | None = None) -> None:
    """Switch every medium that changes, then what stands above them."""
    for rel, plan in found.media.items():
        if plan.changed or found.repodata.get(rel) or not plan.known:
            switch_media(plan)
            run_repodata(plan, found.repodata.get(rel, ()), host, pen.sign if pen else None)
            remember(plan)
    for top in found.tops.values():
        apply_top(top, host)
    if pen is not None:
        content = {path: host.read(path) or b"" for path in found.resign}
        host.write_files({beside(path): File(signature(pen, data, path)) for path, data in content.items()})


def _summed(layout: Layout) -> list[str]:
    """Files below PATH/VERSION by which the rest is known: what clients and mirrors verify first."""
    found = ["%s/media/media_info/%s" % (arch, name) for arch in layout.arches for name in ("media.cfg", MD5SUM)]
    for folder in layout.folders():
        found += ["%s/media_info/%s" % (folder.rel, name) for name in (MD5SUM, PUBKEY)]
        found.append("%s/repodata/repomd.xml" % folder.rel)
    return sorted(found)


def plan_sums(layout: Layout, host: Host) -> FilePlan:
    """SHA256SUMS of what is there now."""
    rows = []
    for rel in _summed(layout):
        content = host.read(layout.path(rel))
        if content is not None:
            rows.append("%s  %s\n" % (hashlib.sha256(content).hexdigest(), rel))
    return plan_files(host, {layout.path(SUMS): File("".join(rows).encode())})


def write_sums(layout: Layout, host: Host, now: float, pen: Pen | None = None) -> None:
    """SHA256SUMS with its signature or with none, then the time by which mirrors know how old they are."""
    plan, path = plan_sums(layout, host), layout.path(SUMS)
    if plan.changed:
        signed = {beside(path): File(signature(pen, plan.writes[path].content, path))} if pen else {}
        if not pen:
            host.remove(beside(path))
        host.write_files({**signed, **plan.writes})
    host.write_files({layout.path(TIMESTAMP): File(b"%d\n" % int(now))})
