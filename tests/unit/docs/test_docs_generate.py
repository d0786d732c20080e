# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generator of the reference pages: markup, tables, order."""

from __future__ import annotations

import importlib.util
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def generate() -> t.Any:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Plain.", "Plain."),
        ("O(wait.stage=up) is V(x)", "`wait.stage=up` is `x`"),
        ("C(/images/) E(HOME) RV(nodes)", "`/images/` `HOME` `nodes`"),
        (r"V(a\)b)", "`a)b`"),
        ("B(bold) I(it)", "**bold** *it*"),
        ("M(xtreemos.cluster.pxe_nodes)", "[xtreemos.cluster.pxe_nodes](module_pxe_nodes.md)"),
        ("P(xtreemos.cluster.node_list#filter)", "[xtreemos.cluster.node_list](filter_node_list.md)"),
        ("M(ansible.builtin.copy)", "`ansible.builtin.copy`"),
        ("U(https://a.example) L(there, https://b.example)", "<https://a.example> [there](https://b.example)"),
        ("ISO(9660) and BIOS (x)", "ISO(9660) and BIOS (x)"),
    ],
)
def test_markup(generate: t.Any, text: str, want: str) -> None:
    assert generate.markdown(text) == want


def test_option_rows(generate: t.Any) -> None:
    options = {
        "b": {"type": "int", "default": 0, "description": "A | b."},
        "a": {"type": "list", "elements": "dict", "description": ["One.", "Two."], "suboptions": {
            "z": {"description": "Z.", "choices": ["x", "y"], "default": ""},
        }},
        "n": {"required": True, "description": "N."},
    }  # fmt: skip
    assert list(generate.option_rows(options)) == [
        "| `n` | str | **required** | N. |",
        "| `a` | list of dict |  | One. Two. |",
        '| `a[].z` | str | `""` | Z. Choices: `x`, `y`. |',
        "| `b` | int | `0` | A \\| b. |",
    ]


def test_a_role_page_begins_with_main(generate: t.Any) -> None:
    page = generate.role_page(
        "r", {"down": {"short_description": "D"}, "main": {"options": {"r_x": {"description": "X."}}}}
    )
    assert page.startswith("<!-- Written by docs/generate.py") and "# Role xtreemos.cluster.r" in page
    assert page.index("Entry point main") < page.index("Entry point down")
    assert "| `r_x` | str |  | X. |" in page


def test_a_page_without_options_has_no_table(generate: t.Any) -> None:
    page = generate.plugin_page("filter", "xtreemos.cluster.f", {"doc": {"short_description": "F"}})
    assert "## Options" not in page and page.rstrip().endswith("F.")
