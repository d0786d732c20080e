# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generators and files that an image can do without, and when it cannot."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit, idle
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree

SYSV, LOCAL = "systemd-sysv-generator", "systemd-rc-local-generator"
UNITS = "usr/lib/systemd/system/"
LOGIND = "/lib/systemd/system/multi-user.target.wants/systemd-logind.service"
LINK = "etc/modules-load.d/modules.conf"
BASE = {
    "lib": edit.link("usr/lib"),
    "etc/init.d/ssh": edit.text(""),
    "etc/init.d/hwclock.sh": edit.text(""),
    UNITS + "ssh.service": edit.text(""),
    UNITS + "hwclock.service": edit.link("/dev/null"),
    "etc/modules": edit.text("# nothing\n\n ; here\n"),
    LINK: edit.link("../modules"),
}


def tree(tmp_path: Path, more: t.Mapping[str, edit.Node]) -> Tree:
    (tmp_path / "in.tar").write_bytes(edit.tar_bytes({**BASE, **more}))
    return Tree(str(tmp_path / "in.tar"))


@pytest.mark.parametrize(
    ("more", "added", "masked"),
    [
        ({}, [], [SYSV, LOCAL]),
        ({"etc/init.d/old": edit.text("")}, [], [LOCAL]),
        ({"etc/init.d/old.sh": edit.text("")}, [], [LOCAL]),
        ({"etc/init.d/old": edit.text(""), UNITS + "old.service": edit.text("")}, [], [SYSV, LOCAL]),
        ({"etc/init.d/old": edit.text(""), UNITS + "old.socket": edit.text("")}, [], [LOCAL]),
        ({}, ["/etc/init.d/own"], [LOCAL]),
        ({}, ["/etc/init.d/ssh", "/etc/default/ssh"], [SYSV, LOCAL]),
        ({"etc/rc.local": edit.text("")}, [], [SYSV]),
        ({}, ["/etc/rc.local"], [SYSV]),
        ({"etc/init.d/old": edit.text("")}, ["/etc//rc.local"], []),
    ],
)
def test_generators(
    tmp_path: Path, more: t.Mapping[str, edit.Node], added: t.Collection[str], masked: list[str]
) -> None:
    assert idle.generators(tree(tmp_path, more), added) == masked


@pytest.mark.parametrize(
    ("more", "added", "idle_link"),
    [
        ({}, [], True),
        ({"etc/modules": edit.text("")}, [], True),
        ({"etc/modules": edit.text("# a\nloop\n")}, [], False),
        ({"etc/modules": edit.text("  dummy")}, [], False),
        ({}, ["/etc/modules"], False),
        ({}, ["/etc/modules-load.d/modules.conf"], False),
        ({}, ["/etc/modules-load.d/own.conf"], True),
    ],
)
def test_files(tmp_path: Path, more: t.Mapping[str, edit.Node], added: t.Collection[str], idle_link: bool) -> None:
    assert idle.files(tree(tmp_path, more), added) == [*(["/" + LINK] if idle_link else []), LOGIND]


@pytest.mark.parametrize(
    ("path", "started"),
    [
        ("usr/lib/x86_64-linux-gnu/security/pam_systemd.so", True),
        ("usr/lib64/security/pam_systemd.so", True),
        ("usr/lib/x86_64-linux-gnu/security/pam_unix.so", False),
    ],
)
def test_logind_starts_with_the_machine_only_when_sessions_need_it(tmp_path: Path, path: str, started: bool) -> None:
    wants = "usr/lib/systemd/system/multi-user.target.wants/systemd-logind.service"
    found = tree(tmp_path, {path: edit.text(""), wants: edit.link("../systemd-logind.service")})
    gone = edit.removals(found, idle.files(found, ()))
    assert (wants in gone) != started
    assert not {name for name in gone if name.endswith("/systemd-logind.service") and name != wants}


def test_a_tree_without_etc_needs_neither(tmp_path: Path) -> None:
    (tmp_path / "in.tar").write_bytes(edit.tar_bytes({}))
    with Tree(str(tmp_path / "in.tar")) as empty:
        assert idle.generators(empty, ()) == [SYSV, LOCAL]
        assert idle.files(empty, ()) == ["/" + LINK, LOGIND]
