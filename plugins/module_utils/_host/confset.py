# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files judged by their own programs before they are put in place. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .errors import ClusterError
from .fileset import FilePlan, apply_files, diff_files, plan_files
from .host import File, Host


@dataclass(frozen=True)
class ConfFile:
    """One wanted file: text, or a copy of the first of ``sources``, or absent. ``validate`` is an argv with %s."""

    path: str
    content: str | None = None
    sources: tuple[str, ...] = ()
    absent: bool = False
    mode: int = 0o644
    validate: tuple[str, ...] = ()
    wrapper: str = ""


@dataclass(frozen=True)
class ConfPlan:
    """What has to change; ``outcome`` tells written, removed or unchanged per path.

    ``modes`` are the files whose content is right and whose permissions are not: (those they have, the file).
    """

    texts: FilePlan
    copies: FilePlan
    outcome: t.Mapping[str, str]
    modes: t.Mapping[str, tuple[int, File]] = field(default_factory=dict)

    def states(self, changed: bool) -> list[str]:
        """The paths that change (or that stay), sorted."""
        return sorted(path for path, state in self.outcome.items() if (state != "unchanged") == changed)

    def diff(self) -> list[dict[str, str]]:
        modes = [
            dict(before_header=path, after_header=path, before="mode %04o\n" % now, after="mode %04o\n" % file.mode)
            for path, (now, file) in sorted(self.modes.items())
        ]
        return [*diff_files(self.texts), *modes]


def _parse_one(item: t.Mapping[str, t.Any]) -> ConfFile:
    path = str(item.get("path") or "")
    if not path.startswith("/"):
        raise ClusterError("%r is no absolute path" % path, "give the whole path of each file")
    mode = str(item.get("mode") or "0644")
    if not re.fullmatch(r"0?[0-7]{3,4}", mode):
        raise ClusterError("%s: bad mode %r" % (path, mode), "as in '0644'")
    absent = item.get("state") == "absent"
    content = item.get("content")
    sources = tuple(item.get("src") or ())
    if not absent and (content is None) == (not sources):
        raise ClusterError("%s: give either content or src" % path, "or state: absent")
    return ConfFile(
        path=path,
        content=None if content is None else str(content).rstrip("\n") + "\n",
        sources=sources,
        absent=absent,
        mode=int(mode, 8),
        validate=tuple(item.get("validate") or ()),
        wrapper=str(item.get("wrapper") or ""),
    )


def parse_confset(items: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[ConfFile, ...]:
    """The wanted files, sorted by path; ClusterError names the path."""
    files: dict[str, ConfFile] = {}
    for item in items:
        file = _parse_one(item)
        if file.path in files:
            raise ClusterError("%s is given twice" % file.path, "keep one")
        files[file.path] = file
    return tuple(files[path] for path in sorted(files))


def judge(text: str, path: str, argv: t.Sequence[str], host: Host, check_mode: bool, wrapper: str = "") -> None:
    """Run a validator on a candidate file beside ``path`` (AppArmor profiles often allow no other folder).

    ``argv`` holds %s for the candidate, or for a file with the text ``wrapper`` in which %s is the candidate.
    ClusterError when it refuses. In check mode a validator that is not installed yet judges nothing.
    """
    program = host.which(argv[0])
    if check_mode and (program is None or not host.listdir(path.rpartition("/")[0])):
        return
    if program is None:
        raise ClusterError("%s is not installed" % argv[0], "install its package, it has to check %s" % path)
    candidate = path + ".candidate"
    shown = candidate + ".test" if wrapper else candidate
    beside = {candidate: File(text.encode())}
    if wrapper:
        beside[shown] = File(wrapper.replace("%s", candidate).encode())
    host.write_files(beside)
    try:
        done = host.run([program, *(word.replace("%s", shown) for word in argv[1:])], check=False)
    finally:
        for each in beside:
            host.remove(each)
    if done.rc != 0:
        lines = (done.stderr or done.stdout).replace(candidate, path).splitlines()
        told = [line.strip() for line in lines if path in line or "rror" in line or "emerg" in line] or lines
        raise ClusterError(
            "%s refuses %s: %s" % (argv[0], path, " | ".join(told[:4])), "nothing was written; mend the options"
        )


def _source(file: ConfFile, host: Host, check_mode: bool) -> bytes | None:
    for source in file.sources:
        content = host.read(source)
        if content is not None:
            return content
    if check_mode:
        return None
    raise ClusterError("%s: no source %s" % (file.path, " or ".join(file.sources)), "install the package that has it")


def plan_confset(files: t.Sequence[ConfFile], host: Host, check_mode: bool = False) -> ConfPlan:
    """Compare with the host and let the validators judge what would change."""
    texts = {f.path: File(f.content.encode(), f.mode) for f in files if f.content is not None}
    gone = [f.path for f in files if f.absent and (host.readlink(f.path) or host.read(f.path) is not None)]
    found = {f.path: _source(f, host, check_mode) for f in files if f.sources}
    modes = {f.path: f.mode for f in files}
    plan = plan_files(host, texts, gone)
    sources = {p: File(data, modes[p]) for p, data in found.items() if data is not None}
    copies = plan_files(host, sources)
    for file in files:
        if file.path in plan.writes and file.validate:
            judge(file.content or "", file.path, file.validate, host, check_mode, file.wrapper)
    outcome = {f.path: "unchanged" for f in files}
    outcome.update({path: "written" for path, data in found.items() if data is None})
    outcome.update({path: "written" for path in (*plan.writes, *copies.writes)})
    outcome.update({path: "removed" for path in plan.removes})
    odd = {p: (host.mode(p), file) for p, file in {**texts, **sources}.items() if outcome[p] == "unchanged"}
    differ = {path: (now, file) for path, (now, file) in odd.items() if now is not None and now != file.mode}
    outcome.update({path: "written" for path in differ})
    return ConfPlan(plan, copies, dict(sorted(outcome.items())), differ)


def apply_confset(plan: ConfPlan, host: Host) -> None:
    """Carry a plan out: one batch of all writes, then the removals."""
    again = {path: file for path, (_now, file) in plan.modes.items()}
    apply_files(FilePlan({**plan.texts.writes, **plan.copies.writes, **again}, plan.texts.removes), host)
