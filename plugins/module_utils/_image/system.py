# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a distribution's root tree a diskless node: units, sshd, network, masks. Private module util.

systemd stays the init; everything here is files and links, so nothing of the image is run to put it in place.
"""

from __future__ import annotations

import typing as t

from .._host.errors import ClusterError
from . import edit
from .tree import Tree

_UNITS = "etc/systemd/system/"
_GENERATORS = "etc/systemd/system-generators/"

# Nothing of these makes sense on a root that is made anew at every boot, or it only costs time there.
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "ldconfig.service",
    "logrotate.timer",
    "man-db.timer",
    "modprobe@configfs.service",
    "modprobe@dm_mod.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-boot-random-seed.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-initctl.socket",
    "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-machine-id-commit.service",
    "systemd-networkd-wait-online.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-rfkill.service",
    "systemd-rfkill.socket",
    "systemd-sysusers.service",
    "systemd-timesyncd.service",
    "systemd-update-done.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
)

# They look for disks and volumes of a root that is not there (gpt-auto would mount what it finds), or open an SSH
# socket that nobody asked for.
MASKED_GENERATORS = (
    "systemd-bless-boot-generator",
    "systemd-cryptsetup-generator",
    "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator",
    "systemd-integritysetup-generator",
    "systemd-ssh-generator",
    "systemd-system-update-generator",
    "systemd-veritysetup-generator",
)

SSHD = """\
# Keys only: no password of any user opens a session.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitEmptyPasswords no
HostKey /etc/ssh/ssh_host_ed25519_key
UseDNS no
"""

HOST_KEY_UNIT = """\
[Unit]
Description=Make the SSH host key of this boot
Before=ssh.service sshd.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
"""

# Debian's unit tests the configuration before each start; ours was tested when it was written.
SSH_UNIT = """\
[Service]
ExecStartPre=
"""

# The key comes after the boot and is never in an image; until then munge would only fail.
MUNGE_UNIT = """\
[Unit]
ConditionPathExists=/etc/munge/munge.key
"""

UP_UNIT = """\
[Unit]
Description=Tell the boot server that this node is up
After=ssh.service sshd.service network.target xtreemos-host-key.service
ConditionPathExists=/run/xtreemos/boot.env

[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/run/xtreemos/boot.env
ExecStart=/bin/bash /usr/lib/xtreemos/phone-home up
TimeoutStartSec=15

[Install]
WantedBy=multi-user.target
"""

PHONE_HOME = """\
#!/bin/bash
# phone-home STAGE: tell the boot server that this node reached a stage, with the public host key of this boot.
# The values come from /run/xtreemos/boot.env, which stage1 wrote. Never fails the boot.
read -r uptime _ < /proc/uptime
printf 'stage1: [%6.2f] %s: %s is up\\n' "$uptime" "$1" "$NODE_NAME" > /dev/console
url=${PHONE_HOME#http://}
[ -n "$url" ] || exit 0
address=${url%%/*} path=/${url#*/}
host=${address%:*} port=80
[ "$host" = "$address" ] || port=${address##*:}
read -r _ key _ < /etc/ssh/ssh_host_ed25519_key.pub
key=${key//+/%2B} key=${key//\\//%2F} key=${key//=/%3D}
query="node=$NODE_NAME&id=$NODE_ID&boot=$BOOT_ID&uptime=$uptime&mac=$NODE_MAC&ip=$NODE_IP&image=$IMAGE_VERSION"
exec 3<> "/dev/tcp/$host/$port" || exit 0
printf 'GET %s/%s?%s&msg=ssh-ed25519%%20%s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "$path" "$1" "$query" "$key" "$host" >&3
read -r -t 5 answer <&3
echo "$answer"
exit 0
"""

# For cards that stage1 did not configure; its own file sorts before this one.
NETWORK = """\
[Match]
Name=eth* en*

[Network]
DHCP=yes
KeepConfiguration=yes

[Link]
RequiredForOnline=no

[DHCPv4]
ClientIdentifier=mac
UseHostname=no
"""

HOSTS = """\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
"""


def _enabled(unit: str) -> str:
    return "%smulti-user.target.wants/%s" % (_UNITS, unit)


def without_generators(names: t.Iterable[str]) -> dict[str, edit.Node]:
    """Masks for generators of systemd."""
    return {_GENERATORS + name: edit.link("/dev/null") for name in names}


def units(tree: Tree) -> dict[str, edit.Node]:
    """Units of ours, what is enabled and what is masked."""
    nodes = {_UNITS + name: edit.link("/dev/null") for name in MASKED}
    nodes.update(without_generators(MASKED_GENERATORS))
    nodes[_UNITS + "xtreemos-host-key.service"] = edit.text(HOST_KEY_UNIT)
    nodes[_UNITS + "xtreemos-up.service"] = edit.text(UP_UNIT)
    for name in ("xtreemos-host-key.service", "xtreemos-up.service"):
        nodes[_enabled(name)] = edit.link("/" + _UNITS + name)
    nodes[_enabled("systemd-networkd.service")] = edit.link("/lib/systemd/system/systemd-networkd.service")
    ssh = next((name for name in ("ssh.service", "sshd.service") if tree.file("lib/systemd/system/" + name)), None)
    if ssh:
        nodes[_enabled(ssh)] = edit.link("/lib/systemd/system/" + ssh)
    if tree.file("lib/systemd/system/munge.service"):
        nodes[_UNITS + "munge.service.d/10-xtreemos.conf"] = edit.text(MUNGE_UNIT)
    nodes[_UNITS + "ssh.service.d/10-xtreemos.conf"] = edit.text(SSH_UNIT)
    nodes[_UNITS + "default.target"] = edit.link("/lib/systemd/system/multi-user.target")
    return nodes


def _keys(keys: t.Iterable[str]) -> dict[str, edit.Node]:
    lines = "".join("%s\n" % key for key in keys)
    if not lines:
        return {}
    return {"root/.ssh": edit.folder(0o700), "root/.ssh/authorized_keys": edit.text(lines, 0o600)}


def console(serial: bool) -> dict[str, edit.Node]:
    """Without ``serial`` no login prompt is started on any console; root has no password anyway."""
    masks = {**without_generators(["systemd-getty-generator"]), _UNITS + "getty.target": edit.link("/dev/null")}
    return {} if serial else masks


def nodes(tree: Tree, keys: t.Iterable[str], serial: bool) -> dict[str, edit.Node]:
    """Everything to put into the tree of a node. ClusterError when it has no systemd or no SSH server."""
    if tree.follow("sbin/init") is None or tree.follow("lib/systemd/systemd") is None:
        raise ClusterError("the image has no systemd as init", "add the package systemd-sysv")
    if tree.file("usr/sbin/sshd") is None:
        raise ClusterError("the image has no SSH server", "add the package openssh-server")
    return {
        **units(tree),
        **_keys(keys),
        **console(serial),
        "etc/ssh/sshd_config.d/10-xtreemos.conf": edit.text(SSHD),
        "etc/systemd/network/80-xtreemos.network": edit.text(NETWORK),
        "etc/systemd/journald.conf.d/10-xtreemos.conf": edit.text("[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n"),
        "usr/lib/xtreemos/phone-home": edit.text(PHONE_HOME, 0o755),
        "etc/machine-id": edit.text(""),
        "etc/hostname": edit.text("localhost\n"),
        "etc/hosts": edit.text(HOSTS),
        "etc/resolv.conf": edit.text(""),
        "etc/fstab": edit.text(""),
    }


def texts() -> list[str]:
    """Everything of this file that ends in an image, for the input digest."""
    return [SSHD, SSH_UNIT, MUNGE_UNIT, HOST_KEY_UNIT, UP_UNIT, PHONE_HOME, NETWORK, HOSTS, *MASKED, *MASKED_GENERATORS]
