# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of a Debian tree, and removing them without running anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import dpkg, edit
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.tree import Tree
from ansible_collections.xtreemos.cluster.tests.unit._image import samples

INFO = "var/lib/dpkg/info/"
STATUS = "\n".join(
    [
        samples.paragraph("bash", "5.2") + "Description: a shell\n with: colons\n .\n more\n",
        samples.paragraph("libk", "2.0"),
        samples.paragraph("tool", "1.0"),
        samples.paragraph("linux-image-6.1.0", "6.1"),
        samples.paragraph("gone", "1").replace("install ok installed", "deinstall ok config-files"),
    ]
)
FILES = {
    "var/lib/dpkg/status": edit.text(STATUS),
    INFO + "bash.list": edit.text("/.\n/bin\n/bin/bash\n/usr/share/common\n"),
    INFO + "libk:amd64.list": edit.text("/.\n/lib\n/lib/libk.so\n/usr/share/common\n/usr/share/libk\n"),
    INFO + "libk:amd64.md5sums": edit.text("x"),
    INFO + "tool.list": edit.text("/.\n/bin\n/bin/tool\n/etc/tool.conf\n/nowhere/at/all\n"),
    INFO + "tool.postinst": edit.text("exit 1"),
    INFO + "toolbox.list": edit.text("/.\n"),
    INFO + "linux-image-6.1.0.list": edit.text("/.\n/boot\n/boot/vmlinuz-%s\n" % samples.VERSION),
    "usr/bin/bash": edit.text("bash"),
    "usr/lib/libk.so": edit.text("k"),
    "usr/share/common": edit.text("c"),
    "usr/share/libk": edit.folder(),
    "usr/bin/tool": edit.text("tool"),
    "etc/tool.conf": edit.text("conf"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return samples.tree(tmp_path, FILES)


def test_versions(tree: Tree) -> None:
    packages = dpkg.installed(tree)
    assert dpkg.versions(packages) == {"bash": "5.2", "libk": "2.0", "linux-image-6.1.0": "6.1", "tool": "1.0"}


def test_a_tree_of_another_family_has_no_records(tmp_path: Path) -> None:
    tree = samples.tree(tmp_path, {}, {"var/lib/dpkg/status"})
    assert dpkg.installed(tree) == []
    assert dpkg.remove(tree, ["*"]) == dpkg.Removal((), edit.Edit())


@pytest.mark.parametrize("patterns", [[], ["nosuch"], ["ban*"]])
def test_nothing_to_remove(tree: Tree, patterns: list[str]) -> None:
    assert dpkg.remove(tree, patterns) == dpkg.Removal((), edit.Edit())


@pytest.mark.parametrize(
    ("patterns", "removed", "gone", "left"),
    [
        (
            ["tool"],
            ("tool",),
            {"usr/bin/tool", "etc/tool.conf", INFO + "tool.list", INFO + "tool.postinst"},
            {INFO + "toolbox.list"},
        ),
        (
            ["lib*", "nosuch"],
            ("libk",),
            {"usr/lib/libk.so", "usr/share/libk", INFO + "libk:amd64.list", INFO + "libk:amd64.md5sums"},
            {"usr/share/common", "usr/lib/systemd/systemd", "lib"},
        ),
        (["tool", "libk"], ("libk", "tool"), {"usr/bin/tool", "usr/lib/libk.so"}, {"usr/bin/bash", "bin"}),
    ],
)
def test_removed_packages(
    tree: Tree, patterns: list[str], removed: tuple[str, ...], gone: set[str], left: set[str]
) -> None:
    found = dpkg.remove(tree, patterns)
    assert found.removed == removed
    assert gone <= found.edit.drop and not left & found.edit.drop
    status = dpkg.versions(dpkg.parse_status(found.edit.put["var/lib/dpkg/status"].content.decode()))
    assert not set(removed) & set(status) and status["bash"] == "5.2"


def test_the_kernel_is_forgotten_but_stays(tree: Tree) -> None:
    found = dpkg.remove(tree, ["tool"])
    assert "linux-image" not in found.edit.put["var/lib/dpkg/status"].content.decode()
    assert INFO + "linux-image-6.1.0.list" in found.edit.drop
    assert "boot/vmlinuz-" + samples.VERSION not in found.edit.drop


def test_other_paragraphs_stay_as_they_are(tree: Tree) -> None:
    status = dpkg.remove(tree, ["tool"]).edit.put["var/lib/dpkg/status"].content.decode()
    assert status.startswith(samples.paragraph("bash", "5.2") + "Description: a shell\n with: colons\n .\n more\n\n")
    assert "deinstall" not in status
