# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runner of the checks: a failure is never lost, the last line is the sum."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.tests.runner import engine
from ansible_collections.xtreemos.cluster.tests.runner.__main__ import VERBS
from ansible_collections.xtreemos.cluster.tests.runner.engine import Counts, Job, Step, StepFailed, StepSkipped
from ansible_collections.xtreemos.cluster.tests.runner.steps import STEPS

OUTPUTS = [
    ("", (0, 0, 0)),
    ("32 passed in 1.93s\n", (32, 0, 0)),
    ("1 passed in 1.0s\n2 failed, 3 passed, 4 skipped in 0.1s\n", (3, 2, 4)),
    ("=== 1 failed, 1 error, 1 xfailed, 1 xpassed, 2 warnings in 3s ===\n", (1, 2, 1)),
    ("4 errors in 2s\n", (0, 4, 0)),
    ("the 3 passed by\n", (0, 0, 0)),
    ("no tests ran in 0.01s\n", (0, 0, 0)),
    ("7 passed, 0 failed, 1 skipped\n", (7, 0, 1)),
]


@pytest.mark.parametrize(("output", "expected"), OUTPUTS)
def test_read_counts(output: str, expected: tuple[int, int, int]) -> None:
    assert engine.read_counts(output) == Counts(*expected)


@pytest.fixture(autouse=True)
def _output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OUTPUT", tmp_path / "output")


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *works: engine.Work) -> tuple[int, list[str]]:
    steps = [Step("step%d" % number, (), work) for number, work in enumerate(works)]
    code = engine.run_steps(steps, tmp_path, False, [])
    return code, capsys.readouterr().out.splitlines()


def good(job: Job) -> None:
    job.run(sys.executable, "-c", "print('fine')", cwd=job.temp)


def bad(job: Job) -> None:
    job.run(sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)", cwd=job.temp)


def skipped(job: Job) -> None:
    raise StepSkipped("nothing to do")


def counting(line: str, code: int = 0) -> engine.Work:
    script = "print(%r); raise SystemExit(%d)" % (line, code)
    return lambda job: job.run_tests(sys.executable, "-c", script, cwd=job.temp)


def test_all_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(tmp_path, capsys, good, counting("3 passed, 1 skipped in 1s"), skipped)
    assert (code, lines[-1]) == (0, "5 passed, 0 failed, 2 skipped")
    assert not any("fine" in line for line in lines)


def test_a_failure_does_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(tmp_path, capsys, bad, good)
    assert (code, lines[-1]) == (1, "1 passed, 1 failed, 0 skipped")
    assert "what went wrong" in lines


def test_an_error_of_the_runner_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(job: Job) -> None:
        raise FileNotFoundError("no such file")

    code, lines = run(tmp_path, capsys, broken, good)
    assert (code, lines[-1]) == (1, "1 passed, 1 failed, 0 skipped")


@pytest.mark.parametrize(
    ("line", "code", "last"),
    [
        ("1 failed, 2 passed in 1s", 1, "2 passed, 2 failed, 0 skipped"),
        ("no tests ran in 0.1s", 5, "0 passed, 1 failed, 0 skipped"),
        ("2 passed in 1s", 1, "2 passed, 1 failed, 0 skipped"),
    ],
)
def test_tests_that_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, code: int, last: str) -> None:
    assert run(tmp_path, capsys, counting(line, code))[1][-1] == last


def test_a_missing_program_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(job: Job) -> None:
        job.need("no-such-program", "some-package")

    code, lines = run(tmp_path, capsys, missing)
    assert code == 1
    assert any("apt-get install some-package" in line for line in lines)


def test_every_verb_has_steps() -> None:
    named = {verb for step in STEPS for verb in step.verbs}
    assert named == set(VERBS)
    assert len({step.name for step in STEPS}) == len(STEPS)


def test_need_finds_programs(tmp_path: Path) -> None:
    job = Job(Step("x", (), good), tmp_path)
    assert Path(job.need("sh", "dash")).name == "sh"
    with pytest.raises(StepFailed):
        job.need("no-such-program", "x")


def test_the_slow_files_are_there() -> None:
    names = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    text = Path(__file__).with_name("conftest.py").read_text()
    slow = set(re.findall(r'^    "(test_\w+)",$', text, re.M))
    assert slow and slow <= names
