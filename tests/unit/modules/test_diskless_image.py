# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""diskless_image: a build from recipe to version with programs that only leave files, and every state."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import Completed
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import cpio, edit, system
from ansible_collections.xtreemos.cluster.plugins.modules import diskless_image
from ansible_collections.xtreemos.cluster.tests.unit._image import samples
from ansible_collections.xtreemos.cluster.tests.unit._image.test_image_apt import TARGETS

NAMES = ["manifest.json", "packages.txt", "rootfs.sqfs", "stage1.img", "vmlinuz"]


class World:
    """One images root and a host; ``run`` is the module without Ansible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = samples.FakeHost()

    def run(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        old = self.host
        self.host = samples.FakeHost(old.files, old.drop)
        self.host.failures, self.host.missing = old.failures, old.missing
        self.host.texts = {"apt-get": TARGETS}
        spec = {key: row.get("default") for key, row in diskless_image.ARGUMENTS.items()}
        spec.update(
            name="node", images_root=str(self.folder / "images"), packages=["udev"], authorized_keys=[samples.KEY]
        )
        spec.update(options)
        for row in spec["overlay"]:
            row.setdefault("mode", "0644")
        result = diskless_image.work(spec, check, self.host)
        result["actions"] = self.host.actions
        return result

    def snapshot(self) -> dict[str, bytes | str]:
        root = self.folder / "images"
        found: dict[str, bytes | str] = {}
        for path in sorted(root.rglob("*")) if root.exists() else []:
            if path.is_symlink():
                found[str(path)] = os.readlink(path)
            elif path.is_file():
                found[str(path)] = path.read_bytes()
        return found

    @property
    def image(self) -> Path:
        return self.folder / "images" / "node"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.host.files = {
        "etc/ssh/ssh_host_rsa_key": edit.text(samples.PRIVATE),
        "etc/munge/munge.key": edit.text("secret"),
        "etc/shadow-": edit.text("root::1::::::\n"),
    }
    return made


def test_a_version_and_all_that_is_in_it(world: World) -> None:
    result = world.run(overlay=[{"path": "/lib/x.conf", "content": "x"}], remove_packages=["cpio"])
    version = result["version"]
    assert (
        result["changed"] and result["built"] and result["current"] == version == result["image"]["input_digest"][:12]
    )
    assert sorted(os.listdir(world.image)) == sorted([version, "current"])
    assert sorted(os.listdir(world.image / version)) == NAMES
    assert (world.image / "current/vmlinuz").read_text() == "kernel"
    assert result["image"]["kernel_version"] == samples.VERSION
    assert (world.image / version / "packages.txt").read_text() == "base-files 12.4\n"
    assert set(result["seconds"]) == {"root tree", "stage1", "edit", "scan", "squashfs", "digests", "install"}
    stage1 = gzip.decompress((world.image / version / "stage1.img").read_bytes())
    assert "init" in [member.path for member in cpio.parse(stage1)]


def test_the_root_is_made_a_nodes_root(world: World) -> None:
    world.run(
        overlay=[{"path": "/lib/x.conf", "content": "x", "mode": "0600"}],
        remove_paths=["/usr/lib/modules/*/kernel/sound"],
    )
    root = samples.inside(str(world.image / "current/rootfs.sqfs"))
    assert root.read("usr/lib/x.conf") == b"x" and root.entries["usr/lib/x.conf"].mode == 0o600
    assert root.read("root/.ssh/authorized_keys") == samples.KEY.encode() + b"\n"
    assert root.entries["root/.ssh"].mode == 0o700
    assert root.read("etc/machine-id") == b"" and root.read("etc/fstab") == b""
    assert root.read("etc/ssh/sshd_config.d/10-xtreemos.conf") == system.SSHD.encode()
    assert root.entries["etc/systemd/system/apt-daily.timer"].target == "/dev/null"
    assert root.entries["etc/systemd/system/multi-user.target.wants/ssh.service"].kind == "link"
    gone = ("boot/vmlinuz-" + samples.VERSION, "etc/ssh/ssh_host_rsa_key", "etc/munge/munge.key", "etc/shadow-")
    assert not [name for name in gone if name in root.entries]
    assert not root.glob("usr/lib/modules/*/kernel/sound*")


def test_unchanged_input_builds_nothing(world: World) -> None:
    first = world.run()
    before = world.snapshot()
    second = world.run(packages=["udev", "udev"])
    assert not second["changed"] and not second["built"] and second["actions"] == [] == world.host.ran
    assert second["image"] == first["image"] and world.snapshot() == before
    assert second["diff"]["before"]["current"] == second["diff"]["after"]["current"]


def test_check_mode_says_what_a_run_does(world: World) -> None:
    predicted = world.run(check=True)
    assert world.snapshot() == {}
    done = world.run()
    keys = ("changed", "built", "version", "current", "removed", "actions", "diff")
    assert {key: predicted[key] for key in keys} == {key: done[key] for key in keys}
    assert not world.run(check=True)["changed"]


def history(world: World, count: int, **options: t.Any) -> list[str]:
    return [world.run(stamp=str(number), **options)["version"] for number in range(count)]


def test_the_oldest_go(world: World) -> None:
    versions = history(world, 3, keep=2)
    assert sorted(os.listdir(world.image)) == sorted([*versions[1:], "current"])
    predicted = world.run(check=True, keep=1, stamp="2")
    assert predicted["changed"] and predicted["removed"] == [versions[1]]
    assert world.run(keep=1, stamp="2")["removed"] == [versions[1]]
    assert not world.run(keep=1, stamp="2")["changed"]


def test_rolling_back_and_forth(world: World) -> None:
    versions = history(world, 3)
    predicted = world.run(check=True, state="rolled_back")
    assert (predicted["changed"], predicted["current"]) == (True, versions[1])
    assert world.run(state="rolled_back")["current"] == versions[1] == os.readlink(world.image / "current")
    assert not world.run(state="rolled_back")["changed"]
    assert world.run(state="rolled_back", version=versions[0])["current"] == versions[0]
    assert world.run(state="current")["current"] == versions[2]
    assert not world.run(state="current", version=versions[2])["changed"]
    assert world.run(stamp="0")["current"] == versions[0]


def test_removing(world: World) -> None:
    versions = history(world, 2)
    with pytest.raises(ClusterError, match="is current"):
        world.run(state="absent", version=versions[1])
    assert world.run(check=True, state="absent", version=versions[0])["removed"] == [versions[0]]
    assert world.run(state="absent", version=versions[0])["changed"]
    assert not world.run(state="absent", version=versions[0])["changed"]
    assert world.run(check=True, state="absent")["changed"] and world.image.exists()
    assert world.run(state="absent")["removed"] == [versions[1]] and not world.image.exists()
    assert not world.run(state="absent")["changed"]


def test_a_named_version_is_never_built_over(world: World) -> None:
    world.run(version="1.0")
    assert not world.run(version="1.0")["changed"]
    with pytest.raises(ClusterError, match=r"version 1\.0 was built from another input"):
        world.run(version="1.0", stamp="other")


def test_carrying_to_a_boot_server(world: World, tmp_path: Path) -> None:
    pack, served = str(tmp_path / "pack.tar"), str(tmp_path / "served")
    version = world.run(pack=pack)["version"]
    there: dict[str, t.Any] = {"images_root": served, "state": "current", "version": version}
    missing = world.run(missing_ok=True, **there)
    assert missing["missing"] and not missing["changed"]
    assert world.run(check=True, archive=pack, **there)["changed"]
    taken = world.run(archive=pack, **there)
    assert taken["changed"] and taken["built"] and not taken["missing"] and not os.path.exists(pack)
    assert sorted(os.listdir(os.path.join(served, "node", "current"))) == NAMES
    again = world.run(archive=pack, **there)
    assert not again["changed"] and not again["built"]


def test_taking_in_keeps_as_many(world: World, tmp_path: Path) -> None:
    pack = str(tmp_path / "pack.tar")
    for number in range(3):
        version = world.run(pack=pack, stamp=str(number))["version"]
        world.run(images_root=str(tmp_path / "served"), state="current", version=version, archive=pack, keep=2)
    assert len(os.listdir(tmp_path / "served" / "node")) == 3


FULL = Completed(("tar2sqfs",), 1, "", "write: No space left on device\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "image name 'a/b' is malformed"),
        ({"version": ".."}, "version '..' is malformed"),
        ({"keep": 0}, "keep=0 would remove every version"),
        ({"packages": ["no such"]}, "package 'no such' is malformed"),
        ({"packages": []}, "the package list is empty"),
        ({"root": "/no/such/tree"}, "the root tree /no/such/tree is no directory"),
        ({"tarball": "/no/such.tar"}, "cannot read the tarball /no/such.tar: No such file"),
        ({"state": "current"}, "image node has no version"),
        ({"state": "current", "version": "x"}, "image node has no version x"),
        ({"state": "current", "version": "x", "archive": "/no/x.tar"}, "there is no archive /no/x.tar"),
        ({"state": "rolled_back"}, "no older version"),
        ({"stage1_compression": "zstd"}, "cannot unpack a zstd initramfs"),
    ],
)
def test_bad_input_writes_nothing(world: World, options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        world.run(**options)
    assert not world.image.exists() or os.listdir(world.image) == []


@pytest.mark.parametrize(
    ("files", "drop", "failures", "message"),
    [
        ({"root/key": edit.text(samples.PRIVATE)}, (), {}, "may not be published: /root/key: private key"),
        ({"etc/shadow": edit.text("root::1::::::\n")}, (), {}, "/etc/shadow: account root has an empty password"),
        ({}, ("boot/vmlinuz-" + samples.VERSION,), {}, "there is no kernel in the image"),
        ({}, ("usr/sbin/sshd",), {}, "the image has no SSH server .*openssh-server"),
        ({}, ("usr/sbin/init",), {}, "the image has no systemd as init .*systemd-sysv"),
        ({}, (), {"tar2sqfs": FULL}, "tar2sqfs failed: write: No space left on device .*free space at"),
        ({}, (), {"mmdebstrap": Completed(("mmdebstrap",), 1, "", "E: boom")}, "mmdebstrap failed: E: boom"),
    ],
)
def test_a_failed_build_leaves_the_versions_alone(
    world: World, files: dict[str, edit.Node], drop: tuple[str, ...], failures: dict[str, Completed], message: str
) -> None:
    world.run()
    before = world.snapshot()
    world.host.files, world.host.drop, world.host.failures = files, drop, failures
    with pytest.raises(ClusterError, match=message):
        world.run(stamp="new")
    assert world.snapshot() == before


def test_a_killed_build_is_repaired(world: World) -> None:
    def killed(*_args: object, **_options: object) -> Completed:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples.FakeHost, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            world.run()
    assert [name for name in os.listdir(world.image) if name.startswith(".building-")]
    assert world.run()["built"] and len(os.listdir(world.image)) == 2


def test_a_damaged_version_is_made_anew(world: World) -> None:
    version = world.run()["version"]
    (world.image / version / "rootfs.sqfs").write_bytes(b"short")
    with pytest.raises(ClusterError, match=r"rootfs\.sqfs has 5 bytes instead of"):
        world.run(state="current")
    predicted = world.run(check=True)
    repaired = world.run()
    assert predicted["built"] and repaired["built"] and repaired["current"] == version == predicted["current"]
    assert not world.run()["changed"] and not world.run(state="current")["changed"]


def test_a_damaged_copy_is_copied_again(world: World, tmp_path: Path) -> None:
    pack, served = str(tmp_path / "pack.tar"), tmp_path / "served"
    version = world.run(pack=pack)["version"]
    there: dict[str, t.Any] = {"images_root": str(served), "state": "current", "version": version}
    world.run(archive=pack, **there)
    (served / "node" / version / "vmlinuz").unlink()
    assert world.run(missing_ok=True, **there)["missing"]
    world.run(pack=pack)
    assert world.run(archive=pack, **there)["built"]
    assert not world.run(missing_ok=True, **there)["missing"]


def test_munge_waits_for_its_key(world: World) -> None:
    drop_in = "etc/systemd/system/munge.service.d/10-xtreemos.conf"
    version = world.run()["version"]
    assert drop_in not in samples.inside(str(world.image / version / "rootfs.sqfs")).entries
    world.host.files = {"usr/lib/systemd/system/munge.service": edit.text("[Unit]\n")}
    world.run(stamp="munge")
    root = samples.inside(str(world.image / "current/rootfs.sqfs"))
    assert root.read(drop_in) == b"[Unit]\nConditionPathExists=/etc/munge/munge.key\n"


def test_no_login_without_a_key_but_prompts_on_request(world: World) -> None:
    world.run(authorized_keys=[], serial_login=True)
    root = samples.inside(str(world.image / "current/rootfs.sqfs"))
    assert "root/.ssh/authorized_keys" not in root.entries
    assert "etc/systemd/system/getty.target" not in root.entries


PACKERS: list[tuple[str, t.Callable[[bytes], bytes]]] = [
    ("plain", lambda data: data),
    ("gz", gzip.compress),
    ("bz2", bz2.compress),
    ("xz", lzma.compress),
]


@pytest.mark.parametrize(("kind", "packer"), PACKERS, ids=lambda value: str(value)[:5])
def test_tarballs(world: World, tmp_path: Path, kind: str, packer: t.Callable[[bytes], bytes]) -> None:
    plain = tmp_path / "t.tar"
    samples.make(plain)
    packed = tmp_path / "t.packed"
    packed.write_bytes(packer(plain.read_bytes()))
    assert world.run(tarball=str(packed), packages=[])["built"]
    assert not world.run(tarball=str(packed), packages=[])["changed"]
    assert packed.exists() and not [argv for argv in world.host.actions if argv[0] == "mmdebstrap"]
    os.utime(packed, (1, 1))
    assert world.run(tarball=str(packed), packages=[])["changed"]


@pytest.mark.parametrize("packer", [gzip.compress, lzma.compress])
def test_half_a_tarball(world: World, tmp_path: Path, packer: t.Callable[[bytes], bytes]) -> None:
    plain = tmp_path / "t.tar"
    samples.make(plain)
    (tmp_path / "t.packed").write_bytes(packer(plain.read_bytes())[:-40])
    with pytest.raises(ClusterError, match=r"t\.packed is damaged"):
        world.run(tarball=str(tmp_path / "t.packed"), packages=[])


def test_a_foreign_tree_keeps_its_secrets_to_itself(world: World, tmp_path: Path) -> None:
    samples.make(tmp_path / "t.tar", {"etc/ssh/ssh_host_rsa_key": edit.text("k")})
    with pytest.raises(ClusterError, match="/etc/ssh/ssh_host_rsa_key: SSH host key"):
        world.run(tarball=str(tmp_path / "t.tar"), packages=[])
    assert world.run(tarball=str(tmp_path / "t.tar"), packages=[], remove_paths=["/etc/ssh/ssh_host_*"])["built"]


def test_directories(world: World, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "etc/motd").write_text("hi")
    world.host.files = {}
    first = world.run(root=str(root), packages=[])
    assert first["actions"][0][:2] == ["tar", "--numeric-owner"] and "--one-file-system" in first["actions"][0]
    assert not world.run(root=str(root), packages=[])["changed"]
    (root / "etc/motd").write_text("hello")
    assert world.run(check=True, root=str(root), packages=[])["built"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"name": "node", "state": "absent"}, 0, '"changed": false'),
        ({"name": "node", "state": "current"}, 1, "image node has no version"),
        ({"name": "node", "state": "gone"}, 1, "value of state must be one of"),
        ({"name": "node", "packages": ["a"], "tarball": "/t"}, 1, "mutually exclusive"),
        ({"packages": ["a"]}, 1, "missing required arguments: name"),
    ],
)
def test_the_module_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, t.Any], code: int, text: str
) -> None:
    with patch_module_args({"images_root": str(tmp_path / "images"), **options}), pytest.raises(SystemExit) as ended:
        diskless_image.main()
    shown = capsys.readouterr().out
    assert ended.value.code == code and text in shown
    assert json.loads(shown).get("hint", "") == "" or code == 1
