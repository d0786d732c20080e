# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The init script of stage1, second part: network. This module util is private."""

from __future__ import annotations

TEXT = r"""# --- network -------------------------------------------------------------------------------------------

mac_of() { cat "$SYS/class/net/$1/address"; }
has_link() { [ "$(cat "$SYS/class/net/$1/carrier" 2> /dev/null)" = 1 ]; }

candidates() { # names that "auto" (every card) or "wired" (no radio) may take
  for path in "$SYS"/class/net/*; do
    [ -e "$path/device" ] || continue
    [ "$1" = wired ] && [ -e "$path/phy80211" ] && continue
    echo "${path##*/}"
  done
}

pick_interface() { # the card that $interface asks for and that has a link now; nothing when there is none yet
  case $interface in
    auto | wired) names=$(candidates "$interface") ;;
    *) names=$interface ;;
  esac
  picked=
  for name in $names; do
    [ -e "$SYS/class/net/$name" ] || continue
    ip link set "$name" up 2> /dev/null
    has_link "$name" || continue
    [ "$boot_mac" = "$(mac_of "$name")" ] && picked=$name && break
    picked=${picked:-$name}
  done
  [ -n "$picked" ]
}

wait_interface() {
  waited=0
  until pick_interface; do
    waited=$((waited + 1))
    [ $waited -lt 200 ] || {
      reason="no link on interface '$interface' (cards here: $(candidates auto | tr '\n' ' '))"
      return 1
    }
    sleep 0.1
  done
  card=$picked my_mac=$(mac_of "$picked")
}

address_dhcp() {
  rm -f "$RUN/lease"
  set --
  [ -n "$node_name" ] && set -- -x "hostname:$node_name"
  udhcpc -f -n -q -t 8 -T 2 -i "$card" -s /lib/stage1/lease "$@" > /dev/null 2>&1
  [ -s "$RUN/lease" ] || {
    reason="no DHCP answer on $card ($my_mac)"
    return 1
  }
  while IFS='=' read -r key value; do
    case $key in
      ip) my_ip=$value ;;
      mask) my_mask=$value ;;
      router) my_router=$value ;;
      dns) my_dns=$value ;;
      domain) domain=${domain:-$value} ;;
      hostname) node_name=${node_name:-$value} ;;
    esac
  done < "$RUN/lease"
}

network_up() { # returns 1 with $reason
  wait_interface || return 1
  if [ "$network" = static ]; then
    my_ip=$ip my_mask=$netmask my_router=$gateway my_dns=$dns
  else
    address_dhcp || return 1
  fi
  ip link set lo up
  ip addr flush dev "$card"
  ip addr add "$my_ip/$my_mask" broadcast + dev "$card" || { reason="bad address $my_ip/$my_mask" && return 1; }
  [ -z "$my_router" ] || ip route add default via "$my_router" dev "$card" || true
  say dhcp "$card $my_mac has $my_ip ($network) as ${node_name:-unnamed}"
  phone dhcp
}

"""
