# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps, their order, their output and the sum at the end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "output"
TAIL = 60


class StepFailed(Exception):
    """The step did not pass; the text is the last line of its output."""


class StepSkipped(Exception):
    """The step has nothing to do here; the text says why."""


@dataclass
class Counts:
    """Results: steps themselves and the tests that they ran."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return "%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped)


_WORDS = {"passed": "passed", "xpassed": "passed", "failed": "failed", "error": "failed", "errors": "failed"}
_WORDS.update({"skipped": "skipped", "xfailed": "skipped"})
_SUMMARY = re.compile(r"^\W*(?:\d+ [a-z]+, )*\d+ (?:passed|failed|skipped|errors?)\b")


def read_counts(output: str) -> Counts:
    """The last line in the manner of pytest ("3 passed, 1 skipped in 0.2s"), added up by kind."""
    lines = [line for line in output.splitlines() if _SUMMARY.match(line)]
    counts = Counts()
    for number, word in re.findall(r"(\d+) ([a-z]+)", lines[-1] if lines else ""):
        kind = _WORDS.get(word)
        if kind:
            setattr(counts, kind, getattr(counts, kind) + int(number))
    return counts


Work = t.Callable[["Job"], None]


@dataclass(frozen=True)
class Step:
    """A named piece of work and the verbs that include it."""

    name: str
    verbs: tuple[str, ...]
    work: Work
    stream: bool = False


@dataclass
class Job:
    """What a running step may use: commands with a log, counts, temporary folders."""

    step: Step
    temp: Path
    verbose: bool = False
    args: t.Sequence[str] = ()
    counts: Counts = field(default_factory=Counts)

    @property
    def log(self) -> Path:
        return OUTPUT / ("%s.log" % self.step.name)

    def say(self, text: str) -> None:
        """A line for the log, and for the reader where the step streams."""
        with self.log.open("a") as stream:
            stream.write(text + "\n")
        if self.verbose or self.step.stream:
            print(text, flush=True)

    def need(self, program: str, package: str) -> str:
        """Full path of a program; a missing one is a failure that names the package."""
        found = shutil.which(program)
        if not found:
            raise StepFailed("%s is missing. Type: apt-get install %s" % (program, package))
        return found

    def execute(self, argv: t.Sequence[str | Path], cwd: Path, env: t.Mapping[str, str] | None) -> tuple[int, str]:
        """Run a command and log it; gives its exit code and its output."""
        words = [str(word) for word in argv]
        self.say("$ " + " ".join(words))
        lines: list[str] = []
        with subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                self.say(line.rstrip("\n"))
        return process.returncode, "".join(lines)

    def run(self, *argv: str | Path, cwd: Path = ROOT, env: t.Mapping[str, str] | None = None) -> str:
        """Run a command and give its output; a non-zero exit fails the step."""
        code, output = self.execute(argv, cwd, env)
        if code != 0:
            raise StepFailed("%s ended with exit code %d" % (Path(argv[0]).name, code))
        return output

    def run_tests(self, *argv: str | Path, cwd: Path = ROOT, env: t.Mapping[str, str] | None = None) -> None:
        """Run a command that ends with a line of counts; the counts enter the sum even when it fails."""
        code, output = self.execute(argv, cwd, env)
        counts = read_counts(output)
        self.counts.add(counts)
        if counts.failed:
            raise StepFailed("%d of %d tests failed" % (counts.failed, counts.passed + counts.failed))
        if counts == Counts():
            raise StepFailed("no test ran: %s" % (output.strip().splitlines() or ["no output"])[-1])
        if code != 0:
            raise StepFailed("%s ended with exit code %d" % (Path(argv[0]).name, code))


def _finish(job: Job, mark: str, seconds: float, text: str) -> None:
    shown = " (%s)" % job.counts if job.counts != Counts() else ""
    print("%-6s %-18s %6.1f s%s%s" % (mark, job.step.name, seconds, shown, "  " + text if text else ""), flush=True)


def _run_step(job: Job) -> Counts:
    job.log.write_text("")
    started = time.monotonic()
    own = Counts(passed=1)
    mark, text = "ok", ""
    try:
        job.step.work(job)
    except StepSkipped as why:
        own, mark, text = Counts(skipped=1), "skip", str(why)
    except (StepFailed, OSError, ValueError) as why:
        own, mark, text = Counts(failed=1), "FAILED", str(why)
    if mark == "FAILED" and not (job.verbose or job.step.stream):
        print("\n".join(job.log.read_text().splitlines()[-TAIL:]))
    _finish(job, mark, time.monotonic() - started, text)
    own.add(job.counts)
    return own


def run_steps(steps: t.Sequence[Step], temp: Path, verbose: bool, args: t.Sequence[str]) -> int:
    """Run every step whatever the others do; the last line is the sum. Returns the exit code."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    total = Counts()
    started = time.monotonic()
    for step in steps:
        total.add(_run_step(Job(step, temp, verbose or len(steps) == 1, args)))
    print("%d steps in %.0f s" % (len(steps), time.monotonic() - started))
    print(total)
    sys.stdout.flush()
    return 1 if total.failed else 0
