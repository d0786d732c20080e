# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machine addresses: every spelling that ctys knew, exact answers, and errors that name the candidates."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import address as addr
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import normal
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.address import Address, Entry
from hypothesis import given
from hypothesis import strategies as st

PLAIN = "6842caf91e3e43249ed596b8b9f2c5c2"
DASHED = "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2"
CONF = "/srv/user/xen/tst-ctys/tst100/tst100.conf"

GUESTS = [
    Entry("tst100", CONF, DASHED, ("00:50:56:13:11:40",), ("192.168.1.220",), 1),
    Entry("tst10", "/etc/xen/tst10.cfg", "", ("00:50:56:13:11:41", "00:50:56:13:11:42"), ("fe80::1", "10.0.0.1"), 2),
    Entry("tst101", "/etc/xen/auto/tst101", "11111111-2222-3333-4444-555555555555", (), (), 3),
    # A backup beside the original, the usual cause of two answers.
    Entry("tst100", "/srv/backup/tst100/tst100.conf", DASHED, ("00:50:56:13:11:40",), ("192.168.1.220",), 4),
    Entry("live", "", "22222222-2222-3333-4444-555555555555", ("00:16:3e:00:00:01",), (), 5),
]

PARSED = [
    ("l:tst100", Address(label="tst100")),
    ("LABEL:tst100", Address(label="tst100")),
    ("tst100", Address(label="tst100")),
    (" l:tst100 , u:%s " % PLAIN, Address(label="tst100", uuid=DASHED)),
    ("U:%s" % DASHED.upper(), Address(uuid=DASHED)),
    ("m:00-50-56-13-11-4A", Address(mac="00:50:56:13:11:4a")),
    ("MAC:00:50:56:13:11:40,t:192.168.1.220", Address(mac="00:50:56:13:11:40", ip="192.168.1.220")),
    ("tcp:FE80::0001", Address(ip="fe80::1")),
    ("p:/a//b/./c.conf", Address(path="/a/b/c.conf")),
    ("i:/a/b.conf", Address(path="/a/b.conf")),
    ("p:$HOME/xen/a.conf", Address(path="~/xen/a.conf")),
    ("f:xen/tst-ctys/tst100/tst100.conf", Address(filename="xen/tst-ctys/tst100/tst100.conf")),
    ("fname:/a.conf", Address(filename="a.conf")),
    ("f:a.conf,b:xen%/etc/ctys.d", Address(filename="a.conf", search_paths=("~/xen", "/etc/ctys.d"))),
    ("dr:7", Address(record=7)),
    ({"label": "a"}, Address(label="a")),
    ({"name": "a", "mac": None, "search_paths": ["/etc/xen/"]}, Address(label="a", search_paths=("/etc/xen",))),
    ({"record": 3}, Address(record=3)),
    ({"l": "a", "base": "/x%/y"}, Address(label="a", search_paths=("/x", "/y"))),
]


@pytest.mark.parametrize(("text", "wanted"), PARSED)
def test_addresses_are_read(text: t.Any, wanted: Address) -> None:
    assert addr.parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "home", "wanted"),
    [
        ("p:~/a.conf", "/root", Address(path="/root/a.conf")),
        ("p:$HOME/a.conf", "/root", Address(path="/root/a.conf")),
        ("f:a,b:xen%~%$HOME/y", "/h", Address(filename="a", search_paths=("/h/xen", "/h", "/h/y"))),
    ],
)
def test_home_is_that_of_the_machine(text: str, home: str, wanted: Address) -> None:
    assert addr.parse(text, home) == wanted


BAD = [
    ("", "names no guest"),
    (",", "names no guest"),
    ({}, "names no guest"),
    ("b:/etc/xen", "names no guest"),
    (7, "no address"),
    (None, "no address"),
    (["l:a"], "no address"),
    ("x:tst100", "'x' is no key"),
    ("POWEROFF:0,l:a", "'POWEROFF' is no key"),
    ({"colour": "red"}, "'colour' is no key"),
    ("l:", "empty label"),
    ({"label": " "}, "empty label"),
    ("l:a,label:b", "two values for label"),
    ("i:/a,p:/a", "two values for path"),
    ("l:a b", "'a b' is no label"),
    ("l:tst*", "no label"),
    ("u:123", "no uuid"),
    ("u:%s0" % PLAIN, "no uuid"),
    ("u:" + "g" * 32, "no uuid"),
    ("m:00:50:56:13:11", "no MAC"),
    ("m:00:50:56:13:11:zz", "no MAC"),
    ("t:192.168.1", "no IP"),
    ("t:192.168.1.0/24", "no IP"),
    ("p:xen/a.conf", "not absolute"),
    ("p:/a/../b", "no path"),
    ("f:../b", "no path"),
    ({"path": "/a b"}, "no path"),
    ("dr:0", "number of a record"),
    ("dr:-1", "number of a record"),
    ("dr:x", "number of a record"),
]


@pytest.mark.parametrize(("text", "what"), BAD)
def test_bad_addresses_are_told(text: t.Any, what: str) -> None:
    with pytest.raises(ClusterError, match=what) as caught:
        addr.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize("wanted", [one for _text, one in PARSED])
def test_what_is_rendered_reads_the_same(wanted: Address) -> None:
    assert addr.parse(addr.render(wanted)) == wanted


FOUND = [
    ("l:tst10", [2]),
    ("l:tst101", [3]),
    ("l:tst100,b:/srv/user", [1]),
    ("f:tst100.conf,b:/srv/backup%/etc", [4]),
    ("p:%s" % CONF, [1]),
    ("p:%s,u:%s,t:192.168.1.220,m:00:50:56:13:11:40,l:tst100" % (CONF, PLAIN), [1]),
    ("f:tst-ctys/tst100/tst100.conf", [1]),
    ("f:xen/tst10.cfg", [2]),
    ("m:00:50:56:13:11:42", [2]),
    ("t:FE80:0::1", [2]),
    ("u:11111111222233334444555555555555", [3]),
    ("dr:2", [2]),
    ("dr:4,l:tst100", [4]),
    ("m:00:16:3E:00:00:01,l:live", [5]),
    # A live guest without a file lies nowhere, so no search path shuts it out.
    ("l:live,b:/etc/xen", [5]),
]


@pytest.mark.parametrize(("text", "wanted"), FOUND)
@pytest.mark.parametrize("match", addr.MATCHES)
def test_one_guest_is_found_in_every_way(text: str, wanted: list[int], match: str) -> None:
    assert [entry.origin for entry in addr.find(addr.parse(text), GUESTS, match)] == wanted


SEVERAL = ["l:tst100", "u:%s" % PLAIN, "m:00:50:56:13:11:40", "t:192.168.1.220", "f:tst100.conf"]


@pytest.mark.parametrize("text", SEVERAL)
def test_several_guests_are_told_with_their_paths(text: str) -> None:
    with pytest.raises(ClusterError, match="fits 2 guests") as caught:
        addr.find(addr.parse(text), GUESTS)
    assert CONF in str(caught.value) and "/srv/backup/tst100/tst100.conf" in str(caught.value)


@pytest.mark.parametrize("text", SEVERAL)
@pytest.mark.parametrize(("match", "wanted"), [("first", [1]), ("all", [1, 4])])
def test_several_guests_can_be_taken(text: str, match: str, wanted: list[int]) -> None:
    assert [entry.origin for entry in addr.find(addr.parse(text), GUESTS, match)] == wanted


def test_a_long_list_of_candidates_is_cut() -> None:
    many = [Entry("a", "/x/%d" % number) for number in range(25)]
    with pytest.raises(ClusterError, match="fits 25 guests: .*/x/9.*and 15 more"):
        addr.find(Address(label="a"), many)


# Part of a name, another case, a pattern: ctys took these for tst100.
@pytest.mark.parametrize("text", ["l:tst", "l:TST100", "l:st100", "l:tst1000", "l:t.t100", "f:st100.conf"])
def test_only_the_whole_value_counts(text: str) -> None:
    assert addr.find(addr.parse(text), GUESTS, "all") == []
    for match in ("unique", "first"):
        with pytest.raises(ClusterError, match="there is no guest"):
            addr.find(addr.parse(text), GUESTS, match)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("l:tst10,m:00:50:56:13:11:40", "(label|mac)"),
        ("l:tst100,t:10.0.0.1", "ip"),
        ("l:tst100,u:11111111222233334444555555555555", "uuid"),
        ("p:%s,l:tst10" % CONF, "label"),
        ("f:tst10.cfg,l:tst100", "(label|filename)"),
        ("dr:1,l:tst101", "label"),
    ],
)
@pytest.mark.parametrize("match", addr.MATCHES)
def test_keys_of_different_guests_are_an_error_in_every_way(text: str, other: str, match: str) -> None:
    with pytest.raises(ClusterError, match="do not agree: .* has another %s" % other):
        addr.find(addr.parse(text), GUESTS, match)


def test_an_unknown_way_to_match_is_told() -> None:
    with pytest.raises(ClusterError, match="'last' is no way"):
        addr.find(Address(label="a"), GUESTS, "last")


@pytest.mark.parametrize("junk", ["", "x", "FE:FF:FF:FF:FF:FF:FF", "1.2.3"])
def test_nonsense_of_foreign_files_matches_nothing(junk: str) -> None:
    for form in (normal.normal_uuid, normal.normal_mac, normal.normal_ip):
        assert normal.quiet(form, junk) == ""


@given(st.one_of(st.text(max_size=60), st.text("lLuUmMtTpPfFbB:,%/~$HOME.0a ", max_size=40)))
def test_any_text_gives_an_address_or_one_error(text: str) -> None:
    try:
        found = addr.parse(text)
    except ClusterError as error:
        assert error.message and error.hint
        return
    assert addr.parse(addr.render(found)) == found


ENTRIES = st.builds(
    Entry,
    st.sampled_from(["a", "ab", "abc"]),
    st.sampled_from(["", "/a", "/x/a", "/x/ba"]),
    st.sampled_from(["", DASHED]),
    st.sampled_from([(), ("00:16:3e:00:00:01",)]),
    st.sampled_from([(), ("10.0.0.1",), ("10.0.0.1", "10.0.0.2")]),
)


@given(st.lists(ENTRIES, max_size=6), st.sampled_from(["l:a", "l:ab,t:10.0.0.1", "f:a", "u:%s" % PLAIN, "dr:2"]))
def test_the_three_ways_agree(entries: list[Entry], text: str) -> None:
    answers: dict[str, list[Entry] | None] = {}
    for match in addr.MATCHES:
        try:
            answers[match] = addr.find(addr.parse(text), entries, match)
        except ClusterError:
            answers[match] = None
    every = answers["all"]
    assert answers["first"] == (every[:1] if every else None)
    assert answers["unique"] == (every if every and len(every) == 1 else None)
