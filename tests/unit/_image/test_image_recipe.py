# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes: what is refused, and what makes another image."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.xtreemos.cluster.plugins.module_utils._host.errors import ClusterError
from ansible_collections.xtreemos.cluster.plugins.module_utils._image import build, pyclosure, recipe, system
from ansible_collections.xtreemos.cluster.plugins.module_utils._image.recipe import OverlayFile, Recipe
from ansible_collections.xtreemos.cluster.tests.unit._image import samples
from hypothesis import given
from hypothesis import strategies as st

GOOD = Recipe(
    "mmdebstrap",
    suite="bookworm",
    packages=("udev", "openssh-server", "libfoo1.2+x:amd64", "bash=5.2-1~b+1"),
    kernel="linux-image-amd64",
    authorized_keys=(samples.KEY, 'from="10.0.0.0/8" ' + samples.KEY),
    remove_packages=("perl-modules-*",),
    remove_paths=("/usr/share/doc/*",),
    overlay=(OverlayFile("/etc/motd", "hi\n"), OverlayFile("/usr/bin/x", "#!", "755")),
)


def changed(**values: t.Any) -> Recipe:
    return dataclasses.replace(GOOD, **values)


def test_a_good_recipe() -> None:
    recipe.check(GOOD)
    recipe.check(Recipe("directory", "/srv/tree"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"packages": ("bash; rm -rf /",)}, "package 'bash; rm -rf /' is malformed"),
        ({"packages": ("-o",)}, "package '-o' is malformed"),
        ({"packages": ("a,b",)}, "package 'a,b' is malformed"),
        ({"packages": ("udev\n",)}, "package 'udev.n' is malformed"),
        ({"packages": ("",)}, "package '' is malformed"),
        ({"packages": ()}, "the package list is empty"),
        ({"kernel": "Linux"}, "kernel package 'Linux' is malformed"),
        ({"suite": "book worm"}, "suite 'book worm' is malformed"),
        ({"suite": ""}, "suite '' is malformed"),
        ({"remove_packages": ("$(id)",)}, "remove_packages entry .* is malformed"),
        ({"remove_paths": ("relative",)}, "remove_paths entry 'relative' must be an absolute path"),
        ({"remove_paths": ("/",)}, "remove_paths entry '/' must be"),
        ({"remove_paths": ("/a/../../b",)}, "must be an absolute path inside of the image"),
        ({"authorized_keys": (samples.PRIVATE,)}, "authorized key .* is malformed .*public key file"),
        ({"authorized_keys": ("ssh-ed25519",)}, "authorized key 'ssh-ed25519' is malformed"),
        ({"authorized_keys": (samples.KEY + "\nevil",)}, "authorized key .* is malformed"),
        ({"overlay": (OverlayFile("etc/x", ""),)}, "overlay path 'etc/x' must be"),
        ({"overlay": (OverlayFile("/etc/x", "", "rw"),)}, "mode of /etc/x 'rw' is malformed"),
        (
            {"overlay": (OverlayFile("/etc/x", ""), OverlayFile("/etc//x", ""))},
            "overlay names /etc//x twice|/etc/x twice",
        ),
    ],
)
def test_refused(values: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        recipe.check(changed(**values))


@pytest.mark.parametrize("name", ["", "a/b", "..", "a..b", ".hidden", "a b", "ä", "-x"])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(ClusterError, match="image name"):
        recipe.check_name(name, "image name")
    recipe.check_name("node-12.1_a", "image name")


@pytest.mark.parametrize(
    "values",
    [
        {"packages": ("udev",)},
        {"kernel": "linux-image-cloud-amd64"},
        {"suite": "trixie"},
        {"stamp": "1"},
        {"content": "x"},
        {"serial_login": True},
        {"authorized_keys": ()},
        {"overlay": (OverlayFile("/etc/motd", "ho\n"),)},
        {"overlay": (OverlayFile("/etc/motd", "hi\n", "0600"),)},
        {"agent": {"agent.py": "x"}},
        {"remove_paths": ()},
        {"mirrors": ("deb http://m bookworm main",)},
        {"stage1_modules": ("x",)},
        {"source": "directory"},
    ],
    ids=str,
)
def test_other_input_is_another_image(values: dict[str, t.Any]) -> None:
    assert recipe.digest(changed(**values)) != recipe.digest(GOOD)


@pytest.mark.parametrize(
    "values",
    [
        {"packages": (*reversed(GOOD.packages), "udev")},
        {"overlay": tuple(reversed(GOOD.overlay))},
        {"authorized_keys": tuple(reversed(GOOD.authorized_keys))},
        {"location": "/elsewhere"},
        {"overlay": (OverlayFile("//etc/motd", "hi\n", "644"), OverlayFile("/usr/bin/x", "#!", "0755"))},
    ],
    ids=str,
)
def test_the_same_input_is_the_same_image(values: dict[str, t.Any]) -> None:
    assert recipe.digest(changed(**values)) == recipe.digest(GOOD)


def test_what_we_put_in_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.input_digest(GOOD)
    monkeypatch.setattr(system, "SSHD", system.SSHD + "# more\n")
    changed = build.input_digest(GOOD)
    monkeypatch.setattr(pyclosure, "LAZY", {})
    assert len({before, changed, build.input_digest(GOOD), recipe.digest(GOOD)}) == 4


@given(st.permutations(GOOD.packages))
def test_order_never_counts(packages: list[str]) -> None:
    assert recipe.digest(changed(packages=tuple(packages))) == recipe.digest(GOOD)
