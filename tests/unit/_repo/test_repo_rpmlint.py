# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate rpmlint: what the program says decides, its exit code does not."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import files, make_unit, run, tree

GATE: dict[str, t.Any] = {"gate": ["rpmlint"], "to": "main/testing"}
WARNINGS = "foo.x86_64: W: no-documentation\n1 packages and 0 specfiles checked; 0 errors, 1 warnings.\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    run(tree(tmp_path / "mirror"))
    make_unit(tmp_path / "in")
    return tmp_path


def lint(place: Path, monkeypatch: pytest.MonkeyPatch, says: str, rc: int = 0) -> Path:
    """A program that says something and notes its arguments; nothing else is on PATH before it."""
    folder = place / "bin"
    folder.mkdir()
    (folder / "text").write_text(says)
    program = folder / "rpmlint"
    program.write_text('#!/bin/sh\nprintf "%%s\\n" "$@" >%s/asked\ncat %s/text\nexit %d\n' % (folder, folder, rc))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % folder)
    return folder / "asked"


@pytest.mark.parametrize(
    ("says", "rc"), [("", 0), (WARNINGS, 0), (WARNINGS, 64), ("E: nothing that names a package\n", 0)]
)
def test_what_is_no_error_passes(place: Path, monkeypatch: pytest.MonkeyPatch, says: str, rc: int) -> None:
    asked = lint(place, monkeypatch, says, rc)
    offered = sorted(str(path) for path in (place / "in").glob("*.rpm"))
    result = run(tree(place / "mirror"), **GATE, **{"from": str(place / "in")})
    assert result["changed"] and result["warnings"] == []
    assert sorted(asked.read_text().split()) == offered


@pytest.mark.parametrize("rc", [0, 64])
@pytest.mark.parametrize("check", [True, False])
def test_an_error_is_told_and_nothing_happens(
    place: Path, monkeypatch: pytest.MonkeyPatch, rc: int, check: bool
) -> None:
    asked = lint(place, monkeypatch, WARNINGS + "foo.x86_64: E: zero-length /etc/foo\n", rc)
    before = files(place)
    with pytest.raises(ClusterError, match="gate rpmlint: foo.x86_64: E: zero-length /etc/foo .mend the spec"):
        run(tree(place / "mirror"), check, **GATE, **{"from": str(place / "in")})
    asked.unlink()
    assert files(place) == before


def test_many_errors_are_counted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lint(place, monkeypatch, "".join("foo.src: E: bad-%02d\n" % number for number in range(25)))
    with pytest.raises(ClusterError, match="bad-19; and 5 more") as told:
        run(tree(place / "mirror"), **GATE, **{"from": str(place / "in")})
    assert "bad-20" not in str(told.value)


def test_where_it_is_missing_a_warning_tells(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.xtreemos.cluster.plugins.module_utils._host.host.LocalHost.which", lambda *_words: None
    )
    result = run(tree(place / "mirror"), **GATE, **{"from": str(place / "in")})
    assert result["changed"] and result["warnings"] == ["rpmlint is not installed: that gate was left out"]


def test_only_what_is_new_is_looked_at(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tree(place / "mirror"), **{"gate": [], "to": "main/testing", "from": str(place / "in"), "remove_source": False})
    asked = lint(place, monkeypatch, "foo.src: E: bad\n", 64)
    run(tree(place / "mirror"), **GATE, **{"from": str(place / "in"), "remove_source": False})
    assert not asked.exists()
