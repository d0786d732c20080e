# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From rpmbuild to a disc that boots and that dnf installs from. The tests build on each other."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.tests.integration.disc import READY, Builders
from ansible_collections.xtreemos.cluster.tests.integration.place import run


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Builders:
    found = Builders(tmp_path_factory.mktemp("iso"))
    found.write_inventory(found.make_key())
    return found


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_playbook_makes_what_it_predicts(builders: Builders) -> None:
    output, predicted = builders.play("--check", "--limit", "signed")
    assert predicted["signed"] and not (builders.folder / "signed").exists()
    assert "2 packages" in output
    output, changes = builders.play()
    assert all(changes.values())
    for name in ("one", "two", "signed"):
        assert re.fullmatch(r"XtreemOS-2.1.1-x86_64-[\d_]+-\d+h\d+-\d+.iso", builders.iso(name).name)
    assert builders.iso("one").with_suffix(".idx").read_text() == "hello-1.1-1.noarch\nhello-data-1.1-1.noarch\n"


def test_two_builders_make_the_same_bytes(builders: Builders) -> None:
    digests = [hashlib.sha256(builders.iso(name).read_bytes()).hexdigest() for name in ("one", "two")]
    assert digests[0] == digests[1]
    assert builders.iso("one").with_suffix(".sha256").read_text().split()[0] == digests[0]
    sboms = [builders.iso(name).with_suffix(".spdx.json").read_bytes() for name in ("one", "two")]
    assert sboms[0] == sboms[1]
    assert [one["name"] for one in json.loads(sboms[0])["packages"]] == ["hello", "hello-data"]


def test_a_second_run_changes_nothing(builders: Builders) -> None:
    before = files(builders.folder / "signed")
    _output, changes = builders.play("--limit", "signed")
    assert changes == {"signed": 0} and files(builders.folder / "signed") == before


@pytest.mark.parametrize("firmware", ["bios", "disk", "uefi", "stick"])
def test_it_boots(builders: Builders, firmware: str) -> None:
    said = builders.boot(firmware, builders.iso("signed"))
    assert "Start the disc" in said and "Linux version" in said, said[-2000:]
    assert re.search(READY + r" .*disc=hello", said), said[-2000:]


def test_dnf_installs_from_it_with_both_checks_on(builders: Builders) -> None:
    disc = builders.unpack(builders.iso("signed"))
    assert "Importing GPG key" in builders.dnf(disc, "good", "install", "hello")
    root = builders.folder / "roots/good"
    assert (root / "usr/share/hello/line").read_text() == "hello 1.1\n"
    assert (root / "usr/share/hello-data/line").exists()
    sums = builders.iso("signed").with_suffix(".sha256")
    home = builders.folder / "gnupg"
    run("gpg", "--homedir", home, "--verify", str(sums) + ".asc", sums)
    # A package of the other builder has no signature.
    victim = disc / "media/main/hello-1.1-1.noarch.rpm"
    victim.write_bytes((builders.folder / "one/build/media/main" / victim.name).read_bytes())
    assert "hello" in builders.dnf(disc, "bad", "install", "hello", fails=True)
    assert not (builders.folder / "roots/bad/usr/share/hello").exists()


def test_the_report_in_a_browser(builders: Builders) -> None:
    page = builders.folder / "signed/iso/report.html"
    text = page.read_text()
    assert "OK: every package can be installed" in text and "hello-1.1-1" not in text.partition("<svg")[0]
    links = [link for link in re.findall(r'href="([^"]+)"', text) if "://" not in link]
    assert links and all((page.parent / link).exists() for link in links)
    picture = builders.screenshot(page)
    assert picture.startswith(b"\x89PNG") and len(picture) > 20000


def stages(output: str) -> list[str]:
    return re.findall(r"^TASK \[[\w.]+ : (.+?)\]", output, re.MULTILINE)


def test_stages_are_tags(builders: Builders) -> None:
    output, changes = builders.play("--limit", "one", "--tags", "isolinux,info,list,checkrepo")
    found = stages(output)
    assert changes == {"one": 0} and "Write the boot menu" in found
    assert "Show what the source repositories hold" in found and "Choose the packages" not in found
    builders.iso("one").unlink()
    output, changes = builders.play("--limit", "one", "--tags", "all,noiso")
    assert "Write the media files, product.id and VERSION" in stages(output)
    assert not list((builders.folder / "one/iso").glob("*.iso"))


def test_errors_come_before_anything_is_written(builders: Builders) -> None:
    before = files(builders.folder / "one")
    cases: list[tuple[dict[str, t.Any], str]] = [
        ({"iso_builder_packages": ["helo"]}, "no package is called helo (packages), near it: hello"),
        (
            {"iso_builder_exclude_packages": ["hello-data"]},
            "would come from hello-data-1.1-1.noarch, which is excluded",
        ),
    ]
    for given, told in cases:
        output, _changes = builders.play("--limit", "one", "--tags", "media", "-e", json.dumps(given), fails=True)
        assert told in output.replace("\\n", " ")
    assert files(builders.folder / "one") == before


def test_cleaning(builders: Builders) -> None:
    builders.play("--limit", "two", "--tags", "clean")
    assert files(builders.folder / "two") == set()
