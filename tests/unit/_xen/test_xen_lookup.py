# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking guests up: the ways to match, MACs of DHCP servers, SHOW; the playbook that fills the inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.xtreemos.cluster.plugins.filter.dhcp_macmap import FilterModule
from ansible_collections.xtreemos.cluster.plugins.lookup.xen_domain import LookupModule
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import macmap, search, show
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.address import parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.inventory import variables
from hypothesis import given
from hypothesis import strategies as st

from .fake_dom0 import FakeDom0, play
from .standin import GOLDEN

M1, M2 = "00:50:56:13:11:40", "00:50:56:13:11:41"
A = {"label": "tst100", "id": "/a/tst100.conf", "pm": "lab00", "mac": M1}
B = {"label": "tst100", "id": "/b/tst100.conf", "pm": "lab01", "vmstate": "BACKUP"}
C = {"label": "tst101", "id": "/a/tst101.conf", "pm": "lab00", "interfaces": [{"mac": M2, "tcp": ""}, {"mac": M1}]}


@pytest.mark.parametrize(
    ("address", "match", "found"),
    [
        ("l:tst101", "unique", [C]),
        ("l:tst100", "first", [A]),
        ("l:tst100", "last", [B]),
        ("l:tst100", "all", [A, B]),
        ("l:tst100", "complement", [C]),
        ("l:none", "all", []),
        ("l:none", "complement", [A, B, C]),
        ("m:" + M2, "unique", [C]),
    ],
)
def test_ways_to_match(address: str, match: str, found: list[t.Any]) -> None:
    assert search.search(parse(address), [A, B, C], match) == found


@pytest.mark.parametrize(
    ("address", "match", "words"),
    [
        ("l:tst100", "unique", "fits 2 guests"),
        ("l:none", "first", "there is no guest"),
        ("l:none", "last", "there is no guest l:none"),
        ("l:none", "any", "no way to match"),
        ("l:tst101,p:/a/tst100.conf", "complement", "do not agree"),
    ],
)
def test_what_cannot_be_found(address: str, match: str, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        search.search(parse(address), [A, B, C], match)


@given(st.lists(st.sampled_from([A, B, C]), max_size=6), st.sampled_from(["l:tst100", "l:tst101", "p:/b/tst100.conf"]))
def test_all_and_complement_are_everything(records: list[t.Any], address: str) -> None:
    copies = [dict(one) for one in records]
    parts = [search.search(parse(address), copies, match) for match in ("all", "complement")]
    assert sorted(map(id, parts[0] + parts[1])) == sorted(map(id, copies))


class Plain(LookupModule):
    """With options from its arguments only, not from Ansible's configuration."""

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        self.given = {"match": "unique", "records": [], "macmap": [], **direct}

    def get_option(self, option: str, hostvars: t.Any = None) -> t.Any:
        return self.given[option]


def lookup(terms: list[t.Any], inventory: t.Any = None, **options: t.Any) -> list[t.Any]:
    return list(Plain().run(terms, variables=inventory or {}, **options))


def test_the_lookup_searches_the_inventory() -> None:
    hostvars = {"one": variables({**A, "vcpu": 2}), "two": variables(C), "else": {}}
    inventory = {"hostvars": hostvars, "groups": {"xen_guests": ["one", "two"], "all": list(hostvars)}}
    found = lookup(["l:tst100", "l:tst101"], inventory)
    assert [(one["host"], one["pm"]) for one in found] == [("one", "lab00"), ("two", "lab00")]
    assert lookup(["t:10.0.0.9"], inventory, macmap=[{"name": "x", "mac": M2, "ip": "10.0.0.9"}])[0]["host"] == "two"
    assert lookup(["l:x"], {}, match="all") == []
    with pytest.raises(AnsibleLookupError, match="there is no guest t:10"):
        lookup(["t:10.0.0.9"], inventory)


def test_the_lookup_searches_files(tmp_path: Path) -> None:
    (tmp_path / "lab00.json").write_text(json.dumps({"records": [A, C]}))
    (tmp_path / "lab01.json").write_text(json.dumps([B]))
    assert lookup(["l:tst100"], records=[str(tmp_path / "*.json")], match="last") == [B]
    with pytest.raises(AnsibleLookupError, match="there is no file"):
        lookup(["l:tst100"], records=[str(tmp_path / "none.json")])


DHCPD = """\
# host old { hardware ethernet 00:00:00:00:00:01; fixed-address 10.0.0.1; }
option domain-name "soho"; # a word
subnet 192.168.1.0 netmask 255.255.255.0 {
  group { use-host-decl-names on;
    host tst100 { hardware ethernet 00:50:56:13:11:40; fixed-address 192.168.1.220; }
    host "tst101.soho" {
      fixed-address tst101.soho, 192.168.1.221,
                    192.168.1.222;
      option host-name "a # b";
      hardware   ethernet 00:50:56:13:11:41 ;
    }
    host token { hardware token-ring 00:50:56:13:11:42; }
  }
}
"""


def rows(*lines: str) -> list[dict[str, str]]:
    return [dict(zip(("name", "mac", "ip"), line.split(" "))) for line in lines]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            DHCPD,
            rows(
                "token 00:50:56:13:11:42 ", "tst100 %s 192.168.1.220" % M1, "tst101.soho %s 192.168.1.221" % M2,
                "tst101.soho %s 192.168.1.222" % M2,
            ),
        ),
        # The two orders that programs of ctys write.
        ("tst100;192.168.1.220;%s\n" % M1, rows("tst100 %s 192.168.1.220" % M1)),
        ("tst100;%s;192.168.1.220\n" % M1, rows("tst100 %s 192.168.1.220" % M1)),
        ("dhcp-host=%s,tst100,192.168.1.220,12h # x" % M1, rows("tst100 %s 192.168.1.220" % M1)),
        ("dhcp-host = 192.168.1.220,45m,%s" % M1.upper(), rows(" %s 192.168.1.220" % M1)),
        ("%s,%s,set:red,tst100,infinite" % (M1, M2), rows("tst100 %s " % M1, "tst100 %s " % M2)),
        ("06-%s,[fe80::1],id:*,3com" % M1, rows("3com %s fe80::1" % M1)),
        ("%s tst100\n%s tst100\n" % (M1, M1.replace(":", "-")), rows("tst100 %s " % M1)),
        ("%s,ignore" % M1, rows(" %s " % M1)),
        ("interface=eth0\ndhcp-range=10.0.0.1,10.0.0.9\n\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_told_by_their_form(text: str, found: list[dict[str, str]]) -> None:
    assert FilterModule().filters()["dhcp_macmap"](text) == found


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z]\Z", fullmatch=True).filter(
    lambda name: name not in ("infinite", "ignore", "deprecated")
)
NUMBERS = st.integers(0, 2**32 - 1)


@given(st.dictionaries(NUMBERS, st.tuples(NAMES, st.ip_addresses(v=4)), max_size=5), st.permutations([0, 1, 2]))
def test_any_order_gives_the_same_rows(hosts: dict[int, t.Any], order: list[int]) -> None:
    wanted, lines, blocks = [], [], []
    for number, (name, ip) in hosts.items():
        mac = "02:00:" + ":".join("%02x" % part for part in number.to_bytes(4, "big"))
        wanted.append({"name": name, "mac": mac, "ip": str(ip)})
        lines.append(";".join([name, mac, str(ip)][at] for at in order))
        blocks.append("host %s {hardware ethernet %s;fixed-address %s;}" % (name, mac, ip))
    wanted.sort(key=lambda row: (row["name"], row["mac"], row["ip"]))
    assert macmap.parse_macmap("\n".join(lines)) == wanted == macmap.parse_macmap("".join(blocks))


@given(st.text(alphabet='host {}hardware ethernet0123456789abcdef:;,.#\n"', max_size=120))
def test_any_text_is_read(text: str) -> None:
    assert all(set(row) == {"name", "mac", "ip"} and row["mac"] for row in macmap.parse_macmap(text))


def test_addresses_come_where_none_are() -> None:
    known = [{"name": "", "mac": M1, "ip": "10.0.0.1"}, {"name": "", "mac": M2, "ip": ""}]
    found = macmap.with_addresses([A, {**A, "tcp": "10.0.0.7"}, C, {"label": "x"}], known)
    assert [one.get("tcp") for one in found] == ["10.0.0.1", "10.0.0.7", None, None]
    assert [part.get("tcp") for part in found[2]["interfaces"]] == ["", "10.0.0.1"]
    assert "tcp" not in A


def test_processors_as_xl_writes_them() -> None:
    text = (GOLDEN / "xl-vcpu-list.txt").read_text().split("---")[0].partition("\n")[2]
    assert show.parse_vcpus(text) == [
        {
            "label": "Domain-0",
            "pid": 0,
            "vcpu": 0,
            "cpu": 0,
            "state": "r--",
            "seconds": 314.3,
            "hard": "all",
            "soft": "all",
        },
        {"label": "pv1", "pid": 1, "vcpu": 0, "cpu": 0, "state": "-b-", "seconds": 40.8, "hard": "all", "soft": "all"},
    ]
    more = "Name\nmy guest     3     1    -   --p       0.0  0-3,5 / all\n"
    assert show.parse_vcpus(more)[0]["cpu"] is None and show.parse_vcpus(more)[0]["label"] == "my guest"
    assert show.parse_vcpus("") == []
    with pytest.raises(ClusterError, match="no processor: 'what'"):
        show.parse_vcpus("Name\nwhat\n")


def test_show_takes_one_call() -> None:
    host = MemoryHost({"/proc/meminfo": b"MemTotal:      743424 kB\nMemFree:  2048 kB\nHugePages_Total: 0\n"})
    found = show.show(host)
    assert host.ran == [["xl", "vcpu-list"]] and found["vcpus"] == []
    assert found["memory"] == {
        "memtotal_mb": 726, "memfree_mb": 2, "memavailable_mb": 0, "swaptotal_mb": 0, "swapfree_mb": 0}  # fmt: skip


def test_the_playbook_fills_the_inventory(tmp_path: Path) -> None:
    dom0 = FakeDom0(tmp_path / "a", ["web1"])
    dom0.config("off1")
    inventory = {"xen_dom0s": {"hosts": {"lab00": dom0.variables()}}}
    done = play(tmp_path, "guests_inventory", inventory)
    assert "changed=2" in done.stdout, done.stdout + done.stderr
    found = json.loads((tmp_path / "cache" / "lab00.json").read_text())
    assert {one["label"] for one in found["records"]} == {"off1", "web1"} and len(found["live"]) == 2
    (tmp_path / "guests.xen.yml").write_text('{"plugin": "xtreemos.cluster.xen_domains", "records": ["cache/*.json"]}')
    words = ["localhost", "-i", "guests.xen.yml", "-m", "ansible.builtin.debug"]
    words += ["-a", "msg={{ lookup('xtreemos.cluster.xen_domain', 'l:web1').state }}{{ groups.xen_run_stopped }}"]
    env = {
        **os.environ,
        "ANSIBLE_INVENTORY_ENABLED": "xtreemos.cluster.xen_domains",
        "ANSIBLE_HOME": str(tmp_path / "h"),
    }
    tool = str(Path(sys.executable).parent / "ansible")
    said = subprocess.run([tool, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False).stdout
    assert "running['off1']" in said, said
    asked = len(dom0.asked("list"))
    done = play(tmp_path, "guests_inventory", inventory, "-e", "xen_inventory_max_age=3600")
    assert "changed=0" in done.stdout and len(dom0.asked("list")) == asked
