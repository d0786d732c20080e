# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot menu of a disc and the programs that show it. This module util is private to the collection.

BIOS: isolinux reads ``isolinux/isolinux.cfg``. UEFI: the firmware starts ``EFI/BOOT/BOOTX64.EFI`` from the FAT image
``isolinux/efiboot.img``, or from the disc itself; it finds the disc by the file ``boot/grub/disc.ID`` and reads
``boot/grub/grub.cfg``.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._host.errors import ClusterError

ISOLINUX, CATALOG, EFI_IMAGE = "isolinux/isolinux.bin", "isolinux/boot.cat", "isolinux/efiboot.img"
EFI_PROGRAM = "EFI/BOOT/BOOTX64.EFI"
BIOS_MODULES = ("ldlinux.c32", "libcom32.c32", "libutil.c32", "menu.c32")
GRUB_MODULES: tuple[str, ...] = ("normal", "configfile", "linux", "iso9660", "fat", "part_gpt", "part_msdos", "search")
GRUB_MODULES += ("search_fs_file", "echo", "test", "ls", "serial", "terminal", "all_video", "reboot", "halt", "sleep")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_PATH = re.compile(r"/[A-Za-z0-9._+/-]+")
# isolinux reads the names of ISO 9660 itself, and others come out changed there.
_ISO_PATH = re.compile(r"(/[A-Za-z0-9_]{1,31})*/[A-Za-z0-9_]{1,20}(\.[A-Za-z0-9_]{1,8})?")


@dataclass(frozen=True)
class Entry:
    """One line of the menu. ``kernel`` and ``initrd`` are paths on the disc, ``append`` the kernel's command line."""

    name: str
    label: str
    kernel: str
    initrd: str = ""
    append: str = ""


@dataclass(frozen=True)
class Menu:
    """``timeout`` in seconds, 0 to wait for ever; ``serial`` is the speed of the first serial port, 0 for none."""

    entries: tuple[Entry, ...]
    title: str = ""
    timeout: int = 10
    serial: int = 0


def _one_line(text: str, what: str) -> str:
    if not text.isprintable():
        raise ClusterError("%s: %r has a line end or another sign that cannot be shown" % (what, text), "one line each")
    return text


def parse_menu(params: t.Mapping[str, t.Any]) -> Menu:
    """The menu that options tell; ClusterError names the entry."""
    entries: list[Entry] = []
    for one in params["entries"]:
        name = str(one["name"])
        if not _NAME.fullmatch(name) or name in [entry.name for entry in entries]:
            raise ClusterError("bad or repeated name %r of a boot entry" % name, "letters, digits, - and _, each once")
        label = _one_line(str(one["label"] or name), "entry %s: label" % name)
        append = _one_line(" ".join(one["append"].split(" ")), "entry %s: append" % name)
        for option in ("kernel", "initrd"):
            path = one[option] or ""
            if (path or option == "kernel") and (not _PATH.fullmatch(path) or "/../" in path):
                raise ClusterError(
                    "entry %s: %s: %r is no path on the disc" % (name, option, path), "as in /boot/vmlinuz"
                )
            if path and "bios" in params["loaders"] and not _ISO_PATH.fullmatch(path):
                raise ClusterError(
                    "entry %s: %s: isolinux cannot read %s" % (name, option, path),
                    "letters, digits and _ with at most one dot, as in /boot/initrd.gz",
                )
        entries.append(Entry(name, label, one["kernel"], one["initrd"] or "", append))
    if not entries:
        raise ClusterError("the boot menu has no entry", "give at least one with a kernel")
    return Menu(tuple(entries), _one_line(params["title"] or "", "title"), params["timeout"], params["serial"] or 0)


def render_isolinux(menu: Menu) -> str:
    """isolinux.cfg."""
    lines = ["SERIAL 0 %d" % menu.serial] if menu.serial else []
    lines += ["UI menu.c32", "PROMPT 0", "TIMEOUT %d" % (menu.timeout * 10), "DEFAULT %s" % menu.entries[0].name]
    lines += ["MENU TITLE %s" % menu.title] if menu.title else []
    for one in menu.entries:
        lines += ["", "LABEL %s" % one.name, "  MENU LABEL %s" % one.label, "  KERNEL %s" % one.kernel]
        lines += ["  INITRD %s" % one.initrd] if one.initrd else []
        lines += ["  APPEND %s" % one.append] if one.append else []
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'%s'" % text.replace("'", "'\\''")


def _words(text: str) -> str:
    """A command line whose words GRUB hands on as they are."""
    return "".join(" " + (word if re.fullmatch(r"[\w.,:=/@%+-]+", word) else _quoted(word)) for word in text.split())


def render_grub(menu: Menu) -> str:
    """grub.cfg."""
    lines = ["set default=0", "set timeout=%d" % (menu.timeout or -1)]
    if menu.serial:
        lines += ["serial --unit=0 --speed=%d" % menu.serial, "terminal_input serial console"]
        lines += ["terminal_output serial console"]
    lines += ["echo %s" % _quoted(menu.title)] if menu.title else []
    for one in menu.entries:
        lines += ["", "menuentry %s --id %s {" % (_quoted(one.label), one.name)]
        lines += ["  linux %s%s" % (one.kernel, _words(one.append))]
        lines += ["  initrd %s" % one.initrd] if one.initrd else []
        lines += ["}"]
    return "\n".join(lines) + "\n"


def disc_mark(grub: str) -> str:
    """The file by which GRUB tells this disc from others."""
    return "boot/grub/disc.%s" % hashlib.sha256(grub.encode()).hexdigest()[:16]


def render_early(mark: str) -> str:
    """What the EFI program does first."""
    return (
        "search --no-floppy --set=root --file /%s\nset prefix=($root)/boot/grub\n"
        "configfile ($root)/boot/grub/grub.cfg\n" % mark
    )
