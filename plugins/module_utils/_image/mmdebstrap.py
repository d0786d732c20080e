# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root trees of the Debian family, by mmdebstrap. This module util is private to the collection.

It runs as root or as an ordinary user (mode unshare, with a subuid range). The package sources go in by standard
input and the transport settings by a file, so that no credential shows on a command line.
"""

from __future__ import annotations

import os
import re
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from . import aptconf
from .recipe import Recipe

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH_EXCLUDES = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/man/*",
    # The kernel package would build an initramfs of its own, for nothing.
    "/etc/kernel/postinst.d/initramfs-tools",
)
# usr-is-merged keeps the usrmerge program, and with it all of perl, out.
ALWAYS = ("usr-is-merged",)
_HOOKS = "/usr/share/mmdebstrap/hooks"
# Made by maintainer scripts while packages are installed: secrets, or of no use in an image.
GENERATED = (
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssh/ssh_host_*_key.pub",
    "/etc/munge/munge.key",
    "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/etc/apt/apt.conf.d/99mmdebstrap",
    "/var/lib/systemd/random-seed",
    "/var/lib/dbus/machine-id",
    "/var/log/apt/*",
    "/var/log/dpkg.log",
    "/var/log/bootstrap.log",
    "/var/cache/debconf/*-old",
    "/var/lib/dpkg/*-old",
    "/etc/*-",
)


def packages(recipe: Recipe) -> list[str]:
    """Every package that is asked for, sorted."""
    return sorted({*recipe.packages, *ALWAYS, *([recipe.kernel] if recipe.kernel else [])})


def argv(recipe: Recipe, suite: str, arch: str, root: bool, hooks: t.Collection[str], work: str) -> list[str]:
    """The command line; the tar is ``<work>/root.tar``, apt settings are read from ``<work>/apt.conf``."""
    words = ["mmdebstrap", "--mode=%s" % ("root" if root else "unshare"), "--variant=minbase", "--format=tar"]
    words.append("--architectures=" + ARCHITECTURES.get(arch, arch))
    words.append("--aptopt=%s/apt.conf" % work)
    words.append("--dpkgopt=force-unsafe-io")
    words.extend("--dpkgopt=path-exclude=" + path for path in PATH_EXCLUDES)
    if "maybe-merged-usr" in hooks:
        words.append("--hook-dir=%s/maybe-merged-usr" % _HOOKS)
    words.append("--include=" + ",".join(packages(recipe)))
    return [*words, suite, os.path.join(work, "root.tar"), "-"]


def check_user(host: Host, uid: int, user: str) -> None:
    """An ordinary user needs newuidmap and a subuid range."""
    if uid == 0:
        return
    if host.which("newuidmap") is None:
        raise ClusterError("newuidmap is not installed", "install the package uidmap, or build as root")
    rows = [line.split(":") for line in (host.read("/etc/subuid") or b"").decode().splitlines()]
    if not any(row[0] in (user, str(uid)) for row in rows):
        raise ClusterError(
            "user %s has no range in /etc/subuid" % user,
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535",
        )


def explain(stderr: str, suite: str) -> ClusterError:
    """The one cause in mmdebstrap's output that the user can mend, else its last lines."""
    unknown = re.findall(r"Unable to locate package (\S+)", stderr)
    if unknown:
        return ClusterError(
            "%s has no package %s" % (suite, ", ".join(sorted(set(unknown)))), "correct the package list"
        )
    if "No space left on device" in stderr:
        return ClusterError("the disk is full while the root tree is built", "free space there, or set TMPDIR")
    tail = [line for line in stderr.strip().splitlines() if line][-10:]
    return ClusterError("mmdebstrap failed: %s" % " | ".join(tail))


def build(recipe: Recipe, host: Host, work: str, arch: str, uid: int, user: str) -> str:
    """Make the root tree; path of the tar."""
    if host.which("mmdebstrap") is None:
        raise ClusterError("mmdebstrap is not installed", "install the package mmdebstrap")
    check_user(host, uid, user)
    suite = aptconf.wanted_suite(recipe.suite, host.read("/etc/os-release"))
    lines = aptconf.sources(recipe.mirrors, suite, host)
    with open(os.path.join(work, "apt.conf"), "w", encoding="utf-8") as stream:
        stream.write(aptconf.settings(host.run(["apt-config", "dump"]).stdout))
    words = argv(recipe, suite, arch, uid == 0, host.listdir(_HOOKS), work)
    text = "".join(line + "\n" for line in lines).encode("utf-8")
    done = host.run(words, changes=True, check=False, stdin=text, env={"DEBIAN_FRONTEND": "noninteractive"})
    if done.rc != 0:
        raise explain(done.stderr, suite)
    return os.path.join(work, "root.tar")
