# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages that the end-to-end tests type: their blocks are found, are shell, and name what exists."""

from __future__ import annotations

import re
import subprocess

import pytest
from ansible_collections.xtreemos.cluster.tests.e2e.rack import ROOT, page_blocks

PAGES = ("tutorial.md", "howto-mirror.md")


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("```sh\nmake lab\n```\n", ["make lab\n"]),
        ("a\n```sh\none\n\ntwo\n```\nb\n```\nnot shell\n```\n```sh\nthree\n```\n", ["one\n\ntwo\n", "three\n"]),
        ("```yaml\na: 1\n```\n", []),
        ("```sh\nnever closed\n", []),
        ("text ```sh inline``` text\n", []),
    ],
)
def test_extraction(text: str, blocks: list[str]) -> None:
    assert page_blocks(text) == blocks


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_found_and_parses(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = page_blocks(text)
    assert blocks and len(blocks) == len(re.findall(r"^\s*```sh", text, re.MULTILINE))
    for block in blocks:
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_the_tutorial_names_what_exists() -> None:
    words = " ".join(page_blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")))
    playbooks = set(re.findall(r"playbooks/\w+\.yml", words))
    assert playbooks and all((ROOT / name).is_file() for name in playbooks)
    targets = set(re.findall(r"^make ([\w-]+)", words, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"lab", "lab-down", "status"} <= targets | {word for word in ("lab-down",) if "make lab-down" in words}
    assert all(re.search(r"^%s:" % re.escape(name), makefile, re.MULTILINE) for name in targets)
    assert words.index("make lab") < words.index("make lab-down")
