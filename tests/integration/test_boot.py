# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every boot path for real: firmware, DHCP server, loader, kernel and stage1, one of them up to a running system."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.tests.integration.bootplace import BootPlace, build_image

UEFI = {"loaders": {"bios": "lpxelinux.0", "uefi_x64": "snponly.efi"}}


class Way(t.NamedTuple):
    """How a machine boots: ``rom`` is iPXE in the card, ``dhcp`` options of the server."""

    backend: str
    firmware: str
    rom: bool
    dhcp: t.Mapping[str, t.Any] = {}
    transport: str = "http"
    stage: str = "dhcp"


PATHS = {
    "card with iPXE": Way("isc", "bios", True, stage="up"),
    "lpxelinux": Way("isc", "bios", True, {"ipxe": False}),
    "pxelinux, everything by TFTP": Way("isc", "bios", True, transport="tftp"),
    "kea": Way("kea", "bios", True),
    "dnsmasq": Way("dnsmasq", "bios", True),
    "dnsmasq, lpxelinux": Way("dnsmasq", "bios", True, {"ipxe": False}),
    "UEFI": Way("isc", "uefi", False, UEFI),
    "UEFI, card with iPXE": Way("isc", "uefi", True, UEFI),
    "UEFI, kea": Way("kea", "uefi", False, UEFI),
    "UEFI, dnsmasq": Way("dnsmasq", "uefi", False, UEFI),
}


@pytest.fixture(scope="module")
def images() -> Path:
    return build_image()


@pytest.mark.parametrize("name", sorted(PATHS))
def test_the_machine_boots(name: str, images: Path, tmp_path: Path) -> None:
    path = PATHS[name]
    place = BootPlace(tmp_path, images)
    try:
        place.lay()
        place.serve(path.backend, path.dhcp, path.transport)
        place.power(path.firmware, path.rom)
        assert place.reached(path.stage, 400), place.told()
    finally:
        place.close()
