# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine's own package sources and settings, and the command line of mmdebstrap."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import aptconf, mmdebstrap
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.aptconf import Target
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.recipe import Recipe
from ansible_collections.xtreemos.cluster.tests.unit._image import samples


def paragraph(release: str, component: str = "main", **more: str) -> str:
    row = {
        "MetaKey": "main/binary-amd64/Packages",
        "Description": "some text: with a colon",
        "Codename": release,
        "Release": release,
        "Component": component,
        "Repo-URI": "http://mirror.example.org/debian/",
        "Created-By": "Packages",
        "Target-Of": "deb",
        **more,
    }
    return "".join("%s: %s\n" % pair for pair in row.items())


TARGETS = "\n".join(
    [
        paragraph("bookworm"),
        paragraph("bookworm", "contrib"),
        paragraph("bookworm", **{"Created-By": "Translations"}),
        paragraph("bookworm", **{"Target-Of": "deb-src"}),
        paragraph("bookworm-updates"),
        paragraph("bookworm-security", **{"Repo-URI": "http://security.example.org/"}),
        paragraph("nodistro", **{"Signed-By": "/usr/share/keyrings/x.gpg"}),
    ]
)


def test_targets() -> None:
    found = aptconf.parse_targets(TARGETS)
    assert [(row.release, row.component) for row in found] == [
        ("bookworm", "main"),
        ("bookworm", "contrib"),
        ("bookworm-updates", "main"),
        ("bookworm-security", "main"),
        ("nodistro", "main"),
    ]
    assert found[-1] == Target(
        "http://mirror.example.org/debian/", "nodistro", "main", "nodistro", "/usr/share/keyrings/x.gpg"
    )
    assert aptconf.parse_targets("") == []


@pytest.mark.parametrize(
    ("suite", "host", "wanted"),
    [
        (
            "bookworm",
            "bookworm",
            [
                "deb http://mirror.example.org/debian/ bookworm main contrib",
                "deb http://mirror.example.org/debian/ bookworm-updates main",
                "deb http://security.example.org/ bookworm-security main",
            ],
        ),
        (
            "trixie",
            "bookworm",
            [
                "deb http://mirror.example.org/debian/ trixie main contrib",
                "deb http://mirror.example.org/debian/ trixie-updates main",
                "deb http://security.example.org/ trixie-security main",
            ],
        ),
        (
            "nodistro",
            "bookworm",
            ["deb [signed-by=/usr/share/keyrings/x.gpg] http://mirror.example.org/debian/ nodistro main"],
        ),
        ("trixie", "sid", []),
        ("trixie", "", []),
        ("book", "sid", []),
    ],
)
def test_lines(suite: str, host: str, wanted: list[str]) -> None:
    assert aptconf.deb_lines(aptconf.parse_targets(TARGETS), suite, host) == wanted


def test_stable_is_known_by_its_codename() -> None:
    targets = [Target("http://m/", "stable", "main", "bookworm")]
    assert aptconf.deb_lines(targets, "bookworm", "bookworm") == ["deb http://m/ stable main"]


def test_settings_that_reach_the_build() -> None:
    dump = """APT "";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy:3128";
Acquire::https::CAInfo "/etc/ssl/certs/ca.pem";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
Acquire::https::Verify-Peer "";
DPkg::Post-Invoke:: "rm -rf /";
APT::Sandbox::User "_apt";
Dir::Cache::archives "x";
"""
    assert aptconf.settings(dump) == (
        'Acquire::http::Proxy "http://proxy:3128";\nAcquire::https::CAInfo "/etc/ssl/certs/ca.pem";\n'
        'Acquire::Check-Valid-Until "false";\nAcquire::Retries "3";\n'
    )


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"ID=debian\nVERSION_CODENAME=trixie\n", "trixie"),
        (b'VERSION_CODENAME="noble"\n', "noble"),
        (b"", ""),
        (None, ""),
    ],
)
def test_release_of_this_machine(content: bytes | None, wanted: str) -> None:
    assert aptconf.os_suite(content) == wanted
    assert aptconf.wanted_suite("sid", content) == "sid"
    if not wanted:
        with pytest.raises(ClusterError, match=r"does not say its release .*set suite"):
            aptconf.wanted_suite("", content)


RECIPE = Recipe("mmdebstrap", suite="bookworm", packages=("udev", "bash"), kernel="linux-image-amd64")


def test_argv() -> None:
    words = mmdebstrap.argv(RECIPE, "bookworm", "x86_64", True, ["maybe-merged-usr", "x"], "/w")
    assert words[:6] == [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        "--architectures=amd64",
        "--aptopt=/w/apt.conf",
    ]
    assert words[-4:] == ["--include=bash,linux-image-amd64,udev,usr-is-merged", "bookworm", "/w/root.tar", "-"]
    assert "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr" in words
    user = mmdebstrap.argv(RECIPE, "trixie", "aarch64", False, [], "/w")
    assert user[1] == "--mode=unshare" and "--architectures=arm64" in user
    assert not [word for word in user if word.startswith("--hook")]


def host(**texts: str) -> samples.FakeHost:
    made = samples.FakeHost()
    made.texts = {"apt-get": TARGETS, "apt-config": 'Acquire::http::Proxy "http://proxy:3128";\n', **texts}
    return made


def test_build_gives_sources_by_stdin_and_settings_by_file(tmp_path: Path) -> None:
    made, seen = host(), {}

    def run(argv: t.Sequence[str], **options: t.Any) -> Completed:
        seen[argv[0]] = options
        return samples.FakeHost.run(made, argv, **options)

    made.run = run  # type: ignore[method-assign]
    assert mmdebstrap.build(RECIPE, made, str(tmp_path), "x86_64", 0, "root") == str(tmp_path / "root.tar")
    assert seen["mmdebstrap"]["stdin"].startswith(b"deb http://mirror.example.org/debian/ bookworm main contrib\n")
    assert (tmp_path / "apt.conf").read_text() == 'Acquire::http::Proxy "http://proxy:3128";\n'
    assert not [word for argv in made.actions for word in argv if "example.org" in word or "proxy" in word]


def test_own_mirrors_win(tmp_path: Path) -> None:
    lines = ("deb http://own/ bookworm main",)
    assert aptconf.sources(lines, "bookworm", host()) == list(lines)


@pytest.mark.parametrize(
    ("uid", "user", "missing", "message"),
    [
        (0, "root", {"newuidmap"}, None),
        (1000, "builder", set(), None),
        (1000, "builder", {"newuidmap"}, "newuidmap is not installed .*package uidmap"),
        (1000, "other", set(), "user other has no range in /etc/subuid .*usermod"),
        (0, "root", {"mmdebstrap"}, "mmdebstrap is not installed .*install the package mmdebstrap"),
    ],
)
def test_who_may_build(tmp_path: Path, uid: int, user: str, missing: set[str], message: str | None) -> None:
    made = host()
    made.missing = missing
    if message is None:
        mmdebstrap.build(RECIPE, made, str(tmp_path), "x86_64", uid, user)
        assert made.actions[0][1] == ("--mode=root" if uid == 0 else "--mode=unshare")
    else:
        with pytest.raises(ClusterError, match=message):
            mmdebstrap.build(RECIPE, made, str(tmp_path), "x86_64", uid, user)
        assert made.actions == []


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "E: Unable to locate package nosuch\nE: x\nE: Unable to locate package nope",
            "bookworm has no package nope, nosuch",
        ),
        ("dpkg: error: No space left on device", "the disk is full .*TMPDIR"),
        ("\n".join("line %d" % number for number in range(30)), r"mmdebstrap failed: line 20 \| .* line 29"),
    ],
)
def test_failures_are_explained(tmp_path: Path, stderr: str, message: str) -> None:
    made = host()
    made.failures = {"mmdebstrap": Completed(("mmdebstrap",), 25, "", stderr)}
    with pytest.raises(ClusterError, match=message):
        mmdebstrap.build(RECIPE, made, str(tmp_path), "x86_64", 0, "root")


def test_no_source_for_the_suite(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"no package source for bookworm .*set mirrors"):
        mmdebstrap.build(RECIPE, host(**{"apt-get": ""}), str(tmp_path), "x86_64", 0, "root")
