# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""media_check_page: findings as a page and as JSON, written when they change."""

from __future__ import annotations

import html.parser
import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._build import page
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules.media_check_page import ARGUMENTS, work
from ansible_collections.xtreemos.cluster.tests.unit._repo import samples
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults, package, tree

SMALL: dict[str, t.Any] = {"arches": ["x86_64"], "media": [{"name": "main", "sections": ["testing"]}]}


class Outline(html.parser.HTMLParser):
    """Tags that are open, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: t.Any) -> None:
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(path: Path) -> Outline:
    found = Outline()
    found.feed(path.read_text())
    assert found.open == []
    return found


@pytest.fixture
def given(tmp_path: Path) -> dict[str, t.Any]:
    one = tree(tmp_path / "mirror", **SMALL)
    package(tmp_path / "in", "foo", arch="x86_64", requires=[(b"b<a>r", 0, b"")])
    samples.run(one, **{"from": str(tmp_path / "in"), "to": "main/testing"})
    return defaults(ARGUMENTS, {"trees": [one], "dest": str(tmp_path / "www/check.html"), "title": "State & more"})


def run(options: t.Mapping[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    return work(options, check, LocalHost())


def test_written_as_predicted_and_then_nothing(given: dict[str, t.Any], tmp_path: Path) -> None:
    predicted = run(given, True)
    assert not (tmp_path / "www").exists()
    result = run(given)
    assert result == predicted
    assert result["files"] == [str(tmp_path / "www/check.html"), str(tmp_path / "www/check.json")]
    found = outline(tmp_path / "www/check.html")
    assert (
        "State & more" in found.text and "XtreemOS 2.1: %d problems" % result["problems"]["XtreemOS 2.1"] in found.text
    )
    assert "nothing provides b<a>r" in found.text and "<a>" not in (tmp_path / "www/check.html").read_text()
    assert found.links == [], "the page needs other files"
    data = json.loads((tmp_path / "www/check.json").read_text())
    assert data["trees"]["XtreemOS 2.1"]["media"]["x86_64/media/main/testing"]["packages"] == 1
    again = run(given)
    assert not again["changed"] and again["files"] == []


def test_new_findings_and_a_new_date(given: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(given)
    dest = tmp_path / "www/check.html"
    (dest.parent / "check.json").write_text("nonsense")
    assert run(given)["changed"]
    monkeypatch.setattr(page.time, "time", lambda: time.mktime((2031, 1, 2, 0, 0, 0, 0, 0, 0)))
    assert not run(given)["changed"]
    assert run({**given, "touch": True})["changed"] and "203" in outline(dest).text
    package(tmp_path / "in", "b<a>r".replace("<", "").replace(">", ""), arch="x86_64")
    samples.run(given["trees"][0], **{"from": str(tmp_path / "in"), "to": "main/testing"})
    assert run(given, True)["changed"] and run(given)["changed"]


def test_a_tree_that_a_run_would_make_is_a_change(given: dict[str, t.Any], tmp_path: Path) -> None:
    options = {**given, "trees": [{**given["trees"][0], "path": str(tmp_path / "none")}]}
    assert run(options, True)["changed"]
    with pytest.raises(ClusterError):
        run(options)
    with pytest.raises(ClusterError, match="no tree is named"):
        run({**given, "trees": []})


def test_the_timer_gets_program_and_options(given: dict[str, t.Any], tmp_path: Path) -> None:
    install = {"program": str(tmp_path / "lib/tools.pyz"), "options": str(tmp_path / "etc/check.json")}
    result = run({**given, "install": install})
    assert set(install.values()) <= set(result["files"])
    assert "install" not in json.loads((tmp_path / "etc/check.json").read_text())
    assert not run({**given, "install": install})["changed"]


def test_other_names_of_the_page(given: dict[str, t.Any], tmp_path: Path) -> None:
    result = run({**given, "dest": str(tmp_path / "state")})
    assert result["files"] == [str(tmp_path / "state"), str(tmp_path / "state.json")]
