# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The initramfs of a guest that has its root on a disk. This module util is private to the collection.

It is stage1 of the diskless image - busybox, kernel modules - with another ``/init`` behind it: the kernel unpacks one
archive after the other, and the last file of a name stays (Documentation/driver-api/early-userspace/buffer-format).
The second archive is newc, see cpio(5).
"""

from __future__ import annotations

import stat

INIT = r"""#!/bin/sh
# pid 1 of a guest's initramfs: mounts the root that the kernel command line names and starts the system on it.
# shellcheck shell=dash
PATH=/bin:/sbin

say() { echo "guest: $1"; }

give_up() {
  say "$1; reboot in 30 s"
  sleep 30
  reboot -f
  exit 1
}

for mount in proc:proc sysfs:sys devtmpfs:dev tmpfs:run; do
  mkdir -p "/${mount#*:}"
  mount -t "${mount%:*}" "${mount%:*}" "/${mount#*:}"
done
chmod 755 /run
root='' mode=ro type=ext4 init=/sbin/init
read -r words < /proc/cmdline
set -f
for word in $words; do
  case $word in
    root=*) root=${word#root=} ;;
    rootfstype=*) type=${word#rootfstype=} ;;
    init=*) init=${word#init=} ;;
    rw | ro) mode=$word ;;
  esac
done
set +f
[ -n "$root" ] || give_up "there is no root= on the kernel command line"
for _round in 1 2 3; do
  # shellcheck disable=SC2046  # one word per alias
  modprobe -abq $(find /sys/devices -name modalias -exec cat {} + 2> /dev/null | sort -u) 2> /dev/null
done
modprobe -aq "$type"
waited=0
while :; do
  case $root in
    LABEL=* | UUID=*) disk=$(busybox findfs "$root" 2> /dev/null) ;;
    *) disk=$root ;;
  esac
  [ -b "$disk" ] && break
  [ $waited -lt 50 ] || give_up "there is no disk $root"
  waited=$((waited + 1))
  sleep 0.2
done
mkdir -p /newroot
mount -t "$type" -o "$mode" "$disk" /newroot || give_up "cannot mount $disk as $type"
[ -x "/newroot$init" ] || [ -L "/newroot$init" ] || give_up "$root has no $init"
say "starting the system on $disk"
for mount in proc sys dev run; do mount --move "/$mount" "/newroot/$mount"; done
exec switch_root /newroot "$init"
"""


def _pad(data: bytes, size: int = 4) -> bytes:
    return data + b"\0" * (-len(data) % size)


def _member(name: str, mode: int, content: bytes, inode: int) -> bytes:
    path = name.encode("ascii") + b"\0"
    numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    return _pad(b"070701" + b"".join(b"%08X" % number for number in numbers) + path) + _pad(content)


def archive() -> bytes:
    """The archive with ``/init`` only."""
    mode = stat.S_IFREG | 0o755
    return _pad(_member("init", mode, INIT.encode("ascii"), 1) + _member("TRAILER!!!", 0, b"", 0), 512)


def initramfs(stage1: bytes) -> bytes:
    """The guest's initramfs from stage1's bytes; each archive begins at a multiple of four."""
    return _pad(stage1) + archive()
