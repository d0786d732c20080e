# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CD whose GRUB shows the menu that is on the disk of the machine. This module util is private to the collection.

A disk made without root holds no boot sector. With this CD a machine starts as installed ones do: from its own
/boot/grub/grub.cfg, so that what a role does to GRUB is what the next boot shows. No-emulation El Torito as
grub-mkrescue makes it.
"""

from __future__ import annotations

import os

from .._host.host import File, Host

BOOT_CD = "boot.iso"
# Part of the disk's digest: raise it when the CD is made another way.
BOOT_CD_RECIPE = "boot-cd-1"
_MODULES = [
    *("biosdisk", "iso9660", "ext2", "part_msdos", "part_gpt", "search", "search_label", "configfile", "linux"),
    *("multiboot", "multiboot2", "normal", "test", "echo", "serial", "terminal", "gzio", "minicmd", "loadenv"),
    *("ls", "reboot", "sleep", "all_video", "gfxterm", "font"),
]
_EARLY = """serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
search --no-floppy --label root --set=root
set prefix=($root)/boot/grub
set timeout=1
if [ -e ($root)/boot/grub/grub.cfg ]; then
  configfile ($root)/boot/grub/grub.cfg
fi
linux ($root)/vmlinuz root=/dev/vda rw net.ifnames=0 console=ttyS0,115200 panic=10
initrd ($root)/initrd.img
boot
"""


def make_boot_cd(folder: str, work: str, host: Host) -> None:
    """Make the CD in ``work`` and move it to ``folder``."""
    tree = os.path.join(work, "cd")
    early = os.path.join(work, "early.cfg")
    host.write_files({early: File(_EARLY.encode()), os.path.join(tree, "README"): File(b"Starts from the disk.\n")})
    image = [
        "grub-mkimage",
        "-O",
        "i386-pc-eltorito",
        "-p",
        "/boot/grub",
        "-c",
        early,
        "-o",
        os.path.join(tree, "eltorito"),
    ]
    host.run([*image, *_MODULES], changes=True)
    made = os.path.join(work, BOOT_CD)
    boot = ["-b", "eltorito", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    host.run(["xorriso", "-as", "mkisofs", "-quiet", "-V", "BOOT", *boot, "-o", made, tree], changes=True)
    host.run(["mv", "-f", made, os.path.join(folder, BOOT_CD)])
