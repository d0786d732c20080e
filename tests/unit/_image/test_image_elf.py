# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ELF files: what they need, and closures over them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import elf
from ansible_collections.xtreemos.cluster.tests.unit._image.samples import elf as make
from hypothesis import given
from hypothesis import strategies as st

LOADER = "/lib64/ld-linux-x86-64.so.2"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (make(), elf.Elf("x86_64", "", (), ())),
        (make(LOADER, ["libc.so.6", "libm.so.6"]), elf.Elf("x86_64", LOADER, ("libc.so.6", "libm.so.6"), ())),
        (make("", ["libc.so.6"], "$ORIGIN/x:/opt", 183), elf.Elf("aarch64", "", ("libc.so.6",), ("$ORIGIN/x", "/opt"))),
        (make(machine=8), elf.Elf("8", "", (), ())),
    ],
)
def test_parse(data: bytes, wanted: elf.Elf) -> None:
    assert elf.parse(data) == wanted
    assert wanted.static == (not wanted.interpreter and not wanted.needed)


def test_this_interpreter_is_dynamic() -> None:
    found = elf.parse(Path(sys.executable).resolve().read_bytes())
    assert found.interpreter.startswith("/lib") and any(name.startswith("libc.so") for name in found.needed)


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + b"\0" * 60, b"\x7fELF\x02\x02" + b"\0" * 60]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ClusterError, match="prog is no 64-bit little-endian ELF file"):
        elf.parse(data, "prog")


@given(st.integers(0, 400), st.binary(max_size=8))
def test_damage_is_an_error_or_a_reading_never_a_traceback(cut: int, noise: bytes) -> None:
    whole = make(LOADER, ["libc.so.6"])
    data = whole[:cut] + noise + whole[cut + len(noise) :]
    for sample in (data, whole[:cut]):
        try:
            elf.parse(sample)
        except ClusterError:
            pass


TREE = {
    "/usr/bin/prog": make(LOADER, ["liba.so", "libc.so.6"]),
    "/usr/lib/x86_64-linux-gnu/liba.so": make("", ["libb.so"], "$ORIGIN/deep"),
    "/usr/lib/x86_64-linux-gnu/deep/libb.so": make("", ["libc.so.6"]),
    "/lib/x86_64-linux-gnu/libc.so.6": make(LOADER),
    LOADER: make(),
    "/script": b"#!/bin/sh\n",
}


def test_closure() -> None:
    assert sorted(elf.closure(["/usr/bin/prog"], TREE.get)) == sorted(set(TREE) - {"/script"})
    assert elf.closure(["/script"], TREE.get) == {"/script": TREE["/script"]}


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("/usr/bin/prog", "/usr/bin/prog is missing in the root tree"),
        ("/usr/lib/x86_64-linux-gnu/deep/libb.so", r"library libb.so is missing .*needed by .*/liba.so"),
        (LOADER, "%s is missing in the root tree .*needed by" % LOADER),
    ],
)
def test_what_is_missing_is_named(gone: str, message: str) -> None:
    left = {path: data for path, data in TREE.items() if path != gone}
    with pytest.raises(ClusterError, match=message):
        elf.closure(["/usr/bin/prog"], left.get)
