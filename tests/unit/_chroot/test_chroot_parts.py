# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tree is made from: digests, names, words of the installers, accounts, who uses it. Pure parts."""

from __future__ import annotations

import hashlib
import os
import socket
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot import accounts, backends, digest, recipe, usage
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.accounts import Accounts
from ansible_collections.xtreemos.cluster.plugins.module_utils._chroot.packages import family, inside, installed
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.tests.unit._chroot.samples import APT, GROUP, PASSWD, SHADOW
from hypothesis import given
from hypothesis import strategies as st

MD5, SHA = "a7f5ab31886d10357d1b670a9fcaab97", "0" * 64
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRfz41SGZ0dm1zdTOV0 admin"
NAME = "xtreemos_chroot_20070201.tar.bz2"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%s  %s\n" % (MD5, NAME), {NAME: MD5}),
        ("%s *dir/%s\r\n\n# comment\n" % (MD5.upper(), NAME), {NAME: MD5}),
        ("SHA256 (%s) = %s\n" % (NAME, SHA), {NAME: SHA}),
        ("%s  %s\n%s  %s\n%s  %s\n" % (MD5, NAME, SHA, NAME, MD5, NAME), {NAME: SHA}),
        (MD5 + "\n", {"": MD5}),
        ("", {}),
    ],
)
def test_digest_lists(text: str, wanted: dict[str, str]) -> None:
    assert digest.parse_list(text, "l") == wanted


@pytest.mark.parametrize(
    ("given_digest", "sums", "content", "told"),
    [
        ("", "", None, "no digest for the tarball"),
        ("", "/l", None, "there is no digest list /l"),
        ("", "/l", b"nonsense\n", "/l:1 is no line of a digest list"),
        ("", "/l", b"abcd  x\n", "/l:1: 'abcd' is no md5"),
        ("", "/l", ("%s  %s.old\n" % (MD5, NAME)).encode(), "/l does not name %s (it has %s.old)" % (NAME, NAME)),
        ("", "/l", b"", "it has no line"),
        ("12zz", "", None, "digest: '12zz' is no md5"),
    ],
)
def test_digests_that_are_not_there(given_digest: str, sums: str, content: bytes | None, told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        digest.wanted_digest("/in/" + NAME, given_digest, sums, content)
    assert told in str(caught.value) and caught.value.hint


@given(st.text(max_size=200))
def test_a_digest_list_is_read_or_refused(text: str) -> None:
    try:
        rows = digest.parse_list(text, "l")
    except ClusterError as error:
        assert "l:" in str(error)
    else:
        assert all(len(row) in digest.KINDS for row in rows.values())


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512"])
def test_a_tarball_is_compared(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"content")
    good = hashlib.new(kind, b"content").hexdigest()
    digest.check_tarball(str(path), good)
    with pytest.raises(ClusterError, match="its %s is %s, not 0" % (kind, good)):
        digest.check_tarball(str(path), "0" * len(good))
    with pytest.raises(ClusterError, match="cannot read the tarball /nowhere"):
        digest.check_tarball("/nowhere", good)


def options(**more: t.Any) -> dict[str, t.Any]:
    rows = {"path": "/srv/chroots/b", "backend": "mmdebstrap", "packages": ["rpm"], "skip": [], "mirrors": []}
    return {**rows, "repos": [], "suite": "bookworm", "distribution": "", "tarball": "", **more}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"path": "relative"}, "relative is no place for a root tree"),
        ({"path": "/usr/"}, "/usr/ is no place"),
        ({"path": "/srv/../etc"}, "is no place"),
        ({"path": "/proc/1/x"}, "is no place"),
        ({"packages": ["--yes"]}, "bad package name '--yes'"),
        ({"packages": ["a b"]}, "bad package name 'a b'"),
        ({"skip": ["a;b"]}, "bad name in skip 'a;b'"),
        ({"suite": "-x"}, "bad suite '-x'"),
        ({"backend": "dnf"}, "no repository to install from"),
        ({"backend": "mkosi", "packages": []}, "the package list is empty"),
        ({"mirrors": ["http://example.org"]}, "bad line in mirrors"),
        ({"repos": [{"name": "a b", "url": "/x"}]}, "bad name of a repository: 'a b'"),
        ({"repos": [{"name": "a", "url": "x y"}]}, "repository a: bad url"),
        ({"repos": [{"name": "a", "url": "/x"}] * 2}, "two repositories have one name"),
    ],
)
def test_bad_recipes(more: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        recipe.parse_recipe(options(**more))
    assert told in str(caught.value) and caught.value.hint


def test_lists_of_names() -> None:
    assert recipe.parse_names("a # comment\n\n#b\n c\n", "l") == ["a", "c"]
    with pytest.raises(ClusterError, match="l:2 has more than one name: 'b c'"):
        recipe.parse_names("a\nb c\n", "l")


def test_what_makes_another_tree() -> None:
    first = recipe.parse_recipe(options())
    assert first.fingerprint() == recipe.parse_recipe(options(packages=["make"], skip=["x"])).fingerprint()
    assert first.fingerprint() != recipe.parse_recipe(options(suite="trixie")).fingerprint()
    assert first.beside("new") == "/srv/chroots/.b.new"


REPOS = [{"name": "main", "url": "http://m.example.org/main", "key": "/k"}, {"name": "own", "url": "/srv/own"}]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            {"packages": ["rpm", "make"], "skip": ["perl-doc"]},
            [
                "mmdebstrap --mode=root --variant=minbase --format=directory --architectures=amd64 --aptopt=/w/apt.conf"
                " --dpkgopt=force-unsafe-io --setup-hook=upload /w/skip /etc/apt/preferences.d/xtreemos-skip"
                " --include=make,rpm,usr-is-merged bookworm /w/root -"
            ],
        ),
        (
            {"backend": "debootstrap", "skip": ["vim*"]},
            [
                "debootstrap --variant=minbase --arch=amd64 --components=main --include=rpm --exclude=vim* bookworm"
                " /w/root http://deb.example.org/debian/"
            ],
        ),
        (
            {"backend": "dnf", "repos": REPOS, "suite": "9", "skip": ["kernel-*"]},
            [
                "dnf -y --installroot=/w/root --setopt=reposdir=/w/root/etc/yum.repos.d"
                " --setopt=install_weak_deps=False --setopt=keepcache=False --releasever=9 --exclude=kernel-*"
                " install rpm"
            ],
        ),
        (
            {"backend": "urpmi", "repos": REPOS},
            [
                "urpmi.addmedia --urpmi-root /w/root main http://m.example.org/main",
                "urpmi.addmedia --urpmi-root /w/root own /srv/own",
                "urpmi --urpmi-root /w/root --auto --no-suggests rpm",
            ],
        ),
        (
            {"backend": "mkosi", "distribution": "fedora", "suite": "41"},
            [
                "mkosi --directory=/w --format=directory --bootable=no --output-dir=/w --output=root"
                " --distribution=fedora --release=41 --package=rpm build"
            ],
        ),
        (
            {"backend": "tarball", "tarball": "/in/t.tar.bz2"},
            [
                "tar --extract --numeric-owner --preserve-permissions --xattrs --xattrs-include=* --directory /w/root"
                " --file /in/t.tar.bz2"
            ],
        ),
    ],
    ids=lambda value: value.get("backend", "mmdebstrap") if isinstance(value, dict) else "",
)
def test_words_of_the_installers(more: dict[str, t.Any], wanted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_arch", lambda: "amd64")
    host = MemoryHost({"/etc/os-release": b"VERSION_CODENAME=bookworm\n"}, {"apt-get indextargets": (0, APT, "")})
    what = recipe.parse_recipe(options(**more))
    steps = backends.MAKERS[what.backend](what, host, "/w")
    assert [" ".join(argv) for argv in steps.argvs] == wanted
    assert set(backends.MAKERS) == set(recipe.BACKENDS)


def test_files_of_the_installers() -> None:
    repos = recipe.parse_recipe(options(backend="dnf", repos=REPOS)).repos
    assert backends.render_repo(repos) == (
        "[main]\nname=main\nbaseurl=http://m.example.org/main\nenabled=1\ngpgcheck=1\ngpgkey=file:///k\n\n"
        "[own]\nname=own\nbaseurl=file:///srv/own\nenabled=1\ngpgcheck=0\n"
    )
    assert backends.render_preferences(["b", "a*"]).startswith("Package: a*\nPin: release *\nPin-Priority: -1\n\n")
    assert backends.render_urpmi_skip(["kernel-*", "a.b"]) == "/^a\\.b-/\n/^kernel\\-.*-/\n"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("E: Unable to locate package nonsense\n", "there is no package nonsense"),
        ("No match for argument: foo\nNo match for argument: bar\n", "there is no package bar, foo"),
        ("E: Package 'perl-base' has no installation candidate\n", "perl-base is needed and cannot be installed"),
        ("cpio: write error: No space left on device\n", "the disk is full while x makes the tree"),
        ("one\n\ntwo\n", "x failed: one | two"),
    ],
)
def test_errors_of_the_installers(output: str, told: str) -> None:
    error = backends.explain(["x"], output)
    assert told in error.message and error.hint


# Accounts.


def parsed() -> Accounts:
    return Accounts.parse(PASSWD, GROUP, SHADOW)


def test_accounts_that_are_right_stay_bytes() -> None:
    assert parsed().render() == (PASSWD, GROUP, SHADOW)


def test_a_new_account_and_one_that_was_locked() -> None:
    found = parsed()
    user = accounts.parse_user({"name": "ann", "keys": [KEY], "groups": ["extra"]})
    assert accounts.ensure(found, user) == ["ann", "x", "1000", "1000", "", "/home/ann", "/bin/sh"]
    accounts.ensure(found, accounts.parse_user({"name": "builder", "keys": [KEY], "shell": "/bin/bash"}))
    passwd, group, shadow = found.render()
    assert "builder:x:1234:1235:b:/home/builder:/bin/bash\n" in passwd and "ann:x:1000:\n" in group
    assert "extra:x:1300:nobody,builder,ann\n" in group and "builder:*:" in shadow and "ann:*:19000" in shadow
    again = Accounts.parse(passwd, group, shadow)
    accounts.ensure(again, user)
    assert again.render() == (passwd, group, shadow)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"name": "Ann"}, "bad user name 'Ann'"),
        ({"name": "ann"}, "user ann has no key, and there are no passwords"),
        ({"name": "ann", "keys": ["nonsense"]}, "user ann: 'nonsense' is no public key"),
        ({"name": "ann", "keys": [KEY + "\nssh-rsa AAAA x"]}, "is no public key"),
        ({"name": "ann", "keys": [KEY], "home": "x"}, "user ann: 'x' is no absolute path"),
        ({"name": "ann", "keys": [KEY], "shell": "/bin/sh:0"}, "is no absolute path"),
        ({"name": "ann", "keys": [KEY], "groups": ["none"]}, "user ann: the tree has no group none"),
        ({"name": "ann", "keys": [KEY], "uid": 1234}, "user ann: uid 1234 is builder's"),
        ({"name": "builder", "login": False, "uid": 7}, "user builder has uid 1234, not 7"),
    ],
)
def test_bad_users(item: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        accounts.ensure(parsed(), accounts.parse_user(item))
    assert told in str(caught.value) and caught.value.hint


def test_a_user_is_given_once() -> None:
    with pytest.raises(ClusterError, match="user ann is given twice"):
        accounts.parse_users([{"name": "ann", "keys": [KEY]}, {"name": "ann", "login": False}])


@given(st.lists(st.text("ab:,\n", max_size=12), max_size=6))
def test_any_text_of_accounts_survives(lines: list[str]) -> None:
    text = "".join(line.replace("\n", "") + "\n" for line in lines)
    assert Accounts.parse(text, "", "").render()[0] == text


# Usage.


def test_mount_points_of_the_table() -> None:
    text = "36 35 98:0 / /srv/a\\040b rw - ext4 /dev/sda rw\nshort\n37 36 0:5 / /srv/a\\040b/proc rw - proc proc rw\n"
    assert usage.parse_mountinfo(text) == ["/srv/a b", "/srv/a b/proc"]
    assert usage.below("/srv/ab", "/srv/a") is False and usage.below("/srv/a/b", "/srv/a") is True


def test_who_uses_a_tree_is_named(tmp_path: Path) -> None:
    proc, root = tmp_path / "proc", tmp_path / "root"
    (root / "in").mkdir(parents=True)
    for pid, place, name in ((10, root, "sshd"), (9, root / "in", "sh"), (11, tmp_path, "init")):
        (proc / str(pid) / "ns").mkdir(parents=True)
        (proc / str(pid) / "root").symlink_to(place if pid == 10 else "/")
        (proc / str(pid) / "cwd").symlink_to(place)
        (proc / str(pid) / "comm").write_text(name + "\n")
        (proc / str(pid) / "ns/mnt").symlink_to("mnt:[%d]" % pid)
    (proc / "11/mountinfo").write_text("1 1 0:1 / %s/proc rw - proc proc rw\n1 1 0:1 / / rw - x x rw\n" % root)
    found = usage.usage(str(root), str(proc))
    assert found.processes == ((9, "sh"), (10, "sshd")) and found.mounts == ("%s/proc" % root,)
    assert found.describe() == "mounts: %s/proc; processes: 9 (sh), 10 (sshd)" % root
    assert not usage.usage(str(tmp_path / "none"), str(proc)) and usage.Usage().describe() == ""


def test_a_working_folder_in_the_tree_is_a_use(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os.chdir(tmp_path)
        time.sleep(60)
    try:
        end = 200
        while not usage.usage(str(tmp_path)) and end:
            end -= 1
        with pytest.raises(ClusterError, match=r"is in use, processes: .*%d \(" % child):
            usage.refuse_used(str(tmp_path), "remove it")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_port_that_somebody_holds() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert usage.listener(port) is None
        server.listen()
        found = usage.listener(port)
        assert found is not None and found[0] == os.getpid()
        assert usage.lives_in(os.getpid(), "/") and not usage.lives_in(os.getpid(), "/proc")


# Packages of a tree.


def test_families_and_provided_names() -> None:
    status = b"Package: exim4\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nProvides: mta (= 2), x\n"
    host = MemoryHost({"/t/var/lib/dpkg/status": status})
    assert family("/t", host) == "apt" and {"exim4", "exim4:amd64", "mta", "x"} == installed("/t", host, "/p")
    rpm = MemoryHost({"/t/var/lib/rpm/rpmdb.sqlite": b""}, {"rpm --root /t": (0, "a\nb\nc(x)\n", "")})
    assert family("/t", rpm) == "dnf" and installed("/t", rpm, "/p") == {"a", "b", "c(x)"}
    assert family("/t", MemoryHost({"/t/etc/urpmi/urpmi.cfg": b""})) == "urpmi" and family("/t", MemoryHost()) == ""


def test_paths_of_the_tree_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "tree/etc").mkdir(parents=True)
    (tmp_path / "tree/var").symlink_to("/etc")
    assert inside(str(tmp_path / "tree"), "etc/passwd") == str(tmp_path / "tree/etc/passwd")
    with pytest.raises(ClusterError, match="a link leads out of the tree at var/passwd"):
        inside(str(tmp_path / "tree"), "var/passwd")


def test_the_local_host_has_no_such_tree() -> None:
    assert family("/nowhere/at/all", LocalHost()) == ""
