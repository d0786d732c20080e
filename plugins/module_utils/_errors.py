# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error that a user can cause. This module util is private to the collection."""

from __future__ import annotations


class ClusterError(Exception):
    """A condition that the user can mend: ``message`` names the item, ``hint`` the remedy."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "%s (%s)" % (self.message, self.hint) if self.hint else self.message
