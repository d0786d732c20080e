# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel and modules of a root tree."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit, kernel, modules
from ansible_collections.xtreemos.cluster.tests.unit._image import samples

V = samples.VERSION
ALL = frozenset(samples.nodes())
OTHER = {"usr/lib/modules/7.0/modules.dep": edit.text("")}


def test_the_kernel_is_the_one_of_the_modules(tmp_path: Path) -> None:
    found = kernel.find(samples.tree(tmp_path))
    assert found == kernel.Kernel(V, "boot/vmlinuz-" + V, ("gzip",))


def test_a_kernel_beside_its_modules(tmp_path: Path) -> None:
    files = {samples.MODULES + "vmlinuz": edit.text("k"), samples.MODULES + "config": edit.text("CONFIG_RD_ZSTD=y\n")}
    drop = {"boot/vmlinuz-" + V, "boot/config-" + V}
    found = kernel.find(samples.tree(tmp_path, files, drop))
    assert (found.path, found.unpacks) == ("lib/modules/%s/vmlinuz" % V, ("zstd", "gzip"))


@pytest.mark.parametrize(
    ("files", "drop", "message"),
    [
        ({}, {"boot/vmlinuz-" + V}, "there is no kernel in the image: neither /boot/vmlinuz-%s nor" % V),
        ({}, {name for name in ALL if "modules" in name}, "has no kernel modules"),
        ({}, {samples.MODULES + "modules.dep"}, "lib/modules/%s in the image has no modules.dep" % V),
        (OTHER, set(), "the image has 2 kernels: %s, 7.0" % V),
    ],
)
def test_what_is_missing(tmp_path: Path, files: dict[str, edit.Node], drop: set[str], message: str) -> None:
    with pytest.raises(ClusterError, match=message) as caught:
        kernel.find(samples.tree(tmp_path, files, drop))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (b"CONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n", ("zstd", "gzip")),
        (b"# CONFIG_RD_ZSTD is not set\n", ("gzip",)),
        (b"CONFIG_RD_ZSTD=yes\n", ("gzip",)),
        (None, ("gzip",)),
    ],
)
def test_unpacks(config: bytes | None, wanted: tuple[str, ...]) -> None:
    assert kernel.unpacks(config) == wanted


def index(tmp_path: Path) -> modules.Index:
    return modules.load_index(samples.tree(tmp_path), V)


def test_select_takes_what_is_needed_too(tmp_path: Path) -> None:
    chosen = modules.select(index(tmp_path), modules.DEFAULT)
    assert [modules.name(path) for path in chosen] == ["loop", "virtio_net", "overlay", "squashfs", "net_failover"]


@pytest.mark.parametrize("gone", modules.NEEDED)
def test_a_kernel_that_cannot_mount_the_image(tmp_path: Path, gone: str) -> None:
    found = index(tmp_path)
    deps = {path: needs for path, needs in found.deps.items() if modules.name(path) != gone}
    with pytest.raises(ClusterError, match="kernel %s has no module %s" % (V, gone)):
        modules.select(modules.Index(V, deps), modules.DEFAULT)
    assert modules.select(modules.Index(V, deps, builtin=frozenset([gone])), modules.DEFAULT)


def test_reduced_lists(tmp_path: Path) -> None:
    found = index(tmp_path)
    chosen = modules.select(found, modules.DEFAULT)
    assert modules.render_alias(found, chosen) == "alias virtio:d00000001v* virtio_net\n"
    dep = modules.render_dep(found, chosen)
    assert "kernel/drivers/net/virtio_net.ko: kernel/net/net_failover.ko\n" in dep
    assert modules.parse_dep(dep) == {path: found.deps[path] for path in chosen}


@pytest.mark.parametrize("suffix", [".ko", ".ko.xz", ".ko.zst", ".ko.gz"])
def test_every_suffix_is_stored_unpacked(suffix: str) -> None:
    pack = {".ko.xz": lzma.compress, ".ko.gz": gzip.compress}.get(suffix, lambda data: data)
    path = "kernel/fs/a-b" + suffix
    assert modules.stem(path) == "kernel/fs/a-b"
    assert modules.name(path) == "a_b"
    assert modules.unpack(path, pack(b"ELF"), lambda data: data) == b"ELF"
    assert modules.render_dep(modules.Index("1", {path: (path,)}), [path]) == "kernel/fs/a-b.ko: kernel/fs/a-b.ko\n"


def test_bad_lists() -> None:
    with pytest.raises(ClusterError, match=r"modules\.dep line 2 has no colon"):
        modules.parse_dep("a.ko:\nb.ko\n")
    assert modules.parse_alias("# comment\nalias a\nalias x-* my-mod\n") == (("x-*", "my_mod"),)
