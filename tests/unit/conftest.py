# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How examples are drawn (no test depends on how fast the machine is), and which files ``make check`` leaves out."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import settings

# Each takes more than ten seconds: they kill processes, sign with real keys, or run playbooks.
SLOW = (
    "test_chroot_tree",
    "test_dolly_kill",
    "test_gpg_key",
    "test_media_check_info",
    "test_media_check_page",
    "test_media_kill",
    "test_media_switch",
    "test_mirror_sync",
    "test_repo_gates",
    "test_repo_kill",
    "test_repo_memory",
    "test_repo_signing",
    "test_role_families",
    "test_rpm_build",
    "test_rpm_publish",
    "test_rpm_sign",
    "test_xen_console",
    "test_xen_lookup",
    "test_xen_stack",
)

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: t.Sequence[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)
