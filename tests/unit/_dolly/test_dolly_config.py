# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dolly.cfg: the file of the old documents, round trips, every way to get it wrong."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly import config
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.config import Add, Config
from ansible_collections.xtreemos.cluster.plugins.module_utils._dolly.errors import DollyError
from hypothesis import given
from hypothesis import strategies as st

OLD = """\
infile diskless_node.img
outfile /dev/ram3
server servernode
firstclient 10.0.1.31
lastclient 10.0.1.33
clients 3
10.0.1.31
10.0.1.32
10.0.1.33
endconfig
"""
FULL = """\
compressed infile /srv/image.gz split
compressed outfile /data/image.gz split 8M
segsize 1400
add 1:-giga
hyphennormal
server head
firstclient n1
lastclient n2
clients 2
n1
n2
endconfig
"""


def test_the_file_of_the_old_documents() -> None:
    parsed = config.parse(OLD)
    names = ("10.0.1.31", "10.0.1.32", "10.0.1.33")
    assert parsed == Config("diskless_node.img", "/dev/ram3", "servernode", names, "10.0.1.31")
    assert config.render(parsed) == OLD


def test_every_optional_line() -> None:
    parsed = config.parse(FULL)
    assert parsed == Config(
        infile="/srv/image.gz",
        outfile="/data/image.gz",
        server="head",
        clients=("n1", "n2"),
        first="n1",
        compressed_in=True,
        compressed_out=True,
        split_in=True,
        split_out="8M",
        segsize=1400,
        add=Add("add", 1, ("-giga",)),
        hyphen="hyphennormal",
    )
    assert config.render(parsed) == FULL


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("add 0:-g", "add", Add("add", 0, ("-g",))),
        ("add2 2:-a:-b", "add", Add("add2", 2, ("-a", "-b"))),
        ("fanout 3", "fanout", 3),
        ("hypheninterface", "hyphen", "hypheninterface"),
    ],
)
def test_other_optional_lines(line: str, field: str, value: object) -> None:
    text = OLD.replace("server s", line + "\nserver s")
    assert getattr(config.parse(text), field) == value
    assert config.render(config.parse(text)) == text


def test_names_may_contain_keywords_and_a_wrong_firstclient_is_harmless() -> None:
    text = OLD.replace("10.0.1.32", "addison").replace("firstclient 10.0.1.31", "firstclient other")
    assert config.parse(text).clients[1] == "addison" and config.parse(text).first == "other"


def test_what_follows_endconfig_is_ignored() -> None:
    assert config.parse(OLD + " ") == config.parse(OLD + "more\n") == config.parse(OLD)


BAD = [
    (OLD[OLD.index("\n") + 1 :], "line 1: expected 'infile', found 'outfile"),
    ("", "line 1: expected 'infile', found the end of the file"),
    ("# comment\n" + OLD, "line 1: expected 'infile', found '# comment'"),
    (OLD.replace("server servernode\n", ""), "line 3: expected 'server', found 'firstclient 10.0.1.31'"),
    (OLD.replace("outfile /dev/ram3\n", "outfile /dev/ram3\n\n"), "line 3: expected 'server', found a blank line"),
    (OLD.replace("server s", "fanout 2\nsegsize 1\nserver s"), "line 4: expected 'server', found 'segsize 1'"),
    (OLD.replace("endconfig\n", ""), "line 10: endconfig is missing"),
    (OLD.replace("10.0.1.33\nendconfig\n", ""), "line 9: expected the name of client 3 of 3, found nothing"),
    (OLD.replace("clients 3", "clients 4"), "line 10: clients says 4 names, here are 3"),
    (OLD.replace("clients 3", "clients 2").replace("lastclient 10.0.1.33", "lastclient 10.0.1.32"), "here are more"),
    (OLD.replace("clients 3", "clients 0"), "line 6: clients must be a number from 1 to 65536, not '0'"),
    (OLD.replace("clients 3", "clients many"), "not 'many'"),
    (OLD.replace("clients 3", "clients 99999"), "not '99999'"),
    (OLD.replace("10.0.1.32", "node 2"), "line 8: the client 'node 2' is empty or has a space"),
    (OLD.replace("10.0.1.32", "10.0.1.31"), "client 10.0.1.31 is listed twice"),
    (
        OLD.replace("lastclient 10.0.1.33", "lastclient 10.0.1.31"),
        "lastclient is 10.0.1.31, the last name is 10.0.1.33",
    ),
    (OLD.replace("diskless_node.img", "my image"), "line 1: a name with spaces, or no 'split': 'image'"),
    (OLD.replace("/dev/ram3", "/dev/ram 3"), "line 2: a name with spaces"),
    (OLD.replace("/dev/ram3", "/x split"), "line 2: a name with spaces, or no 'split N'"),
    (OLD.replace("/dev/ram3", "/x split 0M"), "no 'split N'"),
    (OLD.replace("server servernode", "server a b"), "line 3: server 'a b' is empty or has a space"),
    (OLD.replace("server servernode", "server "), "line 3: server '' is empty"),
    (OLD.replace("diskless_node.img", "i" * 250), "line 1: longer than 255 bytes"),
    (OLD.replace("diskless_node.img", "ü" * 125), "line 1: longer than 255 bytes"),
    (OLD.replace("server s", "segsize x\nserver s"), "line 3: segsize must be a number"),
    (OLD.replace("server s", "fanout 9\nserver s"), "line 3: fanout must be a number from 1 to 8"),
    (OLD.replace("server s", "add 2:-a\nserver s"), "line 3: bad 'add 2:-a'"),
    (OLD.replace("server s", "add1 1:-a\nserver s"), "line 3: bad 'add1 1:-a'"),
    (OLD.replace("server s", "add 1:-a\nfanout 2\nserver s"), "line 4: add and fanout exclude each other"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _text, message in BAD])
def test_bad_files(text: str, message: str) -> None:
    with pytest.raises(DollyError) as caught:
        config.parse(text, "/etc/dolly.cfg")
    assert message in caught.value.message and caught.value.message.startswith("/etc/dolly.cfg line ")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Config("i", "o", "s", ()), "without clients"),
        (Config("i", "o", "s", tuple("client-number-%03d" % n for n in range(300))), "dolly refuses 4096 or more"),
        (Config("my image", "o", "s", ("a",)), "name with spaces"),
        (Config("i", "o", "s", ("a b",)), "has a space"),
        (Config("i", "o\nx", "s", ("a",)), "line 3"),
    ],
)
def test_what_cannot_be_written(wanted: Config, message: str) -> None:
    with pytest.raises(DollyError, match=message):
        config.render(wanted)


def test_topology() -> None:
    wanted = Config("i", "o", "s", tuple("abcdefg"), fanout=2)
    assert [wanted.children(index) for index in (-1, 0, 1, 2, 3)] == [
        ("a", "b"),
        ("c", "d"),
        ("e", "f"),
        ("g",),
        (),
    ]
    assert wanted._replace(fanout=1).children(5) == ("g",)


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, blacklist_characters="\x7f\x85\xa0"), min_size=1)
NAME = WORD.filter(lambda text: len(text.encode()) < 60 and text.split() == [text])
NUMBER = st.integers(0, 65535)
ADD = st.tuples(
    st.sampled_from(["add", "add2"]), st.lists(st.text("-ab9.", min_size=1, max_size=5), min_size=1, max_size=7)
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    add = draw(st.none() | ADD)
    clients = tuple(draw(st.lists(NAME, min_size=1, max_size=8, unique=True).filter(lambda n: "endconfig" not in n)))
    return Config(
        draw(NAME),
        draw(NAME),
        draw(NAME),
        clients,
        draw(NAME),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from(["", "1", "8M", "12G", "3k", "9T"])),
        draw(NUMBER),
        Add(add[0], len(add[1]), tuple(add[1])) if add else None,
        1 if add else draw(st.integers(1, 8)),
        draw(st.sampled_from(["", "hyphennormal", "hypheninterface"])),
    )


@given(configs())
def test_round_trip(wanted: Config) -> None:
    assert config.parse(config.render(wanted)) == wanted


@given(st.text())
def test_any_text_gives_a_config_or_one_error(text: str) -> None:
    try:
        config.parse(text)
    except DollyError as error:
        assert error.message.startswith("dolly.cfg line ")
