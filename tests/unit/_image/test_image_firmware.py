# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firmware of network cards: what modules name, what the image holds, what the manifest says is missing."""

from __future__ import annotations

import struct
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit, firmware, kernel, stage1
from ansible_collections.xtreemos.cluster.tests.unit._image import samples
from hypothesis import given
from hypothesis import strategies as st

K = kernel.Kernel(samples.VERSION, "boot/vmlinuz-" + samples.VERSION, ("gzip",))
NIC = samples.MODULES + "kernel/drivers/net/virtio_net.ko"
SOUND = samples.MODULES + "kernel/sound/snd.ko"


def module(*words: str, section: str = ".modinfo") -> bytes:
    """An ELF file with section names and one section of zero-ended words."""
    strings = b"\0.shstrtab\0" + section.encode() + b"\0"
    info = b"".join(word.encode() + b"\0" for word in words)
    table = 64 + len(strings) + len(info)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 1)
    rows = [(0, 0, 0, 0, 0, 0), (1, 3, 0, 0, 64, len(strings)), (11, 1, 0, 0, 64 + len(strings), len(info))]
    return head + strings + info + b"".join(struct.pack("<IIQQQQIIQQ", *row, 0, 0, 1, 0) for row in rows)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (module("license=GPL", "firmware=bnx2/b.fw", "firmware=a.fw", "firmware=a.fw"), ["a.fw", "bnx2/b.fw"]),
        (module(), []),
        (module("firmware=", "firmwares=x", "description=firmware=x"), []),
        (module("firmware=../../etc/shadow", "firmware=/etc/shadow", "firmware=a/../b", "firmware=a..b"), ["a..b"]),
        (module("firmware=x", section=".other"), []),
        (b"", []),
        (b"firmware=x\0", []),
        (b"\x7fELF\x01\x01" + module("firmware=x")[6:], []),
        (module("firmware=x")[:-1], []),
        (module("firmware=x")[:60], []),
    ],
)
def test_names(data: bytes, names: list[str]) -> None:
    assert firmware.names(data) == names


@given(st.binary(max_size=300), st.integers(0, 80))
def test_any_bytes_give_a_list(noise: bytes, at: int) -> None:
    whole = module("firmware=x")
    for data in (noise, whole[:at] + noise + whole[at + len(noise) :], b"\x7fELF\x02\x01" + noise):
        assert all(isinstance(name, str) for name in firmware.names(data))


@given(st.lists(st.text("abc/._-", min_size=1, max_size=12), max_size=8))
def test_names_are_plain_and_none_is_lost(texts: list[str]) -> None:
    found = firmware.names(module(*("firmware=" + text for text in texts)))
    assert found == sorted({text for text in texts if not text.startswith("/") and ".." not in text.split("/")})


def built(
    tmp_path: Path, module_of: t.Mapping[str, bytes], files: t.Mapping[str, str]
) -> tuple[dict[str, bytes], list[str]]:
    """Firmware in stage1 by path, and what is missing."""
    nodes = {path: edit.Node(data) for path, data in module_of.items()}
    nodes.update({path: edit.text(text) for path, text in files.items()})
    tree = samples.tree(tmp_path, nodes)
    options = stage1.Options((*stage1.modules.DEFAULT, "sound/*"))
    members, missing = stage1.assemble(tree, K, options, MemoryHost(), lambda data: data)
    held = {member.path: member.content for member in members if member.path.startswith("lib/firmware/")}
    return {path: data for path, data in held.items() if data}, missing


def test_what_the_image_holds_goes_into_stage1(tmp_path: Path) -> None:
    nic = module("firmware=nic/one.fw", "firmware=nic/two.fw", "firmware=nic/three.fw", "firmware=nic/own.fw")
    files = {
        "usr/lib/firmware/nic/one.fw": "one",
        "usr/lib/firmware/nic/two.fw.xz": "two",
        "usr/lib/firmware/%s/nic/own.fw" % samples.VERSION: "own",
        "usr/lib/firmware/nic/other.fw": "nobody asks",
    }
    held, missing = built(tmp_path, {NIC: nic}, files)
    assert held == {
        "lib/firmware/nic/one.fw": b"one",
        "lib/firmware/nic/two.fw.xz": b"two",
        "lib/firmware/%s/nic/own.fw" % samples.VERSION: b"own",
    }
    assert missing == ["nic/three.fw"]


def test_patterns(tmp_path: Path) -> None:
    nic = module("firmware=nic/a*.fw", "firmware=nic/z?.fw")
    held, missing = built(tmp_path, {NIC: nic}, {"usr/lib/firmware/nic/a1.fw": "1", "usr/lib/firmware/nic/a2.fw": "2"})
    assert set(held.values()) == {b"1", b"2"} and missing == ["nic/z?.fw"]


def test_only_network_modules_count(tmp_path: Path) -> None:
    held, missing = built(tmp_path, {SOUND: module("firmware=snd.fw")}, {"usr/lib/firmware/snd.fw": "snd"})
    assert (held, missing) == ({}, [])


def test_the_result_tells_what_is_missing(tmp_path: Path) -> None:
    tree = samples.tree(tmp_path, {NIC: edit.Node(module("firmware=nic/none.fw"))})
    result = stage1.write(tree, K, stage1.Options(), samples.FakeHost(), str(tmp_path / "out"))
    assert result.firmware_missing == ("nic/none.fw",)
