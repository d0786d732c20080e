# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What packages have to pass before they are published. This module util is private to the collection."""

from __future__ import annotations

import os
import typing as t

from .._host.errors import ClusterError
from .._host.host import Host
from .._media.compress import decompress
from .._media.options import SYNTHESIS, XML
from .._media.synthesis import Record, parse_synthesis, required_paths
from .._rpm.signature import is_signed_by, signatures
from .._sign.verify import verifier
from .._solve.installable import Report, check
from .._solve.pool import Pool, pool_of
from .layout import BINARY, Layout
from .metadata import Metadata
from .plan import Moves
from .units import Package

_SHOWN = 20


def _fail(what: str, reasons: t.Sequence[str], hint: str) -> t.NoReturn:
    more = ["and %d more" % (len(reasons) - _SHOWN)] if len(reasons) > _SHOWN else []
    raise ClusterError("%s: %s" % (what, "; ".join([*reasons[:_SHOWN], *more])), hint)


def _packages(moves: Moves) -> list[Package]:
    return [package for unit in moves.fresh for package in unit.packages]


def signed(moves: Moves, pubkeys: t.Sequence[str], keys: t.Sequence[str], host: Host) -> None:
    """Every package verifies with ``pubkeys`` alone, and names one of ``keys`` when there are any."""
    packages = _packages(moves)
    if not packages:
        return
    if not pubkeys:
        raise ClusterError(
            "the gate signed has no key to verify with", "set pubkeys or tree.pubkey, or leave signed out"
        )
    blocks = []
    for path in pubkeys:
        content = host.read(path)
        if content is None:
            raise ClusterError("pubkeys: %s does not exist" % path, "export the key with gpg --armor --export")
        blocks.append(content)
    bad = ["%s is not signed" % one.path for one in packages if not signatures(one.rpm)]
    bad += [
        "%s is signed by %s" % (one.path, ", ".join(found.key_id for found in signatures(one.rpm)))
        for one in packages
        if keys and signatures(one.rpm) and not any(is_signed_by(one.rpm, key) for key in keys)
    ]
    if not bad:
        with verifier(host, b"\n".join(blocks)) as rpm:
            reasons = rpm.signed([one.path for one in packages])
        bad = ["%s: %s" % row for row in sorted(reasons.items())]
    if bad:
        _fail("packages do not pass the gate signed", bad, "sign them with rpm_sign, or fetch them again")


def _records(path: str, content: bytes | None, host: Host) -> list[Record]:
    return parse_synthesis(decompress(content, path, host), path) if content is not None else []


def _missing_files(pool: Pool, records: t.Mapping[str, list[Record]]) -> set[bytes]:
    wanted = {path for found in records.values() for record in found for path in required_paths(record)}
    return {path for path in wanted if not pool.providers(path.decode("utf-8", "replace"))}


def _found_files(paths: set[bytes], content: bytes, numbers: t.Mapping[str, int]) -> dict[str, list[int]]:
    """Paths that packages hold without a provide, from files.xml: path to package numbers."""
    found: dict[str, list[int]] = {}
    for block in content.split(b'<files fn="')[1:] if paths else ():
        nvra = block.partition(b'"')[0].decode("utf-8", "replace")
        for path in paths.intersection(block.split(b"\n")):
            if nvra in numbers:
                found.setdefault(path.decode("utf-8", "replace"), []).append(numbers[nvra])
    return found


def pool_of_folders(folders: t.Mapping[str, str], host: Host, planned: t.Mapping[str, t.Mapping[str, bytes]]) -> Pool:
    """The packages of media by name, each its folder; ``planned`` are contents that are not written yet."""

    def content(name: str, file: str) -> bytes | None:
        found = planned.get(name, {}).get(file)
        return host.read(os.path.join(folders[name], "media_info", file)) if found is None else found

    records = {
        name: _records(os.path.join(folders[name], SYNTHESIS), content(name, SYNTHESIS), host) for name in folders
    }
    pool = pool_of(records)
    paths = _missing_files(pool, records)
    numbers = {str(package): number for number, package in enumerate(pool.packages)}
    files: dict[str, list[int]] = {}
    for name in folders if paths else ():
        data = content(name, XML["files"])
        text = decompress(data, name, host) if data else b""
        for path, found in _found_files(paths, text, numbers).items():
            files.setdefault(path, []).extend(found)
    return Pool(pool.packages, files) if files else pool


def _folders(layout: Layout, arch: str, target: str) -> dict[str, str]:
    wanted = layout.needs(target)
    found = {
        one.rel: layout.path(one.rel) for one in layout.of_arch(arch) if one.kind == BINARY and one.target in wanted
    }
    for other in layout.options["based_on"]:
        for name in other["media"]:
            found["%s %s" % (other["name"], name)] = os.path.join(other["path"], arch, "media", name)
    return found


def _reasons(before: Report, after: Report) -> list[str]:
    known = {one.nvra for one in before.broken}
    return ["%s: %s" % (one.nvra, one) for one in after.broken if one.nvra not in known]


def installable(layout: Layout, target: str, metadata: Metadata, host: Host) -> None:
    """Nothing that can be installed now cannot be afterwards, and what is new can."""
    planned = {rel: plan.writes for rel, plan in metadata.media.items()}
    bad = []
    for arch in layout.arches:
        folders = _folders(layout, arch, target)
        if not any(SYNTHESIS in planned.get(rel, {}) for rel in folders):
            continue
        before, after = (check(pool_of_folders(folders, host, extra)) for extra in ({}, planned))
        bad += ["%s (%s)" % (line, arch) for line in _reasons(before, after)]
    if bad:
        _fail(
            "packages do not pass the gate installable",
            bad,
            "publish what is needed together with them, or leave installable out of gate",
        )


def rpmlint(moves: Moves, host: Host) -> list[str]:
    """Complaints for the user; ClusterError when the program finds an error."""
    packages = _packages(moves)
    if not packages:
        return []
    if host.which("rpmlint") is None:
        return ["rpmlint is not installed: that gate was left out"]
    done = host.run(["rpmlint", *(one.path for one in packages)], check=False)
    errors = [line for line in done.stdout.splitlines() if ": E: " in line]
    if errors:
        _fail("packages do not pass the gate rpmlint", errors, "mend the spec, or leave rpmlint out of gate")
    return []
