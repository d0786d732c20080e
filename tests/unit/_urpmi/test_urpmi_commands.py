# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""urpmi's own commands: when they are used, how they are called, what they say."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Host
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.urpmicfg import parse_urpmicfg
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi import apply
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.commands import uses_commands
from ansible_collections.xtreemos.cluster.tests.unit._urpmi.samples import CFG, FakeUrpmi, params

START = "{\n}\n\nold http://h/old {\n}\n"


@pytest.fixture(autouse=True)
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in lives in memory; the lock would be a file of this machine."""
    monkeypatch.setattr(apply, "locked", lambda *_args: contextlib.nullcontext())


def job(host: Host, *media: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    options = {"manage": "urpmi", "fetch": False, **options}
    return apply.run_job(params(*media, **options), check, host)


CASES: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"name": "n", "url": "http://h/n"}, ["urpmi.addmedia", "--nopubkey", "n", "http://h/n"]),
    (
        {"name": "n", "url": "http://h/n", "update": True, "ignore": True, "xml_info": "never"},
        ["urpmi.addmedia", "--update", "--raw", "--xml-info", "never", "--nopubkey", "n", "http://h/n"],
    ),
    (
        {"name": "n", "mirrorlist": "http://h/m.list", "with_dir": "d"},
        ["urpmi.addmedia", "--nopubkey", "--mirrorlist", "http://h/m.list", "n", "d"],
    ),
    (
        {"name": "n", "url": "http://h", "with_dir": "n", "key_ids": ["4310025f"], "verify_rpm": True, "priority": 1},
        ["urpmi.addmedia", "--nopubkey", "n", "http://h/n"],
    ),
    (
        {"name": "n", "url": "http://h/n", "username": "u", "password": "geheim"},
        [],
    ),
    ({"name": "old", "state": "absent"}, ["urpmi.removemedia", "old"]),
]


@pytest.mark.parametrize(("medium", "argv"), CASES)
def test_commands_end_where_config_ends(medium: dict[str, t.Any], argv: list[str]) -> None:
    reachable = ("http://h/n", "http://u@h/n")
    wanted = [argv] if argv else []
    told = [job(FakeUrpmi(START, reachable), medium, check=True)]
    by_urpmi, by_config = FakeUrpmi(START, reachable), FakeUrpmi(START)
    told.append(job(by_urpmi, medium))
    job(by_config, medium, manage="config")
    assert told[0] == told[1] and told[0]["actions"] == wanted == by_urpmi.actions and by_config.actions == []
    assert by_urpmi.files == by_config.files
    assert "geheim" not in repr(told)
    again = job(by_urpmi, medium)
    assert (again["changed"], again["actions"], by_urpmi.actions) == (False, [], wanted)


SAID = [
    ((7, "", "urpmi database is locked (another program is already using it)\n"), "another urpmi is running"),
    ((1, "", "Only superuser is allowed to add media\n"), "only root may do that"),
    ((5, "", 'medium "n" already exists\n'), "urpmi has a medium of that name"),
    ((1, "", 'retrieval of [/x] failed (md5sum mismatch)\nproblem reading synthesis file of medium "n"\n'), "MD5SUM"),
    ((1, "", '...retrieving failed: curl failed: exited with 22\nno metadata found for medium "n"\n'), "no medium"),
    ((1, "", 'unable to access medium "n".\n'), "folder is not there"),
    ((1, "", "no *.rpm found in /x (use --allow-empty-media?)\ngenhdlist2 failed on /x\n"), "no packages"),
    ((10, "", "mirror list not found\nCould not find a mirror from mirrorlist X\n"), "no mirror"),
    ((2, "", "bad <url> (for local directory, the path must be absolute)\n"), "does not take the URL"),
    ((1, "", "...retrieving failed: \n"), "cannot be reached"),
    ((1, "", 'invalid hdlist file F for medium "n"\n'), "synthesis is damaged"),
    ((0, "", ""), r"exit code 0\): it said nothing"),
    ((8, "something\nelse\n", ""), r"exit code 8\): else"),
]


@pytest.mark.parametrize(("said", "message"), SAID)
def test_the_state_judges_and_not_the_exit_code(said: tuple[int, str, str], message: str) -> None:
    host = FakeUrpmi(START, said=said)
    with pytest.raises(ClusterError, match="medium 'n': urpmi.addmedia failed.*" + message):
        job(host, {"name": "n", "url": "http://h/n"})
    assert host.files[CFG].decode() == START


def test_removing_that_does_nothing_is_a_failure() -> None:
    with pytest.raises(ClusterError, match="medium 'old': urpmi.removemedia failed"):
        job(FakeUrpmi(START, said=(0, "", "")), {"name": "old", "state": "absent"})


@pytest.mark.parametrize(
    ("manage", "root", "text", "missing", "outcome"),
    [
        ("config", "/", "", (), False),
        ("auto", "/", START, (), True),
        ("auto", "/srv", START, (), False),
        ("auto", "/", "# ours\n" + START, (), False),
        ("auto", "/", "{\n frob\n}\n", (), False),
        ("auto", "/", "a /x {\n no-recommends\n}\n", (), False),
        ("auto", "/", START, ("urpmi.addmedia",), False),
        ("urpmi", "/", START, (), True),
        ("urpmi", "/", START, ("urpmi.removemedia",), "urpmi.removemedia is not installed"),
        ("urpmi", "/srv", START, (), "works on / only"),
        ("urpmi", "/", START + "# end\n", (), "would drop"),
    ],
)
def test_who_does_it(
    monkeypatch: pytest.MonkeyPatch, manage: str, root: str, text: str, missing: tuple[str, ...], outcome: bool | str
) -> None:
    host = FakeUrpmi()
    monkeypatch.setattr(host, "which", lambda name: None if name in missing else "/usr/sbin/" + name)
    options = params(manage=manage, root=root)
    if isinstance(outcome, bool):
        assert uses_commands(options, parse_urpmicfg(text), host) is outcome
    else:
        with pytest.raises(ClusterError, match=outcome):
            uses_commands(options, parse_urpmicfg(text), host)


def test_the_stand_in_forgets_like_urpmi() -> None:
    """Were the module to call it on a damaged file, the media would be lost: the tests above can see that."""
    host = FakeUrpmi("frob\n" + START, ["/x"])
    assert host.run(["urpmi.addmedia", "n", "/x"]).rc == 0
    assert host.files[CFG] == b"{\n}\n\nn /x {\n}\n"
    assert host.run(["urpmi.removemedia", "n", "none"]).rc == 0
    assert host.run(["urpmi.removemedia", "none"], check=False).rc == 1
