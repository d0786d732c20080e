# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iso_boot: menus, loaders, the FAT image; the programs that read them judge."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso import bootjob
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.boot import (
    Entry,
    Menu,
    disc_mark,
    render_grub,
    render_isolinux,
)
from ansible_collections.xtreemos.cluster.plugins.modules import iso_boot
from ansible_collections.xtreemos.cluster.tests.unit._iso.samples import boot, snapshot
from hypothesis import given
from hypothesis import strategies as st

MENU = Menu(
    (
        Entry("install", "Install it's 2.1", "/isolinux/vmlinuz", "/isolinux/all.rdz", "automatic=method:cdrom a;b q"),
        Entry("rescue", "Rescue", "/isolinux/vmlinuz"),
    ),
    "XtreemOS 2.1.1",
    10,
    115200,
)
ISOLINUX = """\
SERIAL 0 115200
UI menu.c32
PROMPT 0
TIMEOUT 100
DEFAULT install
MENU TITLE XtreemOS 2.1.1

LABEL install
  MENU LABEL Install it's 2.1
  KERNEL /isolinux/vmlinuz
  INITRD /isolinux/all.rdz
  APPEND automatic=method:cdrom a;b q

LABEL rescue
  MENU LABEL Rescue
  KERNEL /isolinux/vmlinuz
"""
GRUB = """\
set default=0
set timeout=10
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
echo 'XtreemOS 2.1.1'

menuentry 'Install it'\\''s 2.1' --id install {
  linux /isolinux/vmlinuz automatic=method:cdrom 'a;b' q
  initrd /isolinux/all.rdz
}

menuentry 'Rescue' --id rescue {
  linux /isolinux/vmlinuz
}
"""
NEEDED = ("grub-mkimage", "mformat", "mcopy")
tools = pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs %s" % ", ".join(NEEDED))


def test_menus() -> None:
    assert render_isolinux(MENU) == ISOLINUX
    assert render_grub(MENU) == GRUB
    assert "set timeout=-1" in render_grub(Menu(MENU.entries, timeout=0))
    assert "serial" not in (render_grub(Menu(MENU.entries)) + render_isolinux(Menu(MENU.entries))).lower()


def grub_takes(text: str) -> bool:
    done = subprocess.run(["grub-script-check"], input=text.encode(), capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not shutil.which("grub-script-check"), reason="needs grub-script-check")
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), st.text(st.sampled_from("a b'\"$;{}\\#|&")))
def test_grub_takes_any_label_and_command_line(label: str, append: str) -> None:
    text = render_grub(Menu((Entry("x", label, "/k", append=append),), label))
    assert grub_takes(text)
    assert text.count("\n") == len(text.splitlines()) and text.count("menuentry ") >= 1


ENTRY = {"name": "linux", "kernel": "/isolinux/vmlinuz"}


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"entries": []}, "no entry"),
        ({"entries": [ENTRY, ENTRY]}, "bad or repeated name 'linux'"),
        ({"entries": [{**ENTRY, "name": "Linux x"}]}, "bad or repeated name 'Linux x'"),
        ({"entries": [{**ENTRY, "label": "a\nLABEL b"}]}, "entry linux: label: .* line end"),
        ({"entries": [{**ENTRY, "append": "a\n}"}]}, "entry linux: append: .* line end"),
        ({"entries": [{**ENTRY, "kernel": "vmlinuz"}]}, "no path on the disc"),
        ({"entries": [{**ENTRY, "kernel": "/../vmlinuz"}]}, "no path on the disc"),
        ({"entries": [{**ENTRY, "initrd": "/a b"}]}, "no path on the disc"),
        ({"entries": [{**ENTRY, "kernel": "/boot/vmlinuz-6.1.0-13-amd64"}]}, "isolinux cannot read"),
        ({"title": "a\nb"}, "title: .* line end"),
        ({"check_files": True}, "entry linux: the tree has no kernel /isolinux/vmlinuz"),
    ],
    ids=lambda value: str(value)[:60],
)
@tools
def test_bad_menus(tmp_path: Path, given_: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        boot(tmp_path, **given_)
    assert snapshot(tmp_path) == {}


@tools
def test_a_name_that_only_isolinux_cannot_read(tmp_path: Path) -> None:
    boot(tmp_path, loaders=["uefi"], entries=[{**ENTRY, "kernel": "/boot/vmlinuz-6.1.0-13-amd64"}])
    assert "vmlinuz-6.1.0-13-amd64" in (tmp_path / "boot/grub/grub.cfg").read_text()


@tools
def test_both_loaders(tmp_path: Path) -> None:
    predicted = boot(tmp_path, check=True)
    assert snapshot(tmp_path) == {}
    result = boot(tmp_path)
    assert predicted == result and result["changed"]
    found = snapshot(tmp_path)
    grub = found["boot/grub/grub.cfg"].decode()
    assert set(found) == {
        "isolinux/isolinux.bin",
        "isolinux/isolinux.cfg",
        "isolinux/efiboot.img",
        "isolinux/ldlinux.c32",
        "isolinux/libcom32.c32",
        "isolinux/libutil.c32",
        "isolinux/menu.c32",
        "EFI/BOOT/BOOTX64.EFI",
        "boot/grub/grub.cfg",
        disc_mark(grub),
    }
    assert disc_mark(grub).encode() in found["EFI/BOOT/BOOTX64.EFI"]
    second = boot(tmp_path)
    assert (second["changed"], second["files"], second["diff"]) == (False, [], [])


@tools
def test_the_fat_image_holds_the_program_and_no_time(tmp_path: Path) -> None:
    boot(tmp_path / "one")
    time.sleep(1.1)
    boot(tmp_path / "two")
    one, two = snapshot(tmp_path / "one"), snapshot(tmp_path / "two")
    assert one == two
    out = tmp_path / "out.efi"
    image = str(tmp_path / "one/isolinux/efiboot.img")
    subprocess.run(["mcopy", "-i", image, "::/EFI/BOOT/BOOTX64.EFI", str(out)], check=True)
    assert out.read_bytes() == one["EFI/BOOT/BOOTX64.EFI"]


@tools
def test_another_menu_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    boot(tmp_path)
    (old,) = (tmp_path / "boot/grub").glob("disc.*")
    result = boot(tmp_path, title="Another", loaders=["uefi"])
    assert str(old) in result["files"] and not old.exists()
    assert len(list((tmp_path / "boot/grub").glob("disc.*"))) == 1
    assert list((tmp_path / "isolinux").iterdir()) == [tmp_path / "isolinux/efiboot.img"]
    assert "echo 'Another'" in next(one["after"] for one in result["diff"] if one["after_header"].endswith("grub.cfg"))


def test_missing_loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ISOLINUX", "_MODULES", "_GRUB"):
        monkeypatch.setattr(bootjob, name, (str(tmp_path / "none"),))
    with pytest.raises(ClusterError, match=r"isolinux.bin is not in .* \(install isolinux"):
        boot(tmp_path / "t")
    with pytest.raises(ClusterError, match="GRUB's modules for x86_64-efi are not here"):
        boot(tmp_path / "t", loaders=["uefi"])
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda *_words, **_more: None)
    with pytest.raises(ClusterError, match="grub-mkimage is not installed"):
        boot(tmp_path / "t", loaders=["uefi"])
    assert not (tmp_path / "t").exists()


def test_loaders_from_a_folder_of_ones_own(tmp_path: Path) -> None:
    for name in ("isolinux.bin", "ldlinux.c32", "libcom32.c32", "libutil.c32", "menu.c32"):
        (tmp_path / name).write_text(name)
    boot(tmp_path / "t", loaders=["bios"], loader_paths=[str(tmp_path)])
    assert (tmp_path / "t/isolinux/isolinux.bin").read_text() == "isolinux.bin"


@tools
def test_the_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given_ = {"tree": str(tmp_path), "entries": [{"name": "linux", "kernel": "/vmlinuz"}]}
    with patch_module_args(given_), pytest.raises(SystemExit):
        iso_boot.main()
    assert "the tree has no kernel" in json.loads(capsys.readouterr().out)["msg"]
    (tmp_path / "vmlinuz").write_text("kernel")
    with patch_module_args(given_), pytest.raises(SystemExit):
        iso_boot.main()
    assert json.loads(capsys.readouterr().out)["changed"]
