# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iso_report: the sections in their order, nothing unescaped, nothing from elsewhere, what has changed."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.page import render_page
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.report import difference, parse_report, stamp
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.treemap import render_treemap, size_text, squarify
from ansible_collections.xtreemos.cluster.plugins.modules import iso_report
from ansible_collections.xtreemos.cluster.tests.unit._iso.samples import add, image, plan, report, tree
from hypothesis import given
from hypothesis import strategies as st

PRODUCT = {"nameid": "XtreemOS", "version": "2.1.1", "arch": "x86_64", "based_on": "2009.0", "theme": "Mandriva-Free"}
_TAGS = "html head meta title style body h1 h2 h3 dl dt dd p ul li code a span table tr th td i b div details"
TAGS = {*re.findall(r"\w+", _TAGS), "summary", "svg", "g", "rect", "text"}
EVIL = "<script>alert('x')</script>&\"'"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, more in (("a", {"needs": ["b"]}), ("b", {}), ("c", {"needs": ["nowhere"]})):
        add(tmp_path / "main", name, description=b"x" * 3000, **more)
    add(tmp_path / "main", "b", "2")
    replan(tmp_path)
    return tmp_path


def replan(place: Path, packages: t.Sequence[str] = ("a",), **more: t.Any) -> None:
    source = {"name": "main", "path": str(place / "main"), "description": "Main media"}
    plan(place, sources=[source], packages=list(packages), **more)


def page(place: Path) -> str:
    return (place / "out/report.html").read_text()


class Reader(HTMLParser):
    """Elements are closed in order; ``text`` is what a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]
        assert not any(name.startswith("on") for name, _value in attrs)
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "


def test_the_sections_of_the_old_report_in_their_order(place: Path) -> None:
    tree(place)
    image(place, checksums=["md5", "sha1"], capacity="cd")
    given_: dict[str, t.Any] = {"product": PRODUCT, "conf": "xos64.xml", "image": str(place / "iso/X.iso")}
    given_.update(logs=[str(place / "plan.lock.json")], pubkey="release/media_info/pubkey")
    result = report(place, **given_)
    reader = Reader(page(place))
    order = [
        "XtreemOS-2.1.1-x86_64 build at 2010_4_28-3h23-26",
        "Date of the synchronisation",
        "UNKNOWN date",
        "xos64.xml",
        "Architecture",
        "Distribution based on",
        "2009.0",
        "Version",
        "Theme used",
        "Mandriva-Free",
        "Media list",
        "Media main",
        "Main media",
        "From which dir",
        "Destination dir",
        "Pubkey",
        "release/media_info/pubkey",
        "Input files",
        "Exclude files",
        "RPMCHECK status",
        "OK: every package",
        "Logs",
        "plan.lock.json",
        "ISO, IDX and checksums",
        "X.iso",
        "MD5",
        "SHA1",
        "X.idx",
        "What fills the disc",
        "% of 737 MB used",
        "metadata",
        "Left out",
        "is older than b-2-1.noarch",
        "Changes",
        "first report",
    ]
    places = [reader.text.find(one) for one in order]
    assert -1 not in places, order[places.index(-1)]
    # The title of the page comes first and holds the headline too.
    at = 0
    for one in order:
        at = reader.text.find(one, at)
        assert at >= 0, one
    assert {"../iso/X.iso", "../iso/X.idx", "../plan.lock.json"} <= set(reader.links)
    assert result["title"] == order[0] and result["changed"] and result["broken"] == 0
    assert all((place / "out" / link).exists() for link in reader.links)


def test_the_page_needs_nothing_else(place: Path) -> None:
    report(place)
    text = page(place)
    assert not re.search(r"https?:|//|@import|url\(|<script|<link|<img|<iframe", text.replace("<!DOCTYPE html>", ""))
    assert set(Reader(text).tags) <= TAGS
    assert "No ISO available" in text


def test_errors_are_told(place: Path) -> None:
    replan(place, ["c"], policy={"closure": "warn"})
    assert report(place)["broken"] == 1
    text = Reader(page(place)).text
    assert "ERROR: 1 of 1 packages cannot be installed" in text
    assert "nothing provides nowhere required by c-1-1.noarch" in text


def evil(value: t.Any) -> t.Any:
    """Every text of the data is an attack, keys too where they are free."""
    if isinstance(value, str):
        return EVIL
    if isinstance(value, list):
        return [evil(one) for one in value]
    if isinstance(value, dict):
        return {key: evil(one) for key, one in value.items()}
    return value


def test_nothing_is_unescaped(place: Path) -> None:
    tree(place)
    image(place)
    report(place, product=PRODUCT, image=str(place / "iso/X.iso"), logs=["/x"])
    data = json.loads((place / "out/report.json").read_text())
    data.update(choices={EVIL: EVIL}, skipped={EVIL: EVIL}, excluded={EVIL: EVIL}, sizes={EVIL: 5, "main": 9})
    data["check"] = {"broken": {EVIL: [EVIL]}, "notes": [EVIL]}
    data["packages"] = {EVIL: {EVIL: [EVIL, 99999]}, "main": {EVIL: [EVIL, 5]}}
    data["previous"] = {"against": EVIL, "added": [EVIL], "removed": [EVIL], "changed": [EVIL]}
    for key in ("title", "product", "synced", "conf", "pubkey", "logs", "sides", "media"):
        data[key] = evil(data[key])
    data["images"] = [{**evil(data["images"][0]), "size": 5}]
    text = render_page(data).decode()
    reader = Reader(text)
    assert "script" not in reader.tags and "<script" not in text
    assert "alert('x')" in reader.text
    assert all(link.startswith("%3Cscript") for link in reader.links)


def test_a_second_run_and_what_has_changed(place: Path) -> None:
    predicted = report(place, check=True)
    assert not (place / "out").exists()
    assert predicted == report(place)
    second = report(place)
    assert (second["changed"], second["diff"]) == (False, [])
    add(place / "main", "b", "3")
    add(place / "main", "d")
    replan(place, ["a", "d"])
    result = report(place)
    assert result["previous"] == {
        "against": "disc build at 2010_4_28-3h23-26",
        "added": ["main/d.noarch 1-1"],
        "removed": [],
        "changed": ["main/b.noarch 2-1 → 3-1"],
    }
    again = report(place)
    assert not again["changed"] and again["previous"] == result["previous"]
    text = Reader(page(place)).text
    assert "Added (1)" in text and "b.noarch 2-1 → 3-1" in text and "Removed" not in text
    shutil.copy(place / "out/report.json", place / "old.json")
    replan(place, ["b"])
    assert report(place, previous=str(place / "old.json"))["previous"]["removed"] == [
        "main/a.noarch 1-1",
        "main/d.noarch 1-1",
    ]


NO_REPORTS = [None, b"", b"[]", b"{}", b'{"format": 0}', b'{"format": 1, "packages": {"m": {"a": []}}}']


@pytest.mark.parametrize("data", NO_REPORTS)
def test_a_report_that_is_none(data: bytes | None, place: Path) -> None:
    assert parse_report(data) is None
    (place / "out").mkdir()
    (place / "out/report.json").write_bytes(data or b"")
    assert report(place)["previous"] == {"against": ""}


def test_what_is_refused(place: Path) -> None:
    with pytest.raises(ClusterError, match="does not end with .html"):
        report(place, dest="/x/report")
    with pytest.raises(ClusterError, match="run package_set first"):
        report(place, lock="/none")


SIZES = st.lists(st.integers(0, 10**10), min_size=1, max_size=60)


@given(SIZES, st.integers(10, 2000), st.integers(10, 2000))
def test_the_boxes_fill_the_picture_in_proportion(sizes: list[int], width: int, height: int) -> None:
    boxes = squarify(sizes, width, height)
    assert sorted(box.number for box in boxes) == [number for number, size in enumerate(sizes) if size]
    scale = width * height / (sum(sizes) or 1)
    for box in boxes:
        assert box.width * box.height == pytest.approx(sizes[box.number] * scale, rel=1e-3, abs=1e-3)
        assert box.x >= -1e-3 and box.x + box.width <= width * 1.001 + 1e-3
        assert box.y >= -1e-3 and box.y + box.height <= height * 1.001 + 1e-3


def test_boxes_are_close_to_squares() -> None:
    boxes = squarify([6, 6, 4, 3, 2, 2, 1], 600, 400)
    assert [(box.x, box.y, box.width, box.height) for box in boxes[:2]] == [(0, 0, 300, 200), (0, 200, 300, 200)]
    assert max(max(box.width / box.height, box.height / box.width) for box in boxes) < 3


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 10**9), st.sampled_from("abc")), max_size=20))
def test_a_treemap_is_well_formed(rows: list[tuple[str, int, str]]) -> None:
    Reader(render_treemap(rows))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12345, "12 kB"), (3.84e9, "3.8 GB"), (650e6, "650 MB")],
)
def test_sizes_for_people(size: float, text: str) -> None:
    assert size_text(size) == text


def test_the_stamp_of_bcd() -> None:
    assert stamp(1272432186) == "2010_4_28-5h23-6"
    assert difference({}, {}) == {"added": [], "removed": [], "changed": []}


def test_the_module(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given_ = {"dest": str(place / "r.html"), "lock": str(place / "plan.lock.json"), "product": PRODUCT}
    with patch_module_args({**given_, "_ansible_diff": True}), pytest.raises(SystemExit):
        iso_report.main()
    result = json.loads(capsys.readouterr().out)
    assert result["changed"] and result["files"] == [str(place / "r.html"), str(place / "r.json")]
    assert [one["after_header"] for one in result["diff"]] == result["files"]
