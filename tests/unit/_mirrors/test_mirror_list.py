# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of mirrors: what is written, what is asked, and when a list stays."""

from __future__ import annotations

import json
import random
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.model import (
    MirrorList,
    parse_lists,
    parse_mirrors,
    render,
    urls_of,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.probe import Unreachable, read_stamp, span
from ansible_collections.xtreemos.cluster.plugins.modules.mirror_list import ARGUMENTS, work
from ansible_collections.xtreemos.cluster.tests.unit._mirrors.conftest import NOW, Web
from hypothesis import given
from hypothesis import strategies as st

DEST = "/srv/lists/xtreemos.2.1.x86_64.list"
LIST = {"dest": DEST, "folder": "xtreemos", "version": "2.1", "arch": "x86_64"}
ONE, TWO = "http://one.example.org/pub", "https://two.example.org"
FRENCH = {"url": ONE + "/", "continent": "EU", "country": "FR", "city": "Rennes", "latitude": 48.1, "longitude": -1.7}
LINE_ONE = (
    "continent=EU,country=FR,city=Rennes,latitude=48.1,longitude=-1.7,version=2.1,arch=x86_64,type=distrib,"
    "url=http://one.example.org/pub/xtreemos/2.1/x86_64\n"
)
LINE_TWO = "version=2.1,arch=x86_64,type=distrib,url=https://two.example.org/xtreemos/2.1/x86_64\n"


def options(**more: t.Any) -> dict[str, t.Any]:
    found = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**found, "mirrors": [FRENCH, {"url": TWO}], "lists": [LIST], **more}


def alive(web: Web) -> Web:
    web.add(ONE + "/xtreemos/2.1")
    web.add(TWO + "/xtreemos/2.1")
    return web


def test_what_is_predicted_is_written_and_then_nothing(web: Web) -> None:
    alive(web)
    host = MemoryHost()
    predicted = work(options(), True, host, web.prober())
    assert host.written == [] and predicted["changed"]
    done = work(options(), False, host, web.prober())
    assert {**done, "seconds": 0} == {**predicted, "seconds": 0}
    assert host.files[DEST].decode() == LINE_ONE + LINE_TWO
    assert done["lists"][DEST]["added"] == urls_of(LINE_ONE + LINE_TWO)
    again = work(options(), False, host, web.prober())
    assert not again["changed"] and again["diff"] == [] and again["lists"][DEST]["added"] == []
    assert again["lists"][DEST]["mirrors"] == done["lists"][DEST]["mirrors"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x86_64/media/media_info/media.cfg": None}, "media.cfg: status 404"),
        ({"x86_64/media/media_info/media.cfg": b"<html>moved</html>"}, "media.cfg names no medium"),
        ({"x86_64/media/media_info/media.cfg": b"[media_info]\nversion=1\n"}, "media.cfg names no medium"),
        ({"timestamp": None}, "timestamp: status 404"),
        ({"timestamp": b"soon"}, "timestamp: it holds no time"),
        ({"timestamp": b"%d" % (NOW - 3 * 86400)}, "timestamp: 3 days old, the limit is 2 days"),
        ({"timestamp": b"%d" % (NOW + 7200)}, "timestamp: it is 2 hours ahead"),
        ({"timestamp": Unreachable("no answer in time")}, "timestamp: no answer in time"),
    ],
)
def test_a_dead_mirror_leaves_the_list(web: Web, change: dict[str, t.Any], reason: str) -> None:
    alive(web)
    for name, content in change.items():
        web.files[TWO + "/xtreemos/2.1/" + name] = Unreachable("status 404") if content is None else content
    host = MemoryHost({DEST: (LINE_ONE + LINE_TWO).encode()})
    row = work(options(), False, host, web.prober())["lists"][DEST]
    assert row["dead"] == {TWO: reason} and row["dropped"] == urls_of(LINE_TWO) and not row["kept"]
    assert host.files[DEST].decode() == LINE_ONE


@pytest.mark.parametrize("before", [LINE_ONE, None])
def test_no_mirror_at_all_keeps_the_last_list(web: Web, before: str | None) -> None:
    host = MemoryHost({DEST: before.encode()} if before else {})
    result = work(options(), False, host, web.prober())
    assert not result["changed"] and result["lists"][DEST]["kept"] and host.written == []
    state = "stays as it is" if before else "is not written"
    assert len(result["warnings"]) == 1 and state in result["warnings"][0] and "status 404" in result["warnings"][0]


def test_a_stumble_is_asked_again_and_an_absence_is_not(web: Web) -> None:
    alive(web)
    cfg = ONE + "/xtreemos/2.1/x86_64/media/media_info/media.cfg"
    web.files[cfg] = [Unreachable("reset"), web.files[cfg]]
    web.files[TWO + "/xtreemos/2.1/timestamp"] = Unreachable("status 404")
    rows = work(options(), True, MemoryHost(), web.prober())["lists"]
    assert list(rows[DEST]["dead"]) == [TWO]
    assert web.asked.count(cfg) == 2 and web.asked.count(TWO + "/xtreemos/2.1/timestamp") == 1


def test_each_list_has_its_own_dead(web: Web) -> None:
    alive(web)
    web.add(ONE + "/xtreemos/2.1", arch="i586")
    other = {**LIST, "dest": "/srv/lists/i586.list", "arch": "i586"}
    rows = work(options(lists=[other, LIST]), True, MemoryHost(), web.prober())["lists"]
    assert list(rows) == sorted([DEST, other["dest"]])
    assert list(rows[other["dest"]]["dead"]) == [TWO] and rows[DEST]["dead"] == {}


@pytest.mark.parametrize(
    ("content", "renewed"),
    [(b"%d\n" % NOW, False), (b"%d\n" % (NOW - 21000), False), (b"%d\n" % (NOW - 22000), True), (b"?", True)],
)
def test_the_timestamp_of_a_quiet_tree_stays_young(web: Web, content: bytes, renewed: bool) -> None:
    host = MemoryHost({"/srv/2.1/timestamp": content})
    result = work(options(stamps=["/srv/2.1/timestamp", "/srv/none"]), False, alive(web) and host, web.prober())
    assert result["stamped"] == (["/srv/2.1/timestamp"] if renewed else [])
    assert host.files["/srv/2.1/timestamp"] == (b"%d\n" % NOW if renewed else content)
    assert "/srv/none" not in host.files


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mirrors": []}, "there are no mirrors"),
        ({"mirrors": [{"url": "ftp://a/b"}]}, "bad URL of a mirror: 'ftp://a/b'"),
        ({"mirrors": [{"url": "http://a/b?c"}]}, "bad URL"),
        ({"mirrors": [{"url": "http://a/b,type=iso"}]}, "bad URL"),
        ({"mirrors": [{"url": "http://a/"}, {"url": "http://a"}]}, "http://a is given twice"),
        ({"mirrors": [{"url": "http://a", "city": "x,url=http://evil"}]}, "city is 'x,url=http://evil'"),
        ({"mirrors": [{"url": "http://a", "city": "x\ny"}]}, "city is"),
        ({"mirrors": [{"url": "http://a", "latitude": 91}]}, "latitude is '91'"),
        ({"lists": [{**LIST, "dest": "/srv/list"}]}, "'/srv/list' is no place"),
        ({"lists": [{**LIST, "dest": "srv/a.list"}]}, "no place for a mirror list"),
        ({"lists": [LIST, LIST]}, "is given twice"),
        ({"lists": [{**LIST, "arch": "../x"}]}, "bad arch of a mirror list: '../x'"),
        ({"lists": [{**LIST, "folder": "a/../b"}]}, "bad folder"),
        ({"stamps": ["timestamp"]}, "'timestamp' is no absolute path"),
        ({"timeout": -1}, "timeout is -1"),
        ({"install": {"program": "x", "options": "/y"}}, "install.program"),
    ],
)
def test_mistakes_are_named_before_anybody_is_asked(web: Web, change: dict[str, t.Any], told: str) -> None:
    host = MemoryHost()
    with pytest.raises(ClusterError, match=told.replace("?", ".")):
        work(options(**change), False, host, web.prober())
    assert web.asked == [] and host.written == []


def test_a_shuffled_inventory_gives_the_same_bytes() -> None:
    items = [{"url": "http://m%d.example.org" % number, "country": "FR"} for number in range(40)]
    wanted = parse_lists([LIST])[0]
    texts = set()
    for seed in range(5):
        random.Random(seed).shuffle(items)
        texts.add(render(wanted, parse_mirrors(items)))
    assert len(texts) == 1 and texts.pop().count("\n") == 40


_WORDS = st.text("abcXYZ019 -_.'é", min_size=1, max_size=12)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), _WORDS, min_size=1))
def test_a_line_is_read_back_field_by_field(cities: dict[str, str]) -> None:
    wanted = MirrorList("/a.list", "2.1", "x86_64")
    text = render(wanted, parse_mirrors({"url": "http://" + name, "city": city} for name, city in cities.items()))
    rows = [dict(field.split("=", 1) for field in line.split(",")) for line in text.split("\n")[:-1]]
    assert {row["url"]: row["city"] for row in rows} == {
        "http://%s/2.1/x86_64" % name: city for name, city in cities.items()
    }
    assert {row["type"] for row in rows} == {"distrib"} and urls_of(text) == [row["url"] for row in rows]


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("1800000000\n", 1800000000),
        (" 1800000000 x", 1800000000),
        ("2027-01-15T08:00:00Z", 1800000000),
        ("", None),
        ("2027-01-15T08:00:00+00:00\n", 1800000000),
        ("2027-13-15T08:00:00Z", None),
        ("18", None),
        ("<html>", None),
    ],
)
def test_timestamps_of_both_forms(text: str, stamp: int | None) -> None:
    assert read_stamp(text) == stamp


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 seconds"), (120, "2 minutes"), (7200, "2 hours"), (172800, "2 days")]
)
def test_spans(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_the_checker_is_installed_with_these_options(tmp_path: Path, web: Web) -> None:
    install = {"program": str(tmp_path / "tools.pyz"), "options": str(tmp_path / "list.json")}
    params = options(lists=[{**LIST, "dest": str(tmp_path / "a.list")}], install=install)
    predicted = work(params, True, LocalHost(), web.prober())
    assert predicted["installed"] == sorted(install.values()) and list(tmp_path.iterdir()) == []
    work(params, False, LocalHost(), web.prober())
    kept = json.loads((tmp_path / "list.json").read_text())
    assert kept["mirrors"] == params["mirrors"] and "install" not in kept
    assert (tmp_path / "list.json").stat().st_mode & 0o777 == 0o600
    assert work(params, False, LocalHost(), web.prober())["installed"] == []
