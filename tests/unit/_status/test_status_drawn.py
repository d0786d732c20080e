# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about a cluster: what it counts, what it draws, and that nothing of the data becomes markup."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._status import page, picture
from ansible_collections.xtreemos.cluster.plugins.module_utils._status.cluster import (
    Boot,
    Cluster,
    make_cluster,
    natural,
    parse_mode,
    spread,
)
from hypothesis import given
from hypothesis import strategies as st
from lxml import html  # type: ignore[import-untyped]

STAGES = {"firmware": 1.8, "lease": 0.1, "entry": 0.4, "kernel": 5.0, "stage1": 3.0, "dhcp": 4.0, "fetch": 6.0,
          "verify": 2.0, "root": 0.5}  # fmt: skip


def row(**more: t.Any) -> dict[str, t.Any]:
    stages = {**STAGES, "up": 10.0}
    at, now = {}, 0.0
    for stage, seconds in stages.items():
        now += seconds
        at[stage] = now
    found = {"up": True, "state": "up", "image": "v1", "started": 1000.0, "stages": stages, "at": at, "missing": "",
             "reason": "", "remedy": "", "note": ""}  # fmt: skip
    return {**found, **more}


def stuck(**more: t.Any) -> dict[str, t.Any]:
    lost = {"up": False, "state": "booting", "stages": {"lease": 0.5}, "at": {"lease": 0.5}, "missing": "loader"}
    return row(**{**lost, "reason": "no loader was fetched", "remedy": "look at the TFTP server", **more})


VERSION = {"version": "v1", "created": "2026-11-28T10:00:00Z", "kernel_version": "6.1", "packages": 151,
           "files": {"rootfs": {"size": 76582912}, "stage1": {"size": 11473284}}}  # fmt: skip
IMAGES = {"node": {"current": "v1", "versions": [{**VERSION, "version": "v0"}, VERSION]}}
MEDIUM = {"packages": 12, "metadata": [], "unsigned": ["a"], "foreign": {}, "uninstallable": {"b": [], "c": []},
          "older": {}}  # fmt: skip
GUEST = {"label": "web1", "state": "running", "vram": 512, "vcpu": 2, "accelerator": "PVH", "mac": "00:16:3e:00:00:01"}


def made(nodes: t.Mapping[str, t.Any], **more: t.Any) -> Cluster:
    rest = {"images": {}, "media": {}, "guests": {}, **more}
    return make_cluster("Rack 1", nodes, rest["images"], rest["media"], rest["guests"])


def cells(cluster: Cluster, number: int) -> list[list[str]]:
    """The texts of a table of the page."""
    table = html.fromstring(page.render_page(cluster).decode()).xpath("//table")[number]
    return [[cell.text_content() for cell in line.xpath("td|th")] for line in table.xpath("tr")]


def test_phases_and_what_is_left_for_the_system() -> None:
    boot = made({"node1": row()}).boots[0]
    assert dict(boot.phases) == pytest.approx(
        {"firmware": 1.8, "dhcp": 0.1, "stage1": 12.4, "image": 8.5, "system": 10.0}
    )
    assert boot.total == pytest.approx(32.8)


@pytest.mark.parametrize(
    ("given_row", "state", "trouble", "note"),
    [
        (row(), "up", "", ""),
        (row(note=" (asked for an address again)"), "up", "", "asked for an address again"),
        (stuck(), "booting", "no loader: no loader was fetched", ""),
        (stuck(state="failed"), "failed", "no loader: no loader was fetched", ""),
        (stuck(state="up"), "booting", "no loader: no loader was fetched", ""),
        (stuck(state="unseen", started=None, at={}, stages={}), "unseen", "no loader: no loader was fetched", ""),
    ],
)
def test_states(given_row: dict[str, t.Any], state: str, trouble: str, note: str) -> None:
    boot = made({"n": given_row}).boots[0]
    assert (boot.state, boot.trouble, boot.note) == (state, trouble, note)
    assert (boot.total is None) == bool(trouble)


def test_nodes_in_the_order_of_people() -> None:
    assert [boot.name for boot in made({name: row() for name in ("n10", "n2", "a", "n2b")}).boots] == [
        "a",
        "n2",
        "n2b",
        "n10",
    ]


@given(st.lists(st.text(max_size=8) | st.just("\u00b9"), max_size=12))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural)) == sorted(names)


def test_the_newest_word_and_the_counts() -> None:
    cluster = made({"a": row(), "b": row(started=2000.0), "c": stuck(started=None)})
    assert cluster.newest == pytest.approx(2032.8)
    assert [cluster.count(state) for state in ("up", "booting", "failed", "unseen")] == [2, 1, 0, 0]
    text = page.render_page(cluster).decode()
    assert "1970-01-01 00:33:52 UTC" in text
    assert "<b>2</b>up" in text and "<b>1</b>booting" in text and "failed</span>" not in text
    assert made({}).newest is None and "last word" not in page.render_page(made({})).decode()


@pytest.mark.parametrize("bad", [None, 7, {}, {"up": True}, row(at={}), row(stages=3), {**row(), "started": "x"}])
def test_what_is_no_result_is_named(bad: t.Any) -> None:
    with pytest.raises(ClusterError, match="nodes: node9 is no result of boot_timeline_info"):
        made({"node9": bad})


def test_troubles_come_first_with_their_remedy() -> None:
    found = cells(made({"a": row(), "b": stuck()}), 0)
    assert found[1] == ["b", "booting", "no loader: no loader was fetched", "look at the TFTP server"]
    assert len(found) == 2
    many = {**{"n%d" % number: stuck() for number in range(1, 4)}, "n9": stuck(state="failed"), "m": row()}
    assert [line[:2] for line in cells(made(many), 0)[1:]] == [["n[1-3]", "booting"], ["n9", "failed"]]
    assert "not up" not in page.render_page(made({"a": row()})).decode()


def test_images_with_the_nodes_that_run_them() -> None:
    nodes = {"a": row(), "b": row(), "c": row(image="v0"), "d": stuck(image="v1")}
    found = cells(made(nodes, images=IMAGES), -1)
    assert found[1][:3] == ["node", "v1", "current"] and found[1][-1] == "2"
    assert found[2][:3] == ["node", "v0", ""] and found[2][-1] == "1"
    assert found[1][6:8] == ["76.6 MB", "11.5 MB"]


def test_media_and_guests() -> None:
    bad = {**MEDIUM, "metadata": ["MD5SUM does not fit"]}
    cluster = made({}, media={"x/main": MEDIUM, "x/other": bad}, guests={"dom0b": [], "dom0a": [GUEST]})
    assert cells(cluster, 0)[1:] == [
        ["x/main", "12", "fit", "1", "0", "2", "0"],
        ["x/other", "12", "MD5SUM does not fit", "1", "0", "2", "0"],
    ]
    assert cells(cluster, 1)[1:] == [["dom0a", "web1", "running", "512", "2", "PVH", "00:16:3e:00:00:01"]]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"images": {"node": {}}}, "images is no result of diskless_image_info"),
        ({"images": {"node": {"current": "", "versions": [{"version": "1"}]}}}, "images is no result"),
        ({"images": {"node": {"current": "", "versions": [{**VERSION, "files": None}]}}}, "images is no result"),
        ({"media": {"main": {"metadata": []}}}, "media is no result of media_check_info"),
        ({"guests": {"dom0": [{"label": "a"}]}}, "guests is no result of xen_domain_info"),
        ({"guests": {"dom0": 7}}, "guests is no result of xen_domain_info"),
    ],
)
def test_other_results_that_are_none(wrong: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        page.render_page(made({}, **wrong))


def test_empty_parts_are_left_out() -> None:
    assert re.findall(r"<h2", page.render_page(made({})).decode()) == []


@pytest.mark.parametrize(("count", "rects"), [(1, 5), (page.MANY, 5 * page.MANY), (page.MANY + 1, page.MANY + 1 + 100)])
def test_bars_for_few_and_squares_for_many(count: int, rects: int) -> None:
    text = page.render_page(made({"n%d" % number: row() for number in range(count)})).decode()
    assert text.count("<rect") == rects
    assert ("The slowest" in text) == (count > page.MANY)


def test_the_slowest_are_those() -> None:
    nodes = {"n%d" % number: row() for number in range(100)}
    slow = row()
    slow["at"] = {**slow["at"], "up": 999.0}
    nodes["n55"] = slow
    text = page.render_page(made(nodes)).decode().partition("The slowest")[2]
    assert re.findall(r'<text x="0"[^>]*>([^<]+)<', text)[0] == "n55"
    assert "999.0 s" in text


def test_a_thousand_nodes_are_a_small_page() -> None:
    assert len(page.render_page(made({"n%d" % number: row() for number in range(1000)}))) < 600_000


EVIL = "<script>alert(1)</script>\"'&"


def test_nothing_of_the_data_is_markup() -> None:
    evil = {**stuck(image=EVIL), "reason": EVIL, "remedy": EVIL, "missing": EVIL}
    images = {EVIL: {"current": EVIL, "versions": [{**VERSION, "version": EVIL, "kernel_version": EVIL}]}}
    media = {EVIL: {**MEDIUM, "metadata": [EVIL]}}
    guests = {EVIL: [{**GUEST, "label": EVIL, "mac": EVIL}]}
    cluster = make_cluster(EVIL, {EVIL: evil, "b": row(note=EVIL)}, images, media, guests)
    for nodes in (cluster.boots, list(cluster.boots) * 40):
        text = page.render_page(Cluster(EVIL, nodes, images, media, guests)).decode()
        tree = html.fromstring(text)
        assert not tree.xpath("//script") and EVIL in tree.text_content()
        assert all(set(node.attrib) <= {"content", "name", "charset", "lang", "class", "style", "viewBox", "role",
                   "aria-label", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "fill", "viewbox"}
                   for node in tree.iter() if isinstance(node.tag, str))  # fmt: skip


def test_equal_data_give_equal_bytes() -> None:
    nodes = {"n%d" % number: row() for number in range(5)}
    shuffled = json.loads(json.dumps(dict(reversed(list(nodes.items())))))
    assert page.render_page(made(nodes)) == page.render_page(made(shuffled))


@pytest.mark.parametrize(
    ("values", "told"),
    [([5.0], (5.0, 5.0, 5.0)), ([3.0, 1.0, 2.0], (2.0, 2.0, 3.0)), ([float(n) for n in range(11)], (5.0, 9.0, 10.0))],
)
def test_spread(values: list[float], told: tuple[float, float, float]) -> None:
    assert spread(values) == told


@given(st.floats(min_value=0.01, max_value=1e7))
def test_the_axis_has_few_round_seconds(longest: float) -> None:
    found = picture.ticks(longest)
    assert found[0] == 0 and len(found) <= 9 and found == sorted(set(found))
    assert found[-1] <= longest


def test_a_node_without_phases_has_a_label_only() -> None:
    text = picture.bars([Boot("dark", "unseen", "", {}, None, "never asked")])
    assert "<rect" not in text and "dark" in text and "unseen" in text


@pytest.mark.parametrize(("text", "mode"), [("0644", 0o644), ("600", 0o600)])
def test_modes(text: str, mode: int) -> None:
    assert parse_mode(text) == mode


@pytest.mark.parametrize("text", ["", "999", "u=rw", "420x", "00644"])
def test_modes_that_are_none(text: str) -> None:
    with pytest.raises(ClusterError, match="is no permission"):
        parse_mode(text)
