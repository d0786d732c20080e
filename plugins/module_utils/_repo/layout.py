# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository as data: which folders there are and what media.cfg says of them. Private to the collection.

Folders below PATH/VERSION, by the rule of Mandriva and Mageia: ``ARCH/media/MEDIUM/SECTION``,
``ARCH/media/debug/MEDIUM/SECTION`` and ``SRPMS/MEDIUM/SECTION``.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

Options = t.Mapping[str, t.Any]
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*$")
_X86_32 = ("i386", "i486", "i586", "i686", "athlon")
_RESERVED = ("debug", "media_info")
BINARY, DEBUG, SOURCE = "binary", "debug", "source"


@dataclass(frozen=True)
class Folder:
    """One medium: its place below PATH/VERSION, and what it is for. ``arch`` is SRPMS for sources."""

    kind: str
    arch: str
    medium: str
    section: str

    @property
    def target(self) -> str:
        return "%s/%s" % (self.medium, self.section)

    @property
    def rel(self) -> str:
        if self.kind == SOURCE:
            return "SRPMS/" + self.target
        return "%s/media/%s%s" % (self.arch, "debug/" if self.kind == DEBUG else "", self.target)


@dataclass(frozen=True)
class Layout:
    """The options of a tree, checked; ``options`` as in the module's documentation."""

    options: Options

    @property
    def root(self) -> str:
        """PATH/VERSION."""
        return os.path.join(os.path.normpath(str(self.options["path"])), str(self.options["version"]))

    @property
    def archive(self) -> str:
        return t.cast(str, self.options["archive"]) or os.path.join(self.root, "archive")

    @property
    def work(self) -> str:
        """Lock and journal; hidden, so that no mirror copies it."""
        return os.path.join(self.root, ".publish")

    @property
    def arches(self) -> list[str]:
        return list(self.options["arches"])

    @property
    def media(self) -> list[Options]:
        return list(self.options["media"])

    @property
    def targets(self) -> list[str]:
        """Every MEDIUM/SECTION in the order of the options."""
        return ["%s/%s" % (medium["name"], section) for medium in self.media for section in medium["sections"]]

    def path(self, rel: str) -> str:
        return os.path.join(self.root, rel)

    def medium(self, target: str) -> Options:
        return next(medium for medium in self.media if medium["name"] == target.partition("/")[0])

    def check_target(self, target: str, option: str) -> None:
        if target not in self.targets:
            raise ClusterError(
                "%s: the tree has no section %s" % (option, target), "it has: %s" % ", ".join(self.targets)
            )

    def folders(self, target: str = "") -> list[Folder]:
        """The media of a section, of all architectures; without ``target`` of the whole tree."""
        found = []
        for arch in self.arches:
            found += [folder for folder in self.of_arch(arch) if target in ("", folder.target)]
        if self.options["sources"]:
            found += [Folder(SOURCE, "SRPMS", *one.split("/")) for one in self.targets if target in ("", one)]
        return found

    def of_arch(self, arch: str) -> list[Folder]:
        """The binary media of an architecture, then those of debug packages."""
        binary = [Folder(BINARY, arch, *target.split("/")) for target in self.targets]
        return binary + [Folder(DEBUG, arch, *one.split("/")) for one in self.targets if self.medium(one)["debug"]]

    def arch_of(self, name: str) -> str:
        """The folder for packages of an architecture: itself, or that of the same 32-bit family; empty for none."""
        if name in self.arches:
            return name
        family = [arch for arch in self.arches if arch in _X86_32] if name in _X86_32 else []
        return family[0] if family else ""

    @property
    def arch_32bit(self) -> str:
        return next((arch for arch in self.arches if arch in _X86_32), "")

    def noauto(self, target: str) -> bool:
        medium, section = self.medium(target), target.partition("/")[2]
        listed = medium["noauto"]
        return section not in ("release", "updates") if listed is None else section in listed

    def needs(self, target: str) -> list[str]:
        """The sections whose packages those of ``target`` may need: release and updates of its media, and itself."""
        own = self.medium(target)["name"]
        names = [own, *(self.medium(target)["requires"] or [medium["name"] for medium in self.media])]
        section = target.partition("/")[2]
        wanted = ("release",) if section == "release" else ("release", "updates")
        found = [
            "%s/%s" % (medium["name"], part)
            for medium in self.media
            if medium["name"] in names
            for part in medium["sections"]
            if part in wanted
        ]
        return list(dict.fromkeys([*found, target]))


def _twice(what: str, values: t.Sequence[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ClusterError("tree.%s: %s is there twice" % (what, value), "keep one")


def _words(what: str, values: t.Sequence[str]) -> None:
    for value in values:
        if not _WORD.match(value) or value in _RESERVED:
            raise ClusterError("tree.%s: %r is no name of a folder" % (what, value), "use letters, digits and ._+-")
    _twice(what, list(values))


def parse_layout(options: Options) -> Layout:
    """ClusterError names the option that is wrong."""
    layout = Layout(options)
    _words("version", [options["version"]])
    _words("arches", options["arches"])
    _words("media", [medium["name"] for medium in options["media"]])
    if not options["arches"] or not options["media"]:
        raise ClusterError("tree: no %s" % ("media" if options["arches"] else "arches"), "list at least one")
    names = [medium["name"] for medium in options["media"]]
    for medium in options["media"]:
        _words("media[%s].sections" % medium["name"], medium["sections"])
        for key in ("noauto", "requires"):
            known = names if key == "requires" else medium["sections"]
            for value in medium[key] or []:
                if value not in known:
                    raise ClusterError("tree.media[%s].%s: there is no %s" % (medium["name"], key, value), "")
    return layout


def _global_lines(layout: Layout, arch: str) -> list[str]:
    options = layout.options
    lines = ["[media_info]", "mediacfg_version=2", "version=%s" % options["version"], "branch=%s" % options["branch"]]
    lines += ["arch=%s" % arch, "product=%s" % options["product"], "xml-info=%d" % options["xml_info"]]
    extra = {"vendor": options["vendor"], "distribution": options["distribution"], "type": options["type"]}
    return lines + ["%s=%s" % (key, value) for key, value in extra.items() if value]


def _title(layout: Layout, target: str) -> str:
    medium = layout.medium(target)
    return "%s %s" % (medium["title"] or medium["name"].capitalize(), target.partition("/")[2].capitalize())


def _section(layout: Layout, folder: Folder, prefix: str = "", note: str = "") -> list[str]:
    target, medium = folder.target, layout.medium(folder.target)
    place = {BINARY: target, DEBUG: "debug/" + target, SOURCE: "../../SRPMS/" + target}[folder.kind]
    kind = {BINARY: "", DEBUG: " Debug", SOURCE: " Sources"}[folder.kind]
    lines = ["", "[%s%s]" % (prefix, place), "name=%s%s%s" % (_title(layout, target), note, kind)]
    if folder.kind == BINARY and not prefix and layout.options["sources"]:
        lines.append("srpms=../../SRPMS/" + target)
    if folder.kind == SOURCE:
        lines.append("rpms=" + target)
    if folder.kind == DEBUG:
        lines.append("debug_for=" + target)
    base = medium["updates_for"].get(folder.section)
    if base and base in medium["sections"] and folder.kind != SOURCE:
        lines.append("updates_for=%s%s/%s" % ("debug/" if folder.kind == DEBUG else "", folder.medium, base))
    lines += ["media_type=" + ":".join(medium["media_type"])] if medium["media_type"] else []
    return lines + (["noauto=1"] if folder.kind != BINARY or prefix or layout.noauto(target) else [])


def foreign(layout: Layout, arch: str) -> list[tuple[str, str, str]]:
    """Media of other distributions: section of media.cfg, name, path of the folder."""
    base = os.path.join(layout.root, arch, "media")
    found = []
    for other in layout.options["based_on"]:
        for target in other["media"]:
            path = os.path.join(other["path"], arch, "media", target)
            title = "%s %s" % (other["name"], target.replace("/", " ").title())
            found.append((os.path.relpath(path, base), title, path))
    return found


def mediacfg_text(layout: Layout, arch: str) -> str:
    """media.cfg of one architecture; sizes are added by the plan of its tree."""
    lines = _global_lines(layout, arch)
    for folder in layout.of_arch(arch):
        lines += _section(layout, folder)
    if layout.options["sources"]:
        for target in layout.targets:
            lines += _section(layout, Folder(SOURCE, "SRPMS", *target.split("/")))
    other = layout.arch_32bit
    if arch == "x86_64" and other and layout.options["media_32bit"]:
        for target in layout.targets:
            folder = Folder(BINARY, other, *target.split("/"))
            lines += _section(layout, folder, "../../%s/media/" % other, " 32bit")
    for section, title, _path in foreign(layout, arch):
        lines += ["", "[%s]" % section, "name=%s" % title, "media_type=base_distro", "noauto=1"]
    return "\n".join(lines) + "\n"
