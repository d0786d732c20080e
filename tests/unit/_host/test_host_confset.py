# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets of configuration files and of services: what is planned is what happens, and a second plan is empty."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host import confset, services
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost, MemoryHost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Items = t.List[t.Dict[str, t.Any]]


def settle(host: t.Any, items: Items) -> confset.ConfPlan:
    """Plan, apply, and see that nothing is left to do."""
    plan = confset.plan_confset(confset.parse_confset(items), host)
    confset.apply_confset(plan, host)
    again = confset.plan_confset(confset.parse_confset(items), host)
    assert again.states(True) == [] and again.diff() == []
    return plan


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({}, "'' is no absolute path"),
        ({"path": "etc/x", "content": ""}, "'etc/x' is no absolute path"),
        ({"path": "/x"}, "/x: give either content or src"),
        ({"path": "/x", "content": "a", "src": ["/b"]}, "/x: give either content or src"),
        ({"path": "/x", "content": "a", "mode": "rw"}, "/x: bad mode 'rw'"),
        ({"path": "/x", "content": "a", "mode": "0888"}, "/x: bad mode '0888'"),
        ({"path": "/x", "content": "a", "mode": "00644"}, None),
        ({"path": "/x", "content": "a", "mode": "1777"}, None),
        ({"path": "/x", "content": "a", "mode": "77777"}, "/x: bad mode '77777'"),
        ({"path": "/x", "state": "absent"}, None),
    ],
)
def test_items(item: dict[str, t.Any], told: str | None) -> None:
    if told is None:
        assert confset.parse_confset([item])[0].path == "/x"
        return
    with pytest.raises(ClusterError) as caught:
        confset.parse_confset([item])
    assert caught.value.message == told and caught.value.hint


def test_a_path_given_twice() -> None:
    with pytest.raises(ClusterError, match="/x is given twice"):
        confset.parse_confset([{"path": "/x", "content": ""}, {"path": "/x", "state": "absent"}])


@pytest.mark.parametrize("text", ["a", "a\n", "a\n\n\n", "\na"])
def test_a_text_ends_in_one_line_end(text: str) -> None:
    host = MemoryHost()
    settle(host, [{"path": "/x", "content": text}])
    assert host.files["/x"] == text.rstrip("\n").encode() + b"\n"


@pytest.mark.parametrize(
    ("now", "mode", "wanted", "outcome"),
    [
        (b"a\n", 0o644, "0644", "unchanged"),
        (b"a\n", 0o644, "0600", "written"),
        (b"a\n", 0o666, "0644", "written"),
        (b"b\n", 0o644, "0644", "written"),
        (None, 0, "0640", "written"),
    ],
)
def test_permissions_are_part_of_what_is_wanted(
    tmp_path: pathlib.Path, now: bytes | None, mode: int, wanted: str, outcome: str
) -> None:
    path = tmp_path / "conf"
    if now is not None:
        path.write_bytes(now)
        path.chmod(mode)
    for items in ([{"path": str(path), "content": "a", "mode": wanted}],):
        plan = settle(LocalHost(), items)
        assert plan.outcome == {str(path): outcome}
        assert path.stat().st_mode & 0o7777 == int(wanted, 8) and path.read_bytes() == b"a\n"


def test_the_diff_of_permissions(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "conf"
    path.write_bytes(b"a\n")
    path.chmod(0o666)
    plan = confset.plan_confset(confset.parse_confset([{"path": str(path), "content": "a"}]), LocalHost())
    assert [(row["before"], row["after"]) for row in plan.diff()] == [("mode 0666\n", "mode 0644\n")]


def test_a_copy_takes_the_first_source_and_its_permissions(tmp_path: pathlib.Path) -> None:
    (tmp_path / "second").write_bytes(b"2")
    (tmp_path / "third").write_bytes(b"3")
    items: Items = [
        {
            "path": str(tmp_path / "copy"),
            "src": [str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "third")],
            "mode": "0640",
        }
    ]
    settle(LocalHost(), items)
    assert (tmp_path / "copy").read_bytes() == b"2" and (tmp_path / "copy").stat().st_mode & 0o777 == 0o640
    (tmp_path / "copy").chmod(0o600)
    assert settle(LocalHost(), items).states(True) == [str(tmp_path / "copy")]


def test_a_missing_source_is_a_change_in_check_mode_and_an_error_in_the_run() -> None:
    files = confset.parse_confset([{"path": "/x", "src": ["/a", "/b"]}])
    assert confset.plan_confset(files, MemoryHost(), check_mode=True).states(True) == ["/x"]
    with pytest.raises(ClusterError, match="/x: no source /a or /b") as caught:
        confset.plan_confset(files, MemoryHost())
    assert caught.value.hint == "install the package that has it"


def test_a_dangling_link_is_removed_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    settle(LocalHost(), [{"path": str(tmp_path / "link"), "state": "absent"}])
    assert not os.path.lexists(tmp_path / "link")


@pytest.mark.parametrize(
    ("rc", "err", "told"),
    [
        (0, "", None),
        (1, "/c/x.candidate:3: Error\nnoise\n", "checker refuses /c/x: /c/x:3: Error"),
        (1, "only noise\n", "checker refuses /c/x: only noise"),
        (1, "[emerg] bad\nmore\n", "checker refuses /c/x: [emerg] bad"),
        (2, "", "checker refuses /c/x: "),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "include %s;"])
def test_a_validator_judges_before_the_file_is_there(rc: int, err: str, told: str | None, wrapper: str) -> None:
    seen: list[dict[str, bytes]] = []

    def check(argv: list[str]) -> tuple[int, str, str]:
        seen.append({argv[-1]: host.files[argv[-1]]})
        return rc, "", err

    host = MemoryHost({"/c/x": b"old\n"}, {"/usr/bin/checker": check})
    item = {"path": "/c/x", "content": "new", "validate": ["checker", "-t", "%s"], "wrapper": wrapper}
    if told is None:
        settle(host, [item])
    else:
        with pytest.raises(ClusterError) as caught:
            confset.plan_confset(confset.parse_confset([item]), host)
        assert caught.value.message == told and "nothing was written" in caught.value.hint
    shown = "/c/x.candidate.test" if wrapper else "/c/x.candidate"
    assert seen == [{shown: b"include /c/x.candidate;" if wrapper else b"new\n"}]
    assert host.files == {"/c/x": b"new\n" if told is None else b"old\n"}


def test_a_file_that_stays_is_not_judged() -> None:
    host = MemoryHost({"/c/x": b"a\n"})
    settle(host, [{"path": "/c/x", "content": "a", "validate": ["checker", "%s"]}])
    assert host.ran == []


WORDS = st.text("abc\n", max_size=6)
STATES = st.fixed_dictionaries({"content": WORDS}) | st.just({"state": "absent"})
SETS = st.dictionaries(st.sampled_from(["/a", "/b", "/c/d"]), STATES, max_size=3)


@settings(max_examples=60, deadline=None)
@given(SETS, SETS)
def test_any_set_follows_any_other(first: dict[str, t.Any], second: dict[str, t.Any]) -> None:
    host = MemoryHost({"/stranger": b"stays"})
    for wanted in (first, second):
        settle(host, [{"path": path, **item} for path, item in wanted.items()])
        for path, item in wanted.items():
            text = item.get("content")
            assert host.files.get(path) == (None if text is None else text.rstrip("\n").encode() + b"\n")
    assert host.files["/stranger"] == b"stays"


# Services

UNIT = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}


def machine(files: dict[str, bytes], **units: dict[str, str]) -> MemoryHost:
    """A host whose systemctl knows these units; ``is-enabled`` says disabled."""

    def show(argv: list[str]) -> tuple[int, str, str]:
        blocks = ["\n".join("%s=%s" % pair for pair in {**UNIT, **units.get(n, {})}.items()) for n in argv[4:]]
        return 0, "\n\n".join(blocks) + "\n", ""

    return MemoryHost(files, {"systemctl show": show, "systemctl is-enabled": (1, "disabled\n", "")})


def verbs(host: MemoryHost, items: Items, changed: t.Sequence[str] = ()) -> list[str]:
    plan = services.plan_services(services.parse_services(items), host, changed)
    before = len(host.actions)
    services.apply_services(plan, host)
    assert host.actions[before:] == plan.commands
    return [" ".join(argv[1:]) for argv in plan.commands]


@pytest.mark.parametrize(
    ("unit", "item", "wanted"),
    [
        ({}, {}, ["restart x"]),
        ({"ActiveState": "inactive"}, {}, ["restart x"]),
        ({"ActiveState": "failed", "UnitFileState": "disabled"}, {}, ["enable x", "restart x"]),
        ({}, {"state": "stopped"}, ["stop x"]),
        ({}, {"state": "stopped", "enabled": False}, ["disable x", "stop x"]),
        ({"ActiveState": "activating"}, {"state": "stopped"}, ["stop x"]),
        ({"ActiveState": "inactive"}, {"state": "stopped"}, []),
        ({}, {"reload": True}, ["reload x"]),
        ({"UnitFileState": "static"}, {"reload": True}, ["reload x"]),
        ({"UnitFileState": "masked"}, {"reload": True}, ["enable x", "reload x"]),
        ({"NeedDaemonReload": "yes"}, {"reload": True}, ["daemon-reload", "reload x"]),
        ({"UnitFileState": "generated"}, {"reload": True}, ["enable x", "reload x"]),
    ],
)
def test_what_a_service_needs(unit: dict[str, str], item: dict[str, t.Any], wanted: list[str]) -> None:
    assert verbs(machine({}, x=unit), [{"name": "x", **item}]) == wanted


def test_a_service_restarts_once_for_a_change_of_its_own_files_only() -> None:
    host = machine({"/etc/x": b"1", "/etc/y": b"1"})
    items: Items = [{"name": "x", "files": ["/etc/x"]}, {"name": "y", "files": ["/etc/y", "/etc/none"]}]
    assert verbs(host, items) == ["restart x", "restart y"]
    assert verbs(host, items) == []
    host.files["/etc/y"] = b"2"
    assert verbs(host, items) == ["restart y"]
    host.files["/etc/none"] = b""
    assert verbs(host, items) == ["restart y"], "an empty file is not the same as none"
    assert verbs(host, items, ["/etc/x"]) == ["restart x"]
    assert verbs(host, items) == []


def test_a_run_that_breaks_off_restarts_only_what_is_left() -> None:
    host = machine({"/etc/x": b"1", "/etc/y": b"1"})
    items: Items = [{"name": "x", "files": ["/etc/x"]}, {"name": "y", "files": ["/etc/y"]}]
    host.script["systemctl restart y"] = (1, "", "Job failed")
    host.script["journalctl"] = (0, "line one\n\nline two\n", "")
    with pytest.raises(ClusterError, match=r"systemctl restart y failed: line one \| line two") as caught:
        verbs(host, items)
    assert caught.value.hint == "see journalctl -u y"
    del host.script["systemctl restart y"]
    assert verbs(host, items) == ["restart y"]


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"x": 5}', b"\xff\xfe", b"null", b"[" * 5000])
def test_a_damaged_memory_restarts_and_heals(state: bytes) -> None:
    host = machine({services.STATE: state, "/etc/x": b"1"})
    items: Items = [{"name": "x", "files": ["/etc/x"]}]
    assert verbs(host, items) == ["restart x"]
    assert verbs(host, items) == [] and set(json.loads(host.files[services.STATE])) == {"x"}


def test_a_service_that_does_not_exist() -> None:
    host = machine({}, x={"LoadState": "not-found"})
    wanted = services.parse_services([{"name": "x"}])
    with pytest.raises(ClusterError, match="service x does not exist"):
        services.plan_services(wanted, host)
    assert services.plan_services(wanted, host, check_mode=True).outcome() == {"x": ["restart"]}
    unit = "/etc/systemd/system/x.service"
    assert services.plan_services(wanted, host, [unit]).commands[0] == ["systemctl", "daemon-reload"]


def test_systemctl_that_tells_of_too_few() -> None:
    host = MemoryHost({}, {"systemctl show": (0, "Id=x\n", "")})
    with pytest.raises(ClusterError, match="systemctl told of 1 services, not 2"):
        services.plan_services(services.parse_services([{"name": "x"}, {"name": "y"}]), host)
    assert services.plan_services((), host).commands == []


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([{"name": ""}], "bad service name ''"),
        ([{"name": "-x"}], "bad service name '-x'"),
        ([{"name": "x y"}], "bad service name 'x y'"),
        ([{"name": "x\n"}], "bad service name 'x\\n'"),
        ([{"name": "x"}, {"name": "x"}], "service x is given twice"),
    ],
)
def test_refused_services(items: Items, told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        services.parse_services(items)
    assert caught.value.message == told


# The local host


@pytest.mark.parametrize(
    ("argv", "cwd", "told"),
    [
        (["/no/such/program"], None, "/no/such/program is not installed"),
        (["true"], "/no/such/folder", "true: there is no folder /no/such/folder"),
        (["/proc/version"], None, "cannot run /proc/version: Permission denied"),
        (["/proc/version/x"], None, "cannot run /proc/version/x: Not a directory"),
        (["sh", "-c", "exit 3"], None, "sh failed with exit code 3: "),
    ],
)
def test_commands_that_cannot_run(argv: list[str], cwd: str | None, told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        LocalHost().run(argv, cwd=cwd)
    assert caught.value.message == told


def test_a_file_that_is_no_program(tmp_path: pathlib.Path) -> None:
    (tmp_path / "p").write_bytes(b"\0\0\0")
    (tmp_path / "p").chmod(0o755)
    with pytest.raises(ClusterError, match="cannot run .*/p: Exec format error"):
        LocalHost().run([str(tmp_path / "p")])


def test_a_link_is_switched_over_what_a_killed_run_left(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sub" / "current"
    LocalHost().symlink("one", str(path))
    os.symlink("left", "%s.new.%d" % (path, os.getpid()))
    LocalHost().symlink("two", str(path))
    assert os.readlink(path) == "two" and os.listdir(path.parent) == ["current"]
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(ClusterError, match="cannot write .*/folder: "):
        LocalHost().symlink("x", str(tmp_path / "folder"))


def test_permissions_of_the_local_host(tmp_path: pathlib.Path) -> None:
    (tmp_path / "f").touch(0o640)
    assert LocalHost().mode(str(tmp_path / "f")) == 0o640
    assert LocalHost().mode(str(tmp_path / "g")) is None and LocalHost().mode(str(tmp_path / "f" / "g")) is None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 300))
def test_reading_on_is_reading_a_slice(tmp_path: pathlib.Path, data: bytes, offset: int, limit: int) -> None:
    (tmp_path / "f").write_bytes(data)
    for host in (LocalHost(), MemoryHost({str(tmp_path / "f"): data})):
        assert host.read_from(str(tmp_path / "f"), offset, limit) == data[offset : offset + limit]
        assert host.read_from(str(tmp_path / "none"), offset, limit) is None


@pytest.mark.parametrize("what", ["", "/x"])
def test_reading_what_is_no_file(tmp_path: pathlib.Path, what: str) -> None:
    (tmp_path / "f").write_bytes(b"")
    path = str(tmp_path) if not what else str(tmp_path / "f") + what
    with pytest.raises(ClusterError, match="cannot read %s: " % path):
        LocalHost().read(path)
