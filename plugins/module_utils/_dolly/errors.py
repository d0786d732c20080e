# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the push. This module util is private to the collection and imports the standard library only."""

from __future__ import annotations


class DollyError(Exception):
    """A condition that ends a push or one node's part in it: ``message`` names the item, ``hint`` the remedy."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "%s (%s)" % (self.message, self.hint) if self.hint else self.message


class WireError(DollyError):
    """Bytes that are not the dialect: bad magic, version, length, crc32 or an unexpected frame."""


class LinkLost(DollyError):
    """A connection that ended or fell silent."""
