# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The init script of stage1, first part: talking, command line, hardware. This module util is private."""

from __future__ import annotations

TEXT = r"""#!/bin/sh
# stage1 of xtreemos.cluster: pid 1 of the initramfs. It brings the network up, fetches the root image, verifies
# it and hands over to the image's own init. Every step is printed with the uptime and phoned home.
# Functions first, main at the end. Only busybox, and python3 for dolly.
# shellcheck shell=dash

PATH=/bin:/sbin
PROC=${PROC:-/proc} SYS=${SYS:-/sys} RUN=${RUN:-/run}
HOLD=$RUN/xtreemos             # image, overlay and boot.env; moves with /run into the new root
IMAGE=$HOLD/ram/rootfs.sqfs
NEWROOT=/newroot
TRIES=3

# --- talking ---------------------------------------------------------------------------------------------------

clock() { read -r NOW _ < "$PROC/uptime"; }

say() { # STEP TEXT
  clock
  printf 'stage1: [%6.2f] %s: %s\n' "$NOW" "$1" "$2"
}

urlencode() { # TEXT
  printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ \(..\)/%\1/g'
}

phone() { # STAGE [TEXT]   never fatal; a server that does not answer in 3 s is not asked again
  [ -n "$phone_home" ] && [ -n "$my_ip" ] && [ -z "$nobody_home" ] || return 0
  clock
  query="node=$node_name&id=$node_id&boot=$boot_id&uptime=$NOW&mac=$my_mac&ip=$my_ip&image=$image_version"
  timeout 3 wget -q -O /dev/null "$phone_home/$1?$query&msg=$(urlencode "$2")" 2> /dev/null
  [ $? -lt 124 ] || nobody_home=1
}

give_up() { # TEXT   the last word: visible, phoned home, then a new boot
  say failed "$1"
  phone failed "$1"
  if [ -n "$stage1_shell" ]; then
    say shell "kernel option stage1_shell: a shell; leave it to reboot"
    setsid -c sh
  else
    say reboot "in $REBOOT_AFTER s"
    sleep "$REBOOT_AFTER"
  fi
  reboot -f
  exit 1
}
REBOOT_AFTER=30

# --- the kernel command line -----------------------------------------------------------------------------------

parse_word() { # WORD   one word of the kernel command line
  case $1 in
    automatic=*) parse_automatic "${1#*=}" ;;
    node_id=*) node_id=${1#*=} ;;
    node_name=*) node_name=${1#*=} ;;
    boot_server=*) boot_server=${1#*=} ;;
    image_url=*) image_url=${1#*=} ;;
    image_sha256=*) image_sha256=${1#*=} ;;
    image_size=*) image_size=${1#*=} ;;
    image_version=*) image_version=${1#*=} ;;
    ram_needed_mb=*) ram_needed_mb=${1#*=} ;;
    phone_home=*) phone_home=${1#*=} ;;
    BOOTIF=*) boot_mac=$(echo "${1#BOOTIF=01-}" | tr 'A-Z-' 'a-z:') ;;
    stage1_shell) stage1_shell=1 ;;
  esac
}

parse_automatic() { # KEY:VALUE,KEY:VALUE...   full names and the short ones of the old installer
  rest=$1,
  while [ -n "$rest" ]; do
    pair=${rest%%,*} rest=${rest#*,}
    value=${pair#*:}
    case ${pair%%:*} in
      '') ;;
      method | met) method=$value ;;
      interface | int) interface=$value ;;
      network | netw) network=$value ;;
      ip) ip=$value ;;
      netmask | netm) netmask=$value ;;
      gateway | gat) gateway=$value ;;
      dns) dns=$value ;;
      hostname | hos) hostname=$value ;;
      domain | dom) domain=$value ;;
      server | ser) server=$value ;;
      directory | dir) directory=$value ;;
      disk | dis) disk=$value ;;
      dolly_timeout) dolly_timeout=$value ;;
      dolly_dialect) dolly_dialect=$value ;;
      *) say warning "automatic=: unknown key '${pair%%:*}' is ignored" ;;
    esac
  done
}

parse_cmdline() { # TEXT
  set -f
  # shellcheck disable=SC2086  # the words of the command line
  for word in $1; do parse_word "$word"; done
  set +f
  node_name=${node_name:-${hostname:-${node_id:+node$node_id}}}
  server=${server:-$boot_server}
  interface=${interface:-auto} network=${network:-dhcp} dolly_timeout=${dolly_timeout:-100}
}

need() { # VALUE NAME WHY
  [ -n "$1" ] || problem="$2 is missing on the kernel command line ($3)"
}

is_address() { # TEXT
  case $1 in *[!0-9.]* | '') return 1 ;; *.*.*.*) return 0 ;; *) return 1 ;; esac
}

check_method() {
  case $method in
    http)
      host=${image_url#http://} host=${host%%[:/]*}
      is_address "$host" || problem="image_url=$image_url is no http:// URL with an address (names are not looked up)"
      need "$image_url" image_url "method http" ;;
    dolly)
      case $dolly_timeout in *[!0-9]* | '') problem="dolly_timeout:$dolly_timeout is not a number of seconds" ;; esac
      case $dolly_dialect in
        chain | classic | '') ;;
        *) problem="dolly_dialect:$dolly_dialect is unknown (chain, classic)" ;;
      esac ;;
    nfs)
      need "$directory" "directory: in automatic=" "method nfs"
      is_address "$server" || problem="server:$server must be an address (names are not looked up)"
      need "$server" "server: in automatic=" "method nfs" ;;
    local)
      need "$directory" "directory: in automatic=" "method local"
      need "$disk" "disk: in automatic=" "method local" ;;
    '') problem="no method in automatic= (method:http, dolly, nfs or local)" ;;
    *) problem="unknown method '$method' in automatic= (known: http, dolly, nfs, local)" ;;
  esac
}

check_cmdline() { # sets $problem to the first thing that is wrong
  problem=
  check_method
  [ -n "$problem" ] && return
  case $network in
    dhcp) ;;
    static)
      need "$netmask" "netmask: in automatic=" "network static"
      need "$ip" "ip: in automatic=" "network static" ;;
    *) problem="unknown network '$network' in automatic= (known: dhcp, static)" ;;
  esac
  [ ${#image_sha256} -eq 64 ] || problem="image_sha256 is missing or no SHA-256: the image cannot be verified"
}

# --- memory ----------------------------------------------------------------------------------------------------

memory_mb() { # all RAM of the machine, what the kernel took included
  total=0
  while read -r range _ name; do
    [ "$name" = "System RAM" ] && total=$((total + 0x${range#*-} - 0x${range%-*} + 1))
  done < "$PROC/iomem"
  [ "$total" -gt 0 ] || total=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' "$PROC/meminfo") * 1024))
  echo $(((total + 1048575) / 1048576))
}

check_memory() {
  have=$(memory_mb)
  [ -z "$ram_needed_mb" ] || [ "$have" -ge "$ram_needed_mb" ] ||
    give_up "the image needs $ram_needed_mb MB of memory, this node has $have MB"
}

# --- hardware --------------------------------------------------------------------------------------------------

fresh_aliases() { # what the devices ask for and no round before this one has tried
  find "$SYS/devices" -name modalias -exec cat {} + 2> /dev/null | sort -u |
    awk -v tried="$1" '
      BEGIN { while ((getline line < tried) > 0) old[line]; close(tried) }
      !($0 in old) { print; print >> tried }'
}

coldplug() { # load what the devices ask for; a loaded bus may bring new devices, so until nothing new appears
  for _round in 1 2 3 4 5; do
    aliases=$(fresh_aliases "$RUN/aliases.tried")
    [ -n "$aliases" ] || break
    # shellcheck disable=SC2086  # one word per alias
    set -f && modprobe -abq $aliases 2> /dev/null
    set +f
  done
}

"""
