# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import pathlib
import tarfile
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.host import File, MemoryHost
from ansible_collections.xtreemos.cluster.plugins.module_utils._lab import disk as disks
from ansible_collections.xtreemos.cluster.plugins.modules import lab_disk
from hypothesis import given
from hypothesis import strategies as st

RunModule = t.Callable[..., t.Dict[str, t.Any]]
LISTING = """\
https://mirror.invalid/debian/ bookworm main Debian
https://mirror.invalid/debian/ bookworm contrib Debian
https://mirror.invalid/debian/ bookworm-updates main Debian
https://mirror.invalid/debian-security/ bookworm-security main Debian
https://mirror.invalid/debian-security/ bookworm-security main Debian
https://mirror.invalid/debian/ trixie main Debian
https://other.invalid/apt/ stable main Somebody
"""
SOURCES = """\
deb https://mirror.invalid/debian-security/ bookworm-security main
deb https://mirror.invalid/debian/ bookworm contrib main
deb https://mirror.invalid/debian/ bookworm-updates main
"""


def disk(**more: t.Any) -> disks.Disk:
    base: dict[str, t.Any] = {"folder": "/s/head", "suite": "bookworm", "packages": ("udev", "linux-image-x")}
    return disks.Disk(**{**base, "files": {"/etc/hostname": File(b"head\n")}, **more})


def builder(boot: t.Iterable[str] = ("vmlinuz-6.1", "initrd.img-6.1")) -> MemoryHost:
    host = MemoryHost(script={"apt-get indextargets": (0, LISTING, "")})
    host.files.update({"/s/head/build/root/boot/" + name: b"" for name in boot})
    return host


@pytest.mark.parametrize(
    ("listing", "suite", "lines"),
    [
        (LISTING, "bookworm", SOURCES),
        (LISTING, "trixie", "deb https://mirror.invalid/debian/ trixie main\n"),
        (LISTING, "stable", ""),
        ("", "bookworm", ""),
        ("broken\n\n", "bookworm", ""),
    ],
)
def test_the_mirror_is_the_one_of_this_machine(listing: str, suite: str, lines: str) -> None:
    assert disks.sources(listing, suite) == lines


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"packages": ("a b",)}, "'a b' is no name"),
        ({"packages": ("-x",)}, "'-x' is no name"),
        ({"suite": "book worm"}, "'book worm' is no name"),
        ({"disabled": ("x; reboot",)}, "'x; reboot' is no name"),
        ({"enabled": ("$(x)",)}, "is no name"),
        ({"files": {"etc/hostname": File(b"")}}, "'etc/hostname' is no absolute path"),
        ({"files": {"/etc/../x": File(b"")}}, "is no absolute path"),
        ({"size_mb": 100}, "100 MB is too small"),
    ],
)
def test_wrong_words_are_named(change: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError) as caught:
        disks.check(disk(**change))
    assert message in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"suite": "trixie"},
        {"packages": ("udev",)},
        {"files": {"/etc/hostname": File(b"foot\n")}},
        {"files": {"/etc/hostname": File(b"head\n", 0o600)}},
        {"disabled": ("nginx",)},
        {"enabled": ("nginx",)},
        {"size_mb": 2048},
    ],
)
def test_every_input_counts_in_the_digest(change: dict[str, t.Any]) -> None:
    assert disk(**change).digest() != disk().digest()


@given(st.permutations(["a", "b", "c"]))
def test_order_and_folder_do_not_count(names: list[str]) -> None:
    one, two = disk(packages=("a", "b", "c")), disk(packages=tuple(names), folder="/elsewhere")
    assert one.digest() == two.digest()


@given(st.dictionaries(st.from_regex(r"(/[a-z]{1,9}){1,4}", fullmatch=True), st.binary(max_size=700), max_size=5))
def test_the_overlay_holds_what_it_was_given(contents: dict[str, bytes]) -> None:
    files = {path: File(content, 0o600) for path, content in contents.items()}
    with tarfile.open(fileobj=io.BytesIO(disks.overlay(files))) as archive:
        found = {"/" + m.name: t.cast("t.IO[bytes]", archive.extractfile(m)).read() for m in archive}
        assert {(m.mode, m.uid, m.gid) for m in archive} <= {(0o600, 0, 0)}
    assert found == contents
    assert disks.overlay(files) == disks.overlay(dict(reversed(files.items())))


@pytest.mark.parametrize(
    ("names", "stamp", "current"),
    [
        (("disk.ext4", "vmlinuz", "initrd.img"), None, True),
        (("disk.ext4", "vmlinuz"), None, False),
        (("vmlinuz", "initrd.img"), None, False),
        (("disk.ext4", "vmlinuz", "initrd.img"), b"{}", False),
        (("disk.ext4", "vmlinuz", "initrd.img"), b"{", False),
        (("disk.ext4", "vmlinuz", "initrd.img"), b'{"digest": "0"}', False),
    ],
)
def test_is_current(names: tuple[str, ...], stamp: bytes | None, current: bool) -> None:
    host = MemoryHost({"/s/head/" + name: b"" for name in names})
    host.files["/s/head/disk.json"] = json.dumps({"digest": disk().digest()}).encode() if stamp is None else stamp
    assert disks.is_current(disk(), host) == current


def test_the_commands_of_a_build_by_root() -> None:
    host = builder()
    disks.build(disk(disabled=("nginx", "munge"), enabled=("systemd-networkd",)), host, user=0)
    first = next(argv for argv in host.actions if argv[0] == "mmdebstrap")
    assert first[-3:] == ["bookworm", "root.tar", "-"]
    hooks = [word.split("=", 1)[1] for word in first if word.startswith("--customize-hook")]
    assert hooks == [
        'chroot "$1" systemctl --quiet disable nginx munge',
        'chroot "$1" systemctl --quiet enable systemd-networkd',
        "tar-in overlay.tar /",
    ]
    assert [argv[0] for argv in host.ran] == "apt-get".join(
        [" rm ", " mmdebstrap mkdir tar touch mkfs.ext4 mv mv mv rm"]
    ).split()
    assert host.modes["/s/head/build/overlay.tar"] == 0o600
    assert disks.is_current(disk(), MemoryHost()) is False


def test_a_plain_user_works_in_a_user_namespace() -> None:
    host = builder()
    disks.build(disk(), host, user=1000)
    inside = [argv[3] for argv in host.ran if argv[:3] == ["unshare", "--map-auto", "--map-root-user"]]
    assert inside == ["rm", "tar", "touch", "mkfs.ext4", "rm"]


@pytest.mark.parametrize("boot", [(), ("vmlinuz-6.1",), ("initrd.img-6.1",)])
def test_a_disk_without_a_kernel_is_refused_and_the_old_stamp_stays(boot: tuple[str, ...]) -> None:
    host = builder(boot)
    host.files["/s/head/disk.json"] = b"old"
    with pytest.raises(ClusterError, match="the new disk has no") as caught:
        disks.build(disk(), host, user=0)
    assert "kernel" in caught.value.hint
    assert host.files["/s/head/disk.json"] == b"old"
    assert host.ran[-1][:2] == ["rm", "-rf"]


def test_another_suite_than_this_machines_takes_the_tools_own_mirror() -> None:
    host = builder()
    disks.build(disk(suite="forky"), host, user=0)
    assert next(argv for argv in host.ran if argv[0] == "mmdebstrap")[-2:] == ["forky", "root.tar"]


@pytest.fixture
def call(tmp_path: pathlib.Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> RunModule:
    def build(wanted: disks.Disk, _host: t.Any) -> None:
        for name in ("disk.ext4", "vmlinuz", "initrd.img"):
            (tmp_path / "head" / name).write_bytes(b"")
        (tmp_path / "head/disk.json").write_text(json.dumps({"digest": wanted.digest()}))

    monkeypatch.setattr(disks, "build", build)

    def run(**options: t.Any) -> dict[str, t.Any]:
        return run_module(lab_disk.main, folder=str(tmp_path / "head"), packages=["udev"], **options)

    return run


def test_module_builds_once(call: RunModule, tmp_path: pathlib.Path) -> None:
    (tmp_path / "key").write_text("secret")
    files = [{"path": "/root/k", "src": str(tmp_path / "key"), "mode": "0600"}, {"path": "/e", "content": "x"}]
    predicted = call(files=files, _ansible_check_mode=True, _ansible_diff=True)
    assert not (tmp_path / "head").exists()
    first, second = call(files=files, _ansible_diff=True), call(files=files)
    assert [r["changed"] for r in (predicted, first, second)] == [True, True, False]
    assert predicted["diff"] == first["diff"]
    assert "secret" not in json.dumps([predicted, first, second])
    (tmp_path / "key").write_text("other")
    assert call(files=files)["changed"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([{"path": "/a", "content": "", "mode": "rw"}], "/a: mode 'rw' is not octal"),
        ([{"path": "/a", "src": "/no/such/key"}], "there is no /no/such/key"),
        ([{"path": "/a"}], "one of the following is required: content, src"),
    ],
)
def test_module_errors(call: RunModule, files: list[dict[str, str]], message: str) -> None:
    assert message in call(files=files)["msg"]


def test_a_boot_cd_is_made_beside_the_disk() -> None:
    host = builder()
    host.files["/usr/lib/grub/i386-pc/cdboot.img"] = b""
    wanted = disk(boot_cd=True)
    disks.build(wanted, host, user=0)
    grub = next(argv for argv in host.actions if argv[0] == "grub-mkimage")
    assert {"multiboot2", "configfile", "search_label"} <= set(grub)
    early = host.files[grub[grub.index("-c") + 1]].decode()
    assert early.index("search --no-floppy --label root") < early.index("configfile ($root)/boot/grub/grub.cfg")
    iso = next(argv for argv in host.actions if argv[0] == "xorriso")
    at = iso.index("-b")
    assert iso[at : at + 6] == ["-b", "eltorito", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    assert ["mv", "-f", "/s/head/build/boot.iso", "/s/head/boot.iso"] in host.ran


def test_a_boot_cd_belongs_to_the_disk() -> None:
    with_cd, without = disk(boot_cd=True), disk()
    assert with_cd.digest() != without.digest()
    files = {"/s/head/disk.ext4": b"", "/s/head/vmlinuz": b"", "/s/head/initrd.img": b""}
    stamp = json.dumps({"digest": with_cd.digest()}).encode()
    assert not disks.is_current(with_cd, MemoryHost({**files, with_cd.stamp: stamp}))
    assert disks.is_current(with_cd, MemoryHost({**files, with_cd.stamp: stamp, "/s/head/boot.iso": b""}))
