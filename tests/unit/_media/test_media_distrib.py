# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution tree as gendistrib leaves it, and rpm-md beside a medium."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.distrib import (
    filter_kind,
    parse_file_deps,
    render_product_id,
    render_version,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.job import run_job
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.mediacfg import parse_mediacfg
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.mediainfo import plan_media
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.options import Options
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.repodata import plan_repodata, run_repodata
from ansible_collections.xtreemos.cluster.tests.unit._media import samples
from ansible_collections.xtreemos.cluster.tests.unit._media.test_media_golden import check_records
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN, write

DEFAULTS: dict[str, t.Any] = {
    "state": "present",
    "distrib": True,
    "xml_info": None,
    "hdlist": True,
    "compression": None,
    "file_deps": [],
    "repodata": False,
    "bad_packages": "fail",
    "allow_empty": False,
    "pubkey": None,
    "versioned": False,
    "weak_dependencies": "suggests",
    "line_limit": samples.THEIRS,
    "lock_timeout": 60,
}
TOP = Path("media") / "media_info"
MEDIA = ["main/release", "main/updates", "contrib/release", "non-free/release", "debug_main", "SRPMS"]


def job(path: Path, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_job({**DEFAULTS, "path": str(path), **options}, check_mode, LocalHost())


def everything(root: Path) -> dict[str, bytes]:
    """Each file and link of a tree but the packages and what is kept for the next run."""
    return {
        str(path.relative_to(root)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if not path.name.endswith(".rpm") and ".media_info" not in path.parts and (path.is_symlink() or path.is_file())
    }


def unsized(records: dict[bytes, bytes], section: str) -> dict[bytes, bytes]:
    """Without sizes of source packages: the recorded ones were another build, whose files are not at hand."""
    if section != "SRPMS":
        return records
    return {nvra: re.sub(rb"@filesize@\d+", b"@filesize@", text) for nvra, text in records.items()}


def test_recorded_distribution(tmp_path: Path) -> None:
    root = samples.tree(tmp_path / "t")
    predicted = job(root, True)
    assert list((root / TOP).iterdir()) != [] and not (root / "VERSION").exists()
    result = job(root)
    assert {**predicted, "diff": 0} == {**result, "diff": 0} and result["changed"] is True
    for section in MEDIA:
        ours, recorded = (place / "media" / section / "media_info" for place in (root, GOLDEN / "distrib"))
        check_records(unsized(samples.records(ours), section), unsized(samples.records(recorded), section), "distrib")
        if (recorded / "hdlist.cz").exists():
            assert samples.headers(ours) == samples.headers(recorded)
        for kind in samples.XML:
            assert samples.elements(ours, kind) == samples.elements(recorded, kind)
    recorded_top = GOLDEN / "distrib" / TOP
    for path in recorded_top.iterdir():
        made = root / TOP / path.name
        if path.name not in ("MD5SUM", "hdlists", "media.cfg", "file-deps"):
            # The recorded links are kept as files with their target.
            assert os.readlink(made) == path.read_text() and made.exists(), path.name
    # hdlist_srpms.cz has no recorded file, only its digest.
    assert {path.name for path in (root / TOP).iterdir()} - {path.name for path in recorded_top.iterdir()} == {
        "hdlist_srpms.cz"
    }
    assert (root / TOP / "media.cfg").read_text() == (recorded_top / "media.cfg").read_text()
    digests = parse_md5sum((root / TOP / "MD5SUM").read_bytes())
    assert list(digests) == list(parse_md5sum((recorded_top / "MD5SUM").read_bytes()))
    assert digests == {name: md5((root / TOP / name).read_bytes()) for name in digests}


def test_lists_at_the_top(tmp_path: Path) -> None:
    root = samples.tree(tmp_path)
    job(root)
    # The original wrote this list before it knew the sizes.
    recorded = (GOLDEN / "distrib" / TOP / "hdlists").read_text().replace("(1)", "")
    ours = (root / TOP / "hdlists").read_text()
    assert re.sub(r"\(\d+k\)", "", ours) == recorded and "Main Release\t(70k)\n" in ours
    when = r"\d{8} \d\d:\d\d\n"
    front = (GOLDEN / "distrib" / "VERSION").read_text()[:-15]
    assert re.fullmatch(re.escape(front) + when, (root / "VERSION").read_text())
    assert not (root / "product.id").exists()


def test_the_second_run_changes_nothing(tmp_path: Path) -> None:
    root = samples.tree(tmp_path)
    job(root)
    before = everything(root)
    result = job(root)
    assert result["changed"] is False and result["files"] == [] and result["diff"] == []
    assert everything(root) == before


def test_one_new_package(tmp_path: Path) -> None:
    root = samples.tree(tmp_path)
    job(root)
    write(root / "media" / "debug_main", "new")
    predicted, result = job(root, True), job(root)
    assert predicted == result
    assert [name for name, row in result["media"].items() if row["changed"]] == ["debug_main"]
    assert result["media"]["debug_main"]["added"] == ["new-1-1.noarch"]
    changed = {os.path.relpath(path, root) for path in result["files"]}
    assert "media/media_info/MD5SUM" in changed and not any("hdlist_" in path for path in changed)
    (shown,) = (entry for entry in result["diff"] if "debug_main" in entry["before_header"])
    assert "new-1-1.noarch" in shown["after"] and "new-1-1.noarch" not in shown["before"]


def test_media_that_left_and_hand_made_files(tmp_path: Path) -> None:
    root = samples.tree(tmp_path)
    job(root)
    cfg = (root / TOP / "media.cfg").read_text()
    (root / TOP / "media.cfg").write_text("# by hand\n" + cfg[: cfg.index("[SRPMS]")])
    (root / TOP / "rpmsrate").write_text("kept")
    os.symlink("rpmsrate", root / TOP / "other")
    job(root)
    names = os.listdir(root / TOP)
    assert "hdlist_srpms.cz" not in names and "synthesis.hdlist_srpms.cz" not in names
    assert {"rpmsrate", "other", "file-deps"} <= set(names)
    assert (root / TOP / "media.cfg").read_text().startswith("# by hand\n[media_info]")


def test_what_media_cfg_tells(tmp_path: Path) -> None:
    root = samples.tree(tmp_path)
    path = root / TOP / "media.cfg"
    text = path.read_text().replace("xml-info=1", "xml-info=0\nsynthesis-filter=.cz:xz -7\nvendor=V\ntype=basic")
    path.write_text(text.replace("[SRPMS]\n", "[SRPMS]\nxml-info=1\nuse_copied_hdlist=1\n"))
    job(root)
    release, sources = (root / "media" / name / "media_info" for name in ("main/release", "SRPMS"))
    assert not (release / "info.xml.lzma").exists() and (sources / "info.xml.lzma").exists()
    assert (release / "synthesis.hdlist.cz").read_bytes().startswith(b"\xfd7zXZ")
    assert (root / TOP / "hdlist_srpms.cz").is_file() and not (root / TOP / "hdlist_srpms.cz").is_symlink()
    line = "vendor=V,type=basic,version=2009.0,branch=Official,arch=x86_64,product=XtreemOS\n"
    assert (root / "product.id").read_text() == line
    assert job(root)["changed"] is False
    job(root, xml_info=True, compression={"synthesis": "gzip", "xml_info": "gzip"})
    assert (release / "info.xml.lzma").read_bytes().startswith(b"\x1f\x8b")
    assert (release / "synthesis.hdlist.cz").read_bytes().startswith(b"\x1f\x8b")


def test_tree_without_hdlists(tmp_path: Path) -> None:
    root = samples.tree(tmp_path)
    job(root)
    job(root, hdlist=False)
    assert not list((root / TOP).glob("hdlist_*")) and list((root / TOP).glob("synthesis.*"))
    assert job(root, hdlist=False)["changed"] is False


@pytest.mark.parametrize("copied", [False, True])
def test_removal(tmp_path: Path, copied: bool) -> None:
    root = samples.tree(tmp_path)
    before = everything(root)
    job(root)
    predicted, result = job(root, True, state="absent"), job(root, state="absent")
    assert predicted == result and result["changed"]
    left = everything(root)
    assert {name for name in left if not name.startswith(str(TOP))} - {"VERSION"} == {
        name for name in before if not name.startswith(str(TOP))
    }
    assert not list(root.rglob("state.json"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / TOP / "media.cfg").unlink(), "media.cfg does not exist"),
        (lambda root: (root / TOP / "media.cfg").write_text("[x"), "media.cfg line 1: neither"),
        (lambda root: shutil.rmtree(root / "media" / "SRPMS"), r"\[SRPMS\]: no folder media/SRPMS"),
        (lambda root: (root / "media" / "SRPMS" / "x.rpm").write_text("x"), "x.rpm: not an RPM package"),
        (
            lambda root: (root / TOP / "media.cfg").open("a").write("[x]\nname=Sources\n"),
            "same folder|same name|no folder",
        ),
    ],
)
def test_trees_that_are_refused(tmp_path: Path, change: t.Callable[[Path], t.Any], message: str) -> None:
    root = samples.tree(tmp_path)
    before = everything(root)
    change(root)
    after = everything(root)
    with pytest.raises(ClusterError, match=message):
        job(root)
    assert everything(root) == after and len(after) >= len(before) - 1


def test_small_parts() -> None:
    assert parse_file_deps(b"/bin/a\n\n# no\n /usr/b \n") == {b"/bin/a", b"/usr/b"}
    cfg = parse_mediacfg("[media_info]\ndistribution=D\ntag=beta\nxml-info-filter=.lzma:xz -7\n")
    assert render_version(cfg, 0) == b"D cooker cooker-noarch-Download-beta 19700101 00:00\n"
    assert render_product_id(cfg) == b"distribution=D\n"
    assert filter_kind(cfg, "xml-info-filter") == "xz" and filter_kind(cfg, "synthesis-filter") == ""
    with pytest.raises(ClusterError, match="a comma cannot be told"):
        render_product_id(parse_mediacfg("[media_info]\nvendor=a,b\n"))


# rpm-md.

HAS_CREATEREPO = shutil.which("createrepo_c") is not None
needs_createrepo = pytest.mark.skipif(not HAS_CREATEREPO, reason="createrepo_c is not installed")


@needs_createrepo
def test_repodata(tmp_path: Path) -> None:
    folder = samples.medium(tmp_path, names=["a-s", "a-c"])
    options = {"distrib": False, "repodata": True}
    predicted, result = job(folder, True, **options), job(folder, **options)
    assert {**predicted, "diff": 0} == {**result, "diff": 0}
    assert [argv[0] for argv in result["actions"]] == ["createrepo_c"] and result["media"][str(folder)]["changed"]
    assert (folder / "repodata" / "repomd.xml").exists()
    again = job(folder, **options)
    assert again["changed"] is False and again["actions"] == []
    (folder / ".media_info" / "state.json").unlink()
    assert job(folder, **options)["changed"] is False
    next((folder / "repodata").glob("*primary*")).unlink()
    # A run that was killed leaves its folder.
    (folder / ".repodata").mkdir()
    assert len(job(folder, **options)["actions"]) == 1
    samples.medium(folder, names=["a-epoch0"])
    assert len(job(folder, **options)["actions"]) == 1
    primary = next((folder / "repodata").glob("*primary*"))
    assert b"a-epoch0-1.0-1mdv2009.0.noarch.rpm" in samples.content(primary)


@needs_createrepo
def test_packages_that_createrepo_leaves_out(tmp_path: Path) -> None:
    """It ends well although it could not read a package; the next run tries again."""
    samples.medium(tmp_path, names=["a-simple"])
    write(tmp_path, "odd")
    for _time in range(2):
        with pytest.raises(ClusterError, match="createrepo_c left out packages of %s" % tmp_path):
            job(tmp_path, distrib=False, repodata=True)


@needs_createrepo
def test_repodata_of_the_same_packages_is_the_same(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        folder = samples.medium(tmp_path / name, names=["a-s"])
        for path in folder.glob("*.rpm"):
            os.utime(path, (1234567890, 1234567890))
        job(folder, distrib=False, repodata=True)
        found.append({path.name: path.read_bytes() for path in (folder / "repodata").iterdir()})
    assert found[0] == found[1]


@needs_createrepo
def test_repodata_has_the_packages_of_the_medium_only(tmp_path: Path) -> None:
    folder = samples.medium(tmp_path, names=["a-simple"])
    (folder / "bad.rpm").write_bytes(b"x")
    write(folder / "below", "below")
    job(folder, distrib=False, repodata=True, bad_packages="skip")
    primary = samples.content(next((folder / "repodata").glob("*primary*")))
    assert b'packages="1"' in primary and b"below" not in primary
    assert job(folder, distrib=False, repodata=True, bad_packages="skip")["changed"] is False
    job(folder, distrib=False, repodata=True, state="absent")
    assert not (folder / "repodata").exists() and not (folder / "media_info").exists()


def test_a_failed_run_is_tried_again(tmp_path: Path) -> None:
    write(tmp_path)
    plan, argv = plan_repodata(plan_media(Options(str(tmp_path)), LocalHost()), MemoryHost())
    failing = MemoryHost(script={"createrepo_c": (1, "", "no space")})
    with pytest.raises(ClusterError, match="createrepo_c failed"):
        run_repodata(plan, argv, failing)
    assert failing.files[str(tmp_path / ".media_info" / "pkglist")] == b"a-1-1.noarch.rpm\n"
    assert not (tmp_path / ".media_info" / "state.json").exists()


def test_createrepo_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(LocalHost, "which", lambda _self, _program: None)
    with pytest.raises(ClusterError, match="createrepo_c is not installed"):
        job(tmp_path, distrib=False, repodata=True)
    assert not (tmp_path / "media_info").exists()
