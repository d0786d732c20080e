# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The init script of stage1, third part: fetch, new root, main. This module util is private."""

from __future__ import annotations

TEXT = r"""# --- fetching ----------------------------------------------------------------------------------------------

STALL=30

watch_stall() { # PID   end a transfer that has brought nothing for $STALL seconds
  last=
  while sleep "$STALL"; do
    now=$(stat -c %s "$IMAGE" 2> /dev/null)
    [ "$now" != "$last" ] || break
    last=$now
  done
  echo "no data for $STALL s" >> "$RUN/error"
  kill "$1"
}

fetch_http() {
  wget -q -c -O "$IMAGE" "$image_url" 2> "$RUN/error" &
  transfer=$!
  watch_stall $transfer > /dev/null 2>&1 < /dev/null &
  watcher=$!
  wait $transfer 2> /dev/null
  result=$?
  kill $watcher 2> /dev/null
  [ $result -eq 0 ] || reason="$image_url: $(tail -n 1 "$RUN/error")"
  return $result
}

fetch_dolly() {
  [ -e /lib/xtreemos/dolly.pyz ] || { reason="this stage1 has no dolly agent" && return 1; }
  say fetch "waiting for the image from the dolly server (timeout $dolly_timeout) (try $try/$TRIES)"
  set -- --target "$IMAGE" --sha256 "$image_sha256" --timeout "$dolly_timeout" --name "$node_name"
  [ -n "$image_size" ] && set -- "$@" --size "$image_size"
  [ -n "$dolly_dialect" ] && set -- "$@" --dialect "$dolly_dialect"
  [ -n "$server" ] && set -- "$@" --server "$server"
  python3 -S -E /lib/xtreemos/dolly.pyz node "$@" 2> "$RUN/error" || {
    case $? in
      3) reason="nobody sent the image in $dolly_timeout s" ;;
      *) reason="dolly: $(tail -n 1 "$RUN/error")" ;;
    esac
    return 1
  }
}

copy_from() { # FOLDER NAME
  [ -r "$1/rootfs.sqfs" ] || { reason="$2 has no rootfs.sqfs" && return 1; }
  cp "$1/rootfs.sqfs" "$IMAGE" 2> "$RUN/error" || { reason="copy from $2: $(tail -n 1 "$RUN/error")" && return 1; }
}

fetch_nfs() {
  modprobe -aq nfs nfsv3 nfsv4
  mkdir -p /mnt
  # The kernel speaks the mount protocol itself; it wants the address as an option.
  three=ro,soft,nolock,vers=3,proto=tcp,mountproto=tcp,addr=$server four=ro,soft,addr=$server,clientaddr=$my_ip
  mount -i -t nfs -o "$three" "$server:$directory" /mnt 2> "$RUN/error" ||
    mount -i -t nfs4 -o "$four" "$server:$directory" /mnt 2>> "$RUN/error" ||
    { reason="cannot mount $server:$directory: $(tail -n 1 "$RUN/error")" && return 1; }
  copy_from /mnt "$server:$directory"
  result=$?
  umount /mnt
  return $result
}

fetch_local() {
  part=/dev/${disk#/dev/}
  waited=0
  until [ -b "$part" ] || [ $waited -ge 50 ]; do waited=$((waited + 1)) && sleep 0.2; done
  [ -b "$part" ] || { reason="no disk $part" && return 1; }
  mkdir -p /mnt
  for type in ext4 xfs vfat btrfs iso9660; do
    mount -r -t "$type" "$part" /mnt 2> /dev/null && break
  done
  copy_from "/mnt/${directory#/}" "$part $directory"
  result=$?
  umount /mnt 2> /dev/null
  return $result
}

fetch() { # returns 1 with $reason
  say fetch "by $method${image_size:+, $((image_size / 1048576)) MB}"
  "fetch_$method" || return 1
  size=$(stat -c %s "$IMAGE")
  [ -z "$image_size" ] || [ "$size" = "$image_size" ] || {
    rm -f "$IMAGE"
    reason="got $size bytes of the image, expected $image_size"
    return 1
  }
  say fetch "got $size bytes"
  phone fetch
}

verify() { # a damaged or wrong image is thrown away, never used
  [ "$method" = dolly ] || echo "$image_sha256  $IMAGE" | sha256sum -c > /dev/null 2>&1 || {
    rm -f "$IMAGE"
    reason="the image does not match its SHA-256 $image_sha256"
    return 1
  }
  say verify "SHA-256 is right"
  phone verify
}

# --- the new root -------------------------------------------------------------------------------------------

mount_root() {
  modprobe -aq loop squashfs overlay
  mkdir -p "$HOLD/ro" "$HOLD/rw" "$NEWROOT"
  mount -t squashfs -o loop,ro "$IMAGE" "$HOLD/ro" || give_up "the image is no squashfs that this kernel can mount"
  mount -t tmpfs -o mode=0755 overlay "$HOLD/rw" || give_up "no memory for the overlay"
  mkdir "$HOLD/rw/upper" "$HOLD/rw/work"
  mount -t overlay -o "lowerdir=$HOLD/ro,upperdir=$HOLD/rw/upper,workdir=$HOLD/rw/work" root "$NEWROOT" ||
    give_up "cannot mount the overlay root"
  [ -x "$NEWROOT/sbin/init" ] || [ -L "$NEWROOT/sbin/init" ] || give_up "the image has no /sbin/init"
}

boot_env() {
  cat << EOF
NODE_NAME=$node_name
NODE_ID=$node_id
NODE_IP=$my_ip
NODE_MAC=$my_mac
BOOT_INTERFACE=$card
BOOT_SERVER=$boot_server
PHONE_HOME=$phone_home
IMAGE_SHA256=$image_sha256
IMAGE_VERSION=$image_version
BOOT_ID=$boot_id
METHOD=$method
EOF
}

network_file() { # systemd-networkd goes on with the address that stage1 got
  printf '[Match]\nMACAddress=%s\n\n[Network]\nKeepConfiguration=yes\nIPv6AcceptRA=no\n' "$my_mac"
  if [ "$network" = static ]; then
    printf 'Address=%s/%s\n' "$my_ip" "$(prefix_of "$my_mask")"
    [ -z "$my_router" ] || printf 'Gateway=%s\n' "$my_router"
  else
    printf 'DHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\nUseHostname=no\n'
  fi
}

prefix_of() { # NETMASK
  case $1 in *.*) ipcalc -p 0.0.0.0 "$1" | cut -d= -f2 ;; *) echo "$1" ;; esac
}

personalize() { # what makes this node this node
  mkdir -p "$RUN/systemd/network" "$NEWROOT/etc"
  network_file > "$RUN/systemd/network/05-stage1.network"
  boot_env > "$HOLD/boot.env"
  echo "${node_name:-localhost}" > "$NEWROOT/etc/hostname"
  hostname "${node_name:-localhost}"
  [ -z "$node_name" ] || echo "$my_ip ${domain:+$node_name.$domain }$node_name" >> "$NEWROOT/etc/hosts"
  echo "$my_mac $node_name" | md5sum | cut -c 1-32 > "$NEWROOT/etc/machine-id"
  rm -f "$NEWROOT/etc/resolv.conf"
  {
    [ -z "$domain" ] || echo "search $domain"
    for name in $my_dns; do echo "nameserver $name"; done
  } > "$NEWROOT/etc/resolv.conf"
}

hand_over() {
  for mount in proc sys dev run; do mount --move "/$mount" "$NEWROOT/$mount"; done
  exec switch_root "$NEWROOT" /sbin/init
}

# --- main ---------------------------------------------------------------------------------------------------

prepare() { # the kernel's file systems and the folder that holds the image
  for mount in proc:proc sysfs:sys devtmpfs:dev tmpfs:run; do
    mkdir -p "/${mount#*:}"
    mount -t "${mount%:*}" "${mount%:*}" "/${mount#*:}"
  done
  chmod 755 /run
  mkdir -p "$HOLD/ram"
  boot_id=$(cat "$PROC/sys/kernel/random/boot_id")
}

refuse() { # a command line that cannot work; the network is tried only to tell the boot server
  wrong=$problem network=dhcp
  network_up || true
  give_up "$wrong"
}

attempt() {
  network_up || return 1
  check_memory
  fetch && verify
}

main() {
  prepare
  say start "kernel $(uname -r)"
  parse_cmdline "$(cat "$PROC/cmdline")"
  coldplug
  say hardware "modules for this hardware are loaded"
  check_cmdline
  [ -z "$problem" ] || refuse
  mount -t tmpfs -o size=95% image "$HOLD/ram"
  try=1
  until attempt; do
    say retry "$reason (try $try/$TRIES)"
    [ "$try" -lt "$TRIES" ] || give_up "$reason"
    try=$((try + 1))
    sleep $((1${NOW#*.} % 7 + 1)) # not all nodes at the same moment
  done
  mount_root
  personalize
  say root "starting the system of image $image_version"
  phone root
  hand_over
}

[ -n "$STAGE1_TEST" ] || main
"""
