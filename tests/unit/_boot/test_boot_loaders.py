# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loader files: the form of 2007, round trips, refused lines."""

from __future__ import annotations

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot import ipxe, pxelinux
from ansible_collections.xtreemos.cluster.plugins.module_utils._boot.pxelinux import Config, Label
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from hypothesis import given
from hypothesis import strategies as st

# A per-node file in the form that the clusters of 2007 used.
OLD = """\
PROMPT 1
DEFAULT 2.6.11-krg_d
DISPLAY messages
TIMEOUT 5

label 2.6.11-krg_d
MENU LABEL 2.6.11-krg auto=dolly
    KERNEL images/vmlinuz-2.6.11-krg
    APPEND initrd=images/krg.rdz ramdisk_size=256000 automatic=method:dolly,dolly_timeout:100 node_id=1
"""


def test_the_old_form_is_read() -> None:
    config = pxelinux.parse(OLD)
    assert (config.default, config.prompt, config.timeout, config.display) == ("2.6.11-krg_d", 1, 5, "messages")
    (label,) = config.labels
    assert label.title == "2.6.11-krg auto=dolly" and label.kernel == "images/vmlinuz-2.6.11-krg"
    assert label.append.endswith("node_id=1") and label.ipappend is None
    assert pxelinux.parse(pxelinux.render(config)) == config


def test_rendered_lines() -> None:
    label = Label("node", "vmlinuz", "initrd=i node_id=1", ipappend=2, title="node31")
    config = Config("node", (label, Label("local", localboot=0)), 0, 50, "messages", "0 115200", "ours")
    assert pxelinux.render(config).splitlines() == [
        "# ours",
        "SERIAL 0 115200",
        "DEFAULT node",
        "PROMPT 0",
        "TIMEOUT 50",
        "DISPLAY messages",
        "LABEL node",
        "  MENU LABEL node31",
        "  KERNEL vmlinuz",
        "  APPEND initrd=i node_id=1",
        "  IPAPPEND 2",
        "LABEL local",
        "  LOCALBOOT 0",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DEFAULT a\nLABEL a\nLABEL a\n", "a label is given twice"),
        ("DEFAULT b\nLABEL a\n", "DEFAULT 'b' is no label"),
        ("", "DEFAULT '' is no label"),
        ("UI menu.c32\nDEFAULT a\nLABEL a\n", "pxelinux.cfg line 1: unknown keyword UI"),
        ("DEFAULT a\nLABEL a\n  LINUX x\n", "pxelinux.cfg line 3: unknown keyword LINUX"),
        ("DEFAULT a\nTIMEOUT soon\nLABEL a\n", "line 2: 'soon' is no number"),
        ("DEFAULT a\nLABEL a\nMENU HIDE\n", "line 3: unknown keyword MENU HIDE"),
    ],
)
def test_refused_files(text: str, told: str) -> None:
    with pytest.raises(ClusterError) as caught:
        pxelinux.parse(text)
    assert told in str(caught.value) and caught.value.hint


WORD = st.from_regex(r"[A-Za-z0-9_./:=-]{1,20}", fullmatch=True)
LABELS = st.builds(
    Label,
    name=WORD,
    kernel=WORD,
    append=st.lists(WORD, max_size=4).map(" ".join),
    ipappend=st.none() | st.integers(0, 3),
    localboot=st.none() | st.integers(-1, 5),
    title=WORD,
)


@given(st.lists(LABELS, min_size=1, max_size=4, unique_by=lambda label: label.name), st.integers(0, 9999), WORD)
def test_pxelinux_round_trip(labels: list[Label], timeout: int, comment: str) -> None:
    config = Config(labels[0].name, tuple(labels), timeout % 2, timeout, "messages", "0 115200", comment)
    assert pxelinux.parse(pxelinux.render(config)) == config


@given(st.text())
def test_any_text_gives_a_config_or_one_error(text: str) -> None:
    try:
        assert pxelinux.parse(text).labels
    except ClusterError as error:
        assert error.message and error.hint


SCRIPTS = st.builds(ipxe.Script, WORD, WORD, WORD, WORD, st.lists(WORD, max_size=4).map(" ".join))


@given(SCRIPTS)
def test_ipxe_round_trip(script: ipxe.Script) -> None:
    text = ipxe.render(script)
    assert text.startswith("#!ipxe\n")
    assert ipxe.parse(text) == script


def test_ipxe_has_a_way_out_of_every_failure() -> None:
    lines = ipxe.render(ipxe.Script("c", "t", "http://k", "http://i", "a")).splitlines()
    for command in ("kernel", "initrd", "boot"):
        assert next(line for line in lines if line.startswith(command)).endswith("|| goto failed")
    assert lines[-1] == "reboot" and "sleep 10" in lines


@pytest.mark.parametrize("text", ["", "#!ipxe\n", "#!ipxe\nshell\n"])
def test_a_foreign_script_is_named(text: str) -> None:
    with pytest.raises(ClusterError, match="x is no script of pxe_nodes"):
        ipxe.parse(text, "x")


def test_ipxe_menu() -> None:
    text = ipxe.render_menu("c", "http://10.0.1.1/ipxe", "10.0.1.1", "Hello\n\nall", "retry")
    assert (
        "echo Hello\necho all\nchain --replace http://10.0.1.1/ipxe/01-${netX/mac:hexhyp}.ipxe || goto unknown" in text
    )
    assert "does not know MAC address ${netX/mac}" in text and text.endswith("sleep 30\nreboot\n")
    assert ipxe.render_menu("c", "b", "s", "", "local").endswith("exit 1\n")
    with pytest.raises(ClusterError, match="unknown machines: 'shell'"):
        ipxe.render_menu("c", "b", "s", "", "shell")
