# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""xl.cfg: what the real parser takes and refuses, round trips, and that no input ends in a traceback."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import Config, parse, render
from hypothesis import given
from hypothesis import strategies as st

OLD = """kernel = "/boot/xen"
ramdisk = "/boot/initrd-xen.img"
memory = 500
name = "xos21_n1"
dhcp = "dhcp"
disk = [ 'phy:sda1,sda1,w', 'phy:sda6,sda5,w' ]
root = "/dev/sda5 ro"
vif = [ 'bridge=eth0' ]
#cpus = "0"
extra = "xencons=tty"
"""

# Each was given to xlu_cfg_readdata of libxlutil 4.17, and accepted with these values.
TAKEN = [
    ("", {}),
    ("\n\n", {}),
    (";", {}),
    ("; a=1", {"a": 1}),
    ("a=1;;b=2", {"a": 1, "b": 2}),
    ('a="1"; b="2"', {"a": "1", "b": "2"}),
    ("a = 0x10", {"a": 16}),
    ("a=010", {"a": 8}),
    ("a=1x2", {"a": "1x2"}),
    ("a=1f", {"a": "1f"}),
    ("a=99999999999999999999", {"a": 99999999999999999999}),
    ("a=1\na=2\n", {"a": 2}),
    ("if=1", {"if": 1}),
    ("\ta=1", {"a": 1}),
    ("a='it\\'s'", {"a": "it's"}),
    ("a='x\"y'", {"a": 'x"y'}),
    ('a="\\101\\n\\t\\\\"', {"a": "A\n\t\\"}),
    ('a="tab\there"', {"a": "tab\there"}),
    ("a=[]", {"a": []}),
    ('a=[1,"b",]', {"a": [1, "b"]}),
    ('a=["x"\n,\n"y"\n]', {"a": ["x", "y"]}),
    ("a=[\n\n#c\n1\n#d\n,2]", {"a": [1, 2]}),
    ('a=["x",\n\n]', {"a": ["x"]}),
    ('a=[["x","y"],"z"]', {"a": [["x", "y"], "z"]}),
    ("a=[[]]", {"a": [[]]}),
    ('a=["x"]\na+=["y"]', {"a": ["x", "y"]}),
    ('a="x"\na+="y"', {"a": "xy"}),
    ('a+="y"', {"a": "y"}),
    ('a+=["y"]', {"a": ["y"]}),
    ('a="x" ;#c\nb=1 # d\n', {"a": "x", "b": 1}),
    ('#@#X="1"\na=1', {"a": 1}),
]  # fmt: skip

# Each was refused by it (return code 22).
REFUSED = [
    ("a=fg", 1, "fg stands where a string in quotes"),
    ("a=-1", 1, "looks like Python"),
    ("a=1.5", 1, "cannot read '.5'"),
    ("a=2\nA=1", 2, "cannot read 'A=1' .keys are lower case"),
    ("_a=3", 1, "cannot read"),
    ('a="x\\q"', 1, r"\\q is no character"),
    ('a="\\x41"', 1, r"\\x is no character"),
    ('a="\\1"', 1, r"\\1 is no character"),
    ('b=1\na="un\nterm"', 2, "has no end"),
    ('a="\\\n"', 1, "has no end"),
    ("a=[,]", 1, ", stands where"),
    ("a=[1 2]", 1, "2 stands where , is wanted"),
    ('a=["x";"y"]', 1, "the end of the line stands where , is wanted"),
    ("a=[1\n\n", 3, "the end of the file stands where , is wanted"),
    ("a=[1]\n[2]", 2, r"\[ stands where a key is wanted"),
    ('a="x"\na+=["y"]', 2, "a is a list and a string"),
    ("a=1 b=2", 1, "b stands where the end of the line is wanted"),
    ("a=1\\\nb=2", 1, "cannot read"),
    ("a=\n1", 1, "the end of the line stands where a string"),
    ("a\n=1", 1, "the end of the line stands where = is wanted"),
    ("a", 1, "the end of the file stands where ="),
    ("a=1\r\n", 1, "CR LF .write the file with plain line ends"),
    ('a="x" "y"', 1, "stands where the end of the line"),
    ('a="x"+"y"', 1, "looks like Python code"),
    ("a=True", 1, "looks like Python code"),
    ("a=(1,2)", 1, "looks like Python code"),
    ('a="""x"""', 1, "stands where the end of the line"),
    ("import os", 1, "looks like Python code"),
    ("a={}", 1, "looks like Python code"),
    ("a=1\n# b", 2, "a comment without line end"),
    ("a-b=1", 1, "looks like Python code"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), TAKEN)
def test_what_xl_takes(text: str, values: dict[str, t.Any]) -> None:
    assert parse(text).values == values


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_what_xl_refuses(text: str, line: int, message: str) -> None:
    with pytest.raises(ClusterError, match="/etc/xen/a.cfg, line %d: .*%s" % (line, message)):
        parse(text, "/etc/xen/a.cfg")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ClusterError, match="line 1"):
        parse("a=" + "[" * 10000)


def test_an_old_file_is_read_whole() -> None:
    values = parse(OLD).values
    assert values["disk"] == ["phy:sda1,sda1,w", "phy:sda6,sda5,w"] and values["memory"] == 500
    assert len(values) == 9 and values["dhcp"] == "dhcp"


@pytest.mark.parametrize(
    ("line", "metadata"),
    [
        ('#@#LABEL = "tst100"', {"LABEL": "tst100"}),
        ("#@#LABEL='tst100' # note", {"LABEL": "tst100"}),
        ("  #@# VMSTATE = ACTIVE", {"VMSTATE": "ACTIVE"}),
        ("#@#MAGICID-XEN", {"MAGICID-XEN": ""}),
        ('#@#IP0 = "10.0.0.1%255.0.0.0%%eth0"\n#@#IP0 = "10.0.0.2"', {"IP0": "10.0.0.1%255.0.0.0%%eth0"}),
        ("# @#LABEL=x", {}),
        ("#@#", {}),
        ('name = "#@#LABEL=x"', {}),
    ],
)
def test_metadata_of_ctys(line: str, metadata: dict[str, str]) -> None:
    assert parse(line + "\n").metadata == metadata


def test_text_is_the_same_for_the_same_content() -> None:
    values = {"vif": ["bridge=b"], "zz": 'a"\\\n\x01', "name": "n", "memory": 128, "vnc": True, "usb": [[1, "x"], []]}
    text = render(Config(values, {"UUID": "u", "MAGICID-XEN": "", "CATEGORY": ""}), "Managed.\nTwice.")
    assert text.splitlines() == [
        "# Managed.", "# Twice.", '#@#CATEGORY = ""', "#@#MAGICID-XEN", '#@#UUID = "u"',
        'name = "n"', "memory = 128", "vif = [", '    "bridge=b",', "]",
        "usb = [", "    [", "        1,", '        "x",', "    ],", "    [],", "]", "vnc = 1",
        'zz = "a\\"\\\\\\n\\001"',
    ]  # fmt: skip
    turned = Config(dict(reversed(list(values.items()))), {"CATEGORY": "", "UUID": "u", "MAGICID-XEN": ""})
    assert text == render(turned, "Managed.\nTwice.")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config({"Name": "x"}), "'Name' is no key of xl.cfg"),
        (Config({"name": "x\0"}), "NUL"),
        (Config({}, {"A B": "x"}), "metadata A B='x' cannot be written"),
        (Config({}, {"A": 'x"y'}), "cannot be written .use no quotes"),
        (Config({}, {"A": "x\ny"}), "cannot be written"),
    ],
)
def test_what_cannot_be_written(config: Config, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        render(config)


KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
STRINGS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
VALUES = st.recursive(st.integers(0, 2**40) | STRINGS, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
NOTES = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z0-9_-]{0,6}", fullmatch=True), st.from_regex(r"([!#-&(-~]{1,9})?", fullmatch=True)
)


@given(st.dictionaries(KEYS, VALUES), NOTES)
def test_round_trip(values: dict[str, t.Any], metadata: dict[str, str]) -> None:
    config = Config(values, metadata)
    text = render(config)
    assert parse(text) == config and render(parse(text)) == text


@given(st.text() | st.text("a=+[]\"'\\\n\r\t #;,@01x", max_size=40))
def test_every_text_gives_a_config_or_one_error(text: str) -> None:
    try:
        config = parse(text)
    except ClusterError as error:
        assert "line " in str(error) and error.hint
    else:
        assert parse(render(config)).values == config.values
