# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""urpmi.cfg: what is read, kept, refused and written."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._media import urpmicfg
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.urpmicfg import (
    Block,
    UrpmiCfg,
    new_block,
    parse_urpmicfg,
    render_urpmicfg,
)
from hypothesis import given
from hypothesis import strategies as st

# The layout of urpmi's writer as it was recorded.
RECORDED = """{
  downloader: curl
  split-length: 0
  verify-rpm: 0
}

a\\ b /path/or/url {
  ignore
  key-ids: 4310025f
  update
}

Main\\ Release  {
  mirrorlist: $MIRRORLIST
  with-dir: media/main/release
}
"""
BY_HAND = """# ours
{
}
  # the main one
main   http://host/x\t{
\tupdate
  frobnicate
  # why
  no-recommends
  key_ids: '12345678'
  no-verify-rpm
  limit-rate : "100"
}
# end"""


def test_recorded_layout() -> None:
    cfg = parse_urpmicfg(RECORDED)
    assert cfg.options == {"downloader": "curl", "split-length": "0", "verify-rpm": "0"}
    assert {name: (medium.url, medium.options) for name, medium in cfg.media.items()} == {
        "a b": ("/path/or/url", {"ignore": None, "key-ids": "4310025f", "update": None}),
        "Main Release": ("", {"mirrorlist": "$MIRRORLIST", "with-dir": "media/main/release"}),
    }
    made = [new_block("", "", cfg.options), *(new_block(b.name, b.url, b.options) for b in cfg.media.values())]
    assert "\n\n".join("\n".join(block.lines) for block in made) + "\n" == RECORDED


@pytest.mark.parametrize("text", ["", "\n", "# only\n", "{\n}", RECORDED, BY_HAND, RECORDED.replace("\n", "\r\n")])
def test_what_nobody_changes_stays(text: str) -> None:
    assert render_urpmicfg(parse_urpmicfg(text)) == text


def test_a_file_written_by_hand() -> None:
    main = parse_urpmicfg(BY_HAND).media["main"]
    assert main.url == "http://host/x"
    assert main.options == {
        "update": None, "no-recommends": None, "key-ids": "12345678", "verify-rpm": "0", "limit-rate": "100"
    }  # fmt: skip


def test_a_change_touches_its_line_alone() -> None:
    main = parse_urpmicfg(BY_HAND).media["main"]
    assert main.with_options(main.options) == main and main.with_url(main.url) == main
    changed = main.with_url("ftp://a b").with_options({**main.options, "key-ids": "87654321", "ignore": None})
    wanted = BY_HAND.replace("main   http://host/x\t{", "main ftp://a\\ b {").replace(
        "key_ids: '12345678'", "key-ids: 87654321"
    )
    wanted = wanted.replace("\tupdate\n", "  ignore\n\tupdate\n")
    assert "\n".join(changed.lines) in wanted and "  ignore\n\tupdate" in "\n".join(changed.lines)
    bare = main.with_options({})
    assert bare.options == {} and [row.text for row in bare.rows] == ["  frobnicate", "  # why"]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("verify-rpm", "verify-rpm", "1"),
        ("no-verify-rpm", "verify-rpm", "0"),
        ("verify-rpm: yes", "verify-rpm", "1"),
        ("verify-rpm: on", "verify-rpm", "1"),
        ("verify-rpm: 0", "verify-rpm", "0"),
        ("no-verify-rpm: 1", "verify-rpm", "0"),
        ("key_ids: a,b", "key-ids", "a,b"),
        ("xml-info: 'always'", "xml-info", "always"),
        ('curl-options: "-x y"', "curl-options", "-x y"),
        ("virtual", "virtual", None),
        ("virtual: 1", "", None),
        ("whatever: 1", "", None),
        ("not an option", "", None),
    ],
)
def test_options(line: str, key: str, value: str | None) -> None:
    (block,) = parse_urpmicfg("{\n %s\n}\n" % line).blocks
    assert (block.rows[0].key, block.rows[0].value) == (key, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frob\n", "f.cfg:1: syntax error outside of any block: frob"),
        ("{\n}\n}\n", "f.cfg:3: syntax error: no block is open"),
        ("# a\n\na /x {\n update\n", "f.cfg:3: the block has no }"),
        ("a /x {\nb /y {\n}\n", "f.cfg:2: syntax error: the block of line 1 has no }"),
        ("a /x {\n}\n{\n}\na /y {\n}\n", "f.cfg:5: medium 'a' is defined twice, first in line 1"),
        ("a\\ b /x {\n}\na\\ b /y {\n}\n", "f.cfg:3: medium 'a b' is defined twice"),
        ("a /x {\n xml-info: never\n xml-info: always\n}\n", "f.cfg:3: option set twice"),
        ("a /x {}\n", "f.cfg:1: syntax error outside"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(ClusterError) as caught:
        parse_urpmicfg(text, "f.cfg")
    assert caught.value.message.startswith(message) and caught.value.hint


names = st.text(st.characters(blacklist_characters="\n\\", blacklist_categories=("Cs",)), min_size=1).filter(
    lambda name: name == name.strip() and not name.startswith(("#", "{", "}"))
)
values = st.from_regex(r"[a-z0-9/:.%]{1,12}", fullmatch=True)
options = st.dictionaries(st.sampled_from(sorted(urpmicfg.VALUES)), values, max_size=4)
flags = st.dictionaries(st.sampled_from(sorted(urpmicfg.FLAGS)), st.none(), max_size=3)


@given(st.dictionaries(names, st.tuples(st.one_of(st.just(""), names), options, flags), max_size=5))
def test_what_is_written_is_read_again(media: dict[str, tuple[str, dict[str, str], dict[str, None]]]) -> None:
    blocks = tuple(new_block(name, url, {**some, **more}) for name, (url, some, more) in media.items())
    again = parse_urpmicfg(render_urpmicfg(UrpmiCfg(blocks)))
    assert {name: (block.url, block.options) for name, block in again.media.items()} == {
        name: (url, {**some, **more}) for name, (url, some, more) in media.items()
    }


@given(st.lists(st.sampled_from(["{", "}", "a /x {", "b  {", " update", "# c", "", "frob: x", " \t", "x\\ y z {"])))
def test_every_accepted_file_comes_back(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        cfg = parse_urpmicfg(text)
    except ClusterError as error:
        assert "urpmi.cfg:" in error.message
    else:
        assert render_urpmicfg(cfg) == text


def test_block_defaults() -> None:
    assert Block("a").lines == ["a  {", "}"]
