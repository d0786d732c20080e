# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""package_set: what is taken, what is left out and why, and what a second run does."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso import sources
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.lock import parse_lock, render_lock
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.sieve import kernel_of
from ansible_collections.xtreemos.cluster.plugins.modules import package_set
from ansible_collections.xtreemos.cluster.tests.unit._iso.samples import EPOCH, add, lock_of, names, plan
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import BINARY, rpm_bytes, tags


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A release with updates: app needs lib (newer in updates) and a shell (a choice of two)."""
    main = tmp_path / "main"
    add(main / "release", "app", needs=["lib", "shell"])
    add(main / "release", "lib")
    add(main / "updates", "lib", "2", mtime=EPOCH + 5)
    add(main / "release", "ash", gives=["shell"])
    add(main / "release", "bash", gives=["shell"])
    add(main / "release", "bash-doc")
    add(main / "release", "orphan", needs=["nowhere"])
    return tmp_path


def both(place: Path, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": "main", "path": str(place / "main"), "sections": ["release", "updates"], **more}]


def test_the_newest_with_all_it_needs(place: Path) -> None:
    result = plan(place, sources=both(place), packages=["app"])
    assert result["packages"] == {"main": ["app-1-1.noarch", "ash-1-1.noarch", "lib-2-1.noarch"]}
    assert result["choices"] == {"shell": "ash-1-1.noarch, not bash-1-1.noarch"}
    assert result["skipped"] == {
        str(place / "main/release/lib-1-1.noarch.rpm"): "is older than lib-2-1.noarch of updates"
    }
    assert (result["count"], result["epoch"], result["changed"]) == (3, EPOCH + 5, True)
    assert result["size"] == sum(row.size for row in lock_of(place).rows)
    assert [row.why for row in lock_of(place).packages["main"]] == [
        "app (packages)",
        "shell required by app-1-1.noarch",
        "lib required by app-1-1.noarch",
    ]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"packages": ["app"], "policy": {"prefer": ["bash"]}}, ["app", "bash", "lib"]),
        ({"packages": ["app"], "policy": {"on_choice": "all"}}, ["app", "ash", "bash", "lib"]),
        ({"packages": ["app", "bash"]}, ["app", "bash", "lib"]),
        ({"packages": ["app"], "policy": {"closure": "off"}}, ["app"]),
        ({"packages": ["lib"], "policy": {"duplicates": "all"}}, ["lib", "lib"]),
        ({"packages": ["bash*"]}, ["bash", "bash-doc"]),
        ({"packages": ["^bash$"]}, ["bash"]),
        ({"packages": ["bash*"], "exclude_packages": ["*-doc"]}, ["bash"]),
        ({"packages": ["shell"]}, ["ash"]),
        ({"packages": ["bash-1-1.noarch"]}, ["bash"]),
        ({"packages": ["lib"], "arches": ["noarch"]}, ["lib"]),
        ({"packages": ["app"], "exclude_packages": ["ash"]}, ["app", "bash", "lib"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_taken(place: Path, given: dict[str, t.Any], taken: list[str]) -> None:
    assert names(plan(place, sources=both(place), **given)) == taken


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"packages": ["bahs", "app"]}, r"no package is called bahs \(packages\), near it: bash"),
        ({"packages": ["qqq"]}, r"no package is called qqq \(packages\) \(mend the lists"),
        ({"packages": ["z*"]}, r"nothing matches z\* \(packages\)"),
        ({"packages": []}, "nothing is chosen from 7 packages"),
        ({"packages": ["bash"], "exclude_packages": ["bash"]}, "nothing is chosen"),
        ({"lists": ["/none"]}, "the list /none does not exist"),
        ({"packages": ["CAT_A 4"]}, r"CAT_A 4 \(packages\) is a category, and there is no rpmsrate"),
        ({"packages": ["a"], "rpmsrate": "/none"}, "rpmsrate: /none does not exist"),
        ({"packages": ["a"], "exclude_packages": ["CAT_A 4"]}, "an exclude list names a category"),
        ({"packages": ["app"], "policy": {"on_choice": "fail"}}, "there is a choice of ash, bash"),
        ({"packages": ["app", "two words"]}, "'two words' is neither"),
        (
            {"packages": ["orphan"]},
            "1 of 1 packages cannot be installed: nothing provides nowhere required by orphan-1-1.noarch",
        ),
        (
            {"packages": ["app"], "exclude_packages": ["lib"]},
            r"lib, required by app-1-1.noarch, would come from lib-2-1.noarch, which is excluded by lib \(exclude_pack",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_user_has_to_decide(place: Path, given: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        plan(place, sources=both(place), **given)
    assert not (place / "plan.lock.json").exists()


def test_warnings_in_place_of_errors(place: Path) -> None:
    policy = {"closure": "warn", "unknown": "warn"}
    given = {"packages": ["app", "orphan", "bahs"], "exclude_packages": ["lib", "bash-doc"], "policy": policy}
    result = plan(place, sources=both(place), **given)
    assert result["broken"] == {
        "app-1-1.noarch": ["nothing provides lib required by app-1-1.noarch"],
        "orphan-1-1.noarch": ["nothing provides nowhere required by orphan-1-1.noarch"],
    }
    assert result["notes"] == [
        "no package is called bahs (packages), near it: bash",
        "lib, required by app-1-1.noarch, would come from lib-2-1.noarch, which is excluded by lib (exclude_packages)",
    ]
    assert sorted(Path(path).name for path in result["excluded"]) == [
        "bash-doc-1-1.noarch.rpm",
        "lib-1-1.noarch.rpm",
        "lib-2-1.noarch.rpm",
    ]


def test_an_exclude_wins_over_a_list_and_protect_over_both(place: Path) -> None:
    (place / "no-filter").write_text("bash\n")
    given: dict[str, t.Any] = {"packages": ["app", "bash"], "exclude_packages": ["bash"]}
    result = plan(place, sources=both(place), **given)
    assert names(result) == ["app", "ash", "lib"]
    assert result["notes"] == ["bash (packages) is asked for, but is excluded by bash (exclude_packages)"]
    result = plan(place, sources=both(place), protect=[str(place / "no-filter")], **given)
    assert names(result) == ["app", "bash", "lib"] and result["notes"] == []


def test_sources_merge_into_one_destination(place: Path) -> None:
    """Each package goes where its own source goes; a list is looked up in its own source first."""
    add(place / "xos", "lib", "3")
    add(place / "xos", "tool", needs=["lib=3-1"])
    add(place / "extra", "tool", "9", needs=["bash-doc"])
    xos = {"name": "xos", "path": str(place / "xos"), "dest": "main", "packages": ["tool"]}
    extra = {"name": "extra", "path": str(place / "extra"), "exclude_packages": ["bash*"]}
    result = plan(place, sources=[*both(place), xos, extra], packages=["bash-doc"])
    assert result["packages"] == {"main": ["bash-doc-1-1.noarch", "lib-3-1.noarch", "tool-1-1.noarch"]}
    assert set(result["skipped"].values()) == {"is older than lib-3-1.noarch of xos"}
    result = plan(place, sources=[*both(place), {**extra, "packages": ["tool"]}])
    assert result["packages"] == {"extra": ["tool-9-1.noarch"], "main": ["bash-doc-1-1.noarch"]}


def test_a_list_finds_the_newer_build_of_another_source(place: Path) -> None:
    add(place / "xos", "bash", "5")
    xos = {"name": "xos", "path": str(place / "xos"), "dest": "main"}
    result = plan(place, sources=[*both(place, packages=["bash"]), xos])
    assert result["packages"] == {"main": ["bash-5-1.noarch"]}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("kernel-desktop-2.6.27.21-1mnb", ("kernel-desktop", "2.6.27.21-1mnb")),
        ("kernel-desktop-devel-2.6.27.21-1mnb", ("kernel-desktop-devel", "2.6.27.21-1mnb")),
        ("kernel-2.6.27-1mnb2", ("kernel", "2.6.27-1mnb2")),
        ("kernel-desktop-latest", None),
        ("kernel-headers", None),
        ("lib-2.6-1", None),
    ],
)
def test_names_of_kernels(name: str, found: t.Any) -> None:
    assert kernel_of(name) == found


def test_the_newest_kernel_of_each_flavour(tmp_path: Path) -> None:
    for version in ("2.6.9-1", "2.6.27-1", "2.6.27-2"):
        add(tmp_path / "main", "kernel-desktop-" + version, "1")
        add(tmp_path / "main", "kernel-server-" + version, "1")
    result = plan(tmp_path, packages=["kernel-*"], exclude_packages=["kernel-server-2.6.27-2"])
    assert names(result) == ["kernel-desktop-2.6.27-2"]
    assert len(result["skipped"]) == 4
    assert "is an older kernel than kernel-desktop-2.6.27-2-1-1.noarch" in result["skipped"].values()
    result = plan(tmp_path, packages=["kernel-*"], policy={"kernels": "all"})
    assert result["count"] == 6 and result["skipped"] == {}


def test_categories_of_rpmsrate(place: Path) -> None:
    (place / "rates").write_text("CAT_A\n  5 bash\n  4 gone\n  2 app\n")
    result = plan(place, sources=both(place), packages=["CAT_A 4"], rpmsrate=str(place / "rates"))
    assert names(result) == ["bash"]
    assert result["notes"] == ["CAT_A 4 (packages): not in the sources: gone"]


def test_files_that_are_required_are_looked_for_in_packages(tmp_path: Path) -> None:
    add(tmp_path / "main", "script", needs=["/bin/sh"])
    add(tmp_path / "main", "zsh", files=[b"/bin/sh", b"/bin/zsh"])
    assert names(plan(tmp_path, packages=["script"])) == ["script", "zsh"]


def test_packages_that_exclude_each_other_may_share_a_disc(tmp_path: Path) -> None:
    add(tmp_path / "main", "a", conflicts=[(b"b", 0, b"")])
    add(tmp_path / "main", "b")
    add(tmp_path / "main", "c", needs=["a", "b"])
    assert names(plan(tmp_path, packages=["a", "b"])) == ["a", "b"]
    with pytest.raises(ClusterError, match="a-1-1.noarch excludes b-1-1.noarch|b-1-1.noarch excludes a-1-1.noarch"):
        plan(tmp_path, packages=["c"])


def test_recommended_packages(tmp_path: Path) -> None:
    add(tmp_path / "main", "a", recommends=[(b"b", 0, b"")])
    add(tmp_path / "main", "b")
    assert names(plan(tmp_path, packages=["a"])) == ["a"]
    assert names(plan(tmp_path, packages=["a"], policy={"suggests": True})) == ["a", "b"]


def test_sources_that_cannot_be_used(place: Path) -> None:
    cases: list[tuple[list[dict[str, t.Any]], str]] = [
        (both(place, sections=["release", "testing"]), "source main: the section testing does not exist"),
        ([{"name": "x", "path": str(place / "none")}], "source x: the folder does not exist"),
        ([{"name": "x", "path": str(place), "dest": "../y"}], "source x: bad destination '../y'"),
        ([{"name": "x", "path": str(place), "dest": "/y"}], "bad destination"),
        ([*both(place), *both(place)], "source 'main' is there twice"),
        ([], "there is no source"),
    ]
    for given, told in cases:
        with pytest.raises(ClusterError, match=told):
            plan(place, sources=given, packages=["bash"])


def test_unreadable_packages_are_all_named(place: Path) -> None:
    (place / "main/release/x.rpm").write_bytes(b"")
    (place / "main/updates/y.rpm").write_bytes(b"not a package")
    with pytest.raises(ClusterError) as error:
        plan(place, sources=both(place), packages=["bash"])
    assert error.value.message.startswith("2 packages cannot be read: ")
    assert "x.rpm: empty file" in error.value.message and "y.rpm: not an RPM package" in error.value.message


def test_a_second_run_reads_no_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, t.Any] = {"sources": both(place), "packages": ["app"], "kickstart": str(place / "ks")}
    predicted = plan(place, check=True, **given)
    assert not (place / "plan.lock.json").exists() and not (place / "ks").exists()
    first = plan(place, **given)
    assert predicted == first and first["changed"]
    with monkeypatch.context() as patch:
        patch.setattr(sources, "read_rpm", lambda path: pytest.fail("read " + path))
        second = plan(place, **given)
    assert second == {**first, "changed": False, "diff": []}
    assert (place / "ks").read_text() == "%packages --ignoremissing --exclude-weakdeps\napp\nash\nlib\n%end\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda place: os.utime(place / "main/release/bash-1-1.noarch.rpm"),
        lambda place: add(place / "main/updates", "app", "2"),
        lambda place: (place / "main/release/bash-1-1.noarch.rpm").unlink(),
        lambda place: (place / "list").write_text("bash-doc\n"),
    ],
    ids=["touched", "added", "removed", "list"],
)
def test_any_change_is_noticed(place: Path, change: t.Callable[[Path], t.Any]) -> None:
    (place / "list").write_text("app\n")
    given: dict[str, t.Any] = {"sources": both(place), "lists": [str(place / "list")]}
    before = plan(place, **given)["key"]
    change(place)
    result = plan(place, **given)
    assert result["changed"] and result["key"] != before
    assert not plan(place, **given)["changed"]


def test_the_lock_file(place: Path) -> None:
    plan(place, sources=both(place), packages=["app"])
    data = (place / "plan.lock.json").read_bytes()
    assert render_lock(parse_lock(data)) == data
    for damaged in (
        b"",
        b"[]",
        b"{}",
        data.replace(b'"format": 1', b'"format": 0'),
        data.replace(b'"size"', b'"sise"'),
    ):
        with pytest.raises(ClusterError, match="no plan of this version"):
            parse_lock(damaged)
    (place / "plan.lock.json").write_bytes(b"damaged")
    assert plan(place, sources=both(place), packages=["app"])["changed"]
    assert (place / "plan.lock.json").read_bytes() == data


def test_signing_does_not_make_another_package(tmp_path: Path) -> None:
    one, other, changed = (tmp_path / name for name in ("one", "other", "changed"))
    one.write_bytes(rpm_bytes(tags()))
    other.write_bytes(rpm_bytes(tags(), signature={268: (BINARY, b"signature")}))
    changed.write_bytes(rpm_bytes(tags(), payload=b"longer payload"))
    assert sources.identity(str(one))[0] == sources.identity(str(other))[0] != sources.identity(str(changed))[0]


def test_the_module_from_its_options_to_its_result(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"sources": both(place), "packages": ["app"], "lock": str(place / "l.json"), "_ansible_diff": True}
    with patch_module_args(given), pytest.raises(SystemExit):
        package_set.main()
    result = json.loads(capsys.readouterr().out)
    assert result["changed"] and result["actions"] == [] and result["count"] == 3
    (shown,) = result["diff"]
    assert shown["before"] == "" and shown["after"].startswith("main/app-1-1.noarch ")
    with patch_module_args({**given, "packages": ["nothing-like-it"]}), pytest.raises(SystemExit):
        package_set.main()
    assert json.loads(capsys.readouterr().out)["hint"]
