# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes to urpmi.cfg and the files beside it, on text alone."""

from __future__ import annotations

import re

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._media.urpmicfg import parse_urpmicfg, render_urpmicfg
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.beside import (
    masked,
    parse_netrc,
    render_list,
    render_netrc,
    render_proxy,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.edit import Globals, edit, global_options
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.source import Login
from ansible_collections.xtreemos.cluster.plugins.module_utils._urpmi.wanted import Wanted
from hypothesis import given
from hypothesis import strategies as st

NONE = Globals({})


def edited(text: str, *wanted: Wanted, exclusive: bool = False, options: Globals = NONE) -> str:
    return render_urpmicfg(edit(parse_urpmicfg(text), wanted, exclusive, options))


A, B = "a http://h/a {\n}\n", "b http://h/b {\n  update\n}\n"


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("", [Wanted("a", "http://h/a")], "{\n}\n\n" + A),
        ("# ours\n", [Wanted("a", "http://h/a")], "# ours\n{\n}\n\n" + A),
        (A, [Wanted("b", "http://h/b", {"update": None})], A + "\n" + B),
        (A.rstrip("\n"), [Wanted("b", "http://h/b", {"update": None})], A + "\n" + B),
        (A + "# end", [Wanted("b", "http://h/b", {"update": None})], A + "\n" + B + "# end"),
        # Local media stand before the first remote one.
        ("{\n}\n\n" + A, [Wanted("l", "/l")], "{\n}\n\nl /l {\n}\n\n" + A),
        ("{\n}\n\n" + A, [Wanted("l", "file:///l")], "{\n}\n\nl file:///l {\n}\n\n" + A),
        ("l /l {\n}\n\n" + A, [Wanted("m", "/m")], "l /l {\n}\n\nm /m {\n}\n\n" + A),
        # Comments above a medium that goes stay.
        ("# one\n" + A + "\n# two\n" + B, [Wanted("a", state="absent")], "\n# two\n# one\n" + B),
        (A + "# two\n" + B, [Wanted("b", state="absent")], A + "# two\n"),
        (A + "\n" + B, [Wanted("b", priority=1), Wanted("a")], B + "\n" + A),
        (A + "\n" + B, [Wanted("b", unset=frozenset(["update"]))], (A + "\n" + B).replace("  update\n", "")),
        (A + "\n" + B, [Wanted("b", None, {"update": None}), Wanted("a", "http://h/a")], A + "\n" + B),
    ],
)
def test_edit(before: str, wanted: list[Wanted], after: str) -> None:
    result = edited(before, *wanted)
    assert result.strip("\n") == after.strip("\n")
    assert edited(result, *wanted) == result


def test_globals() -> None:
    text = "a /a {\n}\n\n{\n  auto: 1\n  keep\n}\n{\n  auto: 0\n}\n"
    options = global_options({"auto": True, "keep": None, "downloader": "curl", "fuzzy": "no"})
    result = edited(text, options=options)
    assert parse_urpmicfg(result).options == {"auto": "1", "downloader": "curl", "fuzzy": "0"}
    assert edited(result, options=options) == result
    assert edited("", options=global_options({"fuzzy": False})) == "{\n  fuzzy: 0\n}\n"
    assert edited(text, options=global_options({"keep": None})) == text.replace("  keep\n", "")


names = st.sampled_from("abcdef")
lines = st.sampled_from(["", "# comment", "  # indented"])
blocks = st.tuples(names, st.lists(lines, max_size=2), st.sampled_from(["", "  update\n", "  odd one\n  # why\n"]))
wishes = st.builds(
    Wanted,
    names,
    st.sampled_from(["/x", "http://h/x"]),
    st.sampled_from([{}, {"update": None}, {"xml-info": "always"}]),
    st.sampled_from([frozenset(), frozenset(["ignore"])]),
    st.sampled_from(["present", "absent"]),
    st.sampled_from([None, 1, 99]),
)


@given(
    st.lists(blocks, max_size=5, unique_by=lambda block: block[0]),
    st.lists(wishes, max_size=4, unique_by=lambda wish: wish.name),
    st.booleans(),
)
def test_an_edit_is_done_once_and_loses_no_comment(
    before: list[tuple[str, list[str], str]], wanted: list[Wanted], exclusive: bool
) -> None:
    text = "".join(
        "%s%s /%s {\n%s}\n" % ("".join(x + "\n" for x in more), name, name, row) for name, more, row in before
    )
    result = edited(text, *wanted, exclusive=exclusive)
    assert edited(result, *wanted, exclusive=exclusive) == result
    media = parse_urpmicfg(result).media
    present = {one.name for one in wanted if one.state == "present"}
    absent = {one.name for one in wanted if one.state == "absent"}
    kept = set() if exclusive else {name for name, _more, _row in before}
    assert set(media) == (kept - absent) | present
    for one in wanted:
        if one.state == "present":
            assert media[one.name].url == one.url and one.options.items() <= media[one.name].options.items()
    assert result.count("comment") == text.count("comment")
    assert result.count("odd one") == sum("odd" in row and name in media for name, _more, row in before)


def test_netrc() -> None:
    text = "# mine\nmachine a login u password p\ndefault login x\n"
    assert parse_netrc(text) == [Login("a", "u", "p")]
    assert render_netrc(text, [], set()) == text
    assert render_netrc(text, [Login("a", "u", "q"), Login("b", "v", "r")], set()) == (
        "# mine\nmachine a login u password q\ndefault login x\nmachine b login v password r\n"
    )
    assert render_netrc(text, [], {("a", "u")}) == "# mine\ndefault login x\n"
    assert render_netrc("", [Login("a", "u", "p")], set()) == "machine a login u password p\n"


@pytest.mark.parametrize(
    ("password", "written"),
    [("p", "p"), ("a:b", "a%3Ab"), ("a@b/c", "a%40b%2Fc"), ("50%", "50%25"), ("a#b?c", "a%23b%3Fc"), ("$!,;", "$!,;")],
)
def test_a_password_reaches_the_server_through_the_url_of_urpmi(password: str, written: str) -> None:
    """urpm::download::parse_url_with_login takes a password without ``:``, ``@`` and ``/`` only."""
    text = render_netrc("", [Login("h:8080", "u@x", password)], set())
    assert text == "machine h:8080 login u%%40x password %s\n" % written
    assert parse_netrc(text) == [Login("h:8080", "u@x", password)]
    user, word = (part for at, part in enumerate(text.split()) if at in (3, 5))
    found = re.fullmatch(r"([^:]*)://([^/:@]*)(:([^/:@]*))?@([^/]*)(.*)", "http://%s:%s@h:8080/m" % (user, word))
    assert found is not None and found.group(5) == "h:8080"
    assert render_netrc(text, [Login("h:8080", "u@x", password)], set()) == text
    assert render_netrc(text, [], {("h:8080", "u@x")}) == ""


def test_proxy_and_lists() -> None:
    text = "# ours\nmain: http_proxy=m:1\nhttp_proxy=old:1\nproxy_user=a:b\n"
    assert render_proxy(text, {"http": "new:2"}) == "# ours\nmain: http_proxy=m:1\nhttp_proxy=new:2\n"
    assert render_proxy(text, {}) == "# ours\nmain: http_proxy=m:1\n"
    assert render_list("# why\nold\n", ["new", "/^x/"], "skip_list") == "# why\nnew\n/^x/\n"
    assert masked("a http://u:p@h/x {\nproxy_user=u:p\n") == "a http://u:********@h/x {\nproxy_user=u:********\n"
