# Copyright (c) 2026, the xtreemos.cluster developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a recipe to a version on disk. This module util is private to the collection."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import dataclass, field

from .._host.errors import ClusterError
from .._host.files import sha256_file
from .._host.host import Host
from . import (
    dpkg,
    edit,
    firmware,
    idle,
    init_script,
    kernel,
    manifest,
    mmdebstrap,
    pyclosure,
    recipe,
    scan,
    squash,
    stage1,
    system,
)
from .manifest import FileInfo, Manifest
from .recipe import Recipe
from .sources import source
from .store import Store, disk_errors
from .tree import Tree

# The kernel and its initramfs lie beside the image; a node never reads them from its root.
ALWAYS_REMOVED = ("/boot/*", "/vmlinuz*", "/initrd.img*")


def ingredients() -> list[t.Any]:
    """What the collection itself puts into an image, for the input digest: a newer collection builds anew."""
    return [
        [init_script.INIT, init_script.LEASE, stage1.APPLETS],
        system.texts(),
        [pyclosure.BASE, sorted(pyclosure.LAZY.items())],
        [mmdebstrap.PATH_EXCLUDES, mmdebstrap.ALWAYS, mmdebstrap.GENERATED],
        [ALWAYS_REMOVED, dpkg.FORGET, squash.LEVEL, idle.ANSWER],
        [firmware.NETWORK],
    ]


def input_digest(what: Recipe) -> str:
    """Hex SHA-256 of everything that goes into the image."""
    return recipe.digest(what, ingredients())


@dataclass
class Clock:
    """Seconds per step, in order."""

    steps: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.monotonic)

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.steps[step] = round(now - self._last, 2)
        self._last = now

    @property
    def total(self) -> float:
        return round(sum(self.steps.values()), 2)


@dataclass(frozen=True)
class Job:
    """One version to build."""

    name: str
    version: str
    serial: int
    input_digest: str
    what: Recipe


def actions(what: Recipe, host: Host, work: str) -> list[list[str]]:
    """The commands that a build runs, for check mode."""
    words = source(what.source).argv(what, host, work)
    return [*([words] if words else []), squash.argv(host, os.path.join(work, manifest.FILES["rootfs"]))]


def _edit(tree: Tree, what: Recipe) -> edit.Edit:
    """Everything that changes between the installer's tree and the image."""
    removal = dpkg.remove(tree, what.remove_packages)
    added = [file.path for file in what.overlay]
    patterns = (*source(what.source).generated, *ALWAYS_REMOVED, *idle.files(tree, added), *what.remove_paths)
    put = dict(removal.edit.put)
    put.update(system.nodes(tree, what.authorized_keys, what.serial_login))
    put.update(system.without_generators(idle.generators(tree, added)))
    put.update({file.path: edit.text(file.content, int(file.mode, 8)) for file in what.overlay})
    return edit.Edit(removal.edit.drop | edit.removals(tree, patterns), put)


def _packages(tree: Tree, what: Recipe) -> dict[str, str]:
    gone = dpkg.remove(tree, what.remove_packages).removed
    return {name: version for name, version in dpkg.versions(dpkg.installed(tree)).items() if name not in gone}


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)


def _boot_files(tree: Tree, what: Recipe, host: Host, work: str) -> tuple[str, stage1.Result]:
    """Kernel and stage1 out of the untouched tree; the kernel's version."""
    found = kernel.find(tree)
    _write(os.path.join(work, manifest.FILES["kernel"]), tree.read(found.path) or b"")
    options = stage1.Options(what.stage1_modules, what.agent, what.stage1_compression)
    return found.version, stage1.write(tree, found, options, host, os.path.join(work, manifest.FILES["stage1"]))


def _root(tree: Tree, what: Recipe, host: Host, work: str, clock: Clock) -> None:
    edited = os.path.join(work, "edited.tar")
    edit.write_tar(tree, _edit(tree, what), edited, int(time.time()))
    clock.lap("edit")
    with Tree(edited) as result:
        scan.gate(result)
    clock.lap("scan")
    squash.write(host, edited, os.path.join(work, manifest.FILES["rootfs"]))
    os.unlink(edited)
    clock.lap("squashfs")


def _infos(work: str) -> dict[str, FileInfo]:
    paths = {key: os.path.join(work, name) for key, name in manifest.FILES.items()}
    return {key: FileInfo(manifest.FILES[key], os.path.getsize(path), sha256_file(path)) for key, path in paths.items()}


def _describe(job: Job, version: str, boot: stage1.Result, files: t.Mapping[str, FileInfo]) -> dict[str, t.Any]:
    return {
        "name": job.name,
        "version": job.version,
        "serial": job.serial,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "input_digest": job.input_digest,
        "arch": os.uname().machine,
        "kernel_version": version,
        "ram_needed_mb": manifest.ram_needed_mb(files["rootfs"].size, files["stage1"].size, boot.unpacked),
        "files": files,
        "firmware_missing": list(boot.firmware_missing),
    }


def _build(job: Job, host: Host, work: str, clock: Clock) -> Manifest:
    origin = source(job.what.source).tar(job.what, host, work)
    clock.lap("root tree")
    with Tree(origin) as tree:
        version, boot = _boot_files(tree, job.what, host, work)
        packages = _packages(tree, job.what)
        clock.lap("stage1")
        _root(tree, job.what, host, work, clock)
    for name in ("root.tar", "apt.conf"):
        if os.path.exists(os.path.join(work, name)):
            os.unlink(os.path.join(work, name))
    files = _infos(work)
    clock.lap("digests")
    row = Manifest(packages=packages, seconds=clock.total, **_describe(job, version, boot, files))
    _write(os.path.join(work, "manifest.json"), manifest.render(row).encode())
    _write(os.path.join(work, "packages.txt"), "".join("%s %s\n" % pair for pair in packages.items()).encode())
    return row


def build(job: Job, host: Host, store: Store) -> tuple[Manifest, dict[str, float]]:
    """Build and install one version under the store's lock; its manifest and the seconds per step.

    ClusterError leaves the store as it was.
    """
    clock = Clock()
    work = store.work(job.version)
    try:
        with disk_errors(work):
            row = _build(job, host, work, clock)
        store.install(work, job.version)
    except ClusterError:
        store.sweep()
        raise
    clock.lap("install")
    return row, clock.steps
