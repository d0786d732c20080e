# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""media_check_info: every seeded fault is found, in the right medium, and a sound tree has none."""

from __future__ import annotations

import gzip
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum, render_md5sum
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.report import CHECKS, run_check
from ansible_collections.xtreemos.cluster.plugins.modules import media_check_info
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import defaults, make_unit, package, run, tree
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN

TESTING = "x86_64/media/main/testing"
UNSIGNED = ["metadata", "installable", "duplicates"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with one unit in testing."""
    run(tree(tmp_path / "m"), **{"from": str(make_unit(tmp_path / "in")), "to": "main/testing"})
    return tmp_path / "m"


def look(place: Path, **more: t.Any) -> dict[str, t.Any]:
    given = {"tree": tree(place), "checks": UNSIGNED, **more}
    return run_check(defaults(media_check_info.ARGUMENTS, given), LocalHost())


def test_a_sound_tree(place: Path) -> None:
    found = look(place)
    assert (found["changed"], found["problems"], found["causes"]) == (False, 0, {})
    assert found["media"][TESTING]["packages"] == 2
    assert TESTING + "   2 packages" in found["report"] and found["report"][-1] == "no problems"
    assert list(found["media"]) == sorted(found["media"])


def seeded(place: Path, fault: str) -> None:
    medium = place / "2.1" / TESTING
    info = medium / "media_info"
    if fault == "changed file":
        (info / "info.xml.lzma").write_bytes(b"x")
    elif fault == "lost file":
        (info / "info.xml.lzma").unlink()
    elif fault == "no sums":
        (info / "MD5SUM").unlink()
    elif fault == "bad sums":
        (info / "MD5SUM").write_bytes(b"what\n")
    elif fault == "bad synthesis":
        (info / "synthesis.hdlist.cz").write_bytes(gzip.compress(b"@what\n"))
        sums = parse_md5sum((info / "MD5SUM").read_bytes())
        sums["synthesis.hdlist.cz"] = md5((info / "synthesis.hdlist.cz").read_bytes())
        (info / "MD5SUM").write_bytes(render_md5sum(sums))
    elif fault == "lost package":
        (medium / "foo-1-1.x86_64.rpm").unlink()
    elif fault == "new package":
        package(medium, "new")
    else:
        (medium / "bad.rpm").write_bytes(b"what")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("changed file", ["MD5SUM does not fit info.xml.lzma"]),
        ("lost file", ["info.xml.lzma is missing"]),
        ("no sums", ["no media_info/MD5SUM"]),
        ("bad sums", ["MD5SUM: bad line 1: what"]),
        ("bad synthesis", ["synthesis.hdlist.cz"]),
        ("lost package", ["foo-1-1.x86_64 is in the metadata, its file is not there"]),
        ("new package", ["new-1-1.noarch is not in the metadata"]),
        ("bad package", ["bad.rpm"]),
    ],
)
def test_faults_of_the_metadata(place: Path, fault: str, told: list[str]) -> None:
    seeded(place, fault)
    found = look(place)
    rows = found["media"][TESTING]["metadata"]
    assert all(any(text in row for row in rows) for text in told) and found["problems"] == len(rows) >= 1
    assert all("%s: %s" % (TESTING, row) in found["report"] for row in rows)
    assert not any(row["metadata"] for name, row in found["media"].items() if name != TESTING)
    assert look(place, checks=["duplicates"])["problems"] == 0


def test_what_cannot_be_installed_is_told_with_its_cause(place: Path, tmp_path: Path) -> None:
    package(tmp_path / "b", "app", requires=[(b"lib", 0, b"")])
    package(tmp_path / "b", "tool", requires=[(b"app", 0, b"")])
    run(tree(place), **{"from": str(tmp_path / "b"), "to": "contrib/updates"})
    found = look(place)
    row = found["media"]["x86_64/media/contrib/updates"]["uninstallable"]
    assert sorted(row) == ["app-1-1.noarch", "tool-1-1.noarch"]
    assert any("nothing provides lib" in cause for cause in found["causes"])
    assert all(set(names) == set(row) for names in found["causes"].values())
    assert look(place, arch="i586")["problems"] == 2 and look(place)["problems"] == 4


def test_older_builds_of_one_medium(place: Path, tmp_path: Path) -> None:
    run(tree(place), on_old="keep", **{"from": str(make_unit(tmp_path / "b", "2")), "to": "main/testing"})
    found = look(place, arch="x86_64")
    assert found["media"][TESTING]["older"] == {
        "foo.x86_64": {"newest": "foo-2-1.x86_64", "older": ["foo-1-1.x86_64"]},
        "foo-doc.noarch": {"newest": "foo-doc-2-1.noarch", "older": ["foo-doc-1-1.noarch"]},
    }
    assert found["problems"] == 2


@pytest.mark.parametrize(
    ("keys", "unsigned", "foreign"),
    [([], 1, 0), (["0123456789ABCDEF0123456789ABCDEF01234567"], 1, 2)],
)
def test_signatures(tmp_path: Path, keys: list[str], unsigned: int, foreign: int) -> None:
    medium = tmp_path / "m"
    package(medium, "plain")
    for path in (GOLDEN / "signed").glob("*.rpm"):
        shutil.copy(path, medium)
    found = look(medium, tree=None, paths=[str(medium)], checks=["signatures"], keys=keys)
    row = found["media"][str(medium)]
    assert (len(row["unsigned"]), len(row["foreign"])) == (unsigned, foreign)
    assert found["problems"] == unsigned + foreign


def test_folders_are_looked_at_together(tmp_path: Path) -> None:
    package(tmp_path / "a", "app", requires=[(b"lib", 0, b"")])
    package(tmp_path / "b", "lib")
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert look(tmp_path, tree=None, paths=folders)["problems"] == 4  # no metadata yet: two faults a folder
    from ansible_collections.xtreemos.cluster.tests.unit._media.samples import run as hdlist

    for folder in folders:
        hdlist(Path(folder))
    assert look(tmp_path, tree=None, paths=folders)["problems"] == 0
    assert look(tmp_path, tree=None, paths=folders[:1])["problems"] == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"arch": "ppc64"}, "arch: the tree has no ppc64 .it has: x86_64, i586"),
        ({"paths": ["/nowhere"]}, "/nowhere is no folder"),
        ({"tree": tree(Path("/nowhere"))}, "/nowhere/2.1/.* is no folder .run rpm_publish"),
    ],
)
def test_bad_requests(place: Path, more: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        look(place, **more)


def test_the_module_knows_every_check() -> None:
    assert media_check_info.ARGUMENTS["checks"]["default"] == list(CHECKS)
