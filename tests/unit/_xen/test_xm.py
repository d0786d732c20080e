# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of xm: every dead key, every old disk, Python that is read and Python that is not."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xtreemos.cluster.plugins.filter.xm_to_xl import xm_to_xl
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.config import parse
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.guest import wanted
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.xm import as_options, as_text, translate
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.xm_keys import DROPPED, KEPT, RENAMED
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen.xm_python import read
from hypothesis import given
from hypothesis import strategies as st

NAME = 'name = "a"\nmemory = 64\nkernel = "/k"\n'
# The guest of an XtreemOS 2.1 dom0, as its document prints it.
XOS21 = """\
kernel = "/boot/xen"
ramdisk = "/boot/initrd-xen.img"
memory = 500
name = "xos21_n1"
dhcp = "dhcp"
disk = [ 'phy:sda1,sda1,w', 'phy:sda6,sda5,w' ]
root = "/dev/sda5 ro"
vif = [ 'bridge=eth0' ]
#cpus = "0"
extra = "xencons=tty"
hostname = "xos_n1"
"""


def test_the_guest_of_the_old_release() -> None:
    found = translate(XOS21)
    assert found.config.values == {
        "name": "xos21_n1", "kernel": "/boot/xen", "ramdisk": "/boot/initrd-xen.img", "memory": 500, "type": "pv",
        "disk": ["/dev/sda1,raw,sda1,rw", "/dev/sda6,raw,sda5,rw"], "vif": ["bridge=eth0"],
        "cmdline": "root=/dev/sda5 ro console=hvc0 ip=:127.0.255.255:::xos_n1:eth0:dhcp",
    }  # fmt: skip
    told = "\n".join(found.notes)
    for word in (
        "hostname, dhcp: gone",
        "xencons=",
        "phy:sda1,sda1,w is written /dev/sda1,raw,sda1,rw",
        "bridge of eth0",
    ):
        assert word in told
    assert parse(as_text(found)).values == found.config.values


@pytest.mark.parametrize("key", sorted(DROPPED))
def test_every_key_that_is_gone_is_told_and_left_out(key: str) -> None:
    found = translate(NAME + "%s = 'x'\n" % key)
    assert key not in found.config.values and any(note.startswith(key + ": ") for note in found.notes)


@pytest.mark.parametrize("key", [key for key in KEPT if key not in ("name", "memory", "kernel", "cmdline", "type")])
def test_every_key_that_stays_stays(key: str) -> None:
    assert translate(NAME + "%s = '7'\n" % key).config.values[key] == "7"


@pytest.mark.parametrize(
    ("text", "values", "note"),
    [
        ("cpu = 1", {"cpus": 1}, "cpu: is called cpus now"),
        ("cpu_cap = 50", {"cap": 50}, "is called cap"),
        ("irq = [7]", {"irqs": [7]}, "is called irqs"),
        ("builder = 'linux'", {"type": "pv"}, "builder: deprecated"),
        ("builder = 'hvm'", {"type": "hvm"}, "builder: deprecated"),
        ("builder='hvm'; kernel='/usr/lib/xen/boot/hvmloader'", {"type": "hvm", "kernel": None}, "was the firmware"),
        ("bootargs = '-q --kernel=/x'", {"bootloader_args": ["-q", "--kernel=/x"]}, "bootargs: is called"),
        ("vcpus = 4; vcpu_avail = 3", {"vcpus": 2, "maxvcpus": 4}, "vcpu_avail: gone"),
        ("vcpus = 2; vcpu_avail = 0", {"vcpus": 1, "maxvcpus": 2}, "vcpu_avail: gone"),
        ("nfs_root = '/r'; nfs_server = '10.0.0.1'",
         {"cmdline": "root=/dev/nfs nfsroot=10.0.0.1:/r ip=:10.0.0.1::::eth0:"}, "nfs_root: gone"),
        ("ip='10.0.0.2'; netmask='255.0.0.0'; gateway='10.0.0.1'; interface='eth1'; dhcp='off'",
         {"cmdline": "ip=10.0.0.2:127.0.255.255:10.0.0.1:255.0.0.0::eth1:"}, "ip, gateway, netmask, interface"),
        ("root='/dev/xvda1'", {"cmdline": "root=/dev/xvda1", "root": None}, "cmdline is preferred"),
        ("extra='quiet'", {"cmdline": "quiet"}, "cmdline is preferred"),
        ("uuid='6842CAF91E3E43249ED596B8B9F2C5C2'", {"uuid": "6842caf9-1e3e-4324-9ed5-96b8b9f2c5c2"}, ""),
        ("disk=['file:/c.iso,hdc:cdrom,r']", {"disk": ["/c.iso,raw,hdc,cdrom"]}, "is written"),
        ("disk=['tap:qcow:/a,xvda,w']", {"disk": ["/a,qcow,xvda,rw"]}, "is written"),
        ("disk='/a,raw,xvda,rw'", {"disk": ["/a,raw,xvda,rw"]}, ""),
        ("serial = -1", {"serial": "-1"}, "negative number needs quotes"),
        ("zoo = 1", {"zoo": None}, "xl knows no such key"),
        ("vif = ['']", {"vif": [""]}, ""),
        ("#@#DIST = 'CentOS'", {}, ""),
    ],
)  # fmt: skip
def test_what_is_translated(text: str, values: dict[str, t.Any], note: str) -> None:
    found = translate(NAME + text + "\n")
    assert {key: found.config.values.get(key) for key in values} == values
    assert note in "\n".join(found.notes)
    assert parse(as_text(found)).values == found.config.values


def test_metadata_of_ctys_stay() -> None:
    assert translate(NAME + '#@#DIST = "CentOS"\n').config.metadata == {"DIST": "CentOS"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a = 1\nb = a", {"a": 1, "b": 1}),
        ("a = 'x' + 'y'", {"a": "xy"}),
        ("a = 'n%d' % 3", {"a": "n3"}),
        ("a = '%s-%s' % ('x', 'y')", {"a": "x-y"}),
        ("a = ['x']\na += ['y']", {"a": ["x", "y"]}),
        ("a = b = 2", {"a": 2, "b": 2}),
        ("a = '''x'''", {"a": "x"}),
        ("a = True; b = None; c = -3", {"a": 1, "b": "", "c": -3}),
        ("a = ('x', 1)", {"a": ["x", 1]}),
        ("'''a text'''\npass\n", {}),
        ("a = 1\r\nb = 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_python_that_is_read(text: str, values: dict[str, t.Any]) -> None:
    assert read(text, "f") == values


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("import os", 1, "this is a program"),
        ("a = 1\nif a:\n  b = 2", 2, "this is a program"),
        ("for i in []:\n  a = i", 1, "this is a program"),
        ("def f(): pass", 1, "this is a program"),
        ("a = os.uname()[4]", 1, "this is a program"),
        ("a = open('/etc/passwd').read()", 1, "this is a program"),
        ("\na = [x for x in 'ab']", 2, "this is a program"),
        ("a = b", 1, "b has no value yet"),
        ("a = 1 + 'x'", 1, "cannot be added"),
        ("a = True + True; a = 'x' * 9", 1, "this is a program"),
        ("a = 1.5", 1, "neither a string nor a whole number"),
        ("a[0] = 1", 1, "only a plain name"),
        ("a = '%s %s' % 'x'", 1, "cannot be filled in"),
        ("a = '%(x)s' % 'x'", 1, "can be filled in"),
        ("a = '%*d' % (9, 9)", 1, "can be filled in"),
        ("a = '%999999999d' % 9", 1, "can be filled in"),
        ("a = ['x']\nb = [a, a]", 2, "a list by its name"),
        ("a = 'x' * 9", 1, "this is a program"),
        ("a = '" + "x" * 60000 + "'\nb = [a, a]", 2, "too long"),
        ("a = '" + "x" * 60000 + "'\nb = a + a", 2, "too long"),
        ("print 'x'", 1, ""),
        ("a = 0755", 1, ""),
        ("a = 'x", 1, ""),
        ("a = \0", 1, ""),
        ("a = " + "[" * 500, 1, ""),
        ("a = -'x'", 1, "this is a program"),
    ],
)
def test_python_that_is_not_read(text: str, line: int, what: str) -> None:
    with pytest.raises(ClusterError, match=r"f, line %d: .*%s" % (line, what)) as caught:
        read(text, "f")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("memory = 1", "f has no name"),
        (NAME + "disk = ['phy:/dev/a,xvda,w!']", "f: disk .*forced sharing"),
        (NAME + "vif = ['xenbr0']", "f: vif"),
        (NAME + "uuid = 'x'", "f: 'x' is no uuid"),
        (NAME + "cmdline = 'a'\nroot = 'b'", "f has cmdline beside root"),
        (NAME + "vcpus = 'many'\nvcpu_avail = 1", "f: vcpus is 'many'"),
    ],
)
def test_files_that_cannot_be_translated(text: str, what: str) -> None:
    with pytest.raises(ClusterError, match=what):
        translate(text, "f")


def test_options_make_the_same_guest() -> None:
    old = XOS21 + "vnc = 1\nvncunused = 1\nuuid = '6842caf91e3e43249ed596b8b9f2c5c2'\n#@#DIST = 'x'\n"
    found = translate(old)
    options = as_options(found.config)
    assert wanted(options).values.keys() == {*found.config.values} and options["options"] == {"vncunused": 1}
    assert wanted(options).values["disk"] == found.config.values["disk"] and wanted(options).metadata == {"DIST": "x"}


def test_a_disk_with_more_words_is_not_imported() -> None:
    with pytest.raises(ClusterError, match="backend=store cannot be imported"):
        as_options(parse(NAME + 'disk = ["vdev=xvda,backend=store,target=/a"]\n'))


def test_the_filter() -> None:
    assert xm_to_xl(NAME).startswith("# Translated from a configuration of xm.\n")
    assert xm_to_xl(NAME, "options")["memory"] == 64 and xm_to_xl(NAME + "vif2 = ''\n", form="notes") == ["vif2: gone"]
    for wrong in ((1,), (NAME, "xml"), ("import os",), ("name = 1",)):
        with pytest.raises(AnsibleFilterError, match="xm_to_xl"):
            xm_to_xl(*wrong)


@given(st.text(max_size=80) | st.text("nameviuskd=[]'\"+%(), \n1", max_size=80))
def test_any_text_ends_well(text: str) -> None:
    for begin in ("", NAME):
        try:
            found = translate(begin + text)
            parse(as_text(found))
        except ClusterError as error:
            assert error.hint


KEYS = st.sampled_from([*DROPPED, *RENAMED, *(key for key in KEPT if key not in ("name", "type", "cmdline"))])


@given(st.dictionaries(KEYS, st.integers(-9, 9999) | st.text(max_size=9), max_size=8))
def test_any_values_are_read_back_by_xl(values: dict[str, t.Any]) -> None:
    text = "name = 'a'\n" + "".join("%s = %r\n" % pair for pair in values.items())
    try:
        found = translate(text)
        again = parse(as_text(found)).values
    except ClusterError:
        return
    assert again == found.config.values and set(again) & set(DROPPED) == set()
