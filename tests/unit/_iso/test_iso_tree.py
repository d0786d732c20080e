# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iso_tree: the packages of the plan and nothing else, whoever signed them."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso import tree as core
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.treejob import render_media_cfg
from ansible_collections.xtreemos.cluster.plugins.modules import iso_tree
from ansible_collections.xtreemos.cluster.tests.unit._iso.samples import EPOCH, add, failing, plan, snapshot, tree
from ansible_collections.xtreemos.cluster.tests.unit._media.samples import run as hdlist
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import BINARY, rpm_bytes, tags

PRODUCT = {"version": "2.1.1", "arch": "x86_64", "vendor": "XtreemOS", "distribution": "XtreemOS Linux"}
MAIN = "media/main/"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        add(tmp_path / "main", name)
    add(tmp_path / "xos", "c")
    replan(tmp_path, ["a", "b", "c"])
    return tmp_path


def replan(place: Path, packages: list[str]) -> None:
    sources = [{"name": name, "path": str(place / name)} for name in ("main", "xos")]
    plan(place, sources=sources, packages=packages)


def packages(place: Path) -> list[str]:
    return sorted(name for name in snapshot(place / "build") if name.endswith(".rpm"))


@pytest.mark.parametrize("transfer", core.TRANSFERS)
def test_a_tree(place: Path, transfer: str) -> None:
    given: dict[str, t.Any] = {"transfer": transfer, "product": PRODUCT, "titles": {"xos": "The grid"}}
    predicted = tree(place, check=True, **given)
    assert not (place / "build").exists()
    result = tree(place, **given)
    assert predicted == result and result["changed"] and result["epoch"] == EPOCH
    assert packages(place) == [MAIN + "a-1-1.noarch.rpm", MAIN + "b-1-1.noarch.rpm", "media/xos/c-1-1.noarch.rpm"]
    ours, theirs = (os.stat(one / "a-1-1.noarch.rpm") for one in (place / "build/media/main", place / "main"))
    assert (ours.st_ino == theirs.st_ino) is (transfer == "hardlink")
    assert (ours.st_mtime, ours.st_mode & 0o777) == (EPOCH, 0o644)
    second = tree(place, **given)
    assert (second["changed"], second["diff"], second["files"]) == (False, [], [])
    assert (place / "build/media/media_info/media.cfg").read_text() == (
        "[media_info]\nmediacfg_version=2\nversion=2.1.1\narch=x86_64\nvendor=XtreemOS\n"
        "distribution=XtreemOS Linux\n\n[main]\nname=Main\n\n[xos]\nname=The grid\n"
    )


def test_what_is_too_much_goes(place: Path) -> None:
    tree(place)
    add(place / "build/media/main", "stranger")
    add(place / "build/media/old/release", "old")
    (place / "build/media/old/release/media_info").mkdir()
    (place / "build/media/main/.new-a.rpm").write_text("a killed run")
    (place / "build/isolinux").mkdir()
    (place / "build/isolinux/vmlinuz").write_text("kernel")
    replan(place, ["a", "c"])
    result = tree(place)
    assert result["media"]["main"]["removed"] == ["b-1-1.noarch.rpm", "stranger-1-1.noarch.rpm"]
    assert result["removed_media"] == [str(place / "build/media/old/release")]
    assert packages(place) == [MAIN + "a-1-1.noarch.rpm", "media/xos/c-1-1.noarch.rpm"]
    assert (place / "build/isolinux/vmlinuz").exists()
    assert not (place / "build/media/main/.new-a.rpm").exists()
    replan(place, ["a"])
    assert tree(place)["removed_media"] == [str(place / "build/media/xos")]


def test_a_signed_package_stays_and_another_one_goes(place: Path) -> None:
    tree(place)
    ours = place / "build/media/main/a-1-1.noarch.rpm"
    ours.write_bytes(rpm_bytes(tags(), signature={268: (BINARY, b"signature")}))
    assert not tree(place)["changed"] and b"signature" in ours.read_bytes()
    for other in (rpm_bytes(tags(), payload=b"another one"), b"", b"garbage" * 100):
        ours.write_bytes(other)
        result = tree(place)
        assert result["media"]["main"]["updated"] == ["a-1-1.noarch.rpm"]
        assert ours.read_bytes() == (place / "main/a-1-1.noarch.rpm").read_bytes()


def test_sizes_that_hdlist_wrote_stay(place: Path) -> None:
    tree(place, product=PRODUCT)
    cfg = place / "build/media/media_info/media.cfg"
    cfg.write_text(cfg.read_text().replace("name=Main\n", "name=Main\nsize=1k\n"))
    assert not tree(place, product=PRODUCT)["changed"]
    result = tree(place, product={**PRODUCT, "version": "3"})
    assert result["files"] == [str(cfg)] and "size=1k" in cfg.read_text() and "version=3" in cfg.read_text()
    cfg.write_text("damaged\n")
    assert tree(place, product=PRODUCT)["files"] == [str(cfg)]


def test_the_files_of_the_installer(place: Path) -> None:
    (place / "rates").write_text("CAT_A\n  5 a\n  4 gone\n")
    (place / "users").write_text("exit(1); # never run\n")
    (place / "deps").write_text("/bin/b\n\n/bin/a\n# no path\n")
    given = {"rpmsrate": str(place / "rates"), "compss_users": str(place / "users"), "file_deps": str(place / "deps")}
    result = tree(place, **given)
    info = place / "build/media/media_info"
    assert (info / "rpmsrate").read_text() == "CAT_A\n  5 a\n"
    assert (info / "compssUsers.pl").read_bytes() == (place / "users").read_bytes()
    assert (info / "file-deps").read_text() == "/bin/a\n/bin/b\n"
    assert set(result["checksums"]) == {
        str(info / name) for name in ("media.cfg", "rpmsrate", "compssUsers.pl", "file-deps")
    }
    assert not tree(place, **given)["changed"]
    for option in given:
        with pytest.raises(ClusterError, match="%s: /none does not exist" % option):
            tree(place, **{**given, option: "/none"})


def test_the_media_of_the_tree_are_good_ones(place: Path) -> None:
    tree(place, product=PRODUCT)
    assert not hdlist(place / "build/media/main").warnings


def test_what_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="going to be signed cannot be hard links"):
        tree(place, transfer="hardlink", signed=True)
    with pytest.raises(ClusterError, match="does not exist .run package_set first"):
        tree(place, lock=str(place / "none"))
    with pytest.raises(ClusterError, match="line end"):
        tree(place, titles={"main": "a\nb"})
    os.utime(place / "main/a-1-1.noarch.rpm")
    with pytest.raises(ClusterError, match="a-1-1.noarch.rpm has changed since the plan was made"):
        tree(place)
    (place / "main/a-1-1.noarch.rpm").unlink()
    with pytest.raises(ClusterError, match="cannot read .*a-1-1.noarch.rpm"):
        tree(place)
    assert not (place / "build").exists()


def test_a_full_disk_is_noticed_before(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        f_bavail, f_frsize = 1, 1

    monkeypatch.setattr(os, "statvfs", lambda path: Full())
    with pytest.raises(ClusterError, match="the tree needs 1 MB in .*, and 0 MB are free"):
        tree(place)


def test_a_failure_in_the_middle_leaves_what_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replan(place, ["a"])
    tree(place)
    before = snapshot(place / "build")
    replan(place, ["a", "b", "c"])
    honest = core._bring

    def broken(row: t.Any, target: str, transfer: str) -> None:
        if row.name == "c":
            raise OSError(28, "No space left on device")
        honest(row, target, transfer)

    monkeypatch.setattr(core, "_bring", broken)
    with pytest.raises(ClusterError, match="No space left on device"):
        tree(place)
    assert snapshot(place / "build") == before


def test_a_link_over_file_systems_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(OSError(18, "Invalid cross-device link")))
    with pytest.raises(ClusterError, match="cannot link .*cross-device"):
        tree(place, transfer="hardlink")


def test_media_cfg_of_many_media() -> None:
    text = render_media_cfg(["contrib/release", "main"], {}, {})
    assert text == "[media_info]\nmediacfg_version=2\n\n[contrib/release]\nname=Contrib release\n\n[main]\nname=Main\n"


def test_the_module(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"path": str(place / "t"), "lock": str(place / "plan.lock.json"), "_ansible_diff": True}
    with patch_module_args(given), pytest.raises(SystemExit):
        iso_tree.main()
    result = json.loads(capsys.readouterr().out)
    assert result["changed"] and result["actions"] == []
    assert [one["after"] for one in result["diff"][:2]] == [
        "a-1-1.noarch.rpm\nb-1-1.noarch.rpm\n",
        "c-1-1.noarch.rpm\n",
    ]
