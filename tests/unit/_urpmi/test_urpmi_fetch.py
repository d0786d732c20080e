# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media on a server: logins, mirrors, trees, damage; and a run that is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host import files
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.urpmicfg import parse_urpmicfg
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi import source
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.apply import run_job
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.keys import key_ids_of
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.mirrors import expand, parse_mirrors
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.source import Login, Source, split_login
from ansible_collections.xtreemos.cluster.tests.unit._media import samples as media
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from ansible_collections.xtreemos.cluster.tests.unit._urpmi.samples import params, serve
from hypothesis import given
from hypothesis import strategies as st

KEY = GOLDEN / "distrib" / "media" / "main" / "release" / "media_info" / "pubkey"
XML = ["changelog.xml.lzma", "files.xml.lzma", "info.xml.lzma"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server has: a medium, the same behind a password, a tree whose media are the medium too."""
    top = tmp_path_factory.mktemp("served")
    media.run(media.medium(top / "one", names=["a-simple"]))
    (top / "with a blank").symlink_to(top / "one")
    (top / "secret").mkdir()
    (top / "secret" / "one").symlink_to(top / "one")
    tree = media.tree(top / "tree")
    for line in ("main/release", "main/updates", "contrib/release", "non-free/release"):
        media.run(tree / "media" / line)
    bad = top / "bad" / "media_info"
    bad.mkdir(parents=True)
    (bad / "synthesis.hdlist.cz").write_bytes(b"x")
    (bad / "MD5SUM").write_text("%s  synthesis.hdlist.cz\n" % ("0" * 32))
    (top / "nosum" / "media_info").mkdir(parents=True)
    (top / "nosum" / "media_info" / "synthesis.hdlist.cz").write_bytes(b"")
    return top


@pytest.fixture(scope="module")
def url(folder: Path) -> t.Iterator[str]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(serve(folder))


def run(root: Path, *entries: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return run_job(params(*entries, root=str(root), **{"proxy": {}, **options}), check, LocalHost())


def test_a_medium_of_a_server(tmp_path: Path, url: str) -> None:
    one = {"name": "n", "url": url + "/one/"}
    predicted, result = run(tmp_path, one, check=True), run(tmp_path, one)
    assert predicted == result and result["media"]["n"]["packages"] == 1
    assert result["media"]["n"]["files"] == ["MD5SUM", "synthesis.hdlist.cz"]
    assert run(tmp_path, {**one, "state": "latest"})["changed"] is False
    assert run(tmp_path, {"name": "blank", "url": url + "/with a blank"})["media"]["blank"]["packages"] == 1
    always = run(tmp_path, {**one, "xml_info": "always"}, state="latest")
    assert always["media"]["n"]["state"] == "changed" and always["media"]["n"]["files"] == XML
    (tmp_path / "var/lib/urpmi/n/info.xml.lzma").write_bytes(b"damaged")
    again = run(tmp_path, {**one, "state": "latest"})
    assert again["media"]["n"]["files"] == ["info.xml.lzma"]
    assert run(tmp_path, {**one, "state": "latest"})["changed"] is False
    fresh = run(tmp_path, {**one, "name": "m", "xml_info": "always"})
    assert fresh["media"]["m"]["files"] == ["MD5SUM", *XML[:2], "info.xml.lzma", "synthesis.hdlist.cz"]


def test_a_server_that_asks_for_a_password(tmp_path: Path, url: str) -> None:
    one = {"name": "n", "url": url + "/secret/one"}
    with pytest.raises(
        ClusterError, match="medium 'n': .*/secret/one/media_info/MD5SUM: the server answers 401"
    ) as told:
        run(tmp_path, one)
    assert "username" in told.value.hint
    result = run(tmp_path, {**one, "username": "u", "password": "geheim"})
    assert result["media"]["n"]["packages"] == 1 and "geheim" not in repr(result)
    # netrc is what later runs read.
    (tmp_path / "var/lib/urpmi/n/MD5SUM").unlink()
    assert run(tmp_path, {"name": "n"}, state="latest")["changed"] is True


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none", "no metadata found: no media_info/MD5SUM"),
        ("/nosum", "no metadata found: no media_info/MD5SUM"),
        ("/bad", "synthesis.hdlist.cz does not fit its MD5SUM"),
        ("/broken", "the server answers 503"),
    ],
)
def test_media_that_are_none(tmp_path: Path, url: str, path: str, message: str) -> None:
    with pytest.raises(ClusterError, match="medium 'n': .*" + message):
        run(tmp_path, {"name": "n", "url": url + path})
    assert not (tmp_path / "etc").exists() and not (tmp_path / "var/lib/urpmi/n").exists()


def test_the_next_mirror_takes_over(tmp_path: Path, url: str) -> None:
    mirrors = tmp_path / "m.list"
    mirrors.write_text(
        "continent=EU,type=distrib,url=http://127.0.0.1:9/x\ntype=iso,url=%s/none\ntype=distrib,url=%s/tree/\n"
        % (url, url)
    )
    one = {"name": "n", "mirrorlist": str(mirrors), "with_dir": "media/main/release"}
    assert run(tmp_path / "..", one, check=True)["media"]["n"]["packages"] > 0
    (tmp_path / "one.list").write_text("type=distrib,url=%s/none\ntype=distrib,url=%s/tree\n" % (url, url))
    result = run(tmp_path, {"distrib": True, "mirrorlist": str(tmp_path / "one.list")})
    assert result["media"]["Main Updates"]["options"] == {
        "mirrorlist": str(tmp_path / "one.list"), "update": None, "with-dir": "media/main/updates"
    }  # fmt: skip
    assert run(tmp_path, {"distrib": True, "mirrorlist": str(tmp_path / "one.list")})["changed"] is False
    mirrors.write_text("type=iso,url=http://h/x\n")
    with pytest.raises(ClusterError, match="no mirror in"):
        run(tmp_path, one)


def test_a_tree_behind_a_list_whose_first_mirror_is_dead(tmp_path: Path, url: str) -> None:
    """The dead one is told only when no other has the tree; absence needs no server at all."""
    path = tmp_path / "m.list"
    path.write_text("type=distrib,url=http://127.0.0.1:9/x\ntype=distrib,url=%s/tree\n" % url)
    tree = {"distrib": True, "mirrorlist": str(path)}
    assert "Main Updates" in run(tmp_path, tree, check=True)["media"]
    run(tmp_path, tree, {"name": "other", "url": "/x"}, fetch=False)
    path.write_text("type=distrib,url=http://127.0.0.1:9/x\ntype=distrib,url=%s/none\n" % url)
    with pytest.raises(ClusterError, match="127.0.0.1:9/x.* cannot be reached: .*; .*/none holds no distribution"):
        run(tmp_path, tree)
    path.unlink()
    gone = run(tmp_path, {**tree, "state": "absent"})
    assert "other" not in gone["media"] and len(gone["media"]) >= 5
    assert list(parse_urpmicfg((tmp_path / "etc/urpmi/urpmi.cfg").read_text()).media) == ["other"]


def test_a_tree_behind_a_password(tmp_path: Path, folder: Path, url: str) -> None:
    if not (folder / "secret" / "tree").exists():
        (folder / "secret" / "tree").symlink_to(folder / "tree")
    tree = {"distrib": True, "url": url.replace("://", "://u:geheim@") + "/secret/tree"}
    result = run(tmp_path, tree)
    assert result["media"]["Main Updates"]["packages"] > 0 and "geheim" not in repr(result)
    assert "geheim" not in (tmp_path / "etc/urpmi/urpmi.cfg").read_text()
    assert not run(tmp_path, {**tree, "url": url.replace("://", "://u@") + "/secret/tree"}, state="latest")["changed"]


def test_what_is_too_large_or_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = media.medium(tmp_path / "m", names=["a-simple"])
    media.run(folder)
    one = {"name": "n", "url": str(folder)}
    with monkeypatch.context() as patched:
        patched.setattr(source, "LIMIT", 10)
        with pytest.raises(ClusterError, match="MD5SUM is larger than .* MiB .it cannot be a file of a medium"):
            run(tmp_path, one)
    sums = folder / "media_info/MD5SUM"
    sums.unlink()
    sums.mkdir()
    with pytest.raises(ClusterError, match="medium 'n': cannot read .*MD5SUM: Is a directory"):
        run(tmp_path, one)


def test_without_rpm_a_key_is_told_and_not_imported(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalHost, "which", lambda _self, name: None if name == "rpm" else "/usr/bin/" + name)
    result = run(tmp_path, {"name": "n", "url": str(folder / "one"), "pubkey": str(KEY)})
    assert result["warnings"] == ["rpm is missing: no key of %s is imported" % KEY] and result["actions"] == []
    assert result["media"]["n"]["options"]["key-ids"] == "4310025f"


def test_old_media_in_the_flat_layout(tmp_path: Path, folder: Path) -> None:
    """What urpmi of 2009 stored counts as fetched, and goes with its medium."""
    state = tmp_path / "var/lib/urpmi"
    state.mkdir(parents=True)
    for name in ("synthesis.hdlist.n.cz", "MD5SUM.n", "descriptions.n", "names.n", "names.other"):
        (state / name).write_bytes(b"x")
    (tmp_path / "etc/urpmi").mkdir(parents=True)
    (tmp_path / "etc/urpmi/urpmi.cfg").write_text("n %s {\n}\n" % (folder / "one"))
    assert run(tmp_path, {"name": "n"})["changed"] is False
    run(tmp_path, {"name": "n", "state": "absent"})
    assert [path.name for path in state.iterdir() if path.name != ".LOCK"] == ["names.other"]


def test_a_tree_of_a_server(tmp_path: Path, url: str) -> None:
    result = run(tmp_path, {"distrib": True, "url": url + "/tree"})
    states = {name: (row["state"], bool(row["files"])) for name, row in result["media"].items()}
    assert states.pop("Debug Main") == ("added", False) and set(states.values()) == {("added", True)}
    # Enabling fetches what was never fetched; this one has nothing to fetch.
    with pytest.raises(ClusterError, match="medium 'Debug Main': .*no metadata found"):
        run(tmp_path, {"name": "Debug Main", "ignore": False})


@pytest.mark.parametrize("renames", range(6))
def test_a_killed_run_is_mended_by_the_next(tmp_path: Path, folder: Path, renames: int) -> None:
    """A real SIGKILL before each rename: the files are old or new, and the next run ends where one run would."""
    entries = [{"name": "n", "url": str(folder / "one"), "key_ids": ["4310025f"]}, {"name": "gone", "state": "absent"}]
    root = tmp_path / "root"
    before = "gone /x {\n}\n"
    (root / "etc/urpmi").mkdir(parents=True)
    (root / "etc/urpmi/urpmi.cfg").write_text(before)
    (root / "var/lib/urpmi/gone").mkdir(parents=True)
    child = os.fork()
    if child == 0:
        left = [renames]
        rename = os.replace

        def replace(source: str, target: str) -> None:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            rename(source, target)

        files.os.replace = replace  # type: ignore[attr-defined]
        run(root, *entries)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert (status == signal.SIGKILL) == (renames < 3)
    text = (root / "etc/urpmi/urpmi.cfg").read_text()
    wanted = "{\n}\n\nn %s {\n  key-ids: 4310025f\n}\n" % (folder / "one")
    assert text == (before if renames < 3 else wanted)
    assert run(root, *entries)["changed"] is (renames < 3)
    assert (root / "etc/urpmi/urpmi.cfg").read_text() == wanted and not (root / "var/lib/urpmi/gone").exists()
    stored = root / "var/lib/urpmi/n"
    for name in ("MD5SUM", "synthesis.hdlist.cz"):
        assert (stored / name).read_bytes() == (folder / "one/media_info" / name).read_bytes()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("rpm") is None, reason="rpm --root needs root")
def test_a_key_is_imported_once(tmp_path: Path, folder: Path) -> None:
    """By the real rpm, into a database of its own; a key id beside it, of a key that nobody has, does not matter."""
    one = {"name": "n", "url": str(folder / "one"), "pubkey": str(KEY), "key_ids": ["11111111"]}
    predicted = run(tmp_path, one, check=True)
    assert list(tmp_path.iterdir()) == []
    result = run(tmp_path, one)
    (ours,) = key_ids_of(KEY.read_bytes(), "k")
    assert predicted == result and result["actions"] == [["rpm", "--root", str(tmp_path), "--import", str(KEY)]]
    assert result["media"]["n"]["options"]["key-ids"] == ",".join(sorted(["11111111", ours]))
    done = LocalHost().run(["rpm", "--root", str(tmp_path), "-q", "gpg-pubkey"])
    assert done.stdout.startswith("gpg-pubkey-%s-" % ours)
    again = run(tmp_path, one)
    assert (again["changed"], again["actions"], again["warnings"]) == (False, [], [])


def test_key_ids() -> None:
    assert key_ids_of(KEY.read_bytes(), "k") == [key_ids_of(KEY.read_bytes() * 2, "k")[1]]
    # What urpmi.addmedia wrote for this key.
    assert key_ids_of(KEY.read_bytes(), "k") == ["4310025f"]


@given(st.binary(max_size=60), st.integers(0, 900))
def test_garbage_is_no_key(noise: bytes, at: int) -> None:
    data = KEY.read_bytes()
    for text in (noise, data[:at], data[: at + 100] + noise + data[at + 100 + len(noise) * 2 :]):
        try:
            key_ids_of(text, "file")
        except ClusterError as error:
            assert error.message.startswith("file is no ")


@pytest.mark.parametrize(
    ("url", "bare", "login"),
    [
        ("http://u:p@h:8/x", "http://u@h:8/x", Login("h:8", "u", "p")),
        ("http://u:p%40%3a@h/x", "http://u@h/x", Login("h", "u", "p@:")),
        ("http://u@h/x", "http://u@h/x", None),
        ("http://h/x:y@z", "http://h/x:y@z", None),
        ("http://:p@h/x", "http://h/x", None),
        ("/a:b@c", "/a:b@c", None),
    ],
)
def test_logins_in_urls(url: str, bare: str, login: Login | None) -> None:
    assert split_login(url) == (bare, login)


def test_release_and_architecture() -> None:
    host = MemoryHost({"/r/etc/release": b"Mandriva Linux release 2009.0 (Official) for x86_64\n"})
    assert expand("$MIRRORLIST", host, "/r") == "http://mirrors.mageia.org/api/mageia.2009.0.x86_64.list"
    assert expand("http://h/$RELEASE/$ARCH", host, "/r") == "http://h/2009.0/x86_64"
    with pytest.raises(ClusterError, match="/etc/release does not tell"):
        expand("$MIRRORLIST", host, "/")
    assert parse_mirrors("type=distrib,url=ftp://a/\ntype=distrib,url=http://b\ntype=distrib,url=rsync://c\nx\n") == [
        "http://b", "ftp://a"
    ]  # fmt: skip


def test_a_login_for_ftp_goes_into_the_request() -> None:
    reader = Source(1, {"h": Login("h", "u", "p:@")})
    assert reader._request("ftp://u@h/x y").full_url == "ftp://u:p%3A%40@h/x%20y"
    assert reader._request("ftp://other/x").full_url == "ftp://other/x"


def test_ten_thousand_media_in_one_call(tmp_path: Path) -> None:
    entries = [{"name": "m%d" % at, "url": ("/l/%d" if at % 2 else "http://h/%d") % at} for at in range(10000)]
    result = run(tmp_path, *entries, fetch=False)
    assert len(result["media"]) == 10000
    names = list(parse_urpmicfg((tmp_path / "etc/urpmi/urpmi.cfg").read_text()).media)
    assert names == ["m%d" % at for at in [*range(1, 10000, 2), *range(0, 10000, 2)]]
    assert run(tmp_path, *entries, fetch=False)["changed"] is False


def test_what_python_cannot_read_is_left_to_urpmi(tmp_path: Path) -> None:
    result = run(tmp_path, {"name": "n", "url": "rsync://h/x", "verify_rpm": False})
    assert result["warnings"] == ["medium 'n': rsync is left to urpmi.update"]
    with pytest.raises(ClusterError, match="rsync://h/x: cannot be read from here"):
        Source(1).read("rsync://h/x")
    assert parse_urpmicfg((tmp_path / "etc/urpmi/urpmi.cfg").read_text()).media["n"].url == "rsync://h/x"
