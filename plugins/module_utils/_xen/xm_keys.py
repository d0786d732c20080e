# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of xm 3.x and 4.1 that xl 4.17 does not have, and what to write instead. Private to the collection.

Facts measured with libxlutil 4.17 and read in xl.cfg(5): xl ignores most of these without a word.
"""

from __future__ import annotations

# Gone, and nothing takes their place in the file.
DROPPED = {
    "vncconsole": "gone; open the console with xl vncviewer",
    "vncviewer": "gone; xl create -V opens a viewer",
    "bootentry": "gone; the bootloader's own options choose the entry",
    "restart": "gone; on_poweroff, on_reboot and on_crash say what follows",
    "on_xend_start": "gone; a link in /etc/xen/auto starts a guest with the host: autostart",
    "on_xend_stop": "gone; /etc/default/xendomains says what becomes of guests when the host stops",
    "blkif": "gone; driver_domain takes its place",
    "netif": "gone; driver_domain takes its place",
    "tpmif": "gone; driver_domain takes its place",
    "vif2": "gone",
    "access_control": "gone; seclabel takes its place",
    "vusb": "gone; usbctrl and usbdev take its place",
    "loader": "gone; firmware or firmware_override takes its place",
    "device_model": "ignored; device_model_override takes its place",
    "nics": "gone; the list vif says how many cards there are",
    "fda": "gone; qemu's own options add a floppy",
    "fdb": "gone; qemu's own options add a floppy",
}
DROPPED.update(
    dict.fromkeys(
        (
            "description", "features", "monitor", "isa", "vhpt", "guest_os_type", "target", "s3_integrity",
            "cpuid_check", "machine_address_size", "superpages", "suppress_spurious_page_faults", "vscsi",
        ),
        "gone without a successor",
    )
)  # fmt: skip

# Written under another name.
RENAMED = {"cpu": "cpus", "cpu_cap": "cap", "irq": "irqs"}

# xend made the kernel's option ip= of these.
NETWORK = ("ip", "gateway", "netmask", "hostname", "interface", "dhcp", "nfs_server")

# What else is translated, with a word about it.
TRANSLATED = (*NETWORK, "nfs_root", "builder", "bootargs", "vcpu_avail", "root", "extra", "disk", "vif", "uuid")

# The same in both.
KEPT = (
    "name", "kernel", "ramdisk", "memory", "maxmem", "vcpus", "maxvcpus", "cpus", "on_poweroff", "on_reboot",
    "on_crash", "bootloader", "pci", "ioports", "vfb", "vtpm", "pae", "acpi", "apic", "hpet", "hap", "oos",
    "nomigrate", "localtime", "rtc_timeoffset", "serial", "boot", "keymap", "usb", "usbdevice", "videoram", "stdvga",
    "soundhw", "vnc", "vnclisten", "vncdisplay", "vncunused", "vncpasswd", "sdl", "opengl", "xauthority", "display",
    "nographic", "cpuid", "tsc_mode", "timer_mode", "vpt_align", "viridian", "shadow_memory", "cpu_weight",
    "xen_platform_pci", "pci_msitranslate", "pci_power_mgmt", "gfx_passthru", "cmdline", "type", "bootloader_args",
    "cap", "irqs",
)  # fmt: skip
