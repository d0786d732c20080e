# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation shared by all modules. This fragment is private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes that every module of the collection has."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return exactly what a run would change.
    support: full
  diff_mode:
    description: Returns details on what has changed (or would change) in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: The platforms that the module runs on.
    platforms: posix
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode; an information module changes nothing.
    support: full
  diff_mode:
    description: An information module has nothing to show in diff mode.
    support: N/A
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: The platforms that the module runs on.
    platforms: posix
    support: full
"""
