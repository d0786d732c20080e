# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error of the floor below, under the name that the rooms above know. This module util is private."""

from __future__ import annotations

from .._errors import ClusterError

__all__ = ["ClusterError"]
