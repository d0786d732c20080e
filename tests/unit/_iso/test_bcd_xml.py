# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configurations of BCD: what is documented is mapped, the rest is kept; hostile XML is refused."""

from __future__ import annotations

import typing as t
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter.bcd_xml import FilterModule, bcd_xml
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._iso.bcdxml import import_bcd
from hypothesis import given
from hypothesis import strategies as st

CONF = """\
<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- for 64 bits -->
<productname desc="The Linux product">
  <nameid>XtreemOS</nameid>
  <version>2.1.1</version>
  <nb_fork>10</nb_fork>
  <signature>/etc/xos/signature.gpg</signature>
  <rpmrc>/etc/xos/rpmrc</rpmrc>
  <based_on>2009.0</based_on>
  <urpmqlogs>/var/lib/bcd</urpmqlogs>
  <arch>x86_64</arch>
  <repo><path>/mnt/BIG/dis</path></repo>
  <workdir>/var/lib/bcd/work</workdir>
  <theme>Mandriva-Free</theme>
  <media name="main"><list>lists/input_main</list><list>lists/languages</list></media>
  <media>
    <name>xos</name><from>xtreemos</from><dest>main</dest>
    <list>lists/xos_list_64</list><exclude>lists/exclude_main</exclude>
  </media>
  <iso><header>publisher</header></iso>
  <unheard of="it"><inner/></unheard>
</productname>
"""


def test_a_configuration() -> None:
    found = import_bcd(CONF)
    assert found["iso_builder_product"] == {
        "desc": "The Linux product",
        "nameid": "XtreemOS",
        "version": "2.1.1",
        "arch": "x86_64",
        "based_on": "2009.0",
        "theme": "Mandriva-Free",
    }
    assert found["iso_builder_dir"] == "/var/lib/bcd/work"
    assert found["iso_builder_media"] == [
        {
            "name": "main",
            "path": "/mnt/BIG/dis/2009.0/x86_64/media/main",
            "sections": ["release", "updates"],
            "lists": ["lists/input_main", "lists/languages"],
            "exclude": [],
        },
        {
            "name": "xos",
            "path": "/mnt/BIG/dis/2009.0/x86_64/media/xtreemos",
            "sections": ["release", "updates"],
            "lists": ["lists/xos_list_64"],
            "exclude": ["lists/exclude_main"],
            "dest": "main",
        },
    ]
    assert found["_unmapped"] == {
        "/productname/iso/header": "<header>publisher</header>",
        "/productname/unheard": '<unheard of="it"><inner/></unheard>',
    }
    notes = "\n".join(found["_notes"])
    for text in (
        "put the passphrase into a vault",
        "name the key, as iso_builder_key",
        "nb_fork: packages are resolved in one process",
        "/productname/theme was taken for iso_builder_product.theme",
        "/productname/media[2]/exclude was taken for an exclude list",
        "a header of the ISO, 'publisher'",
    ):
        assert text in notes


XXE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file://%s">]><productname><nameid>&a;</nameid></productname>'
BOMB = '<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "%s">]><productname><nameid>&b;</nameid></productname>' % (
    "x" * 999,
    "&a;" * 999,
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "has a DOCTYPE"),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><productname/>', "has a DOCTYPE"),
        ("<productname><nameid>&what;</nameid></productname>", "no XML|refers to an entity"),
        ("<productname>", "is no XML"),
        ("", "is no XML"),
        ("no xml", "is no XML"),
        ("<productname/>", "no <nameid>, <version>, <arch>"),
        ("<productname><nameid>x</nameid><arch>y</arch></productname>", "no <version>"),
        ("<productname>" + " " * (1 << 20) + "</productname>", "has 1048603 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        import_bcd(text)


def test_no_file_is_read_by_an_entity(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    with pytest.raises(ClusterError) as error:
        import_bcd(XXE % (tmp_path / "secret"))
    assert "DOCTYPE" in error.value.message and "secret" not in str(error.value)


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(
    st.fixed_dictionaries({name: TEXT for name in ("desc", "nameid", "version", "arch", "based_on", "workdir")}),
    st.lists(TEXT),
)
def test_every_documented_element_survives(values: dict[str, str], lists: list[str]) -> None:
    names = [name for name in values if name != "desc"]
    body = "".join("<%s>%s</%s>" % (name, escape(values[name]), name) for name in names)
    media = "<media>%s</media>" % "".join("<list>%s</list>" % escape(one) for one in lists)
    found = import_bcd("<productname desc=%s>%s%s</productname>" % (quoteattr(values["desc"]), body, media))
    product = found["iso_builder_product"]
    assert product == {name: values[name] for name in ("desc", "nameid", "version", "arch", "based_on")}
    assert found["iso_builder_dir"] == values["workdir"] and found["_unmapped"] == {}
    assert found["iso_builder_media"][0]["lists"] == lists


@given(st.text(max_size=100))
def test_any_text_gives_variables_or_one_error(text: str) -> None:
    for one in (text, "<productname>%s</productname>" % text):
        with pytest.raises(ClusterError) as error:
            import_bcd(one)
        assert error.value.hint


def test_the_filter() -> None:
    assert FilterModule().filters()["bcd_xml"](CONF)["iso_builder_product"]["nameid"] == "XtreemOS"
    with pytest.raises(AnsibleFilterError, match="xos64.xml is no XML"):
        bcd_xml("<", name="xos64.xml")
    values: list[t.Any] = [None, 5, ["x"]]
    for value in values:
        with pytest.raises(AnsibleFilterError, match="wants the text"):
            bcd_xml(value)
