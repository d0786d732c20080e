# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a machine comes to start Xen: GRUB's file, its menu, and whether what runs is what is wanted."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._xen import boot as xen
from ansible_collections.xtreemos.cluster.plugins.modules import xen_boot
from hypothesis import given
from hypothesis import strategies as st

BOOT = xen.Boot(768, 2, ("console=com1", "com1=115200,8n1"), ("console=hvc0",))
WORDS = "dom0_mem=768M,max:768M dom0_max_vcpus=2 console=com1 com1=115200,8n1"
# As 20_linux_xen of Debian 12 writes it.
MENU = """
menuentry 'Debian GNU/Linux' {
\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=/dev/vda ro
}
menuentry 'Debian GNU/Linux, with Xen hypervisor' {
\tif [ "${grub_platform}" = "pc" -o "${grub_platform}" = "" ]; then
\t    xen_rm_opts=
\telse
\t    xen_rm_opts="no-real-mode edd=off"
\tfi
\tmultiboot2\t/boot/xen-4.17-amd64.gz placeholder %s ${xen_rm_opts}
\tmodule2\t/boot/vmlinuz-6.1.0-18-amd64 placeholder root=/dev/vda ro console=hvc0
}
"""
INFO = "host : dom0\ntotal_memory           : 2047\nxen_commandline        : placeholder %s\n"


def machine(words: str | None = WORDS, kernel: str = "root=/dev/vda console=hvc0", **more: bytes) -> MemoryHost:
    """A dom0 that runs with ``words``; None for a machine without a hypervisor."""
    files = {
        "/proc/cmdline": kernel.encode(),
        "/proc/meminfo": b"MemTotal:        2000000 kB\n",
        xen.GRUB_FILE: xen.render(BOOT).encode(),
        xen.GRUB_CFG: (MENU % WORDS).encode(),
        **more,
    }
    if words is not None:
        files[xen.CAPABILITIES] = b"control_d\n"
    return MemoryHost(files, {"xl info": (0, INFO % words, "") if words is not None else (1, "", "no Xen")})


def test_entries_are_read_from_a_real_menu() -> None:
    assert xen.entries(MENU % WORDS) == [WORDS.split()]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "menuentry 'Debian' {\n linux /boot/vmlinuz-6.1 root=/dev/vda\n}\n",
        "# multiboot2 /boot/xen.gz placeholder x",
    ],
)
def test_a_menu_without_xen_has_no_entries(text: str) -> None:
    assert xen.entries(text) == []


def test_a_machine_as_wanted_is_left_alone() -> None:
    todo = xen.plan(BOOT, machine())
    assert (todo.changed, todo.is_dom0, todo.reasons) == (False, True, ())


@pytest.mark.parametrize(
    ("host", "reasons"),
    [
        (machine(None), ("the hypervisor does not run",)),
        (machine("dom0_mem=768M,max:768M dom0_max_vcpus=2"),
         ("the hypervisor runs without console=com1 com1=115200,8n1",)),
        (machine(WORDS.replace("768", "512")), ("the hypervisor runs without dom0_mem=768M,max:768M",)),
        (machine(kernel="root=/dev/vda"), ("the kernel of dom0 runs without console=hvc0",)),
        (machine("", kernel=""),
         ("the hypervisor runs without " + WORDS, "the kernel of dom0 runs without console=hvc0")),
        (machine(None, **{xen.CAPABILITIES: b"\n"}), ("the hypervisor does not run",)),
    ],
)  # fmt: skip
def test_what_asks_for_another_boot(host: MemoryHost, reasons: tuple[str, ...]) -> None:
    assert xen.plan(BOOT, host).reasons == reasons


def test_a_guest_is_no_dom0() -> None:
    assert not xen.is_dom0(MemoryHost({xen.CAPABILITIES: b""}))


def test_no_boot_is_asked_for_when_xen_is_only_a_choice() -> None:
    choice = xen.Boot(default=False)
    assert xen.plan(choice, machine(None)).reasons == ()
    assert "XEN_OVERRIDE_GRUB_DEFAULT=0" in xen.render(choice)


@pytest.mark.parametrize(
    "menu",
    [b"", (MENU % "").encode(), (MENU % WORDS + MENU % "").encode()],
    ids=["no menu", "an older menu", "a second kernel without"],
)
def test_a_menu_that_was_not_made_is_made(menu: bytes) -> None:
    host = machine(**{xen.GRUB_CFG: menu})

    def update(_argv: list[str]) -> tuple[int, str, str]:
        host.files[xen.GRUB_CFG] = (MENU % WORDS).encode()
        return 0, "", ""

    host.script["update-grub"] = update
    todo = xen.plan(BOOT, host)
    assert todo.update and not todo.files.changed
    xen.apply(todo, BOOT, host)
    assert host.actions == [["update-grub"]]
    assert not xen.plan(BOOT, host).changed


@pytest.mark.parametrize(
    ("menu", "message"),
    [
        (b"", r"/boot/grub/grub.cfg has no entry for Xen \(install the hypervisor package"),
        ((MENU % "dom0_mem=1M").encode(), r"lack dom0_mem=768M.*another file in /etc/default/grub.d sets"),
    ],
)
def test_a_menu_that_does_not_take_the_options_is_an_error(menu: bytes, message: str) -> None:
    host = machine(**{xen.GRUB_CFG: menu})
    with pytest.raises(ClusterError, match=message):
        xen.apply(xen.plan(BOOT, host), BOOT, host)


@pytest.mark.parametrize(
    ("boot", "message"),
    [
        (xen.Boot(hypervisor=("a b",)), "'a b' is no boot option"),
        (xen.Boot(kernel=('x"; reboot',)), "is no boot option"),
        (xen.Boot(kernel=("$(reboot)",)), "is no boot option"),
        (xen.Boot(kernel=("",)), "'' is no boot option"),
        (xen.Boot(hypervisor=("dom0_mem=1G",)), "dom0_mem is set twice .use memory_mb"),
        (xen.Boot(hypervisor=("dom0_max_vcpus=1",)), "dom0_max_vcpus is set twice"),
        (xen.Boot(64), "memory_mb is 64 .give dom0 at least 256"),
        (xen.Boot(4096), "dom0 cannot have 4096 MiB: the machine has"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(boot: xen.Boot, message: str) -> None:
    for host in (machine(), machine(None)):
        with pytest.raises(ClusterError, match=message):
            xen.plan(boot, host)
        assert not host.written and not host.actions


def test_memory_of_dom0_is_judged_by_the_whole_machine() -> None:
    assert xen.host_memory_mb(machine()) == 2047
    assert xen.host_memory_mb(machine(None)) == 1953
    assert xen.host_memory_mb(MemoryHost()) == 0


WORD = st.from_regex(r"[A-Za-z0-9_.,:=+@/%-]{1,12}", fullmatch=True)


@given(st.lists(WORD, max_size=5), st.lists(WORD, max_size=5), st.integers(0, 32), st.booleans())
def test_a_shell_reads_back_what_was_written(hyper: list[str], kernel: list[str], vcpus: int, default: bool) -> None:
    boot = xen.Boot(512, vcpus, tuple(hyper), tuple(kernel), default)
    read = dict(word.split("=", 1) for word in shlex.split(xen.render(boot), comments=True))
    assert read["GRUB_CMDLINE_XEN"].split() == boot.hypervisor_words()
    assert read.get("GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT", "").split() == kernel
    assert read["XEN_OVERRIDE_GRUB_DEFAULT"] == str(int(default))


OPTIONS = {
    "memory_mb": 768,
    "vcpus": 2,
    "hypervisor_options": ["console=com1", "com1=115200,8n1"],
    "kernel_options": ["console=hvc0"],
    "default": True,
}


def test_check_mode_says_what_the_run_does() -> None:
    bare = {"/proc/meminfo": b"MemTotal:        2000000 kB\n"}

    def fresh() -> MemoryHost:
        host = MemoryHost(bare)

        def update(_argv: list[str]) -> tuple[int, str, str]:
            host.files[xen.GRUB_CFG] = (MENU % WORDS).encode()
            return 0, "", ""

        host.script["update-grub"] = update
        return host

    predicted, real = xen_boot.work(OPTIONS, True, fresh()), xen_boot.work(OPTIONS, False, host := fresh())
    assert predicted == real
    assert (real["changed"], real["reboot_required"], real["is_dom0"]) == (True, True, False)
    assert real["diff"][0]["after"].startswith("# Managed by") and real["actions"] == host.actions
    again = xen_boot.work(OPTIONS, False, host)
    assert (again["changed"], again["actions"], again["reasons"]) == (False, [], ["the hypervisor does not run"])
