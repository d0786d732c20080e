# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees from mirror to mirror with the real rsync: packages first, metadata last, nothing that nobody vouches for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors import stage
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.rsync import parse_syncs, read_changes
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.sums import keyring, parse_sums
from ansible_collections.xtreemos.cluster.plugins.modules.mirror_sync import work
from ansible_collections.xtreemos.cluster.tests.unit._mirrors.conftest import NOW, Key, Tree
from hypothesis import given
from hypothesis import strategies as st

PLACE = "x86_64/media/main/updates"


def options(source: Tree, copy: Tree, **more: t.Any) -> dict[str, t.Any]:
    sync = {"name": "x", "source": str(source.root), "dest": str(copy.root), **more}
    return {"syncs": [sync], "lock_timeout": 1, "install": None}


def pull(source: Tree, copy: Tree, check_mode: bool = False, host: LocalHost | None = None, **more: t.Any) -> t.Any:
    return work(options(source, copy, **more), check_mode, host or LocalHost())


class Watched(LocalHost):
    """Calls ``before(number, argv)`` ahead of every rsync that changes something."""

    def __init__(self, before: t.Callable[[int, t.Sequence[str]], None]) -> None:
        super().__init__()
        self.before, self.number = before, 0

    def run(self, argv: t.Sequence[str], **more: t.Any) -> Completed:
        if more.get("changes"):
            self.before(self.number, argv)
            self.number += 1
        return super().run(argv, **more)


def whole(tree: Tree) -> bool:
    """Whether the metadata speak of a package that is there, and fit each other."""
    place = tree.root / PLACE
    if not (place / "media_info").is_dir():
        return not (place / "repodata").is_dir()
    name = (place / "media_info/synthesis.hdlist.cz").read_text()
    version = name[len("foo-") : -len(".rpm")]
    return (place / name).is_file() and (place / "media_info/MD5SUM").read_text() == "sum of " + version


@pytest.mark.parametrize("made", [False, True])
def test_what_is_predicted_is_carried_and_then_nothing(source: Tree, copy: Tree, made: bool) -> None:
    if made:
        copy.root.mkdir(parents=True)
    source.write(PLACE + "/.media_info/state.json", "hidden")
    predicted = pull(source, copy, check_mode=True)
    assert copy.content() == {} and predicted["changed"]
    done = pull(source, copy)
    assert done == predicted
    assert copy.content() == source.content() and copy.hidden() == {".mirror-sync.lock"}
    again = pull(source, copy)
    assert not again["changed"] and again["actions"] == [] and again["diff"] == []


def test_a_new_version_replaces_the_old(source: Tree, copy: Tree) -> None:
    pull(source, copy)
    source.fill("2", age=-10)
    predicted = pull(source, copy, check_mode=True)
    row = predicted["syncs"]["x"]
    assert (row["added"], row["deleted"], row["updated"]) == (1, 1, 5)
    assert "deleted %s/foo-1.rpm" % PLACE in predicted["diff"][0]["after"]
    assert pull(source, copy) == predicted
    assert copy.content() == source.content() and whole(copy)


def test_without_delete_old_packages_stay(source: Tree, copy: Tree) -> None:
    pull(source, copy)
    source.fill("2", age=-10)
    assert pull(source, copy, delete=False)["syncs"]["x"]["deleted"] == 0
    assert (copy.root / PLACE / "foo-1.rpm").exists() and whole(copy)
    assert not pull(source, copy, delete=False)["changed"]


def test_readers_never_see_metadata_without_packages(source: Tree, copy: Tree) -> None:
    """Looked at before each command, and while packages arrive."""
    pull(source, copy)
    source.fill("2", age=-10)
    seen = []

    def look(number: int, argv: t.Sequence[str]) -> None:
        assert whole(copy)
        seen.append((copy.root / PLACE / "media_info/MD5SUM").read_text())

    pull(source, copy, host=Watched(look))
    assert seen == ["sum of 1"] * 3 and whole(copy)


@pytest.mark.parametrize("moment", [1, 2])
def test_a_source_that_changes_meanwhile_is_fetched_again(source: Tree, copy: Tree, moment: int) -> None:
    pull(source, copy)
    source.fill("2", age=-10)

    def change(number: int, argv: t.Sequence[str]) -> None:
        assert whole(copy)
        if number == moment:
            source.fill("3", age=-20)

    pull(source, copy, host=Watched(change))
    assert copy.content() == source.content() and whole(copy) and copy.hidden() == {".mirror-sync.lock"}


def test_a_source_that_never_rests_is_given_up(source: Tree, copy: Tree) -> None:
    pull(source, copy)
    before = copy.content()
    source.fill("2", age=-10)
    with pytest.raises(ClusterError, match="keeps changing.*readers still see the old state"):
        pull(source, copy, host=Watched(lambda number, argv: source.fill(str(number + 3), age=-20 - 10 * number)))
    assert whole(copy) and {name for name in copy.content() if "_info" in name} <= set(before)
    pull(source, copy)
    assert copy.content() == source.content()


def test_wrong_digests_stay_outside(source: Tree, copy: Tree) -> None:
    pull(source, copy)
    before = copy.content()
    source.fill("2", age=-10)
    source.write(PLACE + "/repodata/repomd.xml", "<forged/>", -20)
    with pytest.raises(ClusterError, match="1 files do not fit SHA256SUMS: .*repomd.xml"):
        pull(source, copy)
    assert copy.content() == before and copy.hidden() == {".mirror-sync.lock"}


@pytest.mark.parametrize("suffix", ["asc", "gpg", "clear"])
@pytest.mark.parametrize("named", [False, True])
def test_a_signed_source(source: Tree, copy: Tree, keys: dict[str, Key], suffix: str, named: bool) -> None:
    owner = keys["owner"]
    more = {"pubkey": str(owner.public), **({"key": owner.fingerprint.lower()} if named else {})}
    owner.sign(source, suffix)
    pull(source, copy, **more)
    assert (copy.root / ("SHA256SUMS." + suffix.replace("clear", "asc"))).is_file() and whole(copy)
    assert not pull(source, copy, **more)["changed"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("behind", "1 files do not fit SHA256SUMS: SHA256SUMS .readers"),
        ("text", "no good signature"),
        ("stranger", "no good signature"),
        ("other", "is signed by .* .the key has to be"),
        ("added", "SHA256SUMS.asc is no signed text"),
        ("twice", "SHA256SUMS.asc is no signed text"),
        ("lines", "SHA256SUMS.asc:1 is no line of sha256sum: 'hello'"),
    ],
)
def test_a_text_with_its_signature_that_is_no_good(
    source: Tree, copy: Tree, keys: dict[str, Key], tmp_path: Path, fault: str, told: str
) -> None:
    both = tmp_path / "both.asc"
    both.write_text(keys["owner"].public.read_text() + keys["stranger"].public.read_text())
    signed = source.root / "SHA256SUMS.asc"
    if fault in ("behind", "lines"):
        # The text tells of a file that is not there, or of nothing; SHA256SUMS itself is another one.
        now = (source.root / "SHA256SUMS").read_text()
        source.write("SHA256SUMS", "hello\n" if fault == "lines" else now + "0" * 64 + "  x\n")
        keys["owner"].sign(source, "clear")
        source.sums()
    else:
        keys["stranger" if fault in ("stranger", "other") else "owner"].sign(source, "clear")
    text = signed.read_text()
    changed = {
        "text": text.replace("updates", "update5"),
        "added": text.replace("\n\n", "\n\n-hello\n", 1),
        "twice": text + text,
    }
    source.write("SHA256SUMS.asc", changed.get(fault, text))
    more = {"pubkey": str(both if fault == "other" else keys["owner"].public)}
    if fault == "other":
        more["key"] = keys["owner"].fingerprint
    with pytest.raises(ClusterError, match=told):
        pull(source, copy, **more)
    assert not any("media_info" in name or "SHA256SUMS" in name for name in copy.content())


def test_a_source_between_its_two_files_is_asked_again(source: Tree, copy: Tree, keys: dict[str, Key]) -> None:
    """SHA256SUMS.asc is new and SHA256SUMS still the old one: the next round sees both."""
    keys["owner"].sign(source, "clear")
    pull(source, copy, pubkey=str(keys["owner"].public))
    old = (source.root / "SHA256SUMS").read_text()
    source.fill("2", age=-10)
    keys["owner"].sign(source, "clear")
    os.utime(source.root / "SHA256SUMS.asc", (NOW + 10, NOW + 10))
    new = (source.root / "SHA256SUMS").read_text()
    source.write("SHA256SUMS", old)

    def settle(number: int, argv: t.Sequence[str]) -> None:
        if number == 1:
            source.write("SHA256SUMS", new, -20)

    pull(source, copy, host=Watched(settle), pubkey=str(keys["owner"].public))
    assert copy.content() == source.content() and whole(copy)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("unsigned", "SHA256SUMS is not signed"),
        ("stranger", "no good signature"),
        ("changed", "no good signature"),
        ("other", "the key has to be"),
        ("nothing", "the source has no SHA256SUMS"),
        ("nokey", "does not exist"),
        ("badkey", "holds no public key"),
    ],
)
def test_a_source_that_nobody_vouches_for(
    source: Tree, copy: Tree, keys: dict[str, Key], tmp_path: Path, fault: str, told: str
) -> None:
    both = tmp_path / "both.asc"
    both.write_text(keys["owner"].public.read_text() + keys["stranger"].public.read_text())
    if fault != "unsigned":
        keys["stranger" if fault in ("stranger", "other") else "owner"].sign(source)
    if fault == "changed":
        source.write("SHA256SUMS", (source.root / "SHA256SUMS").read_text() + "0" * 64 + "  x\n")
    if fault == "nothing":
        (source.root / "SHA256SUMS").unlink()
    (tmp_path / "bad.asc").write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n-----END PGP PUBLIC KEY BLOCK-----\n")
    files = {"other": both, "nokey": tmp_path / "none", "badkey": tmp_path / "bad.asc"}
    more = {"pubkey": str(files.get(fault, keys["owner"].public))}
    if fault == "other":
        more["key"] = keys["owner"].fingerprint
    with pytest.raises(ClusterError, match=told):
        pull(source, copy, **more)
    assert copy.content() == {} and copy.hidden() == {".mirror-sync.lock"}


def test_a_part_of_a_source_is_enough(source: Tree, copy: Tree) -> None:
    source.write("i586/media/main/updates/media_info/MD5SUM", "x")
    source.write("archive/foo-0.rpm", "old")
    source.sums()
    pull(source, copy, exclude=["/i586/", "/archive/"])
    assert not [name for name in copy.content() if name.startswith(("i586", "archive"))] and whole(copy)
    assert not pull(source, copy, exclude=["/i586/", "/archive/"])["changed"]


def test_links_out_of_the_tree_do_not_travel(source: Tree, copy: Tree) -> None:
    (source.root / "passwd").symlink_to("/etc/passwd")
    pull(source, copy)
    assert "passwd" not in copy.content()
    assert copy.content()["x86_64/media/media_info/synthesis.hdlist_main_updates.cz"].startswith("-> ../main")


_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.modules.mirror_sync import work
sync = {"name": "x", "source": sys.argv[2], "dest": sys.argv[3]}
work({"syncs": [sync], "lock_timeout": 1, "install": None}, False, LocalHost())
"""


@pytest.mark.parametrize("percent", [35, 60, 75, 85, 95])
def test_killed_anywhere_the_next_run_goes_on(source: Tree, copy: Tree, percent: int) -> None:
    path = next(one for one in sys.path if (Path(one) / "ansible_collections").is_dir())
    argv = [sys.executable, "-B", "-c", _CHILD, path, str(source.root)]
    begun = time.monotonic()
    subprocess.run([*argv, str(copy.root) + "-clock"], check=True)
    length = time.monotonic() - begun
    pull(source, copy)
    source.fill("2", age=-10)
    child = subprocess.Popen([*argv, str(copy.root)], start_new_session=True)
    time.sleep(length * percent / 100)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert whole(copy)
    pull(source, copy)
    assert copy.content() == source.content() and copy.hidden() == {".mirror-sync.lock"}


def test_what_a_killed_rsync_left_goes(source: Tree, copy: Tree) -> None:
    pull(source, copy)
    source.fill("2", age=-10)
    written: list[str] = []

    def note(_number: int, argv: t.Sequence[str]) -> None:
        written.extend(word for word in argv if word.startswith("--temp-dir="))

    copy.write(".mirror-sync.tmp/.foo-2.rpm.Ezs0ZZ", "half")
    pull(source, copy, host=Watched(note))
    copy.write(".mirror-sync.tmp/.foo-2.rpm.Ezs0ZZ", "half")
    copy.write(".mirror-sync/SHA256SUMS", "half")
    assert not pull(source, copy)["changed"]
    assert set(written) == {"--temp-dir=%s/.mirror-sync.tmp" % copy.root}
    assert copy.content() == source.content() and copy.hidden() == {".mirror-sync.lock"}


def test_one_run_at_a_time(source: Tree, copy: Tree) -> None:
    def second(number: int, argv: t.Sequence[str]) -> None:
        with pytest.raises(ClusterError, match="is locked by another run"):
            pull(source, copy)

    pull(source, copy, host=Watched(second))


def test_the_others_still_run_when_one_fails(source: Tree, copy: Tree, tmp_path: Path) -> None:
    bad = {"name": "bad", "source": str(tmp_path / "none"), "dest": str(tmp_path / "bad")}
    params = options(source, copy)
    params["syncs"].insert(0, bad)
    with pytest.raises(ClusterError, match="sync bad: .*none does not exist"):
        work(params, False, LocalHost())
    assert copy.content() == source.content()


REMOTE = {"name": "far", "source": "/srv/mirror/2.1", "dest": "m@far.example.org:/srv/2.1", "ssh_key": "/etc/key"}


def test_a_push_sends_packages_then_metadata_then_deletes(tmp_path: Path, source: Tree) -> None:
    answers = {"rsync": lambda argv: (0, ">f+++++++++ a.rpm\n" if "--dry-run" in argv else "", "")}
    host = MemoryHost({str(source.root / "SHA256SUMS"): (source.root / "SHA256SUMS").read_bytes()}, answers)
    params = {"syncs": [{**REMOTE, "source": str(source.root)}], "lock_timeout": 1, "install": None}
    predicted = work(params, True, host)
    assert host.actions == [] and predicted["syncs"]["far"]["added"] == 1
    done = work(params, False, host)
    assert done == predicted
    first, second, third = done["actions"]
    assert "--exclude=repodata/" in first and "--delete-after" not in first
    assert "--include=repodata/**" in second and second[-1] == "m@far.example.org:/srv/2.1/"
    assert "--existing" in third and "--delete-after" in third
    assert all("--rsh=ssh -o BatchMode=yes -p 22 -i /etc/key -o IdentitiesOnly=yes" in argv for argv in done["actions"])


def test_a_push_of_a_damaged_tree_sends_nothing(source: Tree) -> None:
    source.write(PLACE + "/media_info/MD5SUM", "damaged")
    answers = {"rsync": (0, ">f+++++++++ a.rpm\n", "")}
    host = MemoryHost({str(source.root / "SHA256SUMS"): (source.root / "SHA256SUMS").read_bytes()}, answers)
    with pytest.raises(ClusterError, match="1 files do not fit SHA256SUMS: .*MD5SUM .publish again; nothing was sent"):
        work({"syncs": [{**REMOTE, "source": str(source.root)}], "lock_timeout": 1, "install": None}, False, host)
    assert host.actions == []


def test_without_rsync_check_mode_predicts_and_a_run_says_so(source: Tree, copy: Tree) -> None:
    class Bare(LocalHost):
        def which(self, program: str) -> str | None:
            return None

    assert pull(source, copy, check_mode=True, host=Bare())["changed"]
    with pytest.raises(ClusterError, match="rsync is not installed"):
        pull(source, copy, host=Bare())


@pytest.mark.parametrize(
    ("code", "hint"), [(5, "is there such a module"), (10, "does the other end listen"), (255, "ssh did not get in")]
)
def test_what_rsync_says_becomes_a_remedy(tmp_path: Path, code: int, hint: str) -> None:
    host = MemoryHost({}, {"rsync": (code, "", "@ERROR: no\nrsync error: x (code %d)\n" % code)})
    sync = {"name": "x", "source": "rsync://a/b", "dest": str(tmp_path / "a")}
    with pytest.raises(ClusterError, match="sync x: @ERROR: no .*" + hint.replace("?", ".")):
        work({"syncs": [sync], "lock_timeout": 1, "install": None}, True, host)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "a b"}, "bad name of a sync: 'a b'"),
        ({"source": "a"}, "bad source 'a'"),
        ({"source": "a:/b c"}, "bad source"),
        ({"dest": "/srv"}, "no folder of a mirror"),
        ({"dest": "/srv/../etc/x"}, "no folder of a mirror"),
        ({"source": "a:/b", "dest": "c:/d"}, "neither source nor dest is on this machine"),
        ({"source": "/srv/m/a", "dest": "/srv/m/a/b"}, "lie inside each other"),
        ({"key": "AB"}, "a key without pubkey"),
        ({"ssh_key": "/a b"}, "has a blank or quote"),
    ],
)
def test_mistakes_are_named(change: dict[str, t.Any], told: str) -> None:
    host = MemoryHost()
    with pytest.raises(ClusterError, match=told):
        work({"syncs": [{**REMOTE, **change}], "lock_timeout": 1, "install": None}, True, host)
    assert host.ran == []


def test_two_syncs_do_not_meet() -> None:
    with pytest.raises(ClusterError, match="given twice"):
        parse_syncs([REMOTE, REMOTE])
    with pytest.raises(ClusterError, match="another one writes to"):
        parse_syncs([REMOTE, {**REMOTE, "name": "other"}])


def test_the_lines_of_rsync() -> None:
    told = "*deleting   a/old.rpm\n>f+++++++++ a/new\\#303\\#251.rpm\n.f...p..... b\n<f.st...... c\ncd+++++++++ a/\n"
    told += ".d..t...... ./\ncL+++++++++ l\nhf+++++++++ h => x\nsent 10 bytes\n"
    found = read_changes(told)
    assert found == {
        "a/": "added",
        "a/newé.rpm": "added",
        "a/old.rpm": "deleted",
        "b": "attributes",
        "c": "updated",
        "h => x": "added",
        "l": "added",
    }


@pytest.mark.parametrize("name", ["é.rpm", "日本.rpm", "\udce9.rpm", "\\#101.rpm", "a b.rpm"])
def test_names_of_any_letters_come_and_go(source: Tree, copy: Tree, name: str) -> None:
    """rsync prints bytes that are no ASCII in its own way; what it tells is deleted by that name."""
    source.write(PLACE + "/" + name, "x")
    pull(source, copy)
    assert copy.content() == source.content()
    (source.root / PLACE / name).unlink()
    gone = pull(source, copy)
    assert gone["syncs"]["x"]["deleted"] == 1
    assert "deleted %s/%s\n" % (PLACE, name.replace("\udce9", "?")) in gone["diff"][0]["after"]
    assert copy.content() == source.content() and not pull(source, copy)["changed"]


@pytest.mark.parametrize("line", ["x", "0" * 63 + "  a", "0" * 64 + "  /etc/passwd", "0" * 64 + "  a/../../b"])
def test_digests_that_are_none(line: str) -> None:
    with pytest.raises(ClusterError, match="SHA256SUMS:2 "):
        parse_sums("%s  good\n%s\n" % ("1" * 64, line), "SHA256SUMS")


@given(st.binary(max_size=300))
def test_keys_of_any_bytes(content: bytes) -> None:
    try:
        assert keyring(content, "key")
    except ClusterError as error:
        assert "holds no public key" in str(error)


def test_a_file_system_that_cannot_exchange(source: Tree, copy: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_one: str, _other: str) -> t.NoReturn:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(stage, "exchange", refuse)
    pull(source, copy)
    source.fill("2", age=-10)
    pull(source, copy)
    assert copy.content() == source.content() and whole(copy) and copy.hidden() == {".mirror-sync.lock"}


@pytest.mark.parametrize("path", ["../outside/x", "a/../../outside/x", "linked/x", ".."])
def test_nothing_outside_of_the_tree_is_deleted(source: Tree, copy: Tree, tmp_path: Path, path: str) -> None:
    """Whatever the other end tells."""
    outside = copy.root.parent / "outside"
    outside.mkdir(parents=True)
    (outside / "x").write_text("precious")
    copy.root.mkdir()
    (copy.root / "linked").symlink_to(outside)
    sync = parse_syncs([{"name": "x", "source": str(source.root), "dest": str(copy.root)}])[0]
    with pytest.raises(ClusterError, match="is not inside of the tree"):
        stage.delete(sync, [path])
    assert (outside / "x").read_text() == "precious"


def test_what_is_deleted(source: Tree, copy: Tree) -> None:
    for name in ("a/b/c", "a/d", "full/x"):
        copy.write(name, "x")
    (copy.root / "link").symlink_to("full")
    sync = parse_syncs([{"name": "x", "source": str(source.root), "dest": str(copy.root)}])[0]
    stage.delete(sync, ["a/", "a/b/", "a/b/c", "a/d", "full/", "link", "gone", "gone/too"])
    # A folder that holds something more stays.
    assert set(copy.content()) == {"full/x"} and not (copy.root / "a").exists()


def test_folders_that_hold_the_same(tmp_path: Path) -> None:
    one, other = Tree(tmp_path / "one"), Tree(tmp_path / "other")
    for name in ("a", "b"):
        one.write(name, name)
        other.root.mkdir(exist_ok=True)
        os.link(one.root / name, other.root / name)
        (one.root / ("l" + name)).symlink_to(name)
        (other.root / ("l" + name)).symlink_to(name)

    def same() -> bool:
        return stage._same(str(one.root), str(other.root))

    assert same() and not stage._same(str(one.root), str(tmp_path / "none"))
    (other.root / "la").unlink()
    (other.root / "la").symlink_to("b")
    assert not same()
    (other.root / "la").unlink()
    other.write("la", "a")
    assert not same()
    (other.root / "la").unlink()
    assert not same()


def test_packages_that_are_lost_on_the_way(source: Tree, copy: Tree) -> None:
    """SHA256SUMS may speak of packages too: none is believed to be there without a look."""
    rows = (source.root / "SHA256SUMS").read_text()
    source.write("SHA256SUMS", rows + "%s  %s/foo-1.rpm\n" % ("0" * 64, PLACE))
    with pytest.raises(ClusterError, match="1 files do not fit SHA256SUMS: .*foo-1.rpm .readers still see"):
        pull(source, copy)
    assert not (copy.root / PLACE / "media_info").exists()
