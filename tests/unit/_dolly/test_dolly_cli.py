# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent as a program: one zip file on the smallest Python, its exit codes, its life in the background."""

from __future__ import annotations

import ast
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import agent, daemon, pyz
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.daemon import Daemon
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.server import Push
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.target import Target

from .conftest import IMAGE, Rig

ROOT = Path(__file__).resolve().parents[3]
MINIMAL = {
    line
    for line in (ROOT / "tests" / "golden" / "dolly" / "python3.11-minimal.txt").read_text().splitlines()
    if not line.startswith("#")
}
SHA = hashlib.sha256(IMAGE).hexdigest()
# Runs a zip file while every module of the standard library that the smallest Python lacks is missing.
RESTRICTED = """
import sys
allowed = set(sys.argv[1].split(","))
class Gate:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names and top not in allowed:
            raise ImportError("the smallest Python has no " + name)
sys.meta_path.insert(0, Gate())
sys.argv[:] = sys.argv[2:]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "dolly.pyz"
    path.write_bytes(pyz.build())
    return path


def python() -> tuple[str, set[str]]:
    """A Python of the Debian kind when there is one: only its argparse does without gettext."""
    debian = "/usr/bin/python3.11"
    return (debian, MINIMAL) if os.path.exists(debian) else (sys.executable, MINIMAL | {"gettext"})


def restricted(program: Path, *words: str) -> subprocess.Popen[str]:
    interpreter, allowed = python()
    argv = [interpreter, "-S", "-E", "-c", RESTRICTED, ",".join(sorted(allowed)), str(program), *words]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_zip_file_is_the_same_each_time() -> None:
    assert pyz.build() == pyz.build() == pyz.build(pyz.read_source)
    assert len(pyz.build()) < len(pyz.build(server=True))


def imports(name: str) -> set[str]:
    """Modules that a module of the package imports; those of the package with a leading dot."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(pyz.read_source(name))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {"." * node.level + str(one) for one in names}
    return found


def test_a_node_imports_only_what_the_smallest_python_has() -> None:
    for name in pyz.NODE:
        used = imports(name)
        ours = {one[1:] for one in used if one.startswith(".")}
        assert {one for one in used if not one.startswith(".")} <= MINIMAL, name
        assert ours <= {*pyz.NODE, *(pyz.SERVER if name == "agent" else ())}, name


def test_a_node_of_the_smallest_python_in_a_push(rig: Rig, program: Path) -> None:
    words = ["--target", str(rig.target(1)), "--sha256", SHA, "--size", str(len(IMAGE)), "--timeout", "20"]
    words += ["--name", "n1", "--bind", rig.address(1), "--port", str(rig.port), "--server", "127.0.0.1"]
    node = restricted(program, "node", *words)
    second = rig.node(2)
    outcomes = rig.push(1, 2, deadline=15.0)
    stderr = node.communicate(timeout=15)[1]
    assert node.returncode == 0, stderr
    assert [outcomes[name].state for name in ("n1", "n2")] == ["ok", "ok"] and second.end() == 0 and rig.whole(1, 2)
    assert stderr.startswith("dolly: waiting for the server (timeout 20 s, chain dialect)\n")
    status = restricted(program, "status", "--target", str(rig.target(1)), "--sha256", SHA, "--size", str(len(IMAGE)))
    assert status.communicate(timeout=15)[0].startswith("holds=%s\noffset=3000017\nroom=" % SHA)


def test_a_classic_node_of_the_smallest_python(rig: Rig, program: Path) -> None:
    words = ["--target", str(rig.target(1)), "--sha256", SHA, "--dialect", "classic", "--timeout", "0.4"]
    words += ["--bind", rig.address(1), "--data-port", str(rig.ports[0]), "--control-port", str(rig.ports[1])]
    node = restricted(program, "node", *words)
    assert node.communicate(timeout=15)[1].endswith("dolly: timeout: nobody came within 0 s\n") and node.returncode == 3


def run(*words: str) -> int:
    return agent.main(list(words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sha256", "xyz"], "--sha256 wants 64 hex digits, not 'xyz'"),
        (["--sha256", SHA, "--size", "-1"], "--size must not be negative"),
        ([], "nothing says which image may be written here (give --sha256 or --secret-file)"),
        (["--secret-file", "/no/such/file"], "cannot read the secret file /no/such/file"),
        (["--sha256", SHA, "--bind", "203.0.113.7"], "cannot listen on TCP port 9995: Cannot assign requested address"),
    ],
)
def test_wrong_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run("node", "--target", str(tmp_path / "out"), *words) == 1
    assert capsys.readouterr().err.startswith("dolly: " + said)


@pytest.mark.parametrize("words", [[], ["dance"], ["node"], ["node", "--target", "x", "--dialect", "latin"]])
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2 and "usage: dolly" in capsys.readouterr().err


def test_nobody_comes(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    pid_file = rig.folder / "pid"
    words = ["--target", str(rig.target(1)), "--sha256", SHA, "--timeout", "0.2", "--port", str(rig.port)]
    assert run("node", *words, "--pid-file", str(pid_file)) == 3
    assert capsys.readouterr().err.endswith("dolly: timeout: nobody came within 0 s\n") and not pid_file.exists()


def test_status_of_nothing(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--target", str(rig.target(1)), "--sha256", SHA, "--size", "5") == 1
    assert capsys.readouterr().out.startswith("holds=\noffset=0\nroom=")


def test_serve(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    node = rig.node(1)
    words = ["serve", "--image", str(rig.path), "--port", str(rig.port), "--deadline", "2"]
    assert run(*words, "--node", "n1=" + rig.address(1)) == 0 and node.end() == 0
    assert capsys.readouterr().out.startswith("n1 ok 3000017 bytes ")
    assert run(*words, "--deadline", "0.1", "--node", rig.address(2)) == 1
    assert "127.0.0.12 absent 0 bytes 0.0 MB/s 127.0.0.12 (127.0.0.12 port" in capsys.readouterr().out
    assert run(*words) == 1 and "no nodes" in capsys.readouterr().err


# In the background


@pytest.fixture
def background(tmp_path: Path) -> t.Iterator[Daemon]:
    one = Daemon(str(tmp_path / "run"))
    yield one
    one.stop()


def options(rig: Rig) -> list[str]:
    words = ["--target", str(rig.target(1)), "--sha256", SHA, "--size", str(len(IMAGE)), "--timeout", "30"]
    return [*words, "--name", "n1", "--bind", rig.address(1), "--port", str(rig.port)]


def test_the_life_of_an_agent(rig: Rig, background: Daemon) -> None:
    source, words = pyz.build(), options(rig)
    assert background.pid() == 0 and not background.stop()
    pid = background.start(words, b"", source)
    assert background.pid() == pid and background.is_running(words, b"", source)
    assert not background.is_running([*words, "--size", "3"], b"", source)
    assert not background.is_running(words, b"a secret of this push", source)
    assert not background.is_running(words, b"", source + b"!")
    assert background.start(words, b"", source) != pid
    assert rig.push(1)["n1"].state == "ok" and rig.whole(1)
    until = time.monotonic() + 5
    while background.pid() and time.monotonic() < until:
        time.sleep(0.01)
    assert background.pid() == 0 and not os.path.exists(background.pid_file)


def test_the_secret_is_nowhere_to_be_read(rig: Rig, background: Daemon) -> None:
    secret = b"correct horse battery staple"
    pid = background.start(options(rig), secret, pyz.build())
    seen = [Path("/proc/%d/%s" % (pid, name)).read_bytes() for name in ("cmdline", "environ")]
    seen += [Path(background.folder, name).read_bytes() for name in os.listdir(background.folder)]
    assert not any(secret in text for text in seen)
    assert rig.push(1, secret=b"correct horse battery stable", deadline=1.0)["n1"].state == "failed"
    assert rig.push(1, secret=secret)["n1"].state == "ok"


def test_an_agent_that_is_stopped_in_the_middle_can_be_resumed(rig: Rig, background: Daemon, slow: None) -> None:
    background.start(options(rig), b"", pyz.build())
    push = Push(rig.image, [rig.route(1)], rig.options(max_fail=1))
    push.gather()

    def hook(_push: Push) -> None:
        if _push.feeder is not None and _push.feeder._offset > 1_000_000:
            background.stop()

    push.send(hook)
    assert push.outcomes()[0].state == "failed" and "interrupted" in Path(background.log_file).read_text()
    marker = Target(str(rig.target(1))).read_marker()
    assert (marker["state"], marker["sha256"]) == ("writing", SHA) and int(marker["offset"]) > 500_000


def test_an_agent_that_does_not_start(rig: Rig, background: Daemon) -> None:
    with pytest.raises(DollyError, match="the agent did not start: dolly: there is no device /dev/no-such-disk"):
        background.start(["--target", "/dev/no-such-disk", "--sha256", SHA], b"", pyz.build())


def test_an_agent_that_ignores_the_signal(background: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_STOP_SECONDS", 0.1)
    os.makedirs(background.folder)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, background.program], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"\n"
    Path(background.pid_file).write_text("%d\n" % process.pid)
    reaper = threading.Thread(target=process.wait, daemon=True)
    reaper.start()
    assert background.stop()
    reaper.join(5)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("content", ["", "text", "1\n", "999999999\n", "own"])
def test_a_pid_file_that_lies(background: Daemon, content: str) -> None:
    os.makedirs(background.folder)
    Path(background.pid_file).write_text(content.replace("own", str(os.getpid())))
    assert background.pid() == 0 and not background.stop()
