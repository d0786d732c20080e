# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts of stage1 as text. This module util is private."""

from __future__ import annotations

from . import init_back, init_front, init_network

INIT = init_front.TEXT + init_network.TEXT + init_back.TEXT

LEASE = r"""#!/bin/sh
# Called by udhcpc: keeps the lease for stage1, which sets the address itself.
# shellcheck shell=dash disable=SC2154  # the names come from udhcpc
case $1 in
  bound | renew)
    printf '%s\n' "ip=$ip" "mask=${mask:-24}" "router=${router%% *}" "dns=$dns" "domain=$domain" \
      "hostname=$hostname" > /run/lease
    ;;
esac
"""
