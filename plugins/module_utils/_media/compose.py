# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The finished files of a medium out of its packages. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._host.errors import ClusterError
from .._host.host import Host
from .compress import compress
from .gather import How, Medium, Part, gather
from .md5sum import md5, render_md5sum
from .options import HDLIST, MD5SUM, PUBKEY, SYNTHESIS, XML, Options
from .previous import Previous
from .scan import Entry, Overlay, State
from .xmlinfo import render_xml


def names_of(names: t.Iterable[bytes]) -> list[str]:
    return sorted(name.decode("utf-8", "replace") for name in names)


def _checked(medium: Medium, options: Options) -> None:
    """Bad packages and two files with one NVRA end the run before anything is written."""
    if medium.bad and not options.skip_bad:
        reasons = "; ".join(medium.bad[name] for name in sorted(medium.bad))
        raise ClusterError(
            "%d of the packages cannot be used: %s" % (len(medium.bad), reasons),
            "fetch or build them again, or leave them out with bad_packages=skip",
        )
    seen: dict[bytes, list[str]] = {}
    for part in medium.parts:
        seen.setdefault(part.known.nvra, []).append(part.entry.file)
    twice = ["%s is in %s" % (names_of([nvra])[0], " and ".join(files)) for nvra, files in seen.items() if files[1:]]
    if twice:
        raise ClusterError("%s: %s" % (options.path, "; ".join(sorted(twice))), "keep one file of each package")


def _warnings(parts: t.Sequence[Part], bad: t.Mapping[str, str]) -> tuple[str, ...]:
    rows = [line for part in parts for line in part.told]
    for part in parts:
        nvra = part.known.nvra.decode("utf-8", "replace")
        if part.entry.stem != nvra:
            rows.append("%s holds %s; urpmi clients will ask for %s.rpm" % (part.entry.file, nvra, nvra))
    return tuple(rows + ["left out: " + reason for _file, reason in sorted(bad.items())])


def _files(medium: Medium, options: Options, host: Host, pool: ThreadPoolExecutor) -> dict[str, bytes]:
    jobs = {SYNTHESIS: pool.submit(compress, b"".join(p.text for p in medium.parts), options.synthesis, host)}
    for kind in options.kinds:
        document = render_xml([part.elements[kind] for part in medium.parts if part.elements[kind]])
        jobs[XML[kind]] = pool.submit(compress, document, options.xml, host)
    files = {} if medium.hdlist is None else {HDLIST: medium.hdlist}
    files.update({name: job.result() for name, job in jobs.items()})
    return files


def compose(
    options: Options,
    entries: t.Sequence[Entry],
    state: State,
    previous: Previous | None,
    overlay: Overlay,
    host: Host,
) -> tuple[Medium, dict[str, bytes]]:
    """Every package in its parts, and the packed files that they make."""
    marks = (options.kinds, options.hdlist, options.file_deps, options.line_limit, options.weak_tag)
    how = How(options.path, *marks, overlay.adds)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        medium = gather(how, entries, pool, state.packages, previous, state.required, state.told)
        _checked(medium, options)
        return medium, _files(medium, options, host, pool)


def add_sums(files: dict[str, bytes], links: t.Mapping[str, str], options: Options) -> None:
    """Add MD5SUM, of files and links, and the key, which is not in it."""
    targets = {**{name: name for name in files}, **links}
    files[MD5SUM] = render_md5sum({name: md5(files[target]) for name, target in targets.items()})
    if options.pubkey is not None:
        files[PUBKEY] = options.pubkey


def remembered(
    medium: Medium, files: t.Mapping[str, bytes], entries: t.Sequence[Entry], options: Options, state: State
) -> State:
    """What the next run has to know; ``state`` is that of the last one."""
    told: dict[str, t.Sequence[str]] = {names_of([p.known.nvra])[0]: p.told for p in medium.parts if p.told}
    return State(
        options.text(),
        {name: md5(content) for name, content in files.items() if name != PUBKEY},
        {part.entry: part.known for part in medium.parts},
        {entry: medium.bad[entry.file] for entry in entries if entry.file in medium.bad},
        medium.required,
        {**told, "": _warnings(medium.parts, medium.bad)},
        state.repodata,
    )
