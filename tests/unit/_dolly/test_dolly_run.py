# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole push as the module asks for it: which image, which dialect, what it tells."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import push, source
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.dial import Route
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.push import Member, Report, Request

from .conftest import IMAGE, Rig

SHA = hashlib.sha256(IMAGE).hexdigest()


def request(rig: Rig, *members: Member, **options: t.Any) -> Request:
    limits = {key: options.pop(key) for key in ("deadline", "max_fail", "secret") if key in options}
    options = {"server_name": "head", "ports": rig.ports, **options}
    return Request(rig.image, "/dev/ram3", members, rig.options(**{"deadline": 1.0, **limits}), **options)


def states(report: Report) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in report.outcomes}


def test_nodes_that_hold_the_image_are_not_called(rig: Rig) -> None:
    report = push.run(request(rig, Member(rig.route(1), SHA), Member(rig.route(2), SHA)))
    assert states(report) == {"n1": "skipped", "n2": "skipped"}
    assert (report.dialect, report.sent, report.lost()) == ("chain", False, [])


@pytest.mark.parametrize("dialect", ["auto", "chain"])
def test_chain(rig: Rig, dialect: str) -> None:
    node = rig.node(1)
    report = push.run(request(rig, Member(rig.route(2), SHA), Member(rig.route(1), "other"), dialect=dialect))
    assert states(report) == {"n1": "ok", "n2": "skipped"} and node.end() == 0
    assert (report.dialect, report.sent) == ("chain", True) and report.seconds > 0


@pytest.mark.parametrize(("dialect", "deadline"), [("auto", 0.3), ("classic", 2.0)])
def test_classic(rig: Rig, dialect: str, deadline: float) -> None:
    nodes = [rig.classic(n) for n in (1, 2)]
    members = [Member(rig.route(n)) for n in (1, 2)]
    report = push.run(request(rig, *members, dialect=dialect, deadline=deadline))
    assert states(report) == {"n1": "ok", "n2": "ok"} and [node.end() for node in nodes] == [0, 0]
    assert report.dialect == "classic" and "%d and %d" % rig.ports in report.hint and rig.whole(1, 2)


def test_nobody_there_at_all(rig: Rig) -> None:
    report = push.run(request(rig, Member(Route("n1", "127.0.0.11", rig.port)), dialect="chain", deadline=0.2))
    assert states(report) == {"n1": "absent"} and not report.sent
    assert report.hint.startswith("open TCP port %d on the nodes" % rig.port)


def test_what_was_not_sent_counts_as_failed(rig: Rig) -> None:
    node = rig.node(1, timeout=0.6)
    report = push.run(request(rig, Member(rig.route(1)), Member(rig.route(2)), deadline=0.2))
    assert states(report) == {"n1": "failed", "n2": "absent"} and node.end() == 1
    assert report.outcomes[0].reason == "nothing was sent: too many nodes are missing"


def test_check_mode_foretells_the_run(rig: Rig) -> None:
    rig.target(3).write_bytes(IMAGE)
    nodes = [rig.node(n) for n in (2, 3)]
    members = [Member(rig.route(1), SHA), Member(rig.route(2)), Member(rig.route(3)), Member(rig.route(4))]
    wanted = request(rig, *members, deadline=0.4, max_fail=1)
    foretold, done = push.run(wanted, check=True), push.run(wanted)
    assert states(foretold) == states(done) == {"n1": "skipped", "n2": "ok", "n3": "skipped", "n4": "absent"}
    assert [node.end() for node in nodes] == [0, 0] and not foretold.sent and done.sent
    same = [(o.name, o.bytes, o.digest, o.reason) for o in foretold.outcomes]
    assert same == [(o.name, o.bytes, o.digest, o.reason) for o in done.outcomes]


@pytest.mark.parametrize("check", [True, False])
def test_check_mode_foretells_that_nothing_is_sent(rig: Rig, check: bool) -> None:
    rig.node(1, timeout=0.6)
    members = [Member(rig.route(1)), Member(rig.route(2)), Member(rig.route(3), "", expected=check)]
    report = push.run(request(rig, *members, deadline=0.2), check)
    assert states(report) == {"n1": "failed", "n2": "absent", "n3": "failed" if check else "absent"}
    assert (report.outcomes[0].bytes, report.sent) == (0, False)


def test_check_mode_believes_that_an_agent_will_be_started(rig: Rig) -> None:
    report = push.run(request(rig, Member(rig.route(1), "", expected=True), deadline=0.1), check=True)
    assert states(report) == {"n1": "ok"} and report.outcomes[0].bytes == len(IMAGE)


def test_check_mode_does_not_call_classic_nodes(rig: Rig) -> None:
    report = push.run(request(rig, Member(rig.route(1)), dialect="classic"), check=True)
    assert states(report) == {"n1": "ok"} and report.outcomes[0].digest == ""


def test_progress(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(push.time, "monotonic", lambda: float(next(clock)))
    path = rig.folder / "progress"
    progress = push.Progress(str(path), 1000)
    for count in (100, 500):
        progress.note(count, "n7", 1, 3)
    lines = path.read_text().splitlines()
    assert lines[0] == "1 s: 100 of 1000 bytes (10 %), 0.0 MB/s, 9 s left, slowest n7, 1 of 3 nodes done"
    assert push.progress_line(0, 0, 10, "", 0, 1) == (
        "0 s: 0 of 10 bytes (0 %), 0.0 MB/s, unknown left, slowest none, 0 of 1 nodes done"
    )
    push.Progress("", 1000).note(5, "n7", 1, 3)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "the list of nodes is empty"),
        ([Member(Route("a", "1")), Member(Route("a", "2"))], "node name 'a' is empty or given twice"),
        ([Member(Route("a", "1")), Member(Route("b", "1"))], "node address '1 port 9995' is empty or given twice"),
        ([Member(Route("", "1"))], "node name '' is empty"),
    ],
)
def test_bad_lists(members: list[Member], message: str) -> None:
    with pytest.raises(DollyError, match=message):
        push.check_members(members)


@pytest.mark.parametrize(("by_name", "clients"), [(True, ("n1", "n2")), (False, ("127.0.0.11", "127.0.0.12"))])
def test_the_config_for_real_dolly(rig: Rig, by_name: bool, clients: tuple[str, ...]) -> None:
    wanted = push.classic_config(request(rig, Member(rig.route(1)), Member(rig.route(2)), by_name=by_name))
    assert (wanted.clients, wanted.server, wanted.outfile, wanted.infile) == (
        clients,
        "head",
        "/dev/ram3",
        str(rig.path),
    )


# Which image


def layout(folder: Path, manifest: object) -> Path:
    """An image in the layout of diskless_image."""
    version = folder / "images" / "node" / "0123456789ab"
    version.mkdir(parents=True)
    (version / "rootfs.sqfs").write_bytes(IMAGE)
    (version / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    (version.parent / "current").symlink_to(version.name)
    return Path(source.image_path(str(folder / "images"), "node", "current"))


def noted(size: int = len(IMAGE), sha256: str = SHA) -> dict[str, t.Any]:
    return {"format": 1, "files": {"rootfs": {"path": "rootfs.sqfs", "size": size, "sha256": sha256}}}


@pytest.mark.parametrize("manifest", [noted(), {}, [], {"files": []}, {"files": {"kernel": {"path": "vmlinuz"}}}])
def test_an_image_and_its_manifest(tmp_path: Path, manifest: object) -> None:
    image = source.find_image(str(layout(tmp_path, manifest)))
    assert (image.size, image.sha256) == (len(IMAGE), SHA) and image.path.endswith("0123456789ab/rootfs.sqfs")


def test_the_manifest_spares_the_reading(tmp_path: Path) -> None:
    assert source.find_image(str(layout(tmp_path, noted(sha256="A" * 64)))).sha256 == "a" * 64


def test_a_digest_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(IMAGE)
    assert source.find_image(str(path), "B" * 64).sha256 == "b" * 64


@pytest.mark.parametrize(
    ("manifest", "sha256", "message"),
    [
        (noted(size=5), "", "has 3000017 bytes, its manifest says 5"),
        (noted(), "c" * 64, "in its manifest is %s, asked for cccc" % SHA),
        ("{", "", "cannot read .*manifest.json"),
    ],
)
def test_images_that_do_not_fit_their_manifest(tmp_path: Path, manifest: object, sha256: str, message: str) -> None:
    with pytest.raises(DollyError, match=message):
        source.find_image(str(layout(tmp_path, manifest)), sha256)


def test_images_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, message in (("none", "No such file"), ("empty", "is empty"), (".", "is empty or no regular file")):
        with pytest.raises(DollyError, match=message):
            source.find_image(str(tmp_path / name))
