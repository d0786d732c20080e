# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config_files: one call, validators first, all or nothing."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed, LocalHost, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules.config_files import work


def run(host: t.Any, *files: dict[str, t.Any], check_mode: bool = False) -> dict[str, t.Any]:
    return work({"files": list(files)}, check_mode, host)


def test_written_copied_removed_and_then_nothing() -> None:
    host = MemoryHost({"/usr/lib/loader": b"\x7fcode", "/etc/site": b"x", "/etc/old": b"1\n"})
    files = (
        {"path": "/etc/a", "content": "one"},
        {"path": "/etc/old", "content": "1\n\n", "mode": "0600"},
        {"path": "/srv/loader", "src": ["/nowhere", "/usr/lib/loader"], "mode": "0755"},
        {"path": "/etc/site", "state": "absent"},
    )
    predicted = run(host, *files, check_mode=True)
    assert host.written == [] and "/etc/site" in host.files
    assert run(host, *files) == predicted
    assert predicted["changed_paths"] == ["/etc/a", "/etc/site", "/srv/loader"]
    assert predicted["files"]["/etc/old"] == "unchanged" and predicted["files"]["/etc/site"] == "removed"
    assert [entry["after_header"] for entry in predicted["diff"]] == ["/etc/a", "/etc/site"]
    assert host.files["/etc/a"] == b"one\n" and host.files["/srv/loader"] == b"\x7fcode"
    assert host.modes["/srv/loader"] == 0o755 and "/etc/site" not in host.files
    again = run(host, *files)
    assert not again["changed"] and again["changed_paths"] == [] and again["diff"] == []


def test_a_link_that_leads_nowhere_is_removed() -> None:
    host = MemoryHost()
    host.links["/etc/sites-enabled/default"] = "../sites-available/default"
    assert run(host, {"path": "/etc/sites-enabled/default", "state": "absent"})["changed"]
    assert host.links == {}


def test_a_source_that_is_not_installed_yet() -> None:
    host = MemoryHost()
    file = {"path": "/srv/loader", "src": ["/usr/lib/loader"]}
    assert run(host, file, check_mode=True)["files"] == {"/srv/loader": "written"}
    with pytest.raises(ClusterError, match="no source /usr/lib/loader"):
        run(host, file)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([{"path": "etc/a", "content": ""}], "'etc/a' is no absolute path"),
        ([{"path": "/a"}], "/a: give either content or src"),
        ([{"path": "/a", "content": "", "src": ["/b"]}], "/a: give either content or src"),
        ([{"path": "/a", "content": ""}] * 2, "/a is given twice"),
        ([{"path": "/a", "content": "", "mode": "u=rw"}], "/a: bad mode 'u=rw'"),
        ([{"path": "/a", "content": "", "mode": "0999"}], "/a: bad mode"),
    ],
)
def test_bad_options(files: list[dict[str, t.Any]], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        run(MemoryHost(), *files)
    assert told in str(caught.value) and caught.value.hint


WRAPPED = {
    "path": "/etc/p.conf",
    "content": "part",
    "validate": ["nginx", "-c", "%s"],
    "wrapper": "http { include %s; }",
}


def test_validators_run_before_anything_is_written() -> None:
    host = MemoryHost({"/etc/p.conf": b"old\n"})
    seen: dict[str, bytes] = {}

    def nginx(argv: list[str]) -> tuple[int, str, str]:
        seen.update({path: host.files[path] for path in host.files if "candidate" in path})
        return 1, "", "nginx: [emerg] unknown directive in /etc/p.conf.candidate:1\n"

    host.script["/usr/bin/nginx"] = nginx
    with pytest.raises(ClusterError, match=r"nginx refuses /etc/p\.conf: .*unknown directive in /etc/p\.conf:1"):
        run(host, {"path": "/etc/a", "content": "x"}, WRAPPED)
    assert host.files == {"/etc/p.conf": b"old\n"}
    assert host.ran == [["/usr/bin/nginx", "-c", "/etc/p.conf.candidate.test"]]
    assert seen == {
        "/etc/p.conf.candidate": b"part\n",
        "/etc/p.conf.candidate.test": b"http { include /etc/p.conf.candidate; }",
    }


def test_an_unchanged_file_is_not_judged_again() -> None:
    host = MemoryHost({"/etc/p.conf": b"part\n"})
    assert not run(host, WRAPPED)["changed"] and host.ran == []


def test_a_validator_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    host = MemoryHost({"/etc/x": b""})
    monkeypatch.setattr(host, "which", lambda program: None)
    assert run(host, WRAPPED, check_mode=True)["changed"]
    with pytest.raises(ClusterError, match="nginx is not installed"):
        run(host, WRAPPED)
    assert host.files == {"/etc/x": b""}


def test_real_files_and_a_real_validator(tmp_path: Path) -> None:
    host = LocalHost()
    path = tmp_path / "new" / "a"
    file = {
        "path": str(path),
        "content": "x=1",
        "mode": "0640",
        "validate": ["grep", "-q", "x=", "%s"],
    }
    assert run(host, file)["changed"]
    assert path.read_text() == "x=1\n" and path.stat().st_mode & 0o777 == 0o640
    assert not run(host, file)["changed"]
    with pytest.raises(ClusterError, match="grep refuses"):
        run(host, dict(file, content="y"))
    assert [each.name for each in path.parent.iterdir()] == ["a"]
    assert isinstance(host.run(["true"]), Completed)
