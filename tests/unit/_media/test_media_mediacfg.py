# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""media.cfg: defaults, variables, preserved lines, damage."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.mediacfg import (
    GLOBAL,
    media_of,
    parse_mediacfg,
    render_mediacfg,
    sized,
)
from ansible_collections.xtreemos.cluster.tests.unit._rpm.samples import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

TEXT = """# a tree
[media_info]
mediacfg_version = 3
version=2009.0
arch=x86_64

; the first
[main/release]
name=Main ${version} %{media_type}
media_type=release
continued=one \\
two
[contrib]
noauto=1
xml-info=0
"""


def test_recorded_file() -> None:
    text = (GOLDEN / "distrib" / "media" / "media_info" / "media.cfg").read_text()
    cfg = parse_mediacfg(text)
    assert render_mediacfg(cfg) == text
    found = {medium.section: medium for medium in media_of(cfg)}
    assert list(found) == cfg.sections and len(found) == 6
    assert found["main/release"].pubkey == "pubkey_main_release" and found["main/release"].xml_info is True
    assert found["SRPMS"].folder == "media/SRPMS" and found["SRPMS"].noauto
    assert found["contrib/release"].synthesis == "synthesis.hdlist_contrib_release.cz"


def test_values() -> None:
    cfg = parse_mediacfg(TEXT)
    assert cfg.get("main/release", "name") == "Main 2009.0 release"
    assert cfg.get("main/release", "continued") == "one  two"
    assert cfg.get("main/release", "none", "default") == "default" and cfg.raw(GLOBAL, "none") is None
    main, contrib = media_of(cfg)
    assert (main.hdlist, main.noauto, main.xml_info) == ("hdlist_main_2009.0_release.cz", False, None)
    assert (contrib.name, contrib.hdlist, contrib.pubkey) == ("contrib", "hdlist_contrib.cz", "pubkey_contrib")
    assert (contrib.noauto, contrib.xml_info, contrib.folder) == (True, False, "media/contrib")


def test_only_what_is_set_changes() -> None:
    cfg = parse_mediacfg(TEXT)
    assert cfg.set("contrib", "noauto", "1") == cfg
    changed = cfg.set("contrib", "noauto", "0").set("main/release", "size", "70k").set("contrib", "size", "1m")
    wanted = TEXT.replace("noauto=1", "noauto=0").replace("two\n", "two\nsize=70k\n").replace("=0\n", "=0\nsize=1m\n")
    assert render_mediacfg(changed) == wanted.replace("noauto=0\nsize=1m\n", "noauto=0\n")
    with pytest.raises(ClusterError, match=r"no section \[other\]"):
        cfg.set("other", "a", "b")


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Big Name/Two", "big_name_two"), ("contrib", "contrib"), ('"Quoted"', '"quoted"'), ("A  b//c", "a_b_c")],
)
def test_default_file_names(name: str, slug: str) -> None:
    """As MDV::Distribconf 4.02 gives them, which clients use."""
    (medium,) = media_of(parse_mediacfg("[m]\nname=%s\n" % name))
    wanted = ("hdlist_%s.cz" % slug, "synthesis.hdlist_%s.cz" % slug, "pubkey_%s" % slug)
    assert (medium.hdlist, medium.synthesis, medium.pubkey) == wanted


@pytest.mark.parametrize(
    ("text", "section", "folder"),
    [
        ("[main/release]\n", "main/release", "media/media_info/main/release"),
        ("[/x86_64/main]\n", "/x86_64/main", "x86_64/main"),
        ("[media_info]\nmediacfg_version=2\n[main]\n", "main", "media/main"),
        ("[media_info]\nmediacfg_version=3\n[../../SRPMS/core]\n", "../../SRPMS/core", "../SRPMS/core"),
        ("mediacfg_version=2\n[main]\n", "main", "media/main"),
    ],
)
def test_places(text: str, section: str, folder: str) -> None:
    (medium,) = media_of(parse_mediacfg(text))
    assert (medium.section, medium.folder) == (section, folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[media_info]\nnonsense\n", "media.cfg line 2: neither"),
        ("[media_info\n", "line 1: neither"),
        ("[a]\nx=1\nx=2\n", "line 3: x=2 is there twice"),
        ("[a]\n[b]\n[a]\n", r"line 3: \[a\] is there twice"),
        ("[a]\nx=1 \\", "line 2: it is continued, but nothing follows"),
        ("=1\n", "line 1: neither"),
    ],
)
def test_bad_files(text: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        parse_mediacfg(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a b]\nname=a_b\n[c]\nname=A B\n", "have the same hdlist hdlist_a_b.cz"),
        ("[a]\nname=x\n[b]\nname=x\n", "have the same name x"),
        ("[media_info]\nmediacfg_version=2\n[a]\n[a/]\nname=y\n", "have the same folder media/a"),
        ("[media_info]\nmediacfg_version=3\na=${b}\nb=${a}\n[m]\nname=${a}\n", "refer to each other without end"),
    ],
)
def test_media_that_collide(text: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        media_of(parse_mediacfg(text))


@given(st.text("[]=#; \\\nabc${}%", max_size=60))
def test_any_text_is_kept_or_refused(text: str) -> None:
    try:
        assert render_mediacfg(parse_mediacfg(text)) == text
    except ClusterError as error:
        assert "media.cfg line" in error.message


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0"), (1023, "1023"), (1024, "1k"), (72525, "70k"), (5 << 20, "5m"), (3 << 40, "3072g")]
)
def test_sizes(size: int, shown: str) -> None:
    assert sized(size) == shown
