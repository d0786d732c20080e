# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rpm_build: a revision becomes a build, is published once, and a run that ends early is taken up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._build import job, nightly
from ansible_collections.xtreemos.cluster.plugins.module_utils._build.store import MANIFEST
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.publish import run_publish
from ansible_collections.xtreemos.cluster.tests.unit._build.samples import (
    Rpmbuild,
    builds,
    commit,
    git,
    options,
    project,
    published,
    run,
)
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import needs_root
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import options as publish_options

pytestmark = needs_root
ALL = ["hello-0r1-1.x86_64.rpm", "hello-doc-0r1-1.noarch.rpm"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    project(tmp_path / "project")
    return tmp_path


def test_built_published_and_then_nothing(place: Path) -> None:
    predicted = run(place, check=True)
    assert predicted["built"] and predicted["steps"] == ["published"] and not (place / "dest").exists()
    result = run(place)
    assert (result["changed"], result["built"], result["steps"]) == (True, True, ["published"])
    assert result["version"] == "0r1" and result["commit"] == git(place / "project", "rev-parse", "HEAD")
    assert published(place) == ALL and builds(place) == ["hello-0r1", "last"]
    build = place / "dest/builds/hello-0r1"
    assert sorted(path.name for path in build.iterdir()) == ["RPMS", "SRPMS", "logs", MANIFEST]
    assert result["packages"] == ["RPMS/" + ALL[0], "RPMS/" + ALL[1], "SRPMS/hello-0r1-1.src.rpm"]
    assert (build / "logs/hello-0r1_hello.log").read_text() == "building\n"
    assert os.readlink(place / "dest/builds/last") == "hello-0r1" and result["path"] == str(build)
    dates = [path for path in (place / "dest/builds").iterdir() if path.name[0] == "2"]
    assert [os.readlink(path) for path in dates] == ["hello-0r1"] and len(dates[0].name) == len("20070201_0230")
    states = [one.lstat() for one in build.rglob("*.rpm")]
    assert {(one.st_uid, stat.S_IMODE(one.st_mode)) for one in states} == {(0, 0o644)}
    for check in (True, False):
        host = Rpmbuild()
        again = run(place, check=check, host=host)
        assert not again["changed"] and again["version"] == "0r1" and not again["built"]
        assert [words[:2] for words in host.ran] == [["git", "ls-remote"]]
    assert not (place / "dest/.work").exists()


def test_what_rpmbuild_gets(place: Path) -> None:
    host = Rpmbuild()

    def look(name: str) -> None:
        if name == "prepared":
            top = place / "dest/.work/rpm"
            text = (top / "SPECS/hello-0r1_hello.spec").read_text()
            assert "Version: 0r1\n" in text and "Revision 1 of " in text and "@not_ours@" in text
            macros = (top / ".rpmmacros").read_text()
            assert macros.startswith("%_topdir /builddir\n%_tmppath /builddir/tmp\n%packager P <p@example.org>\n")
            assert "%vendor V\n" in macros and "%_signature gpg\n" in macros and "%extra_one 1\n" in macros
            assert (top / ".rpmrc").read_text() == "buildarchtranslate: i386: i586\nbuildarchtranslate: i686: i586\n"
            assert {one.stat().st_uid for one in (top, top / "SOURCES", top / ".rpmrc")} == {1234}
            with tarfile.open(top / "SOURCES/hello-0r1.tar.gz") as archive:
                assert archive.getnames() == ["hello-0r1", "hello-0r1/hello.spec.in", "hello-0r1/line"]

    macros = {"packager": "P <p@example.org>", "vendor": "V", "signature": "gpg", "extra": {"extra_one": 1}}
    translate = {"i686": "i586", "i386": "i586"}
    more = {"targets": ["i586"], "rpmbuild_options": ["--nodeps"], "macros": macros, "buildarchtranslate": translate}
    run(place, host=host, step=look, **more)
    check, build = [words[words.index("--") + 1 :] for words in host.ran if "--user" in words]
    assert check[0] == "rpmspec" and check[-1] == "/builddir/SPECS/hello-0r1_hello.spec"
    assert build == ["rpmbuild", "-ba", "--target=i586", "--nodeps", "/builddir/SPECS/hello-0r1_hello.spec"]
    entered = next(words for words in host.ran if "rpmbuild" in words)
    assert entered[entered.index("--user") + 1] == "builder" and "HOME=/builddir" in entered
    assert "--with-parent" in entered


def test_the_tarball_of_a_revision_is_always_the_same(place: Path) -> None:
    found = []

    def look(name: str) -> None:
        if name == "prepared":
            found.append((place / "dest/.work/rpm/SOURCES/hello-0r1.tar.gz").read_bytes())

    for _round in range(2):
        run(place, step=look)
        shutil.rmtree(place / "dest")
    assert found[0] == found[1]


def test_kept_by_the_order_of_building(place: Path) -> None:
    """By name, 0r10 comes before 0r9: the original removed the wrong ones."""
    for number in range(2, 12):
        commit(place / "project", str(number))
        if number >= 8:
            predicted = run(place, check=True, keep=3)
            result = run(place, keep=3)
            assert result["pruned"] == predicted["pruned"]
    assert builds(place) == ["hello-0r10", "hello-0r11", "hello-0r9", "last"] and result["pruned"] == ["hello-0r8"]
    assert os.readlink(place / "dest/builds/last") == "hello-0r11"
    for path in (place / "dest/builds").iterdir():
        assert path.exists(), "a link leads nowhere: %s" % path
    assert run(place, keep=1)["pruned"] == ["hello-0r9", "hello-0r10"]
    assert not run(place, keep=1)["changed"]


def test_what_has_moved_on_is_not_published_again(place: Path) -> None:
    run(place)
    tree = options(place)["publish"]["tree"]
    moved = publish_options(tree, gate=[], **{"from": "main/testing", "to": "main/release"})
    run_publish(moved, False, LocalHost())
    assert published(place) == []
    assert not run(place)["changed"] and published(place) == []


def test_a_rewritten_history_is_refused(place: Path) -> None:
    run(place)
    git(place / "project", "commit", "--quiet", "--amend", "--message", "other")
    with pytest.raises(ClusterError, match="hello-0r1 is there, from another commit") as caught:
        run(place)
    assert str(place / "dest/builds/hello-0r1") in caught.value.hint and builds(place) == ["hello-0r1", "last"]


def test_a_branch_a_tag_and_one_commit(place: Path) -> None:
    folder = place / "project"
    first = git(folder, "rev-parse", "HEAD")
    git(folder, "tag", "--annotate", "v1", "--message", "one")
    commit(folder, "two")
    git(folder, "branch", "old", first)
    url = str(folder)
    for source in ({"url": url, "ref": "v1"}, {"url": url, "ref": "old"}, {"url": url, "revision": first}):
        assert run(place, source=source)["version"] == "0r1"
    assert run(place)["version"] == "0r2" and not run(place, source={"url": url, "ref": "old"})["built"]


# Failures: nothing is published, the logs stay and are named.

UNPUBLISHED: list[tuple[dict[str, str], str]] = [
    (
        {"rpmspec": "error: line 3: Unknown tag: Verson: 1\nerror: query failed"},
        "hello.spec does not parse: error: line 3",
    ),
    ({"rpmbuild": "+ make\nerror: Bad exit status from /x (%build)\n"}, "could not be built: error: Bad exit status"),
    ({"rpmbuild": "cc1: fatal: x\nfoo.o: No space left on device\n"}, "No space left on device"),
    ({"rpmbuild": "error: Failed build dependencies:\n\tgcc is needed by hello\n"}, "gcc is needed by hello"),
]


@pytest.mark.parametrize(("fails", "told"), UNPUBLISHED, ids=["spec", "middle", "disk", "needs"])
def test_a_build_that_fails(place: Path, fails: dict[str, str], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        run(place, host=Rpmbuild(fails))
    assert told in str(caught.value) and caught.value.hint
    assert builds(place) == [] and not (place / "tree").exists()
    if "rpmbuild" in fails:
        log = place / "dest/failed/hello-0r1/logs/hello-0r1_hello.log"
        assert str(log) in str(caught.value) and log.read_text() == fails["rpmbuild"]
        assert ("free space" in caught.value.hint) == ("No space" in told)
    assert run(place)["built"] and published(place) == ALL
    assert not (place / "dest/failed/hello-0r1").exists()


def test_the_second_of_two_specs_fails(place: Path) -> None:
    (place / "project/two.spec").write_text("Name: two\nVersion: @version@\n")
    commit(place / "project", "two")

    class Half(Rpmbuild):
        def _build(self, top: Path, spec: str) -> None:
            self.fails["rpmbuild"] = "error: boom\n"
            super()._build(top, spec)

    with pytest.raises(ClusterError, match="boom"):
        run(place, host=Half(), specs=["hello.spec.in", "two.spec"])
    assert builds(place) == [] and not (place / "tree").exists()
    logs = place / "dest/failed/hello-0r2/logs"
    assert sorted(path.name for path in logs.iterdir()) == ["hello-0r2_hello.log", "hello-0r2_two.log"]


def test_a_full_disk_of_the_builder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_words: t.Any, **_more: t.Any) -> None:
        raise OSError(28, "No space left on device", str(place / "dest"))

    monkeypatch.setattr(nightly.rpmbuild.sources, "pack", full)
    with pytest.raises(ClusterError, match="cannot build in .*No space left on device") as caught:
        run(place)
    assert "free space" in caught.value.hint and builds(place) == []


def test_rpmbuild_that_makes_nothing(place: Path) -> None:
    class Nothing(Rpmbuild):
        def _build(self, top: Path, spec: str) -> None:
            pass

    with pytest.raises(ClusterError, match="rpmbuild made no package"):
        run(place, host=Nothing())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"name": "a/b"}, "bad name 'a/b'"),
        ({"specs": []}, "no spec is named"),
        ({"specs": ["../x.spec"]}, "bad spec '../x.spec'"),
        ({"specs": ["none.spec"]}, "there is no spec none.spec"),
        ({"specs": ["/nowhere.spec"]}, "there is no spec /nowhere.spec"),
        ({"keep": 0}, "keep is 0"),
        ({"define": "krgversion"}, "hello.spec.in has no line %define krgversion"),
        ({"chroot": "/nowhere"}, "there is no chroot /nowhere"),
        ({"user": "nobody-here"}, "has no user nobody-here"),
        ({"user": "root"}, "packages are not built as root"),
        ({"source": {"url": "--upload-pack=x"}}, "bad source url '--upload-pack=x'"),
        ({"source": {"url": "ext::sh -c x"}}, "bad source url"),
        ({"source": {"url": "/nowhere/at/all"}}, "cannot reach /nowhere/at/all: fatal:"),
        ({"source": {"url": "/x", "ref": "a..b"}}, "bad ref 'a..b'"),
        ({"source": {"url": "/x", "revision": "abc"}}, "bad revision 'abc'"),
        ({"publish": {"tree": {"path": "/x", "pat": 1}}}, "publish.tree has no option pat"),
        ({"publish": {"tree": {"path": "/x"}}}, "publish.tree lacks distribution"),
        ({"publish": {"tree": {}, "sign": {"passphrase": "x"}}}, "publish.sign.passphrase would be written to a file"),
        ({"publish": {"tree": 7}}, "publish.tree is no mapping: 7"),
        ({"sync": {"dest": "a b"}}, "bad place to sync to: 'a b'"),
        ({"extra_sources": ["/nowhere.patch"]}, "there is no source file /nowhere.patch"),
        ({"macros": {"vendor": "a\nb"}}, "macro vendor has a line break"),
        ({"macros": {"extra": {"a b": 1}}}, "bad macro name 'a b'"),
        ({"buildarchtranslate": {"i386": "i586\nx"}}, "bad architecture"),
    ],
)
def test_bad_options(place: Path, more: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        run(place, **more)
    assert told in str(caught.value) and caught.value.hint
    assert builds(place) == [] and not (place / "tree").exists()


def test_a_source_that_vanished_names_itself_and_keeps_the_builds(place: Path) -> None:
    run(place)
    (place / "project").rename(place / "gone")
    for check in (True, False):
        with pytest.raises(ClusterError, match="cannot reach .*project: fatal"):
            run(place, check=check)
    assert builds(place) == ["hello-0r1", "last"]


def test_only_root_builds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="only root can enter a chroot"):
        run(place)


# After the build.


def test_copied_by_rsync_and_again_when_that_failed(place: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(ClusterError, match=r"cannot sync to .*/file/x"):
        run(place, sync={"dest": str(place / "file/x")})
    assert builds(place) == ["hello-0r1", "last"] and published(place) == ALL
    copy = place / "copy"
    result = run(place, sync={"dest": str(copy)})
    assert result["steps"] == ["synced"] and not result["built"]
    assert sorted(path.name for path in copy.iterdir()) == sorted(os.listdir(place / "dest/builds"))
    assert os.readlink(copy / "last") == "hello-0r1"
    assert not run(place, sync={"dest": str(copy)})["changed"]


def test_a_gate_that_refuses_keeps_the_build_for_the_next_run(place: Path) -> None:
    good = options(place)["publish"]
    with pytest.raises(ClusterError):
        run(place, publish={**good, "gate": ["signed", "installable"], "pubkeys": ["/nowhere"]})
    assert builds(place) == ["hello-0r1", "last"] and published(place) == []
    result = run(place)
    assert not result["built"] and result["steps"] == ["published"] and published(place) == ALL


# Killed.

STEPS = [
    "prepared",
    "built",
    "signed",
    "installed",
    "published, not marked",
    "published",
    "synced, not marked",
    "synced",
]


def killed_at(place: Path, number: int, **more: t.Any) -> str:
    """Build in a process of its own that is killed at its step ``number``; the name of the step."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        left = [number]

        def step(name: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.write(writer, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            run(place, step=step, **more)
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as stream:
        return stream.read()


@pytest.mark.parametrize("number", range(len(STEPS)), ids=STEPS)
def test_killed_and_taken_up(place: Path, number: int) -> None:
    more = {"sync": {"dest": str(place / "copy")}}
    assert killed_at(place, number, **more) == STEPS[number]
    for name in builds(place):
        assert name == "last" or (place / "dest/builds" / name / MANIFEST).exists(), name
    assert published(place) in ([], ALL)
    host = Rpmbuild()
    result = run(place, host=host, **more)
    rebuilt = any("rpmbuild" in words for words in host.ran)
    assert rebuilt == (STEPS[number] in ("prepared", "built", "signed")) == result["built"]
    assert published(place) == ALL and builds(place) == ["hello-0r1", "last"]
    row = json.loads((place / "dest/builds/hello-0r1" / MANIFEST).read_text())
    assert row["done"] == ["published", "synced"] and (place / "copy/hello-0r1" / MANIFEST).exists()
    assert not run(place, **more)["changed"]


def test_killed_while_old_builds_go(place: Path) -> None:
    run(place)
    half = place / "dest/builds/.removed-hello-0r0"
    half.mkdir()
    (half / "x").touch()
    assert not run(place)["changed"] and not half.exists()


def test_a_damaged_manifest_is_named(place: Path) -> None:
    run(place)
    (place / "dest/builds/hello-0r1" / MANIFEST).write_text("{}")
    with pytest.raises(ClusterError, match="hello-0r1/manifest.json is damaged"):
        run(place)


# The module's own part.


def test_the_timer_gets_program_and_options(place: Path) -> None:
    install = {"program": str(place / "lib/tools.pyz"), "options": str(place / "etc/build.json"), "only": True}
    given = options(place, install=install)
    predicted = job.run_job(given, True, LocalHost(), nightly.no_step)
    assert predicted["files"] == [install["options"], install["program"]] and not (place / "lib").exists()
    assert job.run_job(given, False, LocalHost(), nightly.no_step) == predicted
    assert not job.run_job(given, False, LocalHost(), nightly.no_step)["changed"]
    rows = json.loads((place / "etc/build.json").read_text())
    assert rows["name"] == "hello" and "install" not in rows and builds(place) == []
    assert (place / "etc/build.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ClusterError, match=r"install\.program is no absolute path"):
        job.run_job({**given, "install": {"program": "x", "options": "/y"}}, True, LocalHost(), nightly.no_step)
