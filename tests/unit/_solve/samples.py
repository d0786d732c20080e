# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools for the tests of _solve, and the same question put to libsolv."""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

from ansible_collections.xtreemos.cluster.plugins.module_utils._media.synthesis import Record, render_synthesis
from ansible_collections.xtreemos.cluster.plugins.module_utils._solve.pool import Pool, pool_of
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import system_module


def record(nvra: str, *, epoch: int = 0, **lists: str) -> Record:
    """A record that provides itself; lists are texts with ``|`` between the items."""
    front = nvra.rpartition(".")[0]
    name, version, release = front.rsplit("-", 2)
    own = "%s[== %s%s-%s]" % (name, "%d:" % epoch if epoch else "", version, release)
    found = {tag.encode(): [item.encode() for item in text.split("|")] for tag, text in lists.items() if text}
    found[b"provides"] = [own.encode(), *found.get(b"provides", [])]
    return Record(nvra.encode(), found, filesize=1, epoch=b"%d" % epoch, size=b"1", group=b"g")


def pool(*records: Record, **media: t.Sequence[Record]) -> Pool:
    return pool_of({"main": records, **media} if records else media)


OPERATORS = ("<", "<=", "==", ">=", ">")
VERSIONS = ("1-1", "1-2", "2-1", "2~rc1-1", "1:1-1")


def _item(chance: random.Random, names: t.Sequence[str]) -> str:
    name = chance.choice(names)
    if chance.random() < 0.5:
        return name
    version = chance.choice(VERSIONS)
    return "%s[%s %s]" % (name, chance.choice(OPERATORS), version if chance.random() < 0.7 else version.split("-")[0])


def random_records(chance: random.Random, count: int = 12, names: str = "abcdefg") -> list[Record]:
    """A small medium full of trouble: several builds of a name, ranges, conflicts, obsoletes, virtual provides."""
    found: dict[str, Record] = {}
    words = [*names, "virtual", "other"]
    for _number in range(count):
        name, evr = chance.choice(names), chance.choice(VERSIONS)
        epoch, _colon, rest = evr.rpartition(":")
        nvra = "%s-%s.noarch" % (name, rest)
        if nvra in found:
            continue
        lists = {
            "requires": [_item(chance, words) for _item_ in range(chance.choice((0, 1, 1, 2, 3)))],
            "conflicts": [_item(chance, names) for _item_ in range(chance.choice((0, 0, 0, 1)))],
            "obsoletes": [_item(chance, names) for _item_ in range(chance.choice((0, 0, 0, 0, 1)))],
            "provides": ["%s[== %s]" % (word, chance.choice("12")) for word in words[-2:] if chance.random() < 0.2],
        }
        found[nvra] = record(nvra, epoch=int(epoch or 0), **{tag: "|".join(items) for tag, items in lists.items()})
    return list(found.values())


def libsolv_broken(records: t.Sequence[Record], folder: Path) -> set[str]:
    """NVRAs that libsolv cannot install, each asked for alone."""
    path = folder / "synthesis.txt"
    path.write_bytes(render_synthesis(records, 1 << 20))
    with system_module("solv") as solv:
        made = solv.Pool()
        made.setdisttype(solv.Pool.DISTTYPE_RPM)
        made.setarch("x86_64")
        repo = made.add_repo("m")
        with path.open("rb") as stream:
            assert repo.add_mdk(solv.xfopen_fd("x", stream.fileno()), 0)
        made.addfileprovides()
        made.createwhatprovides()
        found = set()
        for one in repo.solvables_iter():
            job = made.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE, one.id)
            if made.Solver().solve([job]):
                found.add("%s-%s.%s" % (one.name, one.evr.rpartition(":")[2], one.arch))
        return found
