# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of the timers, and files by HTTP from servers of every kind."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.probe import LARGEST, Unreachable, fetch
from ansible_collections.xtreemos.cluster.plugins.module_utils._mirrors.pyz import build
from ansible_collections.xtreemos.cluster.tests.unit._mirrors.conftest import CFG, Tree

BASE = "/xtreemos/2.1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        special = {"/gone": self._gone, "/slow": self._slow, "/short": self._short, "/large": self._large}
        files = {BASE + "/x86_64/media/media_info/media.cfg": CFG, BASE + "/timestamp": b"%d\n" % time.time()}
        if self.path in special:
            special[self.path]()
        elif self.path in files:
            self._head(200, len(files[self.path]))
            self.wfile.write(files[self.path])
        else:
            self.send_error(404)

    def _head(self, code: int, length: int | None = None) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _gone(self) -> None:
        self.send_response(302)
        self.send_header("Location", "file:///etc/passwd")
        self.end_headers()

    def _slow(self) -> None:
        self._head(200, 1000)
        for _byte in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def _short(self) -> None:
        self._head(200, 1000)
        self.wfile.write(b"x" * 10)

    def _large(self) -> None:
        self._head(200)
        self.wfile.write(b"x" * (LARGEST + 2))

    def log_message(self, *words: t.Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> t.Iterator[str]:
    Handler.timeout = 5
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        made.handle_error = lambda *words: None  # type: ignore[method-assign]
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield "http://127.0.0.1:%d" % made.server_address[1]
        made.shutdown()


def test_a_file_that_is_there(server: str) -> None:
    assert fetch(server + BASE + "/x86_64/media/media_info/media.cfg", 10) == CFG


@pytest.mark.parametrize(
    ("path", "limit", "told"),
    [
        ("/none", 10, "status 404"),
        ("/gone", 10, "status 302|redirect"),
        ("/slow", 0.3, "no answer in time"),
        ("/short", 10, "broke off"),
        ("/large", 10, "larger than"),
    ],
)
def test_a_file_that_does_not_come(server: str, path: str, limit: float, told: str) -> None:
    with pytest.raises(Unreachable, match=told):
        fetch(server + path, limit)


@pytest.mark.parametrize(("url", "told"), [("http://127.0.0.1:1/", "refused"), ("http://no.invalid/", ".")])
def test_a_server_that_is_not_there(url: str, told: str) -> None:
    with pytest.raises(Unreachable, match=told):
        fetch(url, 5)


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", str(program), *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd="/")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tools") / "mirror-tools.pyz"
    path.write_bytes(build())
    return path


def test_the_same_sources_give_the_same_bytes() -> None:
    assert build() == build()


def test_the_program_makes_lists_with_python_alone(program: Path, server: str, tmp_path: Path) -> None:
    dest = tmp_path / "a.list"
    wanted = {"dest": str(dest), "folder": "xtreemos", "version": "2.1", "arch": "x86_64"}
    mirrors = [{"url": server}, {"url": server + "/dead"}]
    (tmp_path / "o.json").write_text(json.dumps({"mirrors": mirrors, "lists": [wanted], "timeout": 5}))
    done = run(program, "list", str(tmp_path / "o.json"))
    assert done.returncode == 0, done.stderr
    assert "dead %s/dead: media.cfg: status 404" % server in done.stdout
    assert dest.read_text().count("\n") == 1
    (tmp_path / "o.json").write_text(json.dumps({"mirrors": mirrors[1:], "lists": [wanted], "timeout": 5}))
    done = run(program, "list", str(tmp_path / "o.json"))
    assert done.returncode == 2 and "stays as it is" in done.stdout and dest.read_text().count("\n") == 1


def test_the_program_carries_trees(program: Path, source: Tree, copy: Tree, tmp_path: Path) -> None:
    sync = {"name": "x", "source": str(source.root), "dest": str(copy.root)}
    (tmp_path / "o.json").write_text(json.dumps({"syncs": [sync]}))
    done = run(program, "sync", str(tmp_path / "o.json"))
    assert done.returncode == 0, done.stderr
    assert copy.content() == source.content() and " 0 deleted" in done.stdout
    (source.root / "SHA256SUMS").write_text("damaged")
    assert run(program, "sync", str(tmp_path / "o.json")).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "usage"),
        (("list",), 2, "usage"),
        (("run", "/x"), 2, "usage"),
        (("list", "/none/x"), 1, "does not exist"),
    ],
)
def test_wrong_words(program: Path, words: tuple[str, ...], code: int, told: str) -> None:
    done = run(program, *words)
    assert done.returncode == code and told in done.stderr


@pytest.mark.parametrize("text", ["{", "[]"])
def test_options_that_are_none(program: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "o.json").write_text(text)
    done = run(program, "list", str(tmp_path / "o.json"))
    assert done.returncode == 1 and "run the playbook mirror" in done.stderr
