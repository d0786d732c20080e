# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import sys

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, LocalHost, MemoryHost


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ClusterError("node n1 has no MAC"), "node n1 has no MAC"),
        (ClusterError("node n1 has no MAC", "set node_mac"), "node n1 has no MAC (set node_mac)"),
    ],
)
def test_an_error_shows_its_remedy(error: ClusterError, text: str) -> None:
    assert str(error) == text


def test_run_returns_text_and_records_only_changes() -> None:
    host = LocalHost()
    done = host.run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.rc, done.stdout, done.stderr) == (0, "out\n", "err\n")
    assert host.actions == []
    host.run(python("pass"), changes=True)
    assert host.actions == [python("pass")]


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (python("import sys; sys.exit('disk is gone')"), "exit code 1: disk is gone"),
        (["/nonexistent/tool"], "/nonexistent/tool is not installed .install the package"),
    ],
)
def test_run_names_what_failed(argv: list[str], match: str) -> None:
    with pytest.raises(ClusterError, match=match):
        LocalHost().run(argv)


def test_run_can_return_a_failure_and_feeds_stdin_and_environment() -> None:
    host = LocalHost()
    assert host.run(python("raise SystemExit(3)"), check=False).rc == 3
    code = "import os, sys; print(sys.stdin.read() + os.environ['EXTRA'] + os.environ['LC_ALL'])"
    assert host.run(python(code), stdin=b"in ", env={"EXTRA": "x "}).stdout == "in x C\n"


def test_run_ends_at_its_timeout() -> None:
    with pytest.raises(ClusterError, match=r"did not end within 0\.2 s"):
        LocalHost().run(python("import time; time.sleep(60)"), timeout=0.2)


def test_files_and_links_of_the_local_host(tmp_path: pathlib.Path) -> None:
    host = LocalHost()
    path = str(tmp_path / "a" / "file")
    assert host.read(path) is None
    host.write_files({path: File(b"x", 0o600)})
    assert host.read(path) == b"x"
    assert host.listdir(str(tmp_path / "a")) == ["file"]
    assert host.listdir(str(tmp_path / "a"), "01-*") == []
    assert host.listdir(str(tmp_path / "nosuch")) == []
    host.symlink("file", str(tmp_path / "a" / "current"))
    host.symlink("other", str(tmp_path / "a" / "current"))
    assert host.readlink(str(tmp_path / "a" / "current")) == "other"
    assert host.readlink(path) is None
    host.remove(path)
    host.remove(path)
    assert host.read(path) is None
    with pytest.raises(ClusterError, match="cannot read"):
        host.read(str(tmp_path))


def test_which_also_looks_into_sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert LocalHost().which("ldconfig") in ("/usr/sbin/ldconfig", "/sbin/ldconfig")
    assert LocalHost().which("no-such-program-anywhere") is None


def test_the_stand_in_answers_by_the_longest_match() -> None:
    host = MemoryHost(script={"tool": (0, "any", ""), "tool list": (0, "list", ""), "bad": (2, "", "no such thing")})
    assert host.run(["tool", "show"]).stdout == "any"
    assert host.run(["tool", "list", "-v"]).stdout == "list"
    with pytest.raises(ClusterError, match="exit code 2: no such thing"):
        host.run(["bad"], changes=True)
    assert host.actions == [["bad"]]
    assert host.ran == [["tool", "show"], ["tool", "list", "-v"], ["bad"]]


def test_the_stand_in_keeps_files_and_links() -> None:
    host = MemoryHost({"/srv/a": b"1"})
    host.write_files({"/srv/b": File(b"2", 0o755)})
    host.symlink("b", "/srv/current")
    assert host.listdir("/srv") == ["a", "b", "current"]
    assert (host.read("/srv/b"), host.modes["/srv/b"], host.readlink("/srv/current")) == (b"2", 0o755, "b")
    host.remove("/srv/b")
    host.remove("/srv/current")
    assert host.listdir("/srv") == ["a"]
    assert host.written == ["/srv/b"]
