# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The initramfs as a whole."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import cpio, edit, kernel, stage1
from ansible_collections.xtreemos.cluster.tests.unit._image import samples
from ansible_collections.xtreemos.cluster.tests.unit._image.test_image_python import PYTHON

AGENT = {"__init__.py": "", "agent.py": "import os\n"}
K = kernel.Kernel(samples.VERSION, "boot/vmlinuz-" + samples.VERSION, ("gzip",))


def members(tmp_path: Path, **options: object) -> dict[str, cpio.Member]:
    tree = samples.tree(tmp_path, PYTHON)
    made, _missing = stage1.assemble(tree, K, stage1.Options(**options), MemoryHost(), lambda data: data)  # type: ignore[arg-type]
    return {member.path: member for member in made}


def test_what_a_node_needs_is_inside(tmp_path: Path) -> None:
    found = members(tmp_path, agent=AGENT)
    assert found["init"].mode == 0o100755 and found["init"].content.startswith(b"#!/bin/sh\n")
    assert found["bin/sh"].content == b"busybox" and found["bin/busybox"].content == samples.STATIC
    assert found["bin/python3"].content == b"/usr/bin/python3.11"
    assert found["usr/lib/python3.11/os.pyc"].content == b"MAGICode"
    assert "usr/lib/python3.11/os.py" not in found and "usr/lib/python3.11/abc.py" in found
    assert "lib/xtreemos/dolly.pyz" in found and "lib/stage1/lease" in found
    assert found["dev/console"].rdev == (5, 1)
    base = "lib/modules/%s/" % samples.VERSION
    assert found[base + "kernel/fs/squashfs/squashfs.ko"].content == b"module fs/squashfs/squashfs"
    assert base + "kernel/sound/snd.ko" not in found
    assert found[base + "modules.builtin"].content == b"ext4\n"


def test_more_modules_on_request(tmp_path: Path) -> None:
    wanted = (*stage1.modules.DEFAULT, "sound/*")
    assert "lib/modules/%s/kernel/sound/snd.ko" % samples.VERSION in members(tmp_path, patterns=wanted)


@pytest.mark.parametrize("agent", [{}, AGENT])
def test_without_python_or_agent_there_is_no_dolly(tmp_path: Path, agent: dict[str, str]) -> None:
    tree = samples.tree(tmp_path, {} if agent else PYTHON)
    made, _missing = stage1.assemble(tree, K, stage1.Options(agent=agent), MemoryHost(), lambda data: data)
    assert not [member.path for member in made if "python" in member.path or "dolly" in member.path]


@pytest.mark.parametrize(
    ("image", "here", "wanted"),
    [
        (samples.STATIC, None, samples.STATIC),
        (None, samples.STATIC, samples.STATIC),
        (samples.elf("/lib64/ld.so", ["libc.so.6"]), samples.STATIC, samples.STATIC),
    ],
)
def test_busybox(tmp_path: Path, image: bytes | None, here: bytes | None, wanted: bytes) -> None:
    files = {"usr/bin/busybox": edit.Node(image)} if image else {}
    tree = samples.tree(tmp_path, files, set() if image else {"usr/bin/busybox"})
    assert stage1.busybox(tree, MemoryHost({"/bin/busybox": here} if here else {})) == wanted


def test_no_static_busybox_anywhere(tmp_path: Path) -> None:
    tree = samples.tree(tmp_path, {"usr/bin/busybox": edit.Node(samples.elf("/lib64/ld.so", ["libc.so.6"]))})
    with pytest.raises(ClusterError, match=r"static busybox .*add the package busybox-static"):
        stage1.busybox(tree, MemoryHost({"/bin/busybox": b"#!/bin/sh"}))


@pytest.mark.parametrize(
    ("wanted", "unpacks", "programs", "chosen"),
    [
        ("auto", ("zstd", "gzip"), {"zstd"}, "zstd"),
        ("auto", ("zstd", "gzip"), set(), "gzip"),
        ("auto", ("gzip",), {"zstd"}, "gzip"),
        ("gzip", ("zstd", "gzip"), {"zstd"}, "gzip"),
        ("zstd", ("gzip",), {"zstd"}, None),
    ],
)
def test_compression(wanted: str, unpacks: tuple[str, ...], programs: set[str], chosen: str | None) -> None:
    host = samples.FakeHost()
    host.missing = {"zstd"} - programs
    known = kernel.Kernel("6.1", "", unpacks)
    if chosen is None:
        with pytest.raises(ClusterError, match=r"kernel 6\.1 cannot unpack a zstd initramfs"):
            stage1.choose_compression(wanted, known, host)
    else:
        assert stage1.choose_compression(wanted, known, host) == chosen


def test_written_twice_is_the_same(tmp_path: Path) -> None:
    tree = samples.tree(tmp_path, PYTHON)
    results = []
    for name in ("a", "b"):
        out = tmp_path / name
        result = stage1.write(tree, K, stage1.Options(agent=AGENT), samples.FakeHost(), str(out))
        results.append(out.read_bytes())
    assert results[0] == results[1]
    assert (result.compression, result.modules, result.dolly) == ("gzip", 5, True)
    assert result.unpacked == len(gzip.decompress(results[0]))


def test_zstd_modules_are_unpacked_by_the_program(tmp_path: Path) -> None:
    unzstd = stage1._file_unzstd(samples.FakeHost(), str(tmp_path))
    assert unzstd(b"plain") == b"plain"


@pytest.mark.skipif(shutil.which("busybox") is None, reason="no busybox here")
def test_every_applet_is_one_of_busybox() -> None:
    known = subprocess.run(["busybox", "--list"], capture_output=True, check=True).stdout.decode().split()
    assert set(stage1.APPLETS.split()) <= set(known)
