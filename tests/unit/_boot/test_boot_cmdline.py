# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel command line and its automatic= word."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter.stage1_automatic import FilterModule, stage1_automatic
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.cmdline import (
    AUTOMATIC_KEYS,
    parse_automatic,
    parse_cmdline,
    render_automatic,
    render_cmdline,
)
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"method": "http", "network": "dhcp", "interface": "auto"}, "method:http,interface:auto,network:dhcp"),
        (
            {"method": "dolly", "dolly_timeout": 100, "interface": "eth0", "network": "dhcp"},
            "method:dolly,dolly_timeout:100,interface:eth0,network:dhcp",
        ),
        ({"method": "dolly", "dolly_dialect": "classic"}, "method:dolly,dolly_dialect:classic"),
        (
            {"method": "nfs", "server": "10.0.1.1", "directory": "/srv/images"},
            "method:nfs,server:10.0.1.1,directory:/srv/images",
        ),
        ({"method": "local", "disk": "sda1", "directory": "/images"}, "method:local,disk:sda1,directory:/images"),
        (
            {"method": "http", "network": "static", "ip": "10.0.1.31", "netmask": "255.255.255.0", "gateway": None},
            "method:http,network:static,ip:10.0.1.31,netmask:255.255.255.0",
        ),
        ({"method": "http", "directory": "a:b"}, "method:http,directory:a:b"),
    ],
)
def test_known_forms_both_ways(values: dict[str, t.Any], text: str) -> None:
    assert render_automatic(values) == text
    assert stage1_automatic(values) == text
    wanted = {key: str(value) for key, value in values.items() if value is not None}
    assert parse_automatic(text) == wanted
    assert parse_automatic("automatic=" + text) == wanted


def test_the_words_of_the_old_boot_files_are_read() -> None:
    text = "method:dolly,dolly_timeout:100,interface:eth0,network:dhcp"
    assert parse_automatic("automatic=" + text)["dolly_timeout"] == "100"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"method": "ftp"}, "unknown method 'ftp' (the methods are http, dolly, nfs, local)"),
        ({}, "unknown method ''"),
        ({"method": "http", "proxy": "x"}, "unknown key 'proxy'"),
        ({"method": "http", "met": "x"}, "unknown key 'met'"),
        ({"method": "nfs", "server": "10.0.1.1", "directory": "/a,b"}, "without blanks and commas"),
        ({"method": "nfs", "server": "10.0.1.1", "directory": "/a b"}, "without blanks and commas"),
        ({"method": "nfs", "server": "10.0.1.1", "directory": "/é"}, "printable ASCII"),
        ({"method": "nfs", "server": "10.0.1.1"}, "automatic= has no directory"),
        ({"method": "local", "directory": "/x"}, "automatic= has no disk"),
        ({"method": "http", "network": "static", "ip": "10.0.1.3"}, "automatic= has no netmask"),
        ({"method": "http", "network": "bootp"}, "unknown network 'bootp'"),
        ({"method": "http", "ip": "10.0.1"}, "malformed ip"),
        ({"method": "http", "interface": "e:0"}, "bad interface"),
        ({"method": "dolly", "dolly_timeout": "soon"}, "dolly_timeout is 'soon'"),
        ({"method": "dolly", "dolly_timeout": 0}, "dolly_timeout is '0'"),
        ({"method": "dolly", "dolly_dialect": "new"}, "unknown dolly_dialect 'new'"),
        ({"method": "nfs", "server": "10.0.1.1", "directory": "/" + "x" * 512}, "at most 512"),
    ],
)
def test_refused_values(values: dict[str, t.Any], told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        render_automatic(values, "profile p")
    assert told in str(caught.value)
    assert caught.value.message.startswith("profile p") and caught.value.hint
    with pytest.raises(AnsibleFilterError):
        stage1_automatic(values)


def test_exactly_512_bytes_pass() -> None:
    head = "method:nfs,server:10.0.1.1,directory:/"
    text = head + "x" * (512 - len(head))
    assert render_automatic(parse_automatic(text)) == text


@pytest.mark.parametrize("text", ["", "method", "method:http,", "method:http,,network:dhcp", "method:http,method:http"])
def test_malformed_texts(text: str) -> None:
    with pytest.raises(AnsibleFilterError):
        stage1_automatic(text)
    assert FilterModule().filters()["stage1_automatic"] is stage1_automatic


VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=60)


@given(st.dictionaries(st.sampled_from(["server", "disk", "directory"]), VALUE), st.sampled_from(["http", "dolly"]))
def test_round_trip(values: dict[str, str], method: str) -> None:
    values["method"] = method
    text = render_automatic(values)
    assert parse_automatic(text) == values
    assert [part.partition(":")[0] for part in text.split(",")] == [key for key in AUTOMATIC_KEYS if key in values]


@given(st.text())
def test_any_text_gives_values_or_one_error(text: str) -> None:
    try:
        assert parse_automatic(text)["method"]
    except ClusterError as error:
        assert error.message and error.hint


def test_cmdline_words() -> None:
    line = render_cmdline([("node_id", 1), ("node_name", "node31")], ["console=ttyS0,115200", "quiet"])
    assert line == "node_id=1 node_name=node31 console=ttyS0,115200 quiet"
    assert parse_cmdline("BOOT_IMAGE=x " + line + " node_id=2") == {
        "BOOT_IMAGE": "x",
        "node_id": "2",
        "node_name": "node31",
        "console": "ttyS0,115200",
        "quiet": "",
    }


@pytest.mark.parametrize("word", ["automatic=method:http", "node_id=7", "BOOTIF=x", "initrd=y", "image_sha256=z"])
def test_words_of_ours_are_reserved(word: str) -> None:
    with pytest.raises(ClusterError, match="is set by pxe_nodes"):
        render_cmdline([], [word], "node31")


def test_the_line_has_a_limit_and_no_blanks_in_values() -> None:
    assert len(render_cmdline([("a", "x" * 2045)])) == 2047
    with pytest.raises(ClusterError, match="has 2048 bytes"):
        render_cmdline([("a", "x" * 2046)], (), "node31")
    with pytest.raises(ClusterError, match="no blanks"):
        render_cmdline([("a", "x y")])
