# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installers and the program that writes the squashfs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit, sources, squash
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.recipe import Recipe
from ansible_collections.xtreemos.cluster.tests.unit._image import samples


def test_unknown_installers_name_the_known() -> None:
    with pytest.raises(ClusterError, match=r"no installer 'urpmi' .*directory, mmdebstrap, tarball"):
        sources.source("urpmi")


def test_zstd_tarballs_go_through_the_program(tmp_path: Path) -> None:
    (tmp_path / "t.zst").write_bytes(b"\x28\xb5\x2f\xfd rest")
    words = sources.Tarball().argv(Recipe("tarball", str(tmp_path / "t.zst")), samples.FakeHost(), "/w")
    assert words[0] == "zstd" and words[-2:] == ["/w/root.tar", str(tmp_path / "t.zst")]


@pytest.mark.parametrize(
    ("missing", "program"), [(set(), "tar2sqfs"), ({"tar2sqfs"}, "mksquashfs"), ({"tar2sqfs", "mksquashfs"}, "")]
)
def test_who_makes_the_squashfs(missing: set[str], program: str) -> None:
    host = samples.FakeHost()
    host.missing = missing
    if program:
        words = squash.argv(host, "/o")
        assert words[0] == program and "zstd" in words and "/o" in words
    else:
        with pytest.raises(ClusterError, match="install the package squashfs-tools-ng"):
            squash.argv(host, "/o")


@pytest.mark.skipif(
    shutil.which("tar2sqfs") is None or shutil.which("rdsquashfs") is None, reason="no squashfs-tools-ng"
)
def test_a_real_squashfs(tmp_path: Path) -> None:
    host = LocalHost()
    samples.make(tmp_path / "t.tar", {"etc/motd": edit.text("hello")})
    squash.write(host, str(tmp_path / "t.tar"), str(tmp_path / "o.sqfs"))
    assert host.run(["rdsquashfs", "-c", "/etc/motd", str(tmp_path / "o.sqfs")]).stdout == "hello"
