# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From rpmbuild to dnf: what the playbooks make is what real clients take. The tests build on each other."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.tests.integration.place import Mirror, run


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Mirror]:
    found = Mirror(tmp_path_factory.mktemp("m"))
    found.build("hello", more="Requires: hello-data = 1.0")
    found.build("hello-data")
    found.build("other")
    try:
        yield found
    finally:
        found.close()


def section(mirror: Mirror, name: str) -> set[str]:
    return {path.name for path in (mirror.tree / "x86_64/media" / name).glob("*.rpm")}


def test_the_playbook_publishes_what_came_in(mirror: Mirror) -> None:
    _output, predicted = mirror.play("mirror", "--check")
    assert predicted and not mirror.root.exists()
    _output, changes = mirror.play("mirror")
    assert changes
    assert section(mirror, "main/testing") == {
        "hello-1.0-1.noarch.rpm",
        "hello-data-1.0-1.noarch.rpm",
        "other-1.0-1.noarch.rpm",
    }
    mirror.serve()
    output, changes = mirror.play("mirror")
    assert changes == 1, output  # the list: now that something answers, it can be written
    lines = (mirror.root / "lists/xtreemos.2.1.x86_64.list").read_text()
    assert lines == "version=2.1,arch=x86_64,type=distrib,url=%s/xtreemos/2.1/x86_64\n" % mirror.url


def test_promotion_is_predicted_and_then_done(mirror: Mirror) -> None:
    words = ("-e", "from=main/testing", "-e", "to=main/updates", "-e", "packages=hello,hello-data")
    output, predicted = mirror.play("promote", *words, "--check")
    assert predicted and "hello" in output and section(mirror, "main/updates") == set()
    mirror.play("promote", *words)
    assert section(mirror, "main/updates") == {"hello-1.0-1.noarch.rpm", "hello-data-1.0-1.noarch.rpm"}
    assert section(mirror, "main/testing") == {"other-1.0-1.noarch.rpm"}
    output, changes = mirror.play("mirror")
    assert changes == 0, output


def test_dnf_installs_with_both_checks_on(mirror: Mirror) -> None:
    output = mirror.dnf("good", "install", "hello")
    assert "Importing GPG key" in output
    root = mirror.folder / "roots" / "good"
    assert (root / "usr/share/hello/line").read_text() == "hello 1.0\n"
    assert (root / "usr/share/hello-data/line").exists()
    settings = (mirror.folder / "client/repos/xtreemos.repo").read_text()
    assert settings.count("\ngpgcheck=1") == settings.count("\nrepo_gpgcheck=1") == settings.count("\n[") == 3


def test_dnf_takes_what_the_role_dnf_client_writes(mirror: Mirror) -> None:
    """No option that leads to other files or keys than those in /etc of the client."""
    output, changes = mirror.play("media_clients", "--limit", "dnf-client", host="dnf-client")
    assert changes == 1, output
    output, changes = mirror.play("media_clients", "--limit", "dnf-client", host="dnf-client")
    assert changes == 0, output
    told = mirror.dnf_client("own", "repolist", "--all")
    assert {line.split()[0]: line.split()[-1] for line in told.splitlines() if "main" in line or "tests" in line} == {
        "xtreemos-main-release": "enabled",
        "xtreemos-main-updates": "enabled",
        "extra": "enabled",
    }
    assert [line.split()[-1] for line in told.splitlines() if line.startswith("later")] == ["disabled"]
    told = mirror.dnf_client("own", "install", "hello", "other")
    # Asked for once per repository that has signed metadata, and once for the packages.
    assert told.count(" From       : /etc/pki/rpm-gpg/RPM-GPG-KEY-xtreemos\n") == 4, told
    root = mirror.folder / "roots/own"
    assert (root / "usr/share/hello/line").read_text() == "hello 1.0\n"
    # From the repository without a tree.
    assert (root / "usr/share/other/line").exists()


def test_the_role_urpmi_client_takes_the_tree_from_the_server(mirror: Mirror) -> None:
    output, changes = mirror.play("media_clients", "--limit", "urpmi-client", host="urpmi-client")
    assert changes == 1, output
    output, changes = mirror.play("media_clients", "--limit", "urpmi-client", host="urpmi-client")
    assert changes == 0, output
    etc, stored = (mirror.folder / "urpmi-client" / place for place in ("etc/urpmi", "var/lib/urpmi"))
    url = mirror.url + "/xtreemos/2.1/x86_64/media/main/updates"
    assert "Main\\ Updates %s {" % url in (etc / "urpmi.cfg").read_text()
    published = mirror.tree / "x86_64/media/main/updates/media_info/synthesis.hdlist.cz"
    assert (stored / "Main Updates/synthesis.hdlist.cz").read_bytes() == published.read_bytes()
    keys = run("rpm", "--root", mirror.folder / "urpmi-client", "-q", "gpg-pubkey")
    assert keys.startswith("gpg-pubkey-")


def test_testing_is_known_but_not_used(mirror: Mirror) -> None:
    assert "No match for argument: other" in mirror.dnf("good", "install", "other", fails=True)
    mirror.dnf("good", "--enablerepo=xtreemos-main-testing", "install", "other")


def test_urpmi_data_lead_to_the_same_packages(mirror: Mirror) -> None:
    assert mirror.solve("main/updates", "hello") == "hello hello-data"


def test_the_media_are_found_in_order(mirror: Mirror) -> None:
    output, changes = mirror.play("media_check")
    assert changes == 0 and "main/updates" in output


def test_hidden_files_and_other_methods_are_refused(mirror: Mirror) -> None:
    for path, code in (
        ("/xtreemos/2.1/.mirror-sync.lock", "404"),
        ("/xtreemos/2.1/archive/x", "404"),
        ("/RPM-GPG-KEY", "200"),
    ):
        assert run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", mirror.url + path) == code
    assert (
        run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE", mirror.url + "/RPM-GPG-KEY") == "405"
    )


def test_another_mirror_pulls_what_the_key_vouches_for(mirror: Mirror) -> None:
    remote = "rsync://127.0.0.1:%d/mirror/xtreemos/2.1" % mirror.rsync_port
    # rsyncd changes its root, which root alone may do.
    source = remote if os.geteuid() == 0 else str(mirror.tree)
    dest = mirror.folder / "pulled/2.1"
    sync = {"name": "x", "source": source, "dest": str(dest), "pubkey": str(mirror.root / "RPM-GPG-KEY")}
    assert "CHANGED" in mirror.call("mirror_sync", syncs=[sync])
    assert "SUCCESS" in mirror.call("mirror_sync", syncs=[sync])
    theirs, ours = (_files(place) for place in (mirror.tree, dest))
    assert ours == theirs
    for name, told in (("SHA256SUMS", "do not fit SHA256SUMS"), ("SHA256SUMS.asc", "no good signature")):
        sums = (mirror.tree / name).read_bytes()
        (mirror.tree / name).write_bytes(sums.replace(b"main", b"mine", 1))
        assert told in mirror.call("mirror_sync", syncs=[sync], fails=True)
        assert _files(dest) == theirs
        (mirror.tree / name).write_bytes(sums)


def _files(place: Path) -> dict[str, bytes]:
    hidden = [
        path for path in place.rglob("*") if not any(part.startswith(".") for part in path.relative_to(place).parts)
    ]
    return {str(path.relative_to(place)): path.read_bytes() for path in hidden if path.is_file()}


def test_a_package_of_a_stranger_is_refused_twice(mirror: Mirror) -> None:
    """First by the gate of the publisher; and where somebody went around it, by dnf."""
    strange = mirror.folder / "strange"
    package = mirror.build("evil", into=strange)
    home = str(mirror.folder / "strangers")
    key = {"generate": {"name": "A stranger", "no_passphrase": True}, "export": str(strange / "key")}
    output = mirror.call("gpg_key", gnupg_home=home, keys=[key])
    name = output.split('"fingerprint": "')[1].split('"')[0]
    mirror.call("rpm_sign", paths=[str(package)], gnupg_home=home, key=name, backend="agent")
    tree: dict[str, t.Any] = {
        "path": str(mirror.root / "xtreemos"),
        "distribution": "XtreemOS",
        "version": "2.1",
        "arches": ["x86_64"],
    }
    tree = {**tree, "media": [{"name": "main"}], "pubkey": str(mirror.root / "RPM-GPG-KEY")}
    told = mirror.call("rpm_publish", tree=tree, to="main/updates", fails=True, **{"from": str(strange)})
    assert "evil" in told and "evil-1.0-1.noarch.rpm" not in section(mirror, "main/updates")
    place = mirror.tree / "x86_64/media/main/updates"
    (place / package.name).write_bytes(package.read_bytes())
    mirror.call("hdlist", path=str(place), repodata=True, pubkey=str(mirror.root / "RPM-GPG-KEY"))
    mirror.call(
        "detached_sign",
        files=[str(place / "repodata/repomd.xml")],
        key=_own_key(mirror),
        gnupg_home=str(mirror.folder / "gnupg"),
    )
    refused = mirror.dnf("bad", "install", "evil", fails=True)
    assert "GPG check FAILED" in refused
    assert not (mirror.folder / "roots/bad/usr/share/evil").exists()


def test_metadata_of_a_stranger_is_refused(mirror: Mirror) -> None:
    repomd = mirror.tree / "x86_64/media/main/updates/repodata/repomd.xml"
    repomd.write_bytes(repomd.read_bytes() + b"<!-- changed -->\n")
    assert "GPG signature verification error" in mirror.dnf("late", "install", "hello", fails=True)


def _own_key(mirror: Mirror) -> str:
    output = mirror.call("gpg_key", gnupg_home=str(mirror.folder / "gnupg"))
    return output.split('"fingerprint": "')[1].split('"')[0]
