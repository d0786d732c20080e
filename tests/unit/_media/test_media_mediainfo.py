# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning of a medium: what changes, what is used again, what is refused."""

from __future__ import annotations

import os
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media import gather
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.mediainfo import MediaPlan, plan_media
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.options import Options
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.scan import (
    Entry,
    Known,
    State,
    parse_state,
    render_state,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.synthesis import parse_synthesis
from ansible_collections.xtreemos.cluster.tests.unit._media import samples
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN, write
from hypothesis import given, settings
from hypothesis import strategies as st

REQ = [(b"/usr/bin/tool", 0, b"")]


def plan(folder: Path, **options: t.Any) -> MediaPlan:
    return plan_media(Options(str(folder), **options), LocalHost())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the packages that are opened."""
    found: list[str] = []
    original = gather.read_rpm

    def read(path: str) -> t.Any:
        found.append(os.path.basename(path))
        return original(path)

    monkeypatch.setattr(gather, "read_rpm", read)
    return found


def test_the_second_run_reads_no_package(tmp_path: Path, reads: list[str]) -> None:
    folder = samples.medium(tmp_path, names=["a-s", "a-m"])
    assert samples.run(folder).changed
    before = samples.published(folder)
    reads.clear()
    again = plan(folder)
    assert not again.changed and reads == [] and again.packages == len(list(folder.glob("*.rpm")))
    assert samples.published(folder) == before
    assert any("a-manyprov" in line for line in again.warnings)


def test_only_changed_packages_are_read(tmp_path: Path, reads: list[str]) -> None:
    folder = samples.medium(tmp_path / "m", names=["a-s", "a-m", "a-l"])
    samples.run(folder)
    reads.clear()
    (folder / "a-simple-1.0-1mdv2009.0.noarch.rpm").unlink()
    write(folder, "new")
    found = samples.run(folder)
    assert reads == ["new-1-1.noarch.rpm"]
    assert found.names() == {"added": ["new-1-1.noarch"], "removed": ["a-simple-1.0-1mdv2009.0.noarch"], "updated": []}
    fresh = tmp_path / "fresh"
    shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns("media_info", ".media_info"))
    samples.run(fresh)
    assert samples.published(fresh) == samples.published(folder)


def test_another_build_with_the_same_name_size_and_time(tmp_path: Path) -> None:
    folder = tmp_path
    path = write(folder, summary=b"one")
    samples.run(folder)
    times = path.stat()
    write(folder, summary=b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = samples.run(folder)
    assert found.names() == {"added": [], "removed": [], "updated": ["a-1-1.noarch"]}
    assert b"@summary@two\n" in samples.records(folder / "media_info")[b"a-1-1.noarch"]


def test_touched_packages_change_nothing(tmp_path: Path, reads: list[str]) -> None:
    path = write(tmp_path)
    samples.run(tmp_path)
    os.utime(path)
    assert not samples.run(tmp_path).changed
    reads.clear()
    assert not samples.run(tmp_path).changed and reads == []


@pytest.mark.parametrize("harm", ["hdlist.cz", "synthesis.hdlist.cz", "MD5SUM", "info.xml.lzma"])
@pytest.mark.parametrize("gone", [True, False])
def test_damaged_media_files_are_written_again(tmp_path: Path, harm: str, gone: bool) -> None:
    folder = samples.medium(tmp_path, names=["a-s"])
    samples.run(folder)
    before = samples.published(folder)
    path = folder / "media_info" / harm
    path.unlink() if gone else path.write_bytes(b"garbage")
    assert list(samples.run(folder).writes) == [harm]
    assert samples.published(folder) == before


@pytest.mark.parametrize(
    "state", [None, b"", b"{", b"[]", b'{"format": 1}', b'{"format": 2}', b'{"format": 1, "options": 3}']
)
def test_a_lost_state_costs_time_only(tmp_path: Path, state: bytes | None) -> None:
    folder = samples.medium(tmp_path, names=["a-s"])
    samples.run(folder)
    path = folder / ".media_info" / "state.json"
    path.unlink() if state is None else path.write_bytes(state)
    assert parse_state(state) == State()
    assert not samples.run(folder).changed


@given(st.binary(max_size=40) | st.just(b'{"format":1,"options":"","outputs":{},"packages":[[1]]}'))
def test_damaged_states(data: bytes) -> None:
    assert parse_state(data) == State()


def test_state_round_trip() -> None:
    entry = Entry("a\udce9.rpm", 1, 2, 3, 4)
    state = State(
        "o", {"hdlist.cz": "x"}, {entry: Known(b"a\xe9", "d", 5)}, {}, frozenset([b"/b\xe9"]), {"": ["w"]}, "k"
    )
    assert parse_state(render_state(state)) == state


@pytest.mark.parametrize(
    ("change", "files"),
    [
        ({"synthesis": "xz"}, ["MD5SUM", "synthesis.hdlist.cz"]),
        ({"xml_info": False}, ["MD5SUM"]),
        ({"hdlist": False}, ["MD5SUM"]),
        ({"file_deps": frozenset([b"/usr/share/a-simple/data"])}, ["MD5SUM", "synthesis.hdlist.cz"]),
        ({"pubkey": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"}, ["pubkey"]),
        ({"weak_tag": b"recommends"}, []),
        ({}, []),
    ],
)
def test_changed_options(tmp_path: Path, change: dict[str, t.Any], files: list[str]) -> None:
    folder = samples.medium(tmp_path, names=["a-simple", "a-config"])
    samples.run(folder)
    found = plan(folder, **change)
    assert sorted(found.writes) == files and found.changed == bool(files)
    samples.run(folder, **change)
    assert not plan(folder, **change).changed


def test_files_that_are_not_wanted_any_more(tmp_path: Path) -> None:
    folder = samples.medium(tmp_path, names=["a-simple"])
    samples.run(folder, version="20260101-000000")
    assert len(samples.published(folder)) == 11
    found = samples.run(folder, xml_info=False, hdlist=False)
    assert sorted(samples.published(folder)) == ["MD5SUM", "synthesis.hdlist.cz"]
    assert "20260101-000000-hdlist.cz" in found.drops and "hdlist.cz" in found.drops


def test_versioned_links_live_as_long_as_the_files(tmp_path: Path) -> None:
    folder = samples.medium(tmp_path, names=["a-simple"])
    samples.run(folder, version="20260101-000000")
    assert not samples.run(folder, version="20260202-000000").changed
    assert not plan(folder, version="20260202-000000", allow_empty=True).links
    write(folder)
    samples.run(folder, version="20260303-000000")
    stamps = {name[:15] for name in samples.published(folder) if name[0] == "2"}
    assert stamps == {"20260303-000000"}
    assert b"20260303-000000-hdlist.cz\n" in samples.published(folder)["MD5SUM"]


def test_files_of_others_stay(tmp_path: Path) -> None:
    folder = samples.medium(tmp_path, names=["a-simple"])
    (folder / "media_info").mkdir()
    for name in ("pubkey", "descriptions", "reconfig.urpmi"):
        (folder / "media_info" / name).write_text(name)
    samples.run(folder)
    assert samples.published(folder)["descriptions"] == b"descriptions" and len(samples.published(folder)) == 9


def test_media_info_may_be_a_link(tmp_path: Path) -> None:
    folder = samples.medium(tmp_path / "m", names=["a-simple"])
    (tmp_path / "elsewhere").mkdir()
    os.symlink("../elsewhere", folder / "media_info")
    samples.run(folder)
    assert os.path.islink(folder / "media_info") and (tmp_path / "elsewhere" / "MD5SUM").exists()
    assert not plan(folder).changed


def test_required_files_across_runs(tmp_path: Path, reads: list[str]) -> None:
    """A new requirement on a file reaches packages that did not change themselves, and goes again."""
    write(tmp_path, "tool", files=[b"/usr/bin/tool", b"/usr/bin/other"])
    samples.run(tmp_path)
    assert b"@/usr/bin/tool" not in samples.records(tmp_path / "media_info")[b"tool-1-1.noarch"]
    user = write(tmp_path, "user", requires=REQ)
    samples.run(tmp_path)
    text = samples.records(tmp_path / "media_info")[b"tool-1-1.noarch"]
    assert b"@provides@tool[== 1-1]@/usr/bin/tool\n" in text
    reads.clear()
    write(tmp_path, "user2", requires=[*REQ, (b"lib", 0, b"")])
    samples.run(tmp_path)
    assert reads == ["user2-1-1.noarch.rpm"]
    user.unlink()
    (tmp_path / "user2-1-1.noarch.rpm").unlink()
    samples.run(tmp_path)
    assert b"@/usr/bin/tool" not in samples.records(tmp_path / "media_info")[b"tool-1-1.noarch"]


def test_names_that_are_not_those_of_the_packages(tmp_path: Path) -> None:
    write(tmp_path, "b")
    (tmp_path / "b-1-1.noarch.rpm").rename(tmp_path / "z.rpm")
    write(tmp_path, "c")
    found = samples.run(tmp_path)
    assert found.warnings == ("z.rpm holds b-1-1.noarch; urpmi clients will ask for b-1-1.noarch.rpm",)
    again = plan(tmp_path)
    assert not again.changed and again.warnings == found.warnings
    assert samples.headers(tmp_path / "media_info").keys() == {b"b-1-1.noarch", b"c-1-1.noarch"}


BAD = [
    (b"", "empty file"),
    (b"no package", "not an RPM package"),
    ((GOLDEN / "rpms" / "a-simple-1.0-1mdv2009.0.noarch.rpm").read_bytes()[:-9], "truncated"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=[message for _data, message in BAD])
def test_bad_packages(tmp_path: Path, reads: list[str], data: bytes, message: str) -> None:
    folder = samples.medium(tmp_path, names=["a-config"])
    samples.run(folder)
    before = samples.published(folder)
    for name in ("bad.rpm", "worse.rpm"):
        (folder / name).write_bytes(data)
    with pytest.raises(
        ClusterError, match="2 of the packages cannot be used: .*bad.rpm: %s.*worse.rpm" % message
    ) as error:
        plan(folder)
    assert "bad_packages=skip" in error.value.hint and samples.published(folder) == before
    found = samples.run(folder, skip_bad=True)
    assert sorted(found.skipped) == ["bad.rpm", "worse.rpm"] and samples.published(folder) == before
    reads.clear()
    again = plan(folder, skip_bad=True)
    assert reads == [] and again.skipped == found.skipped and again.warnings == found.warnings
    assert again.warnings[0].startswith("left out: ") and message in again.warnings[0]


@pytest.mark.parametrize("name", ["a b", "a@b", "a/b", "a\nb", "é", ""])
def test_absurd_names(tmp_path: Path, name: str) -> None:
    write(tmp_path, "x").rename(tmp_path / "x.rpm")
    from ansible_collections.xtreemos.cluster.tests.unit._rpm import samples as packages

    (tmp_path / "x.rpm").write_bytes(packages.rpm_bytes(packages.tags(name)))
    with pytest.raises(ClusterError, match=r"x\.rpm: absurd name"):
        plan(tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    write(tmp_path)
    os.mkfifo(tmp_path / "pipe.rpm")
    with pytest.raises(ClusterError, match="pipe.rpm is no regular file"):
        plan(tmp_path)
    (tmp_path / "pipe.rpm").unlink()
    os.symlink("nowhere", tmp_path / "link.rpm")
    with pytest.raises(ClusterError, match=r"cannot read .*link.rpm: No such file"):
        plan(tmp_path)
    (tmp_path / "link.rpm").unlink()
    (tmp_path / ".hidden.rpm").write_bytes(b"being uploaded")
    assert plan(tmp_path).packages == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synthesis": "rar"}, "compression of synthesis: unknown 'rar'"),
        ({"xml": "rar"}, "compression of xml_info"),
        ({"pubkey": b"garbage"}, "no armored OpenPGP public key"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, t.Any], message: str) -> None:
    write(tmp_path)
    with pytest.raises(ClusterError, match=message):
        plan(tmp_path, **options)


def test_folders_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", path)

    with pytest.raises(ClusterError, match=r"cannot read .*nothing: No such file"):
        plan(tmp_path / "nothing")
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ClusterError, match="cannot read %s: Permission denied" % tmp_path):
        plan(tmp_path)


PACKAGES = st.lists(st.sampled_from("abcdefgh"), max_size=6, unique=True)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(PACKAGES, st.booleans()), min_size=2, max_size=5))
def test_any_history_gives_the_bytes_of_a_fresh_run(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[list[str], bool]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    for names, tool in history:
        for path in folder.glob("*.rpm"):
            path.unlink()
        for name in names:
            write(folder, name, files=[b"/usr/bin/" + name.encode()], requires=REQ if tool else ())
        if tool:
            write(folder, "tool", files=[b"/usr/bin/tool"])
        samples.run(folder, allow_empty=True)
    fresh = tmp_path_factory.mktemp("fresh")
    for path in folder.glob("*.rpm"):
        shutil.copyfile(path, fresh / path.name)
    samples.run(fresh, allow_empty=True)
    assert samples.published(fresh) == samples.published(folder)
    found = parse_synthesis(samples.content(fresh / "media_info" / "synthesis.hdlist.cz"))
    assert [record.nvra for record in found] == sorted(record.nvra for record in found)
