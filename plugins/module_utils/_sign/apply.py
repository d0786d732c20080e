# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches of packages: copy, sign, verify, to disk, switch. This module util is private to the collection.

A package that does not verify keeps its bytes and its name is told; the others go on. A full disk ends the run: what
was switched is signed, everything else is as it was.
"""

from __future__ import annotations

import errno
import typing as t
from concurrent.futures import ThreadPoolExecutor, as_completed

from .._errors import ClusterError
from .._rpm.header import read_rpm
from .._rpm.signature import signatures
from .backends import Backend, Failed
from .copies import Copy, changed_meanwhile, drop, settle, switch
from .plan import Wanted, is_right

# What has to do with one package; anything else is the disk's and ends the run.
_OWN_FAULTS = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
Check = t.Callable[[t.Sequence[str]], t.Dict[str, str]]


def _complaint(copy: Copy, wanted: Wanted) -> str:
    """Our own look at a copy: the signature that was wanted, and nothing else changed."""
    try:
        now = read_rpm(copy.path)
        if not is_right(signatures(now), wanted):
            return "the signature is not the wanted one"
    except ClusterError as error:
        return error.message.replace(copy.path, "the signed copy")
    rest = copy.rpm.size - copy.rpm.header_start
    if now.header.body != copy.rpm.header.body or now.size - now.header_start != rest:
        return "signing changed more than the signature"
    return "it was written to meanwhile" if changed_meanwhile(copy) else ""


def _judged(copies: t.Sequence[Copy], wanted: Wanted, check: Check) -> dict[str, str]:
    """Packages (by their own names) whose copy is not right, with the reason."""
    told = check([copy.path for copy in copies])
    bad = {}
    for copy in copies:
        why = told.get(copy.path) or _complaint(copy, wanted)
        if why:
            bad[copy.source] = why
    return bad


def _batch(paths: t.Sequence[str], backend: Backend, wanted: Wanted, check: Check) -> dict[str, str]:
    copies = backend.copies(paths)
    try:
        bad = _judged(copies, wanted, check)
        good = [copy for copy in copies if copy.source not in bad]
        for copy in good:
            settle(copy)
        switch(good)
    finally:
        drop(copies)
    return bad


def run_batch(paths: t.Sequence[str], backend: Backend, wanted: Wanted, check: Check) -> dict[str, str]:
    """Packages that could not be signed, with the reason. One by one when the backend refuses the whole batch."""
    try:
        return _batch(paths, backend, wanted, check)
    except (Failed, ClusterError) as error:
        if len(paths) == 1:
            return {paths[0]: str(error)}
    except OSError as error:
        if error.errno not in _OWN_FAULTS:
            raise
        if len(paths) == 1:
            return {paths[0]: str(error.strerror)}
    bad = {}
    for path in paths:
        bad.update(run_batch([path], backend, wanted, check))
    return bad


def _disk_error(error: OSError) -> ClusterError:
    hint = "packages that were signed before stay signed; run again"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free space on that file system, each job needs room for 256 MB of copies; run again"
    return ClusterError("cannot write %s: %s" % (error.filename or "a copy", error.strerror), hint)


def apply_batches(
    groups: t.Sequence[t.Sequence[str]],
    backend: Backend,
    wanted: Wanted,
    check: Check,
    jobs: int,
    done: t.Callable[[int], None],
) -> dict[str, str]:
    """Carry out all groups, ``jobs`` at a time; the packages that failed with their reasons."""
    bad: dict[str, str] = {}
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        running = {pool.submit(run_batch, group, backend, wanted, check): group for group in groups}
        try:
            for future in as_completed(running):
                bad.update(future.result())
                done(len(running[future]))
        except OSError as error:
            raise _disk_error(error)
        finally:
            for future in running:
                future.cancel()
    return dict(sorted(bad.items()))
