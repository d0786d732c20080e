# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate: what must not be published is found, what only looks like it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import edit, scan
from ansible_collections.xtreemos.cluster.tests.unit._image import samples

PEM = samples.PRIVATE
RSA = PEM.replace("OPENSSH", "RSA")
EMPTY = "PermitEmptyPasswords"
BAD = [
    ("root/my-key", PEM, "private key"),
    ("srv/deep/in/site.pem", "certificate before\n" + RSA, "private key"),
    ("etc/key", PEM.replace("OPENSSH ", ""), "private key"),
    (
        "etc/key",
        RSA.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,1F\n\n"),
        "private key",
    ),
    ("etc/key", RSA.replace("\n", "\r\n"), "private key"),
    ("root/pgp.asc", RSA.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK").replace("\n", "\n\n", 1), "private key"),
    ("etc/ssh/ssh_host_rsa_key", "anything", "SSH host key"),
    ("etc/ssh/ssh_host_ed25519_key", "", "SSH host key"),
    ("etc/munge/munge.key", "random", "munge key"),
    ("etc/krb5.keytab", "x", "Kerberos keytab"),
    ("home/a/.ssh/id_rsa", "x", "SSH key"),
    ("root/.ssh/id_ed25519", "x", "SSH key"),
    ("etc/shadow", samples.SHADOW + "guest::20000:0:99999:7:::\n", "account guest has an empty password"),
    ("etc/shadow-", "root::1:::::\n", "account root has an empty password"),
    ("etc/passwd", "root::0:0:root:/root:/bin/sh\n", "account root has an empty password"),
    ("etc/ssh/sshd_config", EMPTY + " yes\n", "empty passwords are permitted"),
    ("etc/ssh/sshd_config", "# x\n  %s=YES\n" % EMPTY.lower(), "empty passwords are permitted"),
    ("etc/ssh/sshd_config.d/50-x.conf", EMPTY + "\t yes", "empty passwords are permitted"),
    ("etc/apt/sources.list", "deb http://me:secret@mirror/debian bookworm main\n", "password of a package source"),
    ("etc/yum.repos.d/x.repo", "baseurl=https://me:secret@mirror/\n", "password of a package source"),
]
GOOD = [
    ("etc/ssh/ssh_host_rsa_key.pub", "ssh-rsa AAAA"),
    ("root/.ssh/id_rsa.pub", "ssh-rsa AAAA"),
    ("root/.ssh/authorized_keys", samples.KEY),
    ("usr/bin/ssh-keygen", "\0".join(PEM.splitlines())),
    ("usr/share/doc/key.txt", "the header -----BEGIN RSA %s KEY----- begins a key\n" % "PRIVATE"),
    ("etc/cert.pem", RSA.replace("RSA PRIVATE KEY", "CERTIFICATE")),
    ("etc/pub.pem", RSA.replace("RSA PRIVATE", "PUBLIC")),
    ("etc/ssh/sshd_config", "#%s yes\n%s no\n" % (EMPTY, EMPTY)),
    ("etc/apt/sources.list", "# http://me:x@y\ndeb http://mirror/debian bookworm main\n"),
    ("etc/passwd", "root:x:0:0::/root:/bin/sh\n+::::::\n\n# comment:\n"),
]


@pytest.mark.parametrize(("path", "content", "what"), BAD, ids=lambda value: str(value)[:30])
def test_found(tmp_path: Path, path: str, content: str, what: str) -> None:
    tree = samples.tree(tmp_path, {path: edit.text(content)})
    assert scan.Finding("/" + path, what) in scan.scan(tree)
    with pytest.raises(
        ClusterError, match="the image may not be published: .*/%s" % path.replace(".", "[.]")
    ) as caught:
        scan.gate(tree)
    assert "remove_paths" in caught.value.hint


@pytest.mark.parametrize(("path", "content"), GOOD, ids=lambda value: str(value)[:30])
def test_not_found(tmp_path: Path, path: str, content: str) -> None:
    assert scan.scan(samples.tree(tmp_path, {path: edit.text(content)})) == []


def test_a_key_inside_of_a_program_is_its_self_test(tmp_path: Path) -> None:
    library = edit.Node(samples.STATIC + b"\n" + PEM.encode())
    assert scan.scan(samples.tree(tmp_path, {"usr/lib/libcrypto.so": library})) == []


def test_many_findings_are_counted(tmp_path: Path) -> None:
    files = {"root/key%d" % number: edit.text(PEM) for number in range(8)}
    with pytest.raises(ClusterError, match="/root/key4: private key and 3 more"):
        scan.gate(samples.tree(tmp_path, files))
