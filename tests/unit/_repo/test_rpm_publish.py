# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rpm_publish on real files: what moves, what is refused, and that check mode says what the run does."""

from __future__ import annotations

import configparser
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.files import locked
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.distrib import read_tree
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.md5sum import md5, parse_md5sum
from ansible_collections.xtreemos.cluster.plugins.module_utils._repo.publish import run_publish
from ansible_collections.xtreemos.cluster.tests.unit._media.samples import records
from ansible_collections.xtreemos.cluster.tests.unit._repo.samples import (
    files,
    make_unit,
    options,
    package,
    packages,
    run,
    tree,
)

EQUAL = 8
MAIN = "x86_64/media/main/%s"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


@pytest.fixture
def root(place: Path) -> Path:
    return place / "2.1"


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    return make_unit(tmp_path / "in")


def test_a_tree_is_made_once(place: Path, root: Path) -> None:
    predicted = run(tree(place), check=True)
    assert not place.exists()
    real = run(tree(place))
    assert {key: real[key] for key in ("changed", "packages", "actions")} == {
        key: predicted[key] for key in ("changed", "packages", "actions")
    }
    assert sorted(real["media"]) == sorted(predicted["media"])
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [".publish", "SHA256SUMS", "SRPMS", "i586", "timestamp", "x86_64"]
    )
    again = run(tree(place))
    assert (again["changed"], again["media"], again["files"]) == (False, {}, [])
    assert (root / "x86_64/VERSION").read_text().startswith("XtreemOS 2.1 Official-x86_64-Download ")


def test_media_cfg_says_what_clients_need(place: Path, root: Path) -> None:
    run(tree(place, vendor="XtreemOS", type="server"))
    cfg = configparser.ConfigParser(delimiters="=")
    cfg.read(root / "x86_64/media/media_info/media.cfg")
    assert dict(cfg["main/updates"], size="") == {
        "name": "Main Updates",
        "srpms": "../../SRPMS/main/updates",
        "updates_for": "main/release",
        "size": "",
    }
    assert cfg["main/testing"]["noauto"] == "1" and "noauto" not in cfg["main/release"]
    assert cfg["debug/main/updates"]["updates_for"] == "debug/main/release"
    assert cfg["../../SRPMS/main/release"]["rpms"] == "main/release"
    assert cfg["../../i586/media/main/release"]["name"] == "Main Release 32bit"
    assert "debug/contrib/release" not in cfg
    other = configparser.ConfigParser(delimiters="=")
    other.read(root / "i586/media/media_info/media.cfg")
    assert not any("i586" in section for section in other.sections())
    # The one who reads the trees of gendistrib reads this one.
    assert len(read_tree(str(root / "x86_64"), LocalHost()).media) == 6 + 3 + 6 + 6
    assert (root / "x86_64/product.id").read_text().startswith("vendor=XtreemOS,distribution=XtreemOS,type=server,")


def test_a_unit_goes_where_it_belongs(place: Path, root: Path, incoming: Path) -> None:
    result = run(tree(place), **{"from": str(incoming), "to": "main/testing"})
    assert packages(root) == {
        "SRPMS/main/testing/foo-1-1.src.rpm",
        *(
            "%s/media/%s" % (arch, name % arch)
            for arch in ("i586", "x86_64")
            for name in ("main/testing/foo-1-1.%s.rpm", "debug/main/testing/foo-debuginfo-1-1.%s.rpm")
        ),
        *("%s/media/main/testing/foo-doc-1-1.noarch.rpm" % arch for arch in ("i586", "x86_64")),
    }
    assert not list(incoming.glob("*.rpm"))
    assert result["packages"]["foo-1-1"]["state"] == "published"
    assert set(result["packages"]["foo-1-1"]["added"]) == packages(root)
    assert set(records(root / (MAIN % "testing") / "media_info")) == {b"foo-1-1.x86_64", b"foo-doc-1-1.noarch"}
    docs = [os.stat(root / ("%s/media/main/testing/foo-doc-1-1.noarch.rpm" % arch)) for arch in ("i586", "x86_64")]
    assert docs[0].st_ino == docs[1].st_ino
    assert not run(tree(place), **{"from": str(incoming), "to": "main/testing"})["changed"]


@pytest.mark.parametrize("remove", [True, False])
def test_what_stays_with_its_owner_is_not_linked(place: Path, root: Path, incoming: Path, remove: bool) -> None:
    before = {path.name: path.stat().st_ino for path in incoming.glob("*.rpm")}
    run(tree(place), remove_source=remove, **{"from": str(incoming), "to": "main/testing"})
    there = {Path(path).name: (root / path).stat().st_ino for path in packages(root)}
    assert bool(list(incoming.glob("*.rpm"))) is not remove
    assert any(before[name] == there[name] for name in there) is remove


def test_a_promotion_touches_its_media_only(place: Path, root: Path, incoming: Path) -> None:
    run(tree(place), **{"from": str(incoming), "to": "main/testing"})
    before = files(root)
    result = run(tree(place), packages=["foo"], **{"from": "main/testing", "to": "main/updates"})
    changed = {path for path in {**before, **files(root)} if before.get(path) != files(root).get(path)}
    assert all("/testing/" in p or "/updates/" in p or p == "SHA256SUMS" or "media/media_info/" in p for p in changed)
    assert not any("testing" in path for path in packages(root))
    row = result["packages"]["foo-1-1"]
    assert len(row["added"]) == len(row["removed"]) == 7
    assert {rel.split("/")[-1] for rel in result["media"]} == {"testing", "updates"}
    assert not run(tree(place), packages=["foo"], **{"from": "main/testing", "to": "main/updates"})["changed"]
    assert not run(tree(place))["changed"]


@pytest.mark.parametrize(
    ("on_old", "left", "archived"), [("archive", {"2"}, {"1"}), ("delete", {"2"}, set()), ("keep", {"1", "2"}, set())]
)
def test_older_builds(place: Path, root: Path, tmp_path: Path, on_old: str, left: set[str], archived: set[str]) -> None:
    for version in ("1", "2"):
        incoming = make_unit(tmp_path / version, version)
        result = run(tree(place), on_old=on_old, **{"from": str(incoming), "to": "main/updates"})
    there = {path for path in packages(root) if not path.startswith("archive/")}
    assert {path.rpartition("/")[2].split("-")[-2] for path in there} == left
    kept = packages(root / "archive")
    assert {path.rpartition("/")[2].split("-")[-2] for path in kept} == archived
    assert result["packages"]["foo-2-1"]["archived"] == sorted(kept)
    assert sorted(records(root / (MAIN % "updates") / "media_info")) == sorted(
        one
        for version in left
        for one in (b"foo-%s-1.x86_64" % version.encode(), b"foo-doc-%s-1.noarch" % version.encode())
    )


def test_the_newest_build_is_meant(place: Path, root: Path, tmp_path: Path) -> None:
    for version in ("1", "10", "9"):
        package(tmp_path / "in", "bar", version)
    run(tree(place), packages=["bar"], **{"from": str(tmp_path / "in"), "to": "main/testing"})
    assert {path.rpartition("/")[2] for path in packages(root)} == {"bar-10-1.noarch.rpm"}


@pytest.mark.parametrize("word", ["bar", "bar-1-1", "bar-1-1.noarch.rpm", "bar-1-1.noarch"])
def test_words_that_name_a_unit(place: Path, root: Path, tmp_path: Path, word: str) -> None:
    package(tmp_path / "in", "bar")
    package(tmp_path / "in", "other")
    run(tree(place), packages=[word], **{"from": str(tmp_path / "in"), "to": "main/testing"})
    assert {path.rpartition("/")[2] for path in packages(root)} == {"bar-1-1.noarch.rpm"}


def test_a_withdrawal_is_kept_in_the_archive(place: Path, root: Path, incoming: Path) -> None:
    run(tree(place), **{"from": str(incoming), "to": "main/testing"})
    result = run(tree(place), state="absent", packages=["foo"], to="main/testing")
    assert result["packages"]["foo-1-1"]["state"] == "withdrawn" and len(result["packages"]["foo-1-1"]["archived"]) == 7
    assert len(packages(root / "archive")) == 7 and len(packages(root)) == 7
    assert not run(tree(place), state="absent", packages=["foo"], to="main/testing")["changed"]


CASES: list[tuple[str, dict[str, t.Any]]] = [
    ("publish", {"to": "main/testing"}),
    ("keep the source", {"to": "main/testing", "remove_source": False}),
    ("one of two", {"to": "contrib/release", "packages": ["foo"]}),
    ("over an old one", {"to": "main/updates"}),
    ("over an old one, which is deleted", {"to": "main/updates", "on_old": "delete"}),
    ("over an old one, which stays", {"to": "main/updates", "on_old": "keep"}),
    ("promote", {"from": "main/updates", "to": "main/release"}),
    ("withdraw", {"state": "absent", "to": "main/updates", "packages": ["foo"]}),
    ("nothing", {"state": "absent", "to": "main/testing", "packages": ["foo"]}),
    ("announce", {"to": "main/testing", "announce": {"dest": "MAIL"}}),
]


@pytest.mark.parametrize("given", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_check_mode_says_what_the_run_does(place: Path, root: Path, tmp_path: Path, given: dict[str, t.Any]) -> None:
    run(tree(place), **{"from": str(make_unit(tmp_path / "old", "1")), "to": "main/updates"})
    incoming = package(make_unit(tmp_path / "in", "2"), "other").parent
    given = {"from": str(incoming), **given}
    if given.get("state") == "absent":
        del given["from"]
    if "announce" in given:
        given = {**given, "announce": {"dest": str(tmp_path / "mail")}}
    before = files(tmp_path, hidden=True)
    predicted = run(tree(place), check=True, **given)
    assert files(tmp_path, hidden=True) == before
    real = run(tree(place), **given)
    assert predicted == real
    assert (files(tmp_path) != {path: mark for path, mark in before.items() if "/." not in path}) is real["changed"]
    assert not run(tree(place), **given)["changed"] or not given.get("remove_source", True)


def test_metadata_fit_what_is_there(place: Path, root: Path, incoming: Path) -> None:
    run(tree(place), **{"from": str(incoming), "to": "main/testing"})
    for sums in root.rglob("MD5SUM"):
        for name, digest in parse_md5sum(sums.read_bytes()).items():
            assert md5((sums.parent / name).read_bytes()) == digest
    for line in (root / "SHA256SUMS").read_text().splitlines():
        digest, _blank, name = line.partition("  ")
        assert files(root)[name] == digest[:12]
    assert int((root / "timestamp").read_text()) > 1700000000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"from": "/nowhere", "to": "main/testing"}, "from: there is no folder /nowhere"),
        (
            {"from": "main/nothing", "to": "main/testing"},
            "from: the tree has no section main/nothing .it has: main",
        ),
        ({"from": "main/testing", "to": "main/nothing"}, "to: the tree has no section main/nothing"),
        ({"from": "main/testing", "to": "main/testing"}, "from and to are both main/testing"),
        ({"to": "main/testing", "packages": ["fooo"]}, "has no package fooo .near it: foo"),
        ({"to": "main/testing", "packages": ["zzz"]}, "has no package zzz .names of source packages"),
        ({"to": "main/testing", "announce": {"dest": "/m", "send": True}}, "announce.send needs announce.sender"),
        (
            {"to": "main/testing", "announce": {"dest": "/m", "subject": "{nme}"}},
            r"announce.subject: '\{nme\}'.*known words",
        ),
        ({"to": "main/testing", "announce": {"dest": "/m", "to": "a\nBcc: b"}}, "announce.to has a line end"),
        ({"to": "main/testing", "gate": ["signed"]}, "the gate signed has no key"),
        ({"to": "main/testing", "gate": ["signed"], "pubkeys": ["/nokey"]}, "pubkeys: /nokey does not exist"),
    ],
)
def test_bad_requests_change_nothing(
    place: Path, root: Path, incoming: Path, given: dict[str, t.Any], message: str
) -> None:
    run(tree(place))
    before = files(place)
    for check in (True, False):
        with pytest.raises(ClusterError, match=message):
            run(tree(place), check, **{"from": str(incoming), **given})
        assert files(place) == before and len(list(incoming.glob("*.rpm"))) == 6


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"version": "2/1"}, "tree.version: '2/1' is no name of a folder"),
        ({"version": ".."}, "tree.version: '..' is no name"),
        ({"arches": []}, "tree: no arches"),
        ({"arches": ["x86_64", "x86_64"]}, "tree.arches: x86_64 is there twice"),
        ({"media": []}, "tree: no media"),
        ({"media": [{"name": "debug"}]}, "tree.media: 'debug' is no name"),
        ({"media": [{"name": "a"}, {"name": "a"}]}, "tree.media: a is there twice"),
        ({"media": [{"name": "a", "sections": ["x", "x"]}]}, r"media\[a\].sections: x is there twice"),
        ({"media": [{"name": "a", "noauto": ["x"]}]}, r"media\[a\].noauto: there is no x"),
        ({"media": [{"name": "a", "requires": ["b"]}]}, r"media\[a\].requires: there is no b"),
        ({"pubkey": "/nokey"}, "tree.pubkey: /nokey does not exist"),
        (
            {"based_on": [{"name": "B", "path": "/nowhere", "media": ["main/release"]}]},
            "based_on: .*MD5SUM does not",
        ),
    ],
)
def test_bad_trees_are_refused(place: Path, more: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        run(tree(place, **more))
    assert not packages(place)


def test_strange_architectures_are_named(place: Path, tmp_path: Path) -> None:
    package(tmp_path / "in", "bar", arch="ppc64")
    with pytest.raises(ClusterError, match=r"bar-1-1.ppc64.rpm is for ppc64, which the tree does not have"):
        run(tree(place), **{"from": str(tmp_path / "in"), "to": "main/testing"})


@pytest.mark.parametrize("arch", ["i386", "i586", "i686"])
def test_the_32_bit_family_shares_a_folder(place: Path, root: Path, tmp_path: Path, arch: str) -> None:
    package(tmp_path / "in", "bar", arch=arch)
    run(tree(place), **{"from": str(tmp_path / "in"), "to": "main/testing"})
    assert packages(root) == {"i586/media/main/testing/bar-1-1.%s.rpm" % arch}


def test_another_build_under_the_same_name_is_refused(place: Path, root: Path, tmp_path: Path) -> None:
    run(tree(place), **{"from": str(package(tmp_path / "a", "bar").parent), "to": "main/testing"})
    before = files(root)
    other = package(tmp_path / "b", "bar", summary=b"Another build").parent
    with pytest.raises(ClusterError, match="is published already, with other content than .*a new build needs a new"):
        run(tree(place), **{"from": str(other), "to": "main/testing"})
    assert files(root) == before


def test_two_builds_under_one_name_on_offer_are_refused(place: Path, tmp_path: Path) -> None:
    package(tmp_path / "in" / "a", "bar")
    package(tmp_path / "in" / "b", "bar", summary=b"Another build")
    with pytest.raises(ClusterError, match="differ .keep one build of each"):
        run(tree(place), **{"from": str(tmp_path / "in"), "to": "main/testing"})


def test_a_downgrade_has_to_be_meant(place: Path, root: Path, tmp_path: Path) -> None:
    run(tree(place), **{"from": str(package(tmp_path / "a", "bar", "10").parent), "to": "main/testing"})
    old = str(package(tmp_path / "b", "bar", "9").parent)
    with pytest.raises(ClusterError, match="main/testing has bar-10-1, which is newer than bar-9-1"):
        run(tree(place), **{"from": old, "to": "main/testing"})
    run(tree(place), allow_downgrade=True, **{"from": old, "to": "main/testing"})
    assert {path.rpartition("/")[2] for path in packages(root / "x86_64")} == {"bar-9-1.noarch.rpm"}


@pytest.mark.parametrize("content", [b"", b"no package", b"\xed\xab\xee\xdb" + b"\0" * 200])
def test_bad_packages_are_named_and_nothing_else_happens(
    place: Path, root: Path, incoming: Path, content: bytes
) -> None:
    run(tree(place))
    (incoming / "bad-1-1.noarch.rpm").write_bytes(content)
    before = files(root)
    with pytest.raises(ClusterError, match="1 packages cannot be used: .*bad-1-1.noarch.rpm"):
        run(tree(place), **{"from": str(incoming), "to": "main/testing"})
    assert files(root) == before


@pytest.mark.parametrize(("missing", "told"), [("warn", 2), ("ignore", 0), ("fail", None)])
def test_incomplete_units(place: Path, tmp_path: Path, missing: str, told: int | None) -> None:
    incoming = str(package(tmp_path / "in", "bar", arch="x86_64").parent)
    if told is None:
        with pytest.raises(ClusterError, match="incomplete: bar-1-1: no packages for i586; bar-1-1: no source package"):
            run(tree(place), missing=missing, **{"from": incoming, "to": "main/testing"})
    else:
        result = run(tree(place), missing=missing, **{"from": incoming, "to": "main/testing"})
        assert len(result["warnings"]) == told
        assert result["packages"]["bar-1-1"]["missing"] == ["no packages for i586", "no source package"]


def test_another_run_is_waited_for(place: Path, incoming: Path) -> None:
    run(tree(place))
    with locked(str(place / "2.1/.publish/lock")), pytest.raises(ClusterError, match="lock is locked by another run"):
        run(tree(place), lock_timeout=0, **{"from": str(incoming), "to": "main/testing"})
    assert len(list(incoming.glob("*.rpm"))) == 6


def test_uninstallable_packages_do_not_pass(place: Path, root: Path, tmp_path: Path) -> None:
    run(tree(place))
    needs = [(b"lib", EQUAL, b"1-1")]
    package(tmp_path / "in", "app", requires=needs)
    before = files(root)
    given = {"from": str(tmp_path / "in"), "to": "main/updates", "gate": ["installable"]}
    with pytest.raises(ClusterError, match=r"gate installable: app-1-1.noarch: .*nothing provides lib.*\(x86_64\)"):
        run(tree(place), **given)
    assert files(root) == before
    package(tmp_path / "in", "lib")
    run(tree(place), **given)
    # What others need may not go either: a newer lib breaks app.
    package(tmp_path / "new", "lib", "2")
    with pytest.raises(ClusterError, match=r"app-1-1.noarch: .*lib\[== 1-1\]"):
        run(tree(place), **{**given, "from": str(tmp_path / "new")})


def test_what_was_broken_before_is_nobodys_fault(place: Path, tmp_path: Path) -> None:
    package(tmp_path / "a", "app", requires=[(b"lib", 0, b"")])
    run(tree(place), **{"from": str(tmp_path / "a"), "to": "main/updates"})
    package(tmp_path / "b", "fine")
    assert run(tree(place), gate=["installable"], **{"from": str(tmp_path / "b"), "to": "main/updates"})["changed"]


def test_files_of_other_media_count(place: Path, tmp_path: Path) -> None:
    package(tmp_path / "a", "shell", files=[b"/bin/sh"])
    run(tree(place), **{"from": str(tmp_path / "a"), "to": "main/release"})
    package(tmp_path / "b", "app", requires=[(b"/bin/sh", 0, b"")])
    package(tmp_path / "c", "bad", requires=[(b"/bin/zsh", 0, b"")])
    given = {"to": "contrib/updates", "gate": ["installable"]}
    assert run(tree(place), **{**given, "from": str(tmp_path / "b")})["changed"]
    with pytest.raises(ClusterError, match="nothing provides /bin/zsh"):
        run(tree(place), **{**given, "from": str(tmp_path / "c")})


def test_testing_does_not_help_updates(place: Path, tmp_path: Path) -> None:
    package(tmp_path / "a", "lib")
    run(tree(place), **{"from": str(tmp_path / "a"), "to": "main/testing"})
    package(tmp_path / "b", "app", requires=[(b"lib", 0, b"")])
    given = {"from": str(tmp_path / "b"), "gate": ["installable"]}
    with pytest.raises(ClusterError, match="nothing provides lib"):
        run(tree(place), to="main/updates", **given)
    assert run(tree(place), to="main/testing", **given)["changed"]


def test_a_distribution_to_build_on_counts(place: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    package(tmp_path / "a", "glibc")
    run(tree(base), **{"from": str(tmp_path / "a"), "to": "main/release"})
    ours = tree(place, based_on=[{"name": "Base", "path": str(base / "2.1"), "media": ["main/release"]}])
    package(tmp_path / "b", "app", requires=[(b"glibc", 0, b"")])
    assert run(ours, gate=["installable"], **{"from": str(tmp_path / "b"), "to": "main/updates"})["changed"]
    text = (place / "2.1/x86_64/media/media_info/media.cfg").read_text()
    assert "name=Base Main Release\nmedia_type=base_distro\nnoauto=1\n" in text
    assert not run(ours)["changed"]


def test_the_announcement_tells_what_is_new(place: Path, incoming: Path, tmp_path: Path) -> None:
    mail = {"dest": str(tmp_path / "mail"), "sender": "a@example.org", "to": "b@example.org", "foot": "Bye, {version}"}
    result = run(tree(place), announce=mail, **{"from": str(incoming), "to": "main/updates"})
    text = (tmp_path / "mail").read_text()
    assert result["announcement"] == text
    head, _blank, body = text.partition("\n\n")
    assert "From: a@example.org\nTo: b@example.org\nSubject: [XtreemOS 2.1] main/updates: foo-1-1\n" in head
    assert "foo-1-1\n  A package\n" in body and body.endswith("Bye, 2.1\n")
    assert sum(line.endswith(".rpm") for line in body.splitlines()) == 6
    assert run(tree(place), announce=mail, **{"from": str(incoming), "to": "main/updates"})["announcement"] == ""


def test_the_announcement_is_sent_when_told(place: Path, incoming: Path, tmp_path: Path) -> None:
    mail = {"dest": str(tmp_path / "mail"), "sender": "a@example.org", "to": "b@example.org", "send": True}
    command = ["tee", str(tmp_path / "sent")]
    given = {"announce": {**mail, "sendmail": command}, "from": str(incoming), "to": "main/updates"}
    assert run(tree(place), check=True, **given)["actions"] == [command] and not (tmp_path / "sent").exists()
    assert run(tree(place), **given)["actions"] == [command]
    assert (tmp_path / "sent").read_bytes() == (tmp_path / "mail").read_bytes()


def test_a_full_disk_leaves_the_old_state(
    place: Path, root: Path, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tree(place))
    before = files(root)

    def full(name: str) -> None:
        if name == "metadata":
            raise OSError(28, "No space left on device", str(root))

    with pytest.raises(ClusterError, match="No space left on device"):
        run_publish(options(tree(place), **{"from": str(incoming), "to": "main/testing"}), False, LocalHost(), full)
    assert files(root) == before and len(list(incoming.glob("*.rpm"))) == 6
    assert run(tree(place), **{"from": str(incoming), "to": "main/testing"})["repaired"] == ""


def test_a_repository_has_to_be_told() -> None:
    with pytest.raises(ClusterError, match="tree is missing .describe the repository"):
        run_publish({**options(tree(Path("/nowhere"))), "tree": None}, True, LocalHost())
