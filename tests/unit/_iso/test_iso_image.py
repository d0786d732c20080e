# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iso_image: what it predicts, what it writes, when it does nothing; real xorriso."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso import sums, xorriso
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.disc import (
    CAPACITIES,
    Item,
    check_label,
    divide,
    parse_capacity,
    read_tree,
)
from ansible_collections.xtreemos.cluster.plugins.modules import iso_image
from ansible_collections.xtreemos.cluster.tests.unit._iso.samples import EPOCH, add, boot, failing, image, snapshot
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(not shutil.which("xorriso"), reason="needs xorriso")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A tree with packages, a link, odd names and what programs leave behind."""
    build = tmp_path / "build"
    for number in range(4):
        add(build / "media/main", "p%d" % number, description=b"x" * 40000)
    (build / "media/media_info").mkdir()
    (build / "media/media_info/link").symlink_to("../main/p0-1-1.noarch.rpm")
    (build / "odd=na\\me, with blanks").write_text("odd")
    (build / "media/main/.media_info").mkdir()
    (build / "media/main/.media_info/state").write_text("hidden")
    (build / ".discinfo").write_text("1272425006\n")
    (build / "empty").write_text("")
    return tmp_path


def unpacked(iso: Path, to: Path) -> dict[str, bytes]:
    argv = ["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", "/", str(to)]
    subprocess.run(argv, check=True, capture_output=True)
    subprocess.run(["chmod", "-R", "u+rwX", str(to)], check=True)
    return snapshot(to)


def shown(place: Path) -> dict[str, bytes]:
    return {path: data for path, data in snapshot(place / "build").items() if ".media_info" not in path}


def test_an_image_holds_the_tree(place: Path) -> None:
    predicted = image(place, check=True)
    assert not (place / "iso").exists()
    result = image(place)
    iso = place / "iso/X.iso"
    row = result["images"][str(iso)]
    assert row["size"] == predicted["size"] == iso.stat().st_size
    assert row["checksums"] == {"sha256": hashlib.sha256(iso.read_bytes()).hexdigest()}
    assert unpacked(iso, place / "out") == shown(place)
    assert sorted(one.name for one in iso.parent.iterdir()) == ["X.idx", "X.iso", "X.json", "X.sha256"]
    assert result["files"] == sorted(map(str, iso.parent.iterdir()))
    row["checksums"] = {}
    assert predicted == result


def test_nothing_to_do(place: Path) -> None:
    given_: dict[str, t.Any] = {"checksums": ["md5", "sha1", "sha256"], "sbom": "spdx"}
    image(place, **given_)
    before = {path: path.stat().st_mtime_ns for path in (place / "iso").iterdir()}
    for check in (True, False):
        result = image(place, check=check, **given_)
        assert (result["changed"], result["written"], result["actions"]) == (False, False, [])
    assert {path: path.stat().st_mtime_ns for path in (place / "iso").iterdir()} == before


def spoil(place: Path, what: str) -> None:
    iso = place / "iso/X.iso"
    if what == "content":
        (place / "build/empty").write_text("not any more")
    elif what == "touched":
        os.utime(place / "build/empty")
    elif what == "gone":
        iso.unlink()
    elif what == "damaged":
        iso.write_bytes(b"")
    elif what == "no json":
        (place / "iso/X.json").write_text("[")


@pytest.mark.parametrize("what", ["content", "touched", "gone", "damaged", "no json"])
def test_a_reason_to_write_again(place: Path, what: str) -> None:
    image(place)
    spoil(place, what)
    assert image(place, check=True)["changed"]
    result = image(place)
    assert result["changed"] and result["written"]
    assert not image(place)["changed"]


def test_sums_alone(place: Path) -> None:
    image(place)
    mark = (place / "iso/X.iso").stat().st_mtime_ns
    predicted = image(place, check=True, checksums=["md5", "sha1"])
    result = image(place, checksums=["md5", "sha1"])
    assert result["changed"] and predicted["changed"] and not result["written"]
    assert (place / "iso/X.iso").stat().st_mtime_ns == mark
    assert not (place / "iso/X.sha256").exists() and result["removed"] == [str(place / "iso/X.sha256")]
    for kind in ("md5", "sha1"):
        subprocess.run(["%ssum" % kind, "-c", "X.%s" % kind], cwd=place / "iso", check=True, capture_output=True)


def test_two_builds_are_equal(place: Path) -> None:
    """Another folder, another order, other times, another second."""
    boot(place / "build")
    first = image(place, boot=["bios", "uefi"], sbom="cyclonedx")
    time.sleep(1.1)
    other = place / "other"
    for path in sorted((place / "build").rglob("*"), reverse=True):
        if not path.is_dir():
            target = other / "build" / path.relative_to(place / "build")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target, follow_symlinks=False)
    second = image(other, boot=["bios", "uefi"], sbom="cyclonedx")
    digests = [next(iter(one["images"].values()))["checksums"]["sha256"] for one in (first, second)]
    assert digests[0] == digests[1]
    assert (place / "iso/X.cdx.json").read_bytes() == (other / "iso/X.cdx.json").read_bytes()


def test_the_boot_records(place: Path) -> None:
    boot(place / "build")
    loader = (place / "build/isolinux/isolinux.bin").read_bytes()
    image(place, boot=["bios", "uefi"], label="XTREEMOS-FREE-2.1.1-X86_64")
    argv = ["xorriso", "-indev", str(place / "iso/X.iso"), "-report_el_torito", "plain", "-report_system_area", "plain"]
    argv += ["-pvd_info"]
    told = subprocess.run(argv, capture_output=True, check=True).stdout.decode()
    assert "El Torito boot img :   1  BIOS  y   none" in told and "El Torito boot img :   2  UEFI" in told
    assert "Volume Id    : XTREEMOS-FREE-2.1.1-X86_64" in told
    assert "isohybrid" in told and "GPT" in told and "MBR partition path :   2  /isolinux/efiboot.img" in told
    assert (place / "build/isolinux/isolinux.bin").read_bytes() == loader


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"dest": "/x/X.img"}, "does not end with .iso"),
        ({"label": "X" * 33}, "has 33 characters, 32 are allowed"),
        ({"label": "X" * 31, "volumes": 2}, "has 31 characters, 30 are allowed"),
        ({"label": "a b"}, "bad label 'a b'"),
        ({"label": ""}, "bad label ''"),
        ({"capacity": "dvdd"}, "bad capacity 'dvdd'"),
        ({"capacity": "100k"}, "bytes, [0-9]+ more than its capacity"),
        ({"capacity": "100k", "volumes": 2}, "the tree needs|what is no package needs"),
        ({"boot": ["bios"]}, "the tree has no isolinux/isolinux.bin, which bios needs .run iso_boot"),
        ({"boot": ["uefi"]}, "the tree has no isolinux/efiboot.img, which uefi needs"),
        ({"tree": "/none"}, "cannot read /none"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_refused(place: Path, given_: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        image(place, **given_)
    assert not list((place / "iso").glob("*.iso"))


def test_an_empty_tree_and_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with pytest.raises(ClusterError, match="there is nothing in the tree"):
        image(tmp_path)
    os.mkfifo(tmp_path / "build/pipe")
    with pytest.raises(ClusterError, match="pipe is neither a file nor a link"):
        image(tmp_path)
    (tmp_path / "build/pipe").unlink()
    (tmp_path / "build/a\nb").write_text("")
    with pytest.raises(ClusterError, match="has a line end"):
        image(tmp_path)


def test_isohybrid_code_that_is_missing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot(place / "build", loaders=["bios"])
    monkeypatch.setattr(xorriso, "_MBR", ("/none",))
    with pytest.raises(ClusterError, match=r"isohdpfx.bin is not here \(install isolinux"):
        image(place, boot=["bios"])


def test_a_full_disk(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        f_bavail, f_frsize = 10, 1

    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda path: Full())
        for check in (True, False):
            with pytest.raises(ClusterError, match="the image needs .* are free"):
                image(place, check=check)
    host = MemoryHost(script={"xorriso": (5, "", "libburn : SORRY : x\nxorriso : FATAL : No space left on device\n")})
    with pytest.raises(ClusterError, match="No space left on device .free some space"):
        xorriso.write_image(["xorriso"], "/t", [], str(place / "y.iso"), 0, host)
    assert list(place.glob("*.iso*")) == []


def test_a_failed_run_keeps_the_old_image(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image(place)
    before = (place / "iso/X.iso").read_bytes()
    (place / "build/more").write_bytes(b"x" * 5000)
    monkeypatch.setattr(xorriso, "sync_file", failing(OSError(5, "Input/output error")))
    with pytest.raises(ClusterError, match="Input/output error"):
        image(place)
    assert (place / "iso/X.iso").read_bytes() == before and not list((place / "iso").glob(".*"))
    monkeypatch.undo()
    assert image(place)["written"]


def test_several_volumes_are_the_tree_together(place: Path) -> None:
    boot(place / "build", loaders=["bios"])
    for number in range(6):
        add(place / "build/media/more", "big%d" % number, description=b"x" * 600000)
    given_: dict[str, t.Any] = {"boot": ["bios"], "volumes": 4, "checksums": ["sha256"]}
    whole = image(place, check=True, **given_)["size"]
    less = str(whole - (1 << 20))
    image(place, **given_)
    predicted = image(place, check=True, capacity=less, **given_)
    result = image(place, capacity=less, **given_)
    assert (
        list(result["images"]) == list(predicted["images"]) == [str(place / "iso/X-1.iso"), str(place / "iso/X-2.iso")]
    )
    assert [row["label"] for row in result["images"].values()] == ["X-1-1", "X-1-2"]
    assert all(row["size"] <= int(less) for row in result["images"].values())
    assert result["removed"] == [str(place / "iso/X.iso")] and not (place / "iso/X.iso").exists()
    together: dict[str, bytes] = {}
    for number, path in enumerate(result["images"]):
        together.update(unpacked(Path(path), place / ("out%d" % number)))
    # xorriso writes into the loader where it lies, and adds the catalogue.
    mine = shown(place)
    for path in ("isolinux/isolinux.bin", "isolinux/boot.cat"):
        together.pop(path, None)
        mine.pop(path, None)
    assert together == mine
    assert (place / "iso/X.sha256").read_text().count("\n") == 2
    assert not image(place, capacity=less, **given_)["changed"]


def item(path: str, size: int) -> Item:
    return Item(path, size, 0, 0o644)


@given(st.lists(st.integers(0, 9000), max_size=30), st.integers(12, 40))
def test_dividing_loses_nothing_and_fills_no_volume_too_much(sizes: list[int], sectors: int) -> None:
    items = [item("boot", 3000), *(item("%03d.rpm" % number, size) for number, size in enumerate(sizes))]
    volumes = divide(items, sectors * 2048, 99, 2)
    assert sorted(one.path for part in volumes for one in part) == sorted(one.path for one in items)
    assert all(sum(one.sectors for one in part) <= sectors - 2 for part in volumes)
    assert volumes[0][0].path == "boot"


def test_what_cannot_be_divided() -> None:
    cases: list[tuple[list[Item], str]] = [
        ([item("a", 10000)], "what is no package needs"),
        ([item("a.rpm", 10000)], "a.rpm alone is larger than a volume"),
        ([item("%d.rpm" % one, 4096) for one in range(9)], "the tree needs 9 volumes of 0 MB, 2 are allowed"),
    ]
    for items, told in cases:
        with pytest.raises(ClusterError, match=told):
            divide(items, 8192, 2, 1)


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("none", 0), ("cd", CAPACITIES["cd"]), ("650M", 650 << 20), ("4.5g", int(4.5 * 2**30)), ("2048", 2048)],
)
def test_capacities(text: str, size: int) -> None:
    assert parse_capacity(text) == size


@given(st.text(max_size=40))
def test_labels_are_taken_or_refused(label: str) -> None:
    try:
        check_label(label)
    except ClusterError as error:
        assert error.hint
    else:
        assert 0 < len(label) <= 32 and label.isascii() and " " not in label


def test_the_index_and_the_json(place: Path) -> None:
    image(place, capacity="dvd")
    assert (place / "iso/X.idx").read_text() == "".join("p%d-1-1.noarch\n" % number for number in range(4))
    data = json.loads((place / "iso/X.json").read_text())
    assert data["sizes"]["media/main"] == sum(one.stat().st_size for one in (place / "build/media/main").glob("*.rpm"))
    assert (data["capacity"], data["epoch"], data["label"]) == (CAPACITIES["dvd"], EPOCH, "X-1")
    assert data["files"] == len(read_tree(str(place / "build"))) == len(shown(place))


@pytest.mark.parametrize("kind", ["spdx", "cyclonedx"])
def test_bills_of_materials(place: Path, kind: str) -> None:
    add(place / "build/media/main", "odd+name", "1~rc1", arch="x86_64", summary=b"A \xc3\xa9 package")
    result = image(place, sbom=kind, vendor="XtreemOS")
    path = Path(result["side_files"]["sbom"])
    data = json.loads(path.read_text())
    file = place / "build/media/main/odd+name-1~rc1-1.x86_64.rpm"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    purl = "pkg:rpm/xtreemos/odd%2Bname@1~rc1-1?arch=x86_64"
    if kind == "spdx":
        row = next(one for one in data["packages"] if one["name"] == "odd+name")
        assert row["checksums"] == [{"algorithm": "SHA256", "checksumValue": digest}]
        assert row["externalRefs"][0]["referenceLocator"] == purl
        texts = {one["licenseId"]: one["extractedText"] for one in data["hasExtractedLicensingInfos"]}
        assert texts[row["licenseDeclared"]] == "GPL"
        ids = [one["SPDXID"] for one in data["packages"]]
        assert len(set(ids)) == len(ids) == 5 == len(data["relationships"])
        assert data["creationInfo"]["created"] == "2010-04-28T03:23:26Z"
    else:
        row = next(one for one in data["components"] if one["name"] == "odd+name")
        assert row["purl"] == purl and row["hashes"] == [{"alg": "SHA-256", "content": digest}]
        assert row["licenses"] == [{"license": {"name": "GPL"}}] and data["specVersion"] == "1.5"
        assert len({one["bom-ref"] for one in data["components"]}) == 5
    assert not image(place, sbom=kind, vendor="XtreemOS")["changed"]
    path.write_text("{}")
    assert image(place, sbom=kind, vendor="XtreemOS")["changed"] and json.loads(path.read_text()) == data


def test_sums_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (5 << 20))
    expected = {kind: hashlib.new(kind, b"x" * (5 << 20)).hexdigest() for kind in sums.KINDS}
    assert sums.file_sums(str(tmp_path / "a"), sums.KINDS) == expected
    assert sums.many_sums([str(tmp_path / "a")]) == {str(tmp_path / "a"): expected["sha256"]}
    for work in (lambda: sums.file_sums("/none", ["md5"]), lambda: sums.many_sums(["/none"])):
        with pytest.raises(ClusterError, match="cannot read /none"):
            work()


def test_without_xorriso(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_words, **_more: None)
    with pytest.raises(ClusterError, match="xorriso is not installed .install the package xorriso"):
        image(place)


def test_the_module(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given_ = {"tree": str(place / "build"), "dest": str(place / "iso/X.iso"), "label": "X", "boot": [], "epoch": EPOCH}
    with patch_module_args({**given_, "_ansible_diff": True}), pytest.raises(SystemExit):
        iso_image.main()
    result = json.loads(capsys.readouterr().out)
    assert result["changed"] and result["actions"][0][:3] == ["xorriso", "-as", "mkisofs"]
    assert "X.iso X, " in result["diff"][0]["after"]
