# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of iso_boot: everything in a tree that a firmware needs. This module util is private to the collection."""

from __future__ import annotations

import os
import tempfile
import typing as t

from .._host.errors import ClusterError
from .._host.fileset import apply_files, plan_files
from .._host.host import File, Host
from .boot import (
    BIOS_MODULES,
    EFI_IMAGE,
    EFI_PROGRAM,
    GRUB_MODULES,
    ISOLINUX,
    Menu,
    disc_mark,
    parse_menu,
    render_early,
    render_grub,
    render_isolinux,
)

Params = t.Mapping[str, t.Any]
# Where distributions keep them: Debian, Fedora and EL, Mageia.
_ISOLINUX = ("/usr/lib/ISOLINUX", "/usr/share/syslinux", "/usr/lib/syslinux")
_MODULES = ("/usr/lib/syslinux/modules/bios", "/usr/share/syslinux", "/usr/lib/syslinux")
_GRUB = ("/usr/lib/grub/x86_64-efi",)
# FAT knows no earlier day, and nothing depends on it.
_FAT_EPOCH = "315532800"
_SECTOR = 1 << 20


def _program(host: Host, *names: str) -> str:
    found = next((path for path in map(host.which, names) if path), None)
    if found is None:
        raise ClusterError(
            "%s is not installed" % names[0],
            "install xorriso, mtools, grub-common and grub-efi-amd64-bin, or their like",
        )
    return found


def _loader(name: str, places: t.Sequence[str], host: Host) -> bytes:
    for place in places:
        data = host.read(os.path.join(place, name))
        if data is not None:
            return data
    raise ClusterError(
        "%s is not in %s" % (name, " or ".join(places)),
        "install isolinux and syslinux-common (Debian) or syslinux (others), or leave bios out of loaders",
    )


def _bios_files(menu: Menu, places: t.Sequence[str], host: Host) -> dict[str, bytes]:
    found = {"isolinux/isolinux.cfg": render_isolinux(menu).encode()}
    found[ISOLINUX] = _loader("isolinux.bin", [*places, *_ISOLINUX], host)
    found.update({"isolinux/" + name: _loader(name, [*places, *_MODULES], host) for name in BIOS_MODULES})
    return found


def _make_efi(early: str, folder: str, modules: str, host: Host) -> bytes:
    config, program = os.path.join(folder, "early.cfg"), os.path.join(folder, "BOOTX64.EFI")
    host.write_files({config: File(early.encode())})
    argv = [_program(host, "grub-mkimage", "grub2-mkimage"), "-d", modules, "-O", "x86_64-efi", "-p", "/boot/grub"]
    host.run([*argv, "-c", config, "-o", program, *GRUB_MODULES])
    return host.read(program) or b""


def _make_fat(efi: bytes, folder: str, host: Host) -> bytes:
    """A FAT file system with the EFI program; the same bytes for the same program."""
    image, program = os.path.join(folder, "efiboot.img"), os.path.join(folder, "program")
    size = (len(efi) // _SECTOR + 2) * _SECTOR
    host.write_files({image: File(b"\0" * size), program: File(efi)})
    env = {"SOURCE_DATE_EPOCH": _FAT_EPOCH, "MTOOLS_SKIP_CHECK": "1"}
    for argv in (
        [_program(host, "mformat"), "-i", image, "-N", "20100317", "-v", "EFIBOOT", "::"],
        [_program(host, "mmd"), "-i", image, "::/EFI", "::/EFI/BOOT"],
        [_program(host, "mcopy"), "-i", image, program, "::/" + EFI_PROGRAM],
    ):
        host.run(argv, env=env)
    return host.read(image) or b""


def _uefi_files(menu: Menu, places: t.Sequence[str], host: Host) -> dict[str, bytes]:
    grub = render_grub(menu)
    mark = disc_mark(grub)
    modules = next((one for one in (*places, *_GRUB) if host.listdir(one, "normal.mod")), None)
    if modules is None:
        raise ClusterError("GRUB's modules for x86_64-efi are not here", "install grub-efi-amd64-bin, or its like")
    with tempfile.TemporaryDirectory(prefix="iso-boot-") as folder:
        efi = _make_efi(render_early(mark), folder, modules, host)
        image = _make_fat(efi, folder, host)
    return {"boot/grub/grub.cfg": grub.encode(), mark: b"", EFI_PROGRAM: efi, EFI_IMAGE: image}


def boot_files(params: Params, host: Host) -> dict[str, bytes]:
    """Every file by its path in the tree."""
    menu = parse_menu(params)
    found: dict[str, bytes] = {}
    if "bios" in params["loaders"]:
        found.update(_bios_files(menu, params["loader_paths"], host))
    if "uefi" in params["loaders"]:
        found.update(_uefi_files(menu, params["loader_paths"], host))
    return found


def _owned(tree: str, host: Host) -> list[str]:
    """What an earlier run may have left, such as the mark of another menu."""
    fixed = [ISOLINUX, "isolinux/isolinux.cfg", *("isolinux/" + name for name in BIOS_MODULES)]
    fixed += [EFI_IMAGE, EFI_PROGRAM, "boot/grub/grub.cfg"]
    marks = ["boot/grub/" + name for name in host.listdir(os.path.join(tree, "boot/grub"), "disc.*")]
    return [os.path.join(tree, one) for one in (*fixed, *marks) if host.read(os.path.join(tree, one)) is not None]


def _demand_kernels(params: Params, tree: str) -> None:
    for one in params["entries"]:
        for option in ("kernel", "initrd"):
            path = os.path.join(tree, (one[option] or "").lstrip("/"))
            if one[option] and not os.path.isfile(path):
                raise ClusterError(
                    "entry %s: the tree has no %s %s" % (one["name"], option, one[option]),
                    "bring it into the tree first, or set check_files: false",
                )


def run_iso_boot(params: Params, check_mode: bool, host: Host) -> dict[str, t.Any]:
    """Plan and, unless in check mode, write; the result in Ansible's form."""
    tree = params["tree"]
    wanted = {os.path.join(tree, path): File(data) for path, data in boot_files(params, host).items()}
    if params["check_files"] and not check_mode:
        _demand_kernels(params, tree)
    plan = plan_files(host, wanted, _owned(tree, host))
    if not check_mode:
        apply_files(plan, host)
    shown = [one for one in plan.paths if one.endswith(".cfg")]
    texts = [
        {
            "before_header": path,
            "after_header": path,
            "before": plan.before.get(path, b"").decode("utf-8", "replace"),
            "after": wanted[path].content.decode() if path in wanted else "",
        }
        for path in shown
    ]
    return {"changed": plan.changed, "files": plan.paths, "diff": texts, "actions": []}
