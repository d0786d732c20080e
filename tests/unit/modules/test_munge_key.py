# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""munge_key: made once, returned, never in a diff."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._cluster import munge
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.modules import munge_key

PATH = munge.PATH
KEY = munge.encode(bytes(range(64)))


class Disk(MemoryHost):
    """A disk that remembers who owns the key."""

    def __init__(self, **files: bytes) -> None:
        super().__init__({PATH: files["key"]} if files else {})
        self.owner = "root root 400"
        self.script = {"stat": lambda _argv: (0, self.owner + "\n", ""), "chown": self.chown}

    def chown(self, _argv: list[str]) -> tuple[int, str, str]:
        self.owner = "munge munge 400"
        return 0, "", ""


def call(host: MemoryHost, check: bool = False, key: str | None = None) -> dict[str, t.Any]:
    return munge_key.work({"path": PATH, "key": key}, check, host)


def test_made_once() -> None:
    host = Disk()
    first = call(host)
    assert first["changed"] and munge.decode(first["key"]) == host.files[PATH] and len(host.files[PATH]) == 128
    second = call(host)
    assert (second["changed"], second["key"], second["actions"]) == (False, first["key"], [])
    assert call(Disk())["key"] != first["key"]


def test_check_mode_makes_none() -> None:
    host = Disk()
    result = call(host, check=True)
    assert (result["changed"], result["key"], host.written, host.actions) == (True, "", [], [])
    assert result["actions"] == call(host)["actions"] == host.actions


def test_a_given_key_is_not_returned() -> None:
    host = Disk()
    result = call(host, key=KEY)
    assert result["changed"] and "key" not in result and KEY not in json.dumps(result)
    assert munge.encode(host.files[PATH]) == KEY
    assert not call(host, key=KEY)["changed"]


def test_a_key_that_is_there_stays() -> None:
    host = Disk(key=b"k" * 128)
    assert call(host)["key"] == munge.encode(b"k" * 128)
    assert host.written == [] and host.owner == "munge munge 400"


def test_refused() -> None:
    with pytest.raises(ClusterError, match="not base64"):
        call(Disk(), key="!")


def test_the_option_is_secret(tmp_path: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key"
    args = {"path": str(path), "key": KEY, "_ansible_check_mode": True, "_ansible_diff": True}
    with patch_module_args(args), pytest.raises(SystemExit):
        munge_key.main()
    out = capsys.readouterr().out
    assert json.loads(out)["changed"] and KEY not in out and not path.exists()
