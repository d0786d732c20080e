# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would start at every boot of an image only to find nothing to do. This module util is private.

systemd runs every generator at each boot, and systemd-modules-load as soon as one file lies in modules-load.d(5).
"""

from __future__ import annotations

import typing as t

from .tree import Tree, normal

# Raised when the answers below change, so that images are made anew.
ANSWER = 1
_UNITS = "lib/systemd/system"
# Nobody opens sessions with it. D-Bus starts it when somebody asks, as shutdown(8) does.
_LOGIND = "lib/systemd/system/multi-user.target.wants/systemd-logind.service"
_MODULES, _MODULES_LINK = "etc/modules", "etc/modules-load.d/modules.conf"


def _own_scripts(tree: Tree, added: t.Iterable[str]) -> list[str]:
    """Init scripts for which there is no unit, so that systemd-sysv-generator has to write one."""
    units = set(tree.listdir(_UNITS))
    scripts = [*tree.listdir("etc/init.d"), *(path[11:] for path in added if path.startswith("etc/init.d/"))]
    return [name for name in scripts if (name[:-3] if name.endswith(".sh") else name) + ".service" not in units]


def generators(tree: Tree, added: t.Collection[str]) -> list[str]:
    """Generators without work. ``added`` are paths of the overlay, which count as part of the tree."""
    paths = {normal(path) for path in added}
    found = [] if _own_scripts(tree, paths) else ["systemd-sysv-generator"]
    local = tree.file("etc/rc.local") or "etc/rc.local" in paths
    return found if local else [*found, "systemd-rc-local-generator"]


def files(tree: Tree, added: t.Collection[str]) -> list[str]:
    """Paths to remove: Debian's link to an ``/etc/modules`` that holds comments only, and the start of logind where no
    session is registered with it."""
    pam = tree.glob("usr/lib/*/security/pam_systemd.so") or tree.glob("usr/lib64/security/pam_systemd.so")
    return [*_modules(tree, added), *([] if pam else ["/" + _LOGIND])]


def _modules(tree: Tree, added: t.Collection[str]) -> list[str]:
    lines = [line.strip() for line in (tree.read(_MODULES) or b"").splitlines()]
    named = any(line and line[:1] not in b"#;" for line in lines)
    own = {_MODULES, _MODULES_LINK} & {normal(path) for path in added}
    return [] if named or own else ["/" + _MODULES_LINK]
