# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The init script of stage1, its functions run by a shell against a made-up /proc and /sys."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import init_script, stage1

BUSYBOX = shutil.which("busybox")
SHELL = [BUSYBOX, "sh"] if BUSYBOX else ["sh"]
SHA = "a" * 64
OK = "image_sha256=%s image_url=http://10.0.1.1/i/rootfs.sqfs" % SHA


class Shell:
    """A folder that plays the node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("proc", "sys/class/net", "run", "bin"):
            (folder / name).mkdir(parents=True)
        (folder / "proc/uptime").write_text("12.34 5.00\n")
        (folder / "proc/meminfo").write_text("MemTotal:         507000 kB\n")
        (folder / "proc/iomem").write_text(
            "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n00100000-1fffffff : System RAM\n"
            "  01000000-02000000 : Kernel code\n"
        )
        (folder / "init").write_text(init_script.INIT)
        self.program("ip", 'echo "ip $*" >> %s/calls' % folder)

    def program(self, name: str, body: str) -> None:
        path = self.folder / "bin" / name
        path.write_text("#!/bin/sh\n%s\n" % body)
        path.chmod(0o755)

    def card(self, name: str, mac: str, carrier: str = "1", kind: str = "device") -> None:
        path = self.folder / "sys/class/net" / name
        path.mkdir()
        (path / "address").write_text(mac + "\n")
        (path / "carrier").write_text(carrier + "\n")
        for entry in kind.split():
            (path / entry).mkdir()

    def run(self, body: str) -> subprocess.CompletedProcess[str]:
        names = "PROC=%(f)s/proc SYS=%(f)s/sys RUN=%(f)s/run STAGE1_TEST=1" % {"f": self.folder}
        # The fake programs stand in for busybox's own, which a busybox shell would prefer.
        fakes = "".join('%s() { %s/bin/%s "$@"; }\n' % (n, self.folder, n) for n in self.fakes())
        text = "%s\n. %s/init\nPATH=%s/bin:/usr/bin:/bin\n%s\nreboot() { echo REBOOT; }\n%s\n" % (
            "\n".join(names.split()),
            self.folder,
            self.folder,
            fakes,
            body,
        )
        return subprocess.run([*SHELL, "-c", text], capture_output=True, text=True, check=False, timeout=20)

    def fakes(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "bin").iterdir())

    def out(self, body: str) -> str:
        done = self.run(body)
        assert done.stderr == ""
        return done.stdout.strip()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
@pytest.mark.parametrize("name", ["INIT", "LEASE"])
def test_shellcheck(tmp_path: Path, name: str) -> None:
    (tmp_path / "script").write_text(getattr(init_script, name))
    done = subprocess.run(
        ["shellcheck", "-s", "dash", tmp_path / "script"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


SHELL_WORDS = "case cd do done echo else esac exec exit fi for if in printf read return set shift then until while"


def test_every_program_it_calls_is_in_the_initramfs() -> None:
    programs = set(
        re.findall(r"(?:^|[|;&(] ?|then |else |do |until )([a-z_0-9]+)(?= |$)", init_script.INIT, re.MULTILINE)
    )
    functions = set(re.findall(r"^([a-z_0-9]+)\(\)", init_script.INIT, re.MULTILINE))
    words = set(SHELL_WORDS.split())
    unknown = programs - functions - words - set(stage1.APPLETS.split()) - {"python3", "true", "break", "continue"}
    assert {name for name in unknown if shutil.which(name)} == set()


VARIABLES = (
    "node_id node_name server image_url image_size method interface network ip netmask gateway dns disk directory"
)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "quiet automatic=method:http,interface:auto,network:dhcp node_id=1 node_name=node31 boot_server=10.0.1.1",
            {
                "method": "http",
                "interface": "auto",
                "network": "dhcp",
                "node_id": "1",
                "node_name": "node31",
                "server": "10.0.1.1",
            },
        ),
        (
            "automatic=method:dolly,dolly_timeout:100,interface:eth0",
            {"method": "dolly", "interface": "eth0", "network": "dhcp"},
        ),
        (
            "automatic=met:nfs,int:wired,netw:static,ip:10.0.1.31,netm:255.255.255.0,gat:10.0.1.1,dns:10.0.1.1",
            {"method": "nfs", "interface": "wired", "network": "static", "ip": "10.0.1.31", "netmask": "255.255.255.0"},
        ),
        (
            "automatic=method:nfs,ser:10.0.1.2,dir:/srv/a boot_server=10.0.1.1",
            {"server": "10.0.1.2", "directory": "/srv/a"},
        ),
        (
            "automatic=method:local,dis:sda1,dir:images node_id=7",
            {"disk": "sda1", "directory": "images", "node_name": "node7"},
        ),
        ("automatic=method:http,hostname:n9", {"node_name": "n9"}),
        ("automatic= ro * $(id) `id`", {"method": "", "interface": "auto", "network": "dhcp"}),
        ("image_url=http://10.0.1.1/a?b=c image_size=70", {"image_url": "http://10.0.1.1/a?b=c", "image_size": "70"}),
    ],
)
def test_command_line(shell: Shell, line: str, wanted: dict[str, str]) -> None:
    body = "parse_cmdline '%s'\nfor v in %s; do eval echo \"$v=\\$$v\"; done" % (line, VARIABLES)
    found = dict(row.split("=", 1) for row in shell.out(body).splitlines() if not row.startswith("stage1:"))
    assert {key: found[key] for key in wanted} == wanted


def test_values_with_colons_and_unknown_keys(shell: Shell) -> None:
    text = shell.out("parse_cmdline 'automatic=method:http,colour:red,server:a:b'; echo $server")
    assert text.splitlines() == ["stage1: [ 12.34] warning: automatic=: unknown key 'colour' is ignored", "a:b"]


def test_coldplug_asks_for_each_alias_once(shell: Shell) -> None:
    devices = shell.folder / "sys/devices"
    (devices / "bus").mkdir(parents=True)
    (devices / "bus/modalias").write_text("acpi:BUS\n")
    shell.program("modprobe", 'echo "$@"; mkdir -p %(d)s/card; echo pci:CARD > %(d)s/card/modalias' % {"d": devices})
    assert shell.out("coldplug").splitlines() == ["-abq acpi:BUS", "-abq pci:CARD"]


def test_bootif_becomes_a_mac(shell: Shell) -> None:
    assert shell.out("parse_cmdline BOOTIF=01-52-54-00-0A-01-1F; echo $boot_mac") == "52:54:00:0a:01:1f"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("automatic=method:http " + OK, ""),
        ("automatic=method:dolly image_sha256=" + SHA, ""),
        ("automatic=method:nfs,directory:/a boot_server=10.0.1.1 image_sha256=" + SHA, ""),
        ("automatic=method:local,disk:sda1,directory:/a image_sha256=" + SHA, ""),
        ("automatic=method:http,network:static,ip:1.2.3.4,netmask:255.0.0.0 " + OK, ""),
        (OK, "no method in automatic= (method:http, dolly, nfs or local)"),
        ("automatic=method:ka " + OK, "unknown method 'ka' in automatic= (known: http, dolly, nfs, local)"),
        ("automatic=method:http image_sha256=" + SHA, "image_url is missing on the kernel command line (method http)"),
        (
            "automatic=method:http image_url=http://head/x image_sha256=" + SHA,
            "image_url=http://head/x is no http:// URL with an address (names are not looked up)",
        ),
        (
            "automatic=method:http image_url=https://10.0.1.1/x image_sha256=" + SHA,
            "image_url=https://10.0.1.1/x is no http:// URL with an address (names are not looked up)",
        ),
        (
            "automatic=method:http image_url=http://10.0.1.1/x",
            "image_sha256 is missing or no SHA-256: the image cannot be verified",
        ),
        (
            "automatic=method:dolly image_sha256=short",
            "image_sha256 is missing or no SHA-256: the image cannot be verified",
        ),
        ("automatic=method:dolly,dolly_timeout:soon " + OK, "dolly_timeout:soon is not a number of seconds"),
        ("automatic=method:dolly,dolly_dialect:old " + OK, "dolly_dialect:old is unknown (chain, classic)"),
        (
            "automatic=method:nfs,server:head,directory:/a " + OK,
            "server:head must be an address (names are not looked up)",
        ),
        ("automatic=method:nfs " + OK, "server: in automatic= is missing on the kernel command line (method nfs)"),
        (
            "automatic=method:nfs,server:1.2.3.4 " + OK,
            "directory: in automatic= is missing on the kernel command line (method nfs)",
        ),
        (
            "automatic=method:local,directory:/a " + OK,
            "disk: in automatic= is missing on the kernel command line (method local)",
        ),
        (
            "automatic=method:http,network:static " + OK,
            "ip: in automatic= is missing on the kernel command line (network static)",
        ),
        (
            "automatic=method:http,network:static,ip:1.2.3.4 " + OK,
            "netmask: in automatic= is missing on the kernel command line (network static)",
        ),
        ("automatic=method:http,network:adsl " + OK, "unknown network 'adsl' in automatic= (known: dhcp, static)"),
    ],
)
def test_a_command_line_that_cannot_work(shell: Shell, line: str, problem: str) -> None:
    assert shell.out("parse_cmdline '%s'; check_cmdline; echo \"$problem\"" % line) == problem


@pytest.mark.parametrize("text", ["10.0.1.1", "1.2.3.4"])
def test_addresses(shell: Shell, text: str) -> None:
    assert shell.out("is_address %s && echo yes" % text) == "yes"


@pytest.mark.parametrize("text", ["head", "", "10.0.1", "10.0.1.1x", "a.b.c.d"])
def test_no_addresses(shell: Shell, text: str) -> None:
    assert shell.out("is_address '%s' || echo no" % text) == "no"


def test_memory_is_all_of_it(shell: Shell) -> None:
    assert shell.out("memory_mb") == "512"
    (shell.folder / "proc/iomem").write_text("")
    assert shell.out("memory_mb") == "496"


@pytest.mark.parametrize(("needed", "refused"), [("512", False), ("", False), ("513", True), ("700", True)])
def test_memory_check(shell: Shell, needed: str, refused: bool) -> None:
    text = shell.out("ram_needed_mb=%s REBOOT_AFTER=0; (check_memory; echo fine)" % needed)
    if refused:
        assert "failed: the image needs %s MB of memory, this node has 512 MB" % needed in text
        assert "REBOOT" in text and "fine" not in text
    else:
        assert text == "fine"


@pytest.mark.parametrize(
    ("cards", "line", "picked"),
    [
        ([("eth0", "aa"), ("eth1", "bb")], "interface:auto", "eth0"),
        ([("eth0", "aa", "0"), ("eth1", "bb")], "interface:auto", "eth1"),
        ([("eth0", "aa"), ("eth1", "52:54:00:0a:01:1f")], "interface:auto BOOTIF=01-52-54-00-0a-01-1f", "eth1"),
        ([("eth0", "aa"), ("eth1", "bb")], "interface:eth1", "eth1"),
        ([("wlan0", "aa", "1", "device phy80211"), ("zeth", "bb")], "interface:wired", "zeth"),
        ([("wlan0", "aa", "1", "device phy80211")], "interface:auto", "wlan0"),
        ([("dummy0", "aa", "1", "")], "interface:auto", ""),
        ([("eth0", "aa", "0")], "interface:eth0", ""),
        ([("eth0", "aa")], "interface:eth7", ""),
    ],
)
def test_interfaces(shell: Shell, cards: list[tuple[str, ...]], line: str, picked: str) -> None:
    for card in cards:
        shell.card(*card)
    assert shell.out("parse_cmdline 'automatic=%s'; pick_interface; echo $picked" % line) == picked


def test_no_link_says_which_cards_there_are(shell: Shell) -> None:
    shell.card("eth0", "aa", "0")
    shell.program("sleep", ":")
    body = 'parse_cmdline automatic=interface:eth7; network_up || echo "$reason"'
    assert shell.out(body) == "no link on interface 'eth7' (cards here: eth0 )"


def test_dhcp(shell: Shell) -> None:
    shell.card("eth0", "52:54:00:0a:01:1f")
    lease = "ip=10.0.1.31\\nmask=24\\nrouter=10.0.1.1\\ndns=10.0.1.1 10.0.1.2\\ndomain=lab\\nhostname=other\\n"
    shell.program(
        "udhcpc", "echo \"udhcpc $*\" >> %s/calls; printf '%s' > %s/run/lease" % (shell.folder, lease, shell.folder)
    )
    text = shell.out("parse_cmdline 'node_name=node31'; network_up; echo $my_ip/$my_mask $my_dns $domain $node_name")
    assert text.splitlines() == [
        "stage1: [ 12.34] dhcp: eth0 52:54:00:0a:01:1f has 10.0.1.31 (dhcp) as node31",
        "10.0.1.31/24 10.0.1.1 10.0.1.2 lab node31",
    ]
    calls = (shell.folder / "calls").read_text()
    assert "-i eth0 -s /lib/stage1/lease -x hostname:node31" in calls
    assert "ip addr add 10.0.1.31/24 broadcast + dev eth0" in calls
    assert "ip route add default via 10.0.1.1 dev eth0" in calls


def test_no_dhcp_answer(shell: Shell) -> None:
    shell.card("eth0", "aa")
    shell.program("udhcpc", "exit 1")
    assert shell.out("parse_cmdline ''; network_up || echo \"$reason\"") == "no DHCP answer on eth0 (aa)"


def test_static_address(shell: Shell) -> None:
    shell.card("eth0", "aa")
    line = "automatic=network:static,ip:10.0.1.5,netmask:255.255.255.0,dns:10.0.1.1"
    body = "parse_cmdline '%s'; network_up; network_file" % line
    text = shell.out(body)
    assert "ip addr add 10.0.1.5/255.255.255.0" in (shell.folder / "calls").read_text()
    assert "Address=10.0.1.5/24" in text and "DHCP" not in text and "Gateway" not in text


def test_fetch_by_http(shell: Shell) -> None:
    shell.program("wget", 'while [ $# -gt 1 ]; do [ "$1" = -O ] && printf image > "$2"; shift; done')
    body = "mkdir -p $HOLD/ram; parse_cmdline 'automatic=method:http image_size=5 %s'; fetch && cat $IMAGE" % OK
    assert shell.out(body).splitlines()[-2:] == ["stage1: [ 12.34] fetch: got 5 bytes", "image"]
    assert shell.out(body.replace("image_size=5", "image_size=9") + ' || echo "$reason"').splitlines()[-1] == (
        "got 5 bytes of the image, expected 9"
    )


def test_fetch_names_the_error_of_wget(shell: Shell) -> None:
    shell.program("wget", "echo 'wget: server returned error: HTTP/1.1 404 Not Found' >&2; exit 1")
    body = "mkdir -p $HOLD/ram; parse_cmdline 'automatic=method:http %s'; fetch || echo \"$reason\"" % OK
    wanted = "http://10.0.1.1/i/rootfs.sqfs: wget: server returned error: HTTP/1.1 404 Not Found"
    assert shell.out(body).splitlines()[-1] == wanted


def test_a_stalled_transfer_ends(shell: Shell) -> None:
    body = "mkdir -p $HOLD/ram; : > $IMAGE; STALL=0.2; parse_cmdline 'automatic=method:http %s'; " % OK
    text = shell.out(body + 'wget() { exec /bin/sleep 30; }; fetch || echo "$reason"')
    assert text.splitlines()[-1] == "http://10.0.1.1/i/rootfs.sqfs: no data for 0.2 s"


@pytest.mark.parametrize(("rc", "calls"), [(0, 2), (1, 2), (143, 1), (124, 1)])
def test_a_deaf_boot_server_is_asked_once(shell: Shell, rc: int, calls: int) -> None:
    shell.program("timeout", "echo call >> %s/calls; exit %d" % (shell.folder, rc))
    shell.out("phone_home=http://10.0.1.1/p my_ip=10.0.1.31; phone dhcp; phone fetch")
    assert (shell.folder / "calls").read_text().count("call") == calls


@pytest.mark.parametrize(
    ("rc", "reason"),
    [(0, ""), (1, "dolly: dolly: failed: wrong image"), (3, "nobody sent the image in 100 s")],
)
def test_fetch_by_dolly(shell: Shell, rc: int, reason: str) -> None:
    script = (
        'echo "$@" > %s/calls; printf image > %s/run/xtreemos/ram/rootfs.sqfs\n'
        'echo "dolly: failed: wrong image" >&2; exit %d'
    )
    shell.program("python3", script % (shell.folder, shell.folder, rc))
    pyz = shell.folder / "dolly.pyz"
    pyz.write_text("")
    init = (shell.folder / "init").read_text().replace("/lib/xtreemos/dolly.pyz", str(pyz))
    (shell.folder / "init").write_text(init)
    line = (
        "automatic=method:dolly,dolly_dialect:chain node_name=n1 boot_server=10.0.1.1 image_size=5 image_sha256=" + SHA
    )
    text = shell.out("mkdir -p $HOLD/ram; try=1; parse_cmdline '%s'; fetch || echo \"R=$reason\"" % line)
    assert "waiting for the image from the dolly server (timeout 100) (try 1/3)" in text
    assert ("R=" + reason in text) == bool(reason)
    image = "%s/run/xtreemos/ram/rootfs.sqfs" % shell.folder
    wanted = "-S -E %s node --target %s --sha256 %s --timeout 100 --name n1 --size 5 --dialect chain --server 10.0.1.1"
    assert (shell.folder / "calls").read_text().strip() == wanted % (pyz, image, SHA)


def test_no_agent_in_this_stage1(shell: Shell) -> None:
    body = "parse_cmdline 'automatic=method:dolly'; fetch || echo \"$reason\""
    assert shell.out(body).splitlines()[-1] == "this stage1 has no dolly agent"


def test_a_wrong_image_is_thrown_away(shell: Shell) -> None:
    body = 'mkdir -p $HOLD/ram; printf x > $IMAGE; method=http; image_sha256=%s; verify || echo "$reason"; ls $HOLD/ram'
    assert shell.out(body % SHA) == "the image does not match its SHA-256 " + SHA
    right = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    text = shell.out(body % right)
    assert text.splitlines() == ["stage1: [ 12.34] verify: SHA-256 is right", "rootfs.sqfs"]


def test_phone_home(shell: Shell) -> None:
    shell.program("timeout", 'echo "$*" >> %s/calls' % shell.folder)
    body = (
        "parse_cmdline 'phone_home=http://10.0.1.1/phone-home node_name=n1 node_id=4 image_version=v2'; "
        "boot_id=b my_mac=m; phone dhcp; my_ip=10.0.1.31; phone failed 'a b/ä?'"
    )
    shell.out(body)
    wanted = (
        "3 wget -q -O /dev/null http://10.0.1.1/phone-home/failed?node=n1&id=4&boot=b&uptime=12.34&mac=m&ip=10.0.1.31"
        "&image=v2&msg=%61%20%62%2f%c3%a4%3f"
    )
    assert (shell.folder / "calls").read_text().splitlines() == [wanted]


def test_personalize(shell: Shell) -> None:
    shell.program("hostname", ":")
    new = shell.folder / "new"
    (new / "etc").mkdir(parents=True)
    (new / "etc/hosts").write_text("127.0.0.1 localhost\n")
    body = (
        "NEWROOT=%s; mkdir -p $HOLD; "
        "parse_cmdline 'node_name=n1 node_id=4 image_version=v2 automatic=method:http,domain:lab'; "
        "my_ip=10.0.1.31 my_mac=aa card=eth0 my_dns='1.1.1.1 2.2.2.2'; personalize" % new
    )
    assert shell.out(body) == ""
    assert (new / "etc/hostname").read_text() == "n1\n"
    assert (new / "etc/hosts").read_text().endswith("10.0.1.31 n1.lab n1\n")
    assert (new / "etc/resolv.conf").read_text() == "search lab\nnameserver 1.1.1.1\nnameserver 2.2.2.2\n"
    assert re.fullmatch(r"[0-9a-f]{32}\n", (new / "etc/machine-id").read_text())
    env = dict(row.split("=", 1) for row in (shell.folder / "run/xtreemos/boot.env").read_text().splitlines())
    assert (env["NODE_NAME"], env["NODE_ID"], env["METHOD"], env["IMAGE_VERSION"]) == ("n1", "4", "http", "v2")
    network = (shell.folder / "run/systemd/network/05-stage1.network").read_text()
    assert "MACAddress=aa" in network and "KeepConfiguration=yes" in network and "DHCP=ipv4" in network


def test_giving_up_with_a_shell_only_when_asked(shell: Shell) -> None:
    shell.program("setsid", "echo SHELL")
    assert "SHELL" not in shell.out("REBOOT_AFTER=0; (give_up why)")
    text = shell.out("parse_cmdline stage1_shell; (give_up why)")
    assert "failed: why" in text and "SHELL" in text and text.endswith("REBOOT")


def test_three_tries_then_the_reason(shell: Shell) -> None:
    for name in ("sleep", "mount", "mkdir"):
        shell.program(name, ":")
    shell.card("eth0", "aa")
    shell.program("udhcpc", "exit 1")
    (shell.folder / "proc/cmdline").write_text("automatic=method:http %s\n" % OK)
    body = "prepare() { :; }\ncoldplug() { :; }\n(main)"
    lines = [line.split("] ")[-1] for line in shell.out(body).splitlines()]
    tries = ["retry: no DHCP answer on eth0 (aa) (try %d/3)" % number for number in (1, 2, 3)]
    assert [line for line in lines if line.startswith("retry")] == tries
    assert lines[-3:] == ["failed: no DHCP answer on eth0 (aa)", "reboot: in 30 s", "REBOOT"]


def test_a_refused_command_line_is_told(shell: Shell) -> None:
    for name in ("sleep", "mount", "mkdir"):
        shell.program(name, ":")
    shell.card("eth0", "aa")
    shell.program("udhcpc", "exit 1")
    (shell.folder / "proc/cmdline").write_text("automatic=method:ka %s\n" % OK)
    text = shell.out("prepare() { :; }\ncoldplug() { :; }\n(main)")
    assert "failed: unknown method 'ka' in automatic= (known: http, dolly, nfs, local)" in text


def test_lease_script_keeps_what_udhcpc_says(tmp_path: Path) -> None:
    text = init_script.LEASE.replace("/run/lease", str(tmp_path / "lease"))
    (tmp_path / "lease.sh").write_text(text)
    env = {"ip": "10.0.1.31", "router": "10.0.1.1 10.0.1.2", "dns": "1.1.1.1 2.2.2.2", "hostname": "$(id)"}
    for event in ("deconfig", "bound"):
        subprocess.run([*SHELL, str(tmp_path / "lease.sh"), event], env=env, check=True)
    wanted = ["ip=10.0.1.31", "mask=24", "router=10.0.1.1", "dns=1.1.1.1 2.2.2.2", "domain=", "hostname=$(id)"]
    assert (tmp_path / "lease").read_text().splitlines() == wanted
