# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""xorriso: its words, the size it predicts, the image it writes. This module util is private to the collection.

Files are handed over one by one, sorted, so that neither the order of folders nor foreign files matter; all dates are
that of ``epoch``. The same files give the same bytes.
"""

from __future__ import annotations

import os
import time
import typing as t

from .._host.errors import ClusterError
from .._host.files import sync_file
from .._host.host import Host
from .boot import CATALOG, EFI_IMAGE, ISOLINUX
from .disc import JOLIET_LIMIT, SECTOR, Item

_MBR = (
    "/usr/lib/ISOLINUX/isohdpfx.bin",
    "/usr/share/syslinux/isohdpfx.bin",
    "/usr/lib/syslinux/isohdpfx.bin",
)


def demand_boot(items: t.Sequence[Item], boot: t.Collection[str], host: Host) -> str:
    """Path of the code for the start of a disk, empty when BIOS is not asked for; ClusterError for what is missing."""
    paths = {item.path for item in items}
    for kind, needed in (("bios", ISOLINUX), ("uefi", EFI_IMAGE)):
        if kind in boot and needed not in paths:
            raise ClusterError(
                "the tree has no %s, which %s needs" % (needed, kind),
                "run iso_boot first, or take %s out of boot" % kind,
            )
    if "bios" not in boot:
        return ""
    found = next((path for path in _MBR if host.read_from(path, 0, 1)), None)
    if found is None:
        raise ClusterError("isohdpfx.bin is not here", "install isolinux (Debian) or syslinux (others)")
    return found


def boot_words(boot: t.Collection[str], mbr: str) -> list[str]:
    """El Torito for CDs, an MBR and a GPT for the same bytes on a disk."""
    words: list[str] = []
    if "bios" in boot:
        words += ["-isohybrid-mbr", mbr, "-c", CATALOG, "-b", ISOLINUX, "-no-emul-boot", "-boot-load-size", "4"]
        words += ["-boot-info-table"]
    if "uefi" in boot:
        words += ["-eltorito-alt-boot"] if words else ["-c", CATALOG]
        words += ["-e", EFI_IMAGE, "-no-emul-boot"]
        words += ["-isohybrid-gpt-basdat"] if mbr else []
    return words


def volume_words(label: str, epoch: int, boot: t.Sequence[str]) -> list[str]:
    when = time.strftime("%Y%m%d%H%M%S00", time.gmtime(epoch))
    words = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-joliet-long", "-V", label]
    return [*words, "--set_all_file_dates", when, "--modification-date=" + when, "--stdio_sync", "off", *boot]


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace("=", "\\=")


def path_list(tree: str, items: t.Sequence[Item]) -> bytes:
    """What xorriso reads: ``path on the disc=path here``, one a line; ClusterError for a name with a line end."""
    bad = next((item.path for item in items if "\n" in item.path), None)
    if bad is not None:
        raise ClusterError("the name %r has a line end" % bad, "take the file out of the tree")
    rows = ("%s=%s\n" % (_escaped(item.path), _escaped(os.path.join(tree, item.path))) for item in items)
    return os.fsencode("".join(rows))


def _run(host: Host, argv: t.Sequence[str], listed: bytes, epoch: int, changes: bool) -> str:
    if host.which("xorriso") is None:
        raise ClusterError("xorriso is not installed", "install the package xorriso")
    done = host.run(argv, stdin=listed, env={"SOURCE_DATE_EPOCH": str(epoch)}, check=False, changes=changes)
    if done.rc != 0:
        told = [line for line in done.stderr.splitlines() if "FAILURE" in line or "FATAL" in line or "SORRY" in line]
        text = " | ".join(told[:4]) or done.stderr.strip()[-400:]
        full = "No space left" in done.stderr or "No space left" in text
        raise ClusterError(
            "xorriso failed with exit code %d: %s" % (done.rc, text), "free some space" if full else "see its message"
        )
    return done.stdout


def write_argv(words: t.Sequence[str], iso: str) -> list[str]:
    return [*words, "-o", iso, "-graft-points", "-path-list", "-"]


def predicted_size(words: t.Sequence[str], tree: str, items: t.Sequence[Item], epoch: int, host: Host) -> int:
    """Bytes that the image is going to have, exactly."""
    argv = [*words, "-print-size", "-graft-points", "-path-list", "-"]
    told = _run(host, argv, path_list(tree, items), epoch, False).split()
    if not told or not told[-1].isdigit():
        raise ClusterError("xorriso told no size", "is it version 1.4 or later?")
    return int(told[-1]) * SECTOR


def write_image(words: t.Sequence[str], tree: str, items: t.Sequence[Item], iso: str, epoch: int, host: Host) -> None:
    """Write beside, make durable, rename; a failure leaves the old image."""
    beside = beside_of(iso)
    try:
        _run(host, write_argv(words, beside), path_list(tree, items), epoch, True)
        sync_file(beside)
        os.replace(beside, iso)
    except OSError as error:
        raise ClusterError("cannot write %s: %s" % (iso, error.strerror), "check its folder")
    finally:
        host.remove(beside)


def beside_of(iso: str) -> str:
    folder, name = os.path.split(iso)
    return os.path.join(folder, ".%s.new" % name)


def joliet_label(label: str) -> str:
    """What Windows shows."""
    return label[:JOLIET_LIMIT]
