# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests from their files: which file counts, what its record says, and whom an address means."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import LocalHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import enumerate as enum
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.record import ENUMERATE_FIELDS
from ansible_collections.xtreemos.cluster.plugins.modules import xen_domain_info
from hypothesis import given
from hypothesis import strategies as st

TST100 = """\
#@#MAGICID-XEN
#@#VMSTATE = "ACTIVE"
#@#DIST = "CentOS"
#@#IP0 = "192.168.1.220%255.255.255.0%xenbr0%eth0%22%192.168.1.1"
#@#IP1 = "10.0.0.1"
#@#LABEL = "other"
#@#MAC0 = "00:00:00:00:00:01"
name = "tst100"
uuid = "6842caf91e3e43249ed596b8b9f2c5c2"
memory = 512
vcpus = 2
vif = ["bridge=xenbr0, mac=00:50:56:13:11:4A", "mac=00:50:56:13:11:41"]
"""
BACKUP = TST100.replace('"ACTIVE"', '"BACKUP"')
FIVE = 'name="a"\nmemory=1\nvcpus=1\ndisk=[]\nvif=[]\n'


@pytest.mark.parametrize(
    ("text", "name", "counts"),
    [
        (TST100, "a.conf", True),
        ("#@#MAGICID-XEN\n", "a.ctys", True),
        (FIVE, "a.conf", True),
        (FIVE.replace("vif=[]\n", ""), "a.conf", False),
        ('name="a"\nkernel="/k"\n', "a.cfg", True),
        ('name="a"\nkernel="/k"\n', "a.conf", False),
        ('name="a"\n', "a.cfg", False),
        ("#@#MAGICID-IGNORE\n" + TST100, "a.conf", False),
        ("#@#MAGICID-NOENUM\n" + FIVE, "a.cfg", False),
        ("", "a.cfg", False),
    ],
)
def test_which_file_is_a_guest(text: str, name: str, counts: bool) -> None:
    assert enum.is_guest(text, "/x/" + name) is counts


def test_a_record_has_every_field_and_what_xl_reads_wins() -> None:
    found = enum.record(parse(TST100), "/x/a.conf", "lab00")
    assert set(found) == {*ENUMERATE_FIELDS, "interfaces"}
    wanted = {
        "pm": "lab00", "type": "XEN", "label": "tst100", "id": "/x/a.conf", "category": "VM", "vmstate": "ACTIVE",
        "uuid": "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2", "mac": "00:50:56:13:11:4a", "tcp": "192.168.1.220",
        "netmask": "255.255.255.0", "relay": "xenbr0", "sshport": "22", "gateway": "192.168.1.1", "dist": "CentOS",
        "vram": 512, "vcpu": 2, "accelerator": "PARA", "cport": "",
    }  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    assert [(one["ifname"], one["mac"], one["tcp"]) for one in found["interfaces"]] == [
        ("eth0", "00:50:56:13:11:4a", "192.168.1.220"),
        ("eth1", "00:50:56:13:11:41", "10.0.0.1"),
    ]


def test_the_metadata_fill_what_xl_does_not_know() -> None:
    text = '#@#LABEL = "a"\n#@#MAC = "00:16:3E:00:00:01"\n#@#VRAM = "64"\n#@#UUID = "odd"\n'
    found = enum.record(parse(text), "/a", "")
    assert [found[key] for key in ("label", "mac", "vram", "uuid")] == ["a", "00:16:3e:00:00:01", "64", "odd"]


@pytest.mark.parametrize(
    ("state", "wanted", "fits"),
    [
        ("ACTIVE", {"ACTIVE"}, True),
        ("active", {"ACTIVE"}, True),
        ("BACKUP", {"ACTIVE"}, False),
        ("BACKUP", {"ALL"}, True),
        ("BACKUP", {"PRESENT"}, True),
        ("BACKUP", {"ENABLED"}, True),
        ("DISABLED", {"ENABLED"}, False),
        ("DISABLED", {"PRESENT"}, True),
        ("", {"ENABLED"}, True),
        ("", {"EMPTY"}, True),
        ("", {"PRESENT"}, False),
        ("", {"ACTIVE"}, False),
        ("ACTIVE", {"EMPTY"}, False),
    ],
)
def test_states_are_matched(state: str, wanted: set[str], fits: bool) -> None:
    assert enum.state_fits(state, wanted) is fits


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    files = {"tst100/tst100.conf": TST100, "old/tst100.conf": BACKUP, "a.cfg": 'name="a"\nkernel="/k"\n'}
    files.update({"crlf.cfg": FIVE.replace("\n", "\r\n"), "readme.txt": TST100, "xl.conf": "autoballoon=0\n"})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def ask(folder: Path, **options: t.Any) -> dict[str, t.Any]:
    given = {
        "search_paths": [str(folder)],
        "gather": ["enumerate"],
        "vmstate": ["ALL"],
        "address": None,
        "match": "unique",
        **options,
    }
    return xen_domain_info.work(given, LocalHost())


def test_files_are_found_and_bad_ones_told(folder: Path) -> None:
    found = ask(folder)
    assert [(one["index"], one["label"], Path(one["id"]).parent.name) for one in found["records"]] == [
        (1, "a", folder.name),
        (2, "tst100", "old"),
        (3, "tst100", "tst100"),
    ]
    assert (
        list(found["skipped"]) == [str(folder / "crlf.cfg")] and "CR LF" in found["skipped"][str(folder / "crlf.cfg")]
    )
    assert not found["changed"]


def test_a_folder_named_twice_or_absent_changes_nothing(folder: Path) -> None:
    assert ask(folder, search_paths=[str(folder), str(folder), str(folder / "none")]) == ask(folder)
    assert ask(folder, search_paths=[])["records"] == []


def test_a_backup_makes_an_address_ambiguous_until_its_state_is_left_out(folder: Path) -> None:
    with pytest.raises(ClusterError, match="fits 2 guests"):
        ask(folder, address="l:tst100")
    active = ask(folder, address="l:tst100", vmstate=["ACTIVE"])["records"]
    assert [one["vmstate"] for one in active] == ["ACTIVE"]
    assert ask(folder, address="f:tst100.conf,b:%s/tst100" % folder)["records"] == [{**active[0], "index": 3}]
    assert len(ask(folder, address={"ip": "10.0.0.1"}, match="all")["records"]) == 2


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"search_paths": ["etc"]}, "not absolute"),
        ({"vmstate": ["GONE"]}, "GONE is no vmstate"),
        ({"address": "x:1"}, "no key"),
        ({"address": "l:nosuch"}, "there is no guest"),
    ],
)
def test_wrong_questions_are_told(folder: Path, options: dict[str, t.Any], what: str) -> None:
    with pytest.raises(ClusterError, match=what) as caught:
        ask(folder, **options)
    assert caught.value.hint


@pytest.mark.parametrize("count", [1, 300])
def test_the_number_of_commands_does_not_grow(tmp_path: Path, count: int) -> None:
    class Counting(LocalHost):
        calls: t.ClassVar[list[str]] = []

        def run(self, argv: t.Sequence[str], **how: t.Any) -> t.Any:
            self.calls.append(argv[0])
            return super().run(argv, **how)

    for number in range(count):
        (tmp_path / ("%d.cfg" % number)).write_text('name="g%d"\nkernel="/k"\n' % number)
    Counting.calls.clear()
    records, skipped = enum.scan(Counting(), [str(tmp_path)])
    assert (len(records), skipped, Counting.calls) == (count, {}, ["find"])


@given(st.text(max_size=80), st.text(max_size=40), st.text(max_size=40))
def test_any_metadata_give_a_record(key: str, vif: str, address: str) -> None:
    config = parse('#@#IP3 = "x"\n')
    config.metadata.update({key: "v", "IP1": address, "MAC2": vif})
    config.values["vif"] = [vif]
    found = enum.record(config, "/a", "")
    assert {*ENUMERATE_FIELDS, "interfaces"} == set(found)
